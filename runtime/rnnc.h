/* rnnc.h: the one contract between generated networks, the runtime and their user.
 *
 * Generated code needs the types of this header and nothing of the library behind it; a program
 * that calls a function declared here links librnnc. Nothing here exits, prints, or keeps global
 * mutable state other than the chosen BLAS backend; every function may be called from any thread.
 *
 * Conventions. Matrices are row-major. Sizes count elements unless a name ends in `_size`, which
 * counts bytes. Floats are IEEE binary32. T is the number of time steps, B the batch, I the input
 * size, H the hidden size, L the number of layers, D the number of directions (1 or 2), G the
 * number of gates (rnn 1, gru 3, lstm 4), and S the size of the hidden state of a layer, which is
 * proj_size if there is one and H otherwise.
 */
#ifndef RNNC_H
#define RNNC_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define RNNC_VERSION "0.1.0"

/* Raised whenever the layout of rnnc_model or the meaning of a field changes. */
#define RNNC_ABI 11u

/* ---- status ------------------------------------------------------------------------------- */

#ifndef RNNC_STATUS
#define RNNC_STATUS
typedef enum rnnc_status {
    RNNC_OK = 0,
    RNNC_ERR_ARGUMENT, /* a null pointer, a value outside its range */
    RNNC_ERR_SHAPE,    /* a tensor's shape is not the one that is needed */
    RNNC_ERR_DTYPE,    /* a tensor's element type cannot be used here */
    RNNC_ERR_OVERFLOW, /* a size does not fit in size_t */
    RNNC_ERR_MEMORY,   /* malloc failed */
    RNNC_ERR_FILE,     /* open, read or write failed; the message has errno's text */
    RNNC_ERR_FORMAT,   /* the file is not what it should be; the message says where */
    RNNC_ERR_MISSING,  /* a tensor, or a library, is not there */
    RNNC_ERR_TARGET,   /* the code was generated for a CPU that this one is not */
    RNNC_ERR_ABI       /* generated code and runtime are of different versions */
} rnnc_status;
#endif

/* A sentence for the status, without a full stop; never NULL. */
const char *rnnc_status_message(rnnc_status status);

/* What went wrong, in words: names the place and the remedy. Functions that take an rnnc_error
 * accept NULL; they fill it in only when they fail. */
typedef struct rnnc_error {
    rnnc_status status;
    char message[2048]; /* always terminated; a longer text ends in "..." */
} rnnc_error;

/* ---- networks ----------------------------------------------------------------------------- */

typedef enum rnnc_cell { RNNC_RNN_TANH = 0, RNNC_RNN_RELU, RNNC_LSTM, RNNC_GRU } rnnc_cell;

/* "rnn_tanh", "rnn_relu", "lstm", "gru"; NULL if there is no such cell. */
const char *rnnc_cell_name(rnnc_cell cell);

/* By PyTorch's formulas and, where nothing else is said, its constants. Softmax and log_softmax are
 * over the outputs of a step; the others are of each value v:
 *   ELU           v, or alpha (exp(v) - 1) below 0        LEAKY_RELU  v, or alpha v below 0
 *   SOFTPLUS      log(1 + exp(v))                         SELU        PyTorch's multiple of an ELU
 *   GELU          v Phi(v), the normal distribution's     SILU        v sigmoid(v), also swish
 *   GELU_TANH     its approximation by tanh               MISH        v tanh(softplus(v))
 *   HARD_SIGMOID  alpha v + beta between 0 and 1          HARD_TANH   v between alpha and beta
 *   SOFTSIGN      v / (1 + |v|)                           RELU6       v between 0 and 6
 *   HARD_SWISH    v HARD_SIGMOID(v) of 1/6 and 1/2        AFFINE      alpha v + beta
 *   PRELU         v, or w v below 0, w of the unit        SCALE       w v       SHIFT  v + w
 * The last three have a tensor w (outputs) and are of a layer ACTIVATION only. */
typedef enum rnnc_activation {
    RNNC_IDENTITY = 0,
    RNNC_TANH,
    RNNC_RELU,
    RNNC_SIGMOID,
    RNNC_SOFTMAX,
    RNNC_LOG_SOFTMAX,
    RNNC_ELU,
    RNNC_LEAKY_RELU,
    RNNC_SOFTPLUS,
    RNNC_GELU,
    RNNC_GELU_TANH,
    RNNC_SILU,
    RNNC_HARD_SIGMOID,
    RNNC_HARD_TANH,
    RNNC_SOFTSIGN,
    RNNC_SELU,
    RNNC_RELU6,
    RNNC_HARD_SWISH,
    RNNC_MISH,
    RNNC_AFFINE,
    RNNC_PRELU,
    RNNC_SCALE,
    RNNC_SHIFT
} rnnc_activation;

/* "none", "tanh", "leaky_relu", as in a spec; NULL if there is no such activation. */
const char *rnnc_activation_name(rnnc_activation activation);

/* A function of single values: one of rnnc_activation but SOFTMAX, LOG_SOFTMAX and those with a
 * tensor, and its numbers. */
typedef struct rnnc_function {
    rnnc_activation activation;
    float alpha; /* of ELU, LEAKY_RELU, HARD_SIGMOID, HARD_TANH, AFFINE; finite */
    float beta;  /* of HARD_SIGMOID, HARD_TANH, AFFINE; finite. HARD_TANH: more than alpha */
} rnnc_function;

/* The sizes of one stacked recurrent network, as of torch.nn.RNN, LSTM and GRU. Flags are 0 or 1.
 * batch_first is for users of a config alone; in a network, the network's own counts. */
typedef struct rnnc_config {
    rnnc_cell cell;
    size_t input_size, hidden_size, num_layers;
    int bias, batch_first, bidirectional;
    size_t proj_size; /* lstm: less than hidden_size; 0: none */
    int reverse; /* 1: the only direction goes from the last step to the first; see rnnc_call */
    int reset_before;  /* 1, gru: n = tanh(W_in x + b_in + W_hn (r h) + b_hn), as in ONNX with
                          linear_before_reset = 0; 0: PyTorch's r (W_hn h + b_hn) */
    int peepholes;     /* 1, lstm: i += weight_ci c, f += weight_cf c, o += weight_co c_new */
    int initial_state; /* 1: its weights have h0 and c0, for calls without them */
    int layer_norm; /* 1, lstm and gru: the sums of gates with x and with h are normalised each for
                       itself before they meet, and the cell state on its way out; Ba, Kiros,
                       Hinton 2016, equations 20 to 22. All gates of an lstm are normalised
                       together, r and z of a gru too, and n alone. Without bias: the norms have
                       biases. proj_size, reset_before and peepholes are 0 */
    int norm_state; /* 1, lstm with layer_norm: the normalised cell state is what the next step
                       reads; 0: it reads it as it was */
    float norm_eps; /* with layer_norm: added to variances, 0 or more; 0 without */
    float clip;     /* sums of gates and candidates are bounded to -clip .. clip before their
                       functions, as by ONNX Runtime; 0: they are not */
    int own_functions; /* 1: instead of PyTorch's it has these, those that there are in the cell */
    rnnc_function gate, candidate; /* lstm: of i, f, o and of g; gru: of r, z and of n; rnn, of
                                      either kind: candidate is that of its sum */
    rnnc_function output;          /* lstm: of the cell state, h = o output(c) */
} rnnc_config;

/* One weight tensor by its name in a PyTorch state_dict: (rows, cols), or (rows) if cols is 0. */
typedef struct rnnc_weight {
    char name[120]; /* weight_ih_l0, weight_hh_l0, bias_ih_l0, bias_hh_l0, weight_ci_l0,
                       weight_cf_l0, weight_co_l0, weight_hr_l0, norm_weight_ih_l0, norm_bias_ih_l0,
                       norm_weight_hh_l0, norm_bias_hh_l0, norm_weight_c_l0, norm_bias_c_l0,
                       ..._reverse, those that are there */
    size_t rows, cols;
} rnnc_weight;

/* What a layer of a network does to each time step:
 *   RECURRENT  as `recurrent` says; torch.nn.RNN, LSTM or GRU
 *   EMBEDDING  row `token` of a table (inputs, outputs); torch.nn.Embedding. Only the first layer.
 *   DENSE      activation(W x + b), W (outputs, inputs); torch.nn.Linear. With last_step it runs
 *              once, on the last step of each sequence, and so do the layers behind it, which are
 *              dense too. With last_state, behind a RECURRENT layer, it does the same on the last
 *              state of each direction: torch.cat(h_n[-2], h_n[-1]) of a bidirectional one, whose
 *              reverse half has seen one step only at the last step. That of a direction that goes
 *              backwards is what it put out for the first step. With tied W is the table of the
 *              EMBEDDING that is the first layer, and the layer has no weight of its own. With
 *              `steps` it runs once as well, on all steps of a sequence side by side, the first
 *              one first, of which there are as many: inputs is steps times what the layer before
 *              it puts out.
 *   ACTIVATION activation(x), of each value; inputs and outputs are as many. With `count` of as
 * many values from `first` on alone, such as one of several heads; the others stay. MERGE_SUM,
 * MERGE_MUL, MERGE_AVE  behind a RECURRENT layer that is bidirectional, whose halves have `outputs`
 * values each: their sum, product or mean. With last_state, of its last states, once. */
typedef enum rnnc_layer_kind {
    RNNC_RECURRENT = 0,
    RNNC_EMBEDDING,
    RNNC_DENSE,
    RNNC_ACTIVATION,
    RNNC_MERGE_SUM,
    RNNC_MERGE_MUL,
    RNNC_MERGE_AVE
} rnnc_layer_kind;

typedef struct rnnc_layer {
    rnnc_layer_kind kind;
    rnnc_config recurrent;  /* RECURRENT only */
    size_t inputs, outputs; /* of all but RECURRENT; EMBEDDING: rows and width of its table */
    rnnc_activation activation;
    int bias, last_step, last_state, tied; /* DENSE, last_state also MERGE; not last_step too */
    size_t steps;                          /* DENSE; 0: it reads one step at a time */
    float alpha, beta;                     /* as of rnnc_function; finite */
    size_t first, count; /* ACTIVATION without weights; count 0: it is of all values */
} rnnc_layer;

/* A whole model: its layers, each of which reads what the one before it puts out. One recurrent
 * network alone is
 *   const rnnc_layer layer = {.recurrent = config};
 *   const rnnc_network network = {1, &layer, config.batch_first, 0}; */
typedef struct rnnc_network {
    size_t layer_count;
    const rnnc_layer *layer;
    int batch_first;
    size_t residual; /* so many values: y[i] += x[i] for i < residual; at most input and output */
} rnnc_network;

/* What calls of a network have to know. Its weights are, layer by layer, those of
 * rnnc_config_weight, an embedding's weight (inputs, outputs), or a dense layer's weight (outputs,
 * inputs) unless it is tied and, with bias, bias (outputs), or the (outputs) of an activation's
 * units. */
typedef struct rnnc_network_sizes {
    size_t input, output; /* values of x and of y for a step; of an embedding 1, the token */
    size_t h, c;          /* floats of h0 and of c0 for one sequence; 0: there is none */
    size_t weight_count;  /* tensors */
    size_t vocabulary;    /* rows of the embedding; 0: the network reads x, not tokens */
    int last_step;        /* 1: y is (B, output) */
    size_t steps;         /* that every sequence of a call has to have; 0: any */
} rnnc_network_sizes;

/* Is the network one that can be run, and its sizes. ARGUMENT: a value outside its range, widths
 * that do not match, a layer where it cannot be. OVERFLOW: weights that do not fit in memory.
 * Nothing is written to *sizes, which may be NULL, then. */
rnnc_status rnnc_network_measure(const rnnc_network *network, rnnc_network_sizes *sizes,
                                 rnnc_error *error);

/* Everything of one forward call. Layouts, as PyTorch's:
 *   x        (T, B, input), or (B, T, input) with batch_first
 *   tokens   (T, B), or (B, T) with batch_first, each 0 .. vocabulary - 1: instead of x if the
 *            first layer is an embedding
 *   y        (T, B, output), or (B, T, output) with batch_first; of a bidirectional layer first the
 *            forward half, then the reverse half. (B, output) with last_step or last_state.
 *   h0, hn   (L*D, B, S) whatever batch_first says, row layer*D + direction; of several recurrent
 *            layers one after the other
 *   c0, cn   (L*D, B, H) in the same way, of those that are lstm (NULL if none is)
 * Of a layer with `reverse`, as of the reverse half, step t of y is what it gave on reading step t
 * of its input, as in ONNX; Keras' go_backwards has the steps of y the other way round. h0 and c0
 * may be NULL: zero, or what the weights of a layer with initial_state have. hn and cn may be NULL:
 * not wanted. hn may be h0, and cn c0. y may be x, in place, if a step of both has as many values,
 * except with last_step or last_state; NAME.h says of each network whether it may. Other overlaps
 * of x or tokens with y are RNNC_ERR_ARGUMENT; no other pair of buffers may overlap. Only y, hn, cn
 * and the workspace are written. With lengths, x is not read beyond a sequence's length, y is 0
 * there, hn and cn are the states after its last step, and the reverse direction begins there. T, B
 * and lengths may be 0: a sequence without steps keeps its state (hn is h0, or what counts without
 * one), and with last_step its y is 0. Buffers that hold no values may be NULL, but not the
 * workspace. */
typedef struct rnnc_call {
    const float *weights; /* packed; ignored by a model that has its weights built in */
    size_t seq_len, batch;
    const int32_t *tokens;
    const size_t *lengths; /* (B), each 0 .. T; NULL: all T. Only for models with `lengths`. */
    const float *x, *h0, *c0;
    float *y, *hn, *cn;
    void *workspace;              /* workspace_size(seq_len, batch) bytes, any alignment */
    const struct rnnc_team *team; /* NULL: one thread. Only for models with threads > 1. */
} rnnc_call;

/* How the values of one weight tensor come to lie in a model's packed weights. Panels of `width`
 * units follow each other; a panel holds, for each column k, for each gate g, `stride` values,
 * those at or beyond the last unit being zero:
 *
 *   packed[dst + ((p*cols + k)*gates + g)*stride + j]
 *       = tensor[((first_gate + g)*units + p*width + j)*cols + k]  if j < width, p*width+j < units
 *       = 0                                                         otherwise
 *
 * for p = 0 .. ceil(units/width) - 1. A step for biases has cols 1 and may add a second tensor of
 * the same shape (`plus`, or RNNC_NONE); one with cols 1, first_gate 0 and gates 1 may take all
 * values of a matrix as they lie. A step stands for `repeat` of them (0: one), each with `tensor`
 * and `plus` more by tensor_step and `dst` more by dst_step than the one before. */
#define RNNC_NONE UINT32_MAX
typedef struct rnnc_pack_step {
    uint32_t tensor, plus;
    size_t dst;               /* in floats, from the start of the packed weights */
    size_t units, cols;       /* rows of one gate; columns */
    size_t first_gate, gates; /* the gates that this step takes */
    size_t width, stride;     /* units in a panel; floats stored for them, >= width */
    size_t repeat, tensor_step, dst_step;
} rnnc_pack_step;

/* A generated network. Every NAME.c defines one, `NAME_model`; all of it is constant. */
typedef struct rnnc_model {
    uint32_t abi; /* RNNC_ABI of the generator */
    const char *name, *target;
    rnnc_network network;
    size_t input, output;  /* values of x and of y for a step; of an embedding 1, the token */
    int lengths;           /* 1: call->lengths is honoured */
    size_t seq_len, batch; /* 0: any */
    size_t threads;        /* members of call->team that it has use for; 1: it ignores a team */
    size_t weight_count;   /* of the network, see rnnc_network_sizes */
    const rnnc_weight *weight;
    size_t packed_count; /* floats */
    size_t pack_count;
    const rnnc_pack_step *pack;
    const float *built_in; /* packed weights, or NULL: they come with the call */
    uint64_t fingerprint;  /* of the layout of the packed weights; a blob carries the same */
    size_t (*workspace_size)(size_t seq_len, size_t batch); /* bytes; 0: a size does not fit */
    rnnc_status (*forward)(const rnnc_call *call);
} rnnc_model;

/* ---- teams of threads --------------------------------------------------------------------- */

/* Threads that run one call together; networks generated with `threads` divide their work among
 * them. A team is a few functions, so that it may be anybody's threads:
 *   run    calls task(argument, i) for i = 0 .. count - 1, each on a thread of its own, all at the
 *          same time, and returns when all have returned. Memory written before is seen by the
 *          tasks, and what they write is seen behind. One run at a time.
 *   post   a task tells the others that member `index`, itself, has come one further. Every run
 *          begins at 0.
 *   wait   returns when member `index` has posted `count` times in this run; what it wrote before
 *          that is seen.
 * post and wait may both be NULL, and then run may call one task after the other: only what needs
 * no word between the members, different sequences of a batch, is divided then. All members have to
 * compute with the same rounding and denormals.
 *   latency  between cores: nanoseconds from a post until the member that waits goes on. Some tens
 *          on cores of one chip, some hundreds on those of two, where a call may be faster on one
 *          thread; a network has a limit of its own, beyond which it does not divide a call. 0: not
 *          known, divide; RNNC_LATENCY_FAR: members share a CPU, or are too busy to be measured. */
#define RNNC_LATENCY_FAR 1000000000
typedef struct rnnc_team {
    size_t count; /* at least 1; more members than a network has use for do nothing */
    void *context;
    void (*run)(void *context, void (*task)(void *argument, size_t index), void *argument);
    void (*post)(void *context, size_t index);
    void (*wait)(void *context, size_t index, size_t count);
    size_t latency;
} rnnc_team;

/* A team of POSIX threads, of which the one that calls run is member 0. The others spin for some
 * microseconds when there is nothing to do, so that calls in a row find them awake, and then
 * sleep; they take the caller's rounding and denormals. Their latency is measured; threads that
 * turn out to share a CPU are moved to others first, if the process has some, and may be moved on
 * by the system. It is RNNC_LATENCY_FAR, unmeasured, where the process has fewer CPUs than the
 * team members. In the child of a fork, which has none of the threads, the team has one member from
 * then on, the caller, and computes alone. ARGUMENT: count is 0 or more than RNNC_TEAM_MAX. MEMORY:
 * no memory or no thread to be had; *team is NULL then. */
#define RNNC_TEAM_MAX 64
rnnc_status rnnc_team_create(size_t count, rnnc_team **team, rnnc_error *error);

/* Measures the latency between the cores of any team anew, say after its threads have been bound to
 * other cores: the least of many rounds between the caller and each member, and of these the
 * largest. It gives up after 20 ms, with RNNC_LATENCY_FAR. 0 without post and wait, or for a team
 * of one. No run may be under way. */
void rnnc_team_measure(rnnc_team *team);

/* Ends the threads; no run may be under way. NULL is fine, and so is the child of a fork. */
void rnnc_team_destroy(rnnc_team *team);

/* ---- tensors ------------------------------------------------------------------------------ */

/* RNNC_OPAQUE is any element type that files carry but that nothing here computes with. */
typedef enum rnnc_dtype { RNNC_F32 = 0, RNNC_F64, RNNC_F16, RNNC_BF16, RNNC_OPAQUE } rnnc_dtype;

#define RNNC_MAX_RANK 8

/* A view of memory that somebody else owns. Element (i0, i1, ...) lies i0*stride[0] +
 * i1*stride[1] + ... elements from `data`; strides may be zero or negative. `data` needs no
 * alignment. A rank of 0 is a single value; an extent of 0 is a tensor without elements. */
typedef struct rnnc_tensor {
    rnnc_dtype dtype;
    int rank;
    size_t shape[RNNC_MAX_RANK];
    ptrdiff_t stride[RNNC_MAX_RANK];
    void *data;
} rnnc_tensor;

/* Bytes of an element, 0 for RNNC_OPAQUE and values that are no dtype; and its name in a
 * safetensors file ("F32"), "opaque" for those. */
size_t rnnc_dtype_size(rnnc_dtype dtype);
const char *rnnc_dtype_name(rnnc_dtype dtype);

/* A contiguous row-major tensor of `shape` at the start of `data`, which holds data_size bytes.
 * ARGUMENT: rank outside 0..RNNC_MAX_RANK, no element size, no data. OVERFLOW: the bytes of the
 * shape do not fit in size_t. SHAPE: they do not fit in data_size. */
rnnc_status rnnc_tensor_make(rnnc_tensor *out, rnnc_dtype dtype, int rank, const size_t *shape,
                             void *data, size_t data_size);

/* The same with strides, in elements, and element (0, 0, ...) `offset` elements into `data`.
 * SHAPE: some element would lie outside data .. data + data_size. */
rnnc_status rnnc_tensor_make_strided(rnnc_tensor *out, rnnc_dtype dtype, int rank,
                                     const size_t *shape, const ptrdiff_t *stride, size_t offset,
                                     void *data, size_t data_size);

/* Elements in all. OVERFLOW: they do not fit in size_t. */
rnnc_status rnnc_tensor_count(const rnnc_tensor *tensor, size_t *count);

/* 1 if the elements lie one after the other in row-major order, else 0. */
int rnnc_tensor_is_contiguous(const rnnc_tensor *tensor);

/* Views of the same memory; out may be tensor. Slice keeps begin <= index < end of an axis, select
 * keeps one index and drops the axis, transpose swaps two axes. ARGUMENT: no such axis or index. */
rnnc_status rnnc_tensor_slice(const rnnc_tensor *tensor, int axis, size_t begin, size_t end,
                              rnnc_tensor *out);
rnnc_status rnnc_tensor_select(const rnnc_tensor *tensor, int axis, size_t index, rnnc_tensor *out);
rnnc_status rnnc_tensor_transpose(const rnnc_tensor *tensor, int axis_a, int axis_b,
                                  rnnc_tensor *out);

/* One element; index has `rank` values (and may be NULL if rank is 0). set rounds to the nearest
 * value of the dtype, ties to even. ARGUMENT: a null pointer, an index outside the shape. DTYPE:
 * opaque. */
rnnc_status rnnc_tensor_get(const rnnc_tensor *tensor, const size_t *index, double *value);
rnnc_status rnnc_tensor_set(const rnnc_tensor *tensor, const size_t *index, double value);

/* Copies all elements, converting as set does; equal dtypes are copied bit for bit. The two must
 * not overlap. SHAPE: ranks or shapes differ. DTYPE: opaque. */
rnnc_status rnnc_tensor_copy(const rnnc_tensor *to, const rnnc_tensor *from);

/* Half-precision formats by their bits. To: nearest, ties to even, overflow to infinity; a NaN
 * stays a NaN of the same sign and leading payload bits, made quiet. */
float rnnc_f16_to_f32(uint16_t bits);
float rnnc_bf16_to_f32(uint16_t bits);
uint16_t rnnc_f64_to_f16(double value);
uint16_t rnnc_f64_to_bf16(double value);

/* ---- safetensors -------------------------------------------------------------------------- */

typedef struct rnnc_safetensors rnnc_safetensors;

/* One tensor of a file. Valid until the file is closed; the data are read-only. */
typedef struct rnnc_entry {
    const char *name;
    const char *dtype;  /* as the file spells it: F32, F64, F16, BF16, I64, BOOL, ... */
    size_t size;        /* bytes */
    rnnc_tensor tensor; /* dtype RNNC_OPAQUE if its type is not one of rnnc_dtype */
} rnnc_entry;

/* Opens a file (read as a whole: RNNC_ERR_FILE if others write to it meanwhile), or one in memory,
 * which is used in place and must outlive the handle; any alignment. Everything is checked first:
 * header within the file and at most 2 MB, valid JSON without duplicate names, known fields and
 * types, offsets that match the shape and cover the rest of the file without overlap or gap, rank
 * at most RNNC_MAX_RANK. FILE, MEMORY, or FORMAT with a message that names file and tensor. */
rnnc_status rnnc_safetensors_open(const char *path, rnnc_safetensors **file, rnnc_error *error);
rnnc_status rnnc_safetensors_open_memory(const void *data, size_t size, rnnc_safetensors **file,
                                         rnnc_error *error);
void rnnc_safetensors_close(rnnc_safetensors *file); /* NULL is fine */

/* How messages call the file: its path, or "(memory)". */
const char *rnnc_safetensors_name(const rnnc_safetensors *file);

/* The tensors in the order of their data; get returns NULL at and beyond count. */
size_t rnnc_safetensors_count(const rnnc_safetensors *file);
const rnnc_entry *rnnc_safetensors_get(const rnnc_safetensors *file, size_t index);

/* The tensor of that name. ARGUMENT: a null pointer. MISSING: none, and *tensor is as before. */
rnnc_status rnnc_safetensors_find(const rnnc_safetensors *file, const char *name,
                                  rnnc_tensor *tensor);

/* What the first `size` bytes of a file (1024 are enough, all of a shorter one) look like: "a web
 * page, ...; download the file itself", with what to do to get a safetensors file, or "a
 * safetensors file". NULL: nothing that is known. For messages about a file of the wrong kind. */
const char *rnnc_file_kind(const void *bytes, size_t size);

/* The text of a key of __metadata__, NULL if there is none. Valid until the file is closed. */
const char *rnnc_safetensors_metadata(const rnnc_safetensors *file, const char *key);

/* The tensor's `count` elements in row-major order, as floats. MISSING, DTYPE: not readable as
 * float. SHAPE: it has not exactly count elements. */
rnnc_status rnnc_safetensors_read_f32(const rnnc_safetensors *file, const char *name, float *to,
                                      size_t count, rnnc_error *error);

/* Writes a file: beside it first, then renamed over it, so that readers see the old file or the
 * new one and a failure leaves the old one. The bytes depend on content only: tensors by element
 * size (largest first, so that each is aligned) and then name, metadata by key. Views are written
 * in row-major order. ARGUMENT: a name twice, not UTF-8, or "__metadata__"; DTYPE; FILE. */
rnnc_status rnnc_safetensors_write(const char *path, size_t count, const char *const *names,
                                   const rnnc_tensor *tensors, size_t meta_count,
                                   const char *const *keys, const char *const *values,
                                   rnnc_error *error);

/* ---- weights ------------------------------------------------------------------------------ */

/* Sizes and flags in range, and every count below representable. ARGUMENT, OVERFLOW. */
rnnc_status rnnc_config_check(const rnnc_config *config, rnnc_error *error);

size_t rnnc_config_gates(const rnnc_config *config); /* rnn 1, gru 3, lstm 4 */
/* L*D*(2, bias 4, proj_size 1 more), and with initial_state 1, lstm 2 */
size_t rnnc_config_weight_count(const rnnc_config *config);
size_t rnnc_config_weight_floats(const rnnc_config *config); /* values in all of them */

/* Name and shape of a weight, in the order of PyTorch's state_dict: for each layer, for each
 * direction: weight_ih (G*H, I or D*S), weight_hh (G*H, S), with bias bias_ih (G*H) and bias_hh
 * (G*H), and with proj_size weight_hr (proj_size, H); behind all of them with initial_state h0
 * (L*D, S) and, of lstm, c0 (L*D, H). ARGUMENT: index >= rnnc_config_weight_count. */
rnnc_status rnnc_config_weight(const rnnc_config *config, size_t index, rnnc_weight *weight);

/* Does the file hold `count` weights of these names and shapes, such as a model's, under `prefix`
 * (NULL: none) before every name? Otherwise the message lists by name, a line for each kind, all
 * that are missing, misshapen, of a type that is not readable, or weights of these layers of which
 * the network has no use, with what would repair it. Other tensors under the prefix are no error;
 * their names come in `unused` (may be NULL; status OK, an empty message if there are none).
 * MISSING, SHAPE or DTYPE: the first kind listed. ARGUMENT, MEMORY. */
rnnc_status rnnc_weights_check(size_t count, const rnnc_weight *weight, const char *prefix,
                               const rnnc_safetensors *file, rnnc_error *unused, rnnc_error *error);

/* Checks, then reads all weights as floats: tensors[i] is weight i, row-major. One allocation,
 * returned by rnnc_weights_free (NULL is fine); *tensors is NULL after a failure. */
rnnc_status rnnc_weights_load(size_t count, const rnnc_weight *weight, const char *prefix,
                              const rnnc_safetensors *file, const float ***tensors,
                              rnnc_error *error);
void rnnc_weights_free(const float **tensors);

/* ---- packed weights and models ------------------------------------------------------------ */

/* Do the steps stay within packed_count floats and within the weights that they read? */
rnnc_status rnnc_pack_check(size_t pack_count, const rnnc_pack_step *pack, size_t packed_count,
                            size_t weight_count, const rnnc_weight *weight, rnnc_error *error);

/* Carries out the steps (see rnnc_pack_step); what none of them fills becomes 0. `tensors` are in
 * the order of `weight` and of the sizes that rnnc_pack_check checks. ARGUMENT: a null
 * pointer, or a step that would write beyond packed_count; nothing is written then. */
rnnc_status rnnc_pack(size_t pack_count, const rnnc_pack_step *pack, size_t packed_count,
                      const float *const *tensors, float *packed);

/* The packed weights of a model, packed_count floats, from its weight_count tensors; from a
 * safetensors file; from one in memory. */
rnnc_status rnnc_model_pack(const rnnc_model *model, const float *const *tensors, float *packed);
rnnc_status rnnc_model_load(const rnnc_model *model, const char *path, const char *prefix,
                            float *packed, rnnc_error *error);
rnnc_status rnnc_model_load_memory(const rnnc_model *model, const void *data, size_t size,
                                   const char *prefix, float *packed, rnnc_error *error);

/* A blob is a file of packed weights that can be mapped and used in place: a header of 64 bytes
 * {"RNNCBLOB", u32 RNNC_ABI, u32 0, u64 fingerprint, u64 packed_count, zeros}, then the floats;
 * everything little-endian. */
#define RNNC_BLOB_HEADER_SIZE 64
void rnnc_blob_header(uint64_t fingerprint, uint64_t packed_count,
                      unsigned char header[RNNC_BLOB_HEADER_SIZE]);

/* Where a blob's packed weights begin, if it is this model's. ARGUMENT: not aligned to 4 bytes.
 * FORMAT: not a blob, of another model or layout, truncated or too long. ABI. */
rnnc_status rnnc_model_blob(const rnnc_model *model, const void *blob, size_t blob_size,
                            const float **packed, rnnc_error *error);

/* Bytes of workspace for a call. 0: they do not fit in size_t, or the model has other sizes. */
size_t rnnc_model_workspace_size(const rnnc_model *model, size_t seq_len, size_t batch);

/* Runs the model after checking that it is of this RNNC_ABI, that the call has the sizes that it
 * was generated for, and that no pointer that is needed is NULL. ABI, ARGUMENT, TARGET. */
rnnc_status rnnc_model_forward(const rnnc_model *model, const rnnc_call *call, rnnc_error *error);

/* ---- BLAS --------------------------------------------------------------------------------- */

/* A backend: the two products that generic networks need. Matrices are row-major, ld is the
 * distance of two rows in floats, vectors are contiguous. As in BLAS, C or y is not read if beta
 * is 0, and outputs overlap no input. Both are called from any thread, and do not fail.
 *   sgemm   C (m,n) = alpha * op(A) (m,k) * op(B) (k,n) + beta * C;  op transposes if its flag is 1
 *   sgemv   y = alpha * A x + beta * y, A (m,n), x (n), y (m);  trans 1: A^T x, x (m), y (n) */
typedef struct rnnc_blas {
    const char *name;
    void (*sgemm)(int trans_a, int trans_b, size_t m, size_t n, size_t k, float alpha,
                  const float *a, size_t lda, const float *b, size_t ldb, float beta, float *c,
                  size_t ldc);
    void (*sgemv)(int trans, size_t m, size_t n, float alpha, const float *a, size_t lda,
                  const float *x, float beta, float *y);
} rnnc_blas;

/* The kernels that come with the library: always there, one thread, for any CPU. */
const rnnc_blas *rnnc_blas_builtin(void);

/* OpenBLAS: the one that the program is linked with or has loaded, else libopenblas.so.0 loaded
 * now. An OpenBLAS loaded here is set to one thread, because products as small as these lose by
 * more and nobody else uses it, unless OPENBLAS_NUM_THREADS or OMP_NUM_THREADS is set; one that
 * the program brought is left as it is. NULL and MISSING if there is none. */
const rnnc_blas *rnnc_blas_openblas(rnnc_error *error);

/* Each product by what measures fastest for its size: built-in kernels for small ones, OpenBLAS
 * for large ones if it can be had. */
const rnnc_blas *rnnc_blas_auto(void);

/* The backend of the process, the only mutable state of this library. It starts as the environment
 * variable RNNC_BLAS says, "builtin", "openblas" or "auto"; unset, or when that one cannot be had,
 * auto. Select chooses by the same names, or NULL for what RNNC_BLAS says, and tells what is wrong
 * with it; register takes a caller's own table, which must stay in place. A forward call that is
 * under way keeps the backend with which it began. ARGUMENT: no such name, a null member. MISSING.
 */
const rnnc_blas *rnnc_blas_current(void);
rnnc_status rnnc_blas_select(const char *name, rnnc_error *error);
rnnc_status rnnc_blas_register(const rnnc_blas *table);

/* The products of the current backend. */
void rnnc_gemm(int trans_a, int trans_b, size_t m, size_t n, size_t k, float alpha, const float *a,
               size_t lda, const float *b, size_t ldb, float beta, float *c, size_t ldc);
void rnnc_gemv(int trans, size_t m, size_t n, float alpha, const float *a, size_t lda,
               const float *x, float beta, float *y);

/* ---- any network at run time -------------------------------------------------------------- */

/* y[i] = tanh(x[i]), y[i] = 1/(1 + exp(-x[i])) for n values; y may be x. At most 4 ulp off
 * (2.5 measured on every 61st float), NaN gives NaN, and a value gives the same result wherever it
 * stands. */
void rnnc_tanh(size_t n, const float *x, float *y);
void rnnc_sigmoid(size_t n, const float *x, float *y);

/* A careful program on BLAS for any network, which generated code is compared with. Weights are
 * prepared once (transposed, biases added up) from the network's tensors into
 * rnnc_generic_prepared_count floats; call->weights are these. Forward allocates nothing and uses
 * `blas`, or the current backend if that is NULL; workspace_size is in bytes. Both sizes are 0 if
 * they do not fit in size_t or the network is not valid. Sequences of different lengths run one
 * after the other. ARGUMENT (a token or length outside its range too), OVERFLOW; nothing is written
 * then. */
size_t rnnc_generic_prepared_count(const rnnc_network *network);
rnnc_status rnnc_generic_prepare(const rnnc_network *network, const float *const *tensors,
                                 float *prepared);
size_t rnnc_generic_workspace_size(const rnnc_network *network, size_t seq_len, size_t batch);
rnnc_status rnnc_generic_forward(const rnnc_network *network, const rnnc_blas *blas,
                                 const rnnc_call *call);

/* The same in double, by the formulas of torch.nn and nothing else: plain loops to judge others
 * by. `tensors` as they come from rnnc_weights_load; of the call, everything but what it would
 * write and its weights is read. y, hn and cn as in rnnc_call; hn and cn may be NULL, and no
 * buffers may overlap. ARGUMENT, OVERFLOW, MEMORY; nothing is written then. */
rnnc_status rnnc_reference_forward(const rnnc_network *network, const float *const *tensors,
                                   const rnnc_call *call, double *y, double *hn, double *cn);

/* The same with h and c rounded to float after every step. How far both are from each other is what
 * rounding alone makes of this network: little, or all where it is chaotic. */
rnnc_status rnnc_reference_rounded(const rnnc_network *network, const float *const *tensors,
                                   const rnnc_call *call, double *y, double *hn, double *cn);

#ifdef __cplusplus
}
#endif
#endif
