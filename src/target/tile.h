#ifndef DCS_TARGET_TILE_H
#define DCS_TARGET_TILE_H
/** The two small matrix products of a mixture over one tile of particles, in registers.
 *
 *  dgemm is not used: its columns would be the 16 particles of a tile, far below the size where it reaches its rate, and
 *  its result would have to be re-laid for the lanes. Both kernels keep up to 8 x 2 accumulators and are bound by the
 *  multiply-adds. */
#include "numerics/lanes.h"

enum { DCS_TILE_PAD = 4 /**< tables of k columns are padded to a multiple of this */ };

static inline int dcs_tile_padded(int n) { return (n + DCS_TILE_PAD - 1) / DCS_TILE_PAD * DCS_TILE_PAD; }

/** Columns j ... j + width - 1 of dcs_tile_dots; width is a constant, so that the sums are registers. */
static inline __attribute__((always_inline)) void dcs_tile_dots_block(const int width, int j, int k_padded, int d,
                                                                      const double *restrict table,
                                                                      const dcs_vec (*restrict x)[DCS_VECS],
                                                                      dcs_vec (*restrict y)[DCS_VECS])
{
  dcs_vec t[8][DCS_VECS] = {};
  for (int i = 0; i < d; i++)
    for (int c = 0; c < width; c++)
      for (int v = 0; v < DCS_VECS; v++) t[c][v] += table[i * k_padded + j + c] * x[i][v];
  for (int c = 0; c < width; c++)
    for (int v = 0; v < DCS_VECS; v++) y[j + c][v] = t[c][v];
}

/** y_j = sum_i table[i][j] x_i for all j < k_padded: table [d][k_padded], x [d], y [k_padded] tile rows. */
static inline void dcs_tile_dots(int k_padded, int d, const double *restrict table,
                                 const dcs_vec (*restrict x)[DCS_VECS], dcs_vec (*restrict y)[DCS_VECS])
{
  int j = 0;
  for (; j + 8 <= k_padded; j += 8) dcs_tile_dots_block(8, j, k_padded, d, table, x, y);
  if (j < k_padded) dcs_tile_dots_block(DCS_TILE_PAD, j, k_padded, d, table, x, y);
}

/** Coordinates i ... i + width - 1 of dcs_tile_combine. */
static inline __attribute__((always_inline)) void dcs_tile_combine_block(const int width, int i, int n,
                                                                         const int *restrict row, int d,
                                                                         const double *restrict table,
                                                                         const dcs_vec (*restrict c)[DCS_VECS],
                                                                         dcs_vec (*restrict out)[DCS_VECS])
{
  dcs_vec t[8][DCS_VECS] = {};
  for (int k = 0; k < n; k++)
    for (int b = 0; b < width; b++)
      for (int v = 0; v < DCS_VECS; v++) t[b][v] += table[row[k] * d + i + b] * c[k][v];
  for (int b = 0; b < width; b++)
    for (int v = 0; v < DCS_VECS; v++) out[i + b][v] = t[b][v];
}

/** out_i = sum_n table[row[n]][i] c_n for i < d: table [.][d], c [n] tile rows. */
static inline void dcs_tile_combine(int n, const int *restrict row, int d, const double *restrict table,
                                    const dcs_vec (*restrict c)[DCS_VECS], dcs_vec (*restrict out)[DCS_VECS])
{
  int i = 0;
  for (; i + 8 <= d; i += 8) dcs_tile_combine_block(8, i, n, row, d, table, c, out);
  for (; i + 3 <= d; i += 3) dcs_tile_combine_block(3, i, n, row, d, table, c, out);
  for (; i < d; i++) dcs_tile_combine_block(1, i, n, row, d, table, c, out);
}

#endif
