#ifndef DCS_ARCHIVE_SAMPLES_H
#define DCS_ARCHIVE_SAMPLES_H
/** Particles of every point, in an HDF5 file of their own: gigabytes that a result, small and often copied, need not
 *  carry.
 *
 *  Group /samples, one data set for each point, named by the sixteen digits of its hash: [particles][d], double
 *  precision. At level 0 it lies in one piece, which every rank writes its share of without the others; at levels 1 to 9
 *  in chunks of whole rows of about 1 MiB, shuffled, compressed and with Fletcher-32 checksums, which HDF5 writes
 *  collectively. Group /checksums has for each of them the CRC-32 (that of zlib) of every `rows` rows (attribute) as they
 *  lie in the array, whatever the level. Attributes of a data set: `point` (canonical parameters), `units`; of the root:
 *  study, study_hash, seed, particles. Written with parallel HDF5 to PATH.tmp, synced by all ranks, renamed: a file with
 *  its final name is whole. Calls with a communicator are collective and agree on their status. */
#include <mpi.h>

#include "archive/result.h"

typedef struct dcs_samples dcs_samples;

/** Rows in a chunk of a data set of dimension d: a multiple of DCS_LANES unless there are fewer particles. */
int64_t dcs_samples_chunk(int d, int64_t particles);
/** Chunks of so many rows. */
int64_t dcs_samples_chunks(int64_t rows, int64_t particles);

/** Start PATH.tmp. @param level  of compression, 0 (none) to 9 */
DCS_NODISCARD dcs_status dcs_samples_create(MPI_Comm comm, const char *path, const dcs_study *study, int level,
                                            dcs_samples **out, dcs_error *err);
/** Make the data set of point p of the study, d wide, and leave it open for writing in place of the one before. */
DCS_NODISCARD dcs_status dcs_samples_begin(dcs_samples *samples, int64_t p, int d, dcs_error *err);
/** Write chunks first, first + 1, ... (n_chunks may be 0) of the open data set from `x`, where they lie one after the
 *  other. No two ranks write the same chunk. */
DCS_NODISCARD dcs_status dcs_samples_write(dcs_samples *samples, int64_t first, int64_t n_chunks, const double *x,
                                           dcs_error *err);
/** All chunks of the open data set are written: put its checksums beside it. */
DCS_NODISCARD dcs_status dcs_samples_end(dcs_samples *samples, dcs_error *err);
/** Close, sync, rename. `keep` = false: remove PATH.tmp instead. *samples is NULL afterwards, also on failure. */
DCS_NODISCARD dcs_status dcs_samples_close(dcs_samples **samples, bool keep, dcs_error *err);

/** Does the file at `path` hold what this study asks for? *same = false: no such file, or one of fewer points or
 *  particles. DCS_EMISMATCH: it is of another study or holds more particles, which would be lost. Read in
 *  a child where that is possible (base/guard.h). Not collective. */
DCS_NODISCARD dcs_status dcs_samples_look(const char *path, const dcs_study *study, bool *same, dcs_error *err);

/** The samples of a whole study at `path`, from the files of its shards, of which each is read back first, in a child
 *  (base/guard.h). Data sets are copied as they are stored. *n_missing: points that no file has; when there are any,
 *  nothing is written. DCS_EMISMATCH: a file of another study or with another number of particles. Not collective.
 *  @param input  [n_inputs] paths; those without a file are passed over */
DCS_NODISCARD dcs_status dcs_samples_join(const char *path, const dcs_study *study, int n_inputs, char *const *input,
                                          int64_t *n_missing, dcs_error *err);

/** Read everything back: one data set for each point of the result, of its dimension, all numbers finite, all checksums
 *  right. Returns the number of particles of a point. DCS_ECORRUPT names the data set. Not collective. */
DCS_NODISCARD dcs_status dcs_samples_verify(const char *path, const dcs_result *result, int64_t *particles,
                                            dcs_error *err);

#endif
