/** Closed form for Gaussian targets: the sampler's law stays Gaussian, each eigenvalue lambda by itself.
 *      g_k = 1 - B_k sigma_k^2/(lambda + sigma_k^2),   V <- g^2 V + c^2,   M - mean <- g (M - mean)       [theory 4]
 *  In long double: N rounding errors of 1e-19 leave V/Q - 1 ~ 1/N with more than double precision on x86. */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "metric/estimators.h"

enum { KL, KL_REV, CHI2, W2, QUANTITIES };

static dcs_status check(const dcs_problem *problem, dcs_error *err)
{
  const dcs_steps *steps = problem->steps;
  if (dcs_target_gaussian(problem->target, NULL) != NULL && steps->error == NULL &&
      steps->sampler->kind == DCS_MAP_ONE_SCORE)
    return DCS_OK;
  return dcs_fail(err, DCS_EARG, "the target is not Gaussian");
}

static dcs_next plan(const dcs_problem *problem, const dcs_stop *stop, const dcs_design *previous, const dcs_sums *sums,
                     dcs_design *next)
{
  (void)problem, (void)stop, (void)sums;
  if (previous != NULL) return DCS_NEXT_DONE;
  *next = (dcs_design){.outer = 1, .inner = 1, .blocks = 1, .is_final = true};
  return DCS_NEXT_RUN;
}

static dcs_status work_create(const dcs_problem *problem, dcs_block_work **work)
{
  (void)problem;
  *work = NULL;
  return DCS_OK;
}

static void work_destroy(dcs_block_work **work) { *work = NULL; }

/** Relative excess of variance V/Q - 1 and squared relative shift of the mean (M - mean)^2/Q of the output law, Q =
 *  lambda + delta, for one eigenvalue and one coordinate of the mean. */
static void propagate(const dcs_steps *steps, long double lambda, long double mean, long double *excess,
                      long double *shift2)
{
  long double s0 = steps->step[0].sigma, variance = lambda + s0 * s0, shift = 0, q = variance;
  if (steps->init != DCS_INIT_EXACT) variance = s0 * s0 + (steps->init == DCS_INIT_PRIOR ? 1 : 0);
  if (steps->init == DCS_INIT_PRIOR) shift = -mean;
  for (int k = 0; k < steps->count; k++) {
    const dcs_step *s = &steps->step[k];
    long double g = 1 - s->b * ((long double)s->sigma * s->sigma) / q;
    variance = g * g * variance + s->c2;
    shift *= g;
    q = lambda + (long double)s->sigma_next * s->sigma_next;
  }
  *excess = variance / q - 1;
  *shift2 = shift * shift / q;
}

typedef struct {
  double lambda, mean;
} coordinate;

static int compare(const void *a, const void *b)
{
  const coordinate *p = a, *q = b;
  if (p->lambda != q->lambda) return p->lambda < q->lambda ? -1 : 1;
  return (p->mean > q->mean) - (p->mean < q->mean);
}

static dcs_status block(const dcs_problem *problem, const dcs_design *design, int64_t number, dcs_block_work *work,
                        dcs_sums *sums, dcs_error *err)
{
  (void)design, (void)number, (void)work;
  dcs_status st = DCS_OK;
  coordinate *c = NULL;
  int copies = 1;
  const dcs_target *target = dcs_target_factor(problem->target, &copies);
  int d = dcs_target_dimension(target);
  const double *mean = NULL, *lambda = dcs_target_gaussian(target, &mean);
  DCS_TRY(dcs_alloc((size_t)d, sizeof *c, &c));
  for (int i = 0; i < d; i++) c[i] = (coordinate){lambda[i], problem->steps->init == DCS_INIT_PRIOR ? mean[i] : 0};
  qsort(c, (size_t)d, sizeof *c, compare);

  long double delta = problem->steps->step[problem->steps->count - 1].sigma_next, total[QUANTITIES] = {0};
  delta *= delta;
  for (int i = 0, n = 0; i < d; i += n) {
    for (n = 1; i + n < d && compare(&c[i], &c[i + n]) == 0; n++) continue;
    long double e, m2, weight = (long double)n * copies;
    propagate(problem->steps, c[i].lambda, c[i].mean, &e, &m2);
    long double inverse = -e / (1 + e), root = e / (sqrtl(1 + e) + 1); /* Q/V - 1 and sqrt(V/Q) - 1 */
    total[KL] += weight * (inverse - log1pl(inverse) + m2 / (1 + e)) / 2;
    total[KL_REV] += weight * (e - log1pl(e) + m2) / 2;
    total[CHI2] += e < 1 ? weight * (m2 / (1 - e) - log1pl(-e * e) / 2) : INFINITY;
    total[W2] += weight * (root * root + m2) * (c[i].lambda + delta);
  }
  total[CHI2] = expm1l(total[CHI2]);
  total[W2] = sqrtl(total[W2]);
  memset(sums, 0, sizeof *sums);
  for (int q = 0; q < QUANTITIES; q++) sums->mean[q] = (double)total[q];
  if (!isfinite(sums->mean[KL]))
    st = dcs_fail(err, DCS_ENUMERIC, "the closed form is not finite: the sampler's variance left the range of numbers");
done:
  dcs_free(&c);
  return st;
}

/** The steps' coefficients are doubles: an error of DBL_EPSILON in each moves V/Q - 1 by at most about DBL_EPSILON
 *  times 2 log(sigma_max/sigma_min), hence KL = sum e^2/4 by that times sqrt(d KL). */
static void finish(const dcs_problem *problem, const dcs_design *design, const dcs_sums *sums, dcs_estimate *estimates)
{
  (void)design;
  const dcs_steps *steps = problem->steps;
  double range = 1 + log(steps->step[0].sigma / steps->step[steps->count - 1].sigma_next);
  double d = dcs_target_dimension(problem->target);
  for (int q = 0; q < QUANTITIES; q++) {
    double v = sums->mean[q], spread = q == W2 ? sqrt(d) : sqrt(d * fabs(v));
    estimates[q] = (dcs_estimate){.value = v, .bias_bound = 4 * DBL_EPSILON * (fabs(v) + range * spread)};
  }
}

static double flops(const dcs_problem *problem, const dcs_design *design)
{
  (void)design;
  int copies = 1;
  return 60.0 * problem->steps->count * dcs_target_dimension(dcs_target_factor(problem->target, &copies));
}

const dcs_estimator dcs_estimator_gaussian = {
    .name = "gaussian",
    .help = "closed form for Gaussian targets",
    .source = "variance recursion per eigenvalue; Bures distance",
    .exact = true,
    .count = QUANTITIES,
    .quantity = {[KL] = "kl", [KL_REV] = "kl_rev", [CHI2] = "chi2", [W2] = "w2"},
    .check = check,
    .plan = plan,
    .work_create = work_create,
    .work_destroy = work_destroy,
    .block = block,
    .finish = finish,
    .flops = flops,
};
