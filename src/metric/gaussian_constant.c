/** lim steps^2 KL(q || p) in closed form for Gaussian targets, per eigenvalue lambda with Q(s) = lambda + s^2.
 *
 *  One step of length h from q_s leaves a variance too large by the relative amount beta(s) h^2,
 *      beta = lim (g^2 Q(s) + c^2 - Q(s'))/(Q h^2) = (alpha s^2 + b^2 s^4/Q)/Q,
 *      alpha = lim (s^2 - s'^2 - 2 B s^2 + c^2)/(h s)^2,   b = lim B/h = 1 + kappa,   c^2 ~ 2 kappa h s^2,
 *  since g = 1 - B s^2/Q. Later steps carry an excess V - Q by g^2 with log g ~ -(1 + kappa) h s^2/Q, and d log Q = -2
 *  h s^2/Q, so that V/Q - 1 arrives at delta times (Q(sqrt(delta))/Q(s))^kappa. With lengths h_k, in log s,
 *      e = lim N (V/Q - 1) = sum_k N h_k int_k beta (Q(sqrt(delta))/Q)^kappa d log s,   lim N^2 KL = sum e^2/4. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "metric/estimators.h"
#include "metric/exact.h"
#include "metric/gaussian_steps.h"
#include "metric/limit.h"

enum { KL_CONSTANT, TRUNCATION, QUANTITIES };
enum { NODES = 3 };
#define PANEL 0.125 /**< in log s: three Gauss nodes are good to 1e-10, the nearest singularity being pi/2 away */

static dcs_status check(const dcs_problem *problem, dcs_error *err)
{
  dcs_status st = dcs_gaussian_check(problem, err);
  return st == DCS_OK ? dcs_limit_check(problem, "gaussian-constant", err) : st;
}

/** alpha(s), and what it changes by when the longest step is left out. */
static long double local_excess(const dcs_steps *steps, double sigma, long double *change)
{
  long double f[DCS_LIMIT_LENGTHS];
  for (int i = 0; i < DCS_LIMIT_LENGTHS; i++) {
    dcs_step step = dcs_limit_step(steps, sigma, ldexp(DCS_LIMIT_LENGTH, -i));
    long double s = step.sigma, t = step.sigma_next, s2 = s * s, h = log1pl((s - t) / t);
    f[i] = ((s - t) * (s + t) - 2 * s2 * step.b + step.c2) / (h * h * s2);
  }
  long double alpha = dcs_limit_extrapolate(DCS_LIMIT_LENGTHS, f);
  *change = alpha - dcs_limit_extrapolate(DCS_LIMIT_LENGTHS - 1, f + 1);
  return alpha;
}

typedef struct {
  long double excess, change; /**< lim N (V/Q - 1), and the part of it that the longest step makes */
} arrived;

/** Adds what the errors made near one level are at delta; weight = N h_k d log s. */
static void add_level(const dcs_problem *problem, double sigma, long double weight, double kappa, int count,
                      const dcs_gaussian_coordinate *c, arrived *at)
{
  const dcs_steps *steps = problem->steps;
  long double change, alpha = local_excess(steps, sigma, &change), b = 1 + (long double)kappa;
  long double last = steps->step[steps->count - 1].sigma_next, s2 = (long double)sigma * sigma;
  for (int i = 0; i < count; i++) {
    long double q = c[i].lambda + s2, share = s2 / q, carried = (c[i].lambda + last * last) / q;
    if (kappa != 1) carried = powl(carried, kappa);
    at[i].excess += weight * carried * share * (alpha + b * b * share);
    at[i].change += weight * carried * share * change;
  }
}

static dcs_status block(const dcs_problem *problem, const dcs_design *design, int64_t number, dcs_block_work *work,
                        dcs_sums *sums, dcs_error *err)
{
  (void)design, (void)number, (void)work;
  static const double node[NODES] = {-0.77459666924148337704, 0, 0.77459666924148337704};
  static const double gauss[NODES] = {5.0 / 18, 8.0 / 18, 5.0 / 18};
  dcs_status st = DCS_OK;
  const dcs_steps *steps = problem->steps;
  dcs_gaussian_coordinate *c = NULL;
  arrived *at = NULL;
  int count = 0;
  double kappa = dcs_limit_noise(steps, steps->step[0].sigma);
  DCS_TRY(dcs_gaussian_coordinates(problem, &count, &c));
  DCS_TRY(dcs_alloc((size_t)count, sizeof *at, &at));
  for (int k = 0; k < steps->count; k++) {
    double length = log(steps->step[k].sigma / steps->step[k].sigma_next), panels = ceil(length / PANEL);
    long double weight = steps->count * (long double)length * length / panels;
    for (int n = 0; n < NODES * (int)panels; n++) {
      double down = (n / NODES + 0.5 + 0.5 * node[n % NODES]) / panels;
      add_level(problem, steps->step[k].sigma * exp(-length * down), weight * gauss[n % NODES], kappa, count, c, at);
    }
  }
  memset(sums, 0, sizeof *sums);
  for (int i = 0; i < count; i++) {
    long double e = at[i].excess;
    sums->mean[KL_CONSTANT] += (double)(c[i].weight * e * e / 4);
    sums->mean[TRUNCATION] += (double)(c[i].weight * fabsl(e * at[i].change) / 2);
  }
  if (!isfinite(sums->mean[KL_CONSTANT]))
    st = dcs_fail(err, DCS_ENUMERIC, "the closed form of the limit is not finite");
done:
  dcs_free(&c);
  dcs_free(&at);
  return st;
}

/** A step's coefficients are doubles: alpha is known to 64 DBL_EPSILON/h^2, h the shortest length, and N (V/Q - 1) to
 *  the integral of that. */
static void finish(const dcs_problem *problem, const dcs_design *design, const dcs_sums *sums, dcs_estimate *estimates)
{
  (void)design;
  const dcs_steps *steps = problem->steps;
  double v = sums->mean[KL_CONSTANT], d = dcs_target_dimension(problem->target), integral = 0;
  for (int k = 0; k < steps->count; k++)
    integral += steps->count * pow(log(steps->step[k].sigma / steps->step[k].sigma_next), 2);
  double rounding = 64 * DBL_EPSILON / pow(ldexp(DCS_LIMIT_LENGTH, 1 - DCS_LIMIT_LENGTHS), 2) * integral;
  double bias = sums->mean[TRUNCATION] + rounding * (sqrt(d * v) + d * rounding) + 1e-9 * v;
  estimates[KL_CONSTANT] = (dcs_estimate){.value = v, .bias_bound = bias};
  estimates[TRUNCATION] = (dcs_estimate){.value = sums->mean[TRUNCATION], .bias_bound = bias};
}

static double flops(const dcs_problem *problem, const dcs_design *design)
{
  (void)design;
  return dcs_gaussian_flops(problem, 30 * NODES) + 1000.0 * NODES * problem->steps->count;
}

const dcs_estimator dcs_estimator_gaussian_constant = {
    .name = "gaussian-constant",
    .help = "closed form for Gaussian targets; any one-score sampler",
    .source = "relative variance excess of one short step, integrated over log sigma",
    .exact = true,
    .count = QUANTITIES,
    .quantity = {[KL_CONSTANT] = "kl_constant", [TRUNCATION] = "truncation"},
    .check = check,
    .plan = dcs_exact_plan,
    .work_create = dcs_exact_work_create,
    .work_destroy = dcs_exact_work_destroy,
    .block = block,
    .finish = finish,
    .flops = flops,
};
