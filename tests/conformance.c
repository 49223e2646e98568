#include "conformance_checks.h"

#include <float.h>
#include <gsl/gsl_eigen.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "sampler/sampler.h"
#include "support.h"

void conformance_note(double *worst, double difference, double tolerance)
{
  double ratio = fabs(difference) / tolerance;
  if (!(ratio <= *worst)) *worst = isnan(ratio) ? INFINITY : ratio;
}

dcs_posterior *conformance_posterior(const dcs_target *target)
{
  dcs_posterior *post = NULL;
  must(dcs_target_dimension(target) <= CONFORMANCE_D_MAX ? DCS_OK : DCS_EARG, NULL);
  must(dcs_posterior_create(target, &post), NULL);
  return post;
}

dcs_posterior *conformance_at_draws(const dcs_target *target, double sigma, tile *x, tile *v)
{
  dcs_posterior *post = conformance_posterior(target);
  dcs_lane_ids ids = lane_ids(0);
  dcs_sampler_draw(target, sigma, dcs_stream_create(1, DCS_PURPOSE_DRAW, 1), &ids, x->a, v->a);
  dcs_stream_normal(dcs_stream_create(1, DCS_PURPOSE_STEP, 1), &ids, 0, dcs_target_dimension(target), v->a);
  dcs_posterior_at(post, sigma, x->a);
  return post;
}

/** Rounding of C v: a difference of products (m_j - m).v of size |x||v|, each taken with a few rounding errors. */
static double covariance_rounding(const dcs_target *target, double sigma, const tile *x, int lane)
{
  int d = dcs_target_dimension(target);
  double size = d * sigma * sigma + dcs_target_variance(target);
  for (int i = 0; i < d; i++) {
    double e = x->a[i * DCS_LANES + lane] - dcs_target_mean(target)[i];
    size += e * e;
  }
  return 16 * DBL_EPSILON * size;
}

void conformance_dense(dcs_posterior *post, int d, int lane, double a, double b, double *matrix)
{
  tile v, out;
  for (int j = 0; j < d; j++) {
    for (int i = 0; i < d * DCS_LANES; i++) v.a[i] = i / DCS_LANES == j;
    dcs_posterior_apply(post, v.a, out.a);
    for (int i = 0; i < d; i++) matrix[i * d + j] = b * out.a[i * DCS_LANES + lane] + (i == j ? a : 0);
  }
}

double conformance_log_det(int d, const double *matrix, double *smallest, double *largest)
{
  size_t n = (size_t)d;
  gsl_matrix *work = gsl_matrix_alloc(n, n);
  gsl_vector *lambda = gsl_vector_alloc(n);
  gsl_eigen_symm_workspace *space = gsl_eigen_symm_alloc(n);
  memcpy(work->data, matrix, n * n * sizeof *matrix);
  gsl_eigen_symm(work, lambda, space);
  double log_det = 0;
  *smallest = INFINITY;
  *largest = -INFINITY;
  for (size_t i = 0; i < n; i++) {
    double l = gsl_vector_get(lambda, i);
    log_det += log(l);
    *smallest = fmin(*smallest, l);
    *largest = fmax(*largest, l);
  }
  gsl_eigen_symm_free(space);
  gsl_vector_free(lambda);
  gsl_matrix_free(work);
  return log_det;
}

enum { POINTS = 4 };
/** Central difference of fourth order: f' = sum w_p f(x + o_p h)/h + O(h^4 f^(5)/30). */
static const double difference_offset[POINTS] = {-2, -1, 1, 2};
static const double difference_weight[POINTS] = {1.0 / 12, -8.0 / 12, 8.0 / 12, -1.0 / 12};

/** log q along a line is a log-sum-exp of parabolas whose slopes differ by S = |mu_i - mu_j|/v <= 200 in the sample
 *  targets at sigma >= 0.1. With h = 1e-3 sigma, h S <= 0.02, the truncation S (h S)^4/200 is below 2e-8/sigma; below
 *  that level only places between two modes are worse, where no draw falls. Rounding of log q, about 1e3 DBL_EPSILON,
 *  over h is 2e-10/sigma. */
#define DIFFERENCE_STEP 1e-3
#define DIFFERENCE_TOLERANCE 1e-7

/** (m - x)/sigma^2 is the gradient of log q. */
static double check_score(const dcs_target *target, double sigma)
{
  tile x, moved, v, score;
  int d = dcs_target_dimension(target);
  double h = DIFFERENCE_STEP * sigma, worst = 0;
  dcs_posterior *post = conformance_at_draws(target, sigma, &x, &v);
  for (int i = 0; i < d * DCS_LANES; i++) score.a[i] = (dcs_posterior_mean(post)[i] - x.a[i]) / (sigma * sigma);
  for (int i = 0; i < d; i++) {
    double slope[DCS_LANES] = {0};
    for (int p = 0; p < POINTS; p++) {
      moved = x;
      for (int l = 0; l < DCS_LANES; l++) moved.a[i * DCS_LANES + l] += difference_offset[p] * h;
      dcs_posterior_at(post, sigma, moved.a);
      for (int l = 0; l < DCS_LANES; l++) slope[l] += difference_weight[p] * dcs_posterior_log_q(post)[l] / h;
    }
    for (int l = 0; l < DCS_LANES; l++)
      conformance_note(&worst, slope[l] - score.a[i * DCS_LANES + l], DIFFERENCE_TOLERANCE / sigma);
  }
  dcs_posterior_destroy(&post);
  return worst;
}

/** C v = sigma^2 dm/dv for a random direction v. */
static double check_covariance(const dcs_target *target, double sigma)
{
  tile x, moved, v, cv, slope = {0};
  int d = dcs_target_dimension(target);
  double h = DIFFERENCE_STEP * sigma / sqrt(d), worst = 0;
  dcs_posterior *post = conformance_at_draws(target, sigma, &x, &v);
  dcs_posterior_apply(post, v.a, cv.a);
  for (int p = 0; p < POINTS; p++) {
    for (int i = 0; i < d * DCS_LANES; i++) moved.a[i] = x.a[i] + difference_offset[p] * h * v.a[i];
    dcs_posterior_at(post, sigma, moved.a);
    for (int i = 0; i < d * DCS_LANES; i++)
      slope.a[i] += difference_weight[p] * sigma * sigma * dcs_posterior_mean(post)[i] / h;
  }
  for (int l = 0; l < DCS_LANES; l++) {
    double size = sigma * sigma;
    for (int i = 0; i < d; i++) size = fmax(size, fabs(cv.a[i * DCS_LANES + l]));
    for (int i = 0; i < d; i++)
      conformance_note(&worst, cv.a[i * DCS_LANES + l] - slope.a[i * DCS_LANES + l], DIFFERENCE_TOLERANCE * size);
  }
  dcs_posterior_destroy(&post);
  return worst;
}

/** tr C is the sum of the diagonal of C. */
static double check_trace(const dcs_target *target, double sigma)
{
  tile x, v, out;
  _Alignas(DCS_ALIGN) double trace[DCS_LANES];
  double sum[DCS_LANES] = {0}, worst = 0;
  int d = dcs_target_dimension(target);
  dcs_posterior *post = conformance_at_draws(target, sigma, &x, &v);
  dcs_posterior_trace(post, trace);
  for (int j = 0; j < d; j++) {
    for (int i = 0; i < d * DCS_LANES; i++) v.a[i] = i / DCS_LANES == j;
    dcs_posterior_apply(post, v.a, out.a);
    for (int l = 0; l < DCS_LANES; l++) sum[l] += out.a[j * DCS_LANES + l];
  }
  for (int l = 0; l < DCS_LANES; l++)
    conformance_note(&worst, trace[l] - sum[l], covariance_rounding(target, sigma, &x, l));
  dcs_posterior_destroy(&post);
  return worst;
}

/** (a, b sigma^2): B small, B near 1 (a coarse step), and an unrelated pair. */
static const double jacobians[][2] = {{0.9, 0.1}, {0.02, 0.98}, {2, 5}};
enum { JACOBIANS = (int)(sizeof jacobians / sizeof *jacobians) };

/** log det(aI + bC) against the eigenvalues of the dense matrix: both have relative errors DBL_EPSILON times the
 *  condition number, counting what C itself has lost. */
static double check_log_det(const dcs_target *target, double sigma)
{
  tile x, v;
  _Alignas(DCS_ALIGN) double log_det[DCS_LANES];
  double matrix[CONFORMANCE_D_MAX * CONFORMANCE_D_MAX], smallest, largest, worst = 0;
  int d = dcs_target_dimension(target), stride = d > 10 ? 4 : 1; /* a few lanes where the dense way is slow */
  dcs_posterior *post = conformance_at_draws(target, sigma, &x, &v);
  for (int k = 0; k < JACOBIANS; k++) {
    double a = jacobians[k][0], b = jacobians[k][1] / (sigma * sigma);
    dcs_posterior_factor(post, a, b, log_det);
    for (int l = 0; l < DCS_LANES; l += stride) {
      conformance_dense(post, d, l, a, b, matrix);
      double dense = conformance_log_det(d, matrix, &smallest, &largest);
      double lost = 16 * DBL_EPSILON * d * largest + b * covariance_rounding(target, sigma, &x, l);
      conformance_note(&worst, log_det[l] - dense, lost / smallest);
    }
  }
  dcs_posterior_destroy(&post);
  return worst;
}

/** J (J^{-1} v) = v. */
static double check_solve(const dcs_target *target, double sigma)
{
  tile x, v, y, cy;
  _Alignas(DCS_ALIGN) double log_det[DCS_LANES];
  double worst = 0;
  int d = dcs_target_dimension(target);
  dcs_posterior *post = conformance_at_draws(target, sigma, &x, &v);
  for (int k = 0; k < JACOBIANS; k++) {
    double a = jacobians[k][0], b = jacobians[k][1] / (sigma * sigma);
    dcs_posterior_factor(post, a, b, log_det);
    dcs_posterior_solve(post, v.a, y.a);
    dcs_posterior_apply(post, y.a, cy.a);
    for (int l = 0; l < DCS_LANES; l++) {
      double length2 = 0;
      for (int i = 0; i < d; i++) length2 += v.a[i * DCS_LANES + l] * v.a[i * DCS_LANES + l];
      /* |y| <= |v|/a, and J y is taken with the rounding of C y */
      double tolerance = (64 * DBL_EPSILON * d + b * covariance_rounding(target, sigma, &x, l)) / a * sqrt(length2);
      for (int i = l; i < d * DCS_LANES; i += DCS_LANES)
        conformance_note(&worst, a * y.a[i] + b * cy.a[i] - v.a[i], tolerance);
    }
  }
  dcs_posterior_destroy(&post);
  return worst;
}

/** E[(X_0 - m)^3 | x] = sigma^2 dC/dx in one dimension. */
static double check_third(const dcs_target *target, double sigma)
{
  tile x, moved, v;
  _Alignas(DCS_ALIGN) double third[DCS_LANES], c[DCS_LANES];
  double slope[DCS_LANES] = {0}, h = DIFFERENCE_STEP * sigma, worst = 0;
  if (dcs_target_dimension(target) > 1) return 0;
  dcs_posterior *post = conformance_at_draws(target, sigma, &x, &v);
  dcs_posterior_third(post, third);
  for (int p = 0; p < POINTS; p++) {
    for (int l = 0; l < DCS_LANES; l++) moved.a[l] = x.a[l] + difference_offset[p] * h;
    dcs_posterior_at(post, sigma, moved.a);
    dcs_posterior_trace(post, c);
    for (int l = 0; l < DCS_LANES; l++) slope[l] += difference_weight[p] * sigma * sigma * c[l] / h;
  }
  for (int l = 0; l < DCS_LANES; l++)
    conformance_note(&worst, third[l] - slope[l], DIFFERENCE_TOLERANCE * fmax(sigma * sigma * sigma, fabs(third[l])));
  dcs_posterior_destroy(&post);
  return worst;
}

/** A law that says it is Gaussian: tr C and log det J follow from its spectrum, and a rotation keeps |mean|. */
static double check_spectrum(const dcs_target *target, double sigma)
{
  tile x, v;
  _Alignas(DCS_ALIGN) double trace[DCS_LANES], log_det[DCS_LANES];
  const double *mean = NULL, *lambda = dcs_target_gaussian(target, &mean);
  int d = dcs_target_dimension(target);
  double worst = 0, sigma2 = sigma * sigma, a = jacobians[0][0], b = jacobians[0][1] / sigma2;
  double variance = 0, length2 = 0, trace_is = 0, log_det_is = 0, variance_is = 0, length2_is = 0;
  if (lambda == NULL) return 0;
  dcs_posterior *post = conformance_at_draws(target, sigma, &x, &v);
  dcs_posterior_trace(post, trace);
  dcs_posterior_factor(post, a, b, log_det);
  for (int i = 0; i < d; i++) {
    double c = lambda[i] * sigma2 / (lambda[i] + sigma2);
    trace_is += c;
    log_det_is += log(a + b * c);
    variance_is += lambda[i];
    length2_is += mean[i] * mean[i];
    length2 += dcs_target_mean(target)[i] * dcs_target_mean(target)[i];
  }
  variance = dcs_target_variance(target);
  conformance_note(&worst, variance - variance_is, 16 * DBL_EPSILON * d * variance_is + DBL_MIN);
  conformance_note(&worst, length2 - length2_is, 64 * DBL_EPSILON * d * length2_is + DBL_MIN);
  for (int l = 0; l < DCS_LANES; l++) {
    double lost = covariance_rounding(target, sigma, &x, l);
    conformance_note(&worst, trace[l] - trace_is, lost);
    conformance_note(&worst, log_det[l] - log_det_is, 16 * DBL_EPSILON * d + b * lost / a);
  }
  dcs_posterior_destroy(&post);
  return worst;
}

/** A law that says it is a scale mixture has log q = log sum_j w_j N(x; 0, (s_j^2 + sigma^2) I). */
static double check_radial(const dcs_target *target, double sigma)
{
  tile x, v;
  const double *weight = NULL, *stddev = NULL;
  int d = dcs_target_dimension(target), k = dcs_target_radial(target, &weight, &stddev);
  double worst = 0;
  if (k == 0) return 0;
  dcs_posterior *post = conformance_at_draws(target, sigma, &x, &v);
  for (int l = 0; l < DCS_LANES; l++) {
    double length2 = 0, top = -INFINITY, sum = 0;
    for (int i = 0; i < d; i++) length2 += x.a[i * DCS_LANES + l] * x.a[i * DCS_LANES + l];
    for (int pass = 0; pass < 2; pass++)
      for (int j = 0; j < k; j++) {
        double variance = stddev[j] * stddev[j] + sigma * sigma;
        double term = log(weight[j]) - 0.5 * (d * log(2 * acos(-1) * variance) + length2 / variance);
        if (pass == 0)
          top = fmax(top, term);
        else
          sum += exp(term - top);
      }
    /* the terms are sums of d logarithms and up to length2/sigma^2, each with a few rounding errors */
    double size = d * (2 + fabs(log(sigma))) + length2 / (sigma * sigma);
    conformance_note(&worst, dcs_posterior_log_q(post)[l] - (top + log(sum)), 16 * DBL_EPSILON * size);
  }
  dcs_posterior_destroy(&post);
  return worst;
}

static const conformance_check checks[] = {
    {"score", false, check_score},
    {"covariance", false, check_covariance},
    {"trace", false, check_trace},
    {"log det", false, check_log_det},
    {"solve", false, check_solve},
    {"third", false, check_third},
    {"spectrum", false, check_spectrum},
    {"radial", false, check_radial},
    {"moments", true, conformance_moments},
    {"score identities", true, conformance_identities},
    {"bridge at one place", true, conformance_bridge_at},
    {"bridge of draws", true, conformance_bridge_of_draws},
    {"noise", true, conformance_noise},
    {"characteristic", true, conformance_characteristic},
    {"parts", true, conformance_parts},
};

const conformance_check *conformance_at(int index)
{
  return index >= 0 && index < (int)(sizeof checks / sizeof *checks) ? &checks[index] : NULL;
}

const conformance_check *conformance_find(const char *name)
{
  for (int i = 0; conformance_at(i) != NULL; i++)
    if (strcmp(checks[i].name, name) == 0) return &checks[i];
  abort();
}
