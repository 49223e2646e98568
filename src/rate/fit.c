#include <gsl/gsl_fit.h>
#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "rate/bootstrap.h"
#include "rate/rate.h"

/** What is fitted, one entry per usable point. */
typedef struct {
  int64_t n, *point;
  double *x, *y;  /**< log of abscissa and ordinate */
  double *error;  /**< standard error of y */
  double *bias;   /**< bound on the bias of y */
  double *weight; /**< smallest error^2 / error^2 */
  double *pull;   /**< dslope / dy */
  double x_lo, x_hi, error_min;
} ordinates;

static void ordinates_free(ordinates *o)
{
  double **array[] = {&o->x, &o->y, &o->error, &o->bias, &o->weight, &o->pull};
  for (size_t i = 0; i < sizeof array / sizeof *array; i++) dcs_free(array[i]);
  dcs_free(&o->point);
}

bool dcs_rate_usable(const dcs_result *result, int metric, int64_t point)
{
  int status = result->status[point];
  if (status != DCS_POINT_OK && status != DCS_POINT_MAX_PATHS && status != DCS_POINT_REFUSED) return false;
  const dcs_estimate *e = &result->metric[metric].estimate[point];
  return isfinite(e->value) && isfinite(e->std_error) && e->std_error >= 0;
}

static dcs_status positive(const dcs_result *result, const char *name, int64_t point, double *out, dcs_error *err)
{
  int c = dcs_result_column_find(result, name);
  if (c < 0 || result->column[c].is_text)
    return dcs_fail(err, DCS_EARG, "'%s' is not a numeric coordinate of this result", name);
  *out = result->column[c].number[point];
  if (!(*out > 0) || !isfinite(*out))
    return dcs_fail(err, DCS_EARG, "%s = %g at point %lld has no logarithm", name, *out, (long long)point);
  return DCS_OK;
}

/** Collect the usable points of the curve. */
static dcs_status ordinates_create(const dcs_result *result, const dcs_curve *curve, int metric, const char *versus,
                                   int n_factors, char *const *factor, const double *power, ordinates *o,
                                   dcs_error *err)
{
  dcs_status st = DCS_OK;
  double **array[] = {&o->x, &o->y, &o->error, &o->bias, &o->weight, &o->pull};
  for (size_t i = 0; i < sizeof array / sizeof *array; i++)
    DCS_TRY(dcs_alloc((size_t)curve->n, sizeof **array, array[i]));
  DCS_TRY(dcs_alloc((size_t)curve->n, sizeof *o->point, &o->point));
  for (int64_t i = 0; i < curve->n; i++) {
    int64_t point = curve->point[i], k = o->n;
    if (!dcs_rate_usable(result, metric, point)) continue;
    const dcs_estimate *e = &result->metric[metric].estimate[point];
    if (e->value <= 0)
      return dcs_fail(err, DCS_EARG, "%s = %g at point %lld: a rate needs positive values", result->metric[metric].name,
                      e->value, (long long)point);
    o->point[k] = point;
    o->y[k] = log(e->value);
    double x = 0;
    DCS_TRY(positive(result, versus, point, &x, err));
    o->x[k] = log(x);
    o->x_lo = k == 0 ? x : fmin(o->x_lo, x);
    o->x_hi = fmax(o->x_hi, x);
    for (int f = 0; f < n_factors; f++) {
      DCS_TRY(positive(result, factor[f], point, &x, err));
      o->y[k] += power[f] * log(x);
    }
    o->error[k] = e->std_error / e->value;
    double bias = e->bias_bound / e->value;
    o->bias[k] = bias < 1 ? -log1p(-bias) : INFINITY; /* the further of the two ends, log(1 - b) */
    o->n++;
  }
done:
  return st;
}

/** Weights, and the derivative of the slope with respect to each log y. Returns false when there is only one abscissa.
 */
static bool weigh(ordinates *o, bool *exact)
{
  double w = 0, mean = 0, spread = 0;
  o->error_min = INFINITY;
  for (int64_t i = 0; i < o->n; i++)
    if (o->error[i] > 0) o->error_min = fmin(o->error_min, o->error[i]);
  *exact = isinf(o->error_min);
  for (int64_t i = 0; i < o->n; i++) {
    o->weight[i] = *exact ? 1 : pow(o->error_min / fmax(o->error[i], o->error_min), 2);
    w += o->weight[i];
    mean += (o->x[i] - mean) * o->weight[i] / w;
  }
  for (int64_t i = 0; i < o->n; i++) spread += o->weight[i] * pow(o->x[i] - mean, 2);
  if (!(spread > 1e-20 * w)) return false; /* abscissae that differ by less than 1e-10 relative are one */
  for (int64_t i = 0; i < o->n; i++) o->pull[i] = o->weight[i] * (o->x[i] - mean) / spread;
  return true;
}

static int compare_double(const void *a, const void *b)
{
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/** Percentiles of the slope over the replicates. One without a logarithm may lie anywhere, so it counts as beyond both
 *  ends of the interval. */
static dcs_status interval(const dcs_result *result, int metric, const ordinates *o, dcs_rate *rate, dcs_error *err)
{
  dcs_status st = DCS_OK;
  double *value = NULL, *slope = NULL;
  DCS_TRY(dcs_alloc(DCS_REPLICATES, sizeof *value, &value));
  DCS_TRY(dcs_alloc(DCS_REPLICATES, sizeof *slope, &slope));
  for (int64_t i = 0; i < o->n; i++) {
    if (o->error[i] == 0) continue; /* does not vary: does not move the slope */
    double centre = result->metric[metric].estimate[o->point[i]].value;
    DCS_TRY(dcs_bootstrap_values(result, metric, o->point[i], value, err));
    for (int r = 0; r < DCS_REPLICATES; r++) slope[r] += value[r] > 0 ? o->pull[i] * log(value[r] / centre) : NAN;
  }
  int good = 0;
  for (int r = 0; r < DCS_REPLICATES; r++)
    if (!isnan(slope[r])) slope[good++] = rate->slope + slope[r];
  int bad = DCS_REPLICATES - good;
  if (bad > DCS_REPLICATES / 100) {
    st = dcs_fail(err, DCS_EREFUSED,
                  "the errors are too large for a rate: %d of %d replicates are not positive; raise "
                  "stop.max_paths",
                  bad, DCS_REPLICATES);
    goto done;
  }
  qsort(slope, (size_t)good, sizeof *slope, compare_double);
  int tail = DCS_REPLICATES / 40 - bad, tail_upper = DCS_REPLICATES / 20 - bad; /* 2.5% and 5% */
  rate->lo = slope[tail - 1];
  rate->hi = slope[good - tail];
  rate->upper = slope[good - tail_upper];
done:
  dcs_free(&value);
  dcs_free(&slope);
  return st;
}

dcs_status dcs_rate_fit(const dcs_result *result, const dcs_curve *curve, const char *metric, const char *versus,
                        int n_factors, char *const *factor, const double *power, dcs_rate *rate, dcs_error *err)
{
  dcs_status st = DCS_OK;
  ordinates o = {0};
  *rate = (dcs_rate){0};
  int m = dcs_result_metric_find(result, metric);
  if (m < 0) return dcs_fail(err, DCS_EARG, "the result has no metric '%s'", metric);
  DCS_TRY(ordinates_create(result, curve, m, versus, n_factors, factor, power, &o, err));
  if (o.n < 2 || !weigh(&o, &rate->exact)) {
    st = dcs_fail(err, DCS_EARG, "a rate needs two usable points with different %s, there %s %lld", versus,
                  o.n == 1 ? "is" : "are", (long long)o.n);
    goto done;
  }
  double intercept, cov[3], chi2;
  gsl_fit_wlinear(o.x, 1, o.weight, 1, o.y, 1, (size_t)o.n, &intercept, &rate->slope, &cov[0], &cov[1], &cov[2], &chi2);
  rate->n = o.n;
  rate->prefactor = exp(intercept);
  rate->chi2_per_dof = NAN;
  rate->x_lo = o.x_lo;
  rate->x_hi = o.x_hi;
  double bias = 0;
  for (int64_t i = 0; i < o.n; i++)
    if (o.bias[i] > 0 && o.pull[i] != 0) bias += fabs(o.pull[i]) * o.bias[i];
  rate->lo = rate->hi = rate->upper = rate->slope;
  if (!rate->exact) {
    if (o.n > 2) rate->chi2_per_dof = chi2 / (o.error_min * o.error_min) / (double)(o.n - 2);
    DCS_TRY(interval(result, m, &o, rate, err));
  }
  rate->lo -= bias;
  rate->hi += bias;
  rate->upper += bias;
done:
  ordinates_free(&o);
  return st;
}

dcs_status dcs_rate_local(const dcs_result *result, const dcs_curve *curve, const char *metric, const char *versus,
                          int64_t *n, dcs_rate *local, dcs_error *err)
{
  *n = 0;
  int m = dcs_result_metric_find(result, metric);
  if (m < 0) return dcs_fail(err, DCS_EARG, "the result has no metric '%s'", metric);
  int64_t pair[2] = {-1, -1};
  for (int64_t i = 0; i < curve->n; i++) {
    if (!dcs_rate_usable(result, m, curve->point[i])) continue;
    pair[0] = pair[1];
    pair[1] = curve->point[i];
    if (pair[0] < 0) continue;
    dcs_error reason = {""}; /* of a refusal nobody needs to hear */
    dcs_curve two = {.n = 2, .point = pair};
    dcs_status st = dcs_rate_fit(result, &two, metric, versus, 0, NULL, NULL, &local[*n], &reason);
    if (st == DCS_EREFUSED) {
      local[*n].lo = -INFINITY;
      local[*n].hi = local[*n].upper = INFINITY;
    } else if (st != DCS_OK) {
      if (err != NULL) *err = reason;
      return st;
    }
    (*n)++;
  }
  return DCS_OK;
}
