#include "command_table.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { OPTION_COLUMN = 26 };

static void print_option(const command_option *option) {
    char left[64];
    const char letter[] = {'-', option->letter, ',', ' ', '\0'};
    snprintf(left, sizeof left, "  %s--%s%s%s", option->letter ? letter : "    ", option->name,
             option->argument ? "=" : "", option->argument ? option->argument : "");
    /* What is too long for the column stands above its help. */
    const bool above = strlen(left) >= OPTION_COLUMN;
    if (above)
        puts(left);
    for (const char *line = option->help; *line;) {
        const size_t length = strcspn(line, "\n");
        printf("%-*s%.*s\n", OPTION_COLUMN, line == option->help && !above ? left : "", (int)length,
               line);
        line += length + (line[length] == '\n');
    }
}

void help_print_command(const command *c) {
    printf("usage: rnnc %s [OPTION]... %s\n\n%s\n\noptions:\n", c->name, c->arguments, c->help);
    for (size_t i = 0; i < c->option_count; i++)
        print_option(&c->options[i]);
    printf("\nexit status: 0 done, 1 something is wrong with the model%s, 2 a bug of rnnc\n",
           strcmp(c->name, "verify") == 0 ? " or it fails" : "");
}

void help_print(void) {
    printf("rnnc compiles a recurrent network, described in a Lua table, to C that runs it.\n\n"
           "usage: rnnc COMMAND [OPTION]... [ARGUMENT]\n\ncommands:\n");
    for (size_t i = 0; i < command_count; i++)
        printf("  %-10s%s\n", commands[i].name, commands[i].summary);
    printf(
        "\n  --help      print this help\n"
        "  --version   print the version\n"
        "\n`rnnc help COMMAND` tells more of a command, `rnnc help spec` what a spec may say, and\n"
        "`rnnc init` writes one to start from. `rnnc help man`, `bash`, `zsh` and `fish` print a\n"
        "manual page and completions. RNNC_HOME=DIR makes rnnc read its scripts and templates\n"
        "from DIR.\n");
}
