/* rnnc: reads the command line and hands it to the script of the command. */
#define _GNU_SOURCE
#include "command_table.h"
#include "message.h"
#include "rnnc.h"
#include "state.h"

#include <getopt.h>
#include <lauxlib.h>
#include <lua.h>
#include <stdio.h>
#include <string.h>

/* A word of the command line within a message. */
static void put_word(const char *word, size_t size) { message_put(stderr, word, size, 200); }

/* Says "; did you mean ...?" when one of the names is near, with the scripts' own idea of nearness.
 * [names -> ] */
static void suggest(lua_State *L, const char *name, const char *before) {
    lua_getglobal(L, "require");
    lua_pushstring(L, "base.nearest");
    if (lua_pcall(L, 1, 1, 0) == LUA_OK) {
        lua_pushstring(L, name);
        lua_pushvalue(L, -3);
        if (lua_pcall(L, 2, 1, 0) == LUA_OK && lua_isstring(L, -1))
            fprintf(stderr, "; did you mean %s%s?", before, lua_tostring(L, -1));
    }
    lua_pop(L, 2);
}

static int unknown_command(lua_State *L, const char *name) {
    fputs("rnnc: error: there is no command '", stderr);
    put_word(name, strlen(name));
    fputs("'", stderr);
    lua_newtable(L);
    for (size_t i = 0; i < command_count; i++) {
        lua_pushstring(L, commands[i].name);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    suggest(L, name, "");
    fprintf(stderr, " (`rnnc --help` lists them)\n");
    return EXIT_USER;
}

/* `word` is an option as it was given, "--outptu=x". */
static int unknown_option(lua_State *L, const command *c, const char *word) {
    const size_t length = strcspn(word, "=");
    fprintf(stderr, "rnnc %s: error: there is no option '", c->name);
    put_word(word, length);
    fputs("'", stderr);
    lua_newtable(L);
    for (size_t i = 0; i < c->option_count; i++) {
        lua_pushstring(L, c->options[i].name);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    lua_pushlstring(L, word, length);
    lua_insert(L, -2);
    suggest(L, lua_tostring(L, -2), "--");
    lua_pop(L, 1);
    fprintf(stderr, " (`rnnc help %s` lists them)\n", c->name);
    return EXIT_USER;
}

/* The command's options in the form of getopt_long; letters[] is ":o:h". */
static void getopt_tables(const command *c, struct option longs[], char letters[]) {
    *letters++ = ':';
    for (size_t i = 0; i < c->option_count; i++) {
        const command_option *const option = &c->options[i];
        const int has = option->argument ? required_argument : no_argument;
        longs[i] = (struct option){option->name, has, NULL, 256 + (int)i};
        if (option->letter) {
            *letters++ = option->letter;
            if (has == required_argument)
                *letters++ = ':';
        }
    }
    longs[c->option_count] = (struct option){NULL, 0, NULL, 0};
    *letters = '\0';
}

static const command_option *option_for(const command *c, int found) {
    for (size_t i = 0; i < c->option_count; i++)
        if (found == 256 + (int)i || (found < 256 && found == c->options[i].letter))
            return &c->options[i];
    return NULL;
}

/* Notes an option as it was given.  [options -> options] */
static void set_option(lua_State *L, const command_option *option, const char *argument) {
    if (option->argument && strstr(option->argument, "...")) {
        if (lua_getfield(L, -1, option->name) == LUA_TNIL) {
            lua_pop(L, 1);
            lua_newtable(L);
            lua_pushvalue(L, -1);
            lua_setfield(L, -3, option->name);
        }
        lua_pushstring(L, argument);
        lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
        lua_pop(L, 1);
        return;
    }
    if (option->argument)
        lua_pushstring(L, argument);
    else
        lua_pushboolean(L, 1);
    lua_setfield(L, -2, option->name);
}

/* What an option names, which is not to be an empty text: that would be the root directory or the
 * current one, as it comes. NULL: its values are judged by the command. */
static const char *named_by(const command_option *option) {
    static const struct {
        const char *argument, *what;
    } kinds[] = {{"FILE", "file"}, {"MODEL.lua", "file"}, {"DIR", "directory"}};
    for (size_t i = 0; option->argument && i < sizeof kinds / sizeof kinds[0]; i++)
        if (strcmp(option->argument, kinds[i].argument) == 0)
            return kinds[i].what;
    return NULL;
}

/* The rest of the command line as (arguments, options).  [ -> arguments, options], or nothing and
 * the exit code in *code when the command is not to be run. */
static int read_options(lua_State *L, const command *c, int argc, char **argv, int *code) {
    struct option longs[COMMAND_OPTIONS_MAX + 1];
    char letters[2 * COMMAND_OPTIONS_MAX + 2];
    getopt_tables(c, longs, letters);
    opterr = 0;
    lua_newtable(L);
    lua_newtable(L);
    *code = EXIT_USER;
    for (;;) {
        const int found = getopt_long(argc, argv, letters, longs, NULL);
        if (found == -1)
            break;
        if (found == '?') {
            const char given[] = {'-', (char)optopt, '\0'};
            const char *const word = optopt > 0 && optopt < 256 ? given : argv[optind - 1];
            if (optopt >= 256)
                fprintf(stderr, "rnnc %s: error: --%s takes no value\n", c->name,
                        c->options[optopt - 256].name);
            else
                unknown_option(L, c, word);
            lua_pop(L, 2);
            return 0;
        }
        if (found == ':') {
            fprintf(stderr, "rnnc %s: error: ", c->name);
            put_word(argv[optind - 1], strlen(argv[optind - 1]));
            fputs(" needs a value\n", stderr);
            lua_pop(L, 2);
            return 0;
        }
        const command_option *const option = option_for(c, found);
        if (strcmp(option->name, "help") == 0) {
            help_print_command(c);
            *code = EXIT_DONE;
            lua_pop(L, 2);
            return 0;
        }
        if (named_by(option) && !*optarg) {
            fprintf(stderr, "rnnc %s: error: --%s needs the name of a %s%s\n", c->name,
                    option->name, named_by(option),
                    strstr(option->help, "-: to stdout") ? ", or -" : "");
            lua_pop(L, 2);
            return 0;
        }
        set_option(L, option, optarg);
    }
    int empty = 0;
    for (int i = optind; i < argc; i++) {
        empty = empty || !*argv[i];
        lua_pushstring(L, argv[i]);
        lua_rawseti(L, -3, i - optind + 1);
    }
    const int count = argc - optind;
    if (count >= c->least && count <= c->most && !empty)
        return 1;
    fprintf(stderr, "rnnc %s: error: %s; usage: rnnc %s [OPTION]... %s\n", c->name,
            count < c->least  ? "an argument is missing"
            : count > c->most ? "too many arguments"
                              : "an argument is empty",
            c->name, c->arguments);
    lua_pop(L, 2);
    return 0;
}

static int run_command(lua_State *L, const command *c, int argc, char **argv) {
    int code;
    if (!read_options(L, c, argc, argv, &code))
        return code;
    return state_run(L, c->script, 2);
}

/* `help X` is `X --help`; "spec" and "training" are topics of their own, which the script of help
 * explains. */
static int run_help(lua_State *L, int argc, char **argv) {
    const char *const topic = argc > 2 ? argv[2] : NULL;
    const command *const about = topic ? command_find(topic) : NULL;
    if (!topic || about) {
        if (about)
            help_print_command(about);
        else
            help_print();
        return EXIT_DONE;
    }
    if (help_print_page(topic))
        return EXIT_DONE;
    if (topic[0] != '-' && strcmp(topic, "spec") != 0 && strcmp(topic, "training") != 0)
        return unknown_command(L, topic);
    return run_command(L, command_find("help"), argc - 1, argv + 1);
}

static int run(lua_State *L, int argc, char **argv) {
    const char *const first = argc > 1 ? argv[1] : "--help";
    if (strcmp(first, "--help") == 0 || strcmp(first, "-h") == 0) {
        help_print();
        return argc > 1 ? EXIT_DONE : EXIT_USER;
    }
    if (strcmp(first, "--version") == 0 || strcmp(first, "-V") == 0) {
        puts("rnnc " RNNC_VERSION);
        return EXIT_DONE;
    }
    if (strcmp(first, "help") == 0)
        return run_help(L, argc, argv);
    const command *const c = command_find(first);
    return c ? run_command(L, c, argc - 1, argv + 1) : unknown_command(L, first);
}

int main(int argc, char **argv) {
    lua_State *const L = state_open();
    if (!L) {
        fprintf(stderr, "rnnc: error: there is not enough memory to start\n");
        return EXIT_USER;
    }
    int code = run(L, argc, argv);
    lua_close(L);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        perror("rnnc: error: the output cannot be written");
        code = code == EXIT_DONE ? EXIT_USER : code;
    }
    return code;
}
