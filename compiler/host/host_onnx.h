/* host_onnx.h: what pushes parts of an ONNX model. */
#ifndef RNNC_HOST_ONNX_H
#define RNNC_HOST_ONNX_H

#include <lua.h>
#include <onnx.pb-c.h>

/* Numbers that may still go into lists; a model has its weights as bytes. */
enum { ONNX_ROOM = 1 << 20 };

typedef struct onnx_room {
    size_t left;
} onnx_room;

/* An error that is the file's own: host.onnx gives it as a message. */
void onnx_fail(lua_State *L, const char *message);

/* Room for `count` numbers, or an error. */
void onnx_take_room(lua_State *L, onnx_room *room, size_t count);

/* {name =, dtype =, shape = {}, and its values: data = bytes, little-endian in row-major order, of
 * dtype "F32", "F64", "F16", "BF16"; ints = {} of "BOOL" and integers ("I8" ... "U64"); external =
 * {location =, offset =, length =} in another file; none of a dtype that has no other name than
 * "type N"}. Nothing says that the values are as many as the shape has.  [ -> tensor] */
void onnx_push_tensor(lua_State *L, const Onnx__TensorProto *tensor, onnx_room *room);

/* {nodes = {}, initializers = {tensor}, inputs = {}, outputs = {}, sparse = count of sparse
 * initializers}; see push_node and push_value.  [ -> graph] */
void onnx_push_graph(lua_State *L, const Onnx__GraphProto *graph, onnx_room *room);

#endif
