#include "support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h> /* needs the headers above */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

void must(dcs_status status, const dcs_error *err)
{
  if (status == DCS_OK) return;
  fprintf(stderr, "set-up failed: %s: %s\n", dcs_status_text(status), err == NULL ? "" : err->text);
  abort();
}

dcs_target *make_target(const char *law_name, const setting *settings)
{
  dcs_error err = {""};
  dcs_target *target = NULL;
  dcs_params params = {0};
  const dcs_law *law = dcs_law_find(law_name);
  must(law == NULL ? DCS_EARG : DCS_OK, NULL);
  must(dcs_params_create(dcs_law_params(law), &params), NULL);
  for (; settings->key != NULL; settings++)
    must(dcs_params_set(&params, settings->key, settings->rows, settings->cols, settings->values), NULL);
  must(dcs_params_default(&params, &err), &err);
  must(dcs_target_create(law, &params, &target, &err), &err);
  dcs_params_destroy(&params);
  return target;
}

dcs_target *sample_target(int index, const char **name)
{
  static const double d1 = 1, d3 = 3, d5 = 5, d40 = 40, k5 = 5, k7 = 7, k12 = 12, wide = 1.5, yes = 1, two = 2;
  static const double spectrum[] = {0.25, 1, 4}, mean3[] = {1, -2, 0.5};
  static const double asym[] = {-1, 1}, asym_w[] = {0.4, 0.6}, asym_s = 0.2;
  static const double plane[] = {-1, 0.5, 1, 1, 0, -1.5}, plane_w[] = {0.2, 0.3, 0.5}, plane_s[] = {0.1, 0.6, 0.3};
  static const double cube[] = {-1, -1, -1, -1, -1, 1, -1, 1, -1, -1, 1, 1, 1, -1, -1, 1, -1, 1, 1, 1, -1, 1, 1, 1};
  static const double s03 = 0.3, many_s[] = {0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7};
  static const double d2 = 2, d4 = 4, d6 = 6, w9 = 9, cloud[] = {0, 1, 0.5, -1, 0, 1, -2, 0.3}; /* one point twice */
  static const double cloud_w[] = {0.1, 0.3, 0.4, 0.2}, wide_s[] = {0.2, 1, 3}, wide_w[] = {0.5, 0.3, 0.2};
  static const double spike_s[] = {0, 1.5};
  const struct {
    const char *name, *law;
    setting set[6];
  } list[] = {
      {"gaussian, d = 3", "gaussian", {{"variance", 3, 1, spectrum}, {"mean", 3, 1, mean3}}},
      {"1-D mixture", "mixture", {{"means", 2, 1, asym}, {"weights", 2, 1, asym_w}, {"stddev", 1, 1, &asym_s}}},
      {"mixture with unequal variances, d = 2",
       "mixture",
       {{"means", 3, 2, plane}, {"weights", 3, 1, plane_w}, {"stddev", 3, 1, plane_s}}},
      {"atoms, d = 3, K = 8", "mixture", {{"means", 8, 3, cube}}},
      {"random mixture, d = 5, K = 12 (matrix d x d)",
       "mixture",
       {{"d", 1, 1, &d5}, {"components", 1, 1, &k12}, {"separation", 1, 1, &wide}, {"stddev", 1, 1, &s03}}},
      {"random mixture, d = 40, K = 5 (matrix K x K)",
       "mixture",
       {{"d", 1, 1, &d40}, {"components", 1, 1, &k5}, {"stddev", 1, 1, &s03}}},
      {"unequal variances, d = 40, K = 7 (matrix K x K)",
       "mixture",
       {{"d", 1, 1, &d40}, {"components", 1, 1, &k7}, {"stddev", 7, 1, many_s}}},
      {"product of a 1-D mixture, d = 5",
       "mixture",
       {{"means", 2, 1, asym},
        {"weights", 2, 1, asym_w},
        {"stddev", 1, 1, &asym_s},
        {"product", 1, 1, &yes},
        {"d", 1, 1, &d5}}},
      {"two copies of a mixture in d = 2",
       "mixture",
       {{"means", 3, 2, plane}, {"weights", 3, 1, plane_w}, {"stddev", 3, 1, plane_s}, {"copies", 1, 1, &two}}},
      {"product of a Gaussian, d = 3",
       "gaussian",
       {{"variance", 1, 1, &s03}, {"product", 1, 1, &yes}, {"d", 1, 1, &d3}}},
      {"one component, d = 1", "mixture", {{"means", 1, 1, &d1}, {"stddev", 1, 1, &s03}}},
      {"smoothed atoms, d = 2, K = 4",
       "atoms",
       {{"points", 4, 2, cloud}, {"weights", 4, 1, cloud_w}, {"stddev", 1, 1, &asym_s}}},
      {"codebook, d = 6, 9 words", "codebook", {{"d", 1, 1, &d6}, {"words", 1, 1, &w9}}},
      {"scale mixture, d = 3", "radial", {{"d", 1, 1, &d3}, {"stddevs", 3, 1, wide_s}, {"weights", 3, 1, wide_w}}},
      {"scale mixture with an atom, d = 1", "radial", {{"d", 1, 1, &d1}, {"stddevs", 2, 1, spike_s}}},
      {"scale mixture of one, d = 2", "radial", {{"d", 1, 1, &d2}, {"stddevs", 1, 1, &wide}}},
      {"a mixture in a plane of d = 6",
       "mixture",
       {{"means", 3, 2, plane}, {"weights", 3, 1, plane_w}, {"stddev", 3, 1, plane_s}, {"embed", 1, 1, &d6}}},
      {"a product in a plane of d = 4",
       "mixture",
       {{"means", 2, 1, asym},
        {"weights", 2, 1, asym_w},
        {"stddev", 1, 1, &asym_s},
        {"copies", 1, 1, &two},
        {"embed", 1, 1, &d4}}},
      {"a Gaussian in three of d = 4",
       "gaussian",
       {{"variance", 3, 1, spectrum}, {"mean", 3, 1, mean3}, {"embed", 1, 1, &d4}}},
      {"a rotated scale mixture, d = 3", "radial", {{"d", 1, 1, &d3}, {"stddevs", 3, 1, wide_s}, {"embed", 1, 1, &d3}}},
  };
  if (index >= (int)(sizeof list / sizeof *list)) return NULL;
  *name = list[index].name;
  return make_target(list[index].law, list[index].set);
}

dcs_problem make_problem(dcs_target *target, setup s)
{
  dcs_error err = {""};
  dcs_params params = {0};
  const dcs_schedule_rule *rule = dcs_schedule_find(s.levels == NULL ? "geometric" : s.levels);
  const dcs_sampler *sampler = dcs_sampler_find(s.sampler);
  must(rule == NULL || sampler == NULL ? DCS_EARG : DCS_OK, NULL);
  dcs_problem problem = {
      .target = target, .seed = s.seed, .point = 1, .quantile = DCS_QUANTILE_DEFAULT, .samples = DCS_SAMPLES_DEFAULT};
  must(dcs_params_create(rule->params, &params), NULL);
  if (rule->takes_delta) must(dcs_params_set(&params, "sigma_max", 1, 1, &s.sigma_max), NULL);
  must(dcs_params_default(&params, &err), &err);
  must(dcs_schedule_create(rule, &params, s.steps, s.delta, &problem.schedule, &err), &err);
  must(dcs_steps_create(sampler, s.lambda, s.init, problem.schedule, &problem.steps), NULL);
  dcs_params_destroy(&params);
  return problem;
}

dcs_next run_profile(const dcs_estimator *estimator, const dcs_problem *problem, dcs_stop stop, dcs_estimate *estimates,
                     dcs_design *last, int quantity, dcs_estimate *profile)
{
  dcs_error err = {""};
  dcs_design design = {0}, next = {0};
  int64_t groups = dcs_estimator_groups(estimator, problem);
  dcs_sums *total = NULL, sums;
  dcs_block_work *work = NULL;
  dcs_next verdict = DCS_NEXT_RUN;
  must(estimator->check(problem, &err), &err);
  must(estimator->work_create(problem, &work), NULL);
  must(dcs_alloc((size_t)groups, sizeof *total, &total), NULL);
  for (bool first = true;; first = false) {
    verdict = estimator->plan(problem, &stop, first ? NULL : &design, total, &next);
    if (verdict != DCS_NEXT_RUN) break;
    int64_t done = !first && next.phase == design.phase ? design.blocks : 0;
    design = next;
    for (int64_t b = done; b < design.blocks; b++) {
      must(estimator->block(problem, &design, b, work, &sums, &err), &err);
      if (b < groups)
        total[b] = sums;
      else
        dcs_sums_merge(&total[b % groups], &sums);
    }
  }
  estimator->work_destroy(&work);
  estimator->finish(problem, &design, total, estimates);
  if (profile != NULL) estimator->profile(problem, &design, total, quantity, profile);
  if (last != NULL) *last = design;
  dcs_free(&total);
  return verdict;
}

dcs_next run_estimator(const dcs_estimator *estimator, const dcs_problem *problem, dcs_stop stop,
                       dcs_estimate *estimates, dcs_design *last)
{
  return run_profile(estimator, problem, stop, estimates, last, 0, NULL);
}

int quantity_of(const dcs_estimator *estimator, const char *name)
{
  for (int q = 0; q < estimator->count; q++)
    if (strcmp(estimator->quantity[q], name) == 0) return q;
  abort();
}

void near_or_fail(double value, double expected, double tolerance, const char *file, int line)
{
  if (fabs(value - expected) <= tolerance) return;
  print_error("%.17g, expected %.17g within %.3g: off by %.3g\n", value, expected, tolerance, value - expected);
  _fail(file, line);
}

dcs_lane_ids lane_ids(uint64_t first)
{
  dcs_lane_ids ids = {0};
  for (uint64_t l = 0; l < DCS_LANES; l++) ids.path[l] = first + l;
  return ids;
}
