#ifndef DCS_RANDOM_STREAM_H
#define DCS_RANDOM_STREAM_H
/** Counter-based random numbers: every number is a pure function of (seed, purpose, point, path, inner, step, index).
 *
 *  Philox4x32-10 (Salmon, Moraes, Dror, Shaw, SC11; Random123). Key: 64 bits derived from (seed, purpose, point) by one
 *  Philox call. Counter words: path bits 0..31 | inner (16 bits), path bits 32..47 (16 bits) | step | index. One call
 *  yields 128 bits = two doubles of 52 bits. There is no state, so no order of evaluation and no rank can change a
 *  number. Not collective. Bitwise repeatable. */
#include <stddef.h>

#include "base/status.h"
#include "numerics/lanes.h"

/** What a stream is for. Two purposes never share a number. */
typedef enum {
  DCS_PURPOSE_KEY,      /**< deriving keys */
  DCS_PURPOSE_DRAW,     /**< exact draws of the data X_0 and of the noise on them */
  DCS_PURPOSE_BRIDGE,   /**< exact backward draws X_u given X_sigma */
  DCS_PURPOSE_PROPOSAL, /**< draws that choose where outer samples come from */
  DCS_PURPOSE_STEP,     /**< the sampler's own noise */
  DCS_PURPOSE_TARGET,   /**< random parameters of a target law (means, ...) */
  DCS_PURPOSE_BOOTSTRAP
} dcs_purpose;

typedef struct {
  uint32_t key[2];
} dcs_stream;

/** Which path sits in which lane. inner < 2^16, path < 2^48. */
typedef struct {
  uint64_t path[DCS_LANES];
  uint32_t inner[DCS_LANES];
} dcs_lane_ids;

dcs_stream dcs_stream_create(uint64_t seed, dcs_purpose purpose, uint64_t point);

/** An independent stream for each n: one for every factor of a product law. */
dcs_stream dcs_stream_fork(dcs_stream stream, uint32_t n);

/** u[lane] uniform on (0,1): (n + 1/2) 2^-52, never 0 or 1. Two independent ones per call (one Philox evaluation). */
void dcs_stream_uniform2(dcs_stream stream, const dcs_lane_ids *ids, uint32_t step, uint32_t index, double *restrict u1,
                         double *restrict u2);

/** z [d][DCS_LANES]: independent N(0,1) by Box-Muller; pair j (rows 2j, 2j+1) comes from index j. Uses (d+1)/2 indices.
 */
void dcs_stream_normal(dcs_stream stream, const dcs_lane_ids *ids, uint32_t step, int d, double *restrict z);

/** Scalar reference on Random123's own philox4x32: same bits as one lane of dcs_stream_uniform2. The oracle of the
 *  test, and the generator for a handful of numbers (random means, bootstrap). */
void dcs_stream_uniform2_ref(dcs_stream stream, uint64_t path, uint32_t inner, uint32_t step, uint32_t index,
                             double u[2]);

/** 64-bit identity of a byte string (FNV-1a with a final avalanche): names points, studies and purposes in files. */
uint64_t dcs_hash_bytes(const void *bytes, size_t n);

#endif
