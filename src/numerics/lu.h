#ifndef DCS_NUMERICS_LU_H
#define DCS_NUMERICS_LU_H
/** LU factorisation of a small general matrix for each particle of a tile, with row pivoting in each lane.
 *
 *  Storage: a[i * n + j] is entry (i, j) of all matrices, one tile row. 2 n^3/3 flops per matrix. Bitwise repeatable; a
 *  lane's result depends on its own matrix alone. */
#include "numerics/lanes.h"

/** a <- L and U of P a = L U: below the diagonal L, above it U, on it 1/U_ii. pivot[k][lane] is the row that changed
 *  places with row k. log_det[lane] = log det a, NAN where the determinant is not a positive number. */
void dcs_lu_factor(int n, dcs_vec (*restrict a)[DCS_VECS], int (*restrict pivot)[DCS_LANES], dcs_vec log_det[DCS_VECS]);

/** v [n] tile rows <- a^{-1} v, in place, with the factors made above. */
void dcs_lu_solve(int n, const dcs_vec (*restrict a)[DCS_VECS], const int (*restrict pivot)[DCS_LANES],
                  dcs_vec (*restrict v)[DCS_VECS]);

#endif
