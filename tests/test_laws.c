/* The laws atoms, codebook and radial, the wrapper embed, and mixtures of many components, each against another way to
 * the same law. What every law must satisfy is in test_target. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h> /* needs the headers above */

#include <float.h>
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "sampler/sampler.h"
#include "support.h"
#include "target/mixture.h"

enum { D_MAX = 200 };

typedef struct {
  _Alignas(DCS_ALIGN) double a[D_MAX * DCS_LANES];
} tile;

/** One law from settings and one word; the status of dcs_target_create. */
static dcs_status try_law(const char *name, const setting *settings, const char *key, const char *word,
                          dcs_target **target, dcs_error *err)
{
  dcs_params params = {0};
  const dcs_law *law = dcs_law_find(name);
  must(dcs_params_create(dcs_law_params(law), &params), NULL);
  for (; settings->key != NULL; settings++)
    must(dcs_params_set(&params, settings->key, settings->rows, settings->cols, settings->values), NULL);
  if (key != NULL) must(dcs_params_set_word(&params, key, word), NULL);
  must(dcs_params_default(&params, err), err);
  dcs_status st = dcs_target_create(law, &params, target, err);
  dcs_params_destroy(&params);
  return st;
}

/** The law is refused with a message that contains `text`. */
static void assert_refused(const char *name, const setting *settings, const char *key, const char *word,
                           const char *text)
{
  dcs_error err = {""};
  dcs_target *target = NULL;
  assert_int_equal(try_law(name, settings, key, word, &target, &err), DCS_EUSAGE);
  assert_null(target);
  if (strstr(err.text, text) == NULL) fail_msg("'%s' does not say '%s'", err.text, text);
}

/** A table of n numbers about N(0, size^2), owned by the caller. */
static double *normals(uint64_t seed, int n, double size)
{
  double *out = NULL;
  must(dcs_alloc((size_t)n, sizeof *out, &out), NULL);
  dcs_law_normals(dcs_stream_create(seed, DCS_PURPOSE_STEP, 1), 0, n, size, out);
  return out;
}

/** log q (up to `shift`), m, C v, tr C, log det J and J^{-1} v of two posteriors at the same draws of the first.
 *  `limit` is the relative rounding allowed for numbers of the size of |x|^2 / sigma^2 (log q, log det) or |x|^2. */
static void assert_same_posterior(const dcs_target *a, const dcs_target *b, double sigma, double shift, double limit)
{
  tile x, v, of_a, of_b;
  _Alignas(DCS_ALIGN) double one_a[DCS_LANES], one_b[DCS_LANES];
  int d = dcs_target_dimension(a);
  double size = d * sigma * sigma + dcs_target_variance(a), j = 0.5 / (sigma * sigma), ratio = size / (sigma * sigma);
  dcs_lane_ids ids = lane_ids(0);
  dcs_posterior *p = NULL, *q = NULL;
  assert_int_equal(dcs_target_dimension(b), d);
  must(dcs_posterior_create(a, &p), NULL);
  must(dcs_posterior_create(b, &q), NULL);
  dcs_sampler_draw(a, sigma, dcs_stream_create(1, DCS_PURPOSE_DRAW, 1), &ids, x.a, v.a);
  dcs_stream_normal(dcs_stream_create(2, DCS_PURPOSE_DRAW, 1), &ids, 0, d, v.a);
  dcs_posterior_at(p, sigma, x.a);
  dcs_posterior_at(q, sigma, x.a);
  for (int i = 0; i < d; i++) assert_near(dcs_target_mean(a)[i], dcs_target_mean(b)[i], limit * sqrt(size));
  assert_near(dcs_target_variance(a), dcs_target_variance(b), limit * size);
  for (int l = 0; l < DCS_LANES; l++)
    assert_near(dcs_posterior_log_q(p)[l], dcs_posterior_log_q(q)[l] + shift, limit * ratio);
  for (int i = 0; i < d * DCS_LANES; i++)
    assert_near(dcs_posterior_mean(p)[i], dcs_posterior_mean(q)[i], limit * ratio * sqrt(size));
  dcs_posterior_apply(p, v.a, of_a.a);
  dcs_posterior_apply(q, v.a, of_b.a);
  for (int i = 0; i < d * DCS_LANES; i++) assert_near(of_a.a[i], of_b.a[i], limit * ratio * size);
  dcs_posterior_trace(p, one_a);
  dcs_posterior_trace(q, one_b);
  for (int l = 0; l < DCS_LANES; l++) assert_near(one_a[l], one_b[l], limit * ratio * size);
  dcs_posterior_factor(p, 0.5, j, one_a);
  dcs_posterior_factor(q, 0.5, j, one_b);
  for (int l = 0; l < DCS_LANES; l++) assert_near(one_a[l], one_b[l], limit * ratio * ratio);
  dcs_posterior_solve(p, v.a, of_a.a);
  dcs_posterior_solve(q, v.a, of_b.a);
  for (int i = 0; i < d * DCS_LANES; i++) assert_near(of_a.a[i], of_b.a[i], limit * ratio * ratio);
  if (d == 1) {
    dcs_posterior_third(p, one_a);
    dcs_posterior_third(q, one_b);
    for (int l = 0; l < DCS_LANES; l++) assert_near(one_a[l], one_b[l], limit * ratio * pow(size, 1.5));
  }
  dcs_posterior_destroy(&p);
  dcs_posterior_destroy(&q);
}

static void test_atoms_are_a_mixture(void **state)
{
  (void)state;
  enum { N = 30, D = 4 };
  const double smooth = 0.2;
  double *points = normals(1, N * D, 1);
  dcs_target *atoms = make_target("atoms", (setting[]){{"points", N, D, points}, {"stddev", 1, 1, &smooth}, {0}});
  dcs_target *mixture = make_target("mixture", (setting[]){{"means", N, D, points}, {"stddev", 1, 1, &smooth}, {0}});
  assert_same_posterior(atoms, mixture, 0.5, 0, 0);
  dcs_target_destroy(&atoms);
  dcs_target_destroy(&mixture);
  dcs_free(&points);
}

/** 200 points in d = 8, each 100 times: the law is the same, the code takes the way without a table of products. */
static void test_many_atoms(void **state)
{
  (void)state;
  enum { N = 200, TIMES = 100, D = 8 };
  double *points = normals(2, N * D, 1), *many = NULL;
  must(dcs_alloc(N * TIMES * D, sizeof *many, &many), NULL);
  for (int i = 0; i < N * TIMES * D; i++) many[i] = points[i % (N * D)];
  dcs_target *few = make_target("atoms", (setting[]){{"points", N, D, points}, {0}});
  dcs_target *all = make_target("atoms", (setting[]){{"points", N * TIMES, D, many}, {0}});
  assert_non_null(((const dcs_mixture *)few->data)->gram);
  assert_null(((const dcs_mixture *)all->data)->gram);
  static const double levels[] = {10, 1, 0.2, 0.02};
  /* rounding of sums of 20000 terms */
  for (int s = 0; s < 4; s++) assert_same_posterior(few, all, levels[s], 0, 1e-12);
  dcs_target_destroy(&few);
  dcs_target_destroy(&all);
  dcs_free(&points);
  dcs_free(&many);
}

/** Five components and 1200 others 200 sigma away, which change nothing but the weight of the five: the Gram form with
 *  products taken from the means. `unequal` gives every component its own variance. */
static void far_components(bool unequal)
{
  enum { NEAR = 5, FAR = 1200, D = 40, ALL = NEAR + FAR };
  double *means = normals(3, ALL * D, 0.2), stddev[ALL], weight[ALL], near_weight[NEAR], sum = 0;
  for (int j = 0; j < ALL; j++) { /* the far ones first */
    int n = j - FAR;
    stddev[j] = unequal && n >= 0 ? 0.1 * (n + 1) : 0.2;
    weight[j] = n >= 0 ? 0.1998 + 0.0001 * (n - 2) : 0.001 / FAR;
    if (n < 0) means[j * D] += j % 2 == 0 ? 200 : -200;
    if (n >= 0) sum += near_weight[n] = weight[j] / 0.999;
  }
  assert_near(sum, 1, 1e-12);
  dcs_target *few = make_target("mixture", (setting[]){{"means", NEAR, D, means + FAR * D},
                                                       {"stddev", NEAR, 1, stddev + FAR},
                                                       {"weights", NEAR, 1, near_weight},
                                                       {0}});
  dcs_target *all = make_target(
      "mixture", (setting[]){{"means", ALL, D, means}, {"stddev", ALL, 1, stddev}, {"weights", ALL, 1, weight}, {0}});
  static const double levels[] = {1, 0.3};
  dcs_posterior *post = NULL;
  tile x, v, of_few, of_all;
  _Alignas(DCS_ALIGN) double one[DCS_LANES];
  dcs_lane_ids ids = lane_ids(0);
  must(dcs_posterior_create(few, &post), NULL);
  for (int s = 0; s < 2; s++) {
    _Alignas(DCS_ALIGN) double log_q[DCS_LANES], log_det[DCS_LANES];
    dcs_posterior *other = NULL;
    must(dcs_posterior_create(all, &other), NULL);
    dcs_sampler_draw(few, levels[s], dcs_stream_create(1, DCS_PURPOSE_DRAW, 1), &ids, x.a, v.a);
    dcs_posterior_at(post, levels[s], x.a);
    dcs_posterior_at(other, levels[s], x.a);
    memcpy(log_q, dcs_posterior_log_q(post), sizeof log_q);
    /* log q is a difference of numbers of size |x|^2/v, below 1e3 */
    for (int l = 0; l < DCS_LANES; l++) assert_near(dcs_posterior_log_q(other)[l] - log_q[l], log(0.999), 1e-11);
    for (int i = 0; i < D * DCS_LANES; i++)
      assert_near(dcs_posterior_mean(other)[i], dcs_posterior_mean(post)[i], 1e-11);
    dcs_posterior_factor(post, 0.3, 0.7 / (levels[s] * levels[s]), log_det);
    dcs_posterior_factor(other, 0.3, 0.7 / (levels[s] * levels[s]), one);
    for (int l = 0; l < DCS_LANES; l++) assert_near(one[l], log_det[l], 1e-10);
    dcs_posterior_solve(post, v.a, of_few.a);
    dcs_posterior_solve(other, v.a, of_all.a);
    for (int i = 0; i < D * DCS_LANES; i++) assert_near(of_all.a[i], of_few.a[i], 1e-10);
    dcs_posterior_destroy(&other);
  }
  dcs_posterior_destroy(&post);
  dcs_target_destroy(&few);
  dcs_target_destroy(&all);
  dcs_free(&means);
}

static void test_gram_form_without_table(void **state)
{
  (void)state;
  far_components(false);
  far_components(true);
}

/** Draws pick component j with its weight: counts of 20000 atoms in tens. */
static void test_draws_of_many_atoms(void **state)
{
  (void)state;
  enum { N = 20000, CELLS = 10, DRAWS = 40000 };
  double *points = NULL, *weight = NULL, expected[CELLS] = {0}, sum = 0;
  _Alignas(DCS_ALIGN) double x[DCS_LANES];
  int count[CELLS] = {0};
  must(dcs_alloc(N, sizeof *points, &points), NULL);
  must(dcs_alloc(N, sizeof *weight, &weight), NULL);
  for (int j = 0; j < N; j++) sum += weight[j] = 1 + j % 3 + (double)j / N;
  for (int j = 0; j < N; j++) {
    points[j] = j;
    weight[j] /= sum;
    expected[j / (N / CELLS)] += weight[j];
  }
  dcs_target *atoms = make_target("atoms", (setting[]){{"points", N, 1, points}, {"weights", N, 1, weight}, {0}});
  for (uint64_t n = 0; n < DRAWS; n += DCS_LANES) {
    dcs_lane_ids ids = lane_ids(n);
    dcs_target_draw(atoms, dcs_stream_create(3, DCS_PURPOSE_DRAW, 1), &ids, 0, x);
    for (int l = 0; l < DCS_LANES; l++) {
      assert_near(x[l], round(x[l]), 1e-9); /* the mean, about 1e4, is taken off and put back */
      count[(int)(x[l] + 0.5) / (N / CELLS)]++;
    }
  }
  for (int c = 0; c < CELLS; c++) /* P(|z| > 4.5) = 7e-6 each */
    assert_near(count[c], expected[c] * DRAWS, 4.5 * sqrt(expected[c] * DRAWS));
  dcs_target_destroy(&atoms);
  dcs_free(&points);
  dcs_free(&weight);
}

static void test_standardise(void **state)
{
  (void)state;
  enum { N = 50, D = 3 };
  const double weights_off[2] = {0.5, 0.4}, two[2] = {1, 2}, smooth = 0.5;
  double *points = normals(4, N * D, 1), weight[N], sum = 0, whole = 0, each[D] = {0}, mean[D] = {0};
  dcs_target *target = NULL;
  dcs_error err = {""};
  for (int j = 0; j < N; j++) sum += weight[j] = 1 + j % 4;
  for (int j = 0; j < N; j++) {
    weight[j] /= sum;
    points[j * D + 1] = 3 * points[j * D + 1] + 10;
    for (int i = 0; i < D; i++) mean[i] += weight[j] * points[j * D + i];
  }
  for (int j = 0; j < N; j++)
    for (int i = 0; i < D; i++) each[i] += weight[j] * pow(points[j * D + i] - mean[i], 2);
  for (int i = 0; i < D; i++) whole += each[i] / D;
  for (int kind = 0; kind < 2; kind++) {
    must(try_law("atoms",
                 (setting[]){{"points", N, D, points}, {"weights", N, 1, weight}, {"stddev", 1, 1, &smooth}, {0}},
                 "standardise", kind == 0 ? "isotropic" : "coordinates", &target, &err),
         &err);
    const dcs_mixture *mix = target->data;
    assert_near(dcs_target_variance(target), D * (1 + smooth * smooth), 1e-13);
    for (int i = 0; i < D; i++) assert_near(dcs_target_mean(target)[i], 0, 1e-14);
    for (int j = 0; j < N; j++)
      for (int i = 0; i < D; i++)
        assert_near(mix->mu[j * D + i], (points[j * D + i] - mean[i]) / sqrt(kind == 0 ? whole : each[i]), 1e-13);
    dcs_target_destroy(&target);
  }
  assert_refused("atoms", (setting[]){{0}}, NULL, NULL, "give points, or file and dataset");
  assert_refused("atoms", (setting[]){{"points", 2, 1, two}, {"weights", 2, 1, weights_off}, {0}}, NULL, NULL,
                 "sum to 0.9");
  assert_refused("atoms", (setting[]){{"points", N, D, points}, {"weights", 2, 1, weights_off}, {0}}, NULL, NULL,
                 "2 weights for 50");
  for (int j = 0; j < N; j++) points[j * D + 2] = 0.1;
  assert_refused("atoms", (setting[]){{"points", N, D, points}, {0}}, "standardise", "coordinates", "coordinate 3");
  assert_refused("atoms", (setting[]){{"points", 1, D, points}, {0}}, "standardise", "isotropic", "the same");
  points[7 * D + 1] = NAN;
  assert_refused("atoms", (setting[]){{"points", N, D, points}, {0}}, NULL, NULL, "row 8, column 2");
  dcs_free(&points);
}

/** Words of a codebook as numbers; the target's own tables. */
static double word_entry(const dcs_target *target, int word, int i)
{
  const dcs_mixture *mix = target->data;
  return mix->mu[word * target->d + i] + target->mean[i];
}

static dcs_target *codebook(double d, double words, double distinct)
{
  return make_target("codebook",
                     (setting[]){{"d", 1, 1, &d}, {"words", 1, 1, &words}, {"distinct", 1, 1, &distinct}, {0}});
}

static void test_codebook(void **state)
{
  (void)state;
  enum { D = 6, ALL = 64, LONG = 100, MANY = 500 };
  bool seen[ALL] = {false};
  dcs_target *all = codebook(D, ALL, 1), *less = codebook(D, 10, 1), *repeated = codebook(D, ALL, 0);
  for (int w = 0; w < ALL; w++) {
    int code = 0;
    for (int i = 0; i < D; i++) {
      assert_near(fabs(word_entry(all, w, i)), 1, 0);
      code = 2 * code + (word_entry(all, w, i) > 0);
      if (w < 10) assert_near(word_entry(all, w, i), word_entry(less, w, i), 4 * DBL_EPSILON);
    }
    assert_false(seen[code]);
    seen[code] = true;
  }
  for (int i = 0; i < D; i++) assert_near(dcs_target_mean(all)[i], 0, DBL_EPSILON); /* all corners of the cube */
  assert_near(dcs_target_variance(all), D, 16 * DBL_EPSILON);
  memset(seen, 0, sizeof seen);
  int distinct = 0;
  for (int w = 0; w < ALL; w++) {
    int code = 0;
    for (int i = 0; i < D; i++) code = 2 * code + (word_entry(repeated, w, i) > 0);
    distinct += !seen[code];
    seen[code] = true;
  }
  /* 64 independent draws from 64 words leave 64 (1 - 1/64)^64 = 23 unseen, with standard deviation 2.5 */
  assert_in_range(distinct, 31, 51);
  dcs_target_destroy(&all);
  dcs_target_destroy(&less);
  dcs_target_destroy(&repeated);

  dcs_target *book = codebook(LONG, MANY, 1); /* more than one unit of bits: fair and independent coordinates */
  double sum = 0, neighbours = 0, halves = 0;
  for (int w = 0; w < MANY; w++)
    for (int i = 0; i < LONG; i++) {
      sum += word_entry(book, w, i);
      if (i > 0) neighbours += word_entry(book, w, i) * word_entry(book, w, i - 1);
      if (i + 64 < LONG) halves += word_entry(book, w, i) * word_entry(book, w, i + 64);
    }
  assert_near(sum, 0, 4.5 * sqrt(MANY * LONG)); /* P(|z| > 4.5) = 7e-6 each */
  assert_near(neighbours, 0, 4.5 * sqrt(MANY * (LONG - 1)));
  assert_near(halves, 0, 4.5 * sqrt(MANY * (LONG - 64)));
  dcs_target_destroy(&book);

  const double d = 3, words = 9;
  assert_refused("codebook", (setting[]){{"d", 1, 1, &d}, {"words", 1, 1, &words}, {0}}, NULL, NULL, "only 8 differ");
}

static void test_radial_is_a_mixture(void **state)
{
  (void)state;
  enum { K = 3 };
  static const double dimension[] = {1, 3, 200}, stddev[K] = {0.5, 1, 1.1}, weight[K] = {0.5, 0.3, 0.2};
  static const double levels[] = {20, 1, 0.3};
  double zero[K * D_MAX] = {0};
  for (int t = 0; t < 3; t++) {
    dcs_target *radial = make_target(
        "radial", (setting[]){{"d", 1, 1, &dimension[t]}, {"stddevs", K, 1, stddev}, {"weights", K, 1, weight}, {0}});
    dcs_target *mixture = make_target(
        "mixture",
        (setting[]){{"means", K, (int)dimension[t], zero}, {"stddev", K, 1, stddev}, {"weights", K, 1, weight}, {0}});
    for (int s = 0; s < 3; s++) assert_same_posterior(radial, mixture, levels[s], 0, 64 * DBL_EPSILON);
    const double *w[2], *sd[2];
    assert_int_equal(dcs_target_radial(radial, &w[0], &sd[0]), K);
    assert_int_equal(dcs_target_radial(mixture, &w[1], &sd[1]), K);
    for (int j = 0; j < K; j++) {
      assert_near(w[0][j], w[1][j], 0);
      assert_near(sd[0][j], sd[1][j], DBL_EPSILON);
    }
    assert_null(dcs_target_gaussian(radial, NULL));
    dcs_target_destroy(&radial);
    dcs_target_destroy(&mixture);
  }
}

/** d = 1e4: every number against its definition in long double, J J^{-1} v = v, and draws of the right length. */
static void test_radial_in_many_dimensions(void **state)
{
  (void)state;
  enum { K = 3, D = 10000 };
  static const double d = D, stddev[K] = {0.99, 1, 1.01}, sigma = 0.4; /* close enough to share the responsibility */
  dcs_target *target = make_target("radial", (setting[]){{"d", 1, 1, &d}, {"stddevs", K, 1, stddev}, {0}});
  dcs_posterior *post = NULL;
  double *x = NULL, *v = NULL, *y = NULL, *cy = NULL;
  _Alignas(DCS_ALIGN) double log_det[DCS_LANES];
  dcs_lane_ids ids = lane_ids(0);
  must(dcs_posterior_create(target, &post), NULL);
  must(dcs_alloc(D * DCS_LANES, sizeof *x, &x), NULL);
  must(dcs_alloc(D * DCS_LANES, sizeof *v, &v), NULL);
  must(dcs_alloc(D * DCS_LANES, sizeof *y, &y), NULL);
  must(dcs_alloc(D * DCS_LANES, sizeof *cy, &cy), NULL);
  dcs_sampler_draw(target, sigma, dcs_stream_create(1, DCS_PURPOSE_DRAW, 1), &ids, x, v);
  dcs_posterior_at(post, sigma, x);
  dcs_posterior_factor(post, 0.2, 0.8 / (sigma * sigma), log_det);
  dcs_posterior_solve(post, v, y);
  dcs_posterior_apply(post, y, cy);
  for (int l = 0; l < DCS_LANES; l++) {
    long double x2 = 0, term[K], top = -INFINITY, sum = 0, mean = 0, kappa = 0;
    for (int i = 0; i < D; i++) x2 += (long double)x[i * DCS_LANES + l] * x[i * DCS_LANES + l];
    for (int j = 0; j < K; j++) {
      long double variance = (long double)stddev[j] * stddev[j] + (long double)sigma * sigma;
      term[j] = logl(1.0L / K) - 0.5L * (D * logl(2 * acosl(-1) * variance) + x2 / variance);
      top = fmaxl(top, term[j]);
    }
    for (int j = 0; j < K; j++) sum += expl(term[j] - top);
    for (int pass = 0; pass < 2; pass++)
      for (int j = 0; j < K; j++) {
        long double s2 = (long double)stddev[j] * stddev[j], a = s2 / (s2 + (long double)sigma * sigma);
        long double r = expl(term[j] - top) / sum;
        if (pass == 0)
          mean += r * a;
        else
          kappa += r * (a - mean) * (a - mean);
      }
    long double scale = 0.2L + 0.8L * mean, slope = 0.8L / ((long double)sigma * sigma) * kappa / scale;
    long double exact = D * logl(scale) + log1pl(slope * x2);
    /* |x|^2/2v is about 5e3 and sums 1e4 terms, of which sqrt(1e4) roundings remain; responsibilities inherit that */
    assert_near(dcs_posterior_log_q(post)[l], (double)(top + logl(sum)), 5e3 * 100 * DBL_EPSILON);
    assert_near(log_det[l], (double)exact, 5e3 * 100 * DBL_EPSILON);
    for (int i = l; i < D * DCS_LANES; i += DCS_LANES) {
      assert_near(dcs_posterior_mean(post)[i], (double)mean * x[i], 1e-11);
      assert_near(0.2 * y[i] + 0.8 / (sigma * sigma) * cy[i], v[i], 1e-10);
    }
  }
  dcs_free(&x);
  dcs_free(&v);
  dcs_free(&y);
  dcs_free(&cy);
  dcs_posterior_destroy(&post);
  dcs_target_destroy(&target);
}

static void test_radial_where_it_is_trivial(void **state)
{
  (void)state;
  static const double d = 3, s = 0.7, variance = 0.25, mean[3] = {0, 0, 1}, spectrum[3] = {1, 1, 2};
  const double *weight = NULL, *stddev = NULL, *lambda = NULL;
  dcs_target *target = make_target("radial", (setting[]){{"d", 1, 1, &d}, {"stddevs", 1, 1, &s}, {0}});
  lambda = dcs_target_gaussian(target, NULL);
  assert_non_null(lambda);
  for (int i = 0; i < 3; i++) assert_near(lambda[i], s * s, 0);
  dcs_target_destroy(&target);
  target = make_target("gaussian", (setting[]){{"d", 1, 1, &d}, {"variance", 1, 1, &variance}, {0}});
  assert_int_equal(dcs_target_radial(target, &weight, &stddev), 1);
  assert_near(weight[0], 1, 0);
  assert_near(stddev[0], 0.5, 0);
  dcs_target_destroy(&target);
  target = make_target("gaussian", (setting[]){{"mean", 3, 1, mean}, {0}});
  assert_int_equal(dcs_target_radial(target, &weight, &stddev), 0);
  dcs_target_destroy(&target);
  target = make_target("gaussian", (setting[]){{"variance", 3, 1, spectrum}, {0}});
  assert_int_equal(dcs_target_radial(target, &weight, &stddev), 0);
  dcs_target_destroy(&target);
  target = make_target("mixture", (setting[]){{"means", 1, 3, mean}, {0}});
  assert_int_equal(dcs_target_radial(target, &weight, &stddev), 0);
  dcs_target_destroy(&target);
}

/** Q from embedded point masses at the unit vectors: q [k][d]. */
static void read_rotation(int k, double d, double seed, double *q)
{
  for (int j = 0; j < k; j++) {
    double unit[D_MAX] = {0};
    unit[j] = 1;
    dcs_target *target = make_target(
        "mixture", (setting[]){{"means", 1, k, unit}, {"embed", 1, 1, &d}, {"embed_seed", 1, 1, &seed}, {0}});
    memcpy(q + j * (int)d, dcs_target_mean(target), (size_t)d * sizeof *q);
    dcs_target_destroy(&target);
  }
}

/** Q^T Q = I to rounding, also for more columns than one block of the orthonormalisation and for a square Q. */
static void test_rotation_is_orthogonal(void **state)
{
  (void)state;
  enum { COLUMNS = 40, ROWS = 50 };
  double *q = NULL;
  must(dcs_alloc(COLUMNS * ROWS, sizeof *q, &q), NULL);
  for (int rows = COLUMNS; rows <= ROWS; rows += ROWS - COLUMNS) {
    read_rotation(COLUMNS, rows, 1, q);
    for (int i = 0; i < COLUMNS; i++)
      for (int j = 0; j < COLUMNS; j++) {
        double dot = 0;
        for (int l = 0; l < rows; l++) dot += q[i * rows + l] * q[j * rows + l];
        assert_near(dot, i == j, 16 * DBL_EPSILON);
      }
  }
  dcs_free(&q);
}

static void test_embed_is_a_mixture(void **state)
{
  (void)state;
  enum { K = 7, BASE = 5, D = 30 };
  static const double d = D, seed = 4;
  double *means = normals(5, K * BASE, 1.5), q[BASE * D], other[BASE * D], there[K * D] = {0};
  read_rotation(BASE, d, seed, q);
  read_rotation(BASE, d, seed + 1, other);
  assert_true(fabs(q[0] - other[0]) > 1e-3);
  for (int c = 0; c < K; c++)
    for (int j = 0; j < BASE; j++)
      for (int i = 0; i < D; i++) there[c * D + i] += q[j * D + i] * means[c * BASE + j];
  dcs_target *embedded = make_target(
      "mixture", (setting[]){{"means", K, BASE, means}, {"embed", 1, 1, &d}, {"embed_seed", 1, 1, &seed}, {0}});
  dcs_target *direct = make_target("mixture", (setting[]){{"means", K, D, there}, {0}});
  static const double levels[] = {10, 1, 0.3, 0.1};
  for (int s = 0; s < 4; s++) assert_same_posterior(embedded, direct, levels[s], 0, 16 * DBL_EPSILON);

  int copies = 0;
  dcs_part part[DCS_PARTS_MAX];
  assert_ptr_equal(dcs_target_factor(embedded, &copies), embedded);
  assert_int_equal(copies, 1);
  assert_int_equal(dcs_target_parts(embedded, part), 2);
  assert_int_equal(dcs_target_dimension(part[0].target), BASE);
  assert_int_equal(part[1].copies, D - BASE);
  assert_near(dcs_target_gaussian(part[1].target, NULL)[0], 0, 0);
  dcs_target_destroy(&embedded);
  dcs_target_destroy(&direct);
  dcs_free(&means);
}

static void test_embed_of_copies(void **state)
{
  (void)state;
  static const double two_point[] = {-1, 1}, three = 3, eight = 8, d3 = 3, d2000 = 2000;
  const double *weight = NULL, *stddev = NULL;
  int copies = 0;
  dcs_part part[DCS_PARTS_MAX];
  setting set[] = {{"means", 2, 1, two_point}, {"copies", 1, 1, &three}, {"embed", 1, 1, &eight}, {0}};
  dcs_target *target = make_target("mixture", set);
  assert_int_equal(dcs_target_dimension(target), 8);
  assert_int_equal(dcs_target_parts(target, part), 2);
  assert_int_equal(dcs_target_dimension(part[0].target), 1);
  assert_int_equal(part[0].copies, 3);
  assert_int_equal(part[1].copies, 5);
  assert_ptr_equal(dcs_target_factor(target, &copies), target);
  assert_int_equal(dcs_target_radial(target, &weight, &stddev), 0);
  dcs_target_destroy(&target);

  set[2].values = &d3; /* d = k: a rotation, no null part */
  target = make_target("mixture", set);
  assert_int_equal(dcs_target_parts(target, part), 1);
  assert_int_equal(part[0].copies, 3);
  dcs_target_destroy(&target);

  static const double spectrum[] = {4, 1}, mean[] = {3, 4}, five = 5;
  const double *lambda = NULL, *centre = NULL;
  target = make_target("gaussian",
                       (setting[]){{"variance", 2, 1, spectrum}, {"mean", 2, 1, mean}, {"embed", 1, 1, &five}, {0}});
  lambda = dcs_target_gaussian(target, &centre);
  for (int i = 0; i < 5; i++) {
    assert_near(lambda[i], i < 2 ? spectrum[i] : 0, 0);
    assert_near(centre[i], i < 2 ? mean[i] : 0, 0);
  }
  dcs_target_destroy(&target);

  set[1].values = &eight;
  assert_refused("mixture", set, NULL, NULL, "embed: a law with d = 8");
  set[1].values = set[2].values = &d2000;
  assert_refused("mixture", set, NULL, NULL, "d at most 1024");
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_atoms_are_a_mixture),
      cmocka_unit_test(test_many_atoms),
      cmocka_unit_test(test_gram_form_without_table),
      cmocka_unit_test(test_draws_of_many_atoms),
      cmocka_unit_test(test_standardise),
      cmocka_unit_test(test_codebook),
      cmocka_unit_test(test_radial_is_a_mixture),
      cmocka_unit_test(test_radial_in_many_dimensions),
      cmocka_unit_test(test_radial_where_it_is_trivial),
      cmocka_unit_test(test_rotation_is_orthogonal),
      cmocka_unit_test(test_embed_is_a_mixture),
      cmocka_unit_test(test_embed_of_copies),
  };
  return cmocka_run_group_tests_name("laws", tests, NULL, NULL);
}
