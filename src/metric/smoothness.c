/** Relaxed smoothness constant at every level: the quantile over X ~ q_sigma of |C(X)/sigma^2 - I|_op, the Lipschitz
 *  constant of the score in units of its noise (Jiao, Zhou and Li arXiv:2510.27562, Definition 1, our reading), and its
 *  maximum over the levels.
 *
 *  A block is one sample of the sums: the quantile of its particles. For a product of independent factors C is block
 *  diagonal, so the norm is the largest of the factors' norms, and P(norm <= t) = P(norm of one <= t)^copies: the
 *  q-quantile of the whole is the q^{1/copies}-quantile of one factor, measured with `copies` particles for each path.
 *
 *  Measured at up to MOST_NODES levels, the *nodes*, one group of blocks each: a quantile takes a thousand particles, and
 *  between nodes so close its change is linear up to half the second difference from node to node (an eighth of it for a
 *  smooth function, a half at a kink). */
#include "metric/smoothness.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "metric/estimators.h"
#include "metric/lanczos.h"
#include "metric/level_design.h"

enum { VALUE, BIAS, ERROR, QUANTITIES };
enum { MOST_NODES = 129 };
#define FIRST_BEYOND 10.0 /**< paths beyond the quantile in a first block */
#define LEAST_BEYOND 5.0  /**< below that the bias of a sample quantile does not fall like 1/n yet: it is unknown */
#define RIVAL 3.0         /**< standard errors */

struct dcs_block_work {
  dcs_posterior *post;
  dcs_lanczos *lanczos;
  double *x, *z; /**< [d][DCS_LANES] */
  double *norm;  /**< [particles of a block] */
  size_t n_norm;
};

static void swap(double *a, double *b)
{
  double kept = *a;
  *a = *b;
  *b = kept;
}

/** Permute x [n] so that x[k] is what it would be in order, nothing before it larger, nothing after it smaller (Hoare's
 *  selection, median of three). */
static void select_nth(double *x, int64_t n, int64_t k)
{
  for (int64_t lo = 0, hi = n - 1; lo < hi;) {
    int64_t middle = lo + (hi - lo) / 2, i = lo, j = hi;
    if (x[middle] < x[lo]) swap(&x[middle], &x[lo]);
    if (x[hi] < x[lo]) swap(&x[hi], &x[lo]);
    if (x[hi] < x[middle]) swap(&x[hi], &x[middle]);
    double pivot = x[middle];
    while (i <= j) {
      while (x[i] < pivot) i++;
      while (pivot < x[j]) j--;
      if (i <= j) swap(&x[i++], &x[j--]);
    }
    if (k <= j)
      hi = j;
    else if (k >= i)
      lo = i;
    else
      return;
  }
}

/** Value at a position 1 ... n between order statistics; x [n] is permuted. */
static double at_position(int64_t n, double *x, double position)
{
  position = fmin(fmax(position, 1), (double)n);
  int64_t k = (int64_t)position - 1;
  double share = position - (double)(k + 1), next = INFINITY;
  select_nth(x, n, k);
  if (share == 0 || k + 1 == n) return x[k];
  for (int64_t i = k + 1; i < n; i++) next = fmin(next, x[i]);
  return x[k] + share * (next - x[k]);
}

static double position_of(int64_t n, double q) { return ((double)n + 1.0 / 3) * q + 1.0 / 3; }

dcs_quantile dcs_quantile_of(int64_t n, double *x, double q)
{
  int64_t half = n / 2;
  double position = position_of(n, q), spread = sqrt((double)n * q * (1 - q));
  double first = at_position(half, x, position_of(half, q));
  double second = at_position(n - half, x + half, position_of(n - half, q));
  double lo = fmax(position - spread, 1), hi = fmin(position + spread, (double)n), value = at_position(n, x, position);
  double slope = (at_position(n, x, hi) - at_position(n, x, lo)) / (hi - lo);
  return (dcs_quantile){.value = value, .error = spread * slope, .bias = 0.5 * (first + second) - value};
}

static dcs_status check(const dcs_problem *problem, dcs_error *err)
{
  (void)problem, (void)err;
  return DCS_OK;
}

static const dcs_target *law_of(const dcs_problem *problem, int *copies)
{
  *copies = 1;
  return dcs_target_factor(problem->target, copies);
}

static double path_flops(const dcs_problem *problem)
{
  int copies;
  const dcs_target *target = law_of(problem, &copies);
  double d = dcs_target_dimension(target), iterations = fmin(d, 20), evaluation = dcs_target_flops(target, false);
  return copies * (evaluation + 40 * d + 100 + iterations * (evaluation + 2 * iterations * d + 500));
}

static int64_t node_count(const dcs_problem *problem)
{
  int64_t levels = (int64_t)problem->steps->count + 1;
  return levels < MOST_NODES ? levels : MOST_NODES;
}

/** Level of a node: the first, the last, and evenly between. */
static int64_t level_of(const dcs_problem *problem, int64_t node)
{
  return node * problem->steps->count / (node_count(problem) - 1);
}

/** Quantile at one node. The blocks' own error bars are steadier than the spread of a few blocks, which also sees what
 *  they do not: the larger one counts. */
static dcs_estimate at_node(const dcs_problem *problem, const dcs_design *design, const dcs_sums *sums)
{
  dcs_estimate e = dcs_sums_estimate(sums, VALUE), bias = dcs_sums_estimate(sums, BIAS);
  double inside = sums->mean[ERROR] / sqrt((double)sums->n), beyond = (double)design->outer * (1 - problem->quantile);
  e.std_error = sums->n > 1 ? fmax(e.std_error, inside) : inside;
  e.bias_bound = DCS_LANCZOS_TOLERANCE * e.value + fabs(bias.value) + 2 * bias.std_error;
  if (beyond < LEAST_BEYOND) e.bias_bound = INFINITY;
  return e;
}

/** Bound on what linear interpolation between a node and the next one leaves: half the larger second difference at
 *  either; 0 where no level lies between. */
static double bend(const dcs_problem *problem, const dcs_sums *sums, int64_t node)
{
  double worst = 0;
  if (level_of(problem, node + 1) - level_of(problem, node) == 1) return 0;
  for (int64_t n = node; n <= node + 1; n++)
    if (n > 0 && n < node_count(problem) - 1)
      worst = fmax(worst, fabs(sums[n - 1].mean[VALUE] - 2 * sums[n].mean[VALUE] + sums[n + 1].mean[VALUE]));
  return 0.5 * worst;
}

static void profile(const dcs_problem *problem, const dcs_design *design, const dcs_sums *sums, int quantity,
                    dcs_estimate *out)
{
  (void)quantity;
  for (int64_t node = 0; node < node_count(problem) - 1; node++) {
    int64_t first = level_of(problem, node), last = level_of(problem, node + 1);
    dcs_estimate a = at_node(problem, design, &sums[node]), b = at_node(problem, design, &sums[node + 1]);
    out[first] = a;
    out[last] = b;
    for (int64_t k = first + 1; k < last; k++) {
      double v = (double)(k - first) / (double)(last - first), u = 1 - v;
      out[k] = (dcs_estimate){.value = u * a.value + v * b.value,
                              .std_error = hypot(u * a.std_error, v * b.std_error),
                              .bias_bound = u * a.bias_bound + v * b.bias_bound + bend(problem, sums, node),
                              .n = a.n + b.n};
    }
  }
}

/** Largest of the values, and the largest error s among those that could be the largest, RIVAL errors taken off and put
 *  on. Of G values that compete the largest is too large by at most the mean of the largest of G normal errors,
 *  s sqrt(2 log G); a level between nodes may exceed it. */
static dcs_estimate top(const dcs_problem *problem, const dcs_design *design, const dcs_sums *sums, double *error)
{
  int64_t nodes = node_count(problem), rivals = 0;
  double missed = 0;
  dcs_estimate best = at_node(problem, design, &sums[0]);
  for (int64_t n = 1; n < nodes; n++) {
    dcs_estimate e = at_node(problem, design, &sums[n]);
    if (e.value > best.value) best = e;
  }
  *error = best.std_error;
  for (int64_t n = 0; n < nodes; n++) {
    dcs_estimate e = at_node(problem, design, &sums[n]);
    if (n < nodes - 1)
      missed = fmax(missed, fmax(e.value, sums[n + 1].mean[VALUE]) + bend(problem, sums, n) - best.value);
    if (e.value + RIVAL * e.std_error < best.value - RIVAL * best.std_error) continue;
    rivals++;
    *error = fmax(*error, e.std_error);
  }
  best.bias_bound += *error * sqrt(2 * log((double)rivals)) + missed;
  return best;
}

static dcs_next plan(const dcs_problem *problem, const dcs_stop *stop, const dcs_design *previous, const dcs_sums *sums,
                     dcs_design *next)
{
  double first = ceil(FIRST_BEYOND / (1 - problem->quantile) / DCS_LANES) * DCS_LANES, needed = 0;
  if (previous != NULL) {
    double error, value = top(problem, previous, sums, &error).value;
    if (error > 0) needed = pow(error / (stop->rel_error * fabs(value)), 2);
  }
  return dcs_level_plan(path_flops(problem), DCS_LANES, (int64_t)first, (int64_t)first, node_count(problem), needed,
                        stop, previous, next);
}

static void work_destroy(dcs_block_work **work)
{
  if (*work == NULL) return;
  dcs_posterior_destroy(&(*work)->post);
  dcs_lanczos_destroy(&(*work)->lanczos);
  dcs_free(&(*work)->x);
  dcs_free(&(*work)->z);
  dcs_free(&(*work)->norm);
  dcs_free(work);
}

static dcs_status work_create(const dcs_problem *problem, dcs_block_work **out)
{
  dcs_status st = DCS_OK;
  dcs_block_work *work = NULL;
  int copies;
  const dcs_target *target = law_of(problem, &copies);
  size_t n = (size_t)dcs_target_dimension(target) * DCS_LANES;
  DCS_TRY(dcs_alloc(1, sizeof *work, &work));
  DCS_TRY(dcs_posterior_create(target, &work->post));
  DCS_TRY(dcs_lanczos_create(target, &work->lanczos));
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
  dcs_status st = DCS_OK;
  int copies;
  const dcs_target *target = law_of(problem, &copies);
  double sigma = problem->schedule->sigma[level_of(problem, number % node_count(problem))];
  int64_t particles = design->outer * copies;
  dcs_stream draw = dcs_stream_create(problem->seed, DCS_PURPOSE_DRAW, problem->point);
  draw = dcs_stream_fork(draw, (uint32_t)design->phase);
  memset(sums, 0, sizeof *sums);
  DCS_TRY(dcs_reserve(&work->norm, &work->n_norm, (size_t)particles, sizeof *work->norm));
  for (int64_t first = 0; first < particles; first += DCS_LANES) {
    dcs_lane_ids ids = {0};
    for (int l = 0; l < DCS_LANES; l++) ids.path[l] = (uint64_t)(number * particles + first + l);
    dcs_sampler_draw(target, sigma, draw, &ids, work->x, work->z);
    dcs_posterior_at(work->post, sigma, work->x);
    if (dcs_lanczos_norm(work->lanczos, work->post, sigma, work->norm + first) != DCS_OK)
      return dcs_fail(err, DCS_ENUMERIC, "smoothness: the norm of a posterior covariance did not converge");
    for (int l = 0; l < DCS_LANES; l++)
      if (!isfinite(work->norm[first + l]))
        return dcs_fail(err, DCS_ENUMERIC, "smoothness: the norm of a posterior covariance is not finite");
  }
  dcs_quantile e = dcs_quantile_of(particles, work->norm, pow(problem->quantile, 1.0 / copies));
  dcs_sums_add(sums, QUANTITIES, (double[]){[VALUE] = e.value, [BIAS] = e.bias, [ERROR] = e.error});
done:
  return st;
}

static void finish(const dcs_problem *problem, const dcs_design *design, const dcs_sums *sums, dcs_estimate *estimates)
{
  double error;
  for (int q = 0; q < QUANTITIES; q++) estimates[q] = dcs_sums_estimate(sums, q);
  estimates[VALUE] = top(problem, design, sums, &error);
}

static double flops(const dcs_problem *problem, const dcs_design *design)
{
  return path_flops(problem) * (double)design->outer;
}

const dcs_estimator dcs_estimator_smoothness = {
    .name = "smoothness",
    .help = "quantile over exact draws of |C/sigma^2 - I|_op at every level, by Lanczos; any target",
    .source = "Jiao, Zhou and Li arXiv:2510.27562, Definition 1 (our reading)",
    .count = QUANTITIES,
    .quantity = {[VALUE] = "smoothness", [BIAS] = "smoothness_bias", [ERROR] = "smoothness_error"},
    .groups = node_count,
    .check = check,
    .plan = plan,
    .work_create = work_create,
    .work_destroy = work_destroy,
    .block = block,
    .finish = finish,
    .profile = profile,
    .flops = flops,
};
