/* The checks that draw: at a fixed seed, against exact moments and against other draws. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "conformance_checks.h"
#include "sampler/sampler.h"
#include "support.h"

/** P(|z| > 6) = 2e-9 for each of the about 3e4 numbers compared in all targets and levels: a right law fails a given
 *  seed with probability 6e-5. Seeds are fixed and never retried. */
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

/** The second term is rounding, for quantities that do not vary (|x|^2 of the corners of a cube). */
static void note_z(double *worst, const deviation *d)
{
  conformance_note(worst, d->sum, Z_LIMIT * sqrt(d->square) + CONFORMANCE_DRAWS * 64 * DBL_EPSILON);
}

/** Mean and total variance of the draws of X_0. */
double conformance_moments(const dcs_target *target, double sigma)
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
double conformance_identities(const dcs_target *target, double sigma)
{
  tile x, z;
  int d = dcs_target_dimension(target);
  deviation first[CONFORMANCE_D_MAX] = {{0, 0}}, *second = NULL;
  dcs_stream stream = dcs_stream_create(3, DCS_PURPOSE_DRAW, 1);
  double worst = 0;
  dcs_posterior *post = conformance_posterior(target);
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

/** A draw at the place of a posterior, into out. */
typedef void draw_at(dcs_posterior *post, double sigma, const dcs_lane_ids *ids, double *out);

/** Draws that should have this mean [d] and, below it, covariance [d][d], all at the place of the posterior. */
static double check_draws_at(dcs_posterior *post, int d, double sigma, draw_at *draw, const double *mean,
                             const double *covariance)
{
  tile x;
  deviation first[CONFORMANCE_D_MAX] = {{0, 0}}, *second = NULL;
  double worst = 0;
  must(dcs_alloc((size_t)(d * d), sizeof *second, &second), NULL);
  for (uint64_t n = 0; n < CONFORMANCE_DRAWS; n += DCS_LANES) {
    dcs_lane_ids ids = lane_ids(n);
    draw(post, sigma, &ids, x.a);
    for (int l = 0; l < DCS_LANES; l++) {
      double e[CONFORMANCE_D_MAX];
      for (int i = 0; i < d; i++) {
        e[i] = x.a[i * DCS_LANES + l] - mean[i];
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
  return worst;
}

/** Posterior with the first particle of a tile of draws in all lanes. */
static dcs_posterior *at_one_place(const dcs_target *target, double sigma, tile *x)
{
  tile v;
  dcs_posterior *post = conformance_at_draws(target, sigma, x, &v);
  for (int i = 0; i < dcs_target_dimension(target) * DCS_LANES; i++) x->a[i] = x->a[i / DCS_LANES * DCS_LANES];
  dcs_posterior_at(post, sigma, x->a);
  return post;
}

#define BRIDGE_RATIO 0.6 /**< u/sigma: both halves of the formulas below matter */

static void draw_bridge(dcs_posterior *post, double sigma, const dcs_lane_ids *ids, double *out)
{
  dcs_posterior_bridge(post, BRIDGE_RATIO * sigma, dcs_stream_create(4, DCS_PURPOSE_BRIDGE, 1), ids, 0, out);
}

/** Given X_0 and X_sigma = x, X_u is N(X_0 + rho (x - X_0), u^2 (1 - rho) I), rho = u^2/sigma^2; hence given x alone
 *  its mean is m + rho (x - m) and its covariance (1 - rho)^2 C + u^2 (1 - rho) I. */
double conformance_bridge_at(const dcs_target *target, double sigma)
{
  tile x;
  int d = dcs_target_dimension(target);
  double u = BRIDGE_RATIO * sigma, rho = BRIDGE_RATIO * BRIDGE_RATIO;
  double mean[CONFORMANCE_D_MAX], covariance[CONFORMANCE_D_MAX * CONFORMANCE_D_MAX];
  dcs_posterior *post = at_one_place(target, sigma, &x);
  for (int i = 0; i < d; i++) mean[i] = dcs_posterior_mean(post)[i * DCS_LANES] * (1 - rho) + rho * x.a[i * DCS_LANES];
  conformance_dense(post, d, 0, u * u * (1 - rho), (1 - rho) * (1 - rho), covariance);
  double worst = check_draws_at(post, d, sigma, draw_bridge, mean, covariance);
  dcs_posterior_destroy(&post);
  return worst;
}

static void draw_noise(dcs_posterior *post, double sigma, const dcs_lane_ids *ids, double *out)
{
  (void)sigma;
  dcs_posterior_noise(post, dcs_stream_create(7, DCS_PURPOSE_STEP, 1), ids, 0, out);
}

/** The noise has mean 0 and covariance C. */
double conformance_noise(const dcs_target *target, double sigma)
{
  tile x;
  int d = dcs_target_dimension(target);
  double zero[CONFORMANCE_D_MAX] = {0}, covariance[CONFORMANCE_D_MAX * CONFORMANCE_D_MAX];
  dcs_posterior *post = at_one_place(target, sigma, &x);
  conformance_dense(post, d, 0, 0, 1, covariance);
  double worst = check_draws_at(post, d, sigma, draw_noise, zero, covariance);
  dcs_posterior_destroy(&post);
  return worst;
}

/** E exp(i omega . X_0) against its average over draws, for random omega at three lengths. */
double conformance_characteristic(const dcs_target *target, double sigma)
{
  enum { PLACES = 3 };
  static const double reach[PLACES] = {0.5, 1.5, 4};
  tile x;
  int d = dcs_target_dimension(target);
  double omega[PLACES][CONFORMANCE_D_MAX], exact[PLACES][2], worst = 0;
  deviation real[PLACES] = {{0, 0}}, imaginary[PLACES] = {{0, 0}};
  dcs_lane_ids ids = lane_ids(0);
  (void)sigma;
  dcs_stream_normal(dcs_stream_create(8, DCS_PURPOSE_STEP, 1), &ids, 0, d, x.a);
  for (int p = 0; p < PLACES; p++) {
    for (int i = 0; i < d; i++) omega[p][i] = reach[p] / sqrt(dcs_target_variance(target)) * x.a[i * DCS_LANES + p];
    dcs_target_characteristic(target, omega[p], &exact[p][0], &exact[p][1]);
  }
  for (uint64_t n = 0; n < CONFORMANCE_DRAWS; n += DCS_LANES) {
    ids = lane_ids(n);
    dcs_target_draw(target, dcs_stream_create(8, DCS_PURPOSE_DRAW, 1), &ids, 0, x.a);
    for (int p = 0; p < PLACES; p++)
      for (int l = 0; l < DCS_LANES; l++) {
        double phase = 0;
        for (int i = 0; i < d; i++) phase += omega[p][i] * x.a[i * DCS_LANES + l];
        add(&real[p], cos(phase) - exact[p][0]);
        add(&imaginary[p], sin(phase) - exact[p][1]);
      }
  }
  for (int p = 0; p < PLACES; p++) {
    note_z(&worst, &real[p]);
    note_z(&worst, &imaginary[p]);
  }
  return worst;
}

/** Average of log q_sigma over draws of X_sigma, and the variance of that average. */
static double mean_log_q(const dcs_target *target, double sigma, uint64_t seed, double *variance)
{
  tile x, z;
  double mean = 0, square = 0, count = 0;
  dcs_posterior *post = conformance_posterior(target);
  for (uint64_t n = 0; n < CONFORMANCE_DRAWS; n += DCS_LANES) {
    dcs_lane_ids ids = lane_ids(n);
    dcs_sampler_draw(target, sigma, dcs_stream_create(seed, DCS_PURPOSE_DRAW, 1), &ids, x.a, z.a);
    dcs_posterior_at(post, sigma, x.a);
    for (int l = 0; l < DCS_LANES; l++) {
      double e = dcs_posterior_log_q(post)[l] - mean;
      mean += e / ++count;
      square += e * (dcs_posterior_log_q(post)[l] - mean);
    }
  }
  dcs_posterior_destroy(&post);
  *variance = square / (count * count);
  return mean;
}

/** Dimensions, variances and entropies of the parts add up to those of the whole. */
double conformance_parts(const dcs_target *target, double sigma)
{
  dcs_part part[DCS_PARTS_MAX];
  int n = dcs_target_parts(target, part), d = dcs_target_dimension(target);
  double worst = 0, scatter, variance = dcs_target_variance(target);
  if (n == 1 && part[0].target == target && part[0].copies == 1) return 0;
  double difference = mean_log_q(target, sigma, 9, &scatter);
  for (int i = 0; i < n; i++) {
    double of_one, copies = part[i].copies;
    difference -= copies * mean_log_q(part[i].target, sigma, 10 + (uint64_t)i, &of_one);
    scatter += copies * copies * of_one;
    variance -= copies * dcs_target_variance(part[i].target);
    d -= part[i].copies * dcs_target_dimension(part[i].target);
  }
  conformance_note(&worst, d, 0.5);
  conformance_note(&worst, variance, 64 * DBL_EPSILON * (1 + dcs_target_variance(target)));
  conformance_note(&worst, difference, Z_LIMIT * sqrt(scatter));
  return worst;
}

enum { KS_PLACES = 4096 };

/** Two-sample Kolmogorov-Smirnov distance, looked at in so many equidistant places between the extremes. */
static double ks_distance(int n, const double *a, const double *b)
{
  double low = INFINITY, high = -INFINITY, worst = 0;
  int more[KS_PLACES + 1] = {0}, sum = 0; /* of a than of b between two places */
  for (int i = 0; i < n; i++) {
    low = fmin(low, fmin(a[i], b[i]));
    high = fmax(high, fmax(a[i], b[i]));
  }
  for (int i = 0; i < n; i++) {
    more[(int)((a[i] - low) / (high - low) * KS_PLACES)]++;
    more[(int)((b[i] - low) / (high - low) * KS_PLACES)]--;
  }
  for (int p = 0; p <= KS_PLACES; p++) {
    sum += more[p];
    worst = fmax(worst, fabs((double)sum / n));
  }
  return worst;
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
  dcs_posterior *post = conformance_posterior(target);
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
double conformance_bridge_of_draws(const dcs_target *target, double sigma)
{
  return conformance_bridge(target, sigma, dcs_stream_create(5, DCS_PURPOSE_DRAW, 1),
                            dcs_stream_create(5, DCS_PURPOSE_BRIDGE, 1));
}
