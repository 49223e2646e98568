#ifndef DCS_RUN_WORKER_H
#define DCS_RUN_WORKER_H
/** Computes blocks on one rank and writes them to the rank's journal. */
#include "archive/journal.h"
#include "run/problems.h"
#include "run/tasks.h"

typedef struct {
  const dcs_study *study; /**< borrowed */
  dcs_problems *problems; /**< owned */
  dcs_journal *journal;   /**< owned */
} dcs_worker;             /**< used by one thread at a time */

/** Open the journal of `rank` in `directory`. Free with dcs_worker_destroy, also after a failure. */
DCS_NODISCARD dcs_status dcs_worker_create(const dcs_study *study, const char *directory, int rank, dcs_worker *worker,
                                           dcs_error *err);
/** Flush and close the journal, free everything. */
dcs_status dcs_worker_destroy(dcs_worker *worker, dcs_error *err);

/** Compute one block. A value that is not finite is part of the record (status and reason), not an error of this call;
 *  no memory or a full disk is. */
DCS_NODISCARD dcs_status dcs_worker_block(dcs_worker *worker, const dcs_order *order, dcs_record *record,
                                          dcs_error *err);

/** Orders waiting on one rank: a fixed ring is enough, the coordinator never has more under way. */
typedef struct {
  int first, count;
  dcs_order order[2 * DCS_BATCH];
} dcs_queue;

/** Append up to DCS_BATCH orders. False: no room (a coordinator error). */
bool dcs_queue_push(dcs_queue *queue, int count, const dcs_order *orders);
/** Oldest order; count must not be 0. */
dcs_order dcs_queue_pop(dcs_queue *queue);

#endif
