#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/plain.h"
#include "cli/arguments.h"
#include "cli/cli.h"

enum { KEY_SET = 256, KEY_MAX_SECONDS, KEY_SHARD, KEY_COMPRESS };

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
    {.name = "shard",
     .key = KEY_SHARD,
     .arg = "I/N",
     .doc = "only the points of shard I of N, I from 1; `dcs merge` puts the results together"},
    {.name = "compress",
     .key = KEY_COMPRESS,
     .arg = "LEVEL",
     .doc = "of the samples that save_samples asks for: 0 (none) to 9 (default: 1)"},
    {.name = "quiet", .key = 'q', .doc = "no progress"},
    {0}};

typedef struct {
  dcs_run_options run;
  dcs_cli_set set;
} arguments;

static bool read_shard(const char *text, int *shard, int *shards)
{
  char *end = NULL;
  long i = strtol(text, &end, 10);
  if (end == text || *end != '/') return false;
  const char *second = end + 1;
  long n = strtol(second, &end, 10);
  if (end == second || *end != '\0' || i < 1 || i > n || n > 1000000) return false;
  *shard = (int)i;
  *shards = (int)n;
  return true;
}

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
    return dcs_cli_add_set(state, arg, &a->set);
  case KEY_MAX_SECONDS:
    a->run.max_seconds = strtod(arg, &end);
    if (end == arg || *end != '\0' || !(a->run.max_seconds >= 0))
      return dcs_cli_usage(state, "--max-seconds %s: not a number of seconds", arg);
    return 0;
  case KEY_COMPRESS:
    if (strlen(arg) != 1 || *arg < '0' || *arg > '9')
      return dcs_cli_usage(state, "--compress %s: a level from 0 to 9", arg);
    a->run.compress = *arg - '0';
    return 0;
  case KEY_SHARD:
    if (!read_shard(arg, &a->run.shard, &a->run.shards))
      return dcs_cli_usage(state, "--shard %s: write I/N with 1 <= I <= N <= 1000000", arg);
    return 0;
  case ARGP_KEY_ARG:
    return dcs_cli_study_file(arg, state, &a->run.study);
  case ARGP_KEY_END:
    if (a->run.study == NULL || a->run.output == NULL)
      return dcs_cli_usage(state, "%s", a->run.study == NULL ? "no study file given" : "no result file given: -o R.h5");
    return 0;
  default:
    return ARGP_ERR_UNKNOWN;
  }
}

int dcs_cli_warn_refused(const dcs_run_outcome *outcome)
{
  if (outcome->n_refused + outcome->n_failed == 0) return DCS_EXIT_OK;
  dcs_print_line(stderr, "dcs: warning: %lld of %lld points refused, %lld failed; the first: %s",
                 (long long)outcome->n_refused, (long long)outcome->n_points, (long long)outcome->n_failed,
                 outcome->first_reason);
  return DCS_EXIT_INCOMPLETE;
}

static int tell(const dcs_run_options *run, const dcs_run_outcome *outcome)
{
  if (outcome->checkpoint) {
    fprintf(stderr, "dcs: stopped at a checkpoint: run again to go on\n");
    return DCS_EXIT_CHECKPOINT;
  }
  if (outcome->n_max_paths > 0)
    fprintf(stderr, "dcs: warning: %lld of %lld points reached stop.max_paths before stop.rel_error\n",
            (long long)outcome->n_max_paths, (long long)outcome->n_points);
  int code = dcs_cli_warn_refused(outcome);
  if (!run->quiet && outcome->unchanged)
    fprintf(stderr, "dcs: %s is complete: nothing to do\n", run->output);
  else if (!run->quiet)
    fprintf(stderr, "dcs: %lld points in %.1f s, %.3g paths/s; written to %s\n", (long long)outcome->n_points,
            outcome->seconds, outcome->paths / outcome->seconds, run->output);
  if (!run->quiet && outcome->dump.written)
    fprintf(stderr, "dcs: samples: %.4g MB in %.2f s, %.2f s of them for the file\n", outcome->dump.bytes / 1e6,
            outcome->dump.seconds, outcome->dump.write_seconds);
  return code;
}

int dcs_cli_run(int argc, char **argv)
{
  static const struct argp argp = {
      .options = options,
      .parser = parse,
      .args_doc = "STUDY.yaml -o R.h5",
      .doc =
          "Run a study, or go on with it, on one core or under mpirun.\n\n"
          "Finished work is kept in R.h5.journal until R.h5 is written, whole or not at all. SIGUSR1, SIGTERM and "
          "Ctrl-C stop at a checkpoint; the same command goes on from there, with any number of ranks and the same "
          "result bit for bit. A study that has grown (more steps, another sampler) adds to the R.h5 of the smaller "
          "one.\v"
          "Examples:\n"
          "  mpirun -n 4 dcs run studies/quick/study.yaml -o quick.h5\n"
          "  dcs run studies/quick/study.yaml -o q.h5 --set stop.rel_error=0.2\n"
          "  dcs run STUDY.yaml -o R.h5 --max-seconds 3000 || echo run it again\n"
          "  dcs run STUDY.yaml -o R-2.h5 --shard 2/8\n\n"
          "Exit codes: 0 done; 1 error; 2 usage or bad study file; 4 some points were refused or failed; 85 stopped at "
          "a checkpoint: run it again."};
  arguments a = {.run = {.max_seconds = INFINITY, .compress = 1, .argc = argc, .argv = argv}};
  dcs_run_outcome outcome;
  dcs_error err = {{0}};
  /* Rank 0 alone carries the exit code: a launcher kills the others as soon as one rank fails, and rank 0 has to have
     spoken by then. */
  int code = DCS_EXIT_OK;
  bool first = dcs_cli_is_first_rank();
  if (dcs_cli_parse(&argp, argc, argv, !first, &a)) {
    a.run.n_set = a.set.count;
    a.run.set = a.set.value;
    a.run.first = first;
    dcs_status st = dcs_run(&a.run, &outcome, &err);
    if (outcome.is_root) code = st == DCS_OK ? tell(&a.run, &outcome) : dcs_cli_fail(st, &err);
  } else if (first) {
    code = DCS_EXIT_USAGE;
  }
  return code;
}
