#ifndef DCS_TESTS_SCHEDULER_MODEL_H
#define DCS_TESTS_SCHEDULER_MODEL_H
/** A run on a computer with any number of ranks, in virtual time: the real tasks (run/tasks.c) and the real policy
 *  (run/policy.c), with ranks, messages and rank 0's own work played by a queue of events. Blocks take measured times and
 *  return invented sums, from which the real estimators plan as many blocks as the point is hard. */
#include "run/tasks.h"

/** Seconds per counted operation of an estimator, and the spread of its logarithm from point to point. */
typedef struct {
  char estimator[32];
  double seconds, spread;
} dcs_model_pace;

typedef struct {
  int ranks;
  int n_paces;
  dcs_model_pace pace[16]; /**< instead of those of the model's own table */
  double slow_share;       /**< of the ranks, spread evenly, run at half speed */
  double dies_at;          /**< seconds: a rank dies, and with it the job; INFINITY: never */
  double message, record;  /**< seconds rank 0 spends on a message, in or out, and on each record in it */
  double plan;             /**< ... and on planning the next phase of a task */
  double latency;          /**< seconds from sender to receiver */
  double hard_lo, hard_hi; /**< variance of a sample in squares of its mean: log-uniform over the points */
  double scatter;          /**< of the logarithm of block times within a phase */
  double
      levels; /**< a block of `smoothness` at the last three fifths of the levels is this many times cheaper: 1, or 250 as
                      measured on a codebook of 128 words in d = 128 */
} dcs_model;

/** Times measured with one rank 0 and up to 8 ranks (tests/README.md), latency of a slow network. */
dcs_model dcs_model_of(int ranks);

typedef struct {
  double seconds;    /**< the job took */
  double work;       /**< rank-seconds of all blocks, at full speed */
  double efficiency; /**< work / (seconds * sum of speeds) */
  double chain;      /**< seconds that the longest chain takes on any number of ranks: what a task plans, one after the
                     other, each as long as its longest block */
  double lost;       /**< rank-seconds in blocks that were not finished when the job died */
  double idle_most;  /**< seconds that any rank waited while blocks were there to be handed out */
  double cheapest, costliest; /**< rank-seconds of a task */
  double busy;                /**< share of rank 0's time spent on messages */
  double peak;                /**< messages in the busiest second of rank 0 */
  int64_t messages, blocks, tasks;
  int64_t ranks_used; /**< that computed anything */
} dcs_model_outcome;

/** Play the study to its end or until the job dies. `old`: what an earlier job left in the journals, sorted. `journal`
 *  (may be NULL): every block that this job finished is added to it. */
DCS_NODISCARD dcs_status dcs_model_run(const dcs_model *model, const dcs_study *study, const dcs_records *old,
                                       dcs_records *journal, dcs_model_outcome *outcome, dcs_error *err);

#endif
