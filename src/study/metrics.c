#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "study/filter.h"
#include "study/nearest.h"
#include "study/points.h"
#include "study/schema.h"

static bool has_metric(const dcs_study *study, const dcs_metric *metric)
{
  for (int k = 0; k < study->n_metrics; k++)
    if (study->metric[k] == metric) return true;
  return false;
}

/** The name in an entry of the list, NAME or {NAME: {filter}}; NULL when it is neither. */
static const char *entry_name(const dcs_node *entry)
{
  if (entry->kind == DCS_NODE_SCALAR) return entry->text;
  return entry->kind == DCS_NODE_MAP && entry->count == 1 ? entry->child[0].key : NULL;
}

static bool lists_metric(const dcs_node *list, const char *name)
{
  for (size_t i = 0; i < list->count; i++) {
    const char *listed = entry_name(&list->child[i]);
    if (listed != NULL && strcmp(listed, name) == 0) return true;
  }
  return false;
}

/** Append the metric, asked for where the filter of the entry says, if it has one. */
static dcs_status add_metric(const dcs_metric *metric, const dcs_node *entry, const dcs_node *targets, dcs_study *study,
                             dcs_error *err)
{
  int m = study->n_metrics++;
  study->metric[m] = metric;
  if (entry->kind == DCS_NODE_SCALAR) return DCS_OK;
  const dcs_node *filter = &entry->child[0];
  dcs_status st = dcs_schema_kind(filter, filter->key, DCS_NODE_MAP, err);
  if (st != DCS_OK) return st;
  return dcs_filters_read(study, filter, "metrics", targets, &study->scope[m].n_where, &study->scope[m].where, err);
}

/** A companion comes right after its metric unless the list has a place for it. */
dcs_status dcs_metrics_create(const dcs_node *root, dcs_study *study, dcs_error *err)
{
  dcs_status st = DCS_OK;
  const dcs_node *list = dcs_node_find(root, "metrics"), *targets = dcs_node_find(root, "targets");
  if (list->count == 0) return dcs_node_fail(list, err, "metrics: an empty list");
  DCS_TRY(dcs_alloc(2 * list->count, sizeof *study->metric, &study->metric));
  DCS_TRY(dcs_alloc(2 * list->count, sizeof *study->scope, &study->scope));
  for (size_t i = 0; i < list->count; i++) {
    const dcs_node *entry = &list->child[i];
    const char *name = entry_name(entry);
    if (name == NULL)
      DCS_TRY(
          dcs_node_fail(entry, err, "metrics: write NAME, or {NAME: {coordinate: values, ...}} for some points only"));
    const dcs_metric *metric = dcs_metric_find(name);
    if (metric == NULL) {
      dcs_nearest nearest = {.word = name};
      for (int k = 0; dcs_metric_at(k) != NULL; k++) dcs_nearest_offer(&nearest, dcs_metric_at(k)->name);
      DCS_TRY(dcs_node_fail(entry, err, "metrics: unknown metric '%s'; nearest valid name: '%s'", name, nearest.name));
    }
    if (has_metric(study, metric))
      DCS_TRY(dcs_node_fail(
          entry, err, "metrics: '%s' is repeated; write it once, with a list of values for each coordinate", name));
    DCS_TRY(add_metric(metric, entry, targets, study, err));
    if (metric->companion != NULL && !lists_metric(list, metric->companion))
      DCS_TRY(add_metric(dcs_metric_find(metric->companion), entry, targets, study, err));
  }
done:
  return st;
}

bool dcs_study_asks(const dcs_study *study, int metric, int64_t point)
{
  const dcs_scope *scope = &study->scope[metric];
  return dcs_filters_pass(study->n_columns, study->column, scope->n_where, scope->where, point);
}

int64_t dcs_study_count(const dcs_study *study, int metric)
{
  int64_t n = 0;
  for (int64_t p = 0; p < study->n_points; p++) n += dcs_study_asks(study, metric, p);
  return n;
}

/** As much as there is room for. */
static DCS_PRINTF(3, 4) void append(size_t size, char *text, const char *format, ...)
{
  size_t length = strlen(text);
  va_list list;
  va_start(list, format);
  vsnprintf(text + length, size - length, format, list);
  va_end(list);
}

/** Value number k of a filter alone: does any point pass it? */
static bool is_there(const dcs_study *study, const dcs_filter *filter, int k)
{
  dcs_filter one = {.column = filter->column, .count = 1};
  if (filter->text != NULL)
    one.text = &filter->text[k];
  else
    one.number = &filter->number[k];
  for (int64_t p = 0; p < study->n_points; p++)
    if (dcs_filters_pass(study->n_columns, study->column, 1, &one, p)) return true;
  return false;
}

void dcs_study_missing(const dcs_study *study, int metric, size_t size, char *text)
{
  const dcs_scope *scope = &study->scope[metric];
  text[0] = '\0';
  for (int f = 0; f < scope->n_where; f++) {
    const dcs_filter *filter = &scope->where[f];
    bool named = false;
    for (int k = 0; k < filter->count; k++) {
      if (is_there(study, filter, k)) continue;
      if (named)
        append(size, text, ", ");
      else
        append(size, text, "%s%s = ", text[0] != '\0' ? "; " : "", filter->column);
      named = true;
      if (filter->text != NULL)
        append(size, text, "%s", filter->text[k]);
      else
        append(size, text, "%.10g", filter->number[k]);
    }
  }
}
