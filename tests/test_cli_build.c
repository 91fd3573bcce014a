/* What builds need of rnnc: values for a spec, names of files, rules of dependencies; and the pages
 * for man and shells. */
#define _XOPEN_SOURCE 700
#include "support/cli.h"
#include "support/generate.h"
#include "support/process.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Up to five arguments of rnnc. */
#define FIVE(a, b, c, d, e, ...) a, b, c, d, e
#define rnnc(...) run(dir, FIVE(__VA_ARGS__, NULL, NULL, NULL, NULL, NULL))

static char dir[PATH_SIZE], path[PATH_SIZE];

static void write_file(const char *name, const char *text) {
    path_join(path, dir, name);
    cr_assert(file_write(path, text, strlen(text)));
}

static void setup(void) {
    workdir_make(dir);
    write_file("m.lua",
               "return rnn { name = \"amp\", input_size = 3, hidden_size = define.hidden or 5,\n"
               "  target = \"portable\",\n"
               "  weights = define.weights or \"the weights#1.safetensors\" }\n");
    write_file("n.lua", "local text = define.text\n"
                        "local less = define.less or -1\n"
                        "return rnn { name = \"amp\", input_size = less < 0 and 3 or 4,\n"
                        "  hidden_size = define.hidden or 5,\n"
                        "  bias = define.bias ~= false, target = \"portable\" }\n");
    outcome made = rnnc("init", "--weights-only=m.lua");
    cr_assert_eq(made.code, 0, "%s", made.err);
    outcome_free(&made);
}
static void teardown(void) { workdir_remove(dir); }
TestSuite(cli_build, .init = setup, .fini = teardown);

static bool has(const char *name) {
    path_join(path, dir, name);
    return access(path, F_OK) == 0;
}

static void expect_text(const char *name, const char *want) {
    path_join(path, dir, name);
    char *const text = file_read(path, NULL);
    cr_expect(text && strcmp(text, want) == 0, "%s:\n%s\ninstead of\n%s", name,
              text ? text : "none", want);
    free(text);
}

static void expect_outcome(int code, const char *out, const char *err, outcome result) {
    cr_expect_eq(result.code, code, "%s", result.err);
    if (out)
        cr_expect_str_eq(result.out, out);
    if (err)
        cr_expect_str_eq(result.err, err);
    outcome_free(&result);
}

/* Numbers, truth and text arrive as such; the last of a name counts; the head says what was given.
 */
Test(cli_build, values_reach_the_spec, .timeout = 60) {
    expect_outcome(0, NULL, "", rnnc("compile", "n.lua", "-Dhidden=7", "--define=hidden=9"));
    path_join(path, dir, "amp.h");
    char *text = file_read(path, NULL);
    cr_expect(strstr(text, "#define AMP_HIDDEN_SIZE 9\n"), "%s", text);
    cr_expect(strstr(text, "rnnc compile n.lua --define=hidden=7 --define=hidden=9\n"), "%s", text);
    free(text);
    expect_outcome(0, NULL, "", rnnc("compile", "n.lua", "-D", "bias=false", "-Dless=-.5"));
    path_join(path, dir, "amp.c");
    text = file_read(path, NULL);
    cr_expect(!strstr(text, "bias_ih"), "bias = \"false\" is no text");
    free(text);
    expect_outcome(0, "amp.h\namp.c\namp_weights.c\n", "",
                   rnnc("compile", "m.lua", "--list", "-Dweights=x y"));
}

/* A comment stays one, whatever the value. */
Test(cli_build, values_do_not_leave_the_comment, .timeout = 60) {
    expect_outcome(0, NULL, "", rnnc("compile", "n.lua", "-Dtext=*/\n#error \\"));
    path_join(path, dir, "amp.h");
    char *const text = file_read(path, NULL);
    cr_expect(strstr(text, "--define=text=????error??\n"), "%.300s", text);
    free(text);
}

Test(cli_build, values_nobody_asks_for, .timeout = 60) {
    expect_outcome(
        1, "",
        "rnnc: error: --define=hiden: the spec does not ask for define.hiden; did you mean "
        "hidden?\n",
        rnnc("check", "m.lua", "-Dhiden=7"));
    expect_outcome(1, "", "rnnc: error: --define=7: expected NAME=VALUE, such as hidden=40\n",
                   rnnc("check", "m.lua", "-D7"));
    write_file("m.lua", "define.hidden = 3\nreturn rnn { input_size = 3, hidden_size = 3 }\n");
    expect_outcome(
        1, "",
        "m.lua:1: error: define is what --define gives; a value of the spec's own is a local\n",
        rnnc("check", "m.lua"));
}

/* Nothing but names, and no file. */
Test(cli_build, list_writes_nothing, .timeout = 60) {
    expect_outcome(0, "amp.h\namp.c\namp_weights.c\n", "",
                   rnnc("compile", "m.lua", "--list", "-MD"));
    expect_outcome(0, "amp.h\namp.c\namp.weights\n", "",
                   rnnc("compile", "m.lua", "--list", "--weights-as=blob"));
    expect_outcome(0, "amp.h\namp.c\n", "",
                   rnnc("compile", "m.lua", "--list", "--weights-as=none"));
    cr_expect(!has("amp.h") && !has("amp.d"));
}

/* Everything that the files come from, as make reads names with spaces, '#', ':', '$' and '\\'. */
Test(cli_build, depfile_names_what_counts, .timeout = 60) {
    expect_outcome(0, NULL, "", rnnc("compile", "m.lua", "-MD", "-o", "out"));
    expect_text(
        "out/amp.d",
        "out/amp.h out/amp.c out/amp_weights.c: m.lua \\\n  the\\ weights\\#1.safetensors\n");
    write_file("m.tune", "rnnc tune 1\nnetwork 0123456789abcdef\n");
    expect_outcome(0, NULL, NULL,
                   rnnc("compile", "m.lua", "--weights-as=none", "--depfile=deps/x.d",
                        "--depfile-target=c:\\a $stamp"));
    expect_text("deps/x.d",
                "c\\:\\\\a\\ $$stamp: m.lua \\\n  the\\ weights\\#1.safetensors \\\n  m.tune\n");
    expect_outcome(0, NULL, NULL,
                   rnnc("compile", "m.lua", "-w", "./the weights#1.safetensors", "-MD"));
    expect_text(
        "amp.d",
        "amp.h amp.c amp_weights.c: m.lua \\\n  ./the\\ weights\\#1.safetensors \\\n  m.tune\n");
}

/* What fails writes no rule. */
Test(cli_build, depfile_after_success_only, .timeout = 60) {
    expect_outcome(1, "", NULL, rnnc("compile", "m.lua", "-MD", "-Dhidden=0"));
    /* Its weights do not fit. */
    expect_outcome(1, "", NULL, rnnc("compile", "m.lua", "-MD", "-Dhidden=6"));
    cr_expect(!has("amp.d") && !has("amp.h"));
}

/* Pages name every command and its options. */
Test(cli_build, pages_for_man_and_shells, .timeout = 60) {
    static const char *const pages[][3] = {
        {"man", ".SS \"rnnc compile [OPTION]... MODEL.lua\"\n",
         "\\fB\\-\\-depfile\\-target\\fR=\\fITARGET\\fR\n"},
        {"bash", "    compile) options='--output= ", " --depfile-target= "},
        {"zsh", "    'compile:generate C from a spec'\n",
         "'--depfile-target=[the target of that rule, instead"},
        /* Where a colon or a bracket would end what zsh shows. */
        {"zsh", "into FILE\\: what the]:value:_files'", "--weights-as=[c\\: into NAME_weights.c"},
        {"fish", "-a compile -d 'generate C from a spec'\n",
         "-l depfile-target -r -d 'the target of that"},
    };
    for (size_t i = 0; i < sizeof pages / sizeof *pages; i++) {
        outcome page = rnnc("help", pages[i][0]);
        cr_expect_eq(page.code, 0);
        cr_expect(strstr(page.out, pages[i][1]) && strstr(page.out, pages[i][2]), "%s:\n%s",
                  pages[i][0], page.out);
        outcome_free(&page);
    }
    path_join(path, dir, "completion");
    outcome page = rnnc("help", "bash");
    cr_assert(file_write(path, page.out, strlen(page.out)));
    outcome_free(&page);
    const char *const argv[] = {
        "bash", "-c",
        ". ./completion; COMP_WORDS=(rnnc compile --depfile-); COMP_CWORD=2; compopt() { :; };"
        " _rnnc; echo \"${COMPREPLY[@]}\"; COMP_WORDS=(rnnc ve); COMP_CWORD=1; _rnnc;"
        " echo \"${COMPREPLY[@]}\"",
        NULL};
    expect_outcome(0, "--depfile-target=\nverify\n", "", process_run(argv, dir, NULL, 60));
}

/* The pages of a table of commands with every character that means something to one of their
 * readers, at the beginning of a line and within. */
Test(cli_build, pages_of_any_text, .timeout = 60) {
    static const char *const program =
        "#include \"command_table.h\"\n"
        "static const command_option options[] = {\n"
        "    {\"a-b\", 'a', \"N\", \"'first'\\n.second\\nit's a\\\\b. c-d\"},\n"
        "    {\"c\", 0, 0, \"one: [two] 'three'\\nfour\"}};\n"
        "const command commands[] = {\n"
        "    {\"go\", \"X\", 0, 1, \"one: it's\", \".a\\n'b' x.y\", options, 2, \"x\"}};\n"
        "const size_t command_count = 1;\n"
        "int main(int count, char **words) { return count < 2 || !help_print_page(words[1]); }\n";
    static const char *const pages[][3] = {
        {"man", "\n.SS \"rnnc go [OPTION]... X\"\n\\&.a\n\\&'b' x.y\n",
         "\n.TP\n\\fB\\-a\\fR, \\fB\\-\\-a\\-b\\fR=\\fIN\\fR\n"
         "\\&'first'\n.br\n\\&.second\n.br\nit's a\\eb. c\\-d\n"},
        {"zsh", "\n    'go:one\\: it'\\''s'\n", "        '--c[one\\: \\[two\\] '\\''three'\\'']'"},
        {"fish", " -a go -d 'one: it'\\''s'\n", " -l c -d 'one: [two] '\\''three'\\'''\n"},
        {"bash", "    go) options='--a-b= --c' ;;\n", "        options='go'\n"},
    };
    char made[PATH_SIZE];
    write_file("pages.c", program);
    path_join(made, dir, "pages");
    const char *const argv[] = {default_cc(), "-std=c11", "-Icompiler/host",
                                "-Iruntime",  path,       "compiler/host/help_pages.c",
                                "-o",         made,       NULL};
    expect_outcome(0, "", "", process_run(argv, NULL, NULL, 50));
    for (size_t i = 0; i < sizeof pages / sizeof *pages; i++) {
        const char *const words[] = {made, pages[i][0], NULL};
        outcome page = process_run(words, NULL, NULL, 20);
        cr_expect_eq(page.code, 0);
        cr_expect(strstr(page.out, pages[i][1]) && strstr(page.out, pages[i][2]), "%s:\n%s",
                  pages[i][0], page.out);
        outcome_free(&page);
    }
}
