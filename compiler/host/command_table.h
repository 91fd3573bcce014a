/* command_table.h: what can be asked of rnnc, as data. */
#ifndef RNNC_COMMAND_TABLE_H
#define RNNC_COMMAND_TABLE_H

#include <stddef.h>

typedef struct command_option {
    const char *name;     /* long name, without "--"; how scripts know it too */
    char letter;          /* short name, or 0 */
    const char *argument; /* what the help calls its argument; NULL: it has none; "X...": it may be
                           * given several times, and scripts get the list */
    const char *help;     /* lines of a column, separated by '\n' */
} command_option;

/* The most options that a command may have. */
enum { COMMAND_OPTIONS_MAX = 32 };

typedef struct command {
    const char *name;
    const char *arguments; /* in the usage line */
    int least, most;       /* how many arguments it takes */
    const char *summary;   /* for the list of commands */
    const char *help;      /* paragraphs */
    const command_option *options;
    size_t option_count;
    const char *script; /* the module that runs it: a function of (arguments, options) */
} command;

extern const command commands[];
extern const size_t command_count;

/* NULL if there is none of that name. */
const command *command_find(const char *name);

/* `rnnc --help` and `rnnc help COMMAND`, on stdout. */
void help_print(void);
void help_print_command(const command *c);

/* `rnnc help man`, `bash`, `zsh` or `fish`, on stdout: a page that other programs read. 0: there is
 * none of that name. */
int help_print_page(const char *name);

#endif
