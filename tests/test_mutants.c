/* The suite can fail: deliberate mistakes in a law, in the step table and in the use of random streams, each of which
 *  must turn a named check red that the right code passes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h> /* needs the headers above */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "conformance.h"
#include "support.h"
#include "target/law.h"

/** What a law that delegates to a right one does wrong on the way. */
typedef enum {
  NOTHING,
  SCORE_FACTOR,    /**< the score is 1.02 times the gradient of log q */
  COVARIANCE,      /**< C v off by 1e-6 */
  TRACE,           /**< tr C off by 1e-6 */
  LOG_DET,         /**< log det off by 1e-6 */
  SOLVE,           /**< J^{-1} v off by 1e-6 */
  DRAW_WIDTH,      /**< draws of X_0 5% too wide */
  THIRD,           /**< third moment off by 1e-5 */
  SPECTRUM,        /**< says it is Gaussian with the variance it has */
  RADIAL,          /**< says it is a centred Gaussian */
  PARTS,           /**< a part counted twice */
  NOISE_WIDTH,     /**< noise 5% too wide */
  CHARACTERISTIC,  /**< imaginary part with the wrong sign */
  BRIDGE_LEVEL,    /**< bridge to a level 10% too low */
  ONE_STEP_NUMBER, /**< bridge noise with the same step number at every step */
  NO_INNER_NUMBER  /**< the inner paths of one x share their noise */
} mistake;

typedef struct {
  dcs_target *base; /**< owned */
  mistake mistake;
} mutant;

static const mutant *mutant_of(const dcs_target *target) { return target->data; }

/** 1 + amount when the law makes this mistake, else 1. */
static double factor_of(const dcs_target *target, mistake kind, double amount)
{
  return mutant_of(target)->mistake == kind ? 1 + amount : 1;
}

static void scale(double *x, int n, double factor)
{
  for (int i = 0; i < n; i++) x[i] *= factor;
}

static void destroy(dcs_target *target)
{
  mutant *m = target->data;
  dcs_target_destroy(&m->base);
  dcs_free(&target->data);
}

static void draw(const dcs_target *target, dcs_stream stream, const dcs_lane_ids *ids, uint32_t step, double *x)
{
  dcs_target_draw(mutant_of(target)->base, stream, ids, step, x);
  scale(x, target->d * DCS_LANES, factor_of(target, DRAW_WIDTH, 0.05));
}

static double flops(const dcs_target *target, bool factor) { return dcs_target_flops(mutant_of(target)->base, factor); }

static void characteristic(const dcs_target *target, const double *omega, double *re, double *im)
{
  dcs_target_characteristic(mutant_of(target)->base, omega, re, im);
  *im *= factor_of(target, CHARACTERISTIC, -2);
}

static const double *gaussian(const dcs_target *target, const double **mean)
{
  *mean = target->mean;
  return mutant_of(target)->mistake == SPECTRUM ? &target->variance : NULL;
}

static int radial(const dcs_target *target, const double **weight, const double **stddev)
{
  *weight = *stddev = &target->variance; /* both are 1 */
  return mutant_of(target)->mistake == RADIAL ? 1 : 0;
}

static int parts(const dcs_target *target, dcs_part part[DCS_PARTS_MAX])
{
  part[0] = (dcs_part){mutant_of(target)->base, mutant_of(target)->mistake == PARTS ? 2 : 1};
  return 1;
}

static dcs_status posterior_create(dcs_posterior *post)
{
  dcs_posterior *inside = NULL;
  dcs_status st = dcs_posterior_create(mutant_of(post->target)->base, &inside);
  post->data = inside;
  return st;
}

static void posterior_destroy(dcs_posterior *post)
{
  dcs_posterior *inside = post->data;
  dcs_posterior_destroy(&inside);
}

static void at(dcs_posterior *post)
{
  double factor = factor_of(post->target, SCORE_FACTOR, 0.02);
  dcs_posterior_at(post->data, post->sigma, post->x);
  const double *m = dcs_posterior_mean(post->data);
  for (int i = 0; i < post->target->d * DCS_LANES; i++) post->m[i] = post->x[i] + factor * (m[i] - post->x[i]);
  memcpy(post->log_q, dcs_posterior_log_q(post->data), DCS_LANES * sizeof *post->log_q);
}

static void apply(dcs_posterior *post, const double *v, double *out)
{
  dcs_posterior_apply(post->data, v, out);
  scale(out, post->target->d * DCS_LANES, factor_of(post->target, COVARIANCE, 1e-6));
}

static void trace(dcs_posterior *post, double *out)
{
  dcs_posterior_trace(post->data, out);
  scale(out, DCS_LANES, factor_of(post->target, TRACE, 1e-6));
}

static void factor(dcs_posterior *post, double a, double b, double *log_det)
{
  dcs_posterior_factor(post->data, a, b, log_det);
  scale(log_det, DCS_LANES, factor_of(post->target, LOG_DET, 1e-6));
}

static void solve(dcs_posterior *post, const double *v, double *out)
{
  dcs_posterior_solve(post->data, v, out);
  scale(out, post->target->d * DCS_LANES, factor_of(post->target, SOLVE, 1e-6));
}

static void third(dcs_posterior *post, double *out)
{
  dcs_posterior_third(post->data, out);
  scale(out, DCS_LANES, factor_of(post->target, THIRD, 1e-5));
}

static void noise(dcs_posterior *post, dcs_stream stream, const dcs_lane_ids *ids, uint32_t step, double *out)
{
  dcs_posterior_noise(post->data, stream, ids, step, out);
  scale(out, post->target->d * DCS_LANES, factor_of(post->target, NOISE_WIDTH, 0.05));
}

static void bridge(dcs_posterior *post, double u, dcs_stream stream, const dcs_lane_ids *ids, uint32_t step,
                   double *out)
{
  dcs_lane_ids used = *ids;
  mistake kind = mutant_of(post->target)->mistake;
  if (kind == NO_INNER_NUMBER) memset(used.inner, 0, sizeof used.inner);
  dcs_posterior_bridge(post->data, u * factor_of(post->target, BRIDGE_LEVEL, -0.1), stream, &used,
                       kind == ONE_STEP_NUMBER ? 0 : step, out);
}

static const dcs_law law_mutant = {
    .name = "mutant",
    .destroy = destroy,
    .draw = draw,
    .flops = flops,
    .characteristic = characteristic,
    .gaussian = gaussian,
    .radial = radial,
    .parts = parts,
    .posterior_create = posterior_create,
    .posterior_destroy = posterior_destroy,
    .at = at,
    .apply = apply,
    .trace = trace,
    .factor = factor,
    .solve = solve,
    .third = third,
    .noise = noise,
    .bridge = bridge,
};

/** The 1-D mixture means [-1, 1], weights [0.4, 0.6], stddev 0.2 with a mistake. */
static dcs_target *mutate(mistake kind)
{
  const char *name = NULL;
  dcs_target *target = NULL, *base = sample_target(1, &name);
  mutant *data = NULL;
  must(dcs_alloc(1, sizeof *target, &target), NULL);
  must(dcs_alloc(1, sizeof *data, &data), NULL);
  *data = (mutant){base, kind};
  *target = (dcs_target){.law = &law_mutant, .d = base->d, .variance = base->variance, .data = data};
  must(dcs_alloc((size_t)base->d, sizeof *target->mean, &target->mean), NULL);
  memcpy(target->mean, base->mean, (size_t)base->d * sizeof *target->mean);
  return target;
}

static double conformance(const char *check, mistake kind)
{
  dcs_target *target = mutate(kind);
  double worst = conformance_find(check)->worst(target, 0.5);
  dcs_target_destroy(&target);
  return worst;
}

/** Every check of the conformance suite passes the right law and stops at least one wrong one. */
static void test_conformance_checks_can_fail(void **state)
{
  (void)state;
  static const struct {
    mistake kind;
    const char *check;
  } expected[] = {
      {SCORE_FACTOR, "score"},
      {SCORE_FACTOR, "covariance"},
      {COVARIANCE, "covariance"},
      {TRACE, "trace"},
      {LOG_DET, "log det"},
      {SOLVE, "solve"},
      {THIRD, "third"},
      {SPECTRUM, "spectrum"},
      {RADIAL, "radial"},
      {PARTS, "parts"},
      {NOISE_WIDTH, "noise"},
      {CHARACTERISTIC, "characteristic"},
      {DRAW_WIDTH, "moments"},
      {DRAW_WIDTH, "score identities"},
      {BRIDGE_LEVEL, "bridge at one place"},
      {BRIDGE_LEVEL, "bridge of draws"},
  };
  enum { EXPECTED = (int)(sizeof expected / sizeof *expected) };
  for (int c = 0; conformance_at(c) != NULL; c++) {
    const char *check = conformance_at(c)->name;
    assert_near(conformance(check, NOTHING), 0, 1);
    int stopped = 0;
    for (int i = 0; i < EXPECTED; i++) {
      if (strcmp(expected[i].check, check) != 0) continue;
      double worst = conformance(check, expected[i].kind);
      if (!(worst > 1)) fail_msg("%s: mistake %d passes at %g of the tolerance", check, (int)expected[i].kind, worst);
      stopped++;
    }
    if (stopped == 0) fail_msg("%s: no mistake is known to turn it red", check);
  }
}

/** Drawing x and bridging from it with one key: the noise of x (step 1 of the stream) comes back as the bridge's. */
static void test_reused_key_is_seen(void **state)
{
  (void)state;
  dcs_stream one = dcs_stream_create(5, DCS_PURPOSE_DRAW, 1), other = dcs_stream_create(5, DCS_PURPOSE_BRIDGE, 1);
  dcs_target *target = mutate(NOTHING);
  assert_near(conformance_bridge(target, 0.5, one, other), 0, 1);
  assert_true(conformance_bridge(target, 0.5, one, one) > 1);
  dcs_target_destroy(&target);
}

/** KL(q || p) of ddpm-posterior on the mixture above, sigma_max 20, delta 0.01, 64 steps, from the reference. */
static double exact_kl(void)
{
  char path[4096], line[512];
  double kl = NAN;
  snprintf(path, sizeof path, "%s/tests/reference/mixture1d.csv", getenv("DCS_SOURCE"));
  FILE *file = fopen(path, "r");
  assert_non_null(file);
  while (fgets(line, sizeof line, file) != NULL)
    if (sscanf(line, "asymmetric,\"[-1, 1]\",\"[0.4, 0.6]\",0.2,ddpm-posterior,20,0.1,64,%lf", &kl) == 1) break;
  fclose(file);
  assert_true(kl > 0);
  return kl;
}

/** Coefficients of the step table taken one level too low: those of step k + 1 in step k. */
static dcs_step shifted_step(double sigma, double sigma_next, double sigma_after, double lambda)
{
  dcs_step next = dcs_sampler_find("ddpm-posterior")->step(sigma_next, sigma_after, NAN, lambda);
  return (dcs_step){.sigma = sigma,
                    .sigma_next = sigma_next,
                    .b = next.b,
                    .one_minus_b = next.one_minus_b,
                    .c2 = next.c2,
                    .u2 = sigma_next * sigma_next - next.c2};
}

static const dcs_sampler shifted = {.name = "shifted", .step = shifted_step};

/** The ratio estimator against the reference: |KL - exact| over 3.5 standard errors, |mean ratio - 1| over 4, each plus
 *  its bias bound; the larger one. An error bar wider than half of the exact value is no agreement. P = 5e-4 that the
 *  right code is above 1; the seed is fixed and never retried. */
static double ratio_disagreement(mistake kind, const dcs_sampler *sampler)
{
  const dcs_estimator *estimator = dcs_estimator_find("ratio");
  setup s = {.sampler = "ddpm-posterior", .sigma_max = 20, .delta = 0.01, .steps = 64, .seed = 5};
  dcs_problem problem = make_problem(mutate(kind), s);
  dcs_steps_destroy(&problem.steps);
  must(dcs_steps_create(sampler, 0, DCS_INIT_EXACT, problem.schedule, &problem.steps), NULL);
  dcs_estimate all[DCS_SUMS_MAX];
  run_estimator(estimator, &problem, (dcs_stop){0.1, 4e5}, all, NULL);
  dcs_problem_destroy(&problem);
  dcs_estimate kl = all[quantity_of(estimator, "kl")], ratio = all[quantity_of(estimator, "mean_ratio")];
  double worst = 0, exact = exact_kl();
  conformance_note(&worst, kl.value - exact, fmin(3.5 * kl.std_error + kl.bias_bound, exact / 2));
  conformance_note(&worst, ratio.value - 1, 4 * ratio.std_error + ratio.bias_bound);
  return worst;
}

static void test_ratio_estimator_sees_mistakes(void **state)
{
  (void)state;
  const dcs_sampler *right = dcs_sampler_find("ddpm-posterior");
  assert_near(ratio_disagreement(NOTHING, right), 0, 1);
  assert_true(ratio_disagreement(SCORE_FACTOR, right) > 1);
  assert_true(ratio_disagreement(NOTHING, &shifted) > 1);
  assert_true(ratio_disagreement(ONE_STEP_NUMBER, right) > 1);
  assert_true(ratio_disagreement(NO_INNER_NUMBER, right) > 1);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_conformance_checks_can_fail),
      cmocka_unit_test(test_reused_key_is_seen),
      cmocka_unit_test(test_ratio_estimator_sees_mistakes),
  };
  return cmocka_run_group_tests_name("mutants", tests, NULL, NULL);
}
