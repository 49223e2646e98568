#ifndef DCS_NUMERICS_CHOLESKY_H
#define DCS_NUMERICS_CHOLESKY_H
/** Cholesky factorisation of eight small symmetric positive definite matrices at once, one in each lane.
 *
 *  Storage: a[i * stride + j], j <= i, of dcs_vec; from n = 4 on, n is padded to a multiple of four (dcs_chol_order)
 *  and the caller sets the padding rows to those of the identity. Row-oriented, in 4 x 4 register tiles: 16
 * multiply-adds per 8 loads, so that an order-64 batch runs from the second-level cache. n^3/3 flops per matrix. */
#include "numerics/lanes.h"

static inline int dcs_chol_order(int n) { return n < 4 ? n : (n + 3) / 4 * 4; }

/** a <- L with a = L L^T, the diagonal replaced by 1/L_ii. Returns log det a (lane by lane; NAN where a matrix is not
 *  positive definite). */
dcs_vec dcs_chol_factor(int order, int stride, dcs_vec *restrict a);

/** v[i * step] <- (L L^T)^{-1} v, in place, with the factor made above. */
void dcs_chol_solve(int order, int stride, const dcs_vec *restrict a, int step, dcs_vec *restrict v);

#endif
