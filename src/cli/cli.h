#ifndef DCS_CLI_CLI_H
#define DCS_CLI_CLI_H
/** One file per subcommand; each parses its arguments with argp, calls one function, prints. Data on stdout, everything
 *  else on stderr as "dcs: error: ..." (one line). */
#include "run/run.h"

enum {
  DCS_EXIT_OK = 0,
  DCS_EXIT_ERROR = 1,
  DCS_EXIT_USAGE = 2,
  DCS_EXIT_CLAIM = 3,
  DCS_EXIT_INCOMPLETE = 4,
  DCS_EXIT_CHECKPOINT = 85
};

typedef struct {
  const char *name, *summary;
  int (*main)(int argc, char **argv); /**< argv[0] is "dcs NAME"; returns an exit code */
} dcs_command;

int dcs_cli_plan(int argc, char **argv);
int dcs_cli_run(int argc, char **argv);
int dcs_cli_merge(int argc, char **argv);
int dcs_cli_fit(int argc, char **argv);
int dcs_cli_check(int argc, char **argv);
int dcs_cli_show(int argc, char **argv);
int dcs_cli_export(int argc, char **argv);
int dcs_cli_verify(int argc, char **argv);
int dcs_cli_list(int argc, char **argv);
int dcs_cli_bench(int argc, char **argv);

/** Of the ranks that read the same wrong command line, one is enough to say so. Asks the launcher's environment, as MPI
 *  is not initialised yet. */
bool dcs_cli_is_first_rank(void);

/** Say on stderr how many points were refused or failed, if any; returns the exit code that belongs to it. */
int dcs_cli_warn_refused(const dcs_run_outcome *outcome);

/** Print the message and return the exit code that belongs to a status. */
int dcs_cli_fail(dcs_status status, const dcs_error *err);

#endif
