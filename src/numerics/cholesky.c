#include "numerics/cholesky.h"

#include "numerics/vmath.h"

enum { TILE = 4 };

/** Columns of one 4 x 4 tile: subtract the products of the finished columns k < j. */
static inline void update(int j, const dcs_vec *restrict row_i, const dcs_vec *restrict row_j, int stride,
                          dcs_vec t[TILE][TILE])
{
  for (int k = 0; k < j; k++) {
    dcs_vec lj[TILE];
    for (int c = 0; c < TILE; c++) lj[c] = row_j[c * stride + k];
    for (int r = 0; r < TILE; r++) {
      dcs_vec li = row_i[r * stride + k];
      for (int c = 0; c < TILE; c++) t[r][c] -= li * lj[c];
    }
  }
}

static dcs_vec factor_small(int order, int stride, dcs_vec *restrict a)
{
  dcs_vec pivots = dcs_vec_set(1);
  for (int i = 0; i < order; i++)
    for (int j = 0; j <= i; j++) {
      dcs_vec t = a[i * stride + j];
      for (int k = 0; k < j; k++) t -= a[i * stride + k] * a[j * stride + k];
      if (i == j) pivots *= t;
      a[i * stride + j] = i == j ? 1.0 / dcs_vec_sqrt(t) : t * a[j * stride + j];
    }
  return dcs_vec_log(pivots);
}

dcs_vec dcs_chol_factor(int order, int stride, dcs_vec *restrict a)
{
  if (order < TILE) return factor_small(order, stride, a);
  dcs_vec log_det = {};
  for (int i = 0; i < order; i += TILE) {
    dcs_vec *row_i = a + i * stride;
    for (int j = 0; j <= i; j += TILE) {
      const dcs_vec *row_j = a + j * stride;
      dcs_vec t[TILE][TILE];
      for (int r = 0; r < TILE; r++)
        for (int c = 0; c < TILE; c++) t[r][c] = row_i[r * stride + j + c];
      update(j, row_i, row_j, stride, t);
      if (j < i) {
        for (int c = 0; c < TILE; c++) {
          dcs_vec inverse = row_j[c * stride + j + c];
          for (int r = 0; r < TILE; r++) {
            for (int k = 0; k < c; k++) t[r][c] -= t[r][k] * row_j[c * stride + j + k];
            t[r][c] *= inverse;
          }
        }
        for (int r = 0; r < TILE; r++)
          for (int c = 0; c < TILE; c++) row_i[r * stride + j + c] = t[r][c];
      } else {
        dcs_vec pivots = dcs_vec_set(1);
        for (int c = 0; c < TILE; c++) {
          for (int k = 0; k < c; k++) t[c][c] -= t[c][k] * t[c][k];
          pivots *= t[c][c];
          dcs_vec inverse = 1.0 / dcs_vec_sqrt(t[c][c]);
          t[c][c] = inverse;
          for (int r = c + 1; r < TILE; r++) {
            for (int k = 0; k < c; k++) t[r][c] -= t[r][k] * t[c][k];
            t[r][c] *= inverse;
          }
        }
        log_det += dcs_vec_log(pivots);
        for (int r = 0; r < TILE; r++)
          for (int c = 0; c <= r; c++) row_i[r * stride + j + c] = t[r][c];
      }
    }
  }
  return log_det;
}

void dcs_chol_solve(int order, int stride, const dcs_vec *restrict a, int step, dcs_vec *restrict v)
{
  for (int i = 0; i < order; i++) {
    dcs_vec t = v[i * step];
    for (int k = 0; k < i; k++) t -= a[i * stride + k] * v[k * step];
    v[i * step] = t * a[i * stride + i];
  }
  for (int i = order - 1; i >= 0; i--) {
    dcs_vec t = v[i * step];
    for (int k = i + 1; k < order; k++) t -= a[k * stride + i] * v[k * step];
    v[i * step] = t * a[i * stride + i];
  }
}
