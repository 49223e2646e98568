/** Study files: what is accepted means exactly what it says, everything else is refused with its place.
 *  tests/study/bad_*.yaml carry the expected message in their first line, good_*.yaml the number of points. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <glob.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/memory.h"
#include "study/study.h"

static const char base[] = "study: t\n"
                           "target: {law: gaussian, d: 2, variance: 0.5}\n"
                           "schedule: {levels: geometric, sigma_max: 20}\n"
                           "sampler: ddim\n"
                           "steps: 8\n"
                           "delta: 0.01\n";

/** Directory of the source tree, given by CTest. */
static const char *source_path(const char *name)
{
  static char path[4096];
  const char *root = getenv("DCS_SOURCE");
  snprintf(path, sizeof path, "%s/%s", root != NULL ? root : ".", name);
  return path;
}

static dcs_status parse_file(const char *path, dcs_study **study, dcs_error *err)
{
  char *text = NULL;
  size_t n = 0;
  dcs_status st = dcs_study_read(path, &text, &n, err);
  if (st == DCS_OK) st = dcs_study_parse(path, text, n, 0, NULL, study, err);
  dcs_free(&text);
  return st;
}

static dcs_study *parse_text(const char *text, int n_set, const char *const *set)
{
  dcs_study *study = NULL;
  dcs_error err = {0};
  dcs_status st = dcs_study_parse("t.yaml", text, strlen(text), n_set, set, &study, &err);
  if (st != DCS_OK) fail_msg("%s", err.text);
  return study;
}

/** Rest of the file's first line after the mark. */
static void first_line(const char *path, const char *mark, char *out, size_t n)
{
  FILE *file = fopen(path, "r");
  assert_non_null(file);
  char line[512] = "";
  assert_non_null(fgets(line, sizeof line, file));
  fclose(file);
  assert_int_equal(strncmp(line, mark, strlen(mark)), 0);
  line[strcspn(line, "\n")] = '\0';
  snprintf(out, n, "%s", line + strlen(mark));
}

static void test_bad_files(void **state)
{
  (void)state;
  glob_t found;
  assert_int_equal(glob(source_path("tests/study/bad_*.yaml"), 0, NULL, &found), 0);
  assert_true(found.gl_pathc > 50);
  int wrong = 0;
  for (size_t i = 0; i < found.gl_pathc; i++) {
    const char *path = found.gl_pathv[i];
    char expected[512], start[1024];
    dcs_study *study = NULL;
    dcs_error err = {0};
    first_line(path, "# expect: ", expected, sizeof expected);
    /* "7: ..." has a line number, the few others speak of the whole file */
    bool has_line = strspn(expected, "0123456789") > 0;
    snprintf(start, sizeof start, has_line ? "%s:%s" : "%s: %s", path, expected);
    dcs_status st = parse_file(path, &study, &err);
    if (st != DCS_EUSAGE || study != NULL || strncmp(err.text, start, strlen(start)) != 0) {
      print_error("expected: %s\n  got (%d): %s\n", start, (int)st, err.text);
      wrong++;
    }
    dcs_study_destroy(&study);
  }
  globfree(&found);
  assert_int_equal(wrong, 0);
}

static void test_good_files(void **state)
{
  (void)state;
  glob_t found;
  assert_int_equal(glob(source_path("tests/study/good_*.yaml"), 0, NULL, &found), 0);
  for (size_t i = 0; i < found.gl_pathc; i++) {
    char expected[512];
    dcs_study *study = NULL;
    dcs_error err = {0};
    first_line(found.gl_pathv[i], "# points: ", expected, sizeof expected);
    if (parse_file(found.gl_pathv[i], &study, &err) != DCS_OK) fail_msg("%s", err.text);
    assert_int_equal(study->n_points, atoi(expected));
    dcs_study_destroy(&study);
    assert_null(study);
  }
  globfree(&found);
}

static double number(const dcs_study *study, const char *column, int64_t point)
{
  const dcs_column *c = dcs_study_column(study, column);
  assert_non_null(c);
  assert_false(c->is_text);
  return c->number[point];
}

static const char *word(const dcs_study *study, const char *column, int64_t point)
{
  const dcs_column *c = dcs_study_column(study, column);
  assert_non_null(c);
  assert_true(c->is_text);
  return c->text[point];
}

/* churn: 2 lambda x 3 steps x 2 (d, k) less the excluded 4; ddim: 3 x 2 less 1, since lambda does not count for it. */
static void test_grid(void **state)
{
  (void)state;
  dcs_study *study = NULL;
  dcs_error err = {0};
  assert_int_equal(parse_file(source_path("tests/study/good_grid.yaml"), &study, &err), DCS_OK);
  static const struct {
    const char *sampler;
    double lambda, steps, d, k;
  } truth[] = {{"churn", 0.5, 8, 2, 2},  {"churn", 0.5, 8, 3, 5}, {"churn", 0.5, 16, 2, 2}, {"churn", 0.5, 16, 3, 5},
               {"churn", 0.5, 32, 2, 2}, {"churn", 1, 8, 2, 2},   {"churn", 1, 8, 3, 5},    {"churn", 1, 32, 2, 2},
               {"ddim", NAN, 8, 2, 2},   {"ddim", NAN, 8, 3, 5},  {"ddim", NAN, 16, 2, 2},  {"ddim", NAN, 16, 3, 5},
               {"ddim", NAN, 32, 2, 2}};
  assert_int_equal(study->n_points, sizeof truth / sizeof *truth);
  for (int64_t i = 0; i < study->n_points; i++) {
    assert_string_equal(word(study, "sampler", i), truth[i].sampler);
    assert_string_equal(study->point[i].sampler->name, truth[i].sampler);
    assert_true(number(study, "lambda", i) == truth[i].lambda ||
                (isnan(number(study, "lambda", i)) && isnan(truth[i].lambda)));
    assert_true(number(study, "steps", i) == truth[i].steps);
    assert_true(number(study, "d", i) == truth[i].d);
    assert_true(number(study, "k", i) == truth[i].k);
    assert_true(number(study, "sigma_max", i) == 10.0);
    assert_true(number(study, "delta", i) == 0.01);
    assert_true(number(study, "copies", i) == 1.0);
    assert_string_equal(word(study, "target", i), "mixture");
    assert_string_equal(word(study, "schedule", i), "geometric");
    assert_string_equal(word(study, "rule", i), "geometric");
    assert_string_equal(word(study, "init", i), "exact");
  }
  assert_true(study->seed == INT64_MAX);
  assert_true(dcs_study_column(study, "k")->is_integer);
  assert_int_equal(study->n_columns, 13); /* the 11 standard ones, then rule and k; d, steps, lambda are standard */
  dcs_study_destroy(&study);
}

/** An axis that a target does not refer to does not multiply its points, and is NaN there. */
static void test_axis_of_one_target(void **state)
{
  (void)state;
  dcs_study *study = parse_text("study: t\n"
                                "targets: {a: {law: gaussian, d: 2, variance: $v}, b: {law: gaussian, d: 3}}\n"
                                "schedule: {levels: geometric}\n"
                                "sampler: ddim\n"
                                "steps: 8\n"
                                "delta: 0.01\n"
                                "grid: {target: [a, b], v: [1, 2.5]}\n",
                                0, NULL);
  assert_int_equal(study->n_points, 3);
  assert_true(number(study, "v", 0) == 1.0 && number(study, "v", 1) == 2.5 && isnan(number(study, "v", 2)));
  assert_string_equal(word(study, "target", 1), "a");
  assert_string_equal(word(study, "target", 2), "b");
  assert_false(dcs_study_column(study, "v")->is_integer);
  dcs_study_destroy(&study);
}

static void test_claims(void **state)
{
  (void)state;
  dcs_study *study = NULL;
  dcs_error err = {0};
  assert_int_equal(parse_file(source_path("tests/study/good_grid.yaml"), &study, &err), DCS_OK);
  assert_int_equal(study->n_claims, 3);
  const dcs_claim *c = study->claim;
  assert_int_equal(c[0].kind, DCS_CLAIM_EXPONENT);
  assert_true(c[0].lo == -2.2 && c[0].hi == -1.8);
  assert_string_equal(c[0].versus, "steps");
  assert_int_equal(c[0].n_per, 2);
  assert_string_equal(c[0].per[1], "d");
  assert_int_equal(c[0].n_where, 2);
  assert_string_equal(c[0].where[0].text[0], "ddim");
  assert_int_equal(c[0].where[1].count, 2);
  assert_true(c[0].where[1].number[1] == 16.0);
  assert_int_equal(c[0].line, 22);
  assert_int_equal(c[1].kind, DCS_CLAIM_BOUNDED);
  assert_int_equal(c[1].n_products, 1);
  assert_int_equal(c[1].product->count, 2);
  assert_string_equal(c[1].product->name[1], "d");
  assert_true(c[1].product->power[0] == 2.0 && c[1].product->power[1] == -1.0 && c[1].hi == 0.05);
  assert_int_equal(c[1].n_per, -1);
  assert_int_equal(c[2].kind, DCS_CLAIM_BELOW);
  assert_string_equal(c[2].other->name, "kl_rev");
  assert_string_equal(c[2].source, "a: \"b\" \\ c");
  assert_null(c[2].versus);
  dcs_study_destroy(&study);
}

/** The study as written, and again from its canonical form. */
static void test_claims_on_logarithms_and_steps(void **state)
{
  (void)state;
  dcs_study *study = NULL;
  dcs_error err = {0};
  assert_int_equal(parse_file(source_path("tests/study/good_claims.yaml"), &study, &err), DCS_OK);
  for (int round = 0; round < 2; round++) {
    assert_int_equal(study->n_claims, 2);
    const dcs_claim *c = study->claim;
    assert_int_equal(c[0].kind, DCS_CLAIM_LOG_EXPONENT);
    assert_true(c[0].lo == 1.75 && c[0].hi == 2.25 && c[0].n_eps == 0);
    assert_string_equal(c[0].versus, "delta");
    assert_string_equal(c[0].per[0], "steps");
    assert_int_equal(c[1].kind, DCS_CLAIM_STEPS_TO);
    assert_true(c[1].lo == 0.9 && c[1].hi == 1.1 && c[1].n_per == -1);
    assert_int_equal(c[1].n_eps, 4);
    assert_true(c[1].eps[0] == 0.5 && c[1].eps[1] == 0.35 && c[1].eps[2] == 0.25 && c[1].eps[3] == 0.1);
    dcs_study *again = parse_text(study->canonical, 0, NULL);
    assert_string_equal(again->canonical, study->canonical);
    dcs_study_destroy(&study);
    study = again;
  }
  dcs_study_destroy(&study);
}

static void test_numbers_and_defaults(void **state)
{
  (void)state;
  dcs_study *study = NULL;
  dcs_error err = {0};
  assert_int_equal(parse_file(source_path("tests/study/good_numbers.yaml"), &study, &err), DCS_OK);
  assert_int_equal(study->point[0].steps, 64);
  assert_true(study->point[0].delta == 0.01);
  assert_true(study->stop.max_paths == 1e6 && study->stop.rel_error == 0.05);
  assert_true(study->seed == 1);
  assert_int_equal(study->point[0].init, DCS_INIT_EXACT);
  assert_int_equal(study->n_metrics, 1);
  assert_string_equal(study->metric[0]->name, "kl");
  const dcs_param *variance = dcs_params_find(&study->point[0].target, "variance");
  static const double truth[] = {0.5, 1, 2, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5};
  assert_int_equal(variance->rows, 10);
  assert_memory_equal(variance->values, truth, sizeof truth);
  assert_int_equal(variance->line, 4);
  dcs_study_destroy(&study);
}

/** The identity is the physics: not the name, the seed, the stop rule, the spelling, or the place in a grid. */
static void test_identity(void **state)
{
  (void)state;
  dcs_study *a = parse_text(base, 0, NULL);
  dcs_study *b =
      parse_text("study: other\n"
                 "seed: 7\n"
                 "stop: {rel_error: 0.5}\n"
                 "targets: {x: {law: gaussian, variance: 5.0e-1, d: 2.0, mean: [-0.0], copies: 1}}\n"
                 "schedule: {sigma_max: 2.0e1, levels: geometric}\n"
                 "init: exact\n"
                 "lambda: 3\n"
                 "metrics: [w2]\n"
                 "grid: {target: [x], delta: [1, 0.01], steps: {from: 4, to: 8, factor: 2}, sampler: [ddim]}\n",
                 0, NULL);
  assert_int_equal(b->n_points, 4);
  assert_string_equal(a->point[0].canonical, b->point[3].canonical);
  assert_true(a->point[0].hash == b->point[3].hash);
  assert_true(a->hash != b->hash);
  const char *seed = "seed=2";
  dcs_study *reseeded = parse_text(base, 1, &seed);
  assert_true(reseeded->hash != a->hash && reseeded->point[0].hash == a->point[0].hash);
  dcs_study_destroy(&reseeded);
  for (int i = 0; i < 3; i++) assert_true(b->point[i].hash != a->point[0].hash);
  /* and everything physical matters */
  static const char *const change[] = {"target.d=3",
                                       "target.variance=0.6",
                                       "target.mean=1",
                                       "target.copies=2",
                                       "schedule.sigma_max=21",
                                       "sampler=ddpm-posterior",
                                       "steps=9",
                                       "delta=0.02",
                                       "init=prior"};
  for (size_t i = 0; i < sizeof change / sizeof *change; i++) {
    dcs_study *c = parse_text(base, 1, &change[i]);
    assert_true(c->point[0].hash != a->point[0].hash);
    assert_true(c->hash == a->hash);
    dcs_study_destroy(&c);
  }
  dcs_study_destroy(&a);
  dcs_study_destroy(&b);
}

/** What points were called before there were score errors, quantiles, sample sizes and embeddings: it stays. */
static void test_identity_is_kept(void **state)
{
  (void)state;
  dcs_study *study = parse_text(base, 0, NULL);
  assert_string_equal(study->point[0].canonical,
                      "law=gaussian d=2 variance=[0.5] decay=0 mean=[0] product=0 copies=1; levels=geometric "
                      "sigma_max=20; sampler=ddim lambda=- init=exact steps=8 delta=0.01");
  dcs_study_destroy(&study);
}

/** Claims of a text without its points: the same claims, and nothing that a target needs. */
static void test_claims_only(void **state)
{
  (void)state;
  dcs_study *full = NULL, *claims = NULL;
  dcs_error err = {0};
  assert_int_equal(parse_file(source_path("tests/study/good_grid.yaml"), &full, &err), DCS_OK);
  if (dcs_study_parse_claims("r.h5", full->canonical, strlen(full->canonical), &claims, &err) != DCS_OK)
    fail_msg("%s", err.text);
  assert_int_equal(claims->n_points, 0);
  assert_int_equal(claims->n_columns, full->n_columns);
  assert_int_equal(claims->n_claims, full->n_claims);
  assert_true(claims->hash == full->hash);
  for (int i = 0; i < full->n_columns; i++) {
    assert_string_equal(claims->column[i].name, full->column[i].name);
    assert_int_equal(claims->column[i].is_text, full->column[i].is_text);
  }
  for (int i = 0; i < full->n_claims; i++) assert_string_equal(claims->claim[i].name, full->claim[i].name);
  dcs_study_destroy(&claims);
  dcs_study_destroy(&full);
}

/** The canonical text is a study file of the same study, and its own canonical text. */
static void test_round_trip(void **state)
{
  (void)state;
  static const char *const files[] = {"tests/study/good_grid.yaml", "tests/study/good_numbers.yaml",
                                      "studies/quick/study.yaml"};
  for (size_t f = 0; f < sizeof files / sizeof *files; f++) {
    dcs_study *a = NULL;
    dcs_error err = {0};
    if (parse_file(source_path(files[f]), &a, &err) != DCS_OK) fail_msg("%s", err.text);
    dcs_study *b = parse_text(a->canonical, 0, NULL);
    assert_string_equal(a->canonical, b->canonical);
    assert_true(a->hash == b->hash && a->n_points == b->n_points && a->n_claims == b->n_claims);
    for (int64_t i = 0; i < a->n_points; i++) assert_true(a->point[i].hash == b->point[i].hash);
    dcs_study_destroy(&a);
    dcs_study_destroy(&b);
  }
}

static void expect_bad(const char *text, int n_set, const char *const *set, const char *message)
{
  dcs_study *none = NULL;
  dcs_error err = {0};
  assert_int_equal(dcs_study_parse("t.yaml", text, strlen(text), n_set, set, &none, &err), DCS_EUSAGE);
  if (strncmp(err.text, message, strlen(message)) != 0) fail_msg("expected %s\n  got %s", message, err.text);
}

static void test_override(void **state)
{
  (void)state;
  const char *set[] = {"stop.rel_error=0.01", "grid.copies=[1, 2]", "target.copies=$copies", "seed=5", "seed=6"};
  dcs_study *study = parse_text(base, 5, set);
  assert_true(study->stop.rel_error == 0.01 && study->seed == 6);
  assert_int_equal(study->n_points, 2);
  assert_true(number(study, "copies", 1) == 2.0 && number(study, "d", 1) == 4.0);
  assert_non_null(strstr(study->canonical, "rel_error: 0.01"));
  dcs_study_destroy(&study);

  static const char *const bad[][2] = {
      {"stop", "--set stop: write it as KEY=VALUE"},
      {"stop.rel_eror=1", "--set stop.rel_eror: unknown key 'rel_eror' in stop; nearest valid name: 'rel_error'"},
      {"stop.rel_error=2", "--set stop.rel_error: rel_error: 2 is outside"},
      {"steps.x=2", "--set steps.x: 'x' has nothing to set it in"},
      {"stop..x=2", "--set stop..x: empty name in the key"},
      {"stop.=2", "--set stop.: empty name in the key"},
      {"steps=[1", "--set steps: not valid YAML"},
      {"steps=", "--set steps: "},
      {"target.d=0", "--set target.d: d: 0 is outside [1, 1000000]"}};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) expect_bad(base, 1, &bad[i][0], bad[i][1]);
}

#define SCALES                                                                                                         \
  "grid: {copies: [1, 2]}\n"                                                                                           \
  "scales:\n"                                                                                                          \
  "  desk: {stop.rel_error: 0.02, seed: 7}\n"                                                                          \
  "  paper:\n"                                                                                                         \
  "    grid.copies: {from: 1, to: 16, factor: 2}\n"                                                                    \
  "    target: {law: gaussian, d: 3, copies: $copies}\n"

/** A scale is a bundle of overrides; others come after it and win. */
static void test_scales(void **state)
{
  (void)state;
  static const char text[] = "study: t\n"
                             "target: {law: gaussian, d: 2, copies: $copies}\n"
                             "schedule: {levels: geometric}\n"
                             "sampler: ddim\n"
                             "steps: 8\n"
                             "delta: 0.01\n" SCALES;
  static const struct {
    int n_set;
    const char *set[2];
    int n_points;
    double d, rel_error;
    uint64_t seed;
  } truth[] = {{0, {NULL}, 2, 2, 0.05, 1},
               {1, {"scale=laptop"}, 2, 2, 0.05, 1},
               {1, {"scale=desk"}, 2, 2, 0.02, 7},
               {1, {"scale=paper"}, 5, 3, 0.05, 1},
               {2, {"grid.copies=[1, 3, 4]", "scale=paper"}, 3, 3, 0.05, 1},
               {2, {"scale=desk", "scale=paper"}, 5, 3, 0.05, 1},
               {2, {"scale=desk", "scales.desk={stop.rel_error: 0.03}"}, 2, 2, 0.03, 1}};
  for (size_t i = 0; i < sizeof truth / sizeof *truth; i++) {
    dcs_study *study = parse_text(text, truth[i].n_set, truth[i].set);
    assert_int_equal(study->n_points, truth[i].n_points);
    assert_true(number(study, "d", 0) == truth[i].d * number(study, "copies", 0));
    assert_true(study->stop.rel_error == truth[i].rel_error && study->seed == truth[i].seed);
    assert_null(strstr(study->canonical, "scale")); /* it is the study that runs, and reads back as such */
    dcs_study *again = parse_text(study->canonical, 0, NULL);
    assert_int_equal(again->n_points, study->n_points);
    assert_true(again->hash == study->hash && again->point[0].hash == study->point[0].hash);
    dcs_study_destroy(&again);
    dcs_study_destroy(&study);
  }
  const char *const papr[] = {"scale=papr"}, *const list[] = {"scale=[paper]"}, *const scales[] = {"scales.desk=3"};
  expect_bad(text, 1, papr, "--set scale: scale: there is no 'papr' in 'scales'; nearest valid name: 'paper'");
  expect_bad(text, 1, list, "--set scale: scale: found a list");
  expect_bad(text, 1, scales, "--set scales.desk: desk: found a single value");
  expect_bad("study: t\nscales: {a: {stop.rel_error: 0.1}, b: {sop.rel_error: 0.1}}\n", 0, NULL,
             "t.yaml:2: scale b: 'sop.rel_error' does not begin with a key of the study; nearest valid name:");
  expect_bad("study: t\nscales: {a: {scale: b}, b: {}}\n", 0, NULL, "t.yaml:2: scale a: 'scale' does not begin");
  expect_bad("study: t\nscales: {a: 3}\n", 0, NULL, "t.yaml:2: a: found a single value");
  const char *const wrong[] = {"scale=a"};
  char wrong_text[512];
  snprintf(wrong_text, sizeof wrong_text, "%sscales:\n  a: {stop.rel_eror: 0.1}\n", base);
  expect_bad(wrong_text, 1, wrong, "t.yaml:8: unknown key 'rel_eror' in stop"); /* the place of the file, not --set */
}

/** A metric may be asked for at some points only; its companion goes with it. */
static void test_metric_scopes(void **state)
{
  (void)state;
  const char *set[] = {"grid={sampler: [ddim, jain-zhang], steps: [8, 16]}",
                       "metrics=[kl, {kl_path: {sampler: jain-zhang}},"
                       " {w2_sliced: {sampler: [ddim], steps: 16}}]"};
  char text[512];
  snprintf(text, sizeof text, "%s", base);
  char *sampler_line = strstr(text, "sampler: ddim\nsteps: 8\n");
  assert_non_null(sampler_line);
  memmove(sampler_line, sampler_line + strlen("sampler: ddim\nsteps: 8\n"),
          strlen(sampler_line + strlen("sampler: ddim\nsteps: 8\n")) + 1);
  dcs_study *study = parse_text(text, 2, set);
  assert_int_equal(study->n_points, 4);
  assert_int_equal(study->n_metrics, 4);
  assert_string_equal(study->metric[3]->name, "w2_sliced_floor");
  for (int64_t i = 0; i < 4; i++) {
    bool is_ddim = strcmp(word(study, "sampler", i), "ddim") == 0;
    assert_true(dcs_study_asks(study, 0, i));
    assert_int_equal(dcs_study_asks(study, 1, i), !is_ddim);
    assert_int_equal(dcs_study_asks(study, 2, i), is_ddim && number(study, "steps", i) == 16);
    assert_int_equal(dcs_study_asks(study, 3, i), dcs_study_asks(study, 2, i));
  }
  dcs_study *again = parse_text(study->canonical, 0, NULL);
  assert_string_equal(again->canonical, study->canonical);
  dcs_study_destroy(&again);
  dcs_study_destroy(&study);
  static const char *const bad[][2] = {
      {"metrics=[{kl: {steps: 8}, w2: {steps: 8}}]", "--set metrics: metrics: write NAME, or {NAME: {"},
      {"metrics=[[kl]]", "--set metrics: metrics: write NAME, or {NAME: {"},
      {"metrics=[{kl: 8}]", "--set metrics: kl: found a single value"},
      {"metrics=[{kl: {stps: 8}}]", "--set metrics: metrics: 'stps' is not a coordinate of this study; nearest"},
      {"metrics=[{kl: {sampler: ddimm}}]", "--set metrics: sampler: unknown"},
      {"metrics=[kl, {kl: {steps: 8}}]", "--set metrics: metrics: 'kl' is repeated"}};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) expect_bad(base, 1, &bad[i][0], bad[i][1]);
}

static void test_claims_between(void **state)
{
  (void)state;
  const char *set[] = {"metrics=[kl, kl_path]",
                       "claims=[{name: a, metric: kl, scaled: [{steps: 2, d: -1}, {kl_path: -1}], between: [0, 2.5e3]},"
                       " {name: b, metric: kl_path, between: [-1, 1], per: [d]}]"};
  dcs_study *study = parse_text(base, 2, set);
  const dcs_claim *c = study->claim;
  assert_int_equal(study->n_claims, 2);
  assert_int_equal(c[0].kind, DCS_CLAIM_BETWEEN);
  assert_true(c[0].lo == 0 && c[0].hi == 2500 && c[0].versus == NULL && c[0].n_per == -1);
  assert_int_equal(c[0].n_products, 2);
  assert_int_equal(c[0].product[0].count, 2);
  assert_string_equal(c[0].product[0].name[1], "d");
  assert_true(c[0].product[0].power[0] == 2 && c[0].product[0].power[1] == -1 && c[0].product[1].power[0] == -1);
  assert_string_equal(c[0].product[1].name[0], "kl_path");
  assert_int_equal(c[1].n_products, 0);
  assert_int_equal(c[1].n_per, 1);
  dcs_study_destroy(&study);
  static const char *const bad[][2] = {
      {"claims=[{name: a, metric: kl, between: [2, 1]}]", "--set claims: between: 1 is outside [2, "},
      {"claims=[{name: a, metric: kl, between: [1]}]", "--set claims: between: write the band as [lo, hi]"},
      {"claims=[{name: a, metric: kl, scaled: {d: 1}, below: kl}]", "--set claims: scaled: goes with 'between'"},
      {"claims=[{name: a, metric: kl, versus: steps, between: [1, 2]}]",
       "--set claims: versus: a claim with 'between'"},
      {"claims=[{name: a, metric: kl, scaled: {smoothnes: 1}, between: [1, 2]}]",
       "--set claims: scaled: 'smoothnes' is"},
      {"claims=[{name: a, metric: kl, scaled: {sampler: 1}, between: [1, 2]}]",
       "--set claims: scaled: 'sampler' is not a"},
      {"claims=[{name: a, metric: kl, scaled: [], between: [1, 2]}]", "--set claims: scaled: an empty list"},
      {"claims=[{name: a, metric: kl, scaled: [3], between: [1, 2]}]", "--set claims: scaled: found a single value"},
      {"claims=[{name: a, metric: kl, between: [1, 2], exponent: [1, 2]}]",
       "--set claims: a claim has exactly one of"}};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) expect_bad(base, 1, &bad[i][0], bad[i][1]);
}

/** A generated axis holds the values one would type, bit for bit. */
static void test_ranges(void **state)
{
  (void)state;
  static const struct {
    const char *set;
    int n;
    double value[5];
  } truth[] = {{"grid.delta={from: 0.1, to: 1.0e-5, factor: 0.1}", 5, {1e-1, 1e-2, 1e-3, 1e-4, 1e-5}},
               {"grid.delta={from: 0.1, to: 0.5, step: 0.1}", 5, {0.1, 0.2, 0.3, 0.4, 0.5}},
               {"grid.delta={from: 2, to: 31, factor: 2}", 4, {2, 4, 8, 16}},
               {"grid.delta={from: 3, to: 1, step: -1}", 3, {3, 2, 1}},
               {"grid.delta={from: 3, to: 3, factor: 2}", 1, {3}}};
  const char *no_delta = strstr(base, "delta");
  char text[512];
  snprintf(text, sizeof text, "%.*s", (int)(no_delta - base), base);
  for (size_t i = 0; i < sizeof truth / sizeof *truth; i++) {
    dcs_study *study = parse_text(text, 1, &truth[i].set);
    assert_int_equal(study->n_points, truth[i].n);
    for (int k = 0; k < truth[i].n; k++) assert_true(study->point[k].delta == truth[i].value[k]);
    dcs_study_destroy(&study);
  }
}

static void test_problem(void **state)
{
  (void)state;
  dcs_study *study = parse_text(base, 0, NULL);
  dcs_problem *problem = NULL;
  dcs_error err = {0};
  assert_int_equal(dcs_study_problem(study, 0, &problem, &err), DCS_OK);
  assert_int_equal(dcs_target_dimension(problem->target), 2);
  assert_int_equal(problem->schedule->steps, 8);
  assert_int_equal(problem->steps->count, 8);
  assert_true(problem->seed == 1 && problem->point == study->point[0].hash);
  dcs_problem_destroy(problem);
  dcs_free(&problem);
  assert_int_equal(dcs_study_problem(study, 1, &problem, &err), DCS_EARG);
  assert_null(problem);
  dcs_study_destroy(&study);
}

/** Points of one target that follow each other share it, and it lives as long as any of them. */
static void test_shared_targets(void **state)
{
  (void)state;
  enum { POINTS = 6 };
  const char *steps = strstr(base, "steps"), *delta = strstr(base, "delta");
  const char *grid[] = {"grid={v: [1, 2, 3], steps: [8, 9]}", "grid={steps: [8, 9], v: [1, 2, 3]}"};
  char text[512] = "";
  snprintf(text, sizeof text, "%.*s%s", (int)(steps - base), base, delta);
  for (int g = 0; g < 2; g++) {
    const char *set[] = {"target.variance=$v", grid[g]};
    dcs_study *study = parse_text(text, 2, set);
    dcs_targets *targets = NULL;
    dcs_problem *problem[POINTS];
    dcs_error err = {0};
    assert_int_equal(study->n_points, POINTS);
    assert_int_equal(dcs_targets_create(study, &targets), DCS_OK);
    for (int p = 0; p < POINTS; p++) assert_int_equal(dcs_targets_problem(targets, p, &problem[p], &err), DCS_OK);
    dcs_targets_destroy(&targets);
    assert_null(targets);
    for (int p = 0; p < POINTS; p++) {
      double v = number(study, "v", p), trace = dcs_target_variance(problem[p]->target);
      assert_true(trace == v * dcs_target_variance(problem[0]->target) / number(study, "v", 0));
      assert_true((problem[p]->target == problem[(p + 1) % POINTS]->target) == (g == 0 && p % 2 == 0));
    }
    for (int p = 0; p < POINTS; p++) { /* 0 2 4 1 3 5 */
      int k = p < POINTS / 2 ? 2 * p : 2 * p - POINTS + 1;
      dcs_problem_destroy(problem[k]);
      dcs_free(&problem[k]);
    }
    dcs_study_destroy(&study);
  }
}

/** Rules that fix their own last level: delta is read off the levels and is not part of the physics. */
static void test_own_delta(void **state)
{
  (void)state;
  const char *set[] = {"schedule={levels: li-yan, c0: 2, c1: 1}", "steps=200"};
  dcs_study *study = parse_text(base, 2, set);
  assert_true(isnan(study->point[0].delta));
  dcs_problem *problem = NULL;
  dcs_error err = {0};
  assert_int_equal(dcs_study_problem(study, 0, &problem, &err), DCS_OK);
  double last = problem->schedule->sigma[200];
  assert_true(number(study, "delta", 0) == last * last);
  assert_true(number(study, "sigma_max", 0) == problem->schedule->sigma[0]);
  dcs_problem_destroy(problem);
  dcs_free(&problem);
  dcs_study_destroy(&study);
}

/** Ten thousand points of one hundred targets parse in well under a second; the bound leaves room for sanitizers. */
static void test_large(void **state)
{
  (void)state;
  const char *set[] = {"target.variance=$v",
                       "grid={steps: {from: 8, to: 107, step: 1}, v: {from: 1, to: 100, step: 1}}"};
  char text[512] = "";
  const char *steps = strstr(base, "steps"), *delta = strstr(base, "delta");
  snprintf(text, sizeof text, "%.*s%s", (int)(steps - base), base, delta);
  clock_t start = clock();
  dcs_study *study = parse_text(text, 2, set);
  double seconds = (double)(clock() - start) / CLOCKS_PER_SEC;
  assert_int_equal(study->n_points, 10000);
  assert_string_equal(dcs_study_column(study, "v")->unit, "data units^2");
  dcs_study_destroy(&study);
  if (seconds > 5.0) fail_msg("10000 points took %.2f s", seconds);
}

/** Cut off and damaged files: any answer but a crash. Fixed damage, so a failure repeats. */
static void test_damage(void **state)
{
  (void)state;
  char *text = NULL;
  size_t n = 0;
  dcs_error err = {0};
  assert_int_equal(dcs_study_read(source_path("tests/study/good_grid.yaml"), &text, &n, &err), DCS_OK);
  for (size_t i = 0; i < 2 * n; i++) {
    dcs_study *study = NULL;
    char old = text[i % n];
    text[i % n] = i < n ? "{}[]:,$&*!|\n\"'\0#-"[i % 17] : (char)(old ^ (char)0x80);
    dcs_status st = dcs_study_parse("x", text, n, 0, NULL, &study, &err);
    assert_true((st == DCS_OK) == (study != NULL));
    dcs_study_destroy(&study);
    text[i % n] = old;
    st = dcs_study_parse("x", text, i / 2, 0, NULL, &study, &err);
    assert_true((st == DCS_OK) == (study != NULL));
    dcs_study_destroy(&study);
  }
  dcs_free(&text);
  assert_int_equal(dcs_study_read("/nonexistent/study.yaml", &text, &n, &err), DCS_EIO);
  assert_null(text);
}

static void test_params(void **state)
{
  (void)state;
  static const dcs_param_def table[] = {{"a", DCS_PARAM_REAL, "2.5", 0, 0, NULL, "1", "a number"},
                                        {"b", DCS_PARAM_LIST, "[1, 2.5]", 0, 0, NULL, "1", "a list"},
                                        {"c", DCS_PARAM_BOOL, "true", 0, 0, NULL, NULL, "a flag"},
                                        {"e", DCS_PARAM_WORD, "one", 0, 0, "one|two", NULL, "a word"},
                                        {"f", DCS_PARAM_INT, "", 0, 0, NULL, "1", "optional"},
                                        {"g", DCS_PARAM_INT, NULL, 0, 0, NULL, "1", "required"},
                                        {"t", DCS_PARAM_TEXT, "some text", 0, 0, NULL, NULL, "any text"},
                                        {"u", DCS_PARAM_TEXT, "", 0, 0, NULL, NULL, "optional text"},
                                        {"v", DCS_PARAM_TABLE, "", 0, 0, NULL, "1", "large"},
                                        {0}};
  dcs_params p, q;
  dcs_error err = {0};
  double seven = 7.0;
  assert_int_equal(dcs_params_create(table, &p), DCS_OK);
  assert_int_equal(dcs_params_default(&p, &err), DCS_EUSAGE);
  assert_string_equal(err.text, "missing key 'g' (required)");
  assert_int_equal(dcs_params_set(&p, "g", 1, 1, &seven), DCS_OK);
  assert_int_equal(dcs_params_set(&p, "h", 1, 1, &seven), DCS_EARG);
  assert_int_equal(dcs_params_set(&p, "t", 1, 1, &seven), DCS_EARG);
  assert_int_equal(dcs_params_set_word(&p, "g", "seven"), DCS_EARG);
  assert_int_equal(dcs_params_default(&p, &err), DCS_OK);
  assert_string_equal(dcs_params_find(&p, "t")->word, "some text");
  assert_int_equal(dcs_params_set_word(&p, "u", "a/b c: d"), DCS_OK);
  double table6[] = {1, 2, 3, 4, 5, 6};
  assert_int_equal(dcs_params_set(&p, "v", 1, 1, &seven), DCS_OK);
  assert_int_equal(dcs_params_borrow(&p, "v", 3, 2, table6), DCS_OK);
  assert_int_equal(dcs_params_borrow(&p, "v", 0, 2, table6), DCS_EARG);
  assert_int_equal(dcs_params_borrow(&p, "t", 3, 2, table6), DCS_EARG);
  assert_int_equal(dcs_params_copy(&p, &q), DCS_OK);
  assert_true(dcs_params_find(&q, "v")->values == table6 && dcs_params_find(&q, "v")->rows == 3); /* one copy for all */
  assert_int_equal(dcs_params_set(&q, "v", 1, 1, &seven), DCS_OK); /* gives back what it borrowed */
  assert_true(dcs_params_real(&q, "v") == 7 && table6[0] == 1);
  dcs_params_destroy(&p);
  assert_true(dcs_params_real(&q, "a") == 2.5 && dcs_params_flag(&q, "c") && dcs_params_int(&q, "g") == 7);
  const dcs_param *b = dcs_params_find(&q, "b");
  assert_true(b->rows == 2 && b->cols == 1 && b->values[0] == 1.0 && b->values[1] == 2.5);
  assert_string_equal(dcs_params_find(&q, "e")->word, "one");
  assert_string_equal(dcs_params_find(&q, "t")->word, "some text");
  assert_string_equal(dcs_params_find(&q, "u")->word, "a/b c: d");
  assert_int_equal(dcs_params_set_word(&q, "e", "two"), DCS_OK);
  assert_string_equal(dcs_params_find(&q, "e")->word, "two");
  assert_false(dcs_params_is_set(&q, "f"));
  assert_false(dcs_params_is_set(&q, "h"));
  dcs_params_destroy(&q);
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_bad_files),
                                     cmocka_unit_test(test_good_files),
                                     cmocka_unit_test(test_grid),
                                     cmocka_unit_test(test_claims),
                                     cmocka_unit_test(test_claims_on_logarithms_and_steps),
                                     cmocka_unit_test(test_axis_of_one_target),
                                     cmocka_unit_test(test_identity),
                                     cmocka_unit_test(test_identity_is_kept),
                                     cmocka_unit_test(test_claims_only),
                                     cmocka_unit_test(test_numbers_and_defaults),
                                     cmocka_unit_test(test_round_trip),
                                     cmocka_unit_test(test_override),
                                     cmocka_unit_test(test_scales),
                                     cmocka_unit_test(test_metric_scopes),
                                     cmocka_unit_test(test_claims_between),
                                     cmocka_unit_test(test_ranges),
                                     cmocka_unit_test(test_problem),
                                     cmocka_unit_test(test_shared_targets),
                                     cmocka_unit_test(test_own_delta),
                                     cmocka_unit_test(test_large),
                                     cmocka_unit_test(test_damage),
                                     cmocka_unit_test(test_params)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
