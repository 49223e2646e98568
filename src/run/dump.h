#ifndef DCS_RUN_DUMP_H
#define DCS_RUN_DUMP_H
#include <mpi.h>

#include "study/study.h"

typedef struct {
  bool wanted, written, stopped; /**< stopped: a signal came first; run again */
  double bytes, seconds;         /**< of what was written; seconds with drawing it */
  double write_seconds;          /**< of them spent on the file, on this rank */
  int64_t n_missing;             /**< join: points that no input has samples of; then nothing is written */
} dcs_dump_outcome;

/** The particles that `save_samples` asks for, drawn and written by all ranks to OUTPUT.samples.h5 (archive/samples.h),
 *  OUTPUT without its .h5. Particle i of a point is a function of (seed, point, i) alone: the first ones are those of the
 *  metrics that compare samples, and a file on more ranks has the same numbers. A file that holds them already is left
 *  as it is. Collective. @param level  of compression, 0 to 9 */
DCS_NODISCARD dcs_status dcs_dump(MPI_Comm comm, const dcs_study *study, const char *output, int level,
                                  dcs_dump_outcome *outcome, dcs_error *err);

/** OUTPUT.samples.h5 of a whole study from those beside the results of its shards; nothing when it is there already.
 *  Not collective. */
DCS_NODISCARD dcs_status dcs_dump_join(const dcs_study *study, const char *output, int n_inputs,
                                       const char *const *input, dcs_dump_outcome *outcome, dcs_error *err);

/** OUTPUT.samples.h5; owned by the caller. */
DCS_NODISCARD dcs_status dcs_dump_path(const char *output, char **path);

#endif
