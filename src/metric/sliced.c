/** Sliced Wasserstein-2 distance between samples (Bonneel et al. 2015).
 *
 *      SW2^2 = E_theta W2^2(theta . P, theta . Q),   theta uniform on the unit sphere,
 *  and in one dimension W2^2 of two clouds of n is the mean of (a_(i) - b_(i))^2 over the sorted clouds. Every block has
 *  directions of its own, so that the mean over blocks is over directions too. For centred isotropic laws SW2^2 =
 *  W2^2/d.
 *
 *  Bias. Sorted clouds are random vectors A, B whose means differ by no more than the quantile functions (taking the
 *  mean of order statistics is an averaging), so E|A - B|^2 = |EA - EB|^2 + Var A + Var B lies above SW2^2 (which is
 *  convex in the pair of laws) by at most Var A + Var B: the square of the floor, where the sampler's cloud fluctuates
 *  as one of the target does. Of SW2 itself the bias is then at most the floor, and it is the floor when the two laws
 *  are equal. */
#include <cblas.h>
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "metric/cloud.h"
#include "metric/estimators.h"
#include "numerics/sort.h"

enum {
  DIRECTIONS = 128,  /**< per block; one in d = 1 */
  BATCH = DCS_LANES, /**< directions at a time */
  FORK_DIRECTIONS = 1
};

struct dcs_block_work {
  dcs_cloud cloud;
  double *theta;         /**< [BATCH][d] */
  double *exact, *other; /**< [BATCH][n] projections */
  uint64_t *keys;        /**< [2 n] */
};

static dcs_status check(const dcs_problem *problem, dcs_error *err)
{
  (void)problem, (void)err;
  return DCS_OK;
}

static int directions_of(const dcs_problem *problem)
{
  return dcs_target_dimension(problem->target) == 1 ? 1 : DIRECTIONS;
}

static void work_destroy(dcs_block_work **work)
{
  if (*work == NULL) return;
  dcs_cloud_destroy(&(*work)->cloud);
  dcs_free(&(*work)->theta);
  dcs_free(&(*work)->exact);
  dcs_free(&(*work)->other);
  dcs_free(&(*work)->keys);
  dcs_free(work);
}

static dcs_status work_create(const dcs_problem *problem, dcs_block_work **out)
{
  dcs_status st = DCS_OK;
  dcs_block_work *work = NULL;
  size_t n = (size_t)problem->samples, d = (size_t)dcs_target_dimension(problem->target);
  DCS_TRY(dcs_alloc(1, sizeof *work, &work));
  DCS_TRY(dcs_cloud_create(problem, problem->samples, &work->cloud));
  DCS_TRY(dcs_alloc(BATCH * d, sizeof *work->theta, &work->theta));
  DCS_TRY(dcs_alloc(BATCH * n, sizeof *work->exact, &work->exact));
  DCS_TRY(dcs_alloc(BATCH * n, sizeof *work->other, &work->other));
  DCS_TRY(dcs_alloc(2 * n, sizeof *work->keys, &work->keys));
done:
  if (st != DCS_OK) work_destroy(&work);
  *out = work;
  return st;
}

/** Directions first, first + 1, ... of all: normal vectors divided by their lengths. */
static void draw_directions(const dcs_problem *problem, int64_t first, dcs_block_work *work)
{
  int d = work->cloud.d;
  double *z = work->cloud.z;
  dcs_lane_ids ids = {0};
  dcs_stream stream = dcs_stream_create(problem->seed, DCS_PURPOSE_PROPOSAL, problem->point);
  stream = dcs_stream_fork(stream, FORK_DIRECTIONS);
  for (int l = 0; l < DCS_LANES; l++) ids.path[l] = (uint64_t)(first + l);
  dcs_stream_normal(stream, &ids, 0, d, z);
  for (int l = 0; l < BATCH; l++) {
    double square = 0;
    for (int i = 0; i < d; i++) square += z[i * DCS_LANES + l] * z[i * DCS_LANES + l];
    for (int i = 0; i < d; i++) work->theta[l * d + i] = z[i * DCS_LANES + l] / sqrt(square);
  }
}

/** out [count][n] <- sorted projections of a cloud [n][d]. */
static void project(dcs_block_work *work, int count, const double *cloud, double *out)
{
  int n = work->cloud.n, d = work->cloud.d;
  cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, count, n, d, 1, work->theta, d, cloud, d, 0, out, n);
  for (int l = 0; l < count; l++) dcs_sort((size_t)n, out + (size_t)l * (size_t)n, work->keys);
}

/** Sum over all sorted projections of (a - b)^2. */
static double square_difference(size_t n, const double *a, const double *b)
{
  dcs_vec sum = dcs_vec_set(0);
  size_t i = 0;
  double rest = 0;
  for (; i + DCS_VEC <= n; i += DCS_VEC)
    for (int l = 0; l < DCS_VEC; l++)
      sum[l] += (a[i + (size_t)l] - b[i + (size_t)l]) * (a[i + (size_t)l] - b[i + (size_t)l]);
  for (; i < n; i++) rest += (a[i] - b[i]) * (a[i] - b[i]);
  for (int l = 0; l < DCS_VEC; l++) rest += sum[l];
  return rest;
}

static dcs_status block(const dcs_problem *problem, const dcs_design *design, int64_t number, dcs_block_work *work,
                        dcs_sums *sums, dcs_error *err)
{
  (void)design;
  int directions = directions_of(problem);
  double value[DCS_CLOUD_QUANTITIES] = {0};
  dcs_status st = dcs_cloud_draw(problem, number, &work->cloud, err);
  if (st != DCS_OK) return st;
  for (int first = 0, count; first < directions; first += count) {
    count = directions - first < BATCH ? directions - first : BATCH;
    size_t numbers = (size_t)count * (size_t)work->cloud.n;
    draw_directions(problem, number * directions + first, work);
    project(work, count, work->cloud.exact, work->exact);
    project(work, count, work->cloud.output, work->other);
    value[DCS_CLOUD_DISTANCE] += square_difference(numbers, work->exact, work->other);
    project(work, count, work->cloud.again, work->other);
    value[DCS_CLOUD_FLOOR] += square_difference(numbers, work->exact, work->other);
  }
  for (int q = 0; q < DCS_CLOUD_QUANTITIES; q++) value[q] /= (double)directions * work->cloud.n;
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
  estimates[DCS_CLOUD_DISTANCE].bias_bound += estimates[DCS_CLOUD_FLOOR].value;
}

static double flops(const dcs_problem *problem, const dcs_design *design)
{
  (void)design;
  enum { SORT = 60 /**< per number */ };
  double d = dcs_target_dimension(problem->target);
  return dcs_cloud_flops(problem) + 3.0 * directions_of(problem) * problem->samples * (2 * d + SORT);
}

const dcs_estimator dcs_estimator_sliced = {
    .name = "sliced",
    .help = "sorted projections of clouds of particles on random directions; biased up by at most about its floor",
    .source = "Bonneel et al. 2015",
    .count = DCS_CLOUD_QUANTITIES,
    .quantity = {[DCS_CLOUD_DISTANCE] = "w2_sliced", [DCS_CLOUD_FLOOR] = "w2_sliced_floor"},
    .check = check,
    .plan = plan,
    .work_create = work_create,
    .work_destroy = work_destroy,
    .block = block,
    .finish = finish,
    .flops = flops,
};
