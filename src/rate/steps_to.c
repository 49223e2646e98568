#include <math.h>
#include <stdio.h>

#include "base/memory.h"
#include "rate/bootstrap.h"
#include "rate/ordinates.h"

/** A curve with its replicates, and what becomes of it at every eps. */
typedef struct {
  const dcs_result *result;
  int metric;
  dcs_ordinates curve; /**< log metric against log N */
  double *value;       /**< [curve.n][DCS_REPLICATES]: log metric of the replicates, -INFINITY when not positive */
  double *moved;       /**< [curve.n]: one such curve */
  dcs_ordinates steps; /**< log N against log(1/eps), of the eps inside */
  double *replicate;   /**< [steps.n][DCS_REPLICATES]: log N - y */
  double *sorted;      /**< [DCS_REPLICATES] */
} inversion;

/** Segment [i, i + 1] on which the line through the points comes down to `level` for good; -1 when it is nowhere above,
 *  n - 1 when it ends above. */
static int64_t last_descent(int64_t n, const double *y, double level)
{
  int64_t i = n - 1;
  while (i >= 0 && !(y[i] > level)) i--;
  return i;
}

/** log N at which the line through (x, y), x ascending, comes down to `level` for good; -INFINITY when it is nowhere
 *  above, INFINITY when it ends above. y = -INFINITY stands for the limit. */
static double invert(int64_t n, const double *x, const double *y, double level)
{
  int64_t i = last_descent(n, y, level);
  if (i < 0) return -INFINITY;
  return i == n - 1 ? INFINITY : x[i] + (x[i + 1] - x[i]) * (y[i] - level) / (y[i] - y[i + 1]);
}

/** Standard error of log N to first order in those of the two points it lies between. */
static double invert_error(const dcs_ordinates *o, double level)
{
  int64_t i = last_descent(o->n, o->y, level);
  double drop = o->y[i] - o->y[i + 1], scale = (o->x[i + 1] - o->x[i]) / (drop * drop);
  return scale * hypot((level - o->y[i + 1]) * o->error[i], (o->y[i] - level) * o->error[i + 1]);
}

static dcs_status collect(inversion *v, const dcs_curve *curve, const char *versus, dcs_error *err)
{
  dcs_status st = DCS_OK;
  dcs_ordinates *o = &v->curve;
  DCS_TRY(dcs_ordinates_create(curve->n, o));
  DCS_TRY(dcs_ordinates_collect(v->result, curve, v->metric, versus, NULL, o, err));
  if (o->n < 2) {
    st = dcs_fail(err, DCS_EARG, "two usable points with different %s are needed, there %s %lld", versus,
                  o->n == 1 ? "is" : "are", (long long)o->n);
    goto done;
  }
  for (int64_t i = 1; i < o->n; i++)
    if (!(o->x[i] > o->x[i - 1]))
      return dcs_fail(err, DCS_EARG, "points %lld and %lld have the same %s: 'per' has to tell them apart",
                      (long long)o->point[i - 1], (long long)o->point[i], versus);
  DCS_TRY(dcs_alloc((size_t)o->n * DCS_REPLICATES, sizeof *v->value, &v->value));
  DCS_TRY(dcs_alloc((size_t)o->n, sizeof *v->moved, &v->moved));
  for (int64_t i = 0; i < o->n; i++) {
    double *value = &v->value[i * DCS_REPLICATES];
    DCS_TRY(dcs_bootstrap_values(v->result, v->metric, o->point[i], value, err));
    for (int r = 0; r < DCS_REPLICATES; r++) value[r] = value[r] > 0 ? log(value[r]) : -INFINITY;
  }
done:
  return st;
}

/** log N on the curve of metric + sign * bias bound. */
static double invert_biased(inversion *v, double sign, double level)
{
  const dcs_ordinates *o = &v->curve;
  for (int64_t i = 0; i < o->n; i++) {
    const dcs_estimate *e = &v->result->metric[v->metric].estimate[o->point[i]];
    double shift = sign * e->bias_bound / e->value;
    if (isinf(shift)) return shift; /* an unknown bias leaves no bound */
    v->moved[i] = shift > -1 ? o->y[i] + log1p(shift) : -INFINITY;
  }
  return invert(o->n, o->x, v->moved, level);
}

/** Steps at one eps: the crossing, and when it is inside an entry of v->steps. */
static dcs_status cross(inversion *v, dcs_crossing *c)
{
  const dcs_ordinates *o = &v->curve;
  dcs_ordinates *s = &v->steps;
  double level = 2 * log(c->eps), centre = invert(o->n, o->x, o->y, level);
  double bias_lo = invert_biased(v, -1, level), bias_hi = invert_biased(v, 1, level);
  double *log_n = &v->replicate[s->n * DCS_REPLICATES];
  int before = 0, beyond = 0;
  for (int r = 0; r < DCS_REPLICATES; r++) {
    for (int64_t i = 0; i < o->n; i++) v->moved[i] = v->value[i * DCS_REPLICATES + r];
    double x = invert(o->n, o->x, v->moved, level);
    before += x == -INFINITY;
    beyond += x == INFINITY;
    log_n[r] = isfinite(x) ? x - centre : NAN;
  }
  *c = (dcs_crossing){.eps = c->eps, .steps = NAN, .lo = NAN, .hi = NAN};
  if (bias_hi == INFINITY || bias_lo == -INFINITY || before + beyond > DCS_REPLICATES / 100) {
    bool over = bias_hi == INFINITY || (bias_lo > -INFINITY && beyond > before);
    c->place = over ? DCS_CROSSING_BEYOND : DCS_CROSSING_BEFORE;
    return DCS_OK;
  }

  int64_t k = s->n++;
  s->x[k] = -log(c->eps);
  s->y[k] = centre;
  s->error[k] = invert_error(o, level);
  s->bias[k] = fmax(bias_hi - centre, centre - bias_lo);
  s->x_lo = k == 0 ? 1 / c->eps : fmin(s->x_lo, 1 / c->eps);
  s->x_hi = fmax(s->x_hi, 1 / c->eps);
  dcs_rate at = {0};
  for (int r = 0; r < DCS_REPLICATES; r++) v->sorted[r] = log_n[r];
  dcs_status st = dcs_rate_percentiles(v->sorted, &at, NULL);
  c->steps = exp(centre);
  c->lo = exp(at.lo + bias_lo);
  c->hi = exp(at.hi + bias_hi);
  return st;
}

/** Interval of the slope: every replicate of the curve has one slope, through all its N(eps). */
static dcs_status interval(inversion *v, dcs_rate *rate, dcs_error *err)
{
  for (int r = 0; r < DCS_REPLICATES; r++) {
    v->sorted[r] = rate->slope;
    for (int64_t k = 0; k < v->steps.n; k++) v->sorted[r] += v->steps.pull[k] * v->replicate[k * DCS_REPLICATES + r];
  }
  return dcs_rate_percentiles(v->sorted, rate, err);
}

/** Two digits, up (direction = 1) or down (-1). */
static double two_digits(double x, double direction)
{
  double unit = pow(10, floor(log10(x)) - 1);
  return direction > 0 ? ceil(x / unit) * unit : floor(x / unit) * unit;
}

/** Which steps or eps would give enough crossings. */
static dcs_status too_few(const inversion *v, const char *versus, int n_eps, const dcs_crossing *crossing,
                          dcs_error *err)
{
  const dcs_ordinates *o = &v->curve;
  const dcs_estimate *estimate = v->result->metric[v->metric].estimate;
  int before = 0, beyond = 0;
  for (int e = 0; e < n_eps; e++) {
    before += crossing[e].place == DCS_CROSSING_BEFORE;
    beyond += crossing[e].place == DCS_CROSSING_BEYOND;
  }
  double top = 0, bottom = 0; /* of the metric, where 3 standard errors and the bias leave no doubt */
  for (int64_t i = 0; i < o->n; i++) {
    const dcs_estimate *e = &estimate[o->point[i]];
    top = fmax(top, e->value - 3 * e->std_error - e->bias_bound);
    bottom = e->value + 3 * e->std_error + e->bias_bound; /* the last one stays */
  }
  char add[96], range[64] = "";
  if (before > 0 && beyond > 0)
    snprintf(add, sizeof add, "%.32s below %.6g and above %.6g", versus, o->x_lo, o->x_hi);
  else if (before > 0)
    snprintf(add, sizeof add, "%.32s below %.6g", versus, o->x_lo);
  else
    snprintf(add, sizeof add, "%.32s above %.6g", versus, o->x_hi);
  double eps_lo = two_digits(sqrt(bottom), 1), eps_hi = top > 0 ? two_digits(sqrt(top), -1) : 0;
  if (eps_hi > eps_lo) snprintf(range, sizeof range, ", or take eps from %.2g to %.2g", eps_lo, eps_hi);
  return dcs_fail(err, DCS_EARG, "%d of %d eps lie on the curve, %d are needed: add %s%s", (int)v->steps.n, n_eps,
                  DCS_CROSSINGS_MIN, add, range);
}

dcs_status dcs_rate_steps_to(const dcs_result *result, const dcs_curve *curve, const char *metric, const char *versus,
                             int n_eps, const double *eps, dcs_crossing *crossing, dcs_rate *rate, dcs_error *err)
{
  dcs_status st = DCS_OK;
  inversion v = {.result = result, .metric = dcs_result_metric_find(result, metric)};
  *rate = (dcs_rate){0};
  for (int e = 0; e < n_eps; e++) crossing[e] = (dcs_crossing){.eps = eps[e], .steps = NAN, .lo = NAN, .hi = NAN};
  if (v.metric < 0) return dcs_fail(err, DCS_EARG, "the result has no metric '%s'", metric);
  DCS_TRY(collect(&v, curve, versus, err));
  DCS_TRY(dcs_ordinates_create(n_eps, &v.steps));
  DCS_TRY(dcs_alloc((size_t)(n_eps + 1) * DCS_REPLICATES, sizeof *v.replicate, &v.replicate));
  DCS_TRY(dcs_alloc(DCS_REPLICATES, sizeof *v.sorted, &v.sorted));
  for (int e = 0; e < n_eps; e++) DCS_TRY(cross(&v, &crossing[e]));
  if (v.steps.n < DCS_CROSSINGS_MIN || !dcs_ordinates_fit(&v.steps, rate)) {
    st = too_few(&v, versus, n_eps, crossing, err);
    goto done;
  }
  rate->chi2_per_dof = NAN; /* the N(eps) of one curve are not independent */
  rate->exact = true;       /* any point of the curve may move a replicate's descent */
  for (int64_t i = 0; i < v.curve.n; i++) rate->exact = rate->exact && v.curve.error[i] == 0;
  if (!rate->exact) DCS_TRY(interval(&v, rate, err));
  dcs_ordinates_widen(&v.steps, rate);
done:
  dcs_ordinates_destroy(&v.curve);
  dcs_ordinates_destroy(&v.steps);
  dcs_free(&v.value);
  dcs_free(&v.moved);
  dcs_free(&v.replicate);
  dcs_free(&v.sorted);
  return st;
}
