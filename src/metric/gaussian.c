/** Closed form for Gaussian targets: the sampler's law stays Gaussian, each eigenvalue lambda by itself.
 *      V <- g^2 V + noise,   M - mean <- g (M - mean),   g = 1 - B_k sigma_k^2/(lambda + sigma_k^2)      [theory 4]
 *  (g and noise of moment-2 and heun in gaussian_steps.c). The coupling bound follows D = Y - X of the sampler Y and
 *  the exact chain X by E D^2 and E D X, never by the difference of two variances:
 *      Y' = g Y + c z,   X' = phi X + c z,   D' = g D - (phi - g) X,
 *  from Y = X (init exact), or with the noise z of X shared: Y = sqrt(1 + sigma^2) z (prior), mean + sigma z (mean).
 *  Of the exact law alone: with gamma = 1/sigma^2, information = 1/2 sum log((1 + lambda gamma_N)/(1 + lambda
 *  gamma_0)), mmse = sum lambda/(1 + lambda gamma), smoothness = max |C/sigma^2 - 1| = sigma^2/(lambda_min + sigma^2)
 *  for every x. In long double, N rounding errors of 1e-19 leave V/Q - 1 ~ 1/N with more than double precision. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "metric/estimators.h"
#include "metric/exact.h"
#include "metric/gaussian_steps.h"

enum { KL, KL_REV, CHI2, W2, W2_COUPLING, INFORMATION, MMSE, SMOOTHNESS, QUANTITIES };

/** The output law beside the exact one, for one eigenvalue, Q = lambda + delta. */
typedef struct {
  long double excess;  /**< V/Q - 1 */
  long double shift2;  /**< (M - mean)^2/Q */
  long double coupled; /**< E(Y - X)^2/Q */
} outcome;

static outcome propagate(const dcs_steps *steps, const dcs_gaussian_coordinate *c)
{
  long double s0 = steps->step[0].sigma, lambda = c->lambda, q = lambda + s0 * s0, variance = q, shift = 0;
  long double d2 = 0, dx = 0; /* E D^2, E D X about the mean */
  if (steps->init != DCS_INIT_EXACT) {
    bool prior = steps->init == DCS_INIT_PRIOR;
    variance = s0 * s0 + (prior ? 1 : 0);
    shift = prior ? -c->mean : 0;
    long double wider = prior ? 1 / (sqrtl(variance) + s0) : 0; /* D = wider z - sqrt(lambda) z_data */
    d2 = lambda + wider * wider;
    dx = wider * s0 - lambda;
  }
  for (int k = 0; k < steps->count; k++) {
    dcs_linear_step l = dcs_linear_step_at(steps->sampler->kind, &steps->step[k], c->lambda);
    long double own = 0, extra = 0;
    if (l.own2 < l.noise2) {
      own = sqrtl(l.own2);
      extra = sqrtl(l.noise2) - own;
    }
    variance = l.g * l.g * variance + l.noise2;
    shift *= l.g;
    d2 = l.g * (l.g * d2 - 2 * l.miss * dx) + l.miss * l.miss * l.q + extra * extra;
    dx = l.phi * (l.g * dx - l.miss * l.q) + extra * own;
    q = l.q_next;
  }
  return (outcome){variance / q - 1, shift * shift / q, (d2 + shift * shift) / q};
}

/** Adds `weight` coordinates; CHI2 gathers log(1 + chi2), the distances their squares. */
static void add(const dcs_steps *steps, const dcs_gaussian_coordinate *c, long double *total)
{
  long double first = steps->step[0].sigma, last = steps->step[steps->count - 1].sigma_next, weight = c->weight;
  long double lambda = c->lambda, q = lambda + last * last;
  outcome o = propagate(steps, c);
  long double e = o.excess, m2 = o.shift2;
  long double inverse = -e / (1 + e), root = e / (sqrtl(1 + e) + 1); /* Q/V - 1 and sqrt(V/Q) - 1 */
  total[KL] += weight * (inverse - log1pl(inverse) + m2 / (1 + e)) / 2;
  total[KL_REV] += weight * (e - log1pl(e) + m2) / 2;
  total[CHI2] += e < 1 ? weight * (m2 / (1 - e) - log1pl(-e * e) / 2) : INFINITY;
  total[W2] += weight * (root * root + m2) * q;
  total[W2_COUPLING] += weight * o.coupled * q;
  total[INFORMATION] +=
      weight * log1pl(lambda * (first - last) * (first + last) / (last * last * (lambda + first * first))) / 2;
  total[MMSE] += weight * lambda * last * last / q;
  total[SMOOTHNESS] = fmaxl(total[SMOOTHNESS], first * first / (lambda + first * first));
}

static dcs_status block(const dcs_problem *problem, const dcs_design *design, int64_t number, dcs_block_work *work,
                        dcs_sums *sums, dcs_error *err)
{
  (void)design, (void)number, (void)work;
  dcs_status st = DCS_OK;
  dcs_gaussian_coordinate *c = NULL;
  int count = 0;
  long double total[QUANTITIES] = {0};
  DCS_TRY(dcs_gaussian_coordinates(problem, &count, &c));
  for (int i = 0; i < count; i++) add(problem->steps, &c[i], total);
  total[CHI2] = expm1l(total[CHI2]);
  total[W2] = sqrtl(total[W2]);
  total[W2_COUPLING] = sqrtl(total[W2_COUPLING]);
  memset(sums, 0, sizeof *sums);
  for (int q = 0; q < QUANTITIES; q++) sums->mean[q] = (double)total[q];
  if (!isfinite(sums->mean[KL]) || !isfinite(sums->mean[W2_COUPLING]))
    st = dcs_fail(err, DCS_ENUMERIC, "the closed form is not finite: the sampler's variance left the range of numbers");
done:
  dcs_free(&c);
  return st;
}

static dcs_estimate exactly(double v) { return (dcs_estimate){.value = v, .bias_bound = 8 * DBL_EPSILON * fabs(v)}; }

/** The steps' coefficients are doubles: an error of DBL_EPSILON in each moves V/Q - 1 by at most about DBL_EPSILON
 *  times 2 log(sigma_max/sigma_min), hence KL = sum e^2/4 by that times sqrt(d KL), and a distance by half of it times
 *  the root of sum Q. */
static void finish(const dcs_problem *problem, const dcs_design *design, const dcs_sums *sums, dcs_estimate *estimates)
{
  (void)design;
  const dcs_steps *steps = problem->steps;
  double last = steps->step[steps->count - 1].sigma_next, range = 1 + log(steps->step[0].sigma / last);
  double d = dcs_target_dimension(problem->target);
  for (int q = 0; q < QUANTITIES; q++) {
    double v = sums->mean[q];
    bool is_distance = q == W2 || q == W2_COUPLING;
    double spread = is_distance ? sqrt(dcs_target_variance(problem->target) + d * last * last) : sqrt(d * fabs(v));
    estimates[q] = exactly(v);
    if (q <= W2_COUPLING) estimates[q].bias_bound = 4 * DBL_EPSILON * (fabs(v) + range * spread);
  }
}

static void profile(const dcs_problem *problem, const dcs_design *design, const dcs_sums *sums, int quantity,
                    dcs_estimate *out)
{
  (void)design, (void)sums;
  int copies = 1;
  const dcs_target *target = dcs_target_factor(problem->target, &copies);
  const double *lambda = dcs_target_gaussian(target, NULL);
  for (int k = 0; k <= problem->steps->count; k++) {
    double sigma = problem->schedule->sigma[k], s2 = sigma * sigma, sum = 0, least = INFINITY;
    for (int i = 0; i < dcs_target_dimension(target); i++) {
      sum += lambda[i] * s2 / (lambda[i] + s2);
      least = fmin(least, lambda[i]);
    }
    out[k] = exactly(quantity == MMSE ? copies * sum : s2 / (least + s2));
    if (quantity == MMSE) out[k].bias_bound *= dcs_target_dimension(target); /* rounding of the sum */
  }
}

static double flops(const dcs_problem *problem, const dcs_design *design)
{
  (void)design;
  return dcs_gaussian_flops(problem, 200);
}

const dcs_estimator dcs_estimator_gaussian = {
    .name = "gaussian",
    .help = "closed form for Gaussian targets",
    .source = "variance recursion per eigenvalue; Bures distance",
    .exact = true,
    .count = QUANTITIES,
    .quantity = {[KL] = "kl",
                 [KL_REV] = "kl_rev",
                 [CHI2] = "chi2",
                 [W2] = "w2",
                 [W2_COUPLING] = "w2_coupling",
                 [INFORMATION] = "information",
                 [MMSE] = "mmse",
                 [SMOOTHNESS] = "smoothness"},
    .check = dcs_gaussian_check,
    .plan = dcs_exact_plan,
    .work_create = dcs_exact_work_create,
    .work_destroy = dcs_exact_work_destroy,
    .block = block,
    .finish = finish,
    .profile = profile,
    .flops = flops,
};
