/* NAME.hpp and NAME.py: they give the bits of NAME.h, refuse what does not fit, and come for every
 * kind of network. */
#define _XOPEN_SOURCE 700
#include "support/cli.h"
#include "support/generate.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char dir[PATH_SIZE];

static void setup(void) { workdir_make(dir); }

static void finish(void) { workdir_remove(dir); }

TestSuite(generated_wrappers, .init = setup, .fini = finish, .timeout = 240);

static void put(const char *name, const char *text) {
    char path[PATH_SIZE];
    path_join(path, dir, name);
    cr_assert(file_write(path, text, strlen(text)));
}

#define WARNINGS " -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror"
#define PORTABLE ", target = \"portable\""

/* Networks of every kind of parameter; `weights` are of their own. */
static const struct kind {
    const char *name, *fields;
    bool built_in;
} kinds[] = {
    {"amp",
     "model { batch = 1, residual = true, layers = {\n"
     "  rnn { cell = \"lstm\", input_size = 1, hidden_size = 5, num_layers = 2, prefix = \"r.\" "
     "},\n"
     "  dense { units = 1, prefix = \"d.\" } }",
     true},
    {"any",
     "model { batch = \"any\", batch_first = true, lengths = true, layers = {\n"
     "  rnn { cell = \"gru\", input_size = 3, hidden_size = 4, bidirectional = true } }",
     true},
    {"tokens",
     "model { batch = 2, layers = { embedding { num_embeddings = 7, dim = 3, prefix = \"e.\" },\n"
     "  rnn { cell = \"rnn\", input_size = 3, hidden_size = 4, prefix = \"r.\" } }",
     true},
    {"last",
     "model { batch = 3, seq_len = 6, layers = { rnn { cell = \"gru\", input_size = 2,\n"
     "  hidden_size = 4, prefix = \"r.\" }, dense { units = 2, last_step = true, prefix = \"d.\" } "
     "}",
     true},
    {"stateless", "model { batch = 1, layers = { dense { input_size = 3, units = 2 } }", true},
    {"brought", "rnn { cell = \"lstm\", input_size = 2, hidden_size = 3, batch = 2", false},
};

enum { KINDS = sizeof kinds / sizeof *kinds };

/* Each with its wrappers, as NAME.c and what goes with it. */
static void compile_kinds(void) {
    for (size_t i = 0; i < KINDS; i++) {
        const struct kind *const k = &kinds[i];
        char file[32], text[512], only[64];
        snprintf(file, sizeof file, "%s.lua", k->name);
        snprintf(text, sizeof text, "return %s%s%s%s%s }\n", k->fields, PORTABLE,
                 k->built_in ? ", weights = \"" : "", k->built_in ? k->name : "",
                 k->built_in ? ".st\"" : "");
        put(file, text);
        if (k->built_in) {
            snprintf(only, sizeof only, "--weights-only=%s", file);
            expect_runs(run(dir, "init", only, NULL, NULL, NULL), file);
        }
        expect_runs(run(dir, "compile", file, "--cxx", k->built_in ? "--python" : NULL, NULL),
                    file);
    }
}

/* A whole sequence, a stream in blocks and its copy, and what is refused; ends with the line that
 * is not true. */
static const char amp_program[] =
    "#include \"amp.hpp\"\n"
    "#include \"any.hpp\"\n"
    "#include \"tokens.hpp\"\n"
    "#include \"last.hpp\"\n"
    "#include \"stateless.hpp\"\n"
    "#include \"brought.hpp\"\n"
    "#include <array>\n#include <cstring>\n"
    "#if __cplusplus >= 202002L\n#include <span>\n#endif\n"
    "#define TRUE(condition) do { if (!(condition)) return __LINE__; } while (0)\n"
    "template <class A, class B> static bool same(const A &a, const B &b) {\n"
    "    return std::size(a) == std::size(b)\n"
    "        && std::memcmp(std::data(a), std::data(b), std::size(a) * sizeof *std::data(a)) == "
    "0;\n"
    "}\n"
    "int main() {\n"
    "    constexpr std::size_t T = 50;\n"
    "    std::vector<float> x(T), y(T), z(T), space(AMP_WORKSPACE_SIZE);\n"
    "    for (std::size_t i = 0; i < T; i++) x[i] = static_cast<float>(i % 7) - 3.0f;\n"
    "    std::vector<float> h(AMP_H_SIZE), c(AMP_C_SIZE);\n"
    "    TRUE(amp_forward(T, x.data(), nullptr, nullptr, y.data(), h.data(), c.data(), "
    "space.data())\n"
    "        == RNNC_OK);\n"
    "    amp_network network;\n"
    "    amp_states states;\n"
    /* A short call before the long one: its workspace does not do. */
    "    float one[1];\n"
    "    TRUE(network.forward(amp_span<const float>(x.data(), 1), one) == RNNC_OK && one[0] == "
    "y[0]);\n"
    "    TRUE(network.forward(x, z, nullptr, &states) == RNNC_OK);\n"
    "    TRUE(same(y, z) && same(states.h, h) && same(states.c, c));\n"
    /* In two calls by the states, from an array and into it. */
    "    std::array<float, 20> first{}, out{};\n"
    "    std::copy(x.begin(), x.begin() + 20, first.begin());\n"
    "    TRUE(network.forward(first, out, nullptr, &states) == RNNC_OK);\n"
    "    std::vector<float> rest(x.begin() + 20, x.end());\n"
    "    TRUE(network.forward(rest, rest, &states, &states) == RNNC_OK);\n"
    "    TRUE(std::memcmp(out.data(), y.data(), 20 * sizeof(float)) == 0);\n"
    "    TRUE(std::memcmp(rest.data(), y.data() + 20, 30 * sizeof(float)) == 0);\n"
    "    TRUE(same(states.h, h) && same(states.c, c));\n"
    /* A stream: a block in place, a copy that branches off, single steps, a reset. */
    "    amp_stream stream;\n"
    "    TRUE(stream.process(first, first) == RNNC_OK && same(first, out));\n"
    "    amp_stream copy = stream;\n"
    "    for (std::size_t t = 20; t < T; t++) {\n"
    "        TRUE(stream.step(amp_span<const float>(&x[t], 1), one) == RNNC_OK);\n"
    "        TRUE(std::memcmp(one, &y[t], sizeof one) == 0);\n"
    "    }\n"
    "    TRUE(same(stream.h(), h) && same(stream.c(), c));\n"
    "    rest.assign(x.begin() + 20, x.end());\n"
    "    TRUE(copy.process(rest, rest) == RNNC_OK);\n"
    "    TRUE(std::memcmp(rest.data(), y.data() + 20, 30 * sizeof(float)) == 0);\n"
    "    stream.reset();\n"
    "    TRUE(stream.process(x, z) == RNNC_OK && same(y, z));\n"
    "#if __cplusplus >= 202002L\n"
    "    stream.reset();\n"
    "    TRUE(stream.process(std::span<const float>(x), std::span<float>(z)) == RNNC_OK && same(y, "
    "z));\n"
    "#endif\n"
    "    TRUE(amp_stream::inputs == 1 && tokens_stream::inputs == 2 && tokens_stream::outputs == "
    "8);\n"
    /* Sizes that do not fit. */
    "    TRUE(stream.step(x, one) == RNNC_ERR_ARGUMENT);\n"
    "    TRUE(stream.step(one, x) == RNNC_ERR_ARGUMENT);\n"
    "    TRUE(stream.process(x, rest) == RNNC_ERR_ARGUMENT);\n"
    "    TRUE(network.forward(x, rest) == RNNC_ERR_ARGUMENT);\n"
    "    states.c.resize(1);\n"
    "    TRUE(network.forward(x, z, &states) == RNNC_ERR_ARGUMENT);\n"
    "    any_network any;\n"
    "    any_states ends;\n"
    "    std::vector<float> two(2 * 3 * 3, 0.5f), got(2 * 3 * 8);\n"
    "    const std::size_t lengths[] = {3, 1};\n"
    "    TRUE(any.forward(2, two, got, nullptr, &ends) == RNNC_OK);\n"
    "    TRUE(ends.h.size() == 2 * ANY_H_SIZE && got[47] != 0.0f);\n"
    "    TRUE(any.forward_lengths(2, two, lengths, got) == RNNC_OK && got[47] == 0.0f);\n"
    "    TRUE(any.forward_lengths(1, two, lengths, got) == RNNC_ERR_ARGUMENT);\n"
    "    TRUE(any.forward(0, two, got) == RNNC_ERR_ARGUMENT);\n"
    "    TRUE(any.forward(4, two, got) == RNNC_ERR_ARGUMENT);\n"
    "    last_network last;\n"
    "    std::vector<float> six(6 * 3 * 2), ends_of_six(3 * 2);\n"
    "    TRUE(last.forward(six, ends_of_six) == RNNC_OK);\n"
    "    six.resize(5 * 3 * 2);\n"
    "    TRUE(last.forward(six, ends_of_six) == RNNC_ERR_ARGUMENT);\n"
    "    tokens_stream tokens;\n"
    "    const std::int32_t ids[] = {6, 0};\n"
    "    float of_ids[8];\n"
    "    TRUE(tokens.step(ids, of_ids) == RNNC_OK);\n"
    "    return 0;\n"
    "}\n";

Test(generated_wrappers, of_cxx) {
    static const struct {
        const char *cc, *flags;
    } ways[] = {{"g++", "-std=c++17 -fsanitize=address,undefined"},
                {"g++", "-std=c++20"},
                {"clang++", "-std=c++17"}};
    char path[PATH_SIZE], flags[256];
    rnnc_error err;
    compile_kinds();
    put("main.cpp", amp_program);
    for (size_t i = 0; i < 2 * KINDS - 1; i++) {
        char source[40], object[40];
        snprintf(source, sizeof source, "%s%s.c", kinds[i / 2].name, i % 2 ? "_weights" : "");
        snprintf(object, sizeof object, "%s%s.o", kinds[i / 2].name, i % 2 ? "_weights" : "");
        cr_assert(compile_c(NULL, "-std=c11 -O1", dir, source, object, &err), "%s", err.message);
    }
    path_join(path, dir, "program");
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        snprintf(flags, sizeof flags, "%s -O1" WARNINGS, ways[i].flags);
        cr_assert(compile_c(ways[i].cc, flags, dir,
                            "main.cpp amp.o amp_weights.o any.o any_weights.o tokens.o "
                            "tokens_weights.o last.o last_weights.o stateless.o "
                            "stateless_weights.o brought.o",
                            "program", &err),
                  "%s", err.message);
        outcome o = process_run((const char *[]){path, NULL}, dir, NULL, 20);
        cr_expect_eq(o.code, 0, "%s %s: line %d is not true", ways[i].cc, ways[i].flags, o.code);
        outcome_free(&o);
    }
}

/* The values of C for the same input, as bits, then Python's; and what is refused. */
static const char script[] =
    "import ctypes, struct, sys\n"
    "import numpy\n"
    "import amp, any, tokens, last, stateless\n"
    "T = 50\n"
    "x = (numpy.arange(T) % 7 - 3.0).reshape(T, 1, 1)\n"
    "y, hn, cn = amp.Network().forward(x)\n"
    "assert y.shape == (T, 1, 1) and hn.shape == (2, 1, 5) and cn.shape == (2, 1, 5)\n"
    "print(y.tobytes().hex(), hn.tobytes().hex(), cn.tobytes().hex())\n"
    /* In two calls by the states. */
    "a, h, c = amp.Network().forward(x[:20])\n"
    "b, h, c = amp.Network().forward(x[20:], h, c)\n"
    "assert numpy.array_equal(numpy.concatenate([a, b]), y)\n"
    "assert numpy.array_equal(h, hn) and numpy.array_equal(c, cn)\n"
    /* A view that is not contiguous, and whole numbers. */
    "wide = numpy.zeros((T, 2, 3), numpy.int64); wide[:, 1, 2] = x[:, 0, 0]\n"
    "assert numpy.array_equal(amp.Network().forward(wide[:, 1:, 2:])[0], y)\n"
    "s = amp.Stream()\n"
    "assert numpy.array_equal(s.process(x[:20]), y[:20])\n"
    "branch = s.copy()\n"
    "for t in range(20, T):\n"
    "    assert numpy.array_equal(s.step(x[t]), y[t])\n"
    "assert numpy.array_equal(s.h, hn.ravel()) and numpy.array_equal(s.c, cn.ravel())\n"
    "assert numpy.array_equal(branch.process(x[20:]), y[20:])\n"
    "s.reset()\n"
    "assert numpy.array_equal(s.process(x), y)\n"
    "def refused(kind, words, call, *rest, **more):\n"
    "    try:\n"
    "        call(*rest, **more)\n"
    "    except kind as e:\n"
    "        assert words in str(e), (words, str(e))\n"
    "    else:\n"
    "        raise AssertionError(words)\n"
    "refused(ValueError, 'x: the shape (any, 1, 1) is expected, not (50, 1)', "
    "amp.Network().forward, x[:, 0])\n"
    "refused(ValueError, 'h0: 10 values are expected, not 9', amp.Network().forward, x, "
    "numpy.zeros(9))\n"
    "refused(ValueError, 'x: the shape (1, 1) is expected, not (1,)', s.step, [1.0])\n"
    "z = numpy.random.default_rng(1).normal(size=(2, 4, 3))\n"
    "whole, ends = any.Network().forward(z)\n"
    "some, _ = any.Network().forward(z, lengths=[4, 2])\n"
    "assert whole.shape == (2, 4, 8) and ends.shape == (2, 2, 4)\n"
    "assert numpy.array_equal(some[0], whole[0]) and not some[1, 2:].any() and some[1, :2].all()\n"
    "short, _ = any.Network().forward(z[1:, :2])\n"
    "assert numpy.allclose(short[0], some[1, :2], atol=1e-6)\n"
    "refused(ValueError, 'lengths: each is 0 .. 4', any.Network().forward, z, lengths=[5, 2])\n"
    "refused(ValueError, 'lengths: each is 0 .. 4', any.Network().forward, z, lengths=[-1, 2])\n"
    "refused(ValueError, 'lengths: the shape (2) is expected', any.Network().forward, z, "
    "lengths=[4])\n"
    "assert not hasattr(any, 'Stream')\n"
    "t = tokens.Network()\n"
    "ids = numpy.array([[6, 0], [3, 3], [1, 2]])\n"
    "y, hn = t.forward(ids)\n"
    "assert y.shape == (3, 2, 4) and numpy.array_equal(tokens.Stream().process(ids), y)\n"
    "assert numpy.array_equal(tokens.Stream().step(ids[0]), y[0])\n"
    "refused(tokens.Error, 'tokens are 0 .. 6', t.forward, [[7, 0]])\n"
    "refused(tokens.Error, 'tokens are 0 .. 6', t.forward, [[2**32, 0]])\n"
    "refused(TypeError, 'tokens: integers are expected, not float64', t.forward, [[1.0, 0.0]])\n"
    "y, hn = last.Network().forward(numpy.ones((6, 3, 2)))\n"
    "assert y.shape == (3, 2) and hn.shape == (1, 3, 4)\n"
    "refused(ValueError, 'x: the shape (6, 3, 2) is expected', last.Network().forward, "
    "numpy.ones((5, 3, 2)))\n"
    "y = stateless.Network().forward(numpy.ones((4, 1, 3)))\n"
    "assert y.shape == (4, 1, 2)\n"
    /* The library of another run, and none. */
    "refused(OSError, 'is of another run of rnnc than amp.py', amp.load, './libany.so')\n"
    "import os; os.remove('libamp.so'); amp._library = None\n"
    "refused(OSError, 'no libamp.so beside amp.py', amp.Stream)\n"
    "import inspect\n"
    "assert all(inspect.getdoc(f) for f in (amp, amp.Network, amp.Network.forward, "
    "amp.Stream.process))\n";

static const char values_of_c[] =
    "#include \"amp.h\"\n#include <stdio.h>\n"
    "static void show(const void *v, size_t n, char end) {\n"
    "    for (size_t i = 0; i < n; i++) printf(\"%02x\", ((const unsigned char *)v)[i]);\n"
    "    putchar(end);\n"
    "}\n"
    "int main(void) {\n"
    "    static unsigned char space[AMP_WORKSPACE_SIZE];\n"
    "    float x[50], y[50], h[AMP_H_SIZE], c[AMP_C_SIZE];\n"
    "    for (int i = 0; i < 50; i++) x[i] = (float)(i % 7) - 3.0f;\n"
    "    if (amp_forward(50, x, NULL, NULL, y, h, c, space) != RNNC_OK) return 1;\n"
    "    show(y, sizeof y, ' '); show(h, sizeof h, ' '); show(c, sizeof c, '\\n');\n"
    "    return 0;\n"
    "}\n";

Test(generated_wrappers, of_python) {
    /* Debian's, which has Debian's numpy. */
    const char *const python =
        access("/usr/bin/python3", X_OK) == 0 ? "/usr/bin/python3" : "python3";
    char path[PATH_SIZE], sources[64], library[32];
    rnnc_error err;
    compile_kinds();
    for (size_t i = 0; i < KINDS; i++)
        if (kinds[i].built_in) {
            snprintf(sources, sizeof sources, "%s.c %s_weights.c", kinds[i].name, kinds[i].name);
            snprintf(library, sizeof library, "lib%s.so", kinds[i].name);
            cr_assert(compile_c(NULL, "-std=c11 -O1 -shared -fPIC", dir, sources, library, &err),
                      "%s", err.message);
        }
    put("values.c", values_of_c);
    put("script.py", script);
    cr_assert(compile_c(NULL, "-std=c11 -O1", dir, "values.c amp.c amp_weights.c", "values", &err),
              "%s", err.message);
    path_join(path, dir, "values");
    outcome wanted = process_run((const char *[]){path, NULL}, dir, NULL, 20);
    cr_assert_eq(wanted.code, 0);
    outcome got = process_run((const char *[]){python, "script.py", NULL}, dir, NULL, 60);
    cr_expect_eq(got.code, 0, "%s", got.err);
    cr_expect_str_eq(got.out, wanted.out);
    outcome_free(&got);
    outcome_free(&wanted);
}

/* What is listed, refused, and not overwritten. */
Test(generated_wrappers, on_the_command_line) {
    static const char of_hand[] = "import numpy\n";
    char path[PATH_SIZE];
    put("net.lua", "return rnn { input_size = 2, hidden_size = 3, weights = \"net.st\" }\n");
    expect_runs(run(dir, "init", "--weights-only=net.lua", NULL, NULL, NULL), "init");
    expect(dir, 0, "net.h\nnet.c\nnet_weights.c\nnet.hpp\n", "", "compile", "net.lua", "--list",
           "--cxx");
    expect(dir, 0, "net.h\nnet.c\nnet_weights.c\nnet.py\n", "", "compile", "net.lua", "--list",
           "--python");
    expect(dir, 1, "",
           "rnnc: error: --python has its weights built in, and --weights-as=blob not; name a file "
           "in the spec or with --weights\n",
           "compile", "net.lua", "--python", "--weights-as=blob");
    put("net.py", of_hand);
    expect(dir, 1, "",
           "rnnc compile: error: net.py is there already and was not generated by rnnc; move it "
           "away, give the network another name, or write into another directory with -o "
           "(--force overwrites it)\n",
           "compile", "net.lua", "--python", NULL);
    expect_file(dir, "net.c", false);
    expect_runs(run(dir, "compile", "net.lua", "--python", "--force", NULL), "force");
    expect_runs(run(dir, "compile", "net.lua", "--python", NULL, NULL), "again");
    path_join(path, dir, "net.py");
    char *const text = file_read(path, NULL);
    cr_assert(text);
    cr_expect(strncmp(text, "\"\"\"net: generated by rnnc " RNNC_VERSION ". ", 20) == 0);
    free(text);
}
