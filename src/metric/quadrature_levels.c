/** The posterior variance along the levels, on targets whose independent parts are one-dimensional:
 *      mmse(sigma) = int q_sigma C dx,     information = 1/2 int_{gamma_0}^{gamma_N} mmse dgamma,   gamma = 1/sigma^2. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "metric/estimators.h"
#include "metric/exact.h"
#include "metric/quadrature.h"
#include "metric/quadrature_snr.h"

enum { VALUE, ERROR, QUANTITIES };

static double level_of(const dcs_steps *steps, int64_t k)
{
  return k < steps->count ? steps->step[k].sigma : steps->step[steps->count - 1].sigma_next;
}

static dcs_status measure_mmse(const dcs_target *part, const dcs_problem *problem, int64_t level, dcs_bounded *out)
{
  dcs_status st = DCS_OK;
  dcs_line line = {0};
  dcs_grid grid;
  double mmse[2];
  DCS_TRY(dcs_line_create(part, &line));
  DCS_TRY(dcs_line_resolve(&line, level_of(problem->steps, level), &grid, mmse));
  *out = dcs_quadrature_bounded(mmse[0], mmse[1]);
done:
  dcs_line_destroy(&line);
  return st;
}

static dcs_status measure_information(const dcs_target *part, const dcs_problem *problem, int64_t block,
                                      dcs_bounded *out)
{
  (void)block;
  dcs_status st = DCS_OK;
  dcs_snr snr = {0};
  double sum[2] = {0};
  DCS_TRY(dcs_snr_create(part, &snr));
  for (int k = 0; k < problem->steps->count; k++) {
    const dcs_step *s = &problem->steps->step[k];
    DCS_TRY(dcs_snr_interval(&snr, s->sigma, s->sigma_next));
    for (int r = 0; r < 2; r++) sum[r] += 0.5 * (snr.length * snr.mmse[r] - snr.fall[r]);
  }
  *out = dcs_quadrature_bounded(sum[0], sum[1]);
done:
  dcs_snr_destroy(&snr);
  return st;
}

static dcs_status check_mmse(const dcs_problem *problem, dcs_error *err)
{
  return dcs_quadrature_check(problem, "quadrature-mmse", err);
}

static dcs_status check_information(const dcs_problem *problem, dcs_error *err)
{
  return dcs_quadrature_check(problem, "quadrature-information", err);
}

static int64_t groups(const dcs_problem *problem) { return problem->steps->count + 1; }

static dcs_next plan_levels(const dcs_problem *problem, const dcs_stop *stop, const dcs_design *previous,
                            const dcs_sums *sums, dcs_design *next)
{
  dcs_next verdict = dcs_exact_plan(problem, stop, previous, sums, next);
  if (verdict == DCS_NEXT_RUN) next->blocks = groups(problem);
  return verdict;
}

static dcs_status block_mmse(const dcs_problem *problem, const dcs_design *design, int64_t number, dcs_block_work *work,
                             dcs_sums *sums, dcs_error *err)
{
  (void)design, (void)work;
  return dcs_quadrature_add(problem, number, "quadrature-mmse", measure_mmse, sums, err);
}

static dcs_status block_information(const dcs_problem *problem, const dcs_design *design, int64_t number,
                                    dcs_block_work *work, dcs_sums *sums, dcs_error *err)
{
  (void)design, (void)work;
  return dcs_quadrature_add(problem, number, "quadrature-information", measure_information, sums, err);
}

static void finish_mmse(const dcs_problem *problem, const dcs_design *design, const dcs_sums *sums,
                        dcs_estimate *estimates)
{
  dcs_quadrature_finish(problem, design, &sums[problem->steps->count], estimates);
}

static void profile(const dcs_problem *problem, const dcs_design *design, const dcs_sums *sums, int quantity,
                    dcs_estimate *out)
{
  for (int64_t k = 0; k < groups(problem); k++) {
    dcs_estimate both[QUANTITIES];
    dcs_quadrature_finish(problem, design, &sums[k], both);
    out[k] = both[quantity];
  }
}

static double flops_mmse(const dcs_problem *problem, const dcs_design *design)
{
  (void)design;
  return 2 * dcs_quadrature_flops(problem, level_of(problem->steps, problem->steps->count));
}

static double flops_information(const dcs_problem *problem, const dcs_design *design)
{
  (void)design;
  double sum = 0;
  for (int k = 0; k < problem->steps->count; k++)
    sum += DCS_SNR_EVALUATIONS * dcs_quadrature_flops(problem, problem->steps->step[k].sigma_next);
  return sum;
}

const dcs_estimator dcs_estimator_quadrature_mmse = {
    .name = "quadrature-mmse",
    .help = "posterior variance by trapezoid sums; targets whose independent parts are one-dimensional",
    .source = "int q C dx",
    .exact = true,
    .count = QUANTITIES,
    .quantity = {[VALUE] = "mmse", [ERROR] = "mmse_error"},
    .groups = groups,
    .check = check_mmse,
    .plan = plan_levels,
    .work_create = dcs_exact_work_create,
    .work_destroy = dcs_exact_work_destroy,
    .block = block_mmse,
    .finish = finish_mmse,
    .profile = profile,
    .flops = flops_mmse,
};

const dcs_estimator dcs_estimator_quadrature_information = {
    .name = "quadrature-information",
    .help = "integral of the posterior variance; targets whose independent parts are one-dimensional, any sampler",
    .source = "I-MMSE, Guo, Shamai and Verdu 2005",
    .exact = true,
    .count = QUANTITIES,
    .quantity = {[VALUE] = "information", [ERROR] = "information_error"},
    .check = check_information,
    .plan = dcs_exact_plan,
    .work_create = dcs_exact_work_create,
    .work_destroy = dcs_exact_work_destroy,
    .block = block_information,
    .finish = dcs_quadrature_finish,
    .flops = flops_information,
};
