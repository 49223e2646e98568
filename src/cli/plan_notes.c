#include "cli/plan_notes.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/plain.h"
#include "cli/columns.h"
#include "cli/json.h"
#include "random/stream.h"

typedef struct {
  int64_t point;
  double flop;
} cost;

static int costlier(const void *a, const void *b)
{
  const cost *x = a, *y = b;
  if (x->flop != y->flop) return x->flop < y->flop ? 1 : -1;
  return (x->point > y->point) - (x->point < y->point);
}

static const dcs_plan_item *costliest_item(const dcs_plan_items *items, int64_t point)
{
  const dcs_plan_item *found = NULL;
  for (size_t i = 0; i < items->count; i++) {
    const dcs_plan_item *item = &items->item[i];
    if (item->point == point && (found == NULL || item->flop > found->flop)) found = item;
  }
  return found;
}

static dcs_status find_peak(const dcs_study *study, const dcs_plan_items *items, double worth, dcs_plan_peak *peak)
{
  dcs_status st = DCS_OK;
  double total = 0, sum = 0;
  int64_t n = 0;
  cost *costs = NULL;
  *peak = (dcs_plan_peak){0};
  DCS_TRY(dcs_alloc((size_t)study->n_points, sizeof *costs, &costs));
  for (int64_t p = 0; p < study->n_points; p++) costs[p].point = p;
  for (size_t i = 0; i < items->count; i++) {
    if (items->item[i].shared) continue;
    costs[items->item[i].point].flop += items->item[i].flop;
    total += items->item[i].flop;
  }
  if (!(total > worth)) goto done;
  qsort(costs, (size_t)study->n_points, sizeof *costs, costlier);
  while (n < study->n_points && sum < 0.9 * total) sum += costs[n++].flop;
  if (n == study->n_points || (n > 1 && n > study->n_points / 10)) goto done;
  *peak = (dcs_plan_peak){n, sum, sum / total, costliest_item(items, costs[0].point), costs[0].flop};
done:
  dcs_free(&costs);
  return st;
}

/** An item and what its point's words are. */
typedef struct {
  uint64_t words;
  const dcs_plan_item *item;
} entry;

static int by_estimator(const void *a, const void *b)
{
  const entry *x = a, *y = b;
  int order = (x->item->metric > y->item->metric) - (x->item->metric < y->item->metric);
  if (order == 0) order = (x->words > y->words) - (x->words < y->words);
  if (order == 0) order = strcmp(x->item->estimator->name, y->item->estimator->name);
  return order != 0 ? order : (x->item->point > y->item->point) - (x->item->point < y->item->point);
}

static uint64_t words_of(const dcs_study *study, int64_t point)
{
  uint64_t hash = 0;
  for (int c = 0; c < study->n_columns; c++) {
    if (!study->column[c].is_text) continue;
    const char *word = study->column[c].text[point];
    const uint64_t pair[2] = {hash, dcs_hash_bytes(word, strlen(word))};
    hash = dcs_hash_bytes(pair, sizeof pair);
  }
  return hash;
}

/** Entries begin..end have one metric, one set of words and one estimator, which is not the usual one there. */
static dcs_status add_change(const entry *entries, size_t begin, size_t end, const dcs_estimator *usual,
                             int64_t n_usual, int *n, size_t *capacity, dcs_plan_change **changes)
{
  const dcs_plan_item *item = entries[begin].item;
  int k = 0;
  while (k < *n && ((*changes)[k].metric != item->metric || (*changes)[k].usual != usual ||
                    (*changes)[k].other != item->estimator))
    k++;
  if (k == *n) {
    dcs_status st = dcs_reserve(changes, capacity, (size_t)*n + 1, sizeof **changes);
    if (st != DCS_OK) return st;
    (*changes)[(*n)++] =
        (dcs_plan_change){.metric = item->metric, .usual = usual, .other = item->estimator, .first = item->point};
  }
  dcs_plan_change *change = &(*changes)[k];
  change->n_usual += n_usual;
  change->n_other += (int64_t)(end - begin);
  if (item->point < change->first) change->first = item->point;
  for (size_t i = begin; i < end; i++) change->flop += entries[i].item->flop;
  return DCS_OK;
}

/** The end of the run of entries that begins at `i`. */
static size_t run_end(const entry *entries, size_t count, size_t i, bool same_estimator)
{
  size_t end = i + 1;
  while (end < count && entries[end].item->metric == entries[i].item->metric &&
         entries[end].words == entries[i].words &&
         (!same_estimator || entries[end].item->estimator == entries[i].item->estimator))
    end++;
  return end;
}

static dcs_status find_changes(const dcs_study *study, const dcs_plan_items *items, int *n_changes,
                               dcs_plan_change **changes)
{
  dcs_status st = DCS_OK;
  size_t capacity = 0;
  entry *entries = NULL;
  *n_changes = 0;
  *changes = NULL;
  DCS_TRY(dcs_alloc(items->count, sizeof *entries, &entries));
  for (size_t i = 0; i < items->count; i++)
    entries[i] = (entry){words_of(study, items->item[i].point), &items->item[i]};
  if (items->count > 0) qsort(entries, items->count, sizeof *entries, by_estimator);
  for (size_t i = 0, end; i < items->count; i = end) {
    end = run_end(entries, items->count, i, false);
    size_t usual = i, n_usual = 0;
    for (size_t r = i, next; r < end; r = next) {
      next = run_end(entries, end, r, true);
      if (next - r > n_usual) {
        usual = r;
        n_usual = next - r;
      }
    }
    for (size_t r = i, next; r < end; r = next) {
      next = run_end(entries, end, r, true);
      if (r != usual)
        DCS_TRY(add_change(entries, r, next, entries[usual].item->estimator, (int64_t)n_usual, n_changes, &capacity,
                           changes));
    }
  }
done:
  dcs_free(&entries);
  if (st != DCS_OK) dcs_free(changes);
  return st;
}

enum { WORTH_SECONDS = 60 };

dcs_status dcs_plan_notes_find(const dcs_study *study, const dcs_plan_items *items, double gflops,
                               dcs_plan_notes *notes)
{
  dcs_status st = find_peak(study, items, gflops * 1e9 * WORTH_SECONDS, &notes->peak);
  return st == DCS_OK ? find_changes(study, items, &notes->n_changes, &notes->change) : st;
}

static double core_hours(double gflops, double flop) { return flop / (gflops * 1e9) / 3600.0; }

/** Filters that leave out more than they were meant to. */
static void print_filters(const dcs_study *study)
{
  for (int m = 0; m < study->n_metrics; m++) {
    char missing[256];
    int64_t n = dcs_study_count(study, m);
    dcs_study_missing(study, m, sizeof missing, missing);
    if (n > 0 && missing[0] == '\0') continue;
    dcs_print_line(stdout, "filters      %s at %" PRId64 " of %" PRId64 " points: no point has %s",
                   study->metric[m]->name, n, study->n_points, missing[0] != '\0' ? missing : "these values together");
  }
}

static void json_filters(const dcs_study *study)
{
  fputs(",\n \"filters\": [", stdout);
  for (int m = 0, any = 0; m < study->n_metrics; m++) {
    char missing[256];
    if (study->scope[m].n_where == 0) continue;
    dcs_study_missing(study, m, sizeof missing, missing);
    printf("%s\n  {\"metric\": \"%s\", \"points\": %" PRId64 ", \"missing\": ", any++ > 0 ? "," : "",
           study->metric[m]->name, dcs_study_count(study, m));
    dcs_json_string(missing);
    putchar('}');
  }
  putchar(']');
}

void dcs_plan_notes_print(const dcs_study *study, const dcs_plan_notes *notes, double gflops)
{
  const dcs_plan_peak *peak = &notes->peak;
  if (peak->n_points > 0) {
    printf("costliest    %" PRId64 " of %" PRId64
           " points make%s %.0f%% of the upper core-hours; the worst, %.3g of them, "
           "mainly %s by %s:\n   ",
           peak->n_points, study->n_points, peak->n_points == 1 ? "s" : "", 100 * peak->share,
           core_hours(gflops, peak->first_flop), study->metric[peak->first->metric]->name,
           peak->first->estimator->name);
    dcs_columns_print(study, peak->first->point);
  }
  for (int i = 0; i < notes->n_changes; i++) {
    const dcs_plan_change *c = &notes->change[i];
    printf("estimators   %s: %s at %" PRId64 " points, but %s at %" PRId64
           " of the same kind, %.3g core-hours at most; the "
           "first:\n   ",
           study->metric[c->metric]->name, c->usual->name, c->n_usual, c->other->name, c->n_other,
           core_hours(gflops, c->flop));
    dcs_columns_print(study, c->first);
  }
  print_filters(study);
}

static void json_point(const dcs_study *study, int64_t point)
{
  printf("{\"point\": %" PRId64 ", \"physics\": ", point);
  dcs_json_string(study->point[point].canonical);
  putchar('}');
}

void dcs_plan_notes_json(const dcs_study *study, const dcs_plan_notes *notes, double gflops)
{
  const dcs_plan_peak *peak = &notes->peak;
  fputs(",\n \"costliest\": ", stdout);
  if (peak->n_points == 0) {
    fputs("null", stdout);
  } else {
    printf("{\"points\": %" PRId64 ", \"share\": %.17g, \"core_hours\": %.17g, \"metric\": \"%s\", \"estimator\": "
           "\"%s\", \"first_core_hours\": %.17g, \"first\": ",
           peak->n_points, peak->share, core_hours(gflops, peak->flop), study->metric[peak->first->metric]->name,
           peak->first->estimator->name, core_hours(gflops, peak->first_flop));
    json_point(study, peak->first->point);
    putchar('}');
  }
  fputs(",\n \"estimator_changes\": [", stdout);
  for (int i = 0; i < notes->n_changes; i++) {
    const dcs_plan_change *c = &notes->change[i];
    printf("%s\n  {\"metric\": \"%s\", \"usual\": \"%s\", \"usual_points\": %" PRId64
           ", \"other\": \"%s\", \"other_points\": %" PRId64 ", \"core_hours\": %.17g, \"first\": ",
           i > 0 ? "," : "", study->metric[c->metric]->name, c->usual->name, c->n_usual, c->other->name, c->n_other,
           core_hours(gflops, c->flop));
    json_point(study, c->first);
    putchar('}');
  }
  putchar(']');
  json_filters(study);
}
