#include <argp.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "cli/cli.h"
#include "run/run.h"

enum { KEY_SET = 256, KEY_MAX_SECONDS };

static const struct argp_option options[] = {
    {.name = "output",
     .key = 'o',
     .arg = "R.h5",
     .doc = "result file (required); R.h5.journal beside it holds unfinished work"},
    {.name = "set",
     .key = KEY_SET,
     .arg = "KEY=VALUE",
     .doc = "override one key of the study file, such as stop.rel_error=0.01"},
    {.name = "max-seconds",
     .key = KEY_MAX_SECONDS,
     .arg = "S",
     .doc = "stop at a checkpoint after S seconds (exit code 85)"},
    {.name = "quiet", .key = 'q', .doc = "no progress"},
    {0}};

typedef struct {
  dcs_run_options run;
  const char **set; /* [argc] */
} arguments;

static error_t parse(int key, char *arg, struct argp_state *state)
{
  arguments *a = state->input;
  char *end = NULL;
  switch (key) {
  case 'o':
    a->run.output = arg;
    return 0;
  case 'q':
    a->run.quiet = true;
    return 0;
  case KEY_SET:
    if (strchr(arg, '=') == NULL) {
      argp_error(state, "--set %s: write KEY=VALUE", arg);
      return EINVAL;
    }
    a->set[a->run.n_set++] = arg;
    return 0;
  case KEY_MAX_SECONDS:
    a->run.max_seconds = strtod(arg, &end);
    if (end == arg || *end != '\0' || !(a->run.max_seconds >= 0)) {
      argp_error(state, "--max-seconds %s: not a number of seconds", arg);
      return EINVAL;
    }
    return 0;
  case ARGP_KEY_ARG:
    if (a->run.study != NULL) {
      argp_error(state, "%s: one study file at a time (already given: %s)", arg, a->run.study);
      return EINVAL;
    }
    a->run.study = arg;
    return 0;
  case ARGP_KEY_END:
    if (a->run.study == NULL || a->run.output == NULL) {
      argp_error(state, "%s", a->run.study == NULL ? "no study file given" : "no result file given: -o R.h5");
      return EINVAL;
    }
    return 0;
  default:
    return ARGP_ERR_UNKNOWN;
  }
}

/** Of the ranks that read the same wrong command line, one is enough to say so. */
static bool is_first_rank(void)
{
  static const char *const variables[] = {"OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK"};
  for (size_t i = 0; i < sizeof variables / sizeof *variables; i++) {
    const char *rank = getenv(variables[i]);
    if (rank != NULL) return strcmp(rank, "0") == 0;
  }
  return true;
}

static int tell(const dcs_run_options *run, const dcs_run_outcome *outcome)
{
  int64_t n_bad = outcome->n_refused + outcome->n_failed;
  if (outcome->checkpoint) {
    fprintf(stderr, "dcs: stopped at a checkpoint: run again to go on\n");
    return DCS_EXIT_CHECKPOINT;
  }
  if (outcome->n_max_paths > 0)
    fprintf(stderr, "dcs: warning: %lld of %lld points reached stop.max_paths before stop.rel_error\n",
            (long long)outcome->n_max_paths, (long long)outcome->n_points);
  if (n_bad > 0)
    fprintf(stderr, "dcs: warning: %lld of %lld points refused, %lld failed; the first: %s\n",
            (long long)outcome->n_refused, (long long)outcome->n_points, (long long)outcome->n_failed,
            outcome->first_reason);
  if (!run->quiet && outcome->unchanged)
    fprintf(stderr, "dcs: %s is complete: nothing to do\n", run->output);
  else if (!run->quiet)
    fprintf(stderr, "dcs: %lld points in %.1f s, %.3g paths/s; written to %s\n", (long long)outcome->n_points,
            outcome->seconds, outcome->paths / outcome->seconds, run->output);
  return n_bad > 0 ? DCS_EXIT_INCOMPLETE : DCS_EXIT_OK;
}

int dcs_cli_run(int argc, char **argv)
{
  static const struct argp argp = {
      .options = options,
      .parser = parse,
      .args_doc = "STUDY.yaml -o R.h5",
      .doc =
          "Run a study, or resume it: mpirun -n P dcs run STUDY.yaml -o R.h5\v"
          "SIGUSR1, SIGTERM and Ctrl-C stop at a checkpoint; the same command goes on from there, with any number of "
          "ranks. Exit codes: 0 done, 1 error, 2 usage or bad study file, 4 some points were refused or failed, "
          "85 stopped at a checkpoint."};
  arguments a = {.run = {.max_seconds = INFINITY, .argc = argc, .argv = argv}};
  dcs_run_outcome outcome;
  dcs_error err = {{0}};
  /* Rank 0 alone carries the exit code: a launcher kills the others as soon as one rank fails, and rank 0 has to have
     spoken by then. */
  int code = DCS_EXIT_OK;
  bool first = is_first_rank();
  dcs_status st = dcs_alloc((size_t)argc, sizeof *a.set, &a.set);
  if (st != DCS_OK) return dcs_cli_fail(st, &err);
  if (argp_parse(&argp, argc, argv, first ? 0 : ARGP_SILENT, NULL, &a) == 0) {
    a.run.set = a.set;
    st = dcs_run(&a.run, &outcome, &err);
    if (outcome.is_root) code = st == DCS_OK ? tell(&a.run, &outcome) : dcs_cli_fail(st, &err);
  } else if (first) {
    code = DCS_EXIT_USAGE;
  }
  dcs_free(&a.set);
  return code;
}
