#ifndef DCS_TARGET_TILE_H
#define DCS_TARGET_TILE_H
/** The two small matrix products of a mixture over one tile of particles, in registers.
 *
 *  dgemm is not used: its columns would be the 16 particles of a tile, far below the size where it reaches its rate,
 *  and its result would have to be re-laid for the lanes. Both kernels keep 4 x 2 accumulators and are bound by the
 *  multiply-adds. Table columns (k_padded) are a multiple of four. */
#include "numerics/lanes.h"

enum { DCS_TILE_BLOCK = 4 };

static inline int dcs_tile_padded(int n) { return (n + DCS_TILE_BLOCK - 1) / DCS_TILE_BLOCK * DCS_TILE_BLOCK; }

/** y_j = sum_i table[i][j] x_i for all j < k_padded: table [d][k_padded], x [d], y [k_padded] tile rows. */
static inline void dcs_tile_dots(int k_padded, int d, const double *restrict table,
                                 const dcs_vec (*restrict x)[DCS_VECS], dcs_vec (*restrict y)[DCS_VECS])
{
  for (int j = 0; j < k_padded; j += DCS_TILE_BLOCK) {
    dcs_vec t[DCS_TILE_BLOCK][DCS_VECS] = {};
    for (int i = 0; i < d; i++)
      for (int c = 0; c < DCS_TILE_BLOCK; c++)
        for (int v = 0; v < DCS_VECS; v++) t[c][v] += table[i * k_padded + j + c] * x[i][v];
    for (int c = 0; c < DCS_TILE_BLOCK; c++)
      for (int v = 0; v < DCS_VECS; v++) y[j + c][v] = t[c][v];
  }
}

/** out_i = sum_n table[row[n]][i] c_n for i < d: table [.][d], c [n] tile rows. */
static inline void dcs_tile_combine(int n, const int *restrict row, int d, const double *restrict table,
                                    const dcs_vec (*restrict c)[DCS_VECS], dcs_vec (*restrict out)[DCS_VECS])
{
  int i = 0;
  for (; i + DCS_TILE_BLOCK <= d; i += DCS_TILE_BLOCK) {
    dcs_vec t[DCS_TILE_BLOCK][DCS_VECS] = {};
    for (int k = 0; k < n; k++)
      for (int b = 0; b < DCS_TILE_BLOCK; b++)
        for (int v = 0; v < DCS_VECS; v++) t[b][v] += table[row[k] * d + i + b] * c[k][v];
    for (int b = 0; b < DCS_TILE_BLOCK; b++)
      for (int v = 0; v < DCS_VECS; v++) out[i + b][v] = t[b][v];
  }
  for (; i < d; i++)
    for (int v = 0; v < DCS_VECS; v++) {
      dcs_vec t = {};
      for (int k = 0; k < n; k++) t += table[row[k] * d + i] * c[k][v];
      out[i][v] = t;
    }
}

#endif
