/* script.h: tests that are written in Lua, run by the suite. */
#ifndef TEST_SCRIPT_H
#define TEST_SCRIPT_H

/* Runs tests/FOLDER/NAME.lua, with the argument `part` unless it is NULL and the variable
 * `variable` (NAME=VALUE) unless that is NULL. It prints first how many of its cases it tried, at
 * least `least`, then which failed, and ends with an exit code of 0 if none did, after at most
 * `seconds`.
 */
void script_run(const char *folder, const char *name, const char *part, const char *variable,
                int least, unsigned seconds);

#endif
