#include "metric/cloud.h"

#include <math.h>

#include "base/memory.h"
#include "metric/mean_design.h"

enum { MIN_BLOCKS = 8 /**< fewer cannot show the bootstrap a shape */ };

/** Forks of the draw stream. */
enum { FORK_OUTPUT, FORK_EXACT, FORK_AGAIN };

dcs_status dcs_cloud_create(const dcs_problem *problem, int n, dcs_cloud *cloud)
{
  dcs_status st = DCS_OK;
  *cloud = (dcs_cloud){.n = n, .d = dcs_target_dimension(problem->target)};
  size_t tile = (size_t)cloud->d * DCS_LANES, numbers = (size_t)cloud->n * (size_t)cloud->d;
  DCS_TRY(dcs_alloc(numbers, sizeof(double), &cloud->output));
  DCS_TRY(dcs_alloc(numbers, sizeof(double), &cloud->exact));
  DCS_TRY(dcs_alloc(numbers, sizeof(double), &cloud->again));
  DCS_TRY(dcs_posterior_create(problem->target, &cloud->posterior));
  DCS_TRY(dcs_alloc(tile, sizeof(double), &cloud->x));
  DCS_TRY(dcs_alloc(tile, sizeof(double), &cloud->z));
done:
  if (st != DCS_OK) dcs_cloud_destroy(cloud);
  return st;
}

void dcs_cloud_destroy(dcs_cloud *cloud)
{
  dcs_free(&cloud->output);
  dcs_free(&cloud->exact);
  dcs_free(&cloud->again);
  dcs_posterior_destroy(&cloud->posterior);
  dcs_free(&cloud->x);
  dcs_free(&cloud->z);
}

/** Particles first, first + 1, ... of to[n][d] <- the tile in x, as far as there is room. False: not finite. */
static bool keep_tile(const dcs_cloud *cloud, int first, int n, double *to)
{
  bool finite = true;
  for (int l = 0; l < DCS_LANES && first + l < n; l++)
    for (int i = 0; i < cloud->d; i++) {
      double x = cloud->x[i * DCS_LANES + l];
      to[(size_t)(first + l) * (size_t)cloud->d + (size_t)i] = x;
      finite &= isfinite(x) != 0;
    }
  return finite;
}

dcs_status dcs_cloud_output(const dcs_problem *problem, int64_t first, int n, dcs_cloud *cloud, double *out,
                            dcs_error *err)
{
  const dcs_steps *steps = problem->steps;
  dcs_stream draw = dcs_stream_create(problem->seed, DCS_PURPOSE_DRAW, problem->point);
  dcs_stream noise = dcs_stream_create(problem->seed, DCS_PURPOSE_STEP, problem->point);
  dcs_stream start = dcs_stream_fork(draw, FORK_OUTPUT);
  for (int i = 0; i < n; i += DCS_LANES) {
    dcs_lane_ids ids = {0};
    for (int l = 0; l < DCS_LANES; l++) ids.path[l] = (uint64_t)(first + i + l);
    dcs_sampler_run(problem->target, steps, cloud->posterior, start, noise, &ids, cloud->x, cloud->z);
    if (!keep_tile(cloud, i, n, out))
      return dcs_fail(err, DCS_ENUMERIC, "a particle of %s is not finite; use more steps", steps->sampler->name);
  }
  return DCS_OK;
}

dcs_status dcs_cloud_draw(const dcs_problem *problem, int64_t block, dcs_cloud *cloud, dcs_error *err)
{
  const dcs_steps *steps = problem->steps;
  double sigma = steps->step[steps->count - 1].sigma_next;
  dcs_stream draw = dcs_stream_create(problem->seed, DCS_PURPOSE_DRAW, problem->point);
  dcs_stream exact = dcs_stream_fork(draw, FORK_EXACT), again = dcs_stream_fork(draw, FORK_AGAIN);
  dcs_status st = dcs_cloud_output(problem, block * cloud->n, cloud->n, cloud, cloud->output, err);
  if (st != DCS_OK) return st;
  for (int first = 0; first < cloud->n; first += DCS_LANES) {
    dcs_lane_ids ids = {0};
    for (int l = 0; l < DCS_LANES; l++) ids.path[l] = (uint64_t)(block * cloud->n + first + l);
    dcs_sampler_draw(problem->target, sigma, exact, &ids, cloud->x, cloud->z);
    bool finite = keep_tile(cloud, first, cloud->n, cloud->exact);
    dcs_sampler_draw(problem->target, sigma, again, &ids, cloud->x, cloud->z);
    if (!keep_tile(cloud, first, cloud->n, cloud->again) || !finite)
      return dcs_fail(err, DCS_ENUMERIC, "a draw of the target is not finite");
  }
  return DCS_OK;
}

double dcs_cloud_flops(const dcs_problem *problem)
{
  enum { DRAW = 60 /**< operations per normal number: Philox, logarithm, sine and cosine */ };
  double d = dcs_target_dimension(problem->target), steps = problem->steps->count;
  return problem->samples * (steps * (dcs_target_flops(problem->target, false) + (DRAW + 5) * d) + 5 * DRAW * d);
}

dcs_next dcs_cloud_plan(const dcs_problem *problem, int power, const dcs_stop *stop, const dcs_design *previous,
                        const dcs_sums *sums, dcs_design *next)
{
  static const bool wanted[DCS_CLOUD_QUANTITIES] = {[DCS_CLOUD_DISTANCE] = true};
  if (previous == NULL) {
    double blocks = fmin(MIN_BLOCKS, floor(stop->max_paths / problem->samples));
    *next = (dcs_design){.inner = 1, .outer = problem->samples, .blocks = (int64_t)fmax(blocks, 1), .is_final = true};
    return DCS_NEXT_RUN;
  }
  dcs_stop scaled = {.rel_error = power * stop->rel_error, .max_paths = stop->max_paths};
  return dcs_mean_extend(DCS_CLOUD_QUANTITIES, wanted, &scaled, previous, sums, next);
}

dcs_estimate dcs_cloud_root(const dcs_sums *sums, int quantity)
{
  dcs_estimate square = dcs_sums_estimate(sums, quantity), root = {.value = sqrt(square.value), .n = square.n};
  if (square.std_error == 0) return root; /* also where all clouds coincide and the root has no derivative */
  root.std_error = square.std_error / (2 * root.value);
  root.bias_bound = root.std_error * root.std_error / (2 * root.value);
  return root;
}
