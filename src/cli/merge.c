#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "cli/arguments.h"
#include "cli/cli.h"
#include "run/merge.h"

enum { KEY_SET = 256, KEY_STUDY, KEY_PARTIAL };

static const struct argp_option options[] = {
    {.name = "study",
     .key = KEY_STUDY,
     .arg = "STUDY.yaml",
     .doc = "the study file, where it names data files by relative paths (default: the study stored in A.h5)"},
    {.name = "set", .key = KEY_SET, .arg = "KEY=VALUE", .doc = "override one key of that file, as in the runs"},
    {.name = "partial",
     .key = KEY_PARTIAL,
     .doc = "write OUT.h5 even when points are missing; they are marked incomplete"},
    {0}};

typedef struct {
  dcs_merge_options merge;
  dcs_cli_set set;
  const char **input; /* [argc] */
} arguments;

static error_t parse(int key, char *arg, struct argp_state *state)
{
  arguments *a = state->input;
  switch (key) {
  case KEY_STUDY:
    a->merge.study = arg;
    return 0;
  case KEY_SET:
    return dcs_cli_add_set(state, arg, &a->set);
  case KEY_PARTIAL:
    a->merge.partial = true;
    return 0;
  case ARGP_KEY_ARG:
    if (a->merge.output == NULL)
      a->merge.output = arg;
    else
      a->input[a->merge.n_inputs++] = arg;
    return 0;
  case ARGP_KEY_END:
    if (a->merge.n_inputs == 0) return dcs_cli_usage(state, "give the result to write and the results to merge");
    if (a->set.count > 0 && a->merge.study == NULL)
      return dcs_cli_usage(state, "--set overrides keys of the file given by --study");
    return 0;
  default:
    return ARGP_ERR_UNKNOWN;
  }
}

static int tell(const dcs_merge_options *merge, const dcs_run_outcome *outcome)
{
  const char *written = merge->partial ? "written all the same" : "nothing is written";
  if (outcome->n_left > 0) {
    fprintf(stderr, "dcs: %lld of %lld points are not complete in the inputs; %s: %s\n", (long long)outcome->n_left,
            (long long)outcome->n_points, written, merge->output);
    return DCS_EXIT_INCOMPLETE;
  }
  if (outcome->unchanged)
    fprintf(stderr, "dcs: %s is complete: nothing to do\n", merge->output);
  else
    fprintf(stderr, "dcs: %lld points of %d file%s; written to %s\n", (long long)outcome->n_points, merge->n_inputs,
            merge->n_inputs == 1 ? "" : "s", merge->output);
  if (!outcome->unchanged && outcome->n_before > 0) /* `dcs merge PART*.h5` without OUT.h5 is this, too */
    fprintf(stderr, "dcs: %s was there, with %lld of these points, and has grown\n", merge->output,
            (long long)outcome->n_before);
  if (outcome->dump.n_missing > 0) {
    fprintf(stderr,
            "dcs: warning: %lld points have no samples beside the inputs, so none are written; `dcs run STUDY -o %s` "
            "draws them\n",
            (long long)outcome->dump.n_missing, merge->output);
    return DCS_EXIT_INCOMPLETE;
  }
  return dcs_cli_warn_refused(outcome);
}

int dcs_cli_merge(int argc, char **argv)
{
  static const struct argp argp = {
      .options = options,
      .parser = parse,
      .args_doc = "OUT.h5 A.h5 B.h5...",
      .doc =
          "Put the results of the shards of a study together.\n\n"
          "The data of OUT.h5 are those of one run over all points, byte for byte. Saved samples beside the inputs go "
          "to OUT.samples.h5. Computes nothing: where work is left nothing is written, and the exit code is 4.\v"
          "Examples:\n"
          "  for i in 1 2 3; do dcs run STUDY.yaml -o part-$i.h5 --shard $i/3; done\n"
          "  dcs merge R.h5 part-*.h5\n\n"
          "Exit codes: 0 merged; 1 error; 2 usage or bad study file; 4 some points are missing, were refused or "
          "failed."};
  arguments a = {.merge = {.argc = argc, .argv = argv}};
  dcs_run_outcome outcome;
  dcs_error err = {{0}};
  dcs_status st = DCS_OK;
  int code = DCS_EXIT_USAGE;
  DCS_TRY(dcs_alloc((size_t)argc, sizeof *a.input, &a.input));
  if (!dcs_cli_parse(&argp, argc, argv, false, &a)) goto done;
  a.merge.n_set = a.set.count;
  a.merge.set = a.set.value;
  a.merge.input = a.input;
  DCS_TRY(dcs_merge(&a.merge, &outcome, &err));
  code = tell(&a.merge, &outcome);
done:
  if (st != DCS_OK) code = dcs_cli_fail(st, &err);
  dcs_free(&a.input);
  return code;
}
