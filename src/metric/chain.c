/** Path-space divergence of the sampler's chain from the exact chain that shares its noise.
 *
 *  The exact chain X' = Phi_k(X) + c_k z, Phi_k the probability flow from sigma_k to u_k, u_k^2 = sigma_{k+1}^2 -
 *  c_k^2, has the laws q_{sigma_0}, ..., q_{sigma_N}; the sampler's step is F_k(X) + c_k z. Both kernels are normal
 *  with variance c_k^2, so
 *      KL = KL(q_{sigma_0} || p_init) + sum_k E|Phi_k(X_k) - F_k(X_k)|^2/(2 c_k^2),   X_k ~ q_{sigma_k}.    [theory 5]
 *  F_k may have a wrong score. The first term is E[r - 1 - log r], r = p_init/q_{sigma_0}: no negative terms.
 *
 *  Only the law of each X_k matters, so a sample is LEVELS levels spread evenly from a random first one, with a tile of
 *  fresh X_k ~ q_{sigma_k} at each, and its cost does not depend on N. Measured on mixtures in d = 1, 8, 16, N = 64 to
 *  1024, for the same number of X_k: the variance is that of independent X_k at every level, and 3 to 60 times smaller
 *  than along exact chains, whose neighbouring X_k are almost the same. Levels chosen by a pilot's estimate of their
 *  terms made it 1 to 2.7 times smaller, but ten times larger where few particles carry the sum and the pilot had not
 *  met them. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "metric/estimators.h"
#include "metric/flow.h"
#include "metric/jackknife.h"
#include "metric/mean_design.h"
#include "sampler/map.h"

enum { KL_CHAIN, BIAS, QUANTITIES };

enum { LEVELS = 8 /**< in a sample */ };

/** Error of Phi - F in units of its own size; the bias is at most twice that, relative to the value. */
#define FLOW_FRACTION 3e-4

struct dcs_block_work {
  dcs_map *map;
  dcs_flow *flow;
  double *x, *z, *phi; /**< [d][DCS_LANES] X_k, scratch, Phi_k(X_k) */
};

static dcs_status check(const dcs_problem *problem, dcs_error *err)
{
  const dcs_steps *steps = problem->steps;
  if (steps->sampler->kind != DCS_MAP_ONE_SCORE || steps->sampler->deterministic)
    return dcs_fail(err, DCS_EREFUSED, "chain: needs steps of the form F(x) + c z with c > 0; %s %s",
                    steps->sampler->name,
                    steps->sampler->deterministic ? "adds no noise, and the divergence is infinite"
                                                  : "adds noise that depends on the state (kl_path measures that)");
  for (int k = 0; k < steps->count; k++) {
    const dcs_step *s = &steps->step[k];
    if (!(s->c2 > 0))
      return dcs_fail(err, DCS_EREFUSED, "chain: step %d of %d adds no noise, and the divergence is infinite", k + 1,
                      steps->count);
    if (!(s->u2 > 0))
      return dcs_fail(
          err, DCS_EREFUSED,
          "chain: step %d of %d is too coarse: its noise c^2 = %.3g is not below sigma'^2 = %.3g; use more steps",
          k + 1, steps->count, s->c2, s->sigma_next * s->sigma_next);
  }
  return DCS_OK;
}

static double sample_flops(const dcs_problem *problem)
{
  double d = dcs_target_dimension(problem->target);
  return LEVELS * DCS_LANES * (7 * dcs_target_flops(problem->target, false) + 200 * d + 50);
}

static double flops(const dcs_problem *problem, const dcs_design *design)
{
  return sample_flops(problem) * (double)design->outer;
}

static dcs_next plan(const dcs_problem *problem, const dcs_stop *stop, const dcs_design *previous, const dcs_sums *sums,
                     dcs_design *next)
{
  const bool wanted[QUANTITIES] = {[KL_CHAIN] = true};
  return dcs_mean_plan(sample_flops(problem), 1, QUANTITIES, wanted, stop, previous, sums, next);
}

/** X ~ q_{sigma_k}, Phi_k(X) and F_k(X); term[lane] = |Phi_k - F_k|^2/(2 c_k^2), and bias[lane] is what an error e of
 *  Phi, as estimated, and rounding change it by: (2 |Phi - F| |e| + |e|^2)/(2 c^2). */
static dcs_status term_at(const dcs_problem *problem, int k, dcs_stream draw, const dcs_lane_ids *ids,
                          dcs_block_work *work, double *term, double *bias)
{
  const dcs_step *s = &problem->steps->step[k];
  int d = dcs_target_dimension(problem->target);
  dcs_sampler_draw(problem->target, s->sigma, draw, ids, work->x, work->z);
  dcs_map_at(work->map, k, work->x);
  const double *f = dcs_map_value(work->map), *mean = dcs_posterior_mean(dcs_map_posterior(work->map));
  const double *e = dcs_flow_error(work->flow);
  dcs_status st = dcs_flow_against(work->flow, s->sigma, sqrt(s->u2), FLOW_FRACTION, mean, work->x, f, work->phi);
  if (st != DCS_OK) return st;
  double gap2[DCS_LANES] = {0}, e2[DCS_LANES] = {0}, x2[DCS_LANES] = {0};
  for (int i = 0; i < d; i++)
    for (int l = 0; l < DCS_LANES; l++) {
      int j = i * DCS_LANES + l;
      double gap = work->phi[j] - f[j];
      gap2[l] += gap * gap;
      e2[l] += e[j] * e[j];
      x2[l] += work->x[j] * work->x[j];
    }
  for (int l = 0; l < DCS_LANES; l++) {
    double error = sqrt(e2[l]) + 8 * DBL_EPSILON * sqrt(x2[l]);
    term[l] = gap2[l] / (2 * s->c2);
    bias[l] = (2 * sqrt(gap2[l]) + error) * error / (2 * s->c2);
  }
  return DCS_OK;
}

/** Mean over a tile. */
static double average(const double *a)
{
  double sum = 0;
  for (int l = 0; l < DCS_LANES; l++) sum += a[l];
  return sum / DCS_LANES;
}

static void work_destroy(dcs_block_work **work)
{
  if (*work == NULL) return;
  dcs_map_destroy(&(*work)->map);
  dcs_flow_destroy(&(*work)->flow);
  dcs_free(&(*work)->x);
  dcs_free(&(*work)->z);
  dcs_free(&(*work)->phi);
  dcs_free(work);
}

static dcs_status work_create(const dcs_problem *problem, dcs_block_work **out)
{
  dcs_status st = DCS_OK;
  dcs_block_work *work = NULL;
  size_t n = (size_t)dcs_target_dimension(problem->target) * DCS_LANES;
  DCS_TRY(dcs_alloc(1, sizeof *work, &work));
  DCS_TRY(dcs_map_create(problem->target, problem->steps, &work->map));
  DCS_TRY(dcs_flow_create(problem->target, &work->flow));
  DCS_TRY(dcs_alloc(n, sizeof(double), &work->x));
  DCS_TRY(dcs_alloc(n, sizeof(double), &work->z));
  DCS_TRY(dcs_alloc(n, sizeof(double), &work->phi));
done:
  if (st != DCS_OK) work_destroy(&work);
  *out = work;
  return st;
}

/** r - 1 - log r, r = p_init/q_{sigma_0}, averaged over a tile X ~ q_{sigma_0}. */
static void add_start(const dcs_problem *problem, dcs_stream draw, const dcs_lane_ids *ids, dcs_block_work *work,
                      double *kl, double *bias)
{
  const dcs_steps *steps = problem->steps;
  if (steps->init == DCS_INIT_EXACT) return;
  int d = dcs_target_dimension(problem->target);
  dcs_sampler_draw(problem->target, steps->step[0].sigma, draw, ids, work->x, work->z);
  dcs_map_at(work->map, 0, work->x);
  const double *log_q = dcs_posterior_log_q(dcs_map_posterior(work->map)), *mean = dcs_target_mean(problem->target);
  double s2 = steps->step[0].sigma * steps->step[0].sigma, v = steps->init == DCS_INIT_PRIOR ? 1 + s2 : s2;
  for (int l = 0; l < DCS_LANES; l++) {
    double square = 0;
    for (int i = 0; i < d; i++) {
      double e = work->x[i * DCS_LANES + l] - (steps->init == DCS_INIT_MEAN ? mean[i] : 0);
      square += e * e;
    }
    double log_p = -0.5 * (d * log(2 * acos(-1) * v) + square / v), log_r = log_p - log_q[l];
    dcs_divergences at;
    dcs_divergences_exact(log_r, &at);
    *kl += at.kl / DCS_LANES;
    *bias += 8 * DBL_EPSILON * fabs(log_p) * fabs(expm1(log_r)) / DCS_LANES;
  }
}

/** One sample: steps k at (U + j)/LEVELS of all, j = 0, 1, ..., each of them met LEVELS/N times on average. */
static dcs_status add_sample(const dcs_problem *problem, int64_t number, dcs_block_work *work, dcs_sums *sums,
                             dcs_error *err)
{
  _Alignas(DCS_ALIGN) double uniform[DCS_LANES], unused[DCS_LANES];
  double term[DCS_LANES], error[DCS_LANES], kl = 0, bias = 0;
  int steps = problem->steps->count;
  dcs_stream choice = dcs_stream_create(problem->seed, DCS_PURPOSE_PROPOSAL, problem->point);
  dcs_stream draw = dcs_stream_create(problem->seed, DCS_PURPOSE_DRAW, problem->point);
  dcs_lane_ids ids = {0};
  for (int l = 0; l < DCS_LANES; l++) ids.path[l] = (uint64_t)(number * DCS_LANES + l);
  dcs_stream_uniform2(choice, &ids, 0, 0, uniform, unused);
  add_start(problem, dcs_stream_fork(draw, LEVELS), &ids, work, &kl, &bias);
  for (int j = 0; j < LEVELS; j++) {
    int k = (int)((uniform[0] + j) / LEVELS * steps);
    k = k < steps ? k : steps - 1; /* 1 - 2^-53 rounds up */
    if (term_at(problem, k, dcs_stream_fork(draw, (uint32_t)j), &ids, work, term, error) != DCS_OK)
      return dcs_fail(err, DCS_ENUMERIC, "chain: the probability flow of step %d could not be followed", k + 1);
    kl += average(term) * steps / LEVELS;
    bias += average(error) * steps / LEVELS;
  }
  if (!isfinite(kl) || !isfinite(bias))
    return dcs_fail(err, DCS_ENUMERIC, "chain: a term of the divergence is not finite; use more steps");
  dcs_sums_add(sums, QUANTITIES, (const double[QUANTITIES]){[KL_CHAIN] = kl, [BIAS] = bias});
  return DCS_OK;
}

static dcs_status block(const dcs_problem *problem, const dcs_design *design, int64_t number, dcs_block_work *work,
                        dcs_sums *sums, dcs_error *err)
{
  dcs_status st = DCS_OK;
  memset(sums, 0, sizeof *sums);
  for (int64_t i = 0; i < design->outer; i++) DCS_TRY(add_sample(problem, number * design->outer + i, work, sums, err));
done:
  return st;
}

/** The bias is itself a sample mean: two of its standard errors are added. */
static void finish(const dcs_problem *problem, const dcs_design *design, const dcs_sums *sums, dcs_estimate *estimates)
{
  (void)problem, (void)design;
  for (int q = 0; q < QUANTITIES; q++) estimates[q] = dcs_sums_estimate(sums, q);
  estimates[KL_CHAIN].bias_bound = estimates[BIAS].value + 2 * estimates[BIAS].std_error;
}

const dcs_estimator dcs_estimator_chain = {
    .name = "chain",
    .help = "exact probability flow beside every step of the sampler; any target, samplers with noise",
    .source = "sum E|Phi_k(X) - F_k(X)|^2/(2 c_k^2), Phi by Dormand and Prince 5(4)",
    .count = QUANTITIES,
    .quantity = {[KL_CHAIN] = "kl_chain", [BIAS] = "kl_chain_bias"},
    .check = check,
    .plan = plan,
    .work_create = work_create,
    .work_destroy = work_destroy,
    .block = block,
    .finish = finish,
    .flops = flops,
};
