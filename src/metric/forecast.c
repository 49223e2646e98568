#include "metric/forecast.h"

#include <string.h>

#include "base/memory.h"

#define NOISE 1e30 /**< variance of every quantity: no number of paths is enough */

/** The sums of every group after these blocks: the mean 1, but for what is a bias or a noise, and far from certain. */
static void fill(const dcs_estimator *estimator, const dcs_design *design, int64_t groups, dcs_sums *sums)
{
  for (int64_t g = 0; g < groups; g++) {
    sums[g].n = estimator->exact ? 0 : design->outer * (design->blocks / groups);
    for (int q = 0; q < estimator->count; q++) {
      const char *name = estimator->quantity[q];
      bool is_value = strstr(name, "bias") == NULL && strstr(name, "noise") == NULL && strstr(name, "variance") == NULL;
      sums[g].mean[q] = is_value;
      sums[g].m2[q] = NOISE * (double)sums[g].n;
    }
  }
}

dcs_status dcs_forecast_of(const dcs_estimator *estimator, const dcs_problem *problem, const dcs_stop *stop,
                           dcs_forecast *first, dcs_forecast *most)
{
  dcs_sums *sums = NULL;
  dcs_design next = {0};
  int64_t groups = dcs_estimator_groups(estimator, problem);
  dcs_status st = dcs_alloc((size_t)groups, sizeof *sums, &sums);
  *first = *most = (dcs_forecast){0};
  if (st != DCS_OK) return st;
  dcs_next verdict = estimator->plan(problem, stop, NULL, NULL, &next);
  for (dcs_design design = {0}; verdict == DCS_NEXT_RUN;) {
    bool goes_on = design.blocks > 0 && next.phase == design.phase;
    double blocks = (double)(next.blocks - (goes_on ? design.blocks : 0));
    if (!(blocks > 0)) break; /* a plan that stands still: tasks report it */
    most->blocks += blocks;
    most->flops += blocks * estimator->flops(problem, &next);
    if (design.blocks == 0) *first = *most;
    design = next;
    next = (dcs_design){0};
    fill(estimator, &design, groups, sums);
    verdict = estimator->plan(problem, stop, &design, sums, &next);
  }
  dcs_free(&sums);
  return DCS_OK;
}
