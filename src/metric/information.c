/** Information that the last level holds about X_0 beyond the first,
 *      I(X_0; X_{sigma_N}) - I(X_0; X_{sigma_0}) = 1/2 int_{gamma_0}^{gamma_N} E tr C(X_gamma, 1/sqrt(gamma)) dgamma
 *  (I-MMSE, Guo, Shamai and Verdu 2005), by independent exact draws at a gamma uniform inside each step. The lanes of a
 *  tile share their gamma, so a tile is one sample of the sums. */
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "metric/estimators.h"
#include "metric/mean_design.h"
#include "metric/snr.h"

struct dcs_block_work {
  dcs_posterior *post;
  dcs_stream *draw; /**< [strata] */
  double *x, *z;    /**< [d][DCS_LANES] */
};

static dcs_status check(const dcs_problem *problem, dcs_error *err)
{
  (void)problem, (void)err;
  return DCS_OK;
}

static double path_flops(const dcs_problem *problem)
{
  int copies = 1;
  const dcs_target *target = dcs_target_factor(problem->target, &copies);
  return dcs_snr_strata(problem->steps->count) *
         (2 * dcs_target_flops(target, false) + 40.0 * dcs_target_dimension(target) + 100);
}

static dcs_next plan(const dcs_problem *problem, const dcs_stop *stop, const dcs_design *previous, const dcs_sums *sums,
                     dcs_design *next)
{
  return dcs_mean_plan(path_flops(problem), DCS_LANES, 1, (const bool[]){true}, stop, previous, sums, next);
}

static void work_destroy(dcs_block_work **work)
{
  if (*work == NULL) return;
  dcs_posterior_destroy(&(*work)->post);
  dcs_free(&(*work)->draw);
  dcs_free(&(*work)->x);
  dcs_free(&(*work)->z);
  dcs_free(work);
}

static dcs_status work_create(const dcs_problem *problem, dcs_block_work **out)
{
  dcs_status st = DCS_OK;
  dcs_block_work *work = NULL;
  int copies = 1, strata = dcs_snr_strata(problem->steps->count);
  const dcs_target *target = dcs_target_factor(problem->target, &copies);
  size_t n = (size_t)dcs_target_dimension(target) * DCS_LANES;
  dcs_stream draw = dcs_stream_create(problem->seed, DCS_PURPOSE_DRAW, problem->point);
  DCS_TRY(dcs_alloc(1, sizeof *work, &work));
  DCS_TRY(dcs_posterior_create(target, &work->post));
  DCS_TRY(dcs_alloc((size_t)strata, sizeof *work->draw, &work->draw));
  for (int i = 0; i < strata; i++) work->draw[i] = dcs_stream_fork(draw, (uint32_t)i);
  DCS_TRY(dcs_alloc(n, sizeof(double), &work->x));
  DCS_TRY(dcs_alloc(n, sizeof(double), &work->z));
done:
  if (st != DCS_OK) work_destroy(&work);
  *out = work;
  return st;
}

static dcs_status block(const dcs_problem *problem, const dcs_design *design, int64_t number, dcs_block_work *work,
                        dcs_sums *sums, dcs_error *err)
{
  const dcs_steps *steps = problem->steps;
  int copies = 1;
  const dcs_target *target = dcs_target_factor(problem->target, &copies);
  dcs_stream choice = dcs_stream_create(problem->seed, DCS_PURPOSE_PROPOSAL, problem->point);
  memset(sums, 0, sizeof *sums);
  for (int64_t first = 0; first < design->outer; first += DCS_LANES) {
    _Alignas(DCS_ALIGN) double trace[DCS_LANES];
    dcs_lane_ids ids = {0};
    double total = 0;
    for (int l = 0; l < DCS_LANES; l++) ids.path[l] = (uint64_t)(number * design->outer + first + l);
    for (int i = 0; i < dcs_snr_strata(steps->count); i++) {
      dcs_snr_pick pick = dcs_snr_choose(choice, ids.path[0], steps->count, i);
      const dcs_step *s = &steps->step[pick.step];
      double length = dcs_snr_length(s), level = dcs_snr_level(s->sigma, pick.u * length);
      dcs_sampler_draw(target, level, work->draw[i], &ids, work->x, work->z);
      dcs_posterior_at(work->post, level, work->x);
      dcs_posterior_trace(work->post, trace);
      for (int l = 0; l < DCS_LANES; l++) total += 0.5 * length * pick.weight * trace[l] / DCS_LANES;
    }
    if (!isfinite(total)) return dcs_fail(err, DCS_ENUMERIC, "information: a posterior variance is not finite");
    dcs_sums_add(sums, 1, &total);
  }
  return DCS_OK;
}

static void finish(const dcs_problem *problem, const dcs_design *design, const dcs_sums *sums, dcs_estimate *estimates)
{
  (void)design;
  int copies = 1;
  const dcs_target *target = dcs_target_factor(problem->target, &copies);
  dcs_estimate e = dcs_sums_estimate(sums, 0);
  *estimates = (dcs_estimate){.value = copies * e.value,
                              .std_error = copies * e.std_error,
                              .bias_bound = copies * e.value * dcs_snr_rounding(target, problem->steps),
                              .n = e.n};
}

static double flops(const dcs_problem *problem, const dcs_design *design)
{
  return path_flops(problem) * (double)design->outer;
}

const dcs_estimator dcs_estimator_information = {
    .name = "information",
    .help = "mean of tr C over exact draws at random signal-to-noise ratios; any target",
    .source = "1/2 int E tr C dgamma; Guo, Shamai and Verdu 2005",
    .count = 1,
    .quantity = {"information"},
    .check = check,
    .plan = plan,
    .work_create = work_create,
    .work_destroy = work_destroy,
    .block = block,
    .finish = finish,
    .flops = flops,
};
