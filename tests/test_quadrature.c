/** Quadrature on one-dimensional mixtures against independent numerics and closed forms, and the orders of convergence
 *  that theory says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sampler/score_error.h"
#include "support.h"

enum { KL, KL_REV, CHI2, W2, MARGINALS };

static const dcs_stop no_stop = {0.05, 1e6};

typedef struct {
  const char *name;
  int k;
  double means[3], weights[3], stddev;
} law;

static const law laws[] = {{"two-point", 2, {-1, 1}, {0.5, 0.5}, 0},
                           {"asymmetric", 2, {-1, 1}, {0.4, 0.6}, 0.2},
                           {"three", 3, {-2, 0, 1.5}, {0.2, 0.5, 0.3}, 0.3}};

static dcs_target *mixture(const char *name, double copies)
{
  for (size_t i = 0; i < sizeof laws / sizeof *laws; i++)
    if (strcmp(laws[i].name, name) == 0)
      return make_target("mixture", (setting[]){{"means", laws[i].k, 1, laws[i].means},
                                                {"weights", laws[i].k, 1, laws[i].weights},
                                                {"stddev", 1, 1, &laws[i].stddev},
                                                {"copies", 1, 1, &copies},
                                                {0}});
  fail_msg("no law %s", name);
  return NULL;
}

static dcs_problem problem_of(const char *target, const char *sampler, int steps)
{
  return make_problem(mixture(target, 1), (setup){.sampler = sampler,
                                                  .lambda = 0.5,
                                                  .sigma_max = 20,
                                                  .delta = 0.1 * 0.1,
                                                  .steps = steps,
                                                  .init = DCS_INIT_EXACT});
}

/** One quantity, with its bias bound. */
static dcs_estimate measure(const dcs_problem *problem, const char *estimator, int quantity)
{
  dcs_estimate e[DCS_SUMS_MAX];
  run_estimator(dcs_estimator_find(estimator), problem, no_stop, e, NULL);
  assert_true(e[quantity].std_error == 0 && e[quantity].n == 0);
  return e[quantity];
}

/** Split a line of a table at commas outside quotes; returns the number of fields. */
static int split(char *text, char **field, int most)
{
  int n = 0;
  text[strcspn(text, "\r\n")] = '\0';
  while (n < most) {
    bool quoted = false;
    for (field[n++] = text; *text != '\0' && (quoted || *text != ','); text++) quoted ^= *text == '"';
    if (*text == '\0') break;
    *text++ = '\0';
  }
  return n;
}

static FILE *open_reference(const char *name, char *header, int size)
{
  char path[4096];
  snprintf(path, sizeof path, "%s/tests/reference/%s", getenv("DCS_SOURCE"), name);
  FILE *f = fopen(path, "r");
  assert_non_null(f);
  assert_non_null(fgets(header, size, f));
  return f;
}

/** Relative deviation from a field of a table; fails above the tolerance. Empty fields agree. */
static double deviation(dcs_estimate e, const char *text, double tolerance, const char *what)
{
  if (*text == '\0') return 0;
  double expected = strtod(text, NULL), relative = fabs(e.value / expected - 1);
  if (!(relative <= tolerance)) fail_msg("%s: %.10e, expected %.10e", what, e.value, expected);
  if (!(e.bias_bound <= tolerance * e.value)) fail_msg("%s: error bound %.1e of %.10e", what, e.bias_bound, e.value);
  return relative;
}

/** mixture1d.csv: KL both ways to 1e-7, path KL to 1e-8, chain KL to 1e-5, W2 of the samplers without noise to 1e-4. Its
 *  other rows are not that good, and compared with quadrature.csv instead: two-point below 128 steps, where the grid of
 *  that table is coarse between the points; W2 of samplers with noise, whose quantiles it takes across the gap. */
static void equals_the_table(void **state)
{
  (void)state;
  enum { TARGET, SAMPLER = 4, STEPS = 7, KL_Q_P, KL_P_Q, W, PATH, CHAIN, FIELDS };
  char text[512], *field[FIELDS];
  double worst[FIELDS] = {0};
  int rows = 0;
  FILE *f = open_reference("mixture1d.csv", text, sizeof text);
  while (fgets(text, sizeof text, f) != NULL) {
    assert_int_equal(split(text, field, FIELDS), FIELDS);
    char what[64];
    snprintf(what, sizeof what, "%s %s %s", field[TARGET], field[SAMPLER], field[STEPS]);
    dcs_problem problem = problem_of(field[TARGET], field[SAMPLER], atoi(field[STEPS]));
    bool is_coarse = strcmp(field[TARGET], "two-point") == 0 && atoi(field[STEPS]) < 128;
    dcs_estimate e[DCS_SUMS_MAX];
    run_estimator(dcs_estimator_find("quadrature"), &problem, no_stop, e, NULL);
    if (!is_coarse) {
      worst[KL_Q_P] = fmax(worst[KL_Q_P], deviation(e[KL], field[KL_Q_P], 1e-7, what));
      worst[KL_P_Q] = fmax(worst[KL_P_Q], deviation(e[KL_REV], field[KL_P_Q], 1e-7, what));
      if (problem.steps->sampler->deterministic && strcmp(field[TARGET], "two-point") != 0)
        worst[W] = fmax(worst[W], deviation(e[W2], field[W], 1e-4, what));
    }
    if (*field[PATH] != '\0')
      worst[PATH] = fmax(worst[PATH], deviation(measure(&problem, "quadrature-path", 0), field[PATH], 2e-7, what));
    if (*field[CHAIN] != '\0' && !(is_coarse && atoi(field[STEPS]) < 64))
      worst[CHAIN] = fmax(worst[CHAIN], deviation(measure(&problem, "quadrature-chain", 0), field[CHAIN], 1e-5, what));
    dcs_problem_destroy(&problem);
    rows++;
  }
  fclose(f);
  printf("    %d rows: kl %.1e, kl_rev %.1e, w2 %.1e, kl_path %.1e, kl_chain %.1e\n", rows, worst[KL_Q_P],
         worst[KL_P_Q], worst[W], worst[PATH], worst[CHAIN]);
  assert_int_equal(rows, 96);
}

/** quadrature.csv, from tests/reference/quadrature.py: coarse steps, all quantities. */
static void equals_plain_numerics(void **state)
{
  (void)state;
  enum { TARGET, SAMPLER, STEPS = 4, KL_Q_P, KL_P_Q, W, CHAIN, FIELDS };
  char text[512], *field[FIELDS];
  double worst[FIELDS] = {0};
  int rows = 0;
  FILE *f = open_reference("quadrature.csv", text, sizeof text);
  for (; fgets(text, sizeof text, f) != NULL; rows++) {
    assert_int_equal(split(text, field, FIELDS), FIELDS);
    char what[64];
    snprintf(what, sizeof what, "%s %s", field[TARGET], field[SAMPLER]);
    dcs_problem problem = problem_of(field[TARGET], field[SAMPLER], atoi(field[STEPS]));
    dcs_estimate e[DCS_SUMS_MAX];
    run_estimator(dcs_estimator_find("quadrature"), &problem, no_stop, e, NULL);
    worst[KL_Q_P] = fmax(worst[KL_Q_P], deviation(e[KL], field[KL_Q_P], 1e-7, what));
    worst[KL_P_Q] = fmax(worst[KL_P_Q], deviation(e[KL_REV], field[KL_P_Q], 1e-7, what));
    worst[W] = fmax(worst[W], deviation(e[W2], field[W], 1e-4, what));
    if (*field[CHAIN] != '\0')
      worst[CHAIN] = fmax(worst[CHAIN], deviation(measure(&problem, "quadrature-chain", 0), field[CHAIN], 2e-7, what));
    dcs_problem_destroy(&problem);
  }
  fclose(f);
  printf("    %d rows: kl %.1e, kl_rev %.1e, w2 %.1e, kl_chain %.1e\n", rows, worst[KL_Q_P], worst[KL_P_Q], worst[W],
         worst[CHAIN]);
  assert_int_equal(rows, 13);
}

static const char *const noisy[] = {"ddpm-posterior", "ddpm-beta", "ddpm-big", "jain-zhang", "ei-sde", "churn"};

static dcs_problem normal_problem(double lambda, double mean, const char *sampler, int steps, dcs_init init)
{
  return make_problem(
      make_target("gaussian", (setting[]){{"variance", 1, 1, &lambda}, {"mean", 1, 1, &mean}, {0}}),
      (setup){.sampler = sampler, .lambda = 0.5, .sigma_max = 20, .delta = 0.01, .steps = steps, .init = init});
}

/** The estimator `gaussian` on normal targets, every sampler and initial law: to 1e-9, and what rounding leaves where a
 *  sampler is exact: 1e-15 of a divergence, 1e-7 of W2 (a mass of 1e-16 moved across the grid). */
static void equals_the_gaussian_closed_form(void **state)
{
  (void)state;
  static const char *const all[] = {"ddpm-posterior", "ddpm-beta", "ddpm-big", "jain-zhang",
                                    "ei-sde",         "churn",     "ei-ode",   "ddim"};
  static const double lambda[] = {0.25, 4}, mean[] = {0.7, 0};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++)
    for (int n = 16; n <= 256; n *= 16)
      for (dcs_init init = DCS_INIT_EXACT; init <= DCS_INIT_MEAN; init++) {
        int v = ((int)init + n / 16) % 2;
        dcs_problem problem = normal_problem(lambda[v], mean[v], all[i], n, init);
        dcs_estimate exact[DCS_SUMS_MAX], e[DCS_SUMS_MAX];
        run_estimator(dcs_estimator_find("gaussian"), &problem, no_stop, exact, NULL);
        run_estimator(dcs_estimator_find("quadrature"), &problem, no_stop, e, NULL);
        for (int q = 0; q < MARGINALS; q++) {
          double error = fabs(e[q].value - exact[q].value);
          if (!(error <= 1e-9 * exact[q].value + (q == W2 ? 1e-8 : 1e-15)))
            fail_msg("%s %d %d: %s is %.12e, exact %.12e", all[i], n, (int)init, problem.steps->sampler->name,
                     e[q].value, exact[q].value);
          if (!(error <= e[q].bias_bound + exact[q].bias_bound))
            fail_msg("%s %d %d: off by %.1e, bound %.1e", all[i], n, (int)init, error, e[q].bias_bound);
        }
        dcs_problem_destroy(&problem);
      }
}

/** Divergence of N(m, v) from N(0, w). */
static double normal_kl(double v, double w, double m) { return 0.5 * (v / w - 1 - log(v / w) + m * m / w); }

/** Everything about the levels of a normal law in closed form, with a = lambda/(lambda + sigma^2), v = lambda + sigma^2:
 *      mmse = a sigma^2,   information = 1/2 log((1 + lambda gamma_N)/(1 + lambda gamma_0)),
 *      kl_path = sum KL(N(F*, c*^2 + B*^2 C) || N(F, c^2)) = 1/2 sum [rho - 1 - log rho + (B - B*)^2 (1 - a)^2 v/c^2],
 *      rho = (c*^2 + B*^2 C)/c^2,   kl_chain = sum (phi - g)^2 v/(2 c^2),   phi^2 = (lambda + u^2)/v,   g = 1 - B (1 - a),
 *  and KL(q_{sigma_0} || p_init). */
static void levels_equal_the_gaussian_closed_form(void **state)
{
  (void)state;
  const double lambda = 0.25, mean = 0.7;
  for (size_t i = 0; i < sizeof noisy / sizeof *noisy; i++)
    for (dcs_init init = DCS_INIT_EXACT; init <= DCS_INIT_MEAN; init++) {
      dcs_problem problem = normal_problem(lambda, mean, noisy[i], 64, init);
      double path = 0, chain = 0, information = 0, s0 = problem.steps->step[0].sigma, start = 0;
      if (init == DCS_INIT_PRIOR) start = normal_kl(lambda + s0 * s0, 1 + s0 * s0, mean);
      if (init == DCS_INIT_MEAN) start = normal_kl(lambda + s0 * s0, s0 * s0, 0);
      for (int k = 0; k < problem.steps->count; k++) {
        const dcs_step *s = &problem.steps->step[k];
        double s2 = s->sigma * s->sigma, t2 = s->sigma_next * s->sigma_next, v = lambda + s2, a = lambda / v;
        double b = 1 - t2 / s2, rho = (t2 * b + b * b * a * s2) / s->c2, u2 = t2 - s->c2;
        double apart = (s->b - b) * (1 - a), phi = sqrt((lambda + u2) / v) - 1 + s->b * (1 - a);
        path += 0.5 * (rho - 1 - log(rho) + apart * apart * v / s->c2);
        chain += phi * phi * v / (2 * s->c2);
        information += 0.5 * log((1 + lambda / t2) / (1 + lambda / s2));
      }
      /* the sums here cancel: 64 terms of size 1 to 1e-16 each */
      assert_near(measure(&problem, "quadrature-path", 0).value, path + start, 1e-9 * (path + start) + 1e-14);
      assert_near(measure(&problem, "quadrature-chain", 0).value, chain + start, 1e-9 * (chain + start) + 1e-14);
      assert_near(measure(&problem, "quadrature-information", 0).value, information, 1e-12);
      dcs_problem_destroy(&problem);
    }
}

/** ddpm-posterior draws from the reverse chain of a point mass: nothing is left but rounding, also at the point itself. */
static void point_mass_is_a_fixed_point(void **state)
{
  (void)state;
  dcs_problem problem = normal_problem(0, 0, "ddpm-posterior", 64, DCS_INIT_EXACT);
  assert_near(measure(&problem, "quadrature", KL).value, 0, 1e-26);
  assert_near(measure(&problem, "quadrature-path", 0).value, 0, 1e-26);
  assert_near(measure(&problem, "quadrature-chain", 0).value, 0, 1e-26);
  assert_near(measure(&problem, "quadrature-information", 0).value, 0, 0);
  dcs_problem_destroy(&problem);
}

static void mmse_has_a_profile(void **state)
{
  (void)state;
  const double lambda = 0.25;
  dcs_problem problem = normal_problem(lambda, 0.7, "ddim", 16, DCS_INIT_EXACT);
  dcs_estimate e[DCS_SUMS_MAX], profile[17];
  const dcs_estimator *estimator = dcs_estimator_find("quadrature-mmse");
  assert_int_equal(dcs_estimator_groups(estimator, &problem), 17);
  run_profile(estimator, &problem, no_stop, e, NULL, 0, profile);
  for (int k = 0; k <= 16; k++) {
    double s2 = problem.schedule->sigma[k] * problem.schedule->sigma[k], exact = lambda * s2 / (lambda + s2);
    assert_near(profile[k].value, exact, 1e-14 * exact + profile[k].bias_bound);
    assert_true(profile[k].bias_bound < 1e-9 * exact);
  }
  assert_near(e[0].value, profile[16].value, 0);
  dcs_problem_destroy(&problem);
  /* two points: C = 1 - tanh^2(x/sigma^2); at sigma = 1, E sech^2(1 + z) by 1e6 midpoints, good to rounding */
  problem =
      make_problem(mixture("two-point", 1), (setup){.sampler = "ddim", .sigma_max = 1, .delta = 0.01, .steps = 4});
  run_profile(estimator, &problem, no_stop, e, NULL, 0, profile);
  double sum = 0, h = 24e-6;
  for (int i = 0; i < 1000000; i++) {
    double z = -12 + (i + 0.5) * h;
    sum += h * exp(-0.5 * z * z) / sqrt(2 * acos(-1)) / pow(cosh(1 + z), 2);
  }
  assert_near(profile[0].value, sum, 1e-12);
  dcs_problem_destroy(&problem);
}

/** Three copies: KL, W2^2 and the sums over levels are three times those of one; 1 + chi^2 is the third power. */
static void copies_add(void **state)
{
  (void)state;
  static const char *const additive[] = {"quadrature-path", "quadrature-chain", "quadrature-information",
                                         "quadrature-mmse"};
  setup s = {.sampler = "jain-zhang", .sigma_max = 20, .delta = 0.01, .steps = 32};
  dcs_problem one = make_problem(mixture("asymmetric", 1), s), three = make_problem(mixture("asymmetric", 3), s);
  dcs_estimate a[DCS_SUMS_MAX], b[DCS_SUMS_MAX];
  run_estimator(dcs_estimator_find("quadrature"), &one, no_stop, a, NULL);
  run_estimator(dcs_estimator_find("quadrature"), &three, no_stop, b, NULL);
  assert_near(b[KL].value, 3 * a[KL].value, 1e-15);
  assert_near(b[KL].bias_bound, 3 * a[KL].bias_bound, 1e-20);
  assert_near(b[KL_REV].value, 3 * a[KL_REV].value, 1e-15);
  assert_near(b[CHI2].value, pow(1 + a[CHI2].value, 3) - 1, 1e-14);
  assert_near(b[W2].value, sqrt(3) * a[W2].value, 1e-15);
  for (size_t i = 0; i < sizeof additive / sizeof *additive; i++) {
    double single = measure(&one, additive[i], 0).value;
    assert_near(measure(&three, additive[i], 0).value, 3 * single, 1e-15 * (1 + single));
  }
  dcs_problem_destroy(&one);
  dcs_problem_destroy(&three);
}

/** Least-squares slope of log value over log N, N = 64 * 2^i. */
static double slope(int n, const double *value)
{
  double top = 0, bottom = 0;
  for (int i = 0; i < n; i++) {
    double x = (i - 0.5 * (n - 1)) * log(2);
    top += x * log(value[i]);
    bottom += x * x;
  }
  return top / bottom;
}

enum { DOUBLINGS = 5 };

static void curve(const char *sampler, const char *estimator, int n, double *value)
{
  for (int i = 0; i < n; i++) {
    dcs_problem problem = problem_of("asymmetric", sampler, 64 << i);
    value[i] = measure(&problem, estimator, 0).value;
    dcs_problem_destroy(&problem);
  }
}

static void in_band(const char *what, const char *metric, double found, double lo, double hi)
{
  printf("    %-15s %-17s slope %+.3f\n", what, metric, found);
  if (!(found >= lo && found <= hi)) fail_msg("%s %s: slope %.3f is not in [%.2f, %.2f]", what, metric, found, lo, hi);
}

/** Marginal KL over N = 64 ... 1024 falls like N^-2 for samplers of first order, and never passes the path-space bounds.
 *  Path-space KL falls like N^-1 (and grows like N when the noise is not that of the reverse chain in the limit), that
 *  from the chain with the sampler's own noise like N^-2. */
static void first_order_samplers(void **state)
{
  (void)state;
  for (size_t i = 0; i < sizeof noisy / sizeof *noisy; i++) {
    double kl[DOUBLINGS], path[DOUBLINGS], chain[DOUBLINGS];
    curve(noisy[i], "quadrature", DOUBLINGS, kl);
    curve(noisy[i], "quadrature-path", DOUBLINGS, path);
    curve(noisy[i], "quadrature-chain", DOUBLINGS, chain);
    for (int n = 0; n < DOUBLINGS; n++) assert_true(kl[n] <= path[n] && kl[n] <= chain[n]);
    in_band(noisy[i], "kl", slope(DOUBLINGS, kl), -2.05, -1.95);
    if (strcmp(noisy[i], "churn") == 0) /* half the noise of the reverse chain, in every step */
      in_band(noisy[i], "kl_path", slope(DOUBLINGS, path), 0.95, 1.05);
    else
      in_band(noisy[i], "kl_path", slope(DOUBLINGS, path), -1.05, -0.95);
    in_band(noisy[i], "kl_chain", slope(DOUBLINGS, chain), -2.1, -1.9);
  }
  double kl[DOUBLINGS];
  curve("ddim", "quadrature", DOUBLINGS, kl);
  in_band("ddim", "kl", slope(DOUBLINGS, kl), -2.05, -1.95);
  curve("ei-ode", "quadrature", DOUBLINGS, kl);
  in_band("ei-ode", "kl", slope(DOUBLINGS, kl), -2.05, -1.95);
}

/** Matching m moments makes it N^-2m in the limit, which is still ahead: fits over N = 64 ... 1024, and the last doubling.
 *  Rounding is far below even at N = 1024, where moment-3 is at 4e-15. */
static void moment_matching_samplers(void **state)
{
  (void)state;
  double kl[DOUBLINGS], path[DOUBLINGS];
  curve("moment-2", "quadrature", DOUBLINGS, kl);
  curve("moment-2", "quadrature-path", DOUBLINGS, path);
  for (int n = 0; n < DOUBLINGS; n++) assert_true(kl[n] <= path[n]);
  in_band("moment-2", "kl", slope(DOUBLINGS, kl), -4.1, -3.5);
  in_band("moment-2", "kl, last", slope(2, kl + DOUBLINGS - 2), -4.1, -3.8);
  in_band("moment-2", "kl_path", slope(DOUBLINGS, path), -2.1, -1.9);
  curve("moment-3", "quadrature", DOUBLINGS, kl);
  in_band("moment-3", "kl", slope(DOUBLINGS, kl), -6.1, -5.3);
  in_band("moment-3", "kl, last", slope(2, kl + DOUBLINGS - 2), -6.1, -5.7);
}

static void heun_is_of_second_order(void **state)
{
  (void)state;
  double kl[DOUBLINGS];
  curve("heun", "quadrature", DOUBLINGS, kl);
  in_band("heun", "kl", slope(DOUBLINGS, kl), -4.1, -3.8);
  in_band("heun", "kl, last", slope(2, kl + DOUBLINGS - 2), -4.05, -3.95);
}

/** A wrong score adds 1/2 sum (gamma' - gamma) sigma^4 eps^2 to the path KL of ddpm-posterior, exactly, and the marginal
 *  KL stays below it; a sampler without noise has a finite KL with it, too. */
static void score_errors_add_to_the_path(void **state)
{
  (void)state;
  const double eps = 0.05;
  static const char *const samplers[] = {"ddpm-posterior", "ddim"};
  for (int i = 0; i < 2; i++) {
    dcs_problem problem = problem_of("asymmetric", samplers[i], 64);
    double exact = measure(&problem, "quadrature", KL).value, path = 0, added = 0;
    if (i == 0) path = measure(&problem, "quadrature-path", 0).value;
    must(dcs_score_error_create(problem.target, eps, 5, 65, problem.schedule->sigma, &problem.steps->error), NULL);
    dcs_estimate wrong = measure(&problem, "quadrature", KL);
    assert_true(wrong.value > exact && wrong.bias_bound < 1e-8 * wrong.value);
    if (i == 0) {
      for (int k = 0; k < 64; k++) {
        double s = problem.schedule->sigma[k], t = problem.schedule->sigma[k + 1];
        added += 0.5 * (s - t) * (s + t) * (s * s) / (t * t) * eps * eps;
      }
      assert_near(measure(&problem, "quadrature-path", 0).value, path + added, 1e-9 * (path + added));
      assert_true(wrong.value <= path + added);
    }
    dcs_problem_destroy(&problem);
  }
}

/** The posterior of two points is on two points: moment-3 then draws from the reverse chain itself. */
static void moment_3_is_exact_on_two_points(void **state)
{
  (void)state;
  dcs_problem problem = problem_of("two-point", "moment-3", 64);
  assert_near(measure(&problem, "quadrature", KL).value, 0, 1e-26);
  assert_near(measure(&problem, "quadrature", W2).value, 0, 1e-7);
  dcs_problem_destroy(&problem);
}

static void refuses(const char *estimator, dcs_problem problem, dcs_status status, const char *word)
{
  dcs_error err = {""};
  assert_int_equal(dcs_estimator_find(estimator)->check(&problem, &err), status);
  if (strstr(err.text, word) == NULL) fail_msg("%s does not say %s", err.text, word);
  dcs_problem_destroy(&problem);
}

static void refuses_what_it_cannot_measure(void **state)
{
  (void)state;
  static const double plane[] = {-1, 0, 1, 0};
  dcs_target *flat = make_target("mixture", (setting[]){{"means", 2, 2, plane}, {0}});
  refuses("quadrature", make_problem(flat, (setup){.sampler = "ddim", .sigma_max = 20, .delta = 0.01, .steps = 8}),
          DCS_EARG, "dimensions");
  refuses("quadrature-path", problem_of("two-point", "ddim", 8), DCS_EREFUSED, "infinite");
  refuses("quadrature-path", problem_of("two-point", "moment-3", 8), DCS_EREFUSED, "moment-3");
  refuses("quadrature-chain", problem_of("two-point", "ddim", 8), DCS_EREFUSED, "infinite");
  refuses("quadrature-chain", problem_of("two-point", "moment-2", 8), DCS_EREFUSED, "moment-2");
  refuses("quadrature-chain", problem_of("two-point", "ddpm-big", 8), DCS_EREFUSED, "too coarse");
  refuses("quadrature", problem_of("two-point", "ddpm-posterior", 10000000), DCS_EARG, "too large");
  refuses("quadrature-information", problem_of("two-point", "moment-3", 8), DCS_OK, "");
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(equals_the_table),
                                     cmocka_unit_test(equals_plain_numerics),
                                     cmocka_unit_test(equals_the_gaussian_closed_form),
                                     cmocka_unit_test(levels_equal_the_gaussian_closed_form),
                                     cmocka_unit_test(point_mass_is_a_fixed_point),
                                     cmocka_unit_test(mmse_has_a_profile),
                                     cmocka_unit_test(copies_add),
                                     cmocka_unit_test(first_order_samplers),
                                     cmocka_unit_test(moment_matching_samplers),
                                     cmocka_unit_test(moment_3_is_exact_on_two_points),
                                     cmocka_unit_test(heun_is_of_second_order),
                                     cmocka_unit_test(score_errors_add_to_the_path),
                                     cmocka_unit_test(refuses_what_it_cannot_measure)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
