#include "conformance.h"

#include <float.h>
#include <gsl/gsl_eigen.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "sampler/sampler.h"
#include "support.h"

typedef struct {
  _Alignas(DCS_ALIGN) double a[CONFORMANCE_ROWS]; /**< [d][DCS_LANES] */
} tile;

/** P(|z| > 6) = 2e-9 for each of the about 2e4 numbers compared in all targets and levels: a right law fails a given
 *  seed with probability 4e-5. Seeds are fixed and never retried. */
#define Z_LIMIT 6.0

/** sum of e = v - E v and of e^2: under the null hypothesis z = sum/sqrt(square) is standard normal. */
typedef struct {
  double sum, square;
} deviation;

static void add(deviation *d, double e)
{
  d->sum += e;
  d->square += e * e;
}

void conformance_note(double *worst, double difference, double tolerance)
{
  double ratio = fabs(difference) / tolerance;
  if (!(ratio <= *worst)) *worst = isnan(ratio) ? INFINITY : ratio;
}

/** The second term is rounding, for quantities that do not vary (|x|^2 of the corners of a cube). */
static void note_z(double *worst, const deviation *d)
{
  conformance_note(worst, d->sum, Z_LIMIT * sqrt(d->square) + CONFORMANCE_DRAWS * 64 * DBL_EPSILON);
}

static dcs_posterior *posterior(const dcs_target *target)
{
  dcs_posterior *post = NULL;
  must(dcs_target_dimension(target) <= CONFORMANCE_D_MAX ? DCS_OK : DCS_EARG, NULL);
  must(dcs_posterior_create(target, &post), NULL);
  return post;
}

/** Posterior at a tile of exact draws of X_sigma. */
static dcs_posterior *at_draws(const dcs_target *target, double sigma, tile *x, tile *v)
{
  dcs_posterior *post = posterior(target);
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
  dcs_posterior *post = at_draws(target, sigma, &x, &v);
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
  dcs_posterior *post = at_draws(target, sigma, &x, &v);
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
  dcs_posterior *post = at_draws(target, sigma, &x, &v);
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
  dcs_posterior *post = at_draws(target, sigma, &x, &v);
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
  dcs_posterior *post = at_draws(target, sigma, &x, &v);
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

/** Mean and total variance of the draws of X_0. */
static double check_moments(const dcs_target *target, double sigma)
{
  (void)sigma;
  tile x;
  int d = dcs_target_dimension(target);
  deviation first[CONFORMANCE_D_MAX] = {{0, 0}}, second = {0, 0};
  dcs_stream stream = dcs_stream_create(2, DCS_PURPOSE_DRAW, 1);
  double worst = 0;
  for (uint64_t n = 0; n < CONFORMANCE_DRAWS; n += DCS_LANES) {
    dcs_lane_ids ids = lane_ids(n);
    dcs_target_draw(target, stream, &ids, 0, x.a);
    for (int l = 0; l < DCS_LANES; l++) {
      double length2 = 0;
      for (int i = 0; i < d; i++) {
        double e = x.a[i * DCS_LANES + l] - dcs_target_mean(target)[i];
        add(&first[i], e);
        length2 += e * e;
      }
      add(&second, length2 - dcs_target_variance(target));
    }
  }
  for (int i = 0; i < d; i++) note_z(&worst, &first[i]);
  note_z(&worst, &second);
  return worst;
}

/** E[score] = 0 and E[score (x - E x)^T] = -I under exact draws of X_sigma (integration by parts). */
static double check_identities(const dcs_target *target, double sigma)
{
  tile x, z;
  int d = dcs_target_dimension(target);
  deviation first[CONFORMANCE_D_MAX] = {{0, 0}}, *second = NULL;
  dcs_stream stream = dcs_stream_create(3, DCS_PURPOSE_DRAW, 1);
  double worst = 0;
  dcs_posterior *post = posterior(target);
  must(dcs_alloc((size_t)(d * d), sizeof *second, &second), NULL);
  for (uint64_t n = 0; n < CONFORMANCE_DRAWS; n += DCS_LANES) {
    dcs_lane_ids ids = lane_ids(n);
    dcs_sampler_draw(target, sigma, stream, &ids, x.a, z.a);
    dcs_posterior_at(post, sigma, x.a);
    for (int l = 0; l < DCS_LANES; l++) {
      double score[CONFORMANCE_D_MAX], e[CONFORMANCE_D_MAX];
      for (int i = 0; i < d; i++) {
        score[i] = (dcs_posterior_mean(post)[i * DCS_LANES + l] - x.a[i * DCS_LANES + l]) / (sigma * sigma);
        e[i] = x.a[i * DCS_LANES + l] - dcs_target_mean(target)[i];
        add(&first[i], score[i]);
      }
      for (int i = 0; i < d; i++)
        for (int j = 0; j < d; j++) add(&second[i * d + j], score[i] * e[j] + (i == j));
    }
  }
  for (int i = 0; i < d; i++) note_z(&worst, &first[i]);
  for (int i = 0; i < d * d; i++) note_z(&worst, &second[i]);
  dcs_free(&second);
  dcs_posterior_destroy(&post);
  return worst;
}

#define BRIDGE_RATIO 0.6 /**< u/sigma: both halves of the formulas below matter */

/** Given X_0 and X_sigma = x, X_u is N(X_0 + rho (x - X_0), u^2 (1 - rho) I), rho = u^2/sigma^2; hence given x alone
 *  its mean is m + rho (x - m) and its covariance (1 - rho)^2 C + u^2 (1 - rho) I. */
static double check_bridge_at(const dcs_target *target, double sigma)
{
  tile x, v, xu;
  int d = dcs_target_dimension(target);
  double u = BRIDGE_RATIO * sigma, rho = BRIDGE_RATIO * BRIDGE_RATIO, worst = 0;
  double mean[CONFORMANCE_D_MAX], covariance[CONFORMANCE_D_MAX * CONFORMANCE_D_MAX];
  deviation first[CONFORMANCE_D_MAX] = {{0, 0}}, *second = NULL;
  dcs_stream stream = dcs_stream_create(4, DCS_PURPOSE_BRIDGE, 1);
  dcs_posterior *post = at_draws(target, sigma, &x, &v);
  must(dcs_alloc((size_t)(d * d), sizeof *second, &second), NULL);
  for (int i = 0; i < d * DCS_LANES; i++) x.a[i] = x.a[i / DCS_LANES * DCS_LANES]; /* the first particle in all lanes */
  dcs_posterior_at(post, sigma, x.a);
  for (int i = 0; i < d; i++) mean[i] = dcs_posterior_mean(post)[i * DCS_LANES] * (1 - rho) + rho * x.a[i * DCS_LANES];
  conformance_dense(post, d, 0, u * u * (1 - rho), (1 - rho) * (1 - rho), covariance);
  for (uint64_t n = 0; n < CONFORMANCE_DRAWS; n += DCS_LANES) {
    dcs_lane_ids ids = lane_ids(n);
    dcs_posterior_bridge(post, u, stream, &ids, 0, xu.a);
    for (int l = 0; l < DCS_LANES; l++) {
      double e[CONFORMANCE_D_MAX];
      for (int i = 0; i < d; i++) {
        e[i] = xu.a[i * DCS_LANES + l] - mean[i];
        add(&first[i], e[i]);
      }
      for (int i = 0; i < d; i++)
        for (int j = 0; j <= i; j++) add(&second[i * d + j], e[i] * e[j] - covariance[i * d + j]);
    }
  }
  for (int i = 0; i < d; i++) {
    note_z(&worst, &first[i]);
    for (int j = 0; j <= i; j++) note_z(&worst, &second[i * d + j]);
  }
  dcs_free(&second);
  dcs_posterior_destroy(&post);
  return worst;
}

static int compare(const void *a, const void *b)
{
  double p = *(const double *)a, q = *(const double *)b;
  return (p > q) - (p < q);
}

/** Two-sample Kolmogorov-Smirnov distance; sorts both. */
static double ks_distance(int n, double *a, double *b)
{
  double distance = 0;
  qsort(a, (size_t)n, sizeof *a, compare);
  qsort(b, (size_t)n, sizeof *b, compare);
  for (int i = 0, j = 0; i < n && j < n;) {
    if (a[i] <= b[j])
      i++;
    else
      j++;
    distance = fmax(distance, fabs((double)(i - j) / n));
  }
  return distance;
}

enum { KS_COORDINATES = 3 };
/** P(D > 3.27 sqrt(2/n)) = 2 exp(-2 3.27^2) = 1e-9 for two samples of n from one law. */
#define KS_LIMIT 3.27

double conformance_bridge(const dcs_target *target, double sigma, dcs_stream draw, dcs_stream bridge)
{
  tile x, z, xu, fresh;
  int d = dcs_target_dimension(target), n_ks = d < KS_COORDINATES ? d : KS_COORDINATES;
  double u = BRIDGE_RATIO * sigma, rho = BRIDGE_RATIO * BRIDGE_RATIO, worst = 0;
  double exact_variance = dcs_target_variance(target) + d * u * u, *sample[2 * KS_COORDINATES] = {NULL};
  deviation mean[CONFORMANCE_D_MAX] = {{0, 0}}, apart[CONFORMANCE_D_MAX] = {{0, 0}}, variance = {0, 0};
  dcs_stream other = dcs_stream_create(6, DCS_PURPOSE_DRAW, 1);
  dcs_posterior *post = posterior(target);
  for (int c = 0; c < 2 * n_ks; c++) must(dcs_alloc(CONFORMANCE_DRAWS, sizeof(double), &sample[c]), NULL);
  for (uint64_t n = 0; n < CONFORMANCE_DRAWS; n += DCS_LANES) {
    dcs_lane_ids ids = lane_ids(n);
    dcs_sampler_draw(target, sigma, draw, &ids, x.a, z.a);
    dcs_posterior_at(post, sigma, x.a);
    dcs_posterior_bridge(post, u, bridge, &ids, 1, xu.a);
    dcs_sampler_draw(target, u, other, &ids, fresh.a, z.a);
    for (int c = 0; c < n_ks; c++) {
      memcpy(sample[2 * c] + n, xu.a + c * DCS_LANES, DCS_LANES * sizeof(double));
      memcpy(sample[2 * c + 1] + n, fresh.a + c * DCS_LANES, DCS_LANES * sizeof(double));
    }
    for (int l = 0; l < DCS_LANES; l++) {
      double length2 = 0;
      for (int i = 0; i < d; i++) {
        int k = i * DCS_LANES + l;
        double centre = dcs_target_mean(target)[i], e = xu.a[k] - centre;
        add(&mean[i], e);
        length2 += e * e;
        /* what the bridge adds is independent of where it starts */
        add(&apart[i], (xu.a[k] - (1 - rho) * dcs_posterior_mean(post)[k] - rho * x.a[k]) * (x.a[k] - centre));
      }
      add(&variance, length2 - exact_variance);
    }
  }
  for (int i = 0; i < d; i++) {
    note_z(&worst, &mean[i]);
    note_z(&worst, &apart[i]);
  }
  note_z(&worst, &variance);
  for (int c = 0; c < n_ks; c++)
    conformance_note(&worst, ks_distance(CONFORMANCE_DRAWS, sample[2 * c], sample[2 * c + 1]),
                     KS_LIMIT * sqrt(2.0 / CONFORMANCE_DRAWS));
  for (int c = 0; c < 2 * n_ks; c++) dcs_free(&sample[c]);
  dcs_posterior_destroy(&post);
  return worst;
}

/** X_sigma drawn exactly and bridged down to u has the law of X_u. */
static double check_bridge_of_draws(const dcs_target *target, double sigma)
{
  return conformance_bridge(target, sigma, dcs_stream_create(5, DCS_PURPOSE_DRAW, 1),
                            dcs_stream_create(5, DCS_PURPOSE_BRIDGE, 1));
}

static const conformance_check checks[] = {
    {"score", false, check_score},
    {"covariance", false, check_covariance},
    {"trace", false, check_trace},
    {"log det", false, check_log_det},
    {"solve", false, check_solve},
    {"moments", true, check_moments},
    {"score identities", true, check_identities},
    {"bridge at one place", true, check_bridge_at},
    {"bridge of draws", true, check_bridge_of_draws},
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
