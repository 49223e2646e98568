#include "run/policy.h"

#include <math.h>

#include "base/memory.h"

#define SHORTEST_PACE 0.05 /* seconds: long beside a message, short beside a run */
#define BATCH_PACES 4
#define REFILL_PACES 2
#define LEAST_PACES 0.125

double dcs_policy_pace(int ranks) { return fmax(SHORTEST_PACE, ranks / DCS_POLICY_RATE); }

/** Half a rank's share of what is left to hand out. */
static double fair_share(const dcs_policy *policy, const dcs_tasks *tasks)
{
  return dcs_tasks_seconds_left(tasks) / (2 * policy->ranks);
}

/** A rank that has something is given more when that is less than its share (else others need it more) and it would run
 *  dry before its next report: little is under way, or a single block, however long. */
static bool wants(const dcs_policy *policy, const dcs_tasks *tasks, const dcs_load *load)
{
  if (load->blocks == 0) return true;
  if (load->blocks > DCS_BATCH || load->seconds > fair_share(policy, tasks)) return false;
  return load->blocks == 1 || load->seconds < REFILL_PACES * policy->pace;
}

static void enqueue(dcs_policy *policy, int rank)
{
  policy->load[rank].queued = true;
  policy->queue[(policy->first + policy->queued++) % policy->ranks] = rank;
}

dcs_status dcs_policy_create(int ranks, dcs_policy *policy)
{
  dcs_status st = DCS_OK;
  *policy = (dcs_policy){.ranks = ranks, .pace = dcs_policy_pace(ranks)};
  DCS_TRY(dcs_alloc((size_t)ranks, sizeof *policy->load, &policy->load));
  DCS_TRY(dcs_alloc((size_t)ranks, sizeof *policy->queue, &policy->queue));
  for (int rank = 0; rank < ranks; rank++) enqueue(policy, rank);
done:
  return st;
}

void dcs_policy_destroy(dcs_policy *policy)
{
  dcs_free(&policy->load);
  dcs_free(&policy->queue);
}

void dcs_policy_finished(dcs_policy *policy, const dcs_tasks *tasks, int rank, int count)
{
  dcs_load *load = &policy->load[rank];
  int left = load->blocks > count ? load->blocks - count : 0;
  load->seconds = left > 0 ? load->seconds * left / load->blocks : 0;
  load->blocks = left;
  if (!load->queued && wants(policy, tasks, load)) enqueue(policy, rank);
}

int dcs_policy_next(dcs_policy *policy, const dcs_tasks *tasks)
{
  while (policy->queued > 0 && tasks->n_heap > 0) {
    int rank = policy->queue[policy->first];
    policy->first = (policy->first + 1) % policy->ranks;
    policy->queued--;
    policy->load[rank].queued = false;
    if (wants(policy, tasks, &policy->load[rank])) return rank;
  }
  return -1;
}

void dcs_policy_postpone(dcs_policy *policy, int rank) { enqueue(policy, rank); }

int dcs_policy_give(dcs_policy *policy, dcs_tasks *tasks, int rank, dcs_order *orders)
{
  dcs_load *load = &policy->load[rank];
  double fair = fair_share(policy, tasks), most = BATCH_PACES * policy->pace, seconds = 0;
  double length = fair > 0 ? fmax(fmin(most, fair), LEAST_PACES * policy->pace) : most;
  int n = dcs_tasks_next(tasks, length, DCS_BATCH, orders, &seconds);
  load->blocks += n;
  load->seconds += seconds;
  if (wants(policy, tasks, load)) enqueue(policy, rank);
  return n;
}
