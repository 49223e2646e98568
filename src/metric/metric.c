#include "metric/metric.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "metric/estimators.h"

/** The registries: a new estimator is one file and one line, a new metric is one line. */
static const dcs_estimator *const estimators[] = {&dcs_estimator_gaussian, &dcs_estimator_ratio_factor,
                                                  &dcs_estimator_ratio};

static const char *const exact_or_ratio[] = {"gaussian", "ratio-factor", "ratio", NULL};
static const char *const ratio_only[] = {"ratio-factor", "ratio", NULL};
static const char *const joint_ratio[] = {"ratio", NULL};
static const char *const gaussian_only[] = {"gaussian", NULL};

static const dcs_metric metrics[] = {
    {"kl", "nat", "Kullback-Leibler divergence KL(q || p) of the output law p from the target q at delta",
     "best estimator for the point: closed form, per independent factor, or joint", "E_q[r - 1 - log r], r = p/q",
     exact_or_ratio, "kl"},
    {"kl_rev", "nat", "reverse divergence KL(p || q)", "best estimator for the point", "E_q[r log r - r + 1], r = p/q",
     exact_or_ratio, "kl_rev"},
    {"chi2", "1", "chi-square divergence E_q[(p/q - 1)^2]", "best estimator for the point", "E_q[(r - 1)^2], r = p/q",
     exact_or_ratio, "chi2"},
    {"mean_ratio", "1", "E_q[p/q], which is 1: the built-in check of the ratio estimator",
     "measured, also for Gaussian targets; of one factor when the target is a product", "E_q[r], r = p/q", ratio_only,
     "mean_ratio"},
    {"kl_ratio", "nat", "KL(q || p) by the joint ratio estimator", "forced, whatever else the point would allow",
     "E_q[r - 1 - log r], r = p/q", joint_ratio, "kl"},
    {"w2", "data units", "Wasserstein-2 distance between output law and target", "Gaussian targets (Bures)",
     "W2^2 = |m_p - m_q|^2 + sum (sqrt V - sqrt Q)^2", gaussian_only, "w2"},
};

const dcs_estimator *dcs_estimator_at(int index)
{
  return index >= 0 && index < (int)(sizeof estimators / sizeof *estimators) ? estimators[index] : NULL;
}

const dcs_estimator *dcs_estimator_find(const char *name)
{
  for (int i = 0; dcs_estimator_at(i) != NULL; i++)
    if (strcmp(estimators[i]->name, name) == 0) return estimators[i];
  return NULL;
}

const dcs_metric *dcs_metric_at(int index)
{
  return index >= 0 && index < (int)(sizeof metrics / sizeof *metrics) ? &metrics[index] : NULL;
}

const dcs_metric *dcs_metric_find(const char *name)
{
  for (int i = 0; dcs_metric_at(i) != NULL; i++)
    if (strcmp(metrics[i].name, name) == 0) return &metrics[i];
  return NULL;
}

dcs_status dcs_metric_choose(const dcs_metric *metric, const dcs_problem *problem, const dcs_estimator **estimator,
                             int *quantity, dcs_error *err)
{
  *estimator = NULL;
  for (int i = 0; metric->estimators[i] != NULL; i++) {
    const dcs_estimator *e = dcs_estimator_find(metric->estimators[i]);
    dcs_status st = e->check(problem, err);
    if (st == DCS_EARG) continue; /* not for this kind of target: try the next */
    *estimator = e;
    for (int q = 0; q < e->count; q++)
      if (strcmp(e->quantity[q], metric->quantity) == 0) *quantity = q;
    return st;
  }
  return dcs_fail(err, DCS_EREFUSED, "no instrument for this target; there is: %s", metric->help);
}

void dcs_problem_destroy(dcs_problem *problem)
{
  dcs_steps_destroy(&problem->steps);
  dcs_schedule_destroy(&problem->schedule);
  dcs_target_destroy(&problem->target);
}

void dcs_sums_add(dcs_sums *sums, int count, const double *values)
{
  sums->n++;
  for (int q = 0; q < count; q++) {
    double delta = values[q] - sums->mean[q];
    sums->mean[q] += delta / (double)sums->n;
    sums->m2[q] += delta * (values[q] - sums->mean[q]);
  }
}

void dcs_sums_merge(dcs_sums *into, const dcs_sums *from)
{
  if (into->n == 0) {
    *into = *from;
    return;
  }
  double n = (double)(into->n + from->n), share = (double)from->n / n;
  for (int q = 0; q < DCS_SUMS_MAX; q++) {
    double delta = from->mean[q] - into->mean[q];
    into->mean[q] += delta * share;
    into->m2[q] += from->m2[q] + delta * delta * share * (double)into->n;
  }
  into->n += from->n;
}

dcs_estimate dcs_sums_estimate(const dcs_sums *sums, int quantity)
{
  double n = (double)sums->n;
  return (dcs_estimate){.value = sums->mean[quantity],
                        .std_error = n > 1 ? sqrt(sums->m2[quantity] / (n * (n - 1))) : INFINITY,
                        .bias_bound = 0,
                        .n = sums->n};
}
