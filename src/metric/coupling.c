/** Upper bound of the Wasserstein-2 distance: the sampler Y and the exact chain X run with the same random numbers.
 *
 *      Y' = F_k(Y) + c_k z,   X' = Phi_k(X) + c_k z,   Phi_k the probability flow from sigma_k to u_k, u_k^2 =
 *  sigma_{k+1}^2 - c_k^2, so that X_k ~ q_{sigma_k} and W2^2 <= E|Y_N - X_N|^2. They start from the same draw: init
 *  exact Y_0 = X_0; else X_0 = data + sigma_0 z and Y_0 = sqrt(1 + sigma_0^2) z (prior) or E data + sigma_0 z (mean).
 *
 *  What the flow gets wrong displaces X_N by some e_N, and the square root of the mean by at most sqrt(E|e_N|^2). The
 *  estimated errors e of the flow are carried along to first order, the flow's derivative by one Euler step:
 *      e' = (u/sigma) e + (1 - u/sigma) (C/sigma^2) e + (error of this step). */
#include <float.h>
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "metric/estimators.h"
#include "metric/flow.h"
#include "metric/mean_design.h"
#include "sampler/map.h"

enum { SQUARE, ERROR_SQUARE, QUANTITIES };

/** Error of the flow over all steps, in units of the distance |Y - X|. */
#define FLOW_FRACTION 1e-2

struct dcs_block_work {
  dcs_map *map;
  dcs_posterior *exact; /**< at the exact chain's place */
  dcs_flow *flow;
  double *x, *y, *z, *phi, *error, *moved; /**< [d][DCS_LANES] */
};

static dcs_status check(const dcs_problem *problem, dcs_error *err)
{
  const dcs_steps *steps = problem->steps;
  if (steps->sampler->kind != DCS_MAP_ONE_SCORE && steps->sampler->kind != DCS_MAP_HEUN)
    return dcs_fail(err, DCS_EREFUSED,
                    "coupling: %s adds noise that depends on the state; the exact chain has no such "
                    "noise to share (w2_sliced and w2_assignment compare samples)",
                    steps->sampler->name);
  for (int k = 0; k < steps->count; k++) {
    const dcs_step *s = &steps->step[k];
    if (!(s->u2 > 0))
      return dcs_fail(
          err, DCS_EREFUSED,
          "coupling: step %d of %d is too coarse: its noise c^2 = %.3g is not below sigma'^2 = %.3g; use more steps",
          k + 1, steps->count, s->c2, s->sigma_next * s->sigma_next);
  }
  return DCS_OK;
}

static double path_flops(const dcs_problem *problem)
{
  double d = dcs_target_dimension(problem->target);
  return problem->steps->count * (9 * dcs_target_flops(problem->target, false) + 200 * d + 50);
}

static double flops(const dcs_problem *problem, const dcs_design *design)
{
  return path_flops(problem) * (double)design->outer;
}

/** The relative error of a square root is half that of its argument. */
static dcs_next plan(const dcs_problem *problem, const dcs_stop *stop, const dcs_design *previous, const dcs_sums *sums,
                     dcs_design *next)
{
  const bool wanted[QUANTITIES] = {[SQUARE] = true};
  const dcs_stop of_square = {.rel_error = 2 * stop->rel_error, .max_paths = stop->max_paths};
  return dcs_mean_plan(path_flops(problem), DCS_LANES, QUANTITIES, wanted, &of_square, previous, sums, next);
}

static void work_destroy(dcs_block_work **work)
{
  if (*work == NULL) return;
  dcs_map_destroy(&(*work)->map);
  dcs_posterior_destroy(&(*work)->exact);
  dcs_flow_destroy(&(*work)->flow);
  dcs_free(&(*work)->x);
  dcs_free(&(*work)->y);
  dcs_free(&(*work)->z);
  dcs_free(&(*work)->phi);
  dcs_free(&(*work)->error);
  dcs_free(&(*work)->moved);
  dcs_free(work);
}

static dcs_status work_create(const dcs_problem *problem, dcs_block_work **out)
{
  dcs_status st = DCS_OK;
  dcs_block_work *work = NULL;
  size_t n = (size_t)dcs_target_dimension(problem->target) * DCS_LANES;
  DCS_TRY(dcs_alloc(1, sizeof *work, &work));
  DCS_TRY(dcs_map_create(problem->target, problem->steps, &work->map));
  DCS_TRY(dcs_posterior_create(problem->target, &work->exact));
  DCS_TRY(dcs_flow_create(problem->target, &work->flow));
  DCS_TRY(dcs_alloc(n, sizeof(double), &work->x));
  DCS_TRY(dcs_alloc(n, sizeof(double), &work->y));
  DCS_TRY(dcs_alloc(n, sizeof(double), &work->z));
  DCS_TRY(dcs_alloc(n, sizeof(double), &work->phi));
  DCS_TRY(dcs_alloc(n, sizeof(double), &work->error));
  DCS_TRY(dcs_alloc(n, sizeof(double), &work->moved));
done:
  if (st != DCS_OK) work_destroy(&work);
  *out = work;
  return st;
}

static void start(const dcs_problem *problem, dcs_stream draw, const dcs_lane_ids *ids, dcs_block_work *work)
{
  const dcs_steps *steps = problem->steps;
  double sigma = steps->step[0].sigma;
  int d = dcs_target_dimension(problem->target);
  size_t n = (size_t)d * DCS_LANES;
  memset(work->error, 0, n * sizeof(double));
  dcs_sampler_draw(problem->target, sigma, draw, ids, work->x, work->z);
  if (steps->init == DCS_INIT_EXACT) {
    memcpy(work->y, work->x, n * sizeof(double));
    return;
  }
  double spread = steps->init == DCS_INIT_PRIOR ? sqrt(1 + sigma * sigma) : sigma;
  dcs_stream_normal(draw, ids, DCS_DRAW_NOISE, d, work->z); /* what X_0 has in it */
  for (int i = 0; i < d; i++)
    for (int l = 0; l < DCS_LANES; l++)
      work->y[i * DCS_LANES + l] = spread * work->z[i * DCS_LANES + l] +
                                   (steps->init == DCS_INIT_MEAN ? dcs_target_mean(problem->target)[i] : 0);
}

/** X' = Phi_k(X), Y' = F_k(Y) and the error of X'. */
static dcs_status move(const dcs_problem *problem, int k, dcs_block_work *work)
{
  const dcs_step *s = &problem->steps->step[k];
  int n = dcs_target_dimension(problem->target) * DCS_LANES;
  double u = sqrt(s->u2), fall = u / s->sigma, rise = (1 - fall) / (s->sigma * s->sigma);
  dcs_map_at(work->map, k, work->y);
  dcs_posterior_at(work->exact, s->sigma, work->x);
  dcs_posterior_apply(work->exact, work->error, work->moved);
  const double *f = dcs_map_value(work->map), *step_error = dcs_flow_error(work->flow);
  dcs_status st = dcs_flow_against(work->flow, s->sigma, u, FLOW_FRACTION / problem->steps->count,
                                   dcs_posterior_mean(work->exact), work->x, f, work->phi);
  if (st != DCS_OK) return st;
  for (int i = 0; i < n; i++) {
    work->error[i] = fall * work->error[i] + rise * work->moved[i] + step_error[i];
    work->x[i] = work->phi[i];
    work->y[i] = f[i];
  }
  return DCS_OK;
}

/** Sums of one tile of pairs. */
static dcs_status add_tile(const dcs_problem *problem, dcs_stream draw, dcs_stream noise, const dcs_lane_ids *ids,
                           dcs_block_work *work, dcs_sums *sums, dcs_error *err)
{
  int d = dcs_target_dimension(problem->target);
  start(problem, draw, ids, work);
  for (int k = 0; k < problem->steps->count; k++) {
    if (move(problem, k, work) != DCS_OK)
      return dcs_fail(err, DCS_ENUMERIC, "coupling: the probability flow of step %d could not be followed", k + 1);
    if (problem->steps->step[k].c2 == 0) continue;
    double c = sqrt(problem->steps->step[k].c2);
    dcs_stream_normal(noise, ids, (uint32_t)k, d, work->z);
    for (int i = 0; i < d * DCS_LANES; i++) {
      work->x[i] += c * work->z[i];
      work->y[i] += c * work->z[i];
    }
  }
  double distance2[DCS_LANES] = {0}, error2[DCS_LANES] = {0};
  for (int i = 0; i < d; i++)
    for (int l = 0; l < DCS_LANES; l++) {
      int j = i * DCS_LANES + l;
      distance2[l] += (work->y[j] - work->x[j]) * (work->y[j] - work->x[j]);
      error2[l] += work->error[j] * work->error[j];
    }
  for (int l = 0; l < DCS_LANES; l++) {
    if (!isfinite(distance2[l]) || !isfinite(error2[l]))
      return dcs_fail(err, DCS_ENUMERIC, "coupling: a distance is not finite; use more steps");
    dcs_sums_add(sums, QUANTITIES, (const double[QUANTITIES]){[SQUARE] = distance2[l], [ERROR_SQUARE] = error2[l]});
  }
  return DCS_OK;
}

static dcs_status block(const dcs_problem *problem, const dcs_design *design, int64_t number, dcs_block_work *work,
                        dcs_sums *sums, dcs_error *err)
{
  dcs_status st = DCS_OK;
  dcs_stream draw = dcs_stream_create(problem->seed, DCS_PURPOSE_DRAW, problem->point);
  dcs_stream noise = dcs_stream_create(problem->seed, DCS_PURPOSE_STEP, problem->point);
  memset(sums, 0, sizeof *sums);
  for (int64_t first = 0; first < design->outer; first += DCS_LANES) {
    dcs_lane_ids ids = {0};
    for (int l = 0; l < DCS_LANES; l++) ids.path[l] = (uint64_t)(number * design->outer + first + l);
    DCS_TRY(add_tile(problem, draw, noise, &ids, work, sums, err));
  }
done:
  return st;
}

/** Rounding of one evaluation at a place of the data's size, over all steps: the two chains need not feel the same. */
static double rounding(const dcs_problem *problem)
{
  const dcs_target *target = problem->target;
  double sigma = problem->steps->step[0].sigma, size = dcs_target_variance(target);
  for (int i = 0; i < dcs_target_dimension(target); i++)
    size += dcs_target_mean(target)[i] * dcs_target_mean(target)[i];
  return 8 * DBL_EPSILON * sqrt(problem->steps->count * (size + sigma * sigma));
}

/** The root of a sample mean: its standard error by the delta method, and to second order it is too small by
 *  (standard error)^2/(2 value) on average. */
static void finish(const dcs_problem *problem, const dcs_design *design, const dcs_sums *sums, dcs_estimate *estimates)
{
  (void)design;
  for (int q = 0; q < QUANTITIES; q++) estimates[q] = dcs_sums_estimate(sums, q);
  dcs_estimate *e = &estimates[SQUARE];
  double flow = sqrt(estimates[ERROR_SQUARE].value + 2 * estimates[ERROR_SQUARE].std_error);
  e->value = sqrt(e->value);
  e->std_error = e->value > 0 ? e->std_error / (2 * e->value) : 0;
  double curvature = e->value > 0 ? e->std_error * e->std_error / (2 * e->value) : 0;
  e->bias_bound = curvature + flow + rounding(problem);
}

const dcs_estimator dcs_estimator_coupling = {
    .name = "coupling",
    .help = "sampler and exact chain from the same random numbers; any target, exact score or not",
    .source = "sqrt(E|Y - X|^2) >= W2, X by the probability flow, Dormand and Prince 5(4)",
    .count = QUANTITIES,
    .quantity = {[SQUARE] = "w2_coupling", [ERROR_SQUARE] = "flow_error_squared"},
    .check = check,
    .plan = plan,
    .work_create = work_create,
    .work_destroy = work_destroy,
    .block = block,
    .finish = finish,
    .flops = flops,
};
