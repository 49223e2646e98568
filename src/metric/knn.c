/** KL(q || p) from nearest neighbours in clouds of particles; the formula is in knn.h.
 *
 *  Its bias is that of densities taken as constant over a ball of k particles, whose radius is ~ (k/n)^{1/d}: large from
 *  d = 4 or so on. In any dimension the estimate is too low where the sampler's law p is narrower than q, because
 *  particles in the tails of q then find no others near: for N(0, I) against N(0, I/2) in the plane, 0.17 with n = 2000
 *  and 0.25 with n = 20000 instead of 0.31. No bound is known for the laws at hand, so bias_bound is INFINITY; the floor
 *  beside it, the same formula on two clouds of the target, shows only what does not come from the difference of the
 *  laws. */
#include "metric/knn.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "metric/cloud.h"
#include "metric/estimators.h"
#include "numerics/neighbours.h"

struct dcs_block_work {
  dcs_cloud cloud;
  dcs_neighbours *neighbours;
  double *nearest;    /**< [n] squared distances to the nearest */
  double *rho2, *nu2; /**< [n] to the k-th nearest within a cloud, in another cloud */
};

static dcs_status check(const dcs_problem *problem, dcs_error *err)
{
  if (problem->samples > DCS_NEIGHBOURS) return DCS_OK;
  return dcs_fail(err, DCS_EREFUSED, "knn: %d particles have no %d-th neighbours; set samples to %d at least",
                  problem->samples, (int)DCS_NEIGHBOURS, (int)DCS_NEIGHBOURS + 1);
}

static void work_destroy(dcs_block_work **work)
{
  if (*work == NULL) return;
  dcs_cloud_destroy(&(*work)->cloud);
  dcs_neighbours_destroy(&(*work)->neighbours);
  dcs_free(&(*work)->nearest);
  dcs_free(&(*work)->rho2);
  dcs_free(&(*work)->nu2);
  dcs_free(work);
}

static dcs_status work_create(const dcs_problem *problem, dcs_block_work **out)
{
  dcs_status st = DCS_OK;
  dcs_block_work *work = NULL;
  size_t n = (size_t)problem->samples;
  DCS_TRY(dcs_alloc(1, sizeof *work, &work));
  DCS_TRY(dcs_cloud_create(problem, problem->samples, &work->cloud));
  DCS_TRY(dcs_neighbours_create(problem->samples, dcs_target_dimension(problem->target), &work->neighbours));
  DCS_TRY(dcs_alloc(n, sizeof(double), &work->nearest));
  DCS_TRY(dcs_alloc(n, sizeof(double), &work->rho2));
  DCS_TRY(dcs_alloc(n, sizeof(double), &work->nu2));
done:
  if (st != DCS_OK) work_destroy(&work);
  *out = work;
  return st;
}

double dcs_knn_divergence(int n, int m, int d, const double *rho2, const double *nu2)
{
  double sum = 0;
  for (int i = 0; i < n; i++) sum += log(nu2[i] / rho2[i]);
  return 0.5 * d * sum / n + log((double)m / (n - 1));
}

/** Squared distances of the exact cloud to the k-th nearest of another one. Points in the same place have no density
 *  there. */
static dcs_status find(dcs_block_work *work, const double *other, double *last, dcs_error *err)
{
  int n = work->cloud.n;
  dcs_neighbours_find(work->neighbours, n, work->cloud.exact, n, other, work->nearest, last);
  for (int i = 0; i < n; i++)
    if (!(work->nearest[i] > 0 && isfinite(last[i])))
      return dcs_fail(err, DCS_ENUMERIC,
                      work->nearest[i] == 0 ? "knn: two particles coincide: a law with atoms has no density to estimate"
                                            : "knn: a distance between particles left the range of numbers");
  return DCS_OK;
}

static dcs_status block(const dcs_problem *problem, const dcs_design *design, int64_t number, dcs_block_work *work,
                        dcs_sums *sums, dcs_error *err)
{
  (void)design;
  dcs_status st = DCS_OK;
  const dcs_cloud *c = &work->cloud;
  double value[DCS_CLOUD_QUANTITIES];
  DCS_TRY(dcs_cloud_draw(problem, number, &work->cloud, err));
  DCS_TRY(find(work, c->exact, work->rho2, err));
  DCS_TRY(find(work, c->output, work->nu2, err));
  value[DCS_CLOUD_DISTANCE] = dcs_knn_divergence(c->n, c->n, c->d, work->rho2, work->nu2);
  DCS_TRY(find(work, c->again, work->nu2, err));
  value[DCS_CLOUD_FLOOR] = dcs_knn_divergence(c->n, c->n, c->d, work->rho2, work->nu2);
  memset(sums, 0, sizeof *sums);
  dcs_sums_add(sums, DCS_CLOUD_QUANTITIES, value);
done:
  return st;
}

static dcs_next plan(const dcs_problem *problem, const dcs_stop *stop, const dcs_design *previous, const dcs_sums *sums,
                     dcs_design *next)
{
  return dcs_cloud_plan(problem, 1, stop, previous, sums, next);
}

static void finish(const dcs_problem *problem, const dcs_design *design, const dcs_sums *sums, dcs_estimate *estimates)
{
  (void)problem, (void)design;
  for (int q = 0; q < DCS_CLOUD_QUANTITIES; q++) estimates[q] = dcs_sums_estimate(sums, q);
  estimates[DCS_CLOUD_DISTANCE].bias_bound = INFINITY;
}

static double flops(const dcs_problem *problem, const dcs_design *design)
{
  (void)design;
  double n = problem->samples, d = dcs_target_dimension(problem->target);
  return dcs_cloud_flops(problem) + 3 * n * n * (2 * d + 4);
}

const dcs_estimator dcs_estimator_knn = {
    .name = "knn",
    .help = "distances to the fifth nearest particles; bias unknown, compare with its floor",
    .source = "Wang, Kulkarni and Verdu 2009",
    .count = DCS_CLOUD_QUANTITIES,
    .quantity = {[DCS_CLOUD_DISTANCE] = "kl_knn", [DCS_CLOUD_FLOOR] = "kl_knn_floor"},
    .check = check,
    .plan = plan,
    .work_create = work_create,
    .work_destroy = work_destroy,
    .block = block,
    .finish = finish,
    .flops = flops,
};
