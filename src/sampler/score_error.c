#include "sampler/score_error.h"

#include <math.h>

#include "base/memory.h"
#include "numerics/vmath.h"
#include "target/tile.h"

typedef dcs_vec row[DCS_VECS];

enum { FEATURES = DCS_SCORE_FEATURES };

struct dcs_score_error {
  int d;
  double eps;
  double *direction;       /**< [FEATURES][d] e_j */
  double *direction_t;     /**< [d][FEATURES] */
  double norm[FEATURES];   /**< |omega_j| */
  double phase[FEATURES];  /**< b_j */
  double centre[FEATURES]; /**< omega_j . E X_0 */
  double *sigma;           /**< [levels] */
  double *shrink;          /**< [levels] ell/sqrt(ell^2 + sigma^2) */
  double *size;            /**< [levels] A */
};

/** e_j, |omega_j| and b_j. A fork: the random means of a target with the same seed are other numbers. */
static void draw_features(dcs_score_error *error, uint64_t seed, double ell)
{
  dcs_stream stream = dcs_stream_fork(dcs_stream_create(seed, DCS_PURPOSE_TARGET, 0), 0);
  const double two_pi = 2 * acos(-1);
  int d = error->d;
  for (int j = 0; j < FEATURES; j++) {
    double *e = error->direction + (size_t)j * (size_t)d, u[2], square = 0;
    for (int i = 0; i < d; i += 2) {
      dcs_stream_uniform2_ref(stream, (uint64_t)j, 0, 0, (uint32_t)i / 2, u);
      double radius = sqrt(-2 * log(u[0])), angle = two_pi * u[1];
      e[i] = radius * cos(angle);
      if (i + 1 < d) e[i + 1] = radius * sin(angle);
    }
    dcs_stream_uniform2_ref(stream, (uint64_t)j, 0, 1, 0, u);
    error->phase[j] = two_pi * u[0];
    for (int i = 0; i < d; i++) square += e[i] * e[i];
    error->norm[j] = sqrt(square) / ell;
    for (int i = 0; i < d; i++) {
      e[i] /= sqrt(square);
      error->direction_t[i * FEATURES + j] = e[i];
    }
  }
}

/** Re E exp(i (s w_j . (X_sigma - E X_0) + r w_l . (X_sigma - E X_0) + s b_j + r b_l)), s and r = +-1; w [d] is scratch.
 */
static double mean_cosine(const dcs_score_error *error, const dcs_target *target, int level, int j, double s, int l,
                          double r, double *w)
{
  const double negligible = 40; /* e^-40 is below the rounding of the sum it would go into */
  double square = 0, phase = s * error->phase[j] + r * error->phase[l], re, im;
  double a = s * error->shrink[level] * error->norm[j], b = r * error->shrink[level] * error->norm[l];
  for (int i = 0; i < error->d; i++) {
    w[i] = a * error->direction[j * error->d + i] + b * error->direction[l * error->d + i];
    square += w[i] * w[i];
  }
  double damping = 0.5 * error->sigma[level] * error->sigma[level] * square;
  if (damping > negligible) return 0;
  dcs_target_characteristic(target, w, &re, &im);
  phase -= error->shrink[level] * (s * error->centre[j] + r * error->centre[l]);
  return exp(-damping) * (cos(phase) * re - sin(phase) * im);
}

/** E |sum_j e_j cos t_j|^2 at X_sigma, from cos t cos t' = (cos(t - t') + cos(t + t'))/2. */
static double mean_square(const dcs_score_error *error, const dcs_target *target, int level, double *w)
{
  double sum = 0;
  for (int j = 0; j < FEATURES; j++) {
    sum += 0.5 * (1 + mean_cosine(error, target, level, j, 1, j, 1, w));
    for (int l = 0; l < j; l++) {
      double dot = 0;
      for (int i = 0; i < error->d; i++) dot += error->direction[j * error->d + i] * error->direction[l * error->d + i];
      sum +=
          dot * (mean_cosine(error, target, level, j, 1, l, -1, w) + mean_cosine(error, target, level, j, 1, l, 1, w));
    }
  }
  return sum;
}

dcs_status dcs_score_error_create(const dcs_target *target, double eps, uint64_t seed, int levels, const double *sigma,
                                  dcs_score_error **out)
{
  dcs_status st = DCS_OK;
  dcs_score_error *error = NULL;
  double *w = NULL;
  int d = dcs_target_dimension(target);
  double ell2 = dcs_target_variance(target) > 0 ? dcs_target_variance(target) / d : 1;
  DCS_TRY(dcs_alloc(1, sizeof *error, &error));
  error->d = d;
  error->eps = eps;
  DCS_TRY(dcs_alloc((size_t)d * FEATURES, sizeof(double), &error->direction));
  DCS_TRY(dcs_alloc((size_t)d * FEATURES, sizeof(double), &error->direction_t));
  DCS_TRY(dcs_alloc((size_t)levels, sizeof(double), &error->sigma));
  DCS_TRY(dcs_alloc((size_t)levels, sizeof(double), &error->shrink));
  DCS_TRY(dcs_alloc((size_t)levels, sizeof(double), &error->size));
  DCS_TRY(dcs_alloc((size_t)d, sizeof(double), &w));
  draw_features(error, seed, sqrt(ell2));
  for (int j = 0; j < FEATURES; j++)
    for (int i = 0; i < d; i++)
      error->centre[j] += error->norm[j] * error->direction[j * d + i] * dcs_target_mean(target)[i];
  for (int k = 0; k < levels; k++) {
    error->sigma[k] = sigma[k];
    error->shrink[k] = sqrt(ell2 / (ell2 + sigma[k] * sigma[k]));
    error->size[k] = eps / sqrt(mean_square(error, target, k, w));
    if (!isfinite(error->size[k])) {
      st = DCS_ENUMERIC;
      goto done;
    }
  }
done:
  dcs_free(&w);
  if (st != DCS_OK) dcs_score_error_destroy(&error);
  *out = error;
  return st;
}

void dcs_score_error_destroy(dcs_score_error **error)
{
  if (*error == NULL) return;
  dcs_free(&(*error)->direction);
  dcs_free(&(*error)->direction_t);
  dcs_free(&(*error)->sigma);
  dcs_free(&(*error)->shrink);
  dcs_free(&(*error)->size);
  dcs_free(error);
}

double dcs_score_error_eps(const dcs_score_error *error) { return error->eps; }
double dcs_score_error_flops(const dcs_score_error *error) { return FEATURES * (4.0 * error->d + 60); }

/** sin t_j and cos t_j, [FEATURES]. */
static void evaluate(const dcs_score_error *error, int level, const double *x, row *sine, row *cosine)
{
  dcs_tile_dots(FEATURES, NULL, error->d, error->direction, (const row *)x, cosine);
  for (int j = 0; j < FEATURES; j++) {
    double slope = error->shrink[level] * error->norm[j];
    double constant = error->phase[j] - error->shrink[level] * error->centre[j];
    for (int p = 0; p < DCS_VECS; p++) dcs_vec_sincos(slope * cosine[j][p] + constant, &sine[j][p], &cosine[j][p]);
  }
}

/** out += sum_j c_j e_j */
static void add_directions(const dcs_score_error *error, const row *restrict c, row *restrict out)
{
  for (int i = 0; i < error->d; i++) {
    const double *e = &error->direction_t[i * FEATURES];
    for (int p = 0; p < DCS_VECS; p++) {
      dcs_vec sum = out[i][p];
      for (int j = 0; j < FEATURES; j++) sum += e[j] * c[j][p];
      out[i][p] = sum;
    }
  }
}

void dcs_score_error_shift(const dcs_score_error *error, int level, const double *restrict x, double *restrict m)
{
  row sine[FEATURES], cosine[FEATURES];
  double factor = error->sigma[level] * error->sigma[level] * error->size[level];
  evaluate(error, level, x, sine, cosine);
  for (int j = 0; j < FEATURES; j++)
    for (int p = 0; p < DCS_VECS; p++) cosine[j][p] *= factor;
  add_directions(error, cosine, (row *)m);
}

void dcs_score_error_curvature(const dcs_score_error *error, int level, const double *restrict x,
                               double *restrict curvature)
{
  row sine[FEATURES], cosine[FEATURES], *out = (row *)curvature;
  double factor = -pow(error->sigma[level], 4) * error->size[level] * error->shrink[level];
  evaluate(error, level, x, sine, cosine);
  for (int j = 0; j < FEATURES; j++)
    for (int p = 0; p < DCS_VECS; p++) out[j][p] = factor * error->norm[j] * sine[j][p];
}

void dcs_score_error_apply(const dcs_score_error *error, const double *restrict curvature, const double *restrict v,
                           double *restrict out)
{
  row along[FEATURES];
  const row *c = (const row *)curvature;
  dcs_tile_dots(FEATURES, NULL, error->d, error->direction, (const row *)v, along);
  for (int j = 0; j < FEATURES; j++)
    for (int p = 0; p < DCS_VECS; p++) along[j][p] *= c[j][p];
  add_directions(error, along, (row *)out);
}
