#include "metric/metric.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "metric/estimators.h"

/** The registries: a new estimator is one file and one line, a new metric is one entry. */
/* clang-format off */
static const dcs_estimator *const estimators[] = {
    &dcs_estimator_gaussian,
    &dcs_estimator_gaussian_path,
    &dcs_estimator_gaussian_chain,
    &dcs_estimator_gaussian_constant,
    &dcs_estimator_constant,
    &dcs_estimator_quadrature,
    &dcs_estimator_quadrature_path,
    &dcs_estimator_quadrature_chain,
    &dcs_estimator_quadrature_mmse,
    &dcs_estimator_quadrature_information,
    &dcs_estimator_ratio_factor,
    &dcs_estimator_ratio,
    &dcs_estimator_radial,
    &dcs_estimator_path,
    &dcs_estimator_information,
    &dcs_estimator_mmse,
    &dcs_estimator_smoothness,
    &dcs_estimator_chain,
    &dcs_estimator_coupling,
    &dcs_estimator_sliced,
    &dcs_estimator_assignment,
    &dcs_estimator_knn,
};
/* clang-format on */

/** Names of estimators, the preferred first. */
#define ANY_OF(...)                                                                                                    \
  (const char *const[]) { __VA_ARGS__, NULL }

static const dcs_metric metrics[] = {
    {.name = "kl",
     .unit = "nat",
     .long_name = "Kullback-Leibler divergence KL(q || p) of the output law p from the target q at delta",
     .help = "best estimator for the point: closed form, quadrature, chain of lengths, ratio per factor or joint",
     .source = "E_q[r - 1 - log r], r = p/q",
     .estimators = ANY_OF("gaussian", "quadrature", "radial", "ratio-factor", "ratio"),
     .quantity = "kl"},
    {.name = "kl_rev",
     .unit = "nat",
     .long_name = "reverse divergence KL(p || q)",
     .help = "best estimator for the point",
     .source = "E_q[r log r - r + 1], r = p/q",
     .estimators = ANY_OF("gaussian", "quadrature", "radial", "ratio-factor", "ratio"),
     .quantity = "kl_rev"},
    {.name = "chi2",
     .unit = "1",
     .long_name = "chi-square divergence E_q[(p/q - 1)^2]",
     .help = "best estimator for the point",
     .source = "E_q[(r - 1)^2], r = p/q",
     .estimators = ANY_OF("gaussian", "quadrature", "radial", "ratio-factor", "ratio"),
     .quantity = "chi2"},
    {.name = "mean_ratio",
     .unit = "1",
     .long_name = "E_q[p/q], which is 1: the built-in check of the ratio estimator",
     .help = "measured, also for Gaussian targets; of one factor when the target is a product",
     .source = "E_q[r], r = p/q",
     .estimators = ANY_OF("ratio-factor", "ratio"),
     .quantity = "mean_ratio"},
    {.name = "kl_ratio",
     .unit = "nat",
     .long_name = "KL(q || p) by the joint ratio estimator",
     .help = "forced, whatever else the point would allow",
     .source = "E_q[r - 1 - log r], r = p/q",
     .estimators = ANY_OF("ratio"),
     .quantity = "kl"},
    {.name = "kl_knn",
     .unit = "nat",
     .long_name = "KL(q || p) from nearest neighbours in samples: a cross-check in low dimension, biased in high",
     .help = "any target; rough: far too low where p is narrower than q, biased in d > 3",
     .source = "Wang, Kulkarni and Verdu 2009, k = 5",
     .estimators = ANY_OF("knn"),
     .quantity = "kl_knn",
     .companion = "kl_knn_floor"},
    {.name = "kl_knn_floor",
     .unit = "nat",
     .long_name = "what kl_knn gives for two samples of the target itself",
     .help = "measured beside kl_knn",
     .source = "Wang, Kulkarni and Verdu 2009, k = 5",
     .estimators = ANY_OF("knn"),
     .quantity = "kl_knn_floor"},
    {.name = "kl_path",
     .unit = "nat",
     .long_name = "path-space divergence of the sampler's chain from the exact reverse chain",
     .help = "samplers with noise",
     .source = "sum over steps of E KL(q(x'|x) || p(x'|x)); I-MMSE, Reeves and Pfister arXiv:2502.02305",
     .estimators = ANY_OF("gaussian-path", "quadrature-path", "path"),
     .quantity = "kl_path"},
    {.name = "information",
     .unit = "nat",
     .long_name = "mutual information gained from sigma_max to the last level, half the integral of mmse over snr",
     .help = "any target and sampler",
     .source = "I-MMSE, Guo, Shamai and Verdu 2005",
     .estimators = ANY_OF("gaussian", "quadrature-information", "information"),
     .quantity = "information"},
    {.name = "kl_chain",
     .unit = "nat",
     .long_name = "path-space divergence from the exact chain that shares the sampler's noise",
     .help = "samplers with noise",
     .source = "sum E|Phi_k(X) - F_k(X)|^2/(2 c_k^2), Phi the probability flow; Jain and Zhang arXiv:2508.16306 "
               "(our reading)",
     .estimators = ANY_OF("gaussian-chain", "quadrature-chain", "chain"),
     .quantity = "kl_chain"},
    {.name = "mmse",
     .unit = "data units squared",
     .long_name = "mean square error of the best denoiser, E tr C: at the last level, and at each under /levels",
     .help = "any target",
     .source = "E|X_0 - E[X_0|X_sigma]|^2",
     .estimators = ANY_OF("gaussian", "quadrature-mmse", "mmse"),
     .quantity = "mmse",
     .has_profile = true},
    {.name = "smoothness",
     .unit = "1",
     .long_name = "relaxed smoothness constant L: largest over the levels, and at each under /levels",
     .help = "quantile over X of |C/sigma^2 - I|_op; the quantile is `quantile` in the study",
     .source = "Jiao, Zhou and Li arXiv:2510.27562, Definition 1 (our reading)",
     .estimators = ANY_OF("gaussian", "smoothness"),
     .quantity = "smoothness",
     .has_profile = true},
    {.name = "kl_constant",
     .unit = "nat",
     .long_name = "limit of steps^2 KL(q || p) as steps grow, along this schedule",
     .help = "samplers whose noise is c^2 ~ 2 h sigma^2: ddpm-*, jain-zhang, ei-sde; cost does not depend on steps",
     .source = "1/2 H^2 E_q[(E[int g a(X_s, s) ds | X])^2], a = lim log rho_h / h^2",
     .estimators = ANY_OF("gaussian-constant", "constant"),
     .quantity = "kl_constant"},
    {.name = "w2",
     .unit = "data units",
     .long_name = "Wasserstein-2 distance between output law and target",
     .help = "Gaussian targets (Bures), independent one-dimensional parts (quantiles), rotation-invariant targets",
     .source = "closed form or quantile functions",
     .estimators = ANY_OF("gaussian", "quadrature", "radial"),
     .quantity = "w2"},
    {.name = "w2_coupling",
     .unit = "data units",
     .long_name = "upper bound of the Wasserstein-2 distance: sampler and exact chain run with the same noise",
     .help = "any target and one-score sampler or heun; loose for noisy samplers on separated modes, whose paths part",
     .source = "sqrt(E|Y - X|^2), X' = Phi(X) + c z",
     .estimators = ANY_OF("gaussian", "coupling"),
     .quantity = "w2_coupling"},
    {.name = "w2_sliced",
     .unit = "data units",
     .long_name = "sliced Wasserstein-2 distance between samples of output law and target",
     .help = "any target and sampler; compare with w2_sliced_floor",
     .source = "Bonneel et al. 2015",
     .estimators = ANY_OF("sliced"),
     .quantity = "w2_sliced",
     .companion = "w2_sliced_floor"},
    {.name = "w2_sliced_floor",
     .unit = "data units",
     .long_name = "what w2_sliced gives for two samples of the target itself",
     .help = "measured beside w2_sliced",
     .source = "Bonneel et al. 2015",
     .estimators = ANY_OF("sliced"),
     .quantity = "w2_sliced_floor"},
    {.name = "w2_assignment",
     .unit = "data units",
     .long_name = "Wasserstein-2 distance between samples of output law and target",
     .help = "any target and sampler; compare with w2_assignment_floor",
     .source = "optimal assignment, shortest augmenting paths",
     .estimators = ANY_OF("assignment"),
     .quantity = "w2_assignment",
     .companion = "w2_assignment_floor"},
    {.name = "w2_assignment_floor",
     .unit = "data units",
     .long_name = "what w2_assignment gives for two samples of the target itself",
     .help = "measured beside w2_assignment",
     .source = "optimal assignment, shortest augmenting paths",
     .estimators = ANY_OF("assignment"),
     .quantity = "w2_assignment_floor"},
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

int64_t dcs_estimator_groups(const dcs_estimator *estimator, const dcs_problem *problem)
{
  return estimator->groups == NULL ? 1 : estimator->groups(problem);
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
