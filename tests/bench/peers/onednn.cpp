// The driver for oneDNN's RNN primitives (versions 2 and 3). A variant is a layout of the weights,
// "any" for the library's choice or plain ldigo, and a primitive for each layer or for all layers
// of one width: none of them is the fastest everywhere. README describes the lines.
#include <oneapi/dnnl/dnnl.hpp>
#include <unordered_map>
#include <vector>

#include "driver.h"

using namespace dnnl;
using tag = memory::format_tag;
using shape = memory::dims;

static const struct {
    const char *name;
    tag weights;
    bool stacked;
} variants[] = {{"any", tag::any, false},
                {"any stacked", tag::any, true},
                {"ldigo", tag::ldigo, false},
                {"ldigo stacked", tag::ldigo, true}};

struct call {
    primitive what;
    std::unordered_map<int, memory> arguments;
};

static engine cpu(engine::kind::cpu, 0);
static stream in_order(cpu);
static std::vector<call> calls;
static std::vector<memory> outputs;
static float *hn;

static memory::desc floats(const shape &dims, tag layout) {
    return memory::desc(dims, memory::data_type::f32, layout);
}

static float *values(const memory &m) { return static_cast<float *>(m.get_data_handle()); }

// The descriptor of a primitive: version 2 has one more step than version 3.
template <class Rnn, class... Arguments>
static typename Rnn::primitive_desc describe(const Arguments &...arguments) {
#if DNNL_VERSION_MAJOR >= 3
    return typename Rnn::primitive_desc(cpu, prop_kind::forward_inference, arguments...);
#else
    return typename Rnn::primitive_desc(
        typename Rnn::desc(prop_kind::forward_inference, arguments...), cpu);
#endif
}

// A tensor in the layout that the primitive wants, from one that is (layers, directions, gates*H,
// columns) in oneDNN's order of gates.
static memory reordered(memory &plain, const memory::desc &wanted) {
    memory packed(wanted, cpu);
    reorder(plain, packed).execute(in_order, plain, packed);
    in_order.wait();
    return packed;
}

// PyTorch's gate that is oneDNN's gate g: gru goes z, r, n there.
static int gate_of(const problem &p, int g) { return p.cell == GRU && g < 2 ? 1 - g : g; }

// Fills weights and biases of `count` layers from `first` on. A gru that resets after the product
// keeps the recurrent bias of n apart, as a fourth row.
static void gather(const problem &p, int first, int count, memory &w, memory &u, memory &bias) {
    const size_t H = p.H, rows = p.cell == GRU ? 4 : p.G;
    for (int chain = 0; chain < count * p.D; chain++) {
        const int q = first * p.D + chain;
        const size_t K = p.inputs[q];
        for (int g = 0; g < p.G; g++) {
            const size_t from = gate_of(p, g) * H, to = ((size_t)chain * p.G + g) * H;
            memcpy(values(w) + to * K, p.weight_ih[q] + from * K, H * K * sizeof(float));
            memcpy(values(u) + to * H, p.weight_hh[q] + from * H, H * H * sizeof(float));
            float *const b = values(bias) + ((size_t)chain * rows + g) * H;
            for (size_t j = 0; j < H; j++) {
                const bool separate = p.cell == GRU && g == 2;
                b[j] = p.bias_ih[q][from + j] + (separate ? 0 : p.bias_hh[q][from + j]);
                if (separate)
                    b[H + j] = p.bias_hh[q][from + j];
            }
        }
    }
}

// Adds the primitive of layers first .. first + count - 1, which reads `in`; returns what it
// writes.
static memory add_layers(const problem &p, int first, int count, const memory &in, tag layout) {
    const int H = p.H, D = p.D, G = p.G, K = p.inputs[first * D], rows = p.cell == GRU ? 4 : G;
    const rnn_direction direction =
        D == 2 ? rnn_direction::bidirectional_concat : rnn_direction::unidirectional_left2right;
    const memory::desc src = floats({p.T, p.B, K}, tag::tnc),
                       dst = floats({p.T, p.B, D * H}, tag::tnc);
    const memory::desc w = floats({count, D, K, G, H}, layout),
                       u = floats({count, D, H, G, H}, layout);
    const memory::desc b = floats({count, D, rows, H}, tag::ldgo), zero;
    const memory::desc state = floats({count, D, p.B, H}, tag::ldnc);
    memory::desc packed_w, packed_u;
    primitive what;
    if (p.cell == LSTM) {
        const auto d =
            describe<lstm_forward>(direction, src, zero, zero, w, u, b, dst, state, state);
        packed_w = d.weights_layer_desc(), packed_u = d.weights_iter_desc(), what = lstm_forward(d);
    } else if (p.cell == GRU) {
        const auto d = describe<lbr_gru_forward>(direction, src, zero, w, u, b, dst, state);
        packed_w = d.weights_layer_desc(), packed_u = d.weights_iter_desc(),
        what = lbr_gru_forward(d);
    } else {
        const algorithm f = p.cell == RNN_RELU ? algorithm::eltwise_relu : algorithm::eltwise_tanh;
        const auto d = describe<vanilla_rnn_forward>(f, direction, src, zero, w, u, b, dst, state);
        packed_w = d.weights_layer_desc(), packed_u = d.weights_iter_desc(),
        what = vanilla_rnn_forward(d);
    }
    memory plain_w(floats({count, D, K, G, H}, tag::ldgoi), cpu);
    memory plain_u(floats({count, D, H, G, H}, tag::ldgoi), cpu), bias(b, cpu), out(dst, cpu);
    gather(p, first, count, plain_w, plain_u, bias);
    call c = {what,
              {{DNNL_ARG_SRC_LAYER, in},
               {DNNL_ARG_WEIGHTS_LAYER, reordered(plain_w, packed_w)},
               {DNNL_ARG_WEIGHTS_ITER, reordered(plain_u, packed_u)},
               {DNNL_ARG_BIAS, bias},
               {DNNL_ARG_DST_LAYER, out},
               {DNNL_ARG_DST_ITER, memory(state, cpu, hn + (size_t)first * D * p.B * H)}}};
    if (p.cell == LSTM)
        c.arguments[DNNL_ARG_DST_ITER_C] = memory(state, cpu);
    calls.push_back(c);
    return out;
}

static const char *driver_name(const char **why) {
    static char name[32];
    const dnnl_version_t *const v = dnnl_version();
    (void)why;
    snprintf(name, sizeof name, "oneDNN %d.%d", v->major, v->minor);
    return name;
}

static const char *driver_variant(int v) {
    return v < (int)(sizeof variants / sizeof *variants) ? variants[v].name : NULL;
}

static const char *driver_open(problem *p, int v) {
    hn = p->hn;
    // Layers that one primitive can hold read as much as they write.
    bool any = false;
    try {
        memory at(floats({p->T, p->B, p->I}, tag::tnc), cpu, p->x);
        for (int first = 0, count; first < p->L; first += count) {
            const bool same = p->D == 1 && p->inputs[first] == p->H;
            count = variants[v].stacked && same ? p->L - first : 1;
            any = any || count > 1;
            at = add_layers(*p, first, count, at, variants[v].weights);
        }
        outputs.push_back(at);
    } catch (const dnnl::error &e) {
        return e.message;
    }
    return variants[v].stacked && !any ? "there is nothing to stack" : NULL;
}

static void driver_forward(void) {
    for (auto &c : calls)
        c.what.execute(in_order, c.arguments);
    in_order.wait();
}

static float *driver_y(void) { return values(outputs.back()); }
static float *driver_hn(void) { return hn; }
