#include "study/filter.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "study/nearest.h"
#include "study/schema.h"
#include "study/word.h"

dcs_status dcs_study_find_column(const dcs_study *study, const dcs_node *place, const char *key, const char *name,
                                 bool number, const dcs_column **out, dcs_error *err)
{
  *out = dcs_study_column(study, name);
  if (*out != NULL && !(number && (*out)->is_text)) return DCS_OK;
  if (*out != NULL) return dcs_node_fail(place, err, "%s: '%s' is not a coordinate with numbers", key, name);
  dcs_nearest nearest = {.word = name};
  for (int i = 0; i < study->n_columns; i++) dcs_nearest_offer(&nearest, study->column[i].name);
  return dcs_node_fail(place, err, "%s: '%s' is not a coordinate of this study; nearest valid name: '%s'", key, name,
                       nearest.name);
}

static dcs_status read_filter(const dcs_study *study, const dcs_node *node, const char *key, const dcs_node *targets,
                              dcs_filter *filter, dcs_error *err)
{
  dcs_status st = DCS_OK;
  const dcs_column *column = NULL;
  bool is_list = node->kind == DCS_NODE_LIST;
  size_t count = is_list ? node->count : 1;
  DCS_TRY(dcs_study_find_column(study, node, key, node->key, false, &column, err));
  DCS_TRY(dcs_schema_kind(node, node->key, DCS_NODE_SCALAR | DCS_NODE_LIST, err));
  if (count == 0) DCS_TRY(dcs_node_fail(node, err, "%s: an empty list", key));
  DCS_TRY(dcs_strdup(node->key, &filter->column));
  if (column->is_text)
    DCS_TRY(dcs_alloc(count, sizeof *filter->text, &filter->text));
  else
    DCS_TRY(dcs_alloc(count, sizeof *filter->number, &filter->number));
  for (size_t i = 0; i < count; i++) {
    const dcs_node *value = is_list ? &node->child[i] : node;
    DCS_TRY(dcs_schema_kind(value, node->key, DCS_NODE_SCALAR, err));
    if (!column->is_text) DCS_TRY(dcs_schema_real(value, node->key, -INFINITY, INFINITY, &filter->number[i], err));
    if (column->is_text) DCS_TRY(dcs_word_check(targets, node->key, value, err));
    if (column->is_text) DCS_TRY(dcs_strdup(value->text, &filter->text[i]));
    filter->count++;
  }
done:
  return st;
}

dcs_status dcs_filters_read(const dcs_study *study, const dcs_node *map, const char *key, const dcs_node *targets,
                            int *n_where, dcs_filter **where, dcs_error *err)
{
  *n_where = 0;
  dcs_status st = dcs_alloc(map->count, sizeof **where, where);
  for (size_t i = 0; st == DCS_OK && i < map->count; i++) {
    ++*n_where;
    st = read_filter(study, &map->child[i], key, targets, &(*where)[i], err);
  }
  return st;
}

void dcs_filters_destroy(int n_where, dcs_filter **where)
{
  for (int i = 0; i < n_where; i++) {
    dcs_filter *filter = &(*where)[i];
    for (int j = 0; filter->text != NULL && j < filter->count; j++) dcs_free(&filter->text[j]);
    dcs_free(&filter->text);
    dcs_free(&filter->number);
    dcs_free(&filter->column);
  }
  dcs_free(where);
}

bool dcs_filters_pass(int n_columns, const dcs_column *column, int n_where, const dcs_filter *where, int64_t point)
{
  for (int f = 0; f < n_where; f++) {
    int c = 0;
    while (c < n_columns && strcmp(column[c].name, where[f].column) != 0) c++;
    if (c == n_columns || column[c].is_text != (where[f].text != NULL)) return false;
    bool pass = false;
    for (int k = 0; k < where[f].count && !pass; k++)
      pass = column[c].is_text ? strcmp(column[c].text[point], where[f].text[k]) == 0
                               : fabs(column[c].number[point] - where[f].number[k]) <= 1e-12 * fabs(where[f].number[k]);
    if (!pass) return false;
  }
  return true;
}
