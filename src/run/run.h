#ifndef DCS_RUN_RUN_H
#define DCS_RUN_RUN_H
/** A study from its file to its result file, on all ranks. */
#include <stdint.h>

#include "run/dump.h"

typedef struct {
  const char *study, *output; /**< paths */
  int n_set;
  const char *const *set; /**< "key=value" overrides */
  int shard, shards;      /**< only the points of shard `shard` (from 1) of `shards`; 0: all points */
  int compress;           /**< level of compression of saved samples, 0 to 9 */
  double max_seconds;     /**< stop at a checkpoint after that; INFINITY: never */
  bool quiet;             /**< no progress on stderr */
  bool first;             /**< this process will be rank 0, or may be: it looks at the files before MPI_Init */
  int argc;               /**< command line, for the provenance */
  char *const *argv;
} dcs_run_options;

typedef struct {
  bool is_root;    /**< this process speaks for all; the counts below are its own */
  bool checkpoint; /**< stopped before the end: run again to go on */
  bool unchanged;  /**< the file was complete already */
  int64_t n_points, n_max_paths, n_refused, n_failed;
  int64_t n_left;         /**< merge: points with work left */
  int64_t n_before;       /**< merge: points that the output had */
  dcs_dump_outcome dump;  /**< of saved samples */
  double seconds;         /**< elapsed */
  double paths;           /**< computed by this run */
  char first_reason[256]; /**< of the first point that was refused or failed; else "" */
} dcs_run_outcome;

/** Initialises MPI, runs or resumes the study, writes the result file, finalises MPI. Returns the same on every rank,
 *  whatever rank a failure came from. Works without mpirun too, as one rank. */
DCS_NODISCARD dcs_status dcs_run(const dcs_run_options *options, dcs_run_outcome *outcome, dcs_error *err);

#endif
