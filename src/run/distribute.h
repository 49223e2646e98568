#ifndef DCS_RUN_DISTRIBUTE_H
#define DCS_RUN_DISTRIBUTE_H
/** Blocks to ranks and records back.
 *
 *  Rank 0 keeps the tasks and pushes small batches of blocks to whoever is about to run dry; its own blocks are
 *  computed by a thread. Nobody spins. Which rank computes what depends on timing; no result does (run/tasks.h). */
#include <mpi.h>

#include "run/progress.h"
#include "run/worker.h"

/** Collective; returns the same on every rank. Runs until the study is done, a signal comes on any rank or dcs_clock()
 *  passes `deadline` (then `*stopped` is true and finished blocks are in the journals), or a rank fails.
 *  @param tasks     rank 0 only, NULL elsewhere
 *  @param deadline  rank 0's, INFINITY: none */
DCS_NODISCARD dcs_status dcs_distribute(MPI_Comm comm, dcs_worker *worker, dcs_tasks *tasks, bool quiet,
                                        double deadline, bool *stopped, dcs_error *err);

#endif
