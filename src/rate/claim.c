#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "rate/row.h"

typedef struct {
  const dcs_study *study;
  const dcs_result *result;
  uint64_t *hash; /**< the result's, ascending */
  size_t capacity;
  int n;
  dcs_check_row *row;
} checker;

/** New row, missing until something is measured. */
static dcs_status row_add(checker *c, const dcs_claim *claim, const char *where, dcs_check_row **row)
{
  dcs_status st = dcs_reserve(&c->row, &c->capacity, (size_t)c->n + 1, sizeof *c->row);
  if (st != DCS_OK) return st;
  *row = &c->row[c->n];
  **row = (dcs_check_row){.claim = claim,
                          .value = NAN,
                          .lo = NAN,
                          .hi = NAN,
                          .constant = NAN,
                          .least = NAN,
                          .verdict = DCS_VERDICT_MISSING};
  st = dcs_strdup(where, &(*row)->where);
  if (st == DCS_OK) c->n++;
  return st;
}

/** Turn "this cannot be measured" into the row's note; other failures pass through. */
static dcs_status absorb(dcs_status st, dcs_check_row *row, const dcs_error *reason, dcs_error *err)
{
  if (st == DCS_EARG || st == DCS_EREFUSED) {
    dcs_row_note(row, "%.150s", reason->text);
    return DCS_OK;
  }
  if (st != DCS_OK && err != NULL) *err = *reason;
  return st;
}

static int compare_hash(const void *a, const void *b)
{
  uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return (x > y) - (x < y);
}

/** Points of the study that the claim speaks of and the result does not have. */
static int64_t points_absent(const checker *c, const dcs_claim *claim)
{
  int64_t absent = 0;
  for (int64_t i = 0; i < c->study->n_points; i++)
    absent +=
        dcs_filters_pass(c->study->n_columns, c->study->column, claim->n_where, claim->where, i) &&
        bsearch(&c->study->point[i].hash, c->hash, (size_t)c->result->n_points, sizeof *c->hash, compare_hash) == NULL;
  return absent;
}

/** Largest metric * prod column^power on the curve. */
static double largest_normalised(const dcs_result *result, int metric, const dcs_claim *claim, const dcs_curve *curve)
{
  double largest = 0;
  for (int64_t i = 0; i < curve->n; i++) {
    double y = result->metric[metric].estimate[curve->point[i]].value;
    for (int f = 0; claim->n_products > 0 && f < claim->product->count; f++) {
      const dcs_column *column = &result->column[dcs_result_column_find(result, claim->product->name[f])];
      y *= pow(column->number[curve->point[i]], claim->product->power[f]);
    }
    largest = fmax(largest, y);
  }
  return largest;
}

/** The verdict on a rate: its whole interval inside the band, or the upper end of the one-sided one below the bound. */
static void judge(const dcs_rate *rate, dcs_check_row *row)
{
  const dcs_claim *claim = row->claim;
  row->value = rate->slope;
  row->exact = rate->exact;
  if (!isfinite(rate->hi)) {
    dcs_row_note(row, "a bias bound is as large as the value it belongs to");
    return;
  }
  bool is_bound = claim->kind == DCS_CLAIM_BOUNDED;
  row->lo = is_bound ? -INFINITY : rate->lo;
  row->hi = is_bound ? rate->upper : rate->hi;
  bool pass = row->hi <= claim->hi && (is_bound || row->lo >= claim->lo);
  row->verdict = pass ? DCS_VERDICT_PASS : DCS_VERDICT_FAIL;
  if (pass) return;
  if (is_bound)
    dcs_row_note(row, "growth up to %s^%.3g is not excluded (95%%, one-sided); admissible is %.3g", claim->versus,
                 rate->upper, claim->hi);
  else
    dcs_row_note(row, "%s",
                 rate->lo > claim->hi   ? "the exponent lies above the band"
                 : rate->hi < claim->lo ? "the exponent lies below the band"
                                        : "the interval reaches beyond the band");
}

/** Which eps the curve does not reach, after whatever the note says. */
static void note_left_out(const dcs_result *result, const dcs_curve *curve, dcs_check_row *row)
{
  const dcs_column *column = &result->column[dcs_result_column_find(result, row->claim->versus)];
  const double end[2] = {column->number[curve->point[0]], column->number[curve->point[curve->n - 1]]};
  const dcs_crossing_place place[2] = {DCS_CROSSING_BEFORE, DCS_CROSSING_BEYOND};
  for (int k = 0; k < 2; k++) {
    size_t used = strlen(row->note);
    const char *separator = used > 0 ? "; " : "";
    int count = 0;
    for (int e = 0; e < row->n_crossings; e++) {
      if (row->crossing[e].place != place[k]) continue;
      used += (size_t)snprintf(row->note + used, sizeof row->note - used, "%s%s%.3g", count == 0 ? separator : ", ",
                               count == 0 ? "eps left out: " : "", row->crossing[e].eps);
      count++;
      if (used >= sizeof row->note) return;
    }
    if (count > 0)
      snprintf(row->note + used, sizeof row->note - used,
               k == 0 ? " (reached at %s = %.6g already)" : " (not reached at %s = %.6g)", row->claim->versus, end[k]);
  }
}

static dcs_status check_rate(const dcs_result *result, int metric, const dcs_curve *curve, dcs_check_row *row,
                             dcs_error *err)
{
  dcs_status st = DCS_OK;
  const dcs_claim *claim = row->claim;
  const char *name = claim->metric->name;
  dcs_error reason = {""};
  dcs_rate rate;
  switch (claim->kind) {
  case DCS_CLAIM_STEPS_TO:
    DCS_TRY(dcs_alloc((size_t)claim->n_eps, sizeof *row->crossing, &row->crossing));
    row->n_crossings = claim->n_eps;
    st = dcs_rate_steps_to(result, curve, name, claim->versus, claim->n_eps, claim->eps, row->crossing, &rate, &reason);
    break;
  case DCS_CLAIM_LOG_EXPONENT:
    st = dcs_rate_fit_log(result, curve, name, claim->versus, &rate, &reason);
    break;
  default:
    st = dcs_rate_fit(result, curve, name, claim->versus, claim->product, &rate, &reason);
  }
  if (st != DCS_OK) return absorb(st, row, &reason, err);
  judge(&rate, row);
  if (claim->kind == DCS_CLAIM_BOUNDED && row->verdict != DCS_VERDICT_MISSING)
    row->constant = largest_normalised(result, metric, claim, curve);
  if (claim->kind == DCS_CLAIM_STEPS_TO) note_left_out(result, curve, row);
done:
  return st;
}

static dcs_status check_claim(checker *c, const dcs_claim *claim, dcs_error *err)
{
  dcs_status st = DCS_OK;
  const dcs_result *result = c->result;
  dcs_check_row *row = NULL;
  dcs_error reason = {""};
  dcs_curve *curve = NULL;
  int n_curves = 0;
  bool by_point = claim->kind == DCS_CLAIM_BELOW || claim->kind == DCS_CLAIM_BETWEEN;
  const dcs_metric *needed[2] = {claim->metric, claim->kind == DCS_CLAIM_BELOW ? claim->other : claim->metric};
  int metric[2];
  for (int k = 0; k < 2; k++) {
    metric[k] = dcs_result_metric_find(result, needed[k]->name);
    if (metric[k] >= 0) continue;
    DCS_TRY(row_add(c, claim, "", &row));
    dcs_row_note(row, "the result has no metric '%s'", needed[k]->name);
    goto done;
  }

  /* without an abscissa: one verdict over all points unless the claim splits them */
  int n_per = by_point && claim->n_per < 0 ? 0 : claim->n_per;
  st = dcs_curves_create(result, by_point ? NULL : claim->versus, n_per, claim->per, claim->n_where, claim->where,
                         &n_curves, &curve, &reason);
  if (st == DCS_OK && n_curves == 0) st = dcs_fail(&reason, DCS_EARG, "no point passes the filter");
  if (st != DCS_OK) {
    dcs_status failure = st;
    DCS_TRY(row_add(c, claim, "", &row));
    st = absorb(failure, row, &reason, err);
    goto done;
  }
  int64_t absent = points_absent(c, claim);
  for (int i = 0; i < n_curves; i++) {
    DCS_TRY(row_add(c, claim, curve[i].label, &row));
    if (absent > 0)
      dcs_row_note(row, "%lld points of the study are not in the result: run it again", (long long)absent);
    else if (claim->kind == DCS_CLAIM_BELOW)
      DCS_TRY(dcs_row_below(result, &curve[i], row));
    else if (claim->kind == DCS_CLAIM_BETWEEN)
      DCS_TRY(dcs_row_between(result, &curve[i], row));
    else if (dcs_row_complete(result, metric[0], &curve[i], row))
      DCS_TRY(check_rate(result, metric[0], &curve[i], row, err));
  }
done:
  dcs_curves_destroy(n_curves, &curve);
  return st;
}

dcs_status dcs_claims_check(const dcs_study *study, const dcs_result *result, int *n_rows, dcs_check_row **rows,
                            dcs_error *err)
{
  dcs_status st = DCS_OK;
  checker c = {.study = study, .result = result};
  *n_rows = 0;
  *rows = NULL;
  DCS_TRY(dcs_alloc((size_t)result->n_points, sizeof *c.hash, &c.hash));
  if (result->n_points > 0) memcpy(c.hash, result->hash, (size_t)result->n_points * sizeof *c.hash);
  qsort(c.hash, (size_t)result->n_points, sizeof *c.hash, compare_hash);
  for (int i = 0; i < study->n_claims; i++) DCS_TRY(check_claim(&c, &study->claim[i], err));
done:
  dcs_free(&c.hash);
  if (st != DCS_OK) dcs_claims_destroy(c.n, &c.row);
  if (st == DCS_OK) {
    *n_rows = c.n;
    *rows = c.row;
  }
  return st;
}

void dcs_claims_destroy(int n_rows, dcs_check_row **rows)
{
  if (*rows == NULL) return;
  for (int i = 0; i < n_rows; i++) {
    dcs_free(&(*rows)[i].where);
    dcs_free(&(*rows)[i].crossing);
  }
  dcs_free(rows);
}
