/** Claims that compare point by point. */
#include <float.h>
#include <math.h>

#include "base/memory.h"
#include "rate/row.h"

typedef struct {
  double value, lo, hi;
} interval;

static interval interval_of(const dcs_estimate *e)
{
  double half = 1.96 * e->std_error + e->bias_bound;
  return (interval){e->value, e->value - half, e->value + half};
}

static interval times(interval a, interval b)
{
  double end[4] = {a.lo * b.lo, a.lo * b.hi, a.hi * b.lo, a.hi * b.hi};
  return (interval){a.value * b.value, fmin(fmin(end[0], end[1]), fmin(end[2], end[3])),
                    fmax(fmax(end[0], end[1]), fmax(end[2], end[3]))};
}

/** What tells this point from the others that the claim speaks of: "sampler=ddim steps=64". *out is owned by the
 *  caller. */
static dcs_status point_label(const dcs_result *result, const dcs_claim *claim, int64_t point, char **out)
{
  int n_single = 0;
  dcs_curve *single = NULL; /* one per point */
  dcs_status st = dcs_curves_create(result, NULL, -1, NULL, claim->n_where, claim->where, &n_single, &single, NULL);
  *out = NULL;
  for (int s = 0; st == DCS_OK && *out == NULL && s < n_single; s++)
    if (single[s].point[0] == point) st = dcs_strdup(single[s].label, out);
  dcs_curves_destroy(n_single, &single);
  return st == DCS_OK && *out == NULL ? dcs_strdup("", out) : st;
}

dcs_status dcs_row_below(const dcs_result *result, const dcs_curve *curve, dcs_check_row *row)
{
  int metric = dcs_result_metric_find(result, row->claim->metric->name);
  int other = dcs_result_metric_find(result, row->claim->other->name);
  if (!dcs_row_complete(result, metric, curve, row) || !dcs_row_complete(result, other, curve, row)) return DCS_OK;
  dcs_estimate a, b;
  int64_t worst = -1;
  row->exact = true;
  for (int64_t i = 0; i < curve->n; i++) {
    int64_t point = curve->point[i];
    a = result->metric[metric].estimate[point];
    b = result->metric[other].estimate[point];
    double rounding = 16 * DBL_EPSILON * (fabs(a.value) + fabs(b.value)) + DBL_MIN;
    double allowance = 3 * hypot(a.std_error, b.std_error) + a.bias_bound + b.bias_bound + rounding;
    double excess = (a.value - b.value) / allowance;
    row->exact = row->exact && a.std_error == 0 && b.std_error == 0;
    if (worst < 0 || excess > row->value) {
      worst = point;
      row->value = row->lo = row->hi = excess;
    }
  }
  row->verdict = row->value <= 1 ? DCS_VERDICT_PASS : DCS_VERDICT_FAIL;
  a = result->metric[metric].estimate[worst];
  b = result->metric[other].estimate[worst];
  if (row->verdict == DCS_VERDICT_FAIL)
    dcs_row_note(row, "%s = %.4g (se %.2g) is not below %s = %.4g (se %.2g)", result->metric[metric].name, a.value,
                 a.std_error, result->metric[other].name, b.value, b.std_error);
  dcs_free(&row->where);
  return point_label(result, row->claim, worst, &row->where);
}

/** The factor to its power. A coordinate has no error. False when it may be zero or negative: it has no such power. */
static bool factor_power(const dcs_result *result, const char *name, double power, int64_t point, bool *exact,
                         interval *out)
{
  interval x;
  int m = dcs_result_metric_find(result, name);
  if (m >= 0) {
    const dcs_estimate *e = &result->metric[m].estimate[point];
    x = interval_of(e);
    *exact = *exact && e->std_error == 0;
  } else {
    double number = result->column[dcs_result_column_find(result, name)].number[point];
    x = (interval){number, number, number};
  }
  if (!(x.lo > 0)) return false;
  double a = pow(x.lo, power), b = pow(x.hi, power);
  *out = (interval){pow(x.value, power), fmin(a, b), fmax(a, b)};
  return true;
}

/** The largest of metric * product over the products of the claim. False, with a note, when a factor has no power. */
static bool scaled_value(const dcs_result *result, int metric, int64_t point, dcs_check_row *row, interval *out)
{
  static const dcs_product none = {0};
  const dcs_claim *claim = row->claim;
  const dcs_estimate *e = &result->metric[metric].estimate[point];
  int count = claim->n_products > 0 ? claim->n_products : 1;
  row->exact = row->exact && e->std_error == 0;
  for (int k = 0; k < count; k++) {
    const dcs_product *product = claim->n_products > 0 ? &claim->product[k] : &none;
    interval x = interval_of(e), power;
    for (int f = 0; f < product->count; f++) {
      if (!factor_power(result, product->name[f], product->power[f], point, &row->exact, &power)) {
        dcs_row_note(row, "%.60s is not clearly positive at point %lld", product->name[f], (long long)point);
        return false;
      }
      x = times(x, power);
    }
    *out = k == 0 ? x : (interval){fmax(out->value, x.value), fmax(out->lo, x.lo), fmax(out->hi, x.hi)};
  }
  return true;
}

/** Are all factors that are metrics measured on the curve, and the others numbers? */
static bool factors_complete(const dcs_result *result, const dcs_curve *curve, dcs_check_row *row)
{
  for (int k = 0; k < row->claim->n_products; k++) {
    const dcs_product *product = &row->claim->product[k];
    for (int f = 0; f < product->count; f++) {
      int m = dcs_result_metric_find(result, product->name[f]);
      if (m >= 0 && !dcs_row_complete(result, m, curve, row)) return false;
      int c = dcs_result_column_find(result, product->name[f]);
      if (m >= 0 || (c >= 0 && !result->column[c].is_text)) continue;
      dcs_row_note(row, "the result has no %s'%.60s'", c < 0 ? "" : "number ", product->name[f]);
      return false;
    }
  }
  return true;
}

dcs_status dcs_row_between(const dcs_result *result, const dcs_curve *curve, dcs_check_row *row)
{
  const dcs_claim *claim = row->claim;
  int metric = dcs_result_metric_find(result, claim->metric->name);
  if (!dcs_row_complete(result, metric, curve, row) || !factors_complete(result, curve, row)) return DCS_OK;
  int64_t at[2] = {-1, -1}; /* smallest, largest */
  interval x = {0}, all = {.value = -INFINITY, .lo = INFINITY, .hi = -INFINITY};
  double least = INFINITY;
  row->exact = true;
  for (int64_t i = 0; i < curve->n; i++) {
    int64_t point = curve->point[i];
    if (!scaled_value(result, metric, point, row, &x)) return DCS_OK;
    if (at[0] < 0 || x.value < least) at[0] = point;
    if (at[1] < 0 || x.value > all.value) at[1] = point;
    least = fmin(least, x.value);
    all = (interval){fmax(all.value, x.value), fmin(all.lo, x.lo), fmax(all.hi, x.hi)};
  }
  row->value = all.value;
  row->least = least;
  row->lo = all.lo;
  row->hi = all.hi;
  row->verdict = row->lo >= claim->lo && row->hi <= claim->hi ? DCS_VERDICT_PASS : DCS_VERDICT_FAIL;
  char *label[2] = {NULL, NULL};
  dcs_status st = DCS_OK;
  for (int k = 0; k < 2; k++) DCS_TRY(point_label(result, claim, at[k], &label[k]));
  if (at[0] != at[1]) dcs_row_note(row, "smallest at %.100s; largest at %.100s", label[0], label[1]);
done:
  for (int k = 0; k < 2; k++) dcs_free(&label[k]);
  return st;
}
