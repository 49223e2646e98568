#ifndef DCS_NUMERICS_CHOLESKY_H
#define DCS_NUMERICS_CHOLESKY_H
/** Cholesky factorisation of a small symmetric positive definite matrix for each particle of a tile.
 *
 *  Storage: a[i * stride + j], j <= i, of dcs_vec; from n = 4 on, n is padded to a multiple of four (dcs_chol_order)
 *  and the caller sets the padding rows to those of the identity. Row-oriented, in register tiles, so that a batch of
 *  order 64 runs from the second-level cache. n^3/3 flops per matrix. */
#include "numerics/lanes.h"

static inline int dcs_chol_order(int n) { return n < 4 ? n : (n + 3) / 4 * 4; }

/** a[p] <- L with a[p] = L L^T for the matrices of each vector p, the diagonal replaced by 1/L_ii; log_det[p] = log det
 *  a[p] (NAN in a lane whose matrix is not positive definite). */
void dcs_chol_factor(int order, int stride, dcs_vec *const a[DCS_VECS], dcs_vec log_det[DCS_VECS]);

/** v [order] tile rows <- (L L^T)^{-1} v, in place, with the factors made above. */
void dcs_chol_solve(int order, int stride, dcs_vec *const a[DCS_VECS], dcs_vec (*restrict v)[DCS_VECS]);

#endif
