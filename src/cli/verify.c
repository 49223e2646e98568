#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "archive/guard.h"
#include "archive/print.h"
#include "archive/samples.h"
#include "base/memory.h"
#include "base/plain.h"
#include "cli/arguments.h"
#include "cli/cli.h"
#include "run/dump.h"

typedef struct {
  char **path;
  int n_paths;
} options;

static const char doc[] =
    "Verify result files: that the bytes are those that were written, and that the numbers obey what must hold for any "
    "sampler and target.\n\n"
    "  read      format, sizes, ranges, checksums and the data digest\n"
    "  complete  every point is measured, or refused with a reason\n"
    "  errors    standard errors, bias bounds and counts are >= 0\n"
    "  ratio     E[r] = 1: mean_ratio is 1 within 4 standard errors and its bias\n"
    "  levels    noise levels descend strictly at every point\n"
    "  bounds    kl <= kl_path and kl_chain, w2 <= w2_coupling, information >= 0,\n"
    "            within 4 standard errors and bias\n"
    "  records   the blocks of a point hold the samples its metrics claim\v"
    "Examples:\n"
    "  dcs verify R.h5\n"
    "  dcs verify results/*.h5 && echo all good\n\n"
    "Exit codes: 0 everything holds; 1 a file is damaged or a check fails; 2 usage; 4 nothing fails, but a point is "
    "incomplete or failed.";

static error_t parse(int key, char *arg, struct argp_state *state)
{
  options *o = state->input;
  (void)arg;
  switch (key) {
  case ARGP_KEY_ARGS:
    o->path = state->argv + state->next;
    o->n_paths = state->argc - state->next;
    return 0;
  case ARGP_KEY_NO_ARGS:
    return dcs_cli_usage(state, "no result file given");
  default:
    return ARGP_ERR_UNKNOWN;
  }
}

/** What one check saw. */
typedef struct {
  int64_t checked, failed;
  int64_t first; /**< first point that failed */
} tally;

static void count(tally *t, bool holds, int64_t point)
{
  t->checked++;
  if (holds) return;
  if (t->failed++ == 0) t->first = point;
}

static bool report(const char *check, const tally *t, const char *what, const char *note)
{
  if (t->checked == 0) {
    printf("  %-9s -       nothing to check\n", check);
  } else if (t->failed == 0) {
    printf("  %-9s ok      %" PRId64 " %s%s\n", check, t->checked, what, note);
  } else {
    printf("  %-9s FAILED  %" PRId64 " of %" PRId64 " %s, first at point %" PRId64 "%s\n", check, t->failed, t->checked,
           what, t->first, note);
  }
  return t->failed == 0;
}

/** Number of points with work left. */
static int64_t check_complete(const dcs_result *r)
{
  int64_t n[DCS_POINT_FAILED + 1] = {0};
  for (int64_t p = 0; p < r->n_points; p++) n[r->status[p]]++;
  int64_t open = n[DCS_POINT_INCOMPLETE] + n[DCS_POINT_FAILED];
  printf("  %-9s %-7s", "complete", open == 0 ? "ok" : "OPEN");
  for (int s = 0; s <= DCS_POINT_FAILED; s++) {
    if (n[s] > 0) printf(" %" PRId64 " %s,", n[s], dcs_point_status_word(s));
  }
  printf(" %" PRId64 " points\n", r->n_points);
  return open;
}

static void check_error(const dcs_estimate *e, int64_t point, tally *t)
{
  if (!isnan(e->value)) count(t, e->std_error >= 0 && e->bias_bound >= 0 && e->n >= 0, point);
}

static bool check_errors(const dcs_result *r)
{
  tally t = {0};
  for (int i = 0; i < r->n_metrics; i++) {
    const dcs_result_metric *m = &r->metric[i];
    for (int64_t p = 0; p < r->n_points; p++) {
      check_error(&m->estimate[p], p, &t);
      for (int64_t k = r->level_first[p]; m->profile != NULL && k < r->level_first[p + 1]; k++)
        check_error(&m->profile[k], p, &t);
    }
  }
  return report("errors", &t, "values", "");
}

/** The mean of the density ratio is 1 whatever the sampler does; few points may lie beyond 3 standard errors (1 in
 *  370). */
static bool check_ratio(const dcs_result *r)
{
  tally t = {0};
  char note[80] = "";
  int64_t beyond_three = 0;
  int index = dcs_result_metric_find(r, "mean_ratio");
  for (int64_t p = 0; index >= 0 && p < r->n_points; p++) {
    const dcs_estimate *e = &r->metric[index].estimate[p];
    if (isnan(e->value) || isinf(e->bias_bound)) continue;
    double off = fabs(e->value - 1) - e->bias_bound - 1e-12; /* 1e-12: rounding of a ratio that is exactly 1 */
    count(&t, off <= 4 * e->std_error, p);
    if (off > 3 * e->std_error) beyond_three++;
  }
  if (t.checked > 0) snprintf(note, sizeof note, "; %" PRId64 " beyond 3 standard errors", beyond_three);
  return report("ratio", &t, "points", note);
}

static bool check_levels(const dcs_result *r)
{
  tally t = {0};
  for (int64_t p = 0; p < r->n_points; p++) {
    bool descends = true;
    for (int64_t k = r->level_first[p] + 1; k < r->level_first[p + 1]; k++) {
      descends = descends && r->level[k] < r->level[k - 1];
    }
    if (r->level_first[p] < r->level_first[p + 1]) count(&t, descends, p);
  }
  return report("levels", &t, "points", "");
}

/** One metric is at most the other, point by point. */
static void compare(const dcs_result *r, const char *lower_name, const char *upper_name, tally *t)
{
  int lower = dcs_result_metric_find(r, lower_name), upper = dcs_result_metric_find(r, upper_name);
  for (int64_t p = 0; lower >= 0 && upper >= 0 && p < r->n_points; p++) {
    const dcs_estimate *a = &r->metric[lower].estimate[p], *b = &r->metric[upper].estimate[p];
    if (isnan(a->value) || isnan(b->value) || isinf(a->bias_bound) || isinf(b->bias_bound)) continue;
    double slack = 4 * hypot(a->std_error, b->std_error) + a->bias_bound + b->bias_bound +
                   1e-12 * (fabs(a->value) + fabs(b->value)); /* 1e-12: rounding when both are exact and equal */
    count(t, a->value <= b->value + slack, p);
  }
}

static void compare_with_zero(const dcs_result *r, const char *name, tally *t)
{
  int index = dcs_result_metric_find(r, name);
  for (int64_t p = 0; index >= 0 && p < r->n_points; p++) {
    const dcs_estimate *e = &r->metric[index].estimate[p];
    if (isnan(e->value) || isinf(e->bias_bound)) continue;
    count(t, e->value >= -4 * e->std_error - e->bias_bound - 1e-12, p); /* 1e-12: rounding of an exact 0 */
  }
}

static bool check_bounds(const dcs_result *r)
{
  tally t = {0};
  compare(r, "kl", "kl_path", &t); /* marginals against paths: data processing */
  compare(r, "kl", "kl_chain", &t);
  compare(r, "w2", "w2_coupling", &t); /* the best coupling against one */
  compare_with_zero(r, "information", &t);
  return report("bounds", &t, "comparisons", "");
}

/** Blocks 0, 1, ... of one phase of (point, estimator) hold n samples together; later ones may have been left over from
 *  a stricter stopping rule. A value that comes from one group of blocks has only some of the samples. The records are
 *  sorted. */
static bool blocks_give(const dcs_result *r, uint64_t point, const char *method, int64_t n)
{
  const dcs_estimator *known = dcs_estimator_find(method);
  bool grouped = known != NULL && known->groups != NULL;
  uint64_t estimator = dcs_hash_bytes(method, strlen(method));
  dcs_record wanted = {.point = point, .estimator = estimator};
  int64_t lo = 0, hi = r->records.count;
  while (lo < hi) {
    int64_t middle = lo + (hi - lo) / 2;
    if (dcs_record_compare(&r->records.record[middle], &wanted) < 0)
      lo = middle + 1;
    else
      hi = middle;
  }
  int32_t phase = -1;
  int64_t sum = 0, next = 0;
  for (; lo < r->records.count; lo++) {
    const dcs_record *record = &r->records.record[lo];
    if (record->point != point || record->estimator != estimator) break;
    if (record->phase != phase) sum = next = 0;
    phase = record->phase;
    if (record->block != next++ || __builtin_add_overflow(sum, record->sums.n, &sum)) return false;
    if (sum == n || (grouped && sum > n)) return true;
  }
  return false;
}

static bool check_records(const dcs_result *r)
{
  tally t = {0};
  for (int i = 0; i < r->n_metrics; i++) {
    const dcs_result_metric *m = &r->metric[i];
    for (int64_t p = 0; p < r->n_points; p++) {
      if (isnan(m->estimate[p].value) || m->estimate[p].n == 0) continue;
      count(&t, blocks_give(r, r->hash[p], m->method[p], m->estimate[p].n), p);
    }
  }
  return report("records", &t, "values", "");
}

typedef struct {
  const dcs_result *result;
  int64_t particles;
} samples;

static dcs_status verify_samples(const char *path, void *data, dcs_error *err)
{
  samples *s = data;
  return dcs_samples_verify(path, s->result, &s->particles, err);
}

/** The file of samples, where there is one beside the result. */
static bool check_samples(const char *result_path, const dcs_result *r)
{
  tally t = {0};
  dcs_error err = {""};
  char *path = NULL, note[80] = "";
  samples found = {.result = r};
  dcs_status st = dcs_dump_path(result_path, &path);
  if (st == DCS_OK && access(path, F_OK) == 0) {
    st = dcs_guard(path, verify_samples, &found, sizeof found, &err);
    if (st == DCS_OK) t.checked = r->n_points;
    snprintf(note, sizeof note, " of %" PRId64 " particles", found.particles);
  }
  if (st == DCS_OK) {
    report("samples", &t, "points", note);
  } else {
    printf("  %-9s FAILED\n", "samples");
    fflush(stdout);
    (void)dcs_cli_fail(st, &err);
  }
  dcs_free(&path);
  return st == DCS_OK;
}

static int verify(const char *path)
{
  dcs_error err = {""};
  dcs_result *r = NULL;
  dcs_print_line(stdout, "%s", path);
  dcs_status st = dcs_guard_result(path, &r, &err);
  if (st != DCS_OK) {
    printf("  %-9s FAILED\n", "read");
    dcs_print_line(stdout, "%s: %s", path, st == DCS_ECORRUPT ? "DAMAGED" : "NOT READ");
    fflush(stdout);
    return dcs_cli_fail(st, &err);
  }
  printf("  %-9s ok      data digest %016" PRIx64 "\n", "read", dcs_result_digest(r));
  int64_t open = check_complete(r);
  bool (*const checks[])(const dcs_result *) = {check_errors, check_ratio, check_levels, check_bounds, check_records};
  bool holds = check_samples(path, r);
  for (size_t i = 0; i < sizeof checks / sizeof *checks; i++) holds = checks[i](r) && holds;
  dcs_print_line(stdout, "%s: %s", path, !holds ? "FAILED" : open > 0 ? "INCOMPLETE" : "VERIFIED");
  dcs_result_destroy(&r);
  return !holds ? DCS_EXIT_ERROR : open > 0 ? DCS_EXIT_INCOMPLETE : DCS_EXIT_OK;
}

int dcs_cli_verify(int argc, char **argv)
{
  static const struct argp argp = {NULL, parse, "R.h5...", doc, NULL, NULL, NULL};
  options o = {0};
  int code = DCS_EXIT_OK;
  if (!dcs_cli_parse(&argp, argc, argv, false, &o)) return DCS_EXIT_USAGE;
  for (int i = 0; i < o.n_paths; i++) {
    int one = verify(o.path[i]);
    if (one == DCS_EXIT_ERROR || code == DCS_EXIT_OK) code = one;
  }
  return code;
}
