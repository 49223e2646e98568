#ifndef DCS_RUN_PROGRESS_H
#define DCS_RUN_PROGRESS_H
/** How far the run is, on stderr: a live line on a terminal (at most 5 times a second), else one line a minute. */
#include "run/tasks.h"

typedef struct {
  bool quiet, live;
  int ranks;
  double start, last; /**< dcs_clock */
  double old_paths;   /**< of an earlier run: not counted in the speed */
  double old_seconds; /**< of its blocks */
} dcs_progress;

/** Prints the start line. */
dcs_progress dcs_progress_start(const dcs_tasks *tasks, int ranks, bool quiet);
/** Print if it is time to. */
void dcs_progress_update(dcs_progress *progress, const dcs_tasks *tasks);
/** Clear the live line and say what became of the ranks' time: the share spent in blocks, which is the parallel
 *  efficiency, and `busy` seconds of rank 0 on `messages`, in and out. */
void dcs_progress_end(dcs_progress *progress, const dcs_tasks *tasks, int64_t messages, double busy);

#endif
