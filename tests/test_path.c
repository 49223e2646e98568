/** Path-space divergence, information and mmse by Monte Carlo: against closed forms for normal laws, one-dimensional
 *  quadrature, and each other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sampler/score_error.h"
#include "support.h"

static double square(double x) { return x * x; }
static double seconds(void) { return (double)clock() / CLOCKS_PER_SEC; }

/** KL(N(m, v) || N(m + shift, w)) from v/w - 1 and shift^2/w. */
static double normal_kl(double excess, double shift2) { return 0.5 * (excess - log1p(excess) + shift2); }

/** Path divergence for one eigenvalue of a normal law: KL between two normal kernels, step by step, from their
 *  variances and not from any integral over the signal-to-noise ratio. */
static double exact_path(const dcs_steps *steps, double lambda, double mean)
{
  double s2 = square(steps->step[0].sigma), sum = 0;
  if (steps->init == DCS_INIT_PRIOR) sum = normal_kl((lambda - 1) / (1 + s2), square(mean) / (1 + s2));
  if (steps->init == DCS_INIT_MEAN) sum = normal_kl(lambda / s2, 0);
  for (int k = 0; k < steps->count; k++) {
    const dcs_step *s = &steps->step[k];
    double v = square(s->sigma), next = square(s->sigma_next), c = lambda * v / (lambda + v);
    double gap = (s->sigma - s->sigma_next) * (s->sigma + s->sigma_next), b = gap / v;
    double own = steps->sampler->kind == DCS_MAP_MOMENT_2 ? b * b * c : 0;
    double excess = ((next * b - s->c2) + (b * b * c - own)) / (s->c2 + own);
    sum += normal_kl(excess, square(b - s->b) * square(v) / (lambda + v) / (s->c2 + own));
  }
  return sum;
}

/** 3.5 standard errors: chance 5e-4 for each of the comparisons, seeds fixed, never retried. */
static int compare(const char *what, dcs_estimate e, double exact)
{
  double z = (e.value - exact) / e.std_error;
  printf("    %-34s %.6e +- %.1e, bias <= %.1e, exact %.6e, z %+.2f\n", what, e.value, e.std_error, e.bias_bound, exact,
         z);
  return fabs(e.value - exact) <= 3.5 * e.std_error + e.bias_bound ? 0 : 1;
}

static dcs_estimate measure(const char *estimator, const dcs_problem *problem, double rel_error)
{
  dcs_estimate e[DCS_SUMS_MAX];
  dcs_next end = run_estimator(dcs_estimator_find(estimator), problem, (dcs_stop){rel_error, 1e7}, e, NULL);
  assert_int_equal(end, DCS_NEXT_DONE);
  assert_true(e[0].std_error <= rel_error * e[0].value);
  return e[0];
}

static const double spectrum[] = {0.25, 0.25, 4, 1, 0, 0.01, 2, 0.5}, mean[] = {1, -1, 0.5, 0, 2, -3, 0, 0.25};

static dcs_target *normal(int d)
{
  return make_target("gaussian", (setting[]){{"variance", d, 1, spectrum}, {"mean", d, 1, mean}, {0}});
}

static void normal_laws(void **state)
{
  (void)state;
  static const struct {
    const char *sampler, *levels;
    double lambda;
    int d, steps;
    dcs_init init;
  } cases[] = {{"ddpm-posterior", NULL, 0, 1, 32, DCS_INIT_EXACT},
               {"ddpm-posterior", NULL, 0, 8, 400, DCS_INIT_PRIOR}, /* more steps than strata */
               {"ddpm-posterior", "li-yan", 0, 5, 1000, DCS_INIT_EXACT},
               {"ddpm-beta", NULL, 0, 1, 64, DCS_INIT_PRIOR},
               {"ddpm-beta", NULL, 0, 8, 128, DCS_INIT_EXACT},
               {"ddpm-big", NULL, 0, 4, 16, DCS_INIT_EXACT},
               {"ddpm-big", NULL, 0, 1, 2, DCS_INIT_MEAN}, /* steps of any size */
               {"ei-sde", NULL, 0, 4, 64, DCS_INIT_EXACT},
               {"ei-sde", NULL, 0, 1, 8, DCS_INIT_PRIOR},
               {"jain-zhang", NULL, 0, 4, 64, DCS_INIT_PRIOR},
               {"jain-zhang", "jain-zhang", 0, 1, 64, DCS_INIT_EXACT},
               {"churn", NULL, 0.5, 4, 64, DCS_INIT_EXACT},
               {"churn", NULL, 2, 8, 64, DCS_INIT_MEAN},
               {"moment-2", NULL, 0, 8, 16, DCS_INIT_MEAN}};
  int bad = 0;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char name[64];
    double exact = 0;
    dcs_problem problem = make_problem(normal(cases[i].d), (setup){.sampler = cases[i].sampler,
                                                                   .levels = cases[i].levels,
                                                                   .lambda = cases[i].lambda,
                                                                   .sigma_max = 20,
                                                                   .delta = 0.01,
                                                                   .steps = cases[i].steps,
                                                                   .init = cases[i].init,
                                                                   .seed = i});
    for (int j = 0; j < cases[i].d; j++) exact += exact_path(problem.steps, spectrum[j], mean[j]);
    snprintf(name, sizeof name, "%s %d, d = %d, init %d", cases[i].sampler, cases[i].steps, cases[i].d, cases[i].init);
    bad += compare(name, measure("path", &problem, 0.01), exact);
    dcs_problem_destroy(&problem);
  }
  assert_int_equal(bad, 0);
}

/** A step that goes too far, as with a wrong score: the shift's part, without and with state-dependent noise. */
static void wrong_steps(void **state)
{
  (void)state;
  static const char *const samplers[] = {"ddpm-beta", "moment-2"};
  int bad = 0;
  for (int i = 0; i < 2; i++) {
    double exact = 0;
    dcs_problem problem = make_problem(
        normal(8), (setup){.sampler = samplers[i], .sigma_max = 20, .delta = 0.01, .steps = 32, .seed = 1});
    for (int k = 0; k < problem.steps->count; k++) problem.steps->step[k].b *= 1.1;
    for (int k = 0; k < problem.steps->count; k++) problem.steps->step[k].one_minus_b = 1 - problem.steps->step[k].b;
    for (int j = 0; j < 8; j++) exact += exact_path(problem.steps, spectrum[j], mean[j]);
    bad += compare(samplers[i], measure("path", &problem, 0.002), exact);
    dcs_problem_destroy(&problem);
  }
  assert_int_equal(bad, 0);
}

/** moment-2 is exact on normal laws, and ddpm-beta on N(0, I): zero up to the rounding that is admitted. */
static void zeros(void **state)
{
  (void)state;
  static const double ones[] = {1, 1, 1}, zero[] = {0, 0, 0};
  for (int i = 0; i < 2; i++)
    for (int steps = 16; steps <= 1024; steps *= 64) {
      dcs_estimate e;
      dcs_target *target =
          i == 0 ? normal(8)
                 : make_target("gaussian", (setting[]){{"variance", 3, 1, ones}, {"mean", 3, 1, zero}, {0}});
      dcs_problem problem = make_problem(
          target,
          (setup){.sampler = i == 0 ? "moment-2" : "ddpm-beta", .sigma_max = 20, .delta = 0.01, .steps = steps});
      run_estimator(dcs_estimator_find("path"), &problem, (dcs_stop){0.1, 1e4}, &e, NULL);
      printf("    %s: %.1e +- %.1e, bias <= %.1e\n", problem.steps->sampler->name, e.value, e.std_error, e.bias_bound);
      assert_true(e.value >= 0 && e.value <= 2 * e.bias_bound && e.bias_bound < 1e-18);
      dcs_problem_destroy(&problem);
    }
}

/** kl_path_immse of a row of mixture1d.csv with sigma 20 to 0.1. */
static double reference(const char *target, const char *sampler, int steps)
{
  char path[4096], text[512];
  double value = NAN;
  snprintf(path, sizeof path, "%s/tests/reference/mixture1d.csv", getenv("DCS_SOURCE"));
  FILE *f = fopen(path, "r");
  assert_non_null(f);
  while (isnan(value) && fgets(text, sizeof text, f) != NULL) {
    char *field[16] = {0}, *c = text;
    int n = 0;
    for (bool quoted = false; *c != '\0' && n < 15; n++) { /* split at commas outside quotes */
      for (field[n] = c; *c != '\0' && (quoted || *c != ','); c++) quoted ^= *c == '"';
      if (*c != '\0') *c++ = '\0';
    }
    if (n >= 12 && strcmp(field[0], target) == 0 && strcmp(field[4], sampler) == 0 && atoi(field[7]) == steps &&
        atof(field[5]) == 20 && atof(field[6]) == 0.1)
      value = strtod(field[11], NULL);
  }
  fclose(f);
  if (isnan(value)) fail_msg("no row %s %s %d", target, sampler, steps);
  return value;
}

static const double points2[] = {-1, 1}, weights2[] = {0.4, 0.6}, stddev2 = 0.2;
static const double points3[] = {-2, 0, 1.5}, weights3[] = {0.2, 0.5, 0.3}, stddev3 = 0.3;

static dcs_target *one_dimensional(const char *name, double copies)
{
  const setting two_point[] = {{"means", 2, 1, points2}, {"copies", 1, 1, &copies}, {0}};
  const setting asymmetric[] = {{"means", 2, 1, points2},
                                {"weights", 2, 1, weights2},
                                {"stddev", 1, 1, &stddev2},
                                {"copies", 1, 1, &copies},
                                {0}};
  const setting three[] = {{"means", 3, 1, points3},
                           {"weights", 3, 1, weights3},
                           {"stddev", 1, 1, &stddev3},
                           {"copies", 1, 1, &copies},
                           {0}};
  return make_target("mixture", strcmp(name, "two-point") == 0    ? two_point
                                : strcmp(name, "asymmetric") == 0 ? asymmetric
                                                                  : three);
}

static dcs_target *two_point_cubed(void)
{
  static const double cube[] = {-1, -1, -1, -1, -1, 1, -1, 1, -1, -1, 1, 1, 1, -1, -1, 1, -1, 1, 1, 1, -1, 1, 1, 1};
  return make_target("mixture", (setting[]){{"means", 8, 3, cube}, {0}});
}

static void quadrature(void **state)
{
  (void)state;
  static const char *const laws[] = {"two-point", "asymmetric", "three"}, *const samplers[] = {"ddpm-posterior",
                                                                                               "moment-2"};
  int bad = 0;
  for (int i = 0; i < 3; i++)
    for (int s = 0; s < 2; s++)
      for (int steps = 32; steps <= 128; steps *= 4)
        for (int copies = 1; copies <= (i == 0 ? 3 : 1); copies += 2) {
          /* 3 copies of two-point: once as a product, once in disguise as a mixture of the 8 corners of a cube */
          char name[64];
          setup how = {.sampler = samplers[s], .sigma_max = 20, .delta = 0.01, .steps = steps, .seed = 5};
          dcs_problem problem =
              make_problem(copies == 3 && s == 0 ? two_point_cubed() : one_dimensional(laws[i], copies), how);
          snprintf(name, sizeof name, "%s^%d %s %d", laws[i], copies, samplers[s], steps);
          bad += compare(name, measure("path", &problem, 0.01), copies * reference(laws[i], samplers[s], steps));
          dcs_problem_destroy(&problem);
        }
  setup how = {.sampler = "moment-2", .sigma_max = 20, .delta = 0.01, .steps = 64, .seed = 5};
  dcs_problem cube = make_problem(two_point_cubed(), how);
  bad += compare("two-point^3, a mixture, moment-2 64", measure("path", &cube, 0.01),
                 3 * reference("two-point", "moment-2", 64));
  dcs_problem_destroy(&cube);
  assert_int_equal(bad, 0);
}

/** Posterior variance of a one-dimensional mixture at x, written out. */
static double variance1(int k, const double *mu, const double *w, double s2, double v, double x, double *density)
{
  double sum = 0, m = 0, second = 0;
  for (int j = 0; j < k; j++) {
    double r = w[j] * exp(-0.5 * square(x - mu[j]) / (s2 + v)) / sqrt(2 * acos(-1) * (s2 + v));
    double mj = (s2 * x + v * mu[j]) / (s2 + v);
    sum += r;
    m += r * mj;
    second += r * mj * mj;
  }
  *density = sum;
  m /= sum;
  return s2 * v / (s2 + v) + second / sum - m * m;
}

/** E tr C of `three` at a level by the trapezoid rule: spectrally exact at a spacing of a twentieth of the narrowest
 *  width. */
static double exact_mmse(double sigma)
{
  double width = sqrt(square(stddev3) + square(sigma)), h = width / 20, sum = 0;
  for (double x = -2 - 12 * width; x < 1.5 + 12 * width; x += h) {
    double q, c = variance1(3, points3, weights3, square(stddev3), square(sigma), x, &q);
    sum += h * q * c;
  }
  return sum;
}

static void mmse(void **state)
{
  (void)state;
  enum { STEPS = 24 };
  int bad = 0;
  char name[64];
  const dcs_estimator *estimator = dcs_estimator_find("mmse");
  dcs_estimate e, levels[STEPS + 1], one = {0};
  for (int copies = 1; copies <= 4; copies += 3) {
    dcs_design last;
    dcs_problem problem =
        make_problem(one_dimensional("three", copies),
                     (setup){.sampler = "ddim", .sigma_max = 20, .delta = 0.01, .steps = STEPS, .seed = 3});
    dcs_next end = run_profile(estimator, &problem, (dcs_stop){0.005, 1e8}, &e, &last, 0, levels);
    assert_int_equal(end, DCS_NEXT_DONE);
    assert_true(last.blocks % (STEPS + 1) == 0 && last.phase > 0);
    for (int k = 0; copies == 1 && k <= STEPS; k++) {
      snprintf(name, sizeof name, "mmse, sigma %.3g", problem.schedule->sigma[k]);
      bad += compare(name, levels[k], exact_mmse(problem.schedule->sigma[k]));
      assert_true(levels[k].std_error <= 0.005 * levels[k].value);
    }
    assert_memory_equal(&e, &levels[STEPS], sizeof e);
    if (copies == 1) one = e;
    assert_near(e.value, copies * one.value, 0);
    dcs_problem_destroy(&problem);
  }
  /* normal: C does not depend on X, so there is no error but rounding: the mean of 2048 equal numbers */
  dcs_problem problem =
      make_problem(normal(8), (setup){.sampler = "heun", .sigma_max = 20, .delta = 0.01, .steps = STEPS});
  run_profile(estimator, &problem, (dcs_stop){0.01, 1e8}, &e, NULL, 0, levels);
  for (int k = 0; k <= STEPS; k++) {
    double v = square(problem.schedule->sigma[k]), exact = 0;
    for (int j = 0; j < 8; j++) exact += spectrum[j] * v / (spectrum[j] + v);
    assert_near(levels[k].value, exact, 1e-14 * exact);
    assert_true(levels[k].std_error <= 1e-15 * exact);
  }
  dcs_problem_destroy(&problem);
  assert_int_equal(bad, 0);
}

static void information(void **state)
{
  (void)state;
  int bad = 0;
  double exact = 0;
  dcs_problem problem =
      make_problem(normal(8), (setup){.sampler = "ddim", .sigma_max = 20, .delta = 0.01, .steps = 40, .seed = 2});
  for (int j = 0; j < 8; j++) exact += 0.5 * log((1 + spectrum[j] / 0.01) / (1 + spectrum[j] / 400));
  bad += compare("information, normal", measure("information", &problem, 0.002), exact);
  dcs_problem_destroy(&problem);
  /* three points far apart: all that there is to know, the entropy, but for what sigma_max already tells */
  exact = 0;
  const double gamma0 = 1.0 / 400, gamma1 = 100, n = 4000;
  for (int i = 0; i < n; i++) { /* midpoint rule in log gamma of gamma mmse/2 */
    double h = log(gamma1 / gamma0) / n, gamma = gamma0 * exp((i + 0.5) * h);
    exact += 0.5 * h * gamma * exact_mmse(1 / sqrt(gamma));
  }
  for (int steps = 10; steps <= 1000; steps *= 10) {
    char name[64];
    snprintf(name, sizeof name, "information, three^2, %d steps", steps);
    problem = make_problem(one_dimensional("three", 2),
                           (setup){.sampler = "ddim", .sigma_max = 20, .delta = 0.01, .steps = steps, .seed = 2});
    bad += compare(name, measure("information", &problem, 0.002), 2 * exact);
    dcs_problem_destroy(&problem);
  }
  assert_int_equal(bad, 0);
}

/** KL_path of ddpm-posterior is what the staircase of mmse exceeds the information by: two estimators and a sum of
 *  mmse(sigma_k) by quadrature. */
static void staircase(void **state)
{
  (void)state;
  double sum = 0;
  dcs_problem problem =
      make_problem(one_dimensional("three", 1),
                   (setup){.sampler = "ddpm-posterior", .sigma_max = 20, .delta = 0.01, .steps = 50, .seed = 9});
  for (int k = 0; k < 50; k++) {
    double s = problem.schedule->sigma[k];
    sum += 0.5 * (1 / square(problem.schedule->sigma[k + 1]) - 1 / square(s)) * exact_mmse(s);
  }
  dcs_estimate kl = measure("path", &problem, 0.002), information = measure("information", &problem, 0.0002);
  dcs_estimate both = {.value = kl.value + information.value, .std_error = hypot(kl.std_error, information.std_error)};
  assert_int_equal(compare("kl_path + information", both, sum), 0);
  dcs_problem_destroy(&problem);
}

/** N^-1 for ddpm-posterior and N^-2 for moment-2, up to the next order: on these laws at N = 256 to 1024 the local slope
 *  is within 0.05 of its limit for the first, and 0.1 for the second. */
static void slopes(void **state)
{
  (void)state;
  static const char *const samplers[] = {"ddpm-posterior", "moment-2"};
  for (int s = 0; s < 2; s++) {
    dcs_estimate e[2];
    for (int i = 0; i < 2; i++) {
      dcs_problem problem = make_problem(
          one_dimensional("three", 1),
          (setup){.sampler = samplers[s], .sigma_max = 20, .delta = 0.01, .steps = i == 0 ? 256 : 1024, .seed = 7});
      e[i] = measure("path", &problem, 0.01);
      dcs_problem_destroy(&problem);
    }
    double slope = log(e[1].value / e[0].value) / log(4);
    double error = hypot(e[0].std_error / e[0].value, e[1].std_error / e[1].value) / log(4);
    printf("    %s: slope %.3f +- %.3f\n", samplers[s], slope, error);
    assert_near(slope, -1 - s, 3.5 * error + 0.05 * (1 + s));
  }
}

/** The variance of z over independent seeds is 1: 0.6 to 1.4 is four standard deviations of chi2_199/199. */
static void error_bars(void **state)
{
  (void)state;
  enum { SEEDS = 200 };
  static const char *const names[] = {"path", "information"};
  const double exact[] = {reference("asymmetric", "ddpm-posterior", 32), log((1 + 0.25 / 0.01) / (1 + 0.25 / 400))};
  dcs_sums z[2] = {0};
  for (uint64_t seed = 0; seed < SEEDS; seed++)
    for (int i = 0; i < 2; i++) {
      dcs_estimate e;
      dcs_target *target = i == 0 ? one_dimensional("asymmetric", 1) : normal(2);
      dcs_problem problem = make_problem(
          target, (setup){.sampler = "ddpm-posterior", .sigma_max = 20, .delta = 0.01, .steps = 32, .seed = seed});
      run_estimator(dcs_estimator_find(names[i]), &problem, (dcs_stop){1, 4096}, &e, NULL);
      dcs_sums_add(&z[i], 1, &(double){(e.value - exact[i]) / e.std_error});
      dcs_problem_destroy(&problem);
    }
  for (int i = 0; i < 2; i++) {
    double variance = z[i].m2[0] / (SEEDS - 1);
    printf("    %s: mean of z %+.3f, variance %.3f\n", names[i], z[i].mean[0], variance);
    assert_true(fabs(z[i].mean[0]) < 4 / sqrt(SEEDS) && variance > 0.6 && variance < 1.4);
  }
}

/** A wrong score adds sum_k B^2 sigma^4 eps^2/(2 c^2) to the path divergence of a sampler with the right B, exactly, as
 *  E|grad phi|^2 = eps^2 at every level. For ddpm-posterior B^2/c^2 is the step in snr: 1/2 sum dgamma E|m^ - m|^2. */
static void wrong_scores(void **state)
{
  (void)state;
  static const char *const samplers[] = {"ddpm-posterior", "ddpm-beta"};
  static const double eps[] = {0.2, 1};
  int failures = 0;
  for (int i = 0; i < 4; i++) {
    dcs_problem problem = make_problem(normal(5), (setup){.sampler = samplers[i / 2],
                                                          .sigma_max = 10,
                                                          .delta = 0.04,
                                                          .steps = 48,
                                                          .init = DCS_INIT_EXACT,
                                                          .seed = 11});
    double exact = 0, added = 0;
    for (int j = 0; j < 5; j++) exact += exact_path(problem.steps, spectrum[j], mean[j]);
    for (int k = 0; k < problem.steps->count; k++) {
      const dcs_step *s = &problem.steps->step[k];
      added += square(s->b * s->sigma * s->sigma * eps[i % 2]) / (2 * s->c2);
    }
    must(dcs_score_error_create(problem.target, eps[i % 2], 3, problem.steps->count + 1, problem.schedule->sigma,
                                &problem.steps->error),
         NULL);
    char what[64];
    snprintf(what, sizeof what, "%s, eps %g, added %.3f", samplers[i / 2], eps[i % 2], added);
    failures += compare(what, measure("path", &problem, 0.005), exact + added);
    dcs_problem_destroy(&problem);
  }
  assert_int_equal(failures, 0);
}

static void refusals(void **state)
{
  (void)state;
  static const char *const refused[] = {"ddim", "heun", "moment-3", "ei-ode"};
  for (int i = 0; i < 4; i++) {
    dcs_error err = {""};
    dcs_problem problem = make_problem(one_dimensional("three", 1),
                                       (setup){.sampler = refused[i], .sigma_max = 20, .delta = 0.01, .steps = 8});
    assert_int_equal(dcs_estimator_find("path")->check(&problem, &err), DCS_EREFUSED);
    assert_non_null(strstr(err.text, refused[i]));
    assert_int_equal(dcs_estimator_find("information")->check(&problem, &err), DCS_OK);
    assert_int_equal(dcs_estimator_find("mmse")->check(&problem, &err), DCS_OK);
    dcs_problem_destroy(&problem);
  }
}

/** Steps visited in a second, and those of the sampler itself on the same target. */
static void speed(void **state)
{
  (void)state;
  static const double d = 16, k = 32, spread = 0.3;
  enum { STEPS = 64, TILES = 64 };
  for (int i = 0; i < 2; i++) {
    dcs_target *target =
        i == 0 ? one_dimensional("three", 1)
               : make_target("mixture",
                             (setting[]){{"d", 1, 1, &d}, {"components", 1, 1, &k}, {"stddev", 1, 1, &spread}, {0}});
    dcs_problem problem =
        make_problem(target, (setup){.sampler = "ddpm-beta", .sigma_max = 20, .delta = 0.01, .steps = STEPS});
    int n = dcs_target_dimension(target) * DCS_LANES;
    double *x = aligned_alloc(64, (size_t)n * sizeof *x), *z = aligned_alloc(64, (size_t)n * sizeof *z);
    dcs_stream draw = dcs_stream_create(1, DCS_PURPOSE_DRAW, 0), noise = dcs_stream_create(1, DCS_PURPOSE_STEP, 0);
    dcs_posterior *post = NULL;
    must(dcs_posterior_create(target, &post), NULL);
    double start = seconds();
    for (uint64_t t = 0; t < TILES; t++) {
      dcs_lane_ids ids = lane_ids(t * DCS_LANES);
      dcs_sampler_run(target, problem.steps, post, draw, noise, &ids, x, z);
    }
    double run = (seconds() - start) / TILES;
    dcs_block_work *work = NULL;
    dcs_sums sums;
    dcs_error err = {""};
    const dcs_estimator *path = dcs_estimator_find("path");
    dcs_design design = {.outer = TILES * DCS_LANES, .inner = 1, .blocks = 1, .is_final = true};
    must(path->work_create(&problem, &work), NULL);
    start = seconds();
    must(path->block(&problem, &design, 0, work, &sums, &err), &err);
    double measured = (seconds() - start) / TILES;
    printf("    d = %d: sampler %.1f, path %.1f million steps a second\n", n / DCS_LANES,
           1e-6 * STEPS * DCS_LANES / run, 1e-6 * STEPS * DCS_LANES / measured);
    path->work_destroy(&work);
    dcs_posterior_destroy(&post);
    free(x);
    free(z);
    dcs_problem_destroy(&problem);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(normal_laws),  cmocka_unit_test(wrong_steps), cmocka_unit_test(zeros),
      cmocka_unit_test(quadrature),   cmocka_unit_test(mmse),        cmocka_unit_test(information),
      cmocka_unit_test(staircase),    cmocka_unit_test(slopes),      cmocka_unit_test(error_bars),
      cmocka_unit_test(wrong_scores), cmocka_unit_test(refusals),    cmocka_unit_test(speed)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
