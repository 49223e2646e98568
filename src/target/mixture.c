/** Gaussian mixtures with isotropic components: X_0 ~ sum_j w_j N(mu_j, s_j^2 I); s_j = 0 gives atoms. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "target/mixture.h"
#include "target/tile.h"

enum { MAX_COMPONENTS = 4096 /**< the table of inner products takes 8 K^2 bytes on every rank */ };

static const dcs_param_def params[] = {
    {"d", DCS_PARAM_INT, "", 1, 1e6, NULL, "1", "dimension; may be left out when the means show it"},
    {"components", DCS_PARAM_INT, "", 1, MAX_COMPONENTS, NULL, "1", "number of components when the means are random"},
    {"means", DCS_PARAM_TABLE, "", -1e9, 1e9, NULL, "data units", "means, one row for each component"},
    {"separation", DCS_PARAM_REAL, "1", 0, 1e9, NULL, "data units",
     "random means: standard deviation of each of their coordinates"},
    {"means_seed", DCS_PARAM_INT, "1", 0, 2147483647, NULL, NULL, "random means: seed"},
    {"weights", DCS_PARAM_LIST, "", 0, 1, NULL, "1", "weights, summing to 1; equal when left out"},
    {"stddev", DCS_PARAM_LIST, "0", 0, 1e9, NULL, "data units",
     "standard deviation of every component, or one for each; 0: point masses"},
    DCS_LAW_COMMON_PARAMS};

static dcs_status sizes(const dcs_params *p, int *k, int *d, dcs_error *err)
{
  const dcs_param *means = dcs_params_find(p, "means");
  if (means->is_set) {
    if (dcs_params_is_set(p, "components") && dcs_params_int(p, "components") != means->rows)
      return dcs_fail(err, DCS_EUSAGE, "mixture: components is %d but means has %d rows",
                      dcs_params_int(p, "components"), means->rows);
    if (dcs_params_is_set(p, "d") && dcs_params_int(p, "d") != means->cols)
      return dcs_fail(err, DCS_EUSAGE,
                      "mixture: d is %d but means has %d columns (for one law per coordinate: product: true)",
                      dcs_params_int(p, "d"), means->cols);
    if (means->rows > MAX_COMPONENTS)
      return dcs_fail(err, DCS_EUSAGE, "mixture: %d means, more than %d", means->rows, MAX_COMPONENTS);
    *k = means->rows;
    *d = means->cols;
    return DCS_OK;
  }
  if (!dcs_params_is_set(p, "components") || !dcs_params_is_set(p, "d"))
    return dcs_fail(err, DCS_EUSAGE, "mixture: give means, or d and components for random means");
  *k = dcs_params_int(p, "components");
  *d = dcs_params_int(p, "d");
  return DCS_OK;
}

static void mixture_free(dcs_mixture *mix)
{
  dcs_free(&mix->weight);
  dcs_free(&mix->log_weight);
  dcs_free(&mix->s2);
  dcs_free(&mix->mu);
  dcs_free(&mix->mu_t);
  dcs_free(&mix->gram);
  dcs_free(&mix->norm2);
}

static void mixture_destroy(dcs_target *target)
{
  if (target->data != NULL) mixture_free(target->data);
  dcs_free(&target->data);
}

static dcs_status read_weights(const dcs_params *p, dcs_mixture *mix, dcs_error *err)
{
  const dcs_param *weights = dcs_params_find(p, "weights"), *stddev = dcs_params_find(p, "stddev");
  double sum = 0;
  if (weights->is_set && weights->rows != mix->k)
    return dcs_fail(err, DCS_EUSAGE, "mixture: %d weights for %d components", weights->rows, mix->k);
  if (stddev->rows != 1 && stddev->rows != mix->k)
    return dcs_fail(err, DCS_EUSAGE, "mixture: %d values of stddev for %d components (give 1 or %d)", stddev->rows,
                    mix->k, mix->k);
  for (int j = 0; j < mix->k; j++) {
    mix->weight[j] = weights->is_set ? weights->values[j] : 1.0 / mix->k;
    if (!(mix->weight[j] > 0)) return dcs_fail(err, DCS_EUSAGE, "mixture: weight %d is not positive", j + 1);
    double s = stddev->values[stddev->rows == 1 ? 0 : j];
    mix->s2[j] = s * s;
    if (mix->s2[j] != mix->s2[0]) mix->same_s2 = false;
    sum += mix->weight[j];
  }
  if (fabs(sum - 1) > 1e-9) return dcs_fail(err, DCS_EUSAGE, "mixture: weights sum to %.12g, not 1", sum);
  for (int j = 0; j < mix->k_padded; j++) {
    mix->weight[j] /= sum; /* exactly normalised up to rounding: 1e-9 would be a bias of every KL */
    mix->log_weight[j] = log(mix->weight[j]);
    if (j >= mix->k) mix->s2[j] = mix->s2[0];
  }
  return DCS_OK;
}

static void read_means(const dcs_params *p, const dcs_target *target, dcs_mixture *mix)
{
  const dcs_param *means = dcs_params_find(p, "means");
  int d = target->d;
  if (means->is_set) {
    memcpy(mix->mu, means->values, (size_t)mix->k * (size_t)d * sizeof *mix->mu);
    return;
  }
  dcs_stream stream = dcs_stream_create((uint64_t)dcs_params_int(p, "means_seed"), DCS_PURPOSE_TARGET, 0);
  double separation = dcs_params_real(p, "separation");
  for (int j = 0; j < mix->k; j++)
    for (int i = 0; i < d; i += 2) {
      double u[2];
      dcs_stream_uniform2_ref(stream, (uint64_t)j, 0, 0, (uint32_t)i / 2, u);
      double radius = separation * sqrt(-2 * log(u[0])), angle = 2 * acos(-1) * u[1];
      mix->mu[j * d + i] = radius * cos(angle);
      if (i + 1 < d) mix->mu[j * d + i + 1] = radius * sin(angle);
    }
}

/** Mean and total variance of the law; then centre the means and tabulate their inner products. */
static void centre(dcs_target *target, dcs_mixture *mix)
{
  int d = target->d, kp = mix->k_padded;
  for (int j = 0; j < mix->k; j++)
    for (int i = 0; i < d; i++) target->mean[i] += mix->weight[j] * mix->mu[j * d + i];
  target->variance = 0;
  for (int j = 0; j < mix->k; j++) {
    for (int i = 0; i < d; i++) mix->mu[j * d + i] -= target->mean[i];
    for (int i = 0; i < d; i++) mix->mu_t[i * kp + j] = mix->mu[j * d + i];
  }
  for (int j = 0; j < mix->k; j++)
    for (int l = 0; l <= j; l++) {
      double dot = 0;
      for (int i = 0; i < d; i++) dot += mix->mu[j * d + i] * mix->mu[l * d + i];
      mix->gram[j * kp + l] = mix->gram[l * kp + j] = dot;
    }
  for (int j = 0; j < mix->k; j++) {
    mix->norm2[j] = mix->gram[j * kp + j];
    target->variance += mix->weight[j] * (mix->norm2[j] + d * mix->s2[j]);
  }
}

static dcs_status mixture_create(const dcs_params *p, dcs_target *target, dcs_error *err)
{
  dcs_status st = DCS_OK;
  dcs_mixture *mix = NULL;
  DCS_TRY(dcs_alloc(1, sizeof *mix, &mix));
  target->data = mix;
  DCS_TRY(sizes(p, &mix->k, &target->d, err));
  mix->k_padded = dcs_tile_padded(mix->k);
  mix->same_s2 = true;
  size_t kp = (size_t)mix->k_padded, d = (size_t)target->d;
  DCS_TRY(dcs_alloc(kp, sizeof(double), &mix->weight));
  DCS_TRY(dcs_alloc(kp, sizeof(double), &mix->log_weight));
  DCS_TRY(dcs_alloc(kp, sizeof(double), &mix->s2));
  DCS_TRY(dcs_alloc(kp, sizeof(double), &mix->norm2));
  DCS_TRY(dcs_alloc(kp * d, sizeof(double), &mix->mu));
  DCS_TRY(dcs_alloc(kp * d, sizeof(double), &mix->mu_t));
  DCS_TRY(dcs_alloc(kp * kp, sizeof(double), &mix->gram));
  DCS_TRY(dcs_alloc(d, sizeof(double), &target->mean));
  DCS_TRY(read_weights(p, mix, err));
  read_means(p, target, mix);
  centre(target, mix);
done:
  return st;
}

/** Number of the first component whose cumulative weight exceeds u. */
static int pick(const dcs_mixture *mix, double u)
{
  for (int j = 0; j < mix->k - 1; j++) {
    u -= mix->weight[j];
    if (u < 0) return j;
  }
  return mix->k - 1;
}

/** x = centre + mu_c + (what is in x, scaled): the component's mean added lane by lane. */
static void add_component(const dcs_target *target, const int *component, double *restrict x)
{
  const dcs_mixture *mix = target->data;
  int d = target->d;
  for (int i = 0; i < d; i++)
    for (int l = 0; l < DCS_LANES; l++) x[i * DCS_LANES + l] += mix->mu[component[l] * d + i] + target->mean[i];
}

static void mixture_draw(const dcs_target *target, dcs_stream stream, const dcs_lane_ids *ids, uint32_t step, double *x)
{
  const dcs_mixture *mix = target->data;
  _Alignas(DCS_ALIGN) double u[DCS_LANES], unused[DCS_LANES];
  int component[DCS_LANES];
  dcs_stream_uniform2(stream, ids, step, DCS_MIXTURE_INDEX_COMPONENT, u, unused);
  for (int l = 0; l < DCS_LANES; l++) component[l] = pick(mix, u[l]);
  dcs_stream_normal(stream, ids, step, target->d, x);
  for (int i = 0; i < target->d; i++)
    for (int l = 0; l < DCS_LANES; l++) x[i * DCS_LANES + l] *= sqrt(mix->s2[component[l]]);
  add_component(target, component, x);
}

/** sum_j w_j exp(i omega . mu_j - s_j^2 |omega|^2 / 2) */
static void mixture_characteristic(const dcs_target *target, const double *omega, double *re, double *im)
{
  const dcs_mixture *mix = target->data;
  double square = 0, centre = 0;
  int d = target->d;
  for (int i = 0; i < d; i++) {
    square += omega[i] * omega[i];
    centre += omega[i] * target->mean[i];
  }
  *re = *im = 0;
  for (int j = 0; j < mix->k; j++) {
    double phase = centre, size = mix->weight[j] * exp(-0.5 * mix->s2[j] * square);
    for (int i = 0; i < d; i++) phase += omega[i] * mix->mu[j * d + i];
    *re += size * cos(phase);
    *im += size * sin(phase);
  }
}

static double mixture_flops(const dcs_target *target, bool factor)
{
  const dcs_mixture *mix = target->data;
  double k = mix->k, d = target->d;
  if (!factor) return 4 * d * k + 30 * k;
  return fmin(6 * k * k + k * k * k / 3, k * d * d + d * d * d / 3);
}

const dcs_law dcs_law_mixture = {
    .name = "mixture",
    .help = "mixture of K isotropic Gaussians with given or seeded random means; stddev 0 gives atoms",
    .params = params,
    .create = mixture_create,
    .destroy = mixture_destroy,
    .draw = mixture_draw,
    .flops = mixture_flops,
    .characteristic = mixture_characteristic,
    .posterior_create = dcs_mixture_posterior_create,
    .posterior_destroy = dcs_mixture_posterior_destroy,
    .at = dcs_mixture_at,
    .apply = dcs_mixture_apply,
    .trace = dcs_mixture_trace,
    .factor = dcs_mixture_factor,
    .solve = dcs_mixture_solve,
    .third = dcs_mixture_third,
    .noise = dcs_mixture_noise,
    .bridge = dcs_mixture_bridge,
};
