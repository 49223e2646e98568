/** Path-space KL from the exact chain that shares the sampler's noise, on targets whose independent parts are
 *  one-dimensional:
 *      sum_k E (Phi_k(X) - F_k(X))^2/(2 c_k^2),   X ~ q_{sigma_k},   Phi_k the probability flow from sigma_k to u_k,
 *      dx/dlog sigma = x - m(x, sigma),   u^2 = sigma'^2 - c^2,
 *  and KL(q_{sigma_0} || p_init). */
#include <float.h>
#include <math.h>

#include "base/memory.h"
#include "metric/estimators.h"
#include "metric/exact.h"
#include "metric/flow.h"
#include "metric/line.h"
#include "metric/quadrature.h"
#include "sampler/map.h"

enum { VALUE, ERROR, QUANTITIES, MAX_NODES = 1 << 18 };

/** Estimated error of a step of the flow, relative to the root mean square of Phi - F in a tile. */
#define FLOW_FRACTION 1e-8

/** Half the spacing of the grid changes a term by at most this, relative to itself or to the whole; trapezoid sums then
 *  are that number squared away from the integral. */
#define GRID_TOLERANCE 1e-8

typedef double tile[DCS_LANES] __attribute__((aligned(DCS_ALIGN)));

static dcs_status check(const dcs_problem *problem, dcs_error *err)
{
  const dcs_steps *steps = problem->steps;
  dcs_status st = dcs_quadrature_check(problem, "quadrature-chain", err);
  if (st != DCS_OK) return st;
  if (steps->sampler->kind != DCS_MAP_ONE_SCORE)
    return dcs_fail(err, DCS_EREFUSED, "quadrature-chain: %s is not a map followed by noise that any chain could share",
                    steps->sampler->name);
  for (int k = 0; k < steps->count; k++) {
    const dcs_step *s = &steps->step[k];
    if (!(s->c2 > 0))
      return dcs_fail(err, DCS_EREFUSED,
                      "quadrature-chain: step %d of %d adds no noise: its path-space KL is infinite; see kl", k + 1,
                      steps->count);
    if (!(s->u2 > 0))
      return dcs_fail(err, DCS_EREFUSED,
                      "quadrature-chain: step %d of %d is too coarse: its noise c^2 = %.3g is not below sigma'^2 = "
                      "%.3g; use more steps",
                      k + 1, steps->count, s->c2, s->sigma_next * s->sigma_next);
  }
  return DCS_OK;
}

typedef struct {
  dcs_line line;
  dcs_map *map;
  dcs_flow *flow;
  const dcs_steps *steps;
} chain;

static void chain_destroy(chain *w)
{
  dcs_line_destroy(&w->line);
  dcs_map_destroy(&w->map);
  dcs_flow_destroy(&w->flow);
}

static dcs_status chain_create(const dcs_target *part, const dcs_steps *steps, chain *w)
{
  dcs_status st = DCS_OK;
  *w = (chain){.steps = steps};
  DCS_TRY(dcs_line_create(part, &w->line));
  DCS_TRY(dcs_map_create(part, steps, &w->map));
  DCS_TRY(dcs_flow_create(part, &w->flow));
done:
  return st;
}

/** Trapezoid sum of step k's term, and what it may be wrong by when every Phi is wrong by the flow's estimate. */
static dcs_status distance(chain *w, int k, const dcs_grid *grid, dcs_bounded *out)
{
  dcs_status st = DCS_OK;
  const dcs_step *s = &w->steps->step[k];
  *out = (dcs_bounded){0};
  for (int64_t i = 0; i < grid->n; i += DCS_LANES) {
    tile x, phi;
    dcs_grid_tile(grid, i, x);
    dcs_map_at(w->map, k, x);
    const dcs_posterior *post = dcs_map_posterior(w->map);
    const double *log_q = dcs_posterior_log_q(post), *f = dcs_map_value(w->map);
    DCS_TRY(dcs_flow_against(w->flow, s->sigma, sqrt(s->u2), FLOW_FRACTION, dcs_posterior_mean(post), x, f, phi));
    for (int l = 0; l < dcs_grid_lanes(grid, i); l++) {
      double weight = grid->h * exp(log_q[l]) / (2 * s->c2), apart = fabs(phi[l] - f[l]);
      out->value += weight * apart * apart;
      out->error += weight * 2 * apart * fabs(dcs_flow_error(w->flow)[l]);
    }
  }
done:
  return st;
}

/** Step k's term, with half the spacing until that changes it by GRID_TOLERANCE of it or of the `whole`, or the grid is
 *  full: between separate modes, where the flow parts, Phi is a step as steep as the step of the sampler is coarse, and
 *  the sum converges like the spacing only. The last change bounds what is left. */
static dcs_status term(chain *w, int k, double whole, dcs_bounded *out)
{
  dcs_status st = DCS_OK;
  dcs_grid grid;
  dcs_bounded between;
  const dcs_step *s = &w->steps->step[k];
  const double rounding = 4 * DBL_EPSILON * DBL_EPSILON * (dcs_target_variance(w->line.target) / s->c2 + 1);
  double change;
  DCS_TRY(dcs_line_resolve(&w->line, s->sigma, &grid, NULL));
  grid = dcs_grid_coarse(&grid);
  DCS_TRY(distance(w, k, &grid, out));
  do {
    const dcs_grid shifted = {.first = grid.first + grid.h / 2, .h = grid.h, .n = grid.n - 1};
    DCS_TRY(distance(w, k, &shifted, &between));
    change = 0.5 * fabs(between.value - out->value);
    *out = (dcs_bounded){0.5 * (out->value + between.value), 0.5 * (out->error + between.error)};
    grid.h /= 2;
    grid.n = 2 * grid.n - 1;
  } while (grid.n <= MAX_NODES && !(change <= GRID_TOLERANCE * (out->value + whole) + rounding));
  out->error += change;
done:
  return st;
}

static dcs_status measure(const dcs_target *part, const dcs_problem *problem, int64_t block, dcs_bounded *out)
{
  (void)block;
  dcs_status st = DCS_OK;
  chain w = {.steps = NULL};
  DCS_TRY(dcs_quadrature_start(part, problem->steps, out));
  DCS_TRY(chain_create(part, problem->steps, &w));
  for (int k = 0; k < problem->steps->count; k++) {
    dcs_bounded one;
    DCS_TRY(term(&w, k, out->value, &one));
    out->value += one.value;
    out->error += one.error;
  }
done:
  chain_destroy(&w);
  return st;
}

static dcs_status block(const dcs_problem *problem, const dcs_design *design, int64_t number, dcs_block_work *work,
                        dcs_sums *sums, dcs_error *err)
{
  (void)design, (void)work;
  return dcs_quadrature_add(problem, number, "quadrature-chain", measure, sums, err);
}

static double flops(const dcs_problem *problem, const dcs_design *design)
{
  (void)design;
  const double evaluations = 7 + 2;
  double sum = 0;
  for (int k = 0; k < problem->steps->count; k++)
    sum += evaluations * dcs_quadrature_flops(problem, problem->steps->step[k].sigma);
  return sum;
}

const dcs_estimator dcs_estimator_quadrature_chain = {
    .name = "quadrature-chain",
    .help =
        "distance of the sampler's map from the probability flow by trapezoid sums; targets whose independent parts "
        "are one-dimensional, samplers with noise",
    .source = "sum E|Phi_k(X) - F_k(X)|^2/(2 c_k^2); Jain and Zhang arXiv:2508.16306 (our reading)",
    .exact = true,
    .count = QUANTITIES,
    .quantity = {[VALUE] = "kl_chain", [ERROR] = "kl_chain_error"},
    .check = check,
    .plan = dcs_exact_plan,
    .work_create = dcs_exact_work_create,
    .work_destroy = dcs_exact_work_destroy,
    .block = block,
    .finish = dcs_quadrature_finish,
    .flops = flops,
};
