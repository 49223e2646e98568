#include "numerics/lu.h"

#include <stdbool.h>

#include "numerics/vmath.h"

typedef dcs_vec row[DCS_VECS];

enum { PRODUCT = 4 /**< pivots to a logarithm: their product cannot leave the range of numbers */ };

static inline void exchange(double *restrict a, double *restrict b)
{
  double t = *a;
  *a = *b;
  *b = t;
}

/** Rows of the largest entries of column k on and below the diagonal; true when it is not row k in every lane. */
static bool choose(int n, int k, const row *a, int *restrict pivot)
{
  dcs_mask moved = {};
  for (int p = 0; p < DCS_VECS; p++) {
    dcs_vec best = dcs_vec_abs(a[k * n + k][p]), at = dcs_vec_set(k);
    for (int i = k + 1; i < n; i++) {
      dcs_vec size = dcs_vec_abs(a[i * n + k][p]);
      dcs_mask larger = size > best;
      moved |= larger;
      at = dcs_vec_select(larger, dcs_vec_set(i), at);
      best = dcs_vec_select(larger, size, best);
    }
    for (int l = 0; l < DCS_VEC; l++) pivot[p * DCS_VEC + l] = (int)at[l];
  }
  return dcs_mask_any(moved);
}

/** Exchange row k with row pivot[lane] in each lane, whole rows, and the sign of the determinant with them. Lane by
 *  lane: a map close to the identity seldom needs it. */
static void exchange_rows(int n, int k, row *a, const int *pivot, row product)
{
  for (int l = 0; l < DCS_LANES; l++) {
    if (pivot[l] == k) continue;
    double *upper = (double *)a[k * n] + l, *lower = (double *)a[pivot[l] * n] + l;
    for (int j = 0; j < n; j++) exchange(upper + j * DCS_LANES, lower + j * DCS_LANES);
    ((double *)product)[l] *= -1;
  }
}

void dcs_lu_factor(int n, dcs_vec (*restrict a)[DCS_VECS], int (*restrict pivot)[DCS_LANES], dcs_vec log_det[DCS_VECS])
{
  row product;
  dcs_mask sign[DCS_VECS] = {}; /* of the determinant, in the sign bit */
  for (int p = 0; p < DCS_VECS; p++) {
    log_det[p] = dcs_vec_set(0);
    product[p] = dcs_vec_set(1);
  }
  for (int k = 0; k < n; k++) {
    if (choose(n, k, a, pivot[k])) exchange_rows(n, k, a, pivot[k], product);
    row *restrict top = &a[k * n];
    row inverse;
    for (int p = 0; p < DCS_VECS; p++) {
      product[p] *= top[k][p];
      inverse[p] = top[k][p] = 1.0 / top[k][p];
    }
    for (int i = k + 1; i < n; i++) {
      row *restrict below = &a[i * n], factor;
      for (int p = 0; p < DCS_VECS; p++) factor[p] = below[k][p] *= inverse[p];
      for (int j = k + 1; j < n; j++)
        for (int p = 0; p < DCS_VECS; p++) below[j][p] -= factor[p] * top[j][p];
    }
    if ((k + 1) % PRODUCT != 0 && k + 1 < n) continue;
    for (int p = 0; p < DCS_VECS; p++) {
      log_det[p] += dcs_vec_log(dcs_vec_abs(product[p]));
      sign[p] ^= (dcs_mask)product[p];
      product[p] = dcs_vec_set(1);
    }
  }
  for (int p = 0; p < DCS_VECS; p++) {
    dcs_mask positive = (sign[p] >= 0) & (log_det[p] > -INFINITY) & (log_det[p] < INFINITY);
    log_det[p] = dcs_vec_select(positive, log_det[p], dcs_vec_set(NAN));
  }
}

void dcs_lu_solve(int n, const dcs_vec (*restrict a)[DCS_VECS], const int (*restrict pivot)[DCS_LANES],
                  dcs_vec (*restrict v)[DCS_VECS])
{
  for (int k = 0; k < n; k++) {
    for (int l = 0; l < DCS_LANES; l++)
      if (pivot[k][l] != k) exchange((double *)v[k] + l, (double *)v[pivot[k][l]] + l);
  }
  for (int i = 1; i < n; i++)
    for (int k = 0; k < i; k++)
      for (int p = 0; p < DCS_VECS; p++) v[i][p] -= a[i * n + k][p] * v[k][p];
  for (int i = n - 1; i >= 0; i--)
    for (int p = 0; p < DCS_VECS; p++) {
      for (int k = i + 1; k < n; k++) v[i][p] -= a[i * n + k][p] * v[k][p];
      v[i][p] *= a[i * n + i][p];
    }
}
