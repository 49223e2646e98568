#ifndef DCS_RUN_MERGE_H
#define DCS_RUN_MERGE_H
#include "run/run.h"

typedef struct {
  const char *output, *study; /**< paths; study: NULL for the one stored in the first input */
  int n_set;
  const char *const *set; /**< overrides of the study file */
  int n_inputs;
  const char *const *input; /**< result files of one study */
  bool partial;             /**< write even when work is left */
  int argc;
  char *const *argv;
} dcs_merge_options;

/** Put the blocks of several results of one study together into one result file: the same bytes of data as one run over
 *  all of them. What is at `output` already takes part. Blocks that several inputs hold count once. Nothing is computed:
 *  when work is left, outcome->checkpoint is set and nothing is written, unless `partial`. DCS_EMISMATCH: the inputs are
 *  not of one study; DCS_ECORRUPT: two of them disagree on a block. No MPI. */
DCS_NODISCARD dcs_status dcs_merge(const dcs_merge_options *options, dcs_run_outcome *outcome, dcs_error *err);

#endif
