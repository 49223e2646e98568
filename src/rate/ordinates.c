#include "rate/ordinates.h"

#include <gsl/gsl_fit.h>
#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "rate/bootstrap.h"

dcs_status dcs_ordinates_create(int64_t most, dcs_ordinates *o)
{
  dcs_status st = DCS_OK;
  double **array[] = {&o->x, &o->y, &o->error, &o->bias, &o->weight, &o->pull};
  *o = (dcs_ordinates){0};
  for (size_t i = 0; i < sizeof array / sizeof *array; i++) DCS_TRY(dcs_alloc((size_t)most, sizeof **array, array[i]));
  DCS_TRY(dcs_alloc((size_t)most, sizeof *o->point, &o->point));
done:
  return st;
}

void dcs_ordinates_destroy(dcs_ordinates *o)
{
  double **array[] = {&o->x, &o->y, &o->error, &o->bias, &o->weight, &o->pull};
  for (size_t i = 0; i < sizeof array / sizeof *array; i++) dcs_free(array[i]);
  dcs_free(&o->point);
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

dcs_status dcs_ordinates_collect(const dcs_result *result, const dcs_curve *curve, int metric, const char *versus,
                                 const dcs_product *product, dcs_ordinates *o, dcs_error *err)
{
  dcs_status st = DCS_OK;
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
    for (int f = 0; product != NULL && f < product->count; f++) {
      DCS_TRY(positive(result, product->name[f], point, &x, err));
      o->y[k] += product->power[f] * log(x);
    }
    o->error[k] = e->std_error / e->value;
    double bias = e->bias_bound / e->value;
    o->bias[k] = bias < 1 ? -log1p(-bias) : INFINITY; /* the further of the two ends, log(1 - b) */
    o->n++;
  }
done:
  return st;
}

/** Weights, and the derivative of the slope with respect to each y. Returns false when there is only one abscissa. */
static bool weigh(dcs_ordinates *o, bool *exact)
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

bool dcs_ordinates_fit(dcs_ordinates *o, dcs_rate *rate)
{
  *rate = (dcs_rate){.n = o->n, .chi2_per_dof = NAN, .x_lo = o->x_lo, .x_hi = o->x_hi};
  if (o->n < 2 || !weigh(o, &rate->exact)) return false;
  double intercept, cov[3], chi2;
  gsl_fit_wlinear(o->x, 1, o->weight, 1, o->y, 1, (size_t)o->n, &intercept, &rate->slope, &cov[0], &cov[1], &cov[2],
                  &chi2);
  rate->prefactor = exp(intercept);
  if (!rate->exact && o->n > 2) rate->chi2_per_dof = chi2 / (o->error_min * o->error_min) / (double)(o->n - 2);
  rate->lo = rate->hi = rate->upper = rate->slope;
  return true;
}

static int compare_double(const void *a, const void *b)
{
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

dcs_status dcs_rate_percentiles(double *slope, dcs_rate *rate, dcs_error *err)
{
  int good = 0;
  for (int r = 0; r < DCS_REPLICATES; r++)
    if (!isnan(slope[r])) slope[good++] = slope[r];
  int bad = DCS_REPLICATES - good;
  if (bad > DCS_REPLICATES / 100)
    return dcs_fail(err, DCS_EREFUSED,
                    "the errors are too large for a rate: %d of %d replicates have none; raise stop.max_paths", bad,
                    DCS_REPLICATES);
  qsort(slope, (size_t)good, sizeof *slope, compare_double);
  int tail = DCS_REPLICATES / 40 - bad, tail_upper = DCS_REPLICATES / 20 - bad; /* 2.5% and 5% */
  rate->lo = slope[tail - 1];
  rate->hi = slope[good - tail];
  rate->upper = slope[good - tail_upper];
  return DCS_OK;
}

void dcs_ordinates_widen(const dcs_ordinates *o, dcs_rate *rate)
{
  double bias = 0;
  for (int64_t i = 0; i < o->n; i++)
    if (o->bias[i] > 0 && o->pull[i] != 0) bias += fabs(o->pull[i]) * o->bias[i];
  rate->lo -= bias;
  rate->hi += bias;
  rate->upper += bias;
}
