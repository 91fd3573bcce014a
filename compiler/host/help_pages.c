/* `rnnc help man`, `bash`, `zsh`, `fish`: a manual page and completions, from the command table. */
#include "command_table.h"

#include "rnnc.h"

#include <stdio.h>
#include <string.h>

/* A text in roff, in which '-' and '\' and a '.' at the start of a line mean something else.
 * `keep_lines`: lines end where those of the text do. */
static void print_roff(const char *text, int keep_lines) {
    for (const char *c = text; *c; c++) {
        if (*c == '\n' && keep_lines)
            fputs("\n.br", stdout);
        if ((c == text || c[-1] == '\n') && (*c == '.' || *c == '\''))
            fputs("\\&", stdout);
        if (*c == '-')
            fputs("\\-", stdout);
        else if (*c == '\\')
            fputs("\\e", stdout);
        else
            putchar(*c);
    }
}

static void print_man_option(const command_option *option) {
    puts(".TP");
    if (option->letter)
        printf("\\fB\\-%c\\fR, ", option->letter);
    fputs("\\fB\\-\\-", stdout);
    print_roff(option->name, 0);
    fputs("\\fR", stdout);
    if (option->argument) {
        fputs("=\\fI", stdout);
        print_roff(option->argument, 0);
        fputs("\\fR", stdout);
    }
    putchar('\n');
    print_roff(option->help, 1);
    putchar('\n');
}

static void print_man(void) {
    puts(".TH RNNC 1 \"\" \"rnnc " RNNC_VERSION "\" \"User Commands\"\n"
         ".SH NAME\nrnnc \\- compiler for recurrent neural networks\n"
         ".SH SYNOPSIS\n.B rnnc\n\\fICOMMAND\\fR [\\fIOPTION\\fR]... [\\fIARGUMENT\\fR]\n"
         ".SH DESCRIPTION\nCompiles a recurrent network, described in a Lua table, to C that runs "
         "it.\n\\fBrnnc help spec\\fR tells what a description may say.\n.SH COMMANDS");
    for (size_t i = 0; i < command_count; i++) {
        const command *const c = &commands[i];
        printf(".SS \"rnnc %s [OPTION]... %s\"\n", c->name, c->arguments);
        print_roff(c->help, 0);
        putchar('\n');
        for (size_t k = 0; k < c->option_count; k++)
            print_man_option(&c->options[k]);
    }
    puts(".SH ENVIRONMENT\n.TP\n.B CC\nThe C compiler of verify, bench and tune; cc without it.\n"
         ".TP\n.B RNNC_HOME\nA folder from which scripts and templates are read instead of those "
         "inside.\n.TP\n.B RNNC_BLAS\nbuiltin, openblas or auto: the products of generic networks."
         "\n.SH EXIT STATUS\n0 if all went well, 1 if something is wrong with the model, 2 for a "
         "bug "
         "of rnnc.");
}

static void print_bash(void) {
    puts("# Completion of rnnc for bash: files, commands and their options.\n_rnnc() {\n"
         "    local word=${COMP_WORDS[COMP_CWORD]} options=\n    case ${COMP_WORDS[1]} in");
    for (size_t i = 0; i < command_count; i++) {
        printf("    %s) options='", commands[i].name);
        for (size_t k = 0; k < commands[i].option_count; k++)
            printf("%s--%s%s", k ? " " : "", commands[i].options[k].name,
                   commands[i].options[k].argument ? "=" : "");
        puts("' ;;");
    }
    fputs("    esac\n    if [ \"$COMP_CWORD\" = 1 ]; then\n        options='", stdout);
    for (size_t i = 0; i < command_count; i++)
        printf("%s%s", i ? " " : "", commands[i].name);
    puts("'\n    elif [ \"${word#-}\" = \"$word\" ]; then\n"
         "        mapfile -t COMPREPLY < <(compgen -f -- \"$word\")\n        return\n    fi\n"
         "    mapfile -t COMPREPLY < <(compgen -W \"$options\" -- \"$word\")\n"
         "    case ${COMPREPLY[0]} in *=) compopt -o nospace ;; esac\n}\n"
         "complete -o filenames -F _rnnc rnnc");
}

/* The first line of a text within single quotes, with a backslash before each of `special`. */
static void print_quoted(const char *text, const char *special) {
    const size_t length = strcspn(text, "\n");
    for (size_t i = 0; i < length; i++) {
        if (text[i] == '\'')
            fputs("'\\''", stdout);
        else if (strchr(special, text[i]))
            printf("\\%c", text[i]);
        else
            putchar(text[i]);
    }
}

static void print_zsh(void) {
    puts("#compdef rnnc\n# Completion of rnnc for zsh.\nlocal -a commands\ncommands=(");
    for (size_t i = 0; i < command_count; i++) {
        printf("    '%s:", commands[i].name);
        print_quoted(commands[i].summary, ":");
        puts("'");
    }
    puts(")\nif (( CURRENT == 2 )); then\n    _describe command commands\n    return\nfi\n"
         "local command=$words[2]\nshift words\n(( CURRENT-- ))\ncase $command in");
    for (size_t i = 0; i < command_count; i++) {
        printf("%s)\n    _arguments", commands[i].name);
        for (size_t k = 0; k < commands[i].option_count; k++) {
            const command_option *const option = &commands[i].options[k];
            printf(" \\\n        '--%s%s[", option->name, option->argument ? "=" : "");
            print_quoted(option->help, "[]:");
            printf("]%s'", option->argument ? ":value:_files" : "");
        }
        puts(" \\\n        '*:file:_files' ;;");
    }
    puts("esac");
}

static void print_fish(void) {
    puts("# Completion of rnnc for fish.");
    for (size_t i = 0; i < command_count; i++) {
        printf("complete -c rnnc -n __fish_use_subcommand -f -a %s -d '", commands[i].name);
        print_quoted(commands[i].summary, "");
        puts("'");
        for (size_t k = 0; k < commands[i].option_count; k++) {
            const command_option *const option = &commands[i].options[k];
            printf("complete -c rnnc -n '__fish_seen_subcommand_from %s' -l %s", commands[i].name,
                   option->name);
            if (option->letter)
                printf(" -s %c", option->letter);
            printf("%s -d '", option->argument ? " -r" : "");
            print_quoted(option->help, "");
            puts("'");
        }
    }
}

int help_print_page(const char *name) {
    static const struct {
        const char *name;
        void (*print)(void);
    } pages[] = {
        {"man", print_man}, {"bash", print_bash}, {"zsh", print_zsh}, {"fish", print_fish}};
    for (size_t i = 0; i < sizeof pages / sizeof *pages; i++) {
        if (strcmp(name, pages[i].name) == 0) {
            pages[i].print();
            return 1;
        }
    }
    return 0;
}
