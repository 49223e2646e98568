#include "metric/lanczos.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "numerics/vmath.h"

enum {
  MAX_ITERATIONS = 256,
  FIRST_CHECK = 6,
  HALVINGS = 26 /**< 2^-26 of an interval of a few times the norm is below DCS_LANCZOS_TOLERANCE */
};

#define LITTLE 1e-3 /**< of a vector's length left after the first orthogonalisation */

typedef dcs_vec row[DCS_VECS]; /**< one coordinate of a tile */

struct dcs_lanczos {
  int d, max;    /**< dimension, most iterations */
  double *start; /**< [d] unit vector */
  row *basis;    /**< [max + 1][d] */
  row *alpha;    /**< [max] diagonal */
  row *beta;     /**< [max] beta[j] couples j and j + 1 */
};

dcs_status dcs_lanczos_create(const dcs_target *target, dcs_lanczos **out)
{
  dcs_status st = DCS_OK;
  dcs_lanczos *w = NULL;
  double *z = NULL, square = 0;
  int d = dcs_target_dimension(target);
  size_t max = (size_t)(d < MAX_ITERATIONS ? d : MAX_ITERATIONS);
  dcs_lane_ids ids = {0};
  DCS_TRY(dcs_alloc(1, sizeof *w, &w));
  w->d = d;
  w->max = (int)max;
  DCS_TRY(dcs_alloc((size_t)d, sizeof(double), &w->start));
  DCS_TRY(dcs_alloc((max + 1) * (size_t)d, sizeof(row), &w->basis));
  DCS_TRY(dcs_alloc(max, sizeof(row), &w->alpha));
  DCS_TRY(dcs_alloc(max, sizeof(row), &w->beta));
  DCS_TRY(dcs_alloc((size_t)d * DCS_LANES, sizeof(double), &z));
  dcs_stream_normal(dcs_stream_create(0, DCS_PURPOSE_PROPOSAL, 0), &ids, 0, d, z);
  for (int i = 0; i < d; i++) square += z[i * DCS_LANES] * z[i * DCS_LANES];
  for (int i = 0; i < d; i++) w->start[i] = z[i * DCS_LANES] / sqrt(square);
done:
  dcs_free(&z);
  if (st != DCS_OK) dcs_lanczos_destroy(&w);
  *out = w;
  return st;
}

void dcs_lanczos_destroy(dcs_lanczos **lanczos)
{
  dcs_lanczos *w = *lanczos;
  if (w == NULL) return;
  dcs_free(&w->start);
  dcs_free(&w->basis);
  dcs_free(&w->alpha);
  dcs_free(&w->beta);
  dcs_free(lanczos);
}

/** out = a . b, lane by lane; four partial sums hide the latency of the additions. */
static void dot(int d, const row *a, const row *b, row out)
{
  row t[4] = {};
  int i = 0;
  for (; i + 4 <= d; i += 4)
    for (int c = 0; c < 4; c++)
      for (int p = 0; p < DCS_VECS; p++) t[c][p] += a[i + c][p] * b[i + c][p];
  for (; i < d; i++)
    for (int p = 0; p < DCS_VECS; p++) t[0][p] += a[i][p] * b[i][p];
  for (int p = 0; p < DCS_VECS; p++) out[p] = (t[0][p] + t[1][p]) + (t[2][p] + t[3][p]);
}

/** next -= its parts along basis vectors j ... 0 (modified Gram-Schmidt); along [row] is the part along j. */
static void orthogonalise(const dcs_lanczos *w, int j, row *next, row along)
{
  int d = w->d;
  row h;
  for (int n = j; n >= 0; n--) {
    const row *u = w->basis + (size_t)n * (size_t)d;
    dot(d, u, next, h);
    if (n == j) memcpy(along, h, sizeof h);
    for (int i = 0; i < d; i++)
      for (int p = 0; p < DCS_VECS; p++) next[i][p] -= h[p] * u[i][p];
  }
}

/** The next row and column of the tridiagonal matrix and the next basis vector. Where little is left of a vector in some
 *  lane, rounding is a large part of it, and it is made orthogonal again: only an orthogonal basis keeps the eigenvalues
 *  of the small matrix within those of A. Where the Krylov space is exhausted (beta at the level of rounding) the lane's
 *  next vectors are 0: they add eigenvalues 0, which never decide a norm. False when that is so in every lane. */
static bool extend(dcs_lanczos *w, dcs_posterior *post, double sigma, int j)
{
  int d = w->d;
  const row *v = w->basis + (size_t)j * (size_t)d;
  row *next = w->basis + (size_t)(j + 1) * (size_t)d, before, left, unused;
  double scale = 1 / (sigma * sigma);
  dcs_mask alive = {}, lost = {};
  dcs_posterior_apply(post, (const double *)v, (double *)next);
  for (int i = 0; i < d; i++)
    for (int p = 0; p < DCS_VECS; p++) next[i][p] = scale * next[i][p] - v[i][p];
  dot(d, next, next, before);
  orthogonalise(w, j, next, w->alpha[j]);
  dot(d, next, next, left);
  for (int p = 0; p < DCS_VECS; p++) lost |= left[p] < LITTLE * LITTLE * before[p];
  if (dcs_mask_any(lost)) {
    orthogonalise(w, j, next, unused);
    dot(d, next, next, left);
  }
  for (int p = 0; p < DCS_VECS; p++) {
    dcs_vec beta = dcs_vec_sqrt(left[p]), zero = {}, floor = 64 * DBL_EPSILON * (1.0 + dcs_vec_abs(w->alpha[j][p]));
    dcs_mask goes_on = beta > floor;
    alive |= goes_on;
    w->beta[j][p] = dcs_vec_select(goes_on, beta, zero);
    left[p] = dcs_vec_select(goes_on, 1.0 / beta, zero);
  }
  for (int i = 0; i < d; i++)
    for (int p = 0; p < DCS_VECS; p++) next[i][p] *= left[p];
  return dcs_mask_any(alive);
}

/** Lanes where the leading m x m tridiagonal matrix T has |T|_op >= nu: where the pivots of T - nu I are not all
 *  negative or those of T + nu I not all positive. */
static void reaches(const dcs_lanczos *w, int m, const row nu, dcs_mask out[DCS_VECS])
{
  row below = {}, above = {};
  for (int p = 0; p < DCS_VECS; p++) out[p] = (dcs_mask){};
  for (int i = 0; i < m; i++)
    for (int p = 0; p < DCS_VECS; p++) {
      dcs_vec beta2 = {}, a = w->alpha[i][p];
      if (i > 0) beta2 = w->beta[i - 1][p] * w->beta[i - 1][p];
      dcs_vec low = a - nu[p], high = a + nu[p];
      if (i > 0) {
        low -= beta2 / below[p];
        high -= beta2 / above[p];
      }
      out[p] |= ~(low < 0.0) | ~(high > 0.0);
      below[p] = low;
      above[p] = high;
    }
}

/** Whether |T|_op of the leading m x m matrix has grown above `norm` by more than the tolerance in any lane; then norm
 *  becomes |T|_op, by bisection between what it was and Gershgorin's bound. */
static bool grow(const dcs_lanczos *w, int m, row norm)
{
  row nu, hi = {};
  dcs_mask more[DCS_VECS], any = {};
  for (int p = 0; p < DCS_VECS; p++) nu[p] = (1 + DCS_LANCZOS_TOLERANCE) * norm[p];
  reaches(w, m, nu, more);
  for (int p = 0; p < DCS_VECS; p++) any |= more[p];
  if (!dcs_mask_any(any)) return false;
  for (int i = 0; i < m; i++)
    for (int p = 0; p < DCS_VECS; p++) {
      dcs_vec sum = dcs_vec_abs(w->alpha[i][p]);
      if (i > 0) sum += w->beta[i - 1][p];
      if (i < m - 1) sum += w->beta[i][p];
      hi[p] = dcs_vec_max(hi[p], sum);
    }
  for (int n = 0; n < HALVINGS; n++) {
    for (int p = 0; p < DCS_VECS; p++) nu[p] = 0.5 * (norm[p] + hi[p]);
    reaches(w, m, nu, more);
    for (int p = 0; p < DCS_VECS; p++) {
      norm[p] = dcs_vec_select(more[p], nu[p], norm[p]);
      hi[p] = dcs_vec_select(more[p], hi[p], nu[p]);
    }
  }
  return true;
}

dcs_status dcs_lanczos_norm(dcs_lanczos *w, dcs_posterior *post, double sigma, double *restrict out)
{
  row norm = {};
  bool ends = false;
  for (int i = 0; i < w->d; i++)
    for (int p = 0; p < DCS_VECS; p++) w->basis[i][p] = dcs_vec_set(w->start[i]);
  for (int m = 1, check = FIRST_CHECK; m <= w->max && !ends; m++) {
    bool last = !extend(w, post, sigma, m - 1) || m == w->d;
    if (!last && m < check) continue;
    check = m + m / 4 + 1;
    ends = !grow(w, m, norm) || last;
  }
  if (w->d == 1)
    for (int p = 0; p < DCS_VECS; p++) norm[p] = dcs_vec_abs(w->alpha[0][p]);
  memcpy(out, norm, sizeof norm);
  return ends ? DCS_OK : DCS_ENUMERIC;
}
