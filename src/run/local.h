#ifndef DCS_RUN_LOCAL_H
#define DCS_RUN_LOCAL_H
/** Rank 0's own computing thread, so that its main thread is free to serve the other ranks. It makes no MPI call. */
#include "run/worker.h"

typedef struct dcs_local dcs_local;

/** Start the thread; it alone uses `worker` (borrowed) until dcs_local_destroy. */
DCS_NODISCARD dcs_status dcs_local_create(dcs_worker *worker, dcs_local **out, dcs_error *err);
/** Give it up to DCS_BATCH orders. */
DCS_NODISCARD dcs_status dcs_local_push(dcs_local *local, int count, const dcs_order *orders, dcs_error *err);
/** Append what it has finished to `done`. Its own failure is returned once. */
DCS_NODISCARD dcs_status dcs_local_collect(dcs_local *local, dcs_records *done, dcs_error *err);
/** Tell it to stop after the current block; what waits is dropped. Returns at once. */
void dcs_local_stop(dcs_local *local);
/** Has it stopped? Then everything it did has been, or can be, collected. */
bool dcs_local_stopped(dcs_local *local);
/** Stop it and wait for it. */
void dcs_local_destroy(dcs_local **local);

#endif
