#include <math.h>

#include "base/memory.h"
#include "rate/bootstrap.h"
#include "rate/ordinates.h"

bool dcs_rate_usable(const dcs_result *result, int metric, int64_t point)
{
  int status = result->status[point];
  if (status != DCS_POINT_OK && status != DCS_POINT_MAX_PATHS && status != DCS_POINT_REFUSED) return false;
  const dcs_estimate *e = &result->metric[metric].estimate[point];
  return isfinite(e->value) && isfinite(e->std_error) && e->std_error >= 0;
}

/** Interval from replicates of the slope; one without a logarithm has none. */
static dcs_status interval(const dcs_result *result, int metric, const dcs_ordinates *o, dcs_rate *rate, dcs_error *err)
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
  for (int r = 0; r < DCS_REPLICATES; r++) slope[r] += rate->slope;
  DCS_TRY(dcs_rate_percentiles(slope, rate, err));
done:
  dcs_free(&value);
  dcs_free(&slope);
  return st;
}

/** log x becomes log log(1/x). */
static dcs_status log_again(const char *versus, dcs_ordinates *o, dcs_error *err)
{
  for (int64_t i = 0; i < o->n; i++) {
    if (!(o->x[i] < 0))
      return dcs_fail(err, DCS_EARG, "%s = %g at point %lld: powers of log(1/%s) need values below 1", versus,
                      exp(o->x[i]), (long long)o->point[i], versus);
    o->x[i] = log(-o->x[i]);
  }
  return DCS_OK;
}

static dcs_status fit(const dcs_result *result, const dcs_curve *curve, const char *metric, const char *versus,
                      bool in_log, const dcs_product *product, dcs_rate *rate, dcs_error *err)
{
  dcs_status st = DCS_OK;
  dcs_ordinates o = {0};
  *rate = (dcs_rate){0};
  int m = dcs_result_metric_find(result, metric);
  if (m < 0) return dcs_fail(err, DCS_EARG, "the result has no metric '%s'", metric);
  DCS_TRY(dcs_ordinates_create(curve->n, &o));
  DCS_TRY(dcs_ordinates_collect(result, curve, m, versus, product, &o, err));
  if (in_log) DCS_TRY(log_again(versus, &o, err));
  if (!dcs_ordinates_fit(&o, rate)) {
    st = dcs_fail(err, DCS_EARG, "a rate needs two usable points with different %s, there %s %lld", versus,
                  o.n == 1 ? "is" : "are", (long long)o.n);
    goto done;
  }
  if (!rate->exact) DCS_TRY(interval(result, m, &o, rate, err));
  dcs_ordinates_widen(&o, rate);
done:
  dcs_ordinates_destroy(&o);
  return st;
}

dcs_status dcs_rate_fit(const dcs_result *result, const dcs_curve *curve, const char *metric, const char *versus,
                        const dcs_product *product, dcs_rate *rate, dcs_error *err)
{
  return fit(result, curve, metric, versus, false, product, rate, err);
}

dcs_status dcs_rate_fit_log(const dcs_result *result, const dcs_curve *curve, const char *metric, const char *versus,
                            dcs_rate *rate, dcs_error *err)
{
  return fit(result, curve, metric, versus, true, NULL, rate, err);
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
    dcs_status st = dcs_rate_fit(result, &two, metric, versus, NULL, &local[*n], &reason);
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
