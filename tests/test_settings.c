/** Settings of points and short forms in study files: score errors, quantile, sample sizes, companions, embeddings. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "study/study.h"

static const char base[] = "study: t\n"
                           "target: {law: gaussian, d: 2, variance: 0.5}\n"
                           "schedule: {levels: geometric, sigma_max: 20}\n"
                           "sampler: ddim\n"
                           "steps: 8\n"
                           "delta: 0.01\n";

static dcs_study *parse_text(const char *text, int n_set, const char *const *set)
{
  dcs_study *study = NULL;
  dcs_error err = {0};
  dcs_status st = dcs_study_parse("t.yaml", text, strlen(text), n_set, set, &study, &err);
  if (st != DCS_OK) fail_msg("%s", err.text);
  return study;
}

static double number(const dcs_study *study, const char *column, int64_t point)
{
  const dcs_column *c = dcs_study_column(study, column);
  assert_non_null(c);
  assert_false(c->is_text);
  return c->number[point];
}

/** Score error, quantile and samples: defaults, values, identity, columns. */
static void test_settings(void **state)
{
  (void)state;
  dcs_study *plain = parse_text(base, 0, NULL);
  const dcs_point *p = &plain->point[0];
  assert_true(p->score_error == 0 && p->score_error_seed == 0 && p->quantile == 0.99 && p->samples == 2000);
  assert_true(number(plain, "score_error", 0) == 0);
  assert_string_equal(dcs_study_column(plain, "score_error")->unit, "1/data units");
  assert_null(dcs_study_column(plain, "quantile"));
  assert_null(dcs_study_column(plain, "samples"));
  assert_non_null(strstr(plain->canonical, "\nquantile: 0.99\n"));

  const char *defaults[] = {"score_error=0", "score_error_seed=7", "quantile=0.99", "samples=2000"};
  dcs_study *same = parse_text(base, 4, defaults);
  assert_true(same->point[0].hash == p->hash); /* a seed of no error is no physics */
  dcs_study_destroy(&same);

  static const char *const change[][2] = {{"score_error=0.1", " score_error=0.10000000000000001 score_error_seed=1"},
                                          {"quantile=0.5", " quantile=0.5"},
                                          {"samples=500", " samples=500"}};
  for (int i = 0; i < 3; i++) {
    dcs_study *c = parse_text(base, 1, &change[i][0]);
    const char *tail = strstr(c->point[0].canonical, change[i][1]);
    assert_non_null(tail);
    assert_string_equal(tail, change[i][1]);
    dcs_study_destroy(&c);
  }
  const char *seeds[] = {"score_error=0.1", "score_error_seed=7"};
  dcs_study *one = parse_text(base, 1, seeds), *seven = parse_text(base, 2, seeds);
  assert_true(one->point[0].hash != seven->point[0].hash && seven->point[0].score_error_seed == 7);
  dcs_study_destroy(&one);
  dcs_study_destroy(&seven);
  dcs_study_destroy(&plain);
}

/** As axes: the seed of the error counts only where there is an error. */
static void test_settings_as_axes(void **state)
{
  (void)state;
  const char *set[] = {"grid={score_error: [0, 0.5], score_error_seed: [1, 2], quantile: [0.9, 0.99], samples: [100]}"};
  dcs_study *study = parse_text(base, 1, set);
  assert_int_equal(study->n_points, 6);
  static const double truth[6][3] = {{0, NAN, 0.9},  {0, NAN, 0.99}, {0.5, 1, 0.9},
                                     {0.5, 1, 0.99}, {0.5, 2, 0.9},  {0.5, 2, 0.99}};
  for (int i = 0; i < 6; i++) {
    double seed = number(study, "score_error_seed", i);
    assert_true(number(study, "score_error", i) == truth[i][0] && study->point[i].score_error == truth[i][0]);
    assert_true(seed == truth[i][1] || (isnan(seed) && isnan(truth[i][1])));
    assert_true(number(study, "quantile", i) == truth[i][2] && study->point[i].quantile == truth[i][2]);
    assert_true(number(study, "samples", i) == 100);
  }
  assert_string_equal(dcs_study_column(study, "quantile")->long_name, "quantile of the smoothness over X");
  dcs_problem *problem = NULL;
  dcs_error err = {0};
  assert_int_equal(dcs_study_problem(study, 0, &problem, &err), DCS_OK);
  assert_true(problem->quantile == 0.9 && problem->samples == 100 && problem->steps->error == NULL);
  dcs_problem_destroy(problem);
  dcs_free(&problem);
  dcs_study_destroy(&study);
}

static void expect_metrics(const char *list, int count, const char *const *name)
{
  dcs_study *study = parse_text(base, 1, &list);
  assert_int_equal(study->n_metrics, count);
  for (int m = 0; m < count; m++) assert_string_equal(study->metric[m]->name, name[m]);
  dcs_study_destroy(&study);
}

/** A metric brings its companion along, once, and where the list puts it. */
static void test_companions(void **state)
{
  (void)state;
  static const char *const after[] = {"w2_sliced", "w2_sliced_floor", "kl"};
  static const char *const placed[] = {"w2_sliced_floor", "kl", "w2_sliced"};
  static const char *const alone[] = {"w2_sliced_floor"};
  static const char *const three[] = {"kl_knn",          "kl_knn_floor",  "w2_sliced",
                                      "w2_sliced_floor", "w2_assignment", "w2_assignment_floor"};
  expect_metrics("metrics=[w2_sliced, kl]", 3, after);
  expect_metrics("metrics=[w2_sliced_floor, kl, w2_sliced]", 3, placed);
  expect_metrics("metrics=[w2_sliced_floor]", 1, alone);
  expect_metrics("metrics=[kl_knn, w2_sliced, w2_assignment]", 6, three);
}

/** embed: {d: 64, seed: 3} is embed: 64 and embed_seed: 3. */
static void test_embed(void **state)
{
  (void)state;
  const char *as_map[] = {"target={law: gaussian, d: 2, variance: 0.5, embed: {d: 6, seed: 3}}"};
  const char *as_keys[] = {"target={law: gaussian, d: 2, variance: 0.5, embed: 6, embed_seed: 3}"};
  const char *seed_left_out[] = {"target={law: gaussian, d: 2, variance: 0.5, embed: {d: 6}}"};
  const char *short_form[] = {"target={law: gaussian, d: 2, variance: 0.5, embed: 6}"};
  dcs_study *a = parse_text(base, 1, as_map), *b = parse_text(base, 1, as_keys);
  dcs_study *c = parse_text(base, 1, seed_left_out), *d = parse_text(base, 1, short_form);
  assert_string_equal(a->point[0].canonical, b->point[0].canonical);
  assert_string_equal(c->point[0].canonical, d->point[0].canonical);
  assert_non_null(strstr(a->point[0].canonical, " embed=6 embed_seed=3"));
  assert_non_null(strstr(c->point[0].canonical, " embed=6 embed_seed=1"));
  assert_true(number(a, "d", 0) == 6);
  dcs_study *again = parse_text(a->canonical, 0, NULL);
  assert_true(again->point[0].hash == a->point[0].hash);
  assert_string_equal(again->canonical, a->canonical);
  dcs_study_destroy(&again);
  dcs_study_destroy(&a);
  dcs_study_destroy(&b);
  dcs_study_destroy(&c);
  dcs_study_destroy(&d);

  const char *axes[] = {"target={law: gaussian, d: $k, variance: 0.5, embed: {d: $D, seed: $s}}",
                        "grid={k: [1, 2], D: [4, 8], s: [1, 2]}"};
  dcs_study *study = parse_text(base, 2, axes);
  assert_int_equal(study->n_points, 8);
  assert_true(number(study, "d", 3) == 8 && number(study, "D", 3) == 8 && number(study, "k", 3) == 1);
  dcs_study_destroy(&study);

  static const char *const bad[][2] = {
      {"target.embed={d: 6, sed: 3}", "--set target.embed: unknown key 'sed' in embed; nearest valid name: 'seed'"},
      {"target.embed={seed: 3}", "--set target.embed: missing key 'd' in embed"},
      {"target.embed={d: [6]}", "--set target.embed: d: found a list"},
      {"target.embed={d: x}", "--set target.embed: embed: 'x' is not a finite decimal number"},
      {"target.embed={d: $D}", "--set target.embed: there is no grid axis 'D'"},
      {"target.embed_seed=3", "--set target.embed_seed: embed_seed: there is no 'embed' that it is the seed of"},
      {"target.variance={d: 6}", "--set target.variance: variance: found a mapping"},
      {"schedule.sigma_max={d: 6}", "--set schedule.sigma_max: sigma_max: found a mapping"}};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    dcs_study *none = NULL;
    dcs_error err = {0};
    assert_int_equal(dcs_study_parse("t.yaml", base, strlen(base), 1, &bad[i][0], &none, &err), DCS_EUSAGE);
    if (strncmp(err.text, bad[i][1], strlen(bad[i][1])) != 0) fail_msg("expected %s\n  got %s", bad[i][1], err.text);
  }
  const char *twice[] = {"target.embed={d: 6, seed: 3}", "target.embed_seed=4"};
  dcs_study *none = NULL;
  dcs_error err = {0};
  assert_int_equal(dcs_study_parse("t.yaml", base, strlen(base), 2, twice, &none, &err), DCS_EUSAGE);
  assert_non_null(strstr(err.text, "seed: there is 'embed_seed' on line"));
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_settings), cmocka_unit_test(test_settings_as_axes),
                                     cmocka_unit_test(test_companions), cmocka_unit_test(test_embed)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
