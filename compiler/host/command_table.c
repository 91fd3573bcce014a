#include "command_table.h"

#include <string.h>

/* How many options a command has; one with more than there may be does not compile. */
#define COUNT(list)                                                                                \
    (sizeof(list) / sizeof *(list) +                                                               \
     0 * sizeof(char[sizeof(list) / sizeof *(list) <= COMMAND_OPTIONS_MAX ? 1 : -1]))

#define HELP_OPTION                                                                                \
    { "help", 'h', NULL, "print this help" }
#define TARGET_OPTION                                                                              \
    {                                                                                              \
        "target", 't', "TARGET",                                                                   \
            "generate for TARGET, whatever the spec says:\n"                                       \
            "native, scalar, portable, neon, avx2, avx512, or\n"                                   \
            "several with commas between"                                                          \
    }
#define WEIGHTS_OPTION                                                                             \
    { "weights", 'w', "FILE", "take the weights from FILE, whatever the spec says" }
#define DEFINE_OPTION                                                                              \
    {                                                                                              \
        "define", 'D', "NAME=VALUE...",                                                            \
            "let the spec read VALUE as define.NAME; may be given\n"                               \
            "for several names"                                                                    \
    }

static const command_option compile_options[] = {
    {"output", 'o', "DIR",
     "write into DIR, which is made if need be\n(default: the current directory)"},
    WEIGHTS_OPTION,
    {"weights-as", 0, "FORM",
     "c: into NAME_weights.c (default if there are any)\n"
     "floats: the same in decimals, for those who read it\n"
     "blob: into NAME.weights, to be loaded or mapped\n"
     "none: not at all; the program brings them\n"
     "(default if the spec has none)"},
    TARGET_OPTION,
    DEFINE_OPTION,
    {"train", 0, NULL,
     "also NAME_train.h and NAME_train.c, with which a program\n"
     "trains the network; the same as train = true in the spec"},
    {"standalone", 0, NULL,
     "NAME.h and NAME.c, weights built in, that need a C\n"
     "compiler and nothing of rnnc, not even rnnc.h"},
    {"freestanding", 0, NULL,
     "the same without a C library but memcpy and memset, in\n"
     "single precision, for target = \"scalar\" unless there is\n"
     "another in the spec"},
    {"single-header", 0, NULL,
     "NAME.h alone: all of it where NAME_IMPLEMENTATION is\n"
     "defined, which one file of the program does"},
    {"cxx", 0, NULL,
     "also NAME.hpp, classes of C++17 for whole sequences and\n"
     "for streams"},
    {"python", 0, NULL, "also NAME.py, the same for Python by ctypes and numpy"},
    {"force", 'f', NULL, "overwrite files that rnnc did not write"},
    {"list", 0, NULL, "print the names of the files, and write nothing"},
    {"depfile", 'M', "FILE",
     "write a rule for make and ninja into FILE: what the\n"
     "files are made from; -MD: into NAME.d beside them"},
    {"depfile-target", 0, "TARGET", "the target of that rule, instead of the files"},
    {"ablate", 0, "PART",
     "leave PART of the work out, functions or update: how\n"
     "much faster that is tells what PART costs; the network\n"
     "computes something else then"},
    HELP_OPTION,
};

static const command_option check_options[] = {WEIGHTS_OPTION, TARGET_OPTION, DEFINE_OPTION,
                                               HELP_OPTION};

static const command_option plan_options[] = {
    {"dump", 'd', "STAGE",
     "print what STAGE of the compiler hands on, in full;\n"
     "--dump=help lists the stages"},
    WEIGHTS_OPTION,
    TARGET_OPTION,
    DEFINE_OPTION,
    HELP_OPTION,
};

static const command_option verify_options[] = {
    {"case", 0, "FILE",
     "run the inputs x (or tokens) and h0 of FILE with its\n"
     "weights, and compare with its outputs y and hn as well"},
    {"gradients", 'g', NULL,
     "compare the gradients of `compile --train` instead: with\n"
     "double precision, with finite differences, and with the\n"
     "tensors grad.NAME of --case"},
    {"seed", 's', "N", "draw other random inputs (default: 1)"},
    {"seconds", 0, "N", "give a run up after N seconds (default: 60)"},
    {"cc", 0, "CC", "compile with CC (default: $CC, or cc)"},
    {"keep", 0, "DIR", "write the generated files into DIR and leave them"},
    WEIGHTS_OPTION,
    TARGET_OPTION,
    DEFINE_OPTION,
    HELP_OPTION,
};

static const command_option train_options[] = {
    {"output", 'o', "FILE",
     "the best weights go into FILE, the last ones and what\n"
     "--resume needs into FILE's name with `.last`\n"
     "(default: `weights` of the spec, or NAME.safetensors)"},
    {"resume", 'r', NULL, "go on from there, bit for bit as without a stop"},
    {"weights", 'w', "FILE", "start from the weights in FILE instead of random ones"},
    {"epochs", 'e', "N", "train N epochs, whatever the spec says"},
    {"csv", 0, "FILE", "write a line an epoch as CSV; -: to stdout instead of text"},
    {"json", 0, "FILE", "the same as JSON"},
    {"force", 'f', NULL, "replace weights that `rnnc train` did not write"},
    {"cc", 0, "CC", "compile with CC (default: $CC, or cc)"},
    {"keep", 0, "DIR", "write the generated files into DIR and leave them"},
    TARGET_OPTION,
    DEFINE_OPTION,
    HELP_OPTION,
};

static const command_option bench_options[] = {
    {"peers", 'p', NULL,
     "also PyTorch, oneDNN, ONNX Runtime and loops around\n"
     "libxsmm's products, as far as they are installed;\n"
     "RNNC_ONNXRUNTIME may name the library"},
    {"seq-len", 0, "N", "run N steps where the spec says \"any\" (default: 100)"},
    {"batch", 0, "N", "run N sequences where the spec says \"any\" (default: 1)"},
    {"threads", 0, "N",
     "also with N threads, 2 to 64, each on a core of its own:\n"
     "the same spec with threads = N, in NAME_forward_threads"},
    {"train", 0, NULL,
     "a step of training instead, see `compile --train`: both\n"
     "passes, clipping the gradient and an update by Adam"},
    {"seconds", 's', "N", "measure each model for N seconds (default: 2)"},
    {"csv", 0, "FILE", "write the results as CSV; -: to stdout instead of the table"},
    {"json", 0, "FILE", "write the results as JSON; -: to stdout instead of the table"},
    {"html", 0, "FILE",
     "write a page with charts, the plan and the parts of a\n"
     "step, which are measured for it; -: to stdout"},
    {"machine", 0, "TEXT",
     "take the limits of the machine from TEXT, which is as\n"
     "the first line prints it, instead of measuring them"},
    {"cc", 0, "CC", "compile with CC (default: $CC, or cc)"},
    WEIGHTS_OPTION,
    TARGET_OPTION,
    DEFINE_OPTION,
    HELP_OPTION,
};

static const command_option tune_options[] = {
    {"seq-len", 0, "N", "run N steps where the spec says \"any\" (default: 100)"},
    {"batch", 0, "N", "run N sequences where the spec says \"any\" (default: 1)"},
    {"seconds", 's', "N", "let two candidates race for N seconds (default: 0.2)"},
    {"cc", 0, "CC", "compile with CC (default: $CC, or cc)"},
    WEIGHTS_OPTION,
    TARGET_OPTION,
    DEFINE_OPTION,
    HELP_OPTION,
};

static const command_option init_options[] = {
    {"program", 'p', NULL, "also write main.c and a Makefile that build a program"},
    {"weights", 'w', "FILE", "read cells, layers and sizes from the weights in FILE"},
    {"weights-only", 0, "MODEL.lua",
     "only write new random weights that fit MODEL.lua, where\n"
     "it says; replaces none but random ones"},
    {"from", 0, "FILE", "make them of a network as it was downloaded: `rnnc import`"},
    {"name", 'n', "NAME", "call the network NAME (default: model)"},
    HELP_OPTION,
};

static const command_option import_options[] = {
    {"output", 'o', "DIR",
     "write into DIR, which is made if need be\n(default: the current directory)"},
    {"name", 'n', "NAME",
     "call the network NAME, and the files NAME.lua and\n"
     "NAME.safetensors (default: by the file, and model)"},
    HELP_OPTION,
};

static const command_option help_options[] = {HELP_OPTION};

const command commands[] = {
    {"compile", "MODEL.lua", 1, 1, "generate C from a spec",
     "Writes NAME.h, NAME.c and, when the spec names weights, NAME_weights.c; NAME is the\n"
     "name in the spec. Files that would not change are left alone, and when anything is\n"
     "wrong nothing is written.",
     compile_options, COUNT(compile_options), "commands.compile"},
    {"check", "MODEL.lua", 1, 1, "check a spec and its weights, write nothing",
     "Reports everything that is wrong with the spec, or else with its weights: tensors that\n"
     "are missing, of another shape or type, or of no use.",
     check_options, COUNT(check_options), "commands.check"},
    {"plan", "MODEL.lua", 1, 1, "show how the network will be computed",
     "Prints layers, shapes, the kernels chosen and why, operations, bytes and workspace.",
     plan_options, COUNT(plan_options), "commands.plan"},
    {"verify", "MODEL.lua", 1, 1, "compile, run and compare with double precision",
     "Generates the network, compiles it with the system's C compiler, runs it in a process of\n"
     "its own on random inputs and prints the largest errors of y, hn and cn against plain loops\n"
     "in double precision; with lengths = true also for sequences of different lengths. The\n"
     "runtime's generic kernels have to agree as well. Passes if no absolute error exceeds 1e-5\n"
     "(or, where rounding grows, 16 times what rounding alone does to the output) and no byte\n"
     "outside the outputs and the workspace changes. Weights are random if the spec has none.\n"
     "FILE of --case is a safetensors file or an .npz archive of NumPy with x, (T, B, I) or\n"
     "(T, I), or tokens, and y; of weights, h0, c0, hn, cn and lengths what there is.",
     verify_options, COUNT(verify_options), "commands.verify"},
    {"train", "MODEL.lua", 1, 1, "train the network as its spec says",
     "Generates training code, compiles it with the system's C compiler and trains the network in\n"
     "a process of its own on the data that `training` of the spec names. Prints a line an epoch\n"
     "and keeps the weights of the best one. SIGINT (^C) saves and ends; --resume goes on. A loss\n"
     "that is no number, or that explodes, ends it too.",
     train_options, COUNT(train_options), "commands.train"},
    {"bench", "MODEL.lua...", 1, 1000, "time the code beside others and the speed of light",
     "Generates and compiles the networks, runs each beside the runtime's generic networks on\n"
     "OpenBLAS and on built-in products, in turns, on one CPU, and prints medians and minima of\n"
     "a call. ratio is the median over that of the specialised code; GFLOP/s and GB/s count what\n"
     "cannot be saved; % light is the speed of light (see compiler/measure/limits.lua) over the "
     "minimum;\n"
     "predicted is the cost model's time. All outputs are checked against double precision first,\n"
     "and those of --threads, whose row says how they share the call and how long a word takes\n"
     "from one to another (see rnnc_team), bit for bit against one thread's.",
     bench_options, COUNT(bench_options), "commands.bench"},
    {"tune", "MODEL.lua", 1, 1, "find by measuring what the cost model may have missed",
     "Generates the network with other kernels and register tiles, lets them race on this\n"
     "machine and writes what is faster than the cost model's choice into MODEL.tune, beside the\n"
     "spec. From then on compile, plan, verify and bench take it from there. It is a text; delete\n"
     "it to be rid of it. One that was measured for other sizes is refused.",
     tune_options, COUNT(tune_options), "commands.tune"},
    {"init", "[DIR]", 0, 1, "write a spec to start from",
     "Writes DIR/NAME.lua (default: model.lua in the current directory), with every field\n"
     "explained. With --program also a program around it, with random weights if no others are\n"
     "given; with --from around a network as it was downloaded. Refuses if a file\n"
     "that it would write is there already.",
     init_options, COUNT(init_options), "commands.init"},
    {"import", "FILE", 1, 1, "make a spec and weights of a network as it was downloaded",
     "Writes DIR/model.lua and DIR/model.safetensors, with the weights in PyTorch's names and\n"
     "order, and tells what it found, what became of it and what the file leaves open. Files that\n"
     "are there already stay. Formats: the JSON of RTNeural and AIDA-X, .nam, a PyTorch state_dict "
     "in JSON\n"
     "(CoreAudioML, Proteus, NeuralPi) or safetensors, .pt and .pth, Keras' .keras and .h5, ONNX\n"
     "models. `rnnc compile FILE`, check, plan, verify and bench read such a file directly.",
     import_options, COUNT(import_options), "commands.import"},
    {"help", "[COMMAND | spec | training]", 0, 1, "explain a command, or the fields of a spec",
     "Without an argument: the list of commands.", help_options, COUNT(help_options),
     "commands.help"},
};

const size_t command_count = COUNT(commands);

const command *command_find(const char *name) {
    for (size_t i = 0; i < command_count; i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}
