#ifndef DCS_RUN_POLICY_H
#define DCS_RUN_POLICY_H
/** Who is given work, and how much: what rank 0 decides, without messages and without a clock, so that the simulator of
 *  10^5 ranks (tests/simulate_scheduler.c) decides as a run does.
 *
 *  One coordinator serves all ranks: its work must not grow with their number. A rank's *pace* is the time between its
 *  reports: 50 ms, and from 400 ranks on ranks/DCS_POLICY_RATE, so that however many there are, rank 0 gets at most
 *  DCS_POLICY_RATE reports and sends at most a quarter as many batches a second. A batch holds four paces of work, and
 *  the next one is sent when less than two are under way, so that no rank runs dry while its report travels. Towards
 *  the end a batch is half a rank's fair share of what is left (guided self-scheduling, Polychronopoulos and Kuck 1987),
 *  at least pace/8: all ranks finish together. Only ranks that ran low are looked at: each stands in a queue at most
 *  once. */
#include "run/tasks.h"

#define DCS_POLICY_RATE 8000.0 /**< reports a second: 4% of rank 0's time at 5 us */

/** What rank 0 knows of one rank. */
typedef struct {
  int blocks;     /**< under way */
  double seconds; /**< predicted for them */
  bool queued;
} dcs_load;

typedef struct {
  int ranks;
  double pace;
  dcs_load *load; /**< [ranks] */
  int *queue;     /**< [ranks] ring of ranks that ran low, the longest waiting first */
  int first, queued;
} dcs_policy; /**< read-only outside policy.c */

/** Seconds between two reports of a rank that is not about to run dry. */
double dcs_policy_pace(int ranks);

/** Every rank is dry. Free with dcs_policy_destroy, also after a failure. */
DCS_NODISCARD dcs_status dcs_policy_create(int ranks, dcs_policy *policy);
void dcs_policy_destroy(dcs_policy *policy);

/** `count` blocks of this rank have been taken by `tasks`. */
void dcs_policy_finished(dcs_policy *policy, const dcs_tasks *tasks, int rank, int count);

/** Next rank to be given work, -1: nobody wants any. It leaves the queue: follow with dcs_policy_give or _postpone. */
int dcs_policy_next(dcs_policy *policy, const dcs_tasks *tasks);
/** This rank cannot be reached now: it goes to the end of the queue. */
void dcs_policy_postpone(dcs_policy *policy, int rank);
/** A batch for this rank, taken from `tasks`: orders [DCS_BATCH]; returns their number. */
int dcs_policy_give(dcs_policy *policy, dcs_tasks *tasks, int rank, dcs_order *orders);

#endif
