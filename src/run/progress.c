#include "run/progress.h"

#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"

dcs_progress dcs_progress_start(const dcs_tasks *tasks, int ranks, bool quiet)
{
  dcs_progress progress = {.quiet = quiet,
                           .live = isatty(STDERR_FILENO) == 1,
                           .ranks = ranks,
                           .old_paths = tasks->paths,
                           .old_seconds = tasks->seconds};
  progress.start = progress.last = dcs_clock();
  if (quiet) return progress;
  fprintf(stderr, "dcs: %s: %lld points (%lld done), %lld blocks from an earlier run, %d rank%s\n", tasks->study->name,
          (long long)tasks->study->n_points, (long long)tasks->n_points_done, (long long)tasks->records.count, ranks,
          ranks == 1 ? "" : "s");
  return progress;
}

static void print_duration(double seconds)
{
  if (seconds < 90)
    fprintf(stderr, "%.0f s", seconds);
  else if (seconds < 5400)
    fprintf(stderr, "%.0f min", seconds / 60);
  else
    fprintf(stderr, "%.1f h", seconds / 3600);
}

void dcs_progress_update(dcs_progress *progress, const dcs_tasks *tasks)
{
  double now = dcs_clock();
  if (progress->quiet || now - progress->last < (progress->live ? 0.2 : 60)) return;
  progress->last = now;
  fprintf(stderr, "%sdcs: %lld of %lld points, %.3g paths/s, time left: ", progress->live ? "\r" : "",
          (long long)tasks->n_points_done, (long long)tasks->study->n_points,
          (tasks->paths - progress->old_paths) / (now - progress->start));
  print_duration(dcs_tasks_seconds_left(tasks) / progress->ranks);
  fputs(progress->live ? "\033[K" : "\n", stderr);
  fflush(stderr);
}

void dcs_progress_end(dcs_progress *progress, const dcs_tasks *tasks, int64_t messages, double busy)
{
  double elapsed = dcs_clock() - progress->start;
  if (progress->quiet) return;
  if (progress->live) fputs("\r\033[K", stderr);
  fprintf(stderr, "dcs: %.1f%% of the time of %d rank%s in blocks; rank 0: %lld messages, busy %.2g%% of its time\n",
          100 * (tasks->seconds - progress->old_seconds) / (progress->ranks * elapsed), progress->ranks,
          progress->ranks == 1 ? "" : "s", (long long)messages, 100 * busy / elapsed);
}
