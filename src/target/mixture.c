/** Gaussian mixtures with isotropic components: X_0 ~ sum_j w_j N(mu_j, s_j^2 I); s_j = 0 gives atoms. */
#include "target/mixture.h"

#include <cblas.h>
#include <math.h>
#include <string.h>

#include "base/memory.h"

static const dcs_param_def params[] = {
    {"d", DCS_PARAM_INT, "", 1, 1e6, NULL, "1", "dimension; may be left out when the means show it"},
    {"components", DCS_PARAM_INT, "", 1, DCS_MIXTURE_MOST, NULL, "1", "number of components when the means are random"},
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

void dcs_mixture_destroy(dcs_target *target)
{
  dcs_mixture *mix = target->data;
  if (mix == NULL) return;
  dcs_weights_destroy(&mix->weights);
  dcs_free(&mix->s2);
  dcs_free(&mix->stddev);
  dcs_free(&mix->mu);
  dcs_free(&mix->norm2);
  dcs_free(&mix->gram);
  dcs_free(&target->data);
}

/** Mean of the law, the means about it, their lengths and the total variance. */
static void centre(dcs_target *target, dcs_mixture *mix)
{
  int d = target->d;
  for (int j = 0; j < mix->k; j++)
    for (int i = 0; i < d; i++) target->mean[i] += mix->weights.weight[j] * mix->mu[j * d + i];
  target->variance = 0;
  for (int j = 0; j < mix->k; j++) {
    double dot = 0;
    for (int i = 0; i < d; i++) {
      mix->mu[j * d + i] -= target->mean[i];
      dot += mix->mu[j * d + i] * mix->mu[j * d + i];
    }
    mix->norm2[j] = dot;
    target->variance += mix->weights.weight[j] * (dot + d * mix->s2[j]);
  }
}

/** All inner products of the centred means. */
static void tabulate(int d, dcs_mixture *mix)
{
  cblas_dsyrk(CblasRowMajor, CblasLower, CblasNoTrans, mix->k, d, 1, mix->mu, d, 0, mix->gram, mix->k);
  for (int j = 0; j < mix->k; j++)
    for (int l = 0; l < j; l++) mix->gram[l * mix->k + j] = mix->gram[j * mix->k + l];
}

dcs_status dcs_mixture_check_size(const char *law, int k, int d, dcs_error *err)
{
  if (k <= DCS_MIXTURE_MOST && (int64_t)k * d <= DCS_MIXTURE_MOST_NUMBERS) return DCS_OK;
  return dcs_fail(err, DCS_EUSAGE, "%s: %d components in d = %d: more than %d components or %d numbers", law, k, d,
                  DCS_MIXTURE_MOST, DCS_MIXTURE_MOST_NUMBERS);
}

/** dcs_mixture_build with s2[0] for all components or s2[j] for each. */
static dcs_status build(dcs_target *target, int k, int d, const double *means, const double *weights, const double *s2,
                        bool s2_for_each, dcs_error *err)
{
  dcs_status st = DCS_OK;
  dcs_mixture *mix = NULL;
  size_t n = (size_t)k, numbers = n * (size_t)d;
  bool all_zero = true;
  DCS_TRY(dcs_mixture_check_size(target->law->name, k, d, err));
  DCS_TRY(dcs_alloc(1, sizeof *mix, &mix));
  target->data = mix;
  target->d = d;
  mix->k = k;
  mix->same_s2 = true;
  DCS_TRY(dcs_weights_create(target->law->name, k, weights, &mix->weights, err));
  DCS_TRY(dcs_alloc(n, sizeof(double), &mix->s2));
  DCS_TRY(dcs_alloc(n, sizeof(double), &mix->norm2));
  DCS_TRY(dcs_alloc(numbers, sizeof(double), &mix->mu));
  DCS_TRY(dcs_alloc((size_t)d, sizeof(double), &target->mean));
  memcpy(mix->mu, means, numbers * sizeof *means);
  for (size_t i = 0; i < numbers && all_zero; i++) all_zero = means[i] == 0;
  for (int j = 0; j < k; j++) {
    mix->s2[j] = s2[s2_for_each ? j : 0];
    if (mix->s2[j] != mix->s2[0]) mix->same_s2 = false;
  }
  centre(target, mix);
  if (k <= DCS_MIXTURE_GRAM_MOST) {
    DCS_TRY(dcs_alloc(n * n, sizeof(double), &mix->gram));
    tabulate(d, mix);
  }
  if (all_zero) DCS_TRY(dcs_alloc(n, sizeof(double), &mix->stddev));
  for (int j = 0; j < k && all_zero; j++) mix->stddev[j] = sqrt(mix->s2[j]);
done:
  return st;
}

dcs_status dcs_mixture_build(dcs_target *target, int k, int d, const double *means, const double *weights,
                             const double *s2, dcs_error *err)
{
  return build(target, k, d, means, weights, s2, true, err);
}

dcs_status dcs_mixture_build_equal(dcs_target *target, int k, int d, const double *means, const double *weights,
                                   double s2, dcs_error *err)
{
  return build(target, k, d, means, weights, &s2, false, err);
}

static dcs_status create(const dcs_params *p, dcs_target *target, dcs_error *err)
{
  dcs_status st = DCS_OK;
  const dcs_param *table = dcs_params_find(p, "means"), *stddev = dcs_params_find(p, "stddev");
  const double *weights = NULL;
  double *drawn = NULL, *s2 = NULL;
  int k = 0, d = 0;
  DCS_TRY(sizes(p, &k, &d, err));
  DCS_TRY(dcs_mixture_check_size("mixture", k, d, err));
  DCS_TRY(dcs_weights_param("mixture", p, k, &weights, err));
  if (stddev->rows != 1 && stddev->rows != k) {
    st = dcs_fail(err, DCS_EUSAGE, "mixture: %d values of stddev for %d components (give 1 or %d)", stddev->rows, k, k);
    goto done;
  }
  DCS_TRY(dcs_alloc((size_t)stddev->rows, sizeof *s2, &s2));
  for (int j = 0; j < stddev->rows; j++) s2[j] = stddev->values[j] * stddev->values[j];
  if (!table->is_set) {
    dcs_stream stream =
        dcs_stream_create((uint64_t)dcs_params_int(p, "means_seed"), DCS_PURPOSE_TARGET, DCS_LAW_STREAM_MEANS);
    DCS_TRY(dcs_alloc((size_t)k * (size_t)d, sizeof *drawn, &drawn));
    for (size_t j = 0; j < (size_t)k; j++)
      dcs_law_normals(stream, j, d, dcs_params_real(p, "separation"), drawn + j * (size_t)d);
  }
  DCS_TRY(build(target, k, d, table->is_set ? table->values : drawn, weights, s2, stddev->rows > 1, err));
done:
  dcs_free(&drawn);
  dcs_free(&s2);
  return st;
}

void dcs_mixture_draw(const dcs_target *target, dcs_stream stream, const dcs_lane_ids *ids, uint32_t step, double *x)
{
  const dcs_mixture *mix = target->data;
  int component[DCS_LANES], d = target->d;
  double spread[DCS_LANES];
  dcs_weights_draw(&mix->weights, stream, ids, step, component);
  for (int l = 0; l < DCS_LANES; l++) spread[l] = sqrt(mix->s2[component[l]]);
  dcs_stream_normal(stream, ids, step, d, x);
  for (int i = 0; i < d; i++)
    for (int l = 0; l < DCS_LANES; l++) x[i * DCS_LANES + l] *= spread[l];
  for (int i = 0; i < d; i++)
    for (int l = 0; l < DCS_LANES; l++) x[i * DCS_LANES + l] += mix->mu[component[l] * d + i] + target->mean[i];
}

/** sum_j w_j exp(i omega . mu_j - s_j^2 |omega|^2 / 2) */
void dcs_mixture_characteristic(const dcs_target *target, const double *omega, double *re, double *im)
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
    double phase = centre, size = mix->weights.weight[j] * exp(-0.5 * mix->s2[j] * square);
    for (int i = 0; i < d; i++) phase += omega[i] * mix->mu[j * d + i];
    *re += size * cos(phase);
    *im += size * sin(phase);
  }
}

int dcs_mixture_radial(const dcs_target *target, const double **weight, const double **stddev)
{
  const dcs_mixture *mix = target->data;
  *weight = mix->weights.weight;
  *stddev = mix->stddev;
  return mix->stddev == NULL ? 0 : mix->k;
}

double dcs_mixture_flops(const dcs_target *target, bool factor)
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
    .create = create,
    DCS_MIXTURE_OPS,
};
