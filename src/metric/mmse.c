/** Mean square error of the best denoiser at every level, E|X_0 - m(X_sigma)|^2 = E tr C(X_sigma), over exact draws. The
 *  trace is the square's mean given X_sigma, so it is the better sample of the two. Block b is at level b % (N + 1). */
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "metric/estimators.h"
#include "metric/level_design.h"
#include "metric/snr.h"

enum { FIRST_PATHS = 256 };

struct dcs_block_work {
  dcs_posterior *post;
  double *x, *z; /**< [d][DCS_LANES] */
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
  return 2 * dcs_target_flops(target, false) + 40.0 * dcs_target_dimension(target) + 100;
}

static dcs_next plan(const dcs_problem *problem, const dcs_stop *stop, const dcs_design *previous, const dcs_sums *sums,
                     dcs_design *next)
{
  double needed = 0;
  int64_t groups = dcs_level_groups(problem);
  for (int64_t k = 0; previous != NULL && k < groups; k++) {
    dcs_estimate e = dcs_sums_estimate(&sums[k], 0);
    if (e.std_error > 0) needed = fmax(needed, pow(e.std_error / (stop->rel_error * fabs(e.value)), 2));
  }
  return dcs_level_plan(path_flops(problem), DCS_LANES, FIRST_PATHS, DCS_LANES, groups, needed, stop, previous, next);
}

static void work_destroy(dcs_block_work **work)
{
  if (*work == NULL) return;
  dcs_posterior_destroy(&(*work)->post);
  dcs_free(&(*work)->x);
  dcs_free(&(*work)->z);
  dcs_free(work);
}

static dcs_status work_create(const dcs_problem *problem, dcs_block_work **out)
{
  dcs_status st = DCS_OK;
  dcs_block_work *work = NULL;
  int copies = 1;
  const dcs_target *target = dcs_target_factor(problem->target, &copies);
  size_t n = (size_t)dcs_target_dimension(target) * DCS_LANES;
  DCS_TRY(dcs_alloc(1, sizeof *work, &work));
  DCS_TRY(dcs_posterior_create(target, &work->post));
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
  int copies = 1;
  const dcs_target *target = dcs_target_factor(problem->target, &copies);
  double sigma = problem->schedule->sigma[number % dcs_level_groups(problem)];
  dcs_stream draw = dcs_stream_create(problem->seed, DCS_PURPOSE_DRAW, problem->point);
  draw = dcs_stream_fork(draw, (uint32_t)design->phase);
  memset(sums, 0, sizeof *sums);
  for (int64_t first = 0; first < design->outer; first += DCS_LANES) {
    _Alignas(DCS_ALIGN) double trace[DCS_LANES];
    dcs_lane_ids ids = {0};
    for (int l = 0; l < DCS_LANES; l++) ids.path[l] = (uint64_t)(number * design->outer + first + l);
    dcs_sampler_draw(target, sigma, draw, &ids, work->x, work->z);
    dcs_posterior_at(work->post, sigma, work->x);
    dcs_posterior_trace(work->post, trace);
    for (int l = 0; l < DCS_LANES; l++) dcs_sums_add(sums, 1, &trace[l]);
  }
  if (!isfinite(sums->mean[0]) || !isfinite(sums->m2[0]))
    return dcs_fail(err, DCS_ENUMERIC, "mmse: a posterior variance is not finite");
  return DCS_OK;
}

/** A mean that fewer than about 16 draws make up says little about the draws that were not seen: near point masses the
 *  posterior is certain but for rare x. Its bias is not known. */
#define RARE 0.25

/** Mean at level k. */
static dcs_estimate at_level(const dcs_problem *problem, const dcs_sums *sums, int64_t k)
{
  int copies = 1;
  const dcs_target *target = dcs_target_factor(problem->target, &copies);
  dcs_estimate e = dcs_sums_estimate(&sums[k], 0);
  bool rare = e.std_error > RARE * e.value;
  return (dcs_estimate){.value = copies * e.value,
                        .std_error = copies * e.std_error,
                        .bias_bound = rare ? INFINITY : copies * e.value * dcs_snr_rounding(target, problem->steps),
                        .n = e.n};
}

static void profile(const dcs_problem *problem, const dcs_design *design, const dcs_sums *sums, int quantity,
                    dcs_estimate *out)
{
  (void)design, (void)quantity;
  for (int64_t k = 0; k < dcs_level_groups(problem); k++) out[k] = at_level(problem, sums, k);
}

static void finish(const dcs_problem *problem, const dcs_design *design, const dcs_sums *sums, dcs_estimate *estimates)
{
  (void)design;
  *estimates = at_level(problem, sums, problem->steps->count);
}

static double flops(const dcs_problem *problem, const dcs_design *design)
{
  return path_flops(problem) * (double)design->outer;
}

const dcs_estimator dcs_estimator_mmse = {
    .name = "mmse",
    .help = "mean of tr C over exact draws at every level; any target",
    .source = "E|X_0 - E[X_0|X_sigma]|^2 = E tr C",
    .count = 1,
    .quantity = {"mmse"},
    .groups = dcs_level_groups,
    .check = check,
    .plan = plan,
    .work_create = work_create,
    .work_destroy = work_destroy,
    .block = block,
    .finish = finish,
    .profile = profile,
    .flops = flops,
};
