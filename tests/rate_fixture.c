#include "rate_fixture.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const dcs_metric path_metric = {.name = "kl_path"};
static char kl[] = "kl", kl_path[] = "kl_path", empty[] = "";
static char sampler[] = "sampler", d[] = "d", copies[] = "copies", steps[] = "steps", delta[] = "delta";

void fixture_create(fixture *f, uint64_t seed)
{
  memset(f, 0, sizeof *f);
  char *names[COLUMNS] = {sampler, d, copies, steps, delta};
  for (int c = 0; c < COLUMNS; c++)
    f->column[c] = (dcs_column){.name = names[c],
                                .unit = "1",
                                .is_text = c == SAMPLER,
                                .number = f->number[c],
                                .text = c == SAMPLER ? f->text : NULL};
  f->metric[0].name = kl;
  f->metric[1].name = kl_path;
  for (int m = 0; m < METRICS; m++) {
    f->metric[m].estimate = f->estimate[m];
    f->metric[m].method = f->method[m];
  }
  f->result = (dcs_result){.seed = seed,
                           .hash = f->hash,
                           .n_columns = COLUMNS,
                           .column = f->column,
                           .n_metrics = METRICS,
                           .metric = f->metric,
                           .status = f->status,
                           .reason = f->reason};
}

void fixture_destroy(fixture *f) { dcs_records_destroy(&f->result.records); }

int64_t add_exact(fixture *f, char *name, double dim, double n_steps, double value)
{
  int64_t i = f->result.n_points++;
  assert_true(i < POINTS_MAX);
  f->hash[i] = 1000 + (uint64_t)i;
  f->text[i] = name;
  f->number[D][i] = f->number[COPIES][i] = dim;
  f->number[STEPS][i] = n_steps;
  f->reason[i] = empty;
  for (int m = 0; m < METRICS; m++) {
    f->estimate[m][i] = (dcs_estimate){.value = (m + 1) * value};
    f->method[m][i] = empty;
  }
  return i;
}

/** The estimator of kl that samples, and the place of kl in its sums. */
static const dcs_estimator *sampling_estimator(int *q)
{
  const dcs_metric *metric = dcs_metric_find("kl");
  assert_non_null(metric);
  for (const char *const *name = metric->estimators; *name != NULL; name++) {
    const dcs_estimator *estimator = dcs_estimator_find(*name);
    assert_non_null(estimator);
    for (*q = 0; *q < estimator->count; ++*q)
      if (!estimator->exact && strcmp(estimator->quantity[*q], metric->quantity) == 0) return estimator;
  }
  fail_msg("kl has no sampling estimator");
  return NULL;
}

int64_t add_measured(fixture *f, char *name, double dim, double n_steps, double value, double rel_error, int blocks)
{
  int q = 0;
  const dcs_estimator *estimator = sampling_estimator(&q);
  int64_t i = add_exact(f, name, dim, n_steps, value);
  dcs_sums merged = {0};
  dcs_stream stream = dcs_stream_create(f->result.seed, DCS_PURPOSE_DRAW, f->hash[i]);
  double scale = rel_error * sqrt((double)blocks * SAMPLES);
  for (int b = 0; b < blocks; b++) {
    dcs_record record = {.point = f->hash[i],
                         .estimator = dcs_hash_bytes(estimator->name, strlen(estimator->name)),
                         .block = b,
                         .phase = 2,
                         .inner = 1,
                         .outer = SAMPLES};
    for (int s = 0; s < SAMPLES; s++) {
      double u[2], sample[DCS_SUMS_MAX] = {0};
      dcs_stream_uniform2_ref(stream, (uint64_t)(b * SAMPLES + s), 0, 0, 0, u);
      sample[q] = value / 3 * (1 + scale * sqrt(-2 * log(u[0])) * cos(6.283185307179586 * u[1]));
      dcs_sums_add(&record.sums, estimator->count, sample);
    }
    assert_int_equal(dcs_records_add(&f->result.records, &record), DCS_OK);
    dcs_sums_merge(&merged, &record.sums);
    record.phase = 1; /* a pilot that measured something else: must not be used */
    record.sums.mean[q] = b == 0 ? 1e6 : 0;
    assert_int_equal(dcs_records_add(&f->result.records, &record), DCS_OK);
  }
  assert_int_equal(dcs_records_unique(&f->result.records, NULL), DCS_OK);
  double n = (double)merged.n;
  f->estimate[0][i] = (dcs_estimate){3 * merged.mean[q], 3 * sqrt(merged.m2[q] / (n * (n - 1))), 0, merged.n};
  f->method[0][i] = (char *)(uintptr_t)estimator->name; /* only read */
  return i;
}

int verdict(const fixture *f, const dcs_claim *claim, dcs_check_row *copy)
{
  dcs_study study = {.n_claims = 1, .claim = (dcs_claim *)(uintptr_t)claim}; /* only read */
  dcs_check_row *rows = NULL;
  dcs_error err = {""};
  int n = 0;
  if (dcs_claims_check(&study, &f->result, &n, &rows, &err) != DCS_OK) fail_msg("%s", err.text);
  assert_true(n > 0);
  *copy = rows[0];
  copy->where = NULL;
  copy->crossing = NULL;
  int v = n == 1 ? (int)rows[0].verdict : -1;
  dcs_claims_destroy(n, &rows);
  return v;
}

dcs_claim claim_create(dcs_claim_kind kind, char *versus, double lo, double hi)
{
  return (dcs_claim){.name = empty,
                     .source = empty,
                     .kind = kind,
                     .metric = dcs_metric_find("kl"),
                     .other = &path_metric,
                     .versus = versus,
                     .lo = lo,
                     .hi = hi,
                     .n_per = -1};
}
