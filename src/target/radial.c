/** Rotation-invariant scale mixture: X_0 = S Z, S = s_j with probability w_j, Z ~ N(0, I).
 *
 *  With v_j = s_j^2 + sigma^2, a_j = s_j^2/v_j and r_j ~ w_j v_j^{-d/2} exp(-|x|^2 / 2 v_j) given X_sigma = x,
 *      m = a x,   a = sum r_j a_j,      C = D I + kappa x x^T,   D = sigma^2 a,   kappa = sum r_j (a_j - a)^2,
 *  so that J = (a' + bD) I + b kappa x x^T is inverted and its determinant taken in closed form (Sherman-Morrison).
 *  Everything is O(d) for each particle and O(K) for each tile row. */
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "numerics/vmath.h"
#include "target/component.h"
#include "target/law.h"

#define LOG_TWO_PI 1.8378770664093454835606594728112

typedef dcs_vec row[DCS_VECS];

static const dcs_param_def params[] = {
    {"d", DCS_PARAM_INT, NULL, 1, 1e6, NULL, "1", "dimension"},
    {"stddevs", DCS_PARAM_LIST, NULL, 0, 1e9, NULL, "data units", "standard deviations of the components"},
    {"weights", DCS_PARAM_LIST, "", 0, 1, NULL, "1", "weights, summing to 1; equal when left out"},
    DCS_LAW_COMMON_PARAMS};

typedef struct {
  int k;
  dcs_weights weights;
  double *stddev;    /**< [k] */
  double *variances; /**< [d] when k = 1, else NULL */
} scales;

typedef struct {
  int *number;           /**< [k] 0, 1, ... */
  row *r;                /**< [k] responsibilities */
  row x2, noise, kappa;  /**< |x|^2; D; kappa */
  row inverse, rank_one; /**< J^{-1} = inverse I - rank_one x x^T */
} work;

static void destroy(dcs_target *target)
{
  scales *s = target->data;
  if (s == NULL) return;
  dcs_weights_destroy(&s->weights);
  dcs_free(&s->stddev);
  dcs_free(&s->variances);
  dcs_free(&target->data);
}

static dcs_status create(const dcs_params *p, dcs_target *target, dcs_error *err)
{
  dcs_status st = DCS_OK;
  const dcs_param *stddevs = dcs_params_find(p, "stddevs");
  const double *weights = NULL;
  scales *s = NULL;
  size_t k = (size_t)stddevs->rows, d = (size_t)dcs_params_int(p, "d");
  DCS_TRY(dcs_alloc(1, sizeof *s, &s));
  target->data = s;
  target->d = dcs_params_int(p, "d");
  s->k = stddevs->rows;
  DCS_TRY(dcs_weights_param("radial", p, s->k, &weights, err));
  DCS_TRY(dcs_weights_create("radial", s->k, weights, &s->weights, err));
  DCS_TRY(dcs_alloc(d, sizeof(double), &target->mean));
  DCS_TRY(dcs_alloc(k, sizeof(double), &s->stddev));
  for (size_t j = 0; j < k; j++) {
    s->stddev[j] = stddevs->values[j];
    target->variance += s->weights.weight[j] * target->d * s->stddev[j] * s->stddev[j];
  }
  if (k > 1) goto done;
  DCS_TRY(dcs_alloc(d, sizeof(double), &s->variances));
  for (size_t i = 0; i < d; i++) s->variances[i] = s->stddev[0] * s->stddev[0];
done:
  return st;
}

static void draw(const dcs_target *target, dcs_stream stream, const dcs_lane_ids *ids, uint32_t step, double *x)
{
  const scales *s = target->data;
  int component[DCS_LANES];
  dcs_weights_draw(&s->weights, stream, ids, step, component);
  dcs_stream_normal(stream, ids, step, target->d, x);
  for (int i = 0; i < target->d; i++)
    for (int l = 0; l < DCS_LANES; l++) x[i * DCS_LANES + l] *= s->stddev[component[l]];
}

/** sum_j w_j exp(-s_j^2 |omega|^2 / 2) */
static void characteristic(const dcs_target *target, const double *omega, double *re, double *im)
{
  const scales *s = target->data;
  double square = 0;
  for (int i = 0; i < target->d; i++) square += omega[i] * omega[i];
  *re = *im = 0;
  for (int j = 0; j < s->k; j++) *re += s->weights.weight[j] * exp(-0.5 * s->stddev[j] * s->stddev[j] * square);
}

static const double *gaussian(const dcs_target *target, const double **mean)
{
  *mean = target->mean;
  return ((const scales *)target->data)->variances;
}

static int radial(const dcs_target *target, const double **weight, const double **stddev)
{
  const scales *s = target->data;
  *weight = s->weights.weight;
  *stddev = s->stddev;
  return s->k;
}

static double flops(const dcs_target *target, bool factor)
{
  double k = ((const scales *)target->data)->k;
  return factor ? 40 : 4.0 * target->d + 40 * k;
}

static void posterior_destroy(dcs_posterior *post)
{
  work *w = post->data;
  if (w == NULL) return;
  dcs_free(&w->number);
  dcs_free(&w->r);
  dcs_free(&post->data);
}

static dcs_status posterior_create(dcs_posterior *post)
{
  dcs_status st = DCS_OK;
  const scales *s = post->target->data;
  work *w = NULL;
  DCS_TRY(dcs_alloc(1, sizeof *w, &w));
  post->data = w;
  DCS_TRY(dcs_alloc((size_t)s->k, sizeof(int), &w->number));
  DCS_TRY(dcs_alloc((size_t)s->k, sizeof(row), &w->r));
  for (int j = 0; j < s->k; j++) w->number[j] = j;
done:
  return st;
}

/** x . v with four running sums, which hide the latency of the additions and leave less rounding. */
static inline void dot(int d, const row *x, const row *v, row out)
{
  row sum[4] = {};
  int i = 0;
  for (; i + 4 <= d; i += 4)
    for (int c = 0; c < 4; c++)
      for (int p = 0; p < DCS_VECS; p++) sum[c][p] += x[i + c][p] * v[i + c][p];
  for (; i < d; i++)
    for (int p = 0; p < DCS_VECS; p++) sum[0][p] += x[i][p] * v[i][p];
  for (int p = 0; p < DCS_VECS; p++) out[p] = (sum[0][p] + sum[1][p]) + (sum[2][p] + sum[3][p]);
}

static double shrinkage(const dcs_posterior *post, int j)
{
  double s = ((const scales *)post->target->data)->stddev[j];
  return s * s / (s * s + post->sigma * post->sigma);
}

/** Responsibilities, and log q. */
static void respond(dcs_posterior *post)
{
  const scales *s = post->target->data;
  work *w = post->data;
  row *log_q = (row *)post->log_q, top, sum = {};
  for (int p = 0; p < DCS_VECS; p++) top[p] = dcs_vec_set(-INFINITY);
  for (int j = 0; j < s->k; j++) {
    double v = s->stddev[j] * s->stddev[j] + post->sigma * post->sigma;
    double offset = s->weights.log_weight[j] - 0.5 * post->target->d * (LOG_TWO_PI + log(v));
    for (int p = 0; p < DCS_VECS; p++) {
      w->r[j][p] = offset - 0.5 / v * w->x2[p];
      top[p] = dcs_vec_max(top[p], w->r[j][p]);
    }
  }
  for (int j = 0; j < s->k; j++)
    for (int p = 0; p < DCS_VECS; p++) {
      w->r[j][p] = dcs_vec_exp(w->r[j][p] - top[p]);
      sum[p] += w->r[j][p];
    }
  for (int p = 0; p < DCS_VECS; p++) {
    (*log_q)[p] = top[p] + dcs_vec_log(sum[p]);
    dcs_vec inverse = 1.0 / sum[p];
    for (int j = 0; j < s->k; j++) w->r[j][p] *= inverse;
  }
}

static void at(dcs_posterior *post)
{
  const scales *s = post->target->data;
  work *w = post->data;
  const row *x = (const row *)post->x;
  row *m = (row *)post->m, mean = {};
  memset(w->kappa, 0, sizeof w->kappa);
  dot(post->target->d, x, x, w->x2);
  respond(post);
  for (int j = 0; j < s->k; j++)
    for (int p = 0; p < DCS_VECS; p++) mean[p] += w->r[j][p] * shrinkage(post, j);
  for (int p = 0; p < DCS_VECS; p++) {
    for (int j = 0; j < s->k; j++) {
      dcs_vec e = shrinkage(post, j) - mean[p];
      w->kappa[p] += w->r[j][p] * e * e;
    }
    w->noise[p] = post->sigma * post->sigma * mean[p];
  }
  for (int i = 0; i < post->target->d; i++)
    for (int p = 0; p < DCS_VECS; p++) m[i][p] = mean[p] * x[i][p];
}

/** out = scale v + rank_one x (x . v) */
static void rank_one_update(const dcs_posterior *post, const row scale, const row rank_one, const row *v, row *out)
{
  const row *x = (const row *)post->x;
  row along;
  dot(post->target->d, x, v, along);
  for (int p = 0; p < DCS_VECS; p++) along[p] *= rank_one[p];
  for (int i = 0; i < post->target->d; i++)
    for (int p = 0; p < DCS_VECS; p++) out[i][p] = scale[p] * v[i][p] + along[p] * x[i][p];
}

static void apply(dcs_posterior *post, const double *v, double *out)
{
  const work *w = post->data;
  rank_one_update(post, w->noise, w->kappa, (const row *)v, (row *)out);
}

static void trace(dcs_posterior *post, double *out)
{
  const work *w = post->data;
  for (int p = 0; p < DCS_VECS; p++) ((row *)out)[0][p] = post->target->d * w->noise[p] + w->kappa[p] * w->x2[p];
}

static void factor(dcs_posterior *post, double a, double b, double *log_det)
{
  work *w = post->data;
  for (int p = 0; p < DCS_VECS; p++) {
    dcs_vec scale = a + b * w->noise[p], slope = b * w->kappa[p] / scale;
    ((row *)log_det)[0][p] = post->target->d * dcs_vec_log(scale) + dcs_vec_log1p(slope * w->x2[p]);
    w->inverse[p] = 1.0 / scale;
    w->rank_one[p] = -slope / ((1.0 + slope * w->x2[p]) * scale);
  }
}

static void solve(dcs_posterior *post, const double *v, double *out)
{
  const work *w = post->data;
  rank_one_update(post, w->inverse, w->rank_one, (const row *)v, (row *)out);
}

/** sum_j r_j [(m_j - m)^3 + 3 (m_j - m) sigma^2 a_j], m_j - m = (a_j - a) x. */
static void third(dcs_posterior *post, double *out)
{
  const scales *s = post->target->data;
  const work *w = post->data;
  double sigma2 = post->sigma * post->sigma;
  const row *x = (const row *)post->x;
  for (int p = 0; p < DCS_VECS; p++) {
    dcs_vec sum = {}, mean = w->noise[p] / sigma2;
    for (int j = 0; j < s->k; j++) {
      double a = shrinkage(post, j);
      dcs_vec e = (a - mean) * x[0][p];
      sum += w->r[j][p] * e * (e * e + 3 * sigma2 * a);
    }
    ((row *)out)[0][p] = sum;
  }
}

/** sqrt(D) z + sqrt(kappa) x eta, eta from a fork of the stream. */
static void noise(dcs_posterior *post, dcs_stream stream, const dcs_lane_ids *ids, uint32_t step, double *out)
{
  const work *w = post->data;
  const row *x = (const row *)post->x;
  row along, spread, *z = (row *)out;
  dcs_stream_normal(dcs_stream_fork(stream, 0), ids, step, 1, (double *)along);
  dcs_stream_normal(stream, ids, step, post->target->d, out);
  for (int p = 0; p < DCS_VECS; p++) {
    along[p] *= dcs_vec_sqrt(w->kappa[p]);
    spread[p] = dcs_vec_sqrt(w->noise[p]);
  }
  for (int i = 0; i < post->target->d; i++)
    for (int p = 0; p < DCS_VECS; p++) z[i][p] = spread[p] * z[i][p] + along[p] * x[i][p];
}

/** X_u given component j and X_sigma = x: N(rho x, rho (sigma^2 - u^2) I), rho = (s_j^2 + u^2)/v_j. */
static void bridge(dcs_posterior *post, double u, dcs_stream stream, const dcs_lane_ids *ids, uint32_t step,
                   double *out)
{
  const scales *s = post->target->data;
  const work *w = post->data;
  const row *x = (const row *)post->x;
  int component[DCS_LANES];
  double gap = (post->sigma - u) * (post->sigma + u);
  row rho, spread, *z = (row *)out;
  dcs_component_choose(s->k, w->number, (const row *)w->r, stream, ids, step, component);
  dcs_stream_normal(stream, ids, step, post->target->d, out);
  for (int l = 0; l < DCS_LANES; l++) {
    double s2 = s->stddev[component[l]] * s->stddev[component[l]];
    ((double *)rho)[l] = (s2 + u * u) / (s2 + post->sigma * post->sigma);
  }
  for (int p = 0; p < DCS_VECS; p++) spread[p] = dcs_vec_sqrt(rho[p] * gap);
  for (int i = 0; i < post->target->d; i++)
    for (int p = 0; p < DCS_VECS; p++) z[i][p] = rho[p] * x[i][p] + spread[p] * z[i][p];
}

const dcs_law dcs_law_radial = {
    .name = "radial",
    .help = "mixture of centred isotropic Gaussians of different width, in any dimension",
    .params = params,
    .create = create,
    .destroy = destroy,
    .draw = draw,
    .flops = flops,
    .characteristic = characteristic,
    .gaussian = gaussian,
    .radial = radial,
    .posterior_create = posterior_create,
    .posterior_destroy = posterior_destroy,
    .at = at,
    .apply = apply,
    .trace = trace,
    .factor = factor,
    .solve = solve,
    .third = third,
    .noise = noise,
    .bridge = bridge,
};
