/** Wasserstein-2 distance between samples: the optimal assignment of one cloud to the other.
 *
 *      W2^2(P_n, Q_n) = min over permutations of (1/n) sum_i |x_i - y_match(i)|^2
 *  by numerics/assignment.h, by sorting in d = 1.
 *
 *  Bias. W2^2 is convex in the pair of laws, so its mean over clouds lies above that of the laws. In root mean square,
 *  W2(P_n, Q_n) <= W2(P_n, P) + W2(P, Q) + W2(Q, Q_n), and by the same convexity W2(Q, Q_n) <= W2(Q'_n, Q_n), the floor:
 *  the bias is at most two floors, where the sampler's cloud lies as near to its law as that of the target does. The
 *  floor falls as n^{-1/d}; from d = 4 or so on it is larger than most of what one would measure. */
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "metric/cloud.h"
#include "metric/estimators.h"
#include "numerics/assignment.h"
#include "numerics/sort.h"

enum { MOST = 8000 /**< particles: a second for a block, ten where modes of unequal numbers make the searches long */ };

struct dcs_block_work {
  dcs_cloud cloud;
  dcs_assignment *solver; /**< d > 1 */
  uint64_t *keys;         /**< [2 n], d = 1 */
};

static dcs_status check(const dcs_problem *problem, dcs_error *err)
{
  if (problem->samples <= MOST) return DCS_OK;
  return dcs_fail(err, DCS_EREFUSED,
                  "assignment: clouds of %d particles would take too long; set samples to %d at most, or use w2_sliced",
                  problem->samples, (int)MOST);
}

static void work_destroy(dcs_block_work **work)
{
  if (*work == NULL) return;
  dcs_cloud_destroy(&(*work)->cloud);
  dcs_assignment_destroy(&(*work)->solver);
  dcs_free(&(*work)->keys);
  dcs_free(work);
}

static dcs_status work_create(const dcs_problem *problem, dcs_block_work **out)
{
  dcs_status st = DCS_OK;
  dcs_block_work *work = NULL;
  int d = dcs_target_dimension(problem->target);
  DCS_TRY(dcs_alloc(1, sizeof *work, &work));
  DCS_TRY(dcs_cloud_create(problem, problem->samples, &work->cloud));
  if (d > 1) DCS_TRY(dcs_assignment_create(problem->samples, d, &work->solver));
  if (d == 1) DCS_TRY(dcs_alloc(2 * (size_t)problem->samples, sizeof *work->keys, &work->keys));
done:
  if (st != DCS_OK) work_destroy(&work);
  *out = work;
  return st;
}

/** Mean over two sorted clouds of (a - b)^2. */
static double sorted_cost(int n, const double *a, const double *b)
{
  double sum = 0;
  for (int i = 0; i < n; i++) sum += (a[i] - b[i]) * (a[i] - b[i]);
  return sum / n;
}

static dcs_status block(const dcs_problem *problem, const dcs_design *design, int64_t number, dcs_block_work *work,
                        dcs_sums *sums, dcs_error *err)
{
  (void)design;
  dcs_cloud *c = &work->cloud;
  double value[DCS_CLOUD_QUANTITIES];
  dcs_status st = dcs_cloud_draw(problem, number, c, err);
  if (st != DCS_OK) return st;
  if (c->d == 1) {
    double *const clouds[] = {c->output, c->exact, c->again};
    for (int k = 0; k < 3; k++) dcs_sort((size_t)c->n, clouds[k], work->keys);
    value[DCS_CLOUD_DISTANCE] = sorted_cost(c->n, c->output, c->exact);
    value[DCS_CLOUD_FLOOR] = sorted_cost(c->n, c->again, c->exact);
  } else {
    value[DCS_CLOUD_DISTANCE] = dcs_assignment_solve(work->solver, c->output, c->exact);
    value[DCS_CLOUD_FLOOR] = dcs_assignment_solve(work->solver, c->again, c->exact);
  }
  memset(sums, 0, sizeof *sums);
  dcs_sums_add(sums, DCS_CLOUD_QUANTITIES, value);
  return DCS_OK;
}

static dcs_next plan(const dcs_problem *problem, const dcs_stop *stop, const dcs_design *previous, const dcs_sums *sums,
                     dcs_design *next)
{
  return dcs_cloud_plan(problem, 2, stop, previous, sums, next);
}

static void finish(const dcs_problem *problem, const dcs_design *design, const dcs_sums *sums, dcs_estimate *estimates)
{
  (void)problem, (void)design;
  for (int q = 0; q < DCS_CLOUD_QUANTITIES; q++) estimates[q] = dcs_cloud_root(sums, q);
  estimates[DCS_CLOUD_DISTANCE].bias_bound += 2 * estimates[DCS_CLOUD_FLOOR].value;
}

/** Three looks at all costs; then the search, as measured in d = 2. It is a fifth of that or less from d = 4 on, and five
 *  times as much where there are modes of unequal numbers. */
static double flops(const dcs_problem *problem, const dcs_design *design)
{
  (void)design;
  double n = problem->samples, d = dcs_target_dimension(problem->target);
  return dcs_cloud_flops(problem) + (d > 1 ? 2 * (9 * n * n * d + 5 * n * n * sqrt(n)) : 200 * n);
}

const dcs_estimator dcs_estimator_assignment = {
    .name = "assignment",
    .help = "optimal assignment between clouds of particles, exact; biased up by at most about two floors",
    .source = "shortest augmenting paths, Jonker and Volgenant 1987",
    .count = DCS_CLOUD_QUANTITIES,
    .quantity = {[DCS_CLOUD_DISTANCE] = "w2_assignment", [DCS_CLOUD_FLOOR] = "w2_assignment_floor"},
    .check = check,
    .plan = plan,
    .work_create = work_create,
    .work_destroy = work_destroy,
    .block = block,
    .finish = finish,
    .flops = flops,
};
