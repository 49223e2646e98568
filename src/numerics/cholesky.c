#include "numerics/cholesky.h"

#include "numerics/vmath.h"

enum { MAX_TILE = 4, SMALL_ORDER = 32 };

/** The factorisation in tile x tile blocks for v vectors at once. Always inlined with constants, so that the
 *  accumulators are registers: small orders are bound by the latency of square roots and divisions and take both
 *  vectors together, large ones by the multiply-adds and want the larger tile. */
static inline __attribute__((always_inline)) void factor_tiles(const int tile, const int v, int order, int stride,
                                                               dcs_vec *const *a, dcs_vec *restrict log_det)
{
  dcs_vec pivots[DCS_VECS];
  for (int p = 0; p < v; p++) pivots[p] = dcs_vec_set(1);
  for (int i = 0; i < order; i += tile) {
    for (int j = 0; j <= i; j += tile) {
      dcs_vec t[MAX_TILE][MAX_TILE][DCS_VECS];
      for (int r = 0; r < tile; r++)
        for (int c = 0; c < tile; c++)
          for (int p = 0; p < v; p++) t[r][c][p] = a[p][(i + r) * stride + j + c];
      for (int k = 0; k < j; k++) {
        dcs_vec lj[MAX_TILE][DCS_VECS];
        for (int c = 0; c < tile; c++)
          for (int p = 0; p < v; p++) lj[c][p] = a[p][(j + c) * stride + k];
        for (int r = 0; r < tile; r++)
          for (int p = 0; p < v; p++) {
            dcs_vec li = a[p][(i + r) * stride + k];
            for (int c = 0; c < tile; c++) t[r][c][p] -= li * lj[c][p];
          }
      }
      if (j < i) {
        for (int c = 0; c < tile; c++)
          for (int r = 0; r < tile; r++)
            for (int p = 0; p < v; p++) {
              for (int k = 0; k < c; k++) t[r][c][p] -= t[r][k][p] * a[p][(j + c) * stride + j + k];
              t[r][c][p] *= a[p][(j + c) * stride + j + c];
              a[p][(i + r) * stride + j + c] = t[r][c][p];
            }
        continue;
      }
      for (int p = 0; p < v; p++) {
        for (int c = 0; c < tile; c++) {
          for (int k = 0; k < c; k++) t[c][c][p] -= t[c][k][p] * t[c][k][p];
          pivots[p] *= t[c][c][p];
          t[c][c][p] = dcs_vec_rsqrt(t[c][c][p]);
          for (int r = c + 1; r < tile; r++) {
            for (int k = 0; k < c; k++) t[r][c][p] -= t[r][k][p] * t[c][k][p];
            t[r][c][p] *= t[c][c][p];
          }
        }
        for (int r = 0; r < tile; r++)
          for (int c = 0; c <= r; c++) a[p][(i + r) * stride + j + c] = t[r][c][p];
      }
    }
    if ((i + tile) % MAX_TILE != 0 && i + tile < order) continue;
    for (int p = 0; p < v; p++) { /* one logarithm for four pivots, whose product cannot leave the range of numbers */
      log_det[p] += dcs_vec_log(pivots[p]);
      pivots[p] = dcs_vec_set(1);
    }
  }
}

void dcs_chol_factor(int order, int stride, dcs_vec *const a[DCS_VECS], dcs_vec log_det[DCS_VECS])
{
  for (int p = 0; p < DCS_VECS; p++) log_det[p] = dcs_vec_set(0);
  if (order < MAX_TILE)
    factor_tiles(1, DCS_VECS, order, stride, a, log_det);
  else if (order <= SMALL_ORDER)
    factor_tiles(2, DCS_VECS, order, stride, a, log_det);
  else
    for (int p = 0; p < DCS_VECS; p++) factor_tiles(MAX_TILE, 1, order, stride, a + p, log_det + p);
}

void dcs_chol_solve(int order, int stride, dcs_vec *const a[DCS_VECS], dcs_vec (*restrict v)[DCS_VECS])
{
  /* column by column: the updates of one column are independent of each other */
  for (int i = 0; i < order; i++) {
    for (int p = 0; p < DCS_VECS; p++) v[i][p] *= a[p][i * stride + i];
    for (int k = i + 1; k < order; k++)
      for (int p = 0; p < DCS_VECS; p++) v[k][p] -= a[p][k * stride + i] * v[i][p];
  }
  for (int i = order - 1; i >= 0; i--) {
    for (int p = 0; p < DCS_VECS; p++) v[i][p] *= a[p][i * stride + i];
    for (int k = 0; k < i; k++)
      for (int p = 0; p < DCS_VECS; p++) v[k][p] -= a[p][i * stride + k] * v[i][p];
  }
}
