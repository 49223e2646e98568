/** X_0 ~ N(mean, diag lambda): the oracle. Noise is isotropic, so a rotation of the spectrum changes nothing.
 *      m_i = mean_i + a_i (x_i - mean_i),   a_i = lambda_i/(lambda_i + sigma^2),   C = diag(a_i sigma^2). */
#include <math.h>

#include "base/memory.h"
#include "numerics/vmath.h"
#include "target/law.h"

#define LOG_TWO_PI 1.8378770664093454835606594728112

typedef dcs_vec row[DCS_VECS];

typedef struct {
  double *lambda;        /**< [d] variances */
  double weight, stddev; /**< the law as a scale mixture of one component */
  bool rotation_invariant;
} spectrum;

typedef struct {
  double *jacobian; /**< [d] a + b C_ii of the last factorisation */
} work;

static const dcs_param_def params[] = {
    {"d", DCS_PARAM_INT, "", 1, 1e6, NULL, "1", "dimension; may be left out when variance or mean is a list"},
    {"variance", DCS_PARAM_LIST, "1", 0, 1e12, NULL, "data units^2", "variance, or the whole spectrum"},
    {"decay", DCS_PARAM_REAL, "0", 0, 100, NULL, "1", "variance i is multiplied by i^-decay (i = 1...d)"},
    {"mean", DCS_PARAM_LIST, "0", -1e9, 1e9, NULL, "data units", "mean, or one for each coordinate"},
    DCS_LAW_COMMON_PARAMS};

static void destroy(dcs_target *target)
{
  spectrum *s = target->data;
  if (s != NULL) dcs_free(&s->lambda);
  dcs_free(&target->data);
}

static dcs_status create(const dcs_params *p, dcs_target *target, dcs_error *err)
{
  const dcs_param *variance = dcs_params_find(p, "variance"), *mean = dcs_params_find(p, "mean");
  int longest = variance->rows > mean->rows ? variance->rows : mean->rows;
  int d = dcs_params_is_set(p, "d") ? dcs_params_int(p, "d") : longest;
  double decay = dcs_params_real(p, "decay");
  spectrum *s = NULL;
  dcs_status st = DCS_OK;
  if ((variance->rows != 1 && variance->rows != d) || (mean->rows != 1 && mean->rows != d))
    return dcs_fail(err, DCS_EUSAGE, "gaussian: %d values of variance and %d of mean for d = %d (give 1 or %d)",
                    variance->rows, mean->rows, d, d);
  target->d = d;
  DCS_TRY(dcs_alloc((size_t)d, sizeof *target->mean, &target->mean));
  DCS_TRY(dcs_alloc(1, sizeof *s, &s));
  target->data = s;
  DCS_TRY(dcs_alloc((size_t)d, sizeof *s->lambda, &s->lambda));
  s->rotation_invariant = true;
  for (int i = 0; i < d; i++) {
    target->mean[i] = mean->values[mean->rows == 1 ? 0 : i];
    s->lambda[i] = variance->values[variance->rows == 1 ? 0 : i] * pow(i + 1, -decay);
    target->variance += s->lambda[i];
    if (target->mean[i] != 0 || s->lambda[i] != s->lambda[0]) s->rotation_invariant = false;
  }
  s->weight = 1;
  s->stddev = sqrt(s->lambda[0]);
done:
  return st;
}

static const double *lambda_of(const dcs_target *target) { return ((const spectrum *)target->data)->lambda; }

static const double *gaussian(const dcs_target *target, const double **mean)
{
  *mean = target->mean;
  return lambda_of(target);
}

static int radial(const dcs_target *target, const double **weight, const double **stddev)
{
  const spectrum *s = target->data;
  *weight = &s->weight;
  *stddev = &s->stddev;
  return s->rotation_invariant ? 1 : 0;
}

/** exp(i omega . mean - 1/2 sum lambda_i omega_i^2) */
static void characteristic(const dcs_target *target, const double *omega, double *re, double *im)
{
  const double *lambda = lambda_of(target);
  double phase = 0, square = 0;
  for (int i = 0; i < target->d; i++) {
    phase += omega[i] * target->mean[i];
    square += lambda[i] * omega[i] * omega[i];
  }
  *re = exp(-0.5 * square) * cos(phase);
  *im = exp(-0.5 * square) * sin(phase);
}

static void draw(const dcs_target *target, dcs_stream stream, const dcs_lane_ids *ids, uint32_t step, double *x)
{
  const double *lambda = lambda_of(target);
  dcs_stream_normal(stream, ids, step, target->d, x);
  for (int i = 0; i < target->d; i++)
    for (int l = 0; l < DCS_LANES; l++) x[i * DCS_LANES + l] = target->mean[i] + sqrt(lambda[i]) * x[i * DCS_LANES + l];
}

static double flops(const dcs_target *target, bool factor) { return factor ? 2.0 * target->d : 8.0 * target->d; }

static void posterior_destroy(dcs_posterior *post)
{
  work *w = post->data;
  if (w != NULL) dcs_free(&w->jacobian);
  dcs_free(&post->data);
}

static dcs_status posterior_create(dcs_posterior *post)
{
  dcs_status st = DCS_OK;
  work *w = NULL;
  DCS_TRY(dcs_alloc(1, sizeof *w, &w));
  post->data = w;
  DCS_TRY(dcs_alloc((size_t)post->target->d, sizeof(double), &w->jacobian));
done:
  return st;
}

static double covariance(const dcs_posterior *post, int i)
{
  const double *lambda = lambda_of(post->target);
  double sigma2 = post->sigma * post->sigma;
  return lambda[i] * sigma2 / (lambda[i] + sigma2);
}

static void at(dcs_posterior *post)
{
  const dcs_target *target = post->target;
  const double *lambda = lambda_of(target);
  double sigma2 = post->sigma * post->sigma, log_v = 0;
  const row *x = (const row *)post->x;
  row *m = (row *)post->m, *log_q = (row *)post->log_q;
  row sum = {};
  for (int i = 0; i < target->d; i++) {
    double v = lambda[i] + sigma2, a = lambda[i] / v;
    log_v += log(v);
    for (int p = 0; p < DCS_VECS; p++) {
      dcs_vec e = x[i][p] - target->mean[i];
      sum[p] += e * e / v;
      m[i][p] = target->mean[i] + a * e;
    }
  }
  for (int p = 0; p < DCS_VECS; p++) (*log_q)[p] = -0.5 * (target->d * LOG_TWO_PI + log_v + sum[p]);
}

static void apply(dcs_posterior *post, const double *v, double *out)
{
  for (int i = 0; i < post->target->d; i++) {
    double c = covariance(post, i);
    for (int l = 0; l < DCS_LANES; l++) out[i * DCS_LANES + l] = c * v[i * DCS_LANES + l];
  }
}

static void trace(dcs_posterior *post, double *out)
{
  double sum = 0;
  for (int i = 0; i < post->target->d; i++) sum += covariance(post, i);
  for (int l = 0; l < DCS_LANES; l++) out[l] = sum;
}

static void factor(dcs_posterior *post, double a, double b, double *log_det)
{
  work *w = post->data;
  double sum = 0;
  for (int i = 0; i < post->target->d; i++) {
    w->jacobian[i] = a + b * covariance(post, i);
    sum += log(w->jacobian[i]);
  }
  for (int l = 0; l < DCS_LANES; l++) log_det[l] = sum;
}

static void solve(dcs_posterior *post, const double *v, double *out)
{
  const work *w = post->data;
  for (int i = 0; i < post->target->d; i++)
    for (int l = 0; l < DCS_LANES; l++) out[i * DCS_LANES + l] = v[i * DCS_LANES + l] / w->jacobian[i];
}

static void third(dcs_posterior *post, double *out)
{
  (void)post;
  for (int l = 0; l < DCS_LANES; l++) out[l] = 0;
}

static void noise(dcs_posterior *post, dcs_stream stream, const dcs_lane_ids *ids, uint32_t step, double *out)
{
  dcs_stream_normal(stream, ids, step, post->target->d, out);
  for (int i = 0; i < post->target->d; i++) {
    double spread = sqrt(covariance(post, i));
    for (int l = 0; l < DCS_LANES; l++) out[i * DCS_LANES + l] *= spread;
  }
}

/** X_u | X_sigma = x: mean_i + rho (x_i - mean_i) + N(0, rho (sigma^2 - u^2)), rho = (lambda_i + u^2)/(lambda_i +
 *  sigma^2). */
static void bridge(dcs_posterior *post, double u, dcs_stream stream, const dcs_lane_ids *ids, uint32_t step,
                   double *out)
{
  const dcs_target *target = post->target;
  const double *lambda = lambda_of(target);
  double sigma2 = post->sigma * post->sigma, gap = (post->sigma - u) * (post->sigma + u);
  dcs_stream_normal(stream, ids, step, target->d, out);
  for (int i = 0; i < target->d; i++) {
    double rho = (lambda[i] + u * u) / (lambda[i] + sigma2), spread = sqrt(rho * gap);
    for (int l = 0; l < DCS_LANES; l++) {
      int k = i * DCS_LANES + l;
      out[k] = target->mean[i] + rho * (post->x[k] - target->mean[i]) + spread * out[k];
    }
  }
}

const dcs_law dcs_law_gaussian = {
    .name = "gaussian",
    .help = "normal law with any spectrum and mean; every number about it is exact",
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
