/** Marginal divergences and the Wasserstein-2 distance of any sampler on targets whose independent parts are
 *  one-dimensional, by propagating (samplers with noise) or pulling back (without) the density of each part.
 *  KL and W2^2 add over parts, 1 + chi^2 multiplies. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "metric/estimators.h"
#include "metric/exact.h"
#include "metric/line_compare.h"
#include "metric/quadrature.h"

enum { KL, KL_REV, CHI2, W2, VALUES, QUANTITIES = 2 * VALUES };

/** Nodes per width of a kernel, twice: trapezoid sums converge like exp(-2 pi^2 resolution^2) here, and what is left at
 *  1.6 is 1e-9 of a KL or less, at 2 its rounding. Few steps are coarse steps, whose kernels are not quite normal as
 *  functions of where they come from, and cost nothing. */
typedef struct {
  double r[2];
} resolutions;

static resolutions push_resolutions(const dcs_steps *steps)
{
  return steps->count <= 1024 ? (resolutions){{3, 2}} : (resolutions){{2, 1.6}};
}

/** Nodes per sigma_N when the map is inverted, and every other node for comparison: from the first to the last, twice as
 *  many until they agree (p varies faster than q in the gap between modes). */
#define PULL_RESOLUTION 8
#define PULL_RESOLUTION_MOST 128

/** Beyond this much work (minutes on one core) the next estimator is faster. */
#define MAX_FLOPS 4e12

/** |int p - 1| beyond which a density is not believed, and below which a grid may be fine enough. */
#define MAX_MASS_ERROR 1e-9

/** Mass of the target that may lie where the output law has none to speak of: its divergence there is not known, but
 *  below this times the depth of the grid. */
#define MAX_MISSED 1e-20

typedef enum { MIXED, NOISY, NOISELESS } noise;

static noise noise_of(const dcs_steps *steps)
{
  int noisy = 0;
  for (int k = 0; k < steps->count; k++) noisy += steps->step[k].c2 > 0;
  return noisy == 0 ? NOISELESS : noisy == steps->count ? NOISY : MIXED;
}

static double flops(const dcs_problem *problem, const dcs_design *design)
{
  (void)design;
  dcs_part part[DCS_PARTS_MAX];
  int kinds = dcs_target_parts(problem->target, part);
  double sum = 0;
  for (int i = 0; i < kinds; i++)
    if (noise_of(problem->steps) == NOISELESS)
      sum += dcs_line_pull_flops(part[i].target, problem->steps, PULL_RESOLUTION);
    else
      for (int r = 0; r < 2; r++)
        sum += dcs_line_push_flops(part[i].target, problem->steps, push_resolutions(problem->steps).r[r]);
  return sum;
}

static dcs_status check(const dcs_problem *problem, dcs_error *err)
{
  const dcs_steps *steps = problem->steps;
  dcs_status st = dcs_quadrature_check(problem, "quadrature", err);
  if (st != DCS_OK) return st;
  if (noise_of(steps) == MIXED) return dcs_fail(err, DCS_EARG, "quadrature: some steps have noise, others have none");
  if (flops(problem, NULL) > MAX_FLOPS) return dcs_fail(err, DCS_EARG, "quadrature: the grids would be too large");
  return DCS_OK;
}

/** One part: values with w2 squared, the error of each, and what may be wrong with the density. */
typedef struct {
  double value[VALUES], error[VALUES];
  double mass_error, missed;
} part_values;

/** What a density says, and what it cannot know: rounding in p, its mass, what lies beyond the grid. W2 is NAN where half
 *  of the mass is missing. */
static dcs_status compare(const dcs_line_density *density, const dcs_steps *steps, part_values *out)
{
  dcs_line_divergences d;
  double length = (double)density->grid.n * density->grid.h, w2_squared = NAN;
  dcs_line_divergence(density, &d);
  dcs_status st = dcs_line_w2_squared(density, &w2_squared);
  if (st != DCS_OK && st != DCS_ENUMERIC) return st;
  out->mass_error = d.mass_error;
  out->missed = d.missed;
  double e = fabs(d.mass_error) + 4 * DBL_EPSILON * sqrt((double)steps->count);
  double kl = d.value[KL], rev = d.value[KL_REV], chi2 = d.value[CHI2];
  /* a relative error e of r changes the integrals by e E|r - 1|, e E|r log r| and 2 e E[r |r - 1|]; E|r - 1| is at most
   *  sqrt(2 KL) (Pinsker) */
  const double moved[] = {[KL] = sqrt(2 * kl), [KL_REV] = sqrt(2 * kl) + rev, [CHI2] = 2 * (sqrt(chi2) + chi2)};
  for (int v = 0; v < VALUES - 1; v++) {
    out->value[v] = d.value[v];
    out->error[v] = e * (moved[v] + e) + d.edge[v];
  }
  out->value[W2] = w2_squared;
  out->error[W2] = e * length * length;                            /* mass e that is missing here and left over there */
  if (!(d.edge[CHI2] <= 1e-6 * chi2)) out->error[CHI2] = INFINITY; /* its tail does not fall */
  return DCS_OK;
}

/** out <- every other node of a density. */
static dcs_status thin(const dcs_line_density *density, dcs_line_density *out)
{
  dcs_grid every_other = dcs_grid_coarse(&density->grid);
  dcs_status st = dcs_line_density_create(&every_other, out);
  for (int64_t i = 0; st == DCS_OK && i < every_other.n; i++) {
    out->log_p[i] = density->log_p[2 * i];
    out->log_q[i] = density->log_q[2 * i];
  }
  return st;
}

/** The output law at two resolutions, the finer first; `pull` is that of the noiseless kind. */
static dcs_status densities(const dcs_target *part, const dcs_steps *steps, double pull, dcs_line_density density[2],
                            dcs_error *err)
{
  dcs_status st = DCS_OK;
  for (int r = 0; r < 2; r++) dcs_line_density_destroy(&density[r]);
  if (noise_of(steps) == NOISY) {
    for (int r = 0; r < 2; r++) DCS_TRY(dcs_line_push(part, steps, push_resolutions(steps).r[r], &density[r], err));
  } else {
    DCS_TRY(dcs_line_pull(part, steps, pull, &density[0], err));
    DCS_TRY(thin(&density[0], &density[1]));
  }
done:
  return st;
}

/** Whether the finer grid of the two is fine enough: its own error is far below the difference. */
static bool agree(const part_values *fine, const part_values *coarse)
{
  static const double relative[] = {[KL] = 1e-9, [KL_REV] = 1e-9, [W2] = 1e-7};
  static const int tested[] = {KL, KL_REV, W2};
  if (!(fabs(fine->mass_error) <= MAX_MASS_ERROR)) return false;
  for (int i = 0; i < 3; i++) {
    int v = tested[i];
    if (!(fabs(fine->value[v] - coarse->value[v]) <= relative[v] * fine->value[v] + fine->error[v])) return false;
  }
  return true;
}

static dcs_status measure(const dcs_target *part, const dcs_steps *steps, part_values *out, dcs_error *err)
{
  dcs_status st = DCS_OK;
  dcs_line_density density[2] = {{.log_p = NULL}};
  part_values coarse;
  for (double resolution = PULL_RESOLUTION; resolution <= PULL_RESOLUTION_MOST; resolution *= 2) {
    DCS_TRY(densities(part, steps, resolution, density, err));
    DCS_TRY(compare(&density[0], steps, out));
    DCS_TRY(compare(&density[1], steps, &coarse));
    if (noise_of(steps) == NOISY || agree(out, &coarse)) break;
  }
  for (int v = 0; v < VALUES; v++) out->error[v] += fabs(out->value[v] - coarse.value[v]);
  if (!(fabs(out->mass_error) <= MAX_MASS_ERROR))
    st =
        dcs_fail(err, DCS_ENUMERIC,
                 "quadrature: the mass of the output law is off by %.1e: it varies too fast for a grid; use more steps",
                 out->mass_error);
  else if (!(out->missed <= MAX_MISSED))
    st = dcs_fail(err, DCS_ENUMERIC,
                  "quadrature: the output law vanishes where the target has a mass of %.1e; use more steps",
                  out->missed);
done:
  for (int r = 0; r < 2; r++) dcs_line_density_destroy(&density[r]);
  return st;
}

static dcs_status block(const dcs_problem *problem, const dcs_design *design, int64_t number, dcs_block_work *work,
                        dcs_sums *sums, dcs_error *err)
{
  (void)design, (void)number, (void)work;
  dcs_status st = DCS_OK;
  dcs_part part[DCS_PARTS_MAX];
  int kinds = dcs_target_parts(problem->target, part);
  double total[VALUES] = {0}, error[VALUES] = {0};
  for (int i = 0; i < kinds; i++) {
    part_values one;
    DCS_TRY(measure(part[i].target, problem->steps, &one, err));
    one.error[CHI2] = isfinite(one.error[CHI2]) ? one.error[CHI2] / (1 + one.value[CHI2]) : INFINITY;
    one.value[CHI2] = log1p(one.value[CHI2]);
    for (int v = 0; v < VALUES; v++) {
      total[v] += part[i].copies * one.value[v];
      error[v] += part[i].copies * one.error[v];
    }
  }
  error[CHI2] *= exp(total[CHI2]);
  total[CHI2] = expm1(total[CHI2]);
  double w2 = sqrt(total[W2]);
  error[W2] = error[W2] / (w2 + sqrt(error[W2]) + DBL_MIN);
  total[W2] = w2;
  memset(sums, 0, sizeof *sums);
  for (int v = 0; v < VALUES; v++) {
    sums->mean[v] = total[v];
    sums->mean[VALUES + v] = error[v];
  }
  if (!isfinite(total[KL] + total[KL_REV] + total[W2]))
    st = dcs_fail(err, DCS_ENUMERIC, "quadrature: a divergence is not finite; use more steps");
done:
  return st;
}

static void finish(const dcs_problem *problem, const dcs_design *design, const dcs_sums *sums, dcs_estimate *estimates)
{
  (void)problem, (void)design;
  for (int v = 0; v < VALUES; v++) {
    estimates[v] = (dcs_estimate){.value = sums->mean[v], .bias_bound = sums->mean[VALUES + v]};
    estimates[VALUES + v] = (dcs_estimate){.value = sums->mean[VALUES + v]};
  }
}

const dcs_estimator dcs_estimator_quadrature = {
    .name = "quadrature",
    .help = "density of the output law on a grid; targets whose independent parts are one-dimensional, any sampler",
    .source = "p' = int p K by trapezoid sums; quantile functions",
    .exact = true,
    .count = QUANTITIES,
    .quantity = {"kl", "kl_rev", "chi2", "w2", "kl_error", "kl_rev_error", "chi2_error", "w2_error"},
    .check = check,
    .plan = dcs_exact_plan,
    .work_create = dcs_exact_work_create,
    .work_destroy = dcs_exact_work_destroy,
    .block = block,
    .finish = finish,
    .flops = flops,
};
