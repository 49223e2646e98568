#ifndef DCS_CLI_ARGUMENTS_H
#define DCS_CLI_ARGUMENTS_H
/** Command lines with argp, but whatever is wrong is said in one line: "dcs: error: ...; see `dcs NAME --help`". */
#include <argp.h>

#include "archive/result.h"

/** Parse argv into `input`; --help prints and exits. On an error exits with DCS_EXIT_USAGE after the message, which
 *  names the nearest option when one was misspelt. `silent`: prints nothing and returns false instead. */
bool dcs_cli_parse(const struct argp *argp, int argc, char **argv, bool silent, void *input);

/** In place of argp_error, in a parser: `return dcs_cli_usage(state, ...)`. */
error_t dcs_cli_usage(const struct argp_state *state, const char *format, ...) DCS_PRINTF(2, 3);

enum { DCS_SET_MAX = 64 };

/** What --set gave, in its order. */
typedef struct {
  int count;
  const char *value[DCS_SET_MAX];
} dcs_cli_set;

/** In a parser, for the argument of --set: `return dcs_cli_add_set(...)`. */
error_t dcs_cli_add_set(const struct argp_state *state, const char *arg, dcs_cli_set *set);

/** In a parser, for ARGP_KEY_ARG: takes the one study file of a subcommand into `*path`. */
error_t dcs_cli_study_file(char *arg, const struct argp_state *state, const char **path);

/** For the default branch of a parser: takes the one result file of a subcommand into `*path`, in place of ARGP_KEY_ARG
 *  and ARGP_KEY_NO_ARGS. */
error_t dcs_cli_result_file(int key, char *arg, const struct argp_state *state, const char **path);

/** DCS_EUSAGE with the nearest valid name unless the result at `path` has that metric. */
DCS_NODISCARD dcs_status dcs_cli_check_metric(const dcs_result *result, const char *path, const char *name,
                                              dcs_error *err);
/** The same for a coordinate. */
DCS_NODISCARD dcs_status dcs_cli_check_column(const dcs_result *result, const char *path, const char *name,
                                              dcs_error *err);

#endif
