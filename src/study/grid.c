#include "study/grid.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "metric/metric.h"
#include "study/nearest.h"
#include "study/schema.h"
#include "study/word.h"

int dcs_grid_find(const dcs_grid *grid, const char *name)
{
  for (int i = 0; i < grid->n_axes; i++)
    if (strcmp(grid->axis[i].name, name) == 0) return i;
  return -1;
}

static dcs_status unknown_axis(const dcs_grid *grid, const dcs_node *place, const char *name, dcs_error *err)
{
  if (grid->n_axes == 0) return dcs_node_fail(place, err, "there is no grid axis '%s'; add it to grid", name);
  dcs_nearest nearest = {.word = name};
  for (int i = 0; i < grid->n_axes; i++) dcs_nearest_offer(&nearest, grid->axis[i].name);
  return dcs_node_fail(place, err, "there is no grid axis '%s'; nearest valid name: '%s'", name, nearest.name);
}

/** from, from*factor, ... or from, from+step, ..., up to `to`, which is included when it is hit to rounding. */
static dcs_status expand_range(dcs_node *range, dcs_error *err)
{
  static const dcs_schema_key keys[] = {{"from", DCS_NODE_SCALAR, true},
                                        {"to", DCS_NODE_SCALAR, true},
                                        {"factor", DCS_NODE_SCALAR, false},
                                        {"step", DCS_NODE_SCALAR, false},
                                        {0}};
  dcs_status st = DCS_OK;
  double from = 0.0, to = 0.0, change = 0.0;
  dcs_node list = dcs_node_empty(DCS_NODE_LIST, range);
  DCS_TRY(dcs_schema_check(range, "a range", keys, err));
  const dcs_node *factor = dcs_node_find(range, "factor"), *step = dcs_node_find(range, "step");
  if ((factor == NULL) == (step == NULL)) DCS_TRY(dcs_node_fail(range, err, "a range has either 'factor' or 'step'"));
  DCS_TRY(dcs_schema_real(dcs_node_find(range, "from"), "from", -INFINITY, INFINITY, &from, err));
  DCS_TRY(dcs_schema_real(dcs_node_find(range, "to"), "to", -INFINITY, INFINITY, &to, err));
  DCS_TRY(dcs_schema_real(factor != NULL ? factor : step, factor != NULL ? "factor" : "step", -INFINITY, INFINITY,
                          &change, err));
  double intervals = factor != NULL ? log(to / from) / log(change) : (to - from) / change;
  /* 1e-9: far above the rounding of the quotient, far below half an interval */
  intervals = floor(intervals + 1e-9);
  if (!(change != 0.0 && intervals >= 0.0 && (factor == NULL || (from > 0.0 && change > 0.0))))
    DCS_TRY(dcs_node_fail(range, err, "this range never gets from %.10g to %.10g", from, to));
  if (intervals >= DCS_AXIS_LENGTH_MAX)
    DCS_TRY(dcs_node_fail(range, err, "this range has more than %d values", DCS_AXIS_LENGTH_MAX));
  for (int k = 0; k <= (int)intervals; k++) {
    char text[32]; /* 15 digits: the value is the one that would be typed, 0.01 and not 0.010000000000000002 */
    snprintf(text, sizeof text, "%.15g", factor != NULL ? from * pow(change, k) : from + k * change);
    dcs_node value;
    DCS_TRY(dcs_node_scalar(text, true, range, &value));
    DCS_TRY(dcs_node_append(&list, &value));
  }
  list.key = range->key;
  range->key = NULL;
  dcs_node_destroy(range);
  *range = list;
  return DCS_OK;
done:
  dcs_node_destroy(&list);
  return st;
}

/** Coordinates and metrics are neighbours in a result file: NAME, NAME_se, ... */
static dcs_status check_axis_name(const dcs_node *node, dcs_error *err)
{
  static const char *const taken[] = {"point",   "point_hash", "status", "reason",     "hash", "wall_s",
                                      "records", "config",     "levels", "provenance", "fits", "claims"};
  const char *name = node->key;
  bool good = isalpha((unsigned char)name[0]) && strlen(name) <= 32;
  for (const char *p = name; *p != '\0'; p++) good = good && (isalnum((unsigned char)*p) || *p == '_');
  if (!good) return dcs_node_fail(node, err, "axis '%s': use a letter, then letters, digits or '_', 32 at most", name);
  for (size_t i = 0; i < sizeof taken / sizeof *taken; i++)
    if (strcmp(name, taken[i]) == 0) return dcs_node_fail(node, err, "axis '%s': this name is taken", name);
  const dcs_metric *metric = NULL;
  for (int i = 0; (metric = dcs_metric_at(i)) != NULL; i++) {
    size_t n = strlen(metric->name);
    if (strncmp(name, metric->name, n) == 0 && (name[n] == '\0' || name[n] == '_'))
      return dcs_node_fail(node, err, "axis '%s': this name belongs to the metric '%s'", name, metric->name);
  }
  return DCS_OK;
}

static dcs_status add_axis(dcs_grid *grid, dcs_node *values, dcs_error *err)
{
  dcs_status st = check_axis_name(values, err);
  if (st != DCS_OK) return st;
  int previous = dcs_grid_find(grid, values->key);
  if (previous >= 0) {
    const dcs_node *first = grid->axis[previous].values;
    return dcs_node_fail(values, err, "axis '%s' is given twice (first on line %d)", values->key, first->line);
  }
  if (grid->n_axes == DCS_AXES_MAX) return dcs_node_fail(values, err, "more than %d axes", DCS_AXES_MAX);
  st = values->kind == DCS_NODE_MAP ? expand_range(values, err)
                                    : dcs_schema_kind(values, values->key, DCS_NODE_LIST, err);
  if (st != DCS_OK) return st;
  if (values->count == 0) return dcs_node_fail(values, err, "axis '%s' has no values", values->key);
  if (values->count > DCS_AXIS_LENGTH_MAX)
    return dcs_node_fail(values, err, "axis '%s' has more than %d values", values->key, DCS_AXIS_LENGTH_MAX);
  for (size_t i = 0; i < values->count; i++) {
    st = dcs_schema_kind(&values->child[i], values->key, DCS_NODE_SCALAR, err);
    if (st != DCS_OK) return st;
    if (values->child[i].text[0] == '$' || values->child[i].text[0] == '\0')
      return dcs_node_fail(&values->child[i], err, "axis '%s': a value must be a number or a word", values->key);
  }
  grid->axis[grid->n_axes++] = (dcs_axis){.name = values->key, .values = values, .dimension = grid->n_dimensions};
  return DCS_OK;
}

/** Close the dimension whose axes are those from `first_axis` on: equal lengths, no value (tuple) twice. */
static dcs_status add_dimension(dcs_grid *grid, int first_axis, const dcs_node *place, dcs_error *err)
{
  const dcs_axis *first = &grid->axis[first_axis];
  size_t n = first->values->count;
  for (int a = first_axis + 1; a < grid->n_axes; a++)
    if (grid->axis[a].values->count != n)
      return dcs_node_fail(grid->axis[a].values, err, "zip: '%s' has %zu values, '%s' has %zu; they advance together",
                           first->name, n, grid->axis[a].name, grid->axis[a].values->count);
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j < i; j++) {
      int a = first_axis;
      while (a < grid->n_axes && dcs_node_same(&grid->axis[a].values->child[i], &grid->axis[a].values->child[j])) a++;
      if (a == grid->n_axes)
        return dcs_node_fail(&first->values->child[i], err, "axis '%s' repeats the value %s", first->name,
                             first->values->child[i].text);
    }
  grid->n_combinations *= (int64_t)n;
  if (grid->n_combinations > DCS_COMBINATIONS_MAX)
    return dcs_node_fail(place, err, "more than %d points; split the study", DCS_COMBINATIONS_MAX);
  grid->length[grid->n_dimensions++] = (int)n;
  return DCS_OK;
}

static dcs_status read_axes(dcs_grid *grid, dcs_node *map, bool together, dcs_error *err)
{
  dcs_status st = dcs_schema_kind(map, "grid or zip", DCS_NODE_MAP, err);
  if (st != DCS_OK) return st;
  if (map->count == 0) return dcs_node_fail(map, err, "no axes here; add one or remove the key");
  int first = grid->n_axes;
  for (size_t i = 0; i < map->count; i++) {
    st = add_axis(grid, &map->child[i], err);
    if (st != DCS_OK) return st;
    if (together && i + 1 < map->count) continue;
    st = add_dimension(grid, together ? first : grid->n_axes - 1, map, err);
    if (st != DCS_OK) return st;
  }
  return DCS_OK;
}

/** Axes exist, words are spelt right. A value that is not on its axis is no error: --set may have shortened the axis.
 */
static dcs_status check_exclude(const dcs_grid *grid, const dcs_node *targets, dcs_error *err)
{
  for (size_t i = 0; grid->exclude != NULL && i < grid->exclude->count; i++) {
    const dcs_node *rule = &grid->exclude->child[i];
    dcs_status st = dcs_schema_kind(rule, "exclude", DCS_NODE_MAP, err);
    if (st != DCS_OK) return st;
    if (rule->count == 0) return dcs_node_fail(rule, err, "exclude: an empty rule would drop every point");
    for (size_t j = 0; j < rule->count; j++) {
      const dcs_node *wanted = &rule->child[j];
      int a = dcs_grid_find(grid, wanted->key);
      if (a < 0) return unknown_axis(grid, wanted, wanted->key, err);
      st = dcs_schema_kind(wanted, wanted->key, DCS_NODE_SCALAR | DCS_NODE_LIST, err);
      if (st != DCS_OK) return st;
      bool is_list = wanted->kind == DCS_NODE_LIST;
      for (size_t k = 0; k < (is_list ? wanted->count : 1); k++) {
        const dcs_node *value = is_list ? &wanted->child[k] : wanted;
        st = dcs_schema_kind(value, wanted->key, DCS_NODE_SCALAR, err);
        if (st != DCS_OK) return st;
        st = dcs_word_check(targets, wanted->key, value, err);
        if (st != DCS_OK) return st;
      }
    }
  }
  return DCS_OK;
}

dcs_status dcs_grid_read(dcs_node *root, dcs_grid *grid, dcs_error *err)
{
  *grid = (dcs_grid){.n_combinations = 1, .exclude = dcs_node_find(root, "exclude")};
  for (size_t i = 0; i < root->count; i++) {
    dcs_node *node = &root->child[i];
    bool is_zip = strcmp(node->key, "zip") == 0;
    if (!is_zip && strcmp(node->key, "grid") != 0) continue;
    dcs_status st = is_zip ? DCS_OK : read_axes(grid, node, false, err);
    for (size_t k = 0; is_zip && st == DCS_OK && k < node->count; k++) st = read_axes(grid, &node->child[k], true, err);
    if (st != DCS_OK) return st;
  }
  return check_exclude(grid, dcs_node_find(root, "targets"), err);
}

dcs_status dcs_grid_refer(dcs_grid *grid, const dcs_node *node, uint32_t *mask, dcs_error *err)
{
  if (node->kind == DCS_NODE_SCALAR) {
    if (node->text[0] != '$') return DCS_OK;
    int a = dcs_grid_find(grid, node->text + 1);
    if (a < 0) return unknown_axis(grid, node, node->text + 1, err);
    grid->axis[a].is_used = true;
    *mask |= 1U << grid->axis[a].dimension;
    return DCS_OK;
  }
  dcs_status st = DCS_OK;
  for (size_t i = 0; st == DCS_OK && i < node->count; i++) st = dcs_grid_refer(grid, &node->child[i], mask, err);
  return st;
}

void dcs_grid_combination(const dcs_grid *grid, int64_t combination, int *index)
{
  for (int k = grid->n_dimensions - 1; k >= 0; k--) {
    index[k] = (int)(combination % grid->length[k]);
    combination /= grid->length[k];
  }
}

const dcs_node *dcs_grid_value(const dcs_grid *grid, int axis, const int *index)
{
  return &grid->axis[axis].values->child[index[grid->axis[axis].dimension]];
}

const dcs_node *dcs_grid_resolve(const dcs_grid *grid, const int *index, const dcs_node *scalar)
{
  if (scalar->kind != DCS_NODE_SCALAR || scalar->text[0] != '$') return scalar;
  return dcs_grid_value(grid, dcs_grid_find(grid, scalar->text + 1), index);
}

static bool rule_matches(const dcs_grid *grid, const dcs_node *rule, const int *index)
{
  for (size_t j = 0; j < rule->count; j++) {
    const dcs_node *wanted = &rule->child[j];
    const dcs_node *value = dcs_grid_value(grid, dcs_grid_find(grid, wanted->key), index);
    bool matches = wanted->kind == DCS_NODE_SCALAR && dcs_node_same(wanted, value);
    for (size_t k = 0; wanted->kind == DCS_NODE_LIST && !matches && k < wanted->count; k++)
      matches = dcs_node_same(&wanted->child[k], value);
    if (!matches) return false;
  }
  return true;
}

bool dcs_grid_is_excluded(const dcs_grid *grid, const int *index)
{
  for (size_t i = 0; grid->exclude != NULL && i < grid->exclude->count; i++)
    if (rule_matches(grid, &grid->exclude->child[i], index)) return true;
  return false;
}

int64_t dcs_grid_size(const dcs_grid *grid, uint32_t mask)
{
  int64_t size = 1;
  for (int k = 0; k < grid->n_dimensions; k++)
    if ((mask >> k & 1U) != 0) size *= grid->length[k];
  return size;
}

int64_t dcs_grid_flat(const dcs_grid *grid, uint32_t mask, const int *index)
{
  int64_t flat = 0;
  for (int k = 0; k < grid->n_dimensions; k++)
    if ((mask >> k & 1U) != 0) flat = flat * grid->length[k] + index[k];
  return flat;
}
