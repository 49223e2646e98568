#include "schedule/schedule.h"

#include <gsl/gsl_errno.h>
#include <gsl/gsl_roots.h>
#include <math.h>
#include <string.h>

#include "base/memory.h"

static const dcs_param_def geometric_params[] = {
    {"sigma_max", DCS_PARAM_REAL, "20", 1e-6, 1e9, NULL, "data units", "largest noise level"}, {0}};

static const dcs_param_def li_yan_params[] = {{"c0", DCS_PARAM_REAL, "2", 0.1, 20, NULL, "1", "beta_1 = N^-c0"},
                                              {"c1", DCS_PARAM_REAL, "4", 0.1, 100, NULL, "1",
                                               "growth: beta_t+1 = (c1 log N / N) min{beta_1 (1 + c1 log N / N)^t, 1}"},
                                              {0}};

static dcs_status check_range(double sigma_max, double delta, dcs_error *err)
{
  if (delta < sigma_max * sigma_max) return DCS_OK;
  return dcs_fail(err, DCS_EUSAGE, "delta %g must be below sigma_max^2 = %g", delta, sigma_max * sigma_max);
}

/** Uniform in log sigma; the continuation keeps the ratio. */
static dcs_status geometric(const dcs_params *params, int steps, double delta, double *sigma, dcs_error *err)
{
  double sigma_max = dcs_params_real(params, "sigma_max");
  dcs_status st = check_range(sigma_max, delta, err);
  double top = log(sigma_max), range = top - 0.5 * log(delta);
  for (int k = 0; k <= steps + 1 && st == DCS_OK; k++) sigma[k] = exp(top - range * k / steps);
  sigma[0] = sigma_max;
  sigma[steps] = sqrt(delta);
  return st;
}

/** Uniform in the signal-to-noise ratio gamma = 1/sigma^2; the continuation keeps the difference. */
static dcs_status snr_uniform(const dcs_params *params, int steps, double delta, double *sigma, dcs_error *err)
{
  double sigma_max = dcs_params_real(params, "sigma_max"), gamma = 1 / (sigma_max * sigma_max);
  dcs_status st = check_range(sigma_max, delta, err);
  for (int k = 0; k <= steps + 1 && st == DCS_OK; k++) sigma[k] = 1 / sqrt(gamma + (1 / delta - gamma) * k / steps);
  sigma[0] = sigma_max;
  sigma[steps] = sqrt(delta);
  return st;
}

/** OU time of a level, sigma^2 = e^{2t} - 1, and back. */
static double time_of(double sigma) { return 0.5 * log1p(sigma * sigma); }
static double level_of(double t) { return sqrt(expm1(2 * t)); }

typedef struct {
  int steps;
  double t_start, log_t_end;
} jain_zhang_grid;

/** log of the time reached after all steps t <- t - c min{1, t}, less log of the wanted one; decreasing in c. */
static double jain_zhang_miss(double c, void *data)
{
  const jain_zhang_grid *g = data;
  double t = g->t_start;
  for (int k = 0; k < g->steps; k++) {
    if (t <= 1) return log(t) + (g->steps - k) * log1p(-c) - g->log_t_end; /* from here on the grid is geometric */
    t -= c;
  }
  return log(t) - g->log_t_end;
}

/** OU steps h_k = c min{1, t_k}, with c such that exactly `steps` of them lead from sigma_max to delta (Jain-Zhang, our
 *  reading of their step rule). */
static dcs_status jain_zhang(const dcs_params *params, int steps, double delta, double *sigma, dcs_error *err)
{
  double sigma_max = dcs_params_real(params, "sigma_max"), c = 0;
  jain_zhang_grid grid = {steps, time_of(sigma_max), log(time_of(sqrt(delta)))};
  gsl_function f = {jain_zhang_miss, &grid};
  double lo = 1e-15, hi = 1 - 1e-12;
  dcs_status st = check_range(sigma_max, delta, err);
  if (st != DCS_OK) return st;
  if (jain_zhang_miss(hi, &grid) > 0)
    return dcs_fail(err, DCS_EUSAGE, "the jain-zhang grid cannot reach delta %g in %d steps: raise steps", delta,
                    steps);
  gsl_root_fsolver *solver = gsl_root_fsolver_alloc(gsl_root_fsolver_brent);
  if (solver == NULL) return dcs_fail(err, DCS_ENOMEM, "out of memory");
  int rc = gsl_root_fsolver_set(solver, &f, lo, hi);
  for (int i = 0; rc == GSL_SUCCESS && i < 200; i++) {
    rc = gsl_root_fsolver_iterate(solver);
    if (gsl_root_test_interval(gsl_root_fsolver_x_lower(solver), gsl_root_fsolver_x_upper(solver), 0, 1e-15) ==
        GSL_SUCCESS)
      break;
  }
  c = gsl_root_fsolver_root(solver);
  gsl_root_fsolver_free(solver);
  if (rc != GSL_SUCCESS) return dcs_fail(err, DCS_ENUMERIC, "the jain-zhang grid: %s", gsl_strerror(rc));
  double t = grid.t_start;
  for (int k = 0; k <= steps + 1; k++) {
    sigma[k] = level_of(t);
    if (k == steps) t = time_of(sqrt(delta)); /* the continuation starts from the exact end */
    t = t > 1 ? t - c : t * (1 - c);
  }
  sigma[0] = sigma_max;
  sigma[steps] = sqrt(delta);
  return DCS_OK;
}

/** Variance-preserving schedule of Li and Yan: beta_1 = N^-c0, beta_{t+1} = (c1 log N/N) min{beta_1 (1 + c1 log N/N)^t,
 *  1}, alpha_bar_t = prod (1 - beta_i), sigma^2 = 1/alpha_bar - 1, levels t = N+1 ... 1: N steps. The continuation
 *  repeats the last ratio, because the level before t = 1 is zero noise. */
static dcs_status li_yan(const dcs_params *params, int steps, double delta, double *sigma, dcs_error *err)
{
  (void)delta;
  double n = steps, rate = dcs_params_real(params, "c1") * log(n) / n;
  double beta1 = pow(n, -dcs_params_real(params, "c0")), growth = beta1, log_alpha = 0, beta = beta1;
  if (steps < 2 || !(rate < 1))
    return dcs_fail(err, DCS_EUSAGE, "li-yan needs c1 log N / N < 1, it is %g at %d steps: raise steps or lower c1",
                    rate, steps);
  for (int t = 1; t <= steps + 1; t++) {
    log_alpha += log1p(-beta);
    sigma[steps + 1 - t] = sqrt(expm1(-log_alpha));
    growth *= 1 + rate;
    beta = rate * fmin(growth, 1);
  }
  sigma[steps + 1] = sigma[steps] * sigma[steps] / sigma[steps - 1];
  return DCS_OK;
}

/** The registry: a new rule is one function and one line here. */
static const dcs_schedule_rule rules[] = {
    {"geometric", "uniform in log sigma", geometric_params, true, geometric},
    {"snr-uniform", "uniform in the signal-to-noise ratio 1/sigma^2 (Reeves and Pfister arXiv:2502.02305)",
     geometric_params, true, snr_uniform},
    {"jain-zhang", "OU steps c min{1, t}, c chosen so that exactly N steps reach delta", geometric_params, true,
     jain_zhang},
    {"li-yan", "beta_t of Li and Yan; fixes sigma_max and delta by N, c0, c1", li_yan_params, false, li_yan},
};

const dcs_schedule_rule *dcs_schedule_at(int index)
{
  return index >= 0 && index < (int)(sizeof rules / sizeof *rules) ? &rules[index] : NULL;
}

const dcs_schedule_rule *dcs_schedule_find(const char *name)
{
  for (int i = 0; dcs_schedule_at(i) != NULL; i++)
    if (strcmp(rules[i].name, name) == 0) return &rules[i];
  return NULL;
}

dcs_status dcs_schedule_create(const dcs_schedule_rule *rule, const dcs_params *params, int steps, double delta,
                               dcs_schedule **out, dcs_error *err)
{
  dcs_status st = DCS_OK;
  dcs_schedule *schedule = NULL;
  DCS_TRY(dcs_alloc(1, sizeof *schedule, &schedule));
  schedule->steps = steps;
  DCS_TRY(dcs_alloc((size_t)steps + 2, sizeof *schedule->sigma, &schedule->sigma));
  DCS_TRY(rule->levels(params, steps, delta, schedule->sigma, err));
  for (int k = 0; k <= steps; k++)
    if (!(schedule->sigma[k] > schedule->sigma[k + 1]) || !(schedule->sigma[k + 1] > 0)) {
      st = dcs_fail(err, DCS_EUSAGE, "%s: level %d (%.17g) is not below level %d (%.17g): fewer steps or a wider range",
                    rule->name, k + 1, schedule->sigma[k + 1], k, schedule->sigma[k]);
      goto done;
    }
done:
  if (st != DCS_OK) dcs_schedule_destroy(&schedule);
  *out = schedule;
  return st;
}

void dcs_schedule_destroy(dcs_schedule **schedule)
{
  if (*schedule == NULL) return;
  dcs_free(&(*schedule)->sigma);
  dcs_free(schedule);
}
