#ifndef DCS_TARGET_TILE_H
#define DCS_TARGET_TILE_H
/** Two matrix products over one tile of particles, in registers: of the rows of a table with the particles, and of
 *  coefficients with the rows.
 *
 *  dgemm is not used: its columns would be the 16 particles of a tile, far below the size where it reaches its rate,
 *  and its result would have to be re-laid for the lanes. Both kernels keep up to 8 x 2 accumulators and are bound by
 *  the multiply-adds; both read whole rows, so that a table too large for the caches streams. */
#include "numerics/lanes.h"

/** Rows j ... j + width - 1 of dcs_tile_dots; width is a constant, so that the sums are registers. */
static inline __attribute__((always_inline)) void dcs_tile_dots_block(const int width, int j,
                                                                      const int *restrict number, int d,
                                                                      const double *restrict table,
                                                                      const dcs_vec (*restrict x)[DCS_VECS],
                                                                      dcs_vec (*restrict y)[DCS_VECS])
{
  dcs_vec t[8][DCS_VECS] = {};
  const double *restrict r[8];
  for (int c = 0; c < width; c++) r[c] = &table[(number == NULL ? j + c : number[j + c]) * d];
  for (int i = 0; i < d; i++)
    for (int c = 0; c < width; c++)
      for (int v = 0; v < DCS_VECS; v++) t[c][v] += r[c][i] * x[i][v];
  for (int c = 0; c < width; c++)
    for (int v = 0; v < DCS_VECS; v++) y[j + c][v] = t[c][v];
}

/** y_j = sum_i table[number[j]][i] x_i for j < n: table [.][d], x [d], y [n] tile rows. number NULL: table[j]. */
static inline void dcs_tile_dots(int n, const int *restrict number, int d, const double *restrict table,
                                 const dcs_vec (*restrict x)[DCS_VECS], dcs_vec (*restrict y)[DCS_VECS])
{
  int j = 0;
  for (; j + 8 <= n; j += 8) dcs_tile_dots_block(8, j, number, d, table, x, y);
  for (; j + 3 <= n; j += 3) dcs_tile_dots_block(3, j, number, d, table, x, y);
  for (; j < n; j++) dcs_tile_dots_block(1, j, number, d, table, x, y);
}

/** Coordinates i ... i + width - 1 of dcs_tile_combine. */
static inline __attribute__((always_inline)) void dcs_tile_combine_block(const int width, int i, int n,
                                                                         const int *restrict number, int d,
                                                                         const double *restrict table,
                                                                         const dcs_vec (*restrict c)[DCS_VECS],
                                                                         dcs_vec (*restrict out)[DCS_VECS])
{
  dcs_vec t[8][DCS_VECS] = {};
  for (int k = 0; k < n; k++) {
    const double *restrict r = &table[number[k] * d + i];
    for (int b = 0; b < width; b++)
      for (int v = 0; v < DCS_VECS; v++) t[b][v] += r[b] * c[k][v];
  }
  for (int b = 0; b < width; b++)
    for (int v = 0; v < DCS_VECS; v++) out[i + b][v] = t[b][v];
}

/** out_i = sum_k table[number[k]][i] c_k for i < d: table [.][d], c [n], out [d] tile rows. */
static inline void dcs_tile_combine(int n, const int *restrict number, int d, const double *restrict table,
                                    const dcs_vec (*restrict c)[DCS_VECS], dcs_vec (*restrict out)[DCS_VECS])
{
  int i = 0;
  for (; i + 8 <= d; i += 8) dcs_tile_combine_block(8, i, n, number, d, table, c, out);
  for (; i + 3 <= d; i += 3) dcs_tile_combine_block(3, i, n, number, d, table, c, out);
  for (; i < d; i++) dcs_tile_combine_block(1, i, n, number, d, table, c, out);
}

#endif
