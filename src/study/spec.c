#include "study/spec.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "study/nearest.h"
#include "study/schema.h"
#include "study/word.h"

/** What a mapping is about: the law of a target under key `law`, the rule of a schedule under key `levels`. */
typedef struct {
  const dcs_law *law;
  const dcs_schedule_rule *rule;
  const char *name;
  const dcs_param_def *params;
} subject;

static const char *subject_key(const dcs_spec *spec) { return spec->is_target ? "law" : "levels"; }

static dcs_status find_subject(const dcs_spec *spec, const dcs_node *word, subject *out, dcs_error *err)
{
  dcs_status st = dcs_schema_kind(word, subject_key(spec), DCS_NODE_SCALAR, err);
  if (st == DCS_OK) st = dcs_word_check(NULL, subject_key(spec), word, err);
  if (st != DCS_OK) return st;
  *out = (subject){.name = word->text};
  if (spec->is_target) {
    out->law = dcs_law_find(word->text);
    out->params = dcs_law_params(out->law);
  } else {
    out->rule = dcs_schedule_find(word->text);
    out->params = out->rule->params;
  }
  return DCS_OK;
}

dcs_status dcs_spec_open(dcs_grid *grid, dcs_node *node, bool is_target, dcs_spec *spec, dcs_error *err)
{
  *spec = (dcs_spec){.node = node, .is_target = is_target};
  const char *what = is_target ? "a target" : "the schedule";
  dcs_status st = dcs_schema_kind(node, what, DCS_NODE_MAP, err);
  if (st != DCS_OK) return st;
  const dcs_node *word = dcs_node_find(node, subject_key(spec));
  if (word == NULL) return dcs_node_fail(node, err, "missing key '%s' in %s", subject_key(spec), what);
  st = dcs_grid_refer(grid, node, &spec->mask, err);
  if (st != DCS_OK || word->kind != DCS_NODE_SCALAR || word->text[0] == '$') return st;
  subject about;
  st = find_subject(spec, word, &about, err);
  for (const dcs_param_def *def = about.params; st == DCS_OK && def->key != NULL; def++)
    if (def->fallback != NULL && *def->fallback != '\0') st = dcs_node_fill(node, def->key, def->fallback, err);
  return st;
}

void dcs_spec_close(dcs_spec *spec) { dcs_free(&spec->slot); }

void dcs_variants_destroy(dcs_variants *variants)
{
  for (size_t i = 0; i < variants->count; i++) dcs_free(&variants->item[i].canonical);
  dcs_free(&variants->item);
  variants->count = variants->capacity = 0;
}

typedef struct {
  dcs_grid *grid;
  const int *index;
} place;

static dcs_status read_number(const place *at, const dcs_param_def *def, const dcs_node *node, double *out,
                              dcs_error *err)
{
  node = dcs_grid_resolve(at->grid, at->index, node);
  bool bounded = def->lo != 0.0 || def->hi != 0.0;
  double lo = bounded ? def->lo : -INFINITY, hi = bounded ? def->hi : INFINITY;
  if (def->type == DCS_PARAM_INT)
    return dcs_schema_integer(node, def->key, fmax(lo, -INT_MAX), fmin(hi, INT_MAX), out, err);
  return dcs_schema_real(node, def->key, lo, hi, out, err);
}

/** A scalar, a list of scalars, or (table) a list of equally long lists. */
static dcs_status read_list(const place *at, const dcs_node *node, dcs_param *param, dcs_error *err)
{
  dcs_status st = DCS_OK;
  const dcs_param_def *def = param->def;
  bool is_list = node->kind == DCS_NODE_LIST;
  size_t rows = is_list ? node->count : 1, cols = 1;
  if (rows == 0) return dcs_node_fail(node, err, "%s: an empty list", def->key);
  bool is_table = is_list && def->type == DCS_PARAM_TABLE && node->child[0].kind == DCS_NODE_LIST;
  if (is_table) cols = node->child[0].count;
  if (cols == 0) return dcs_node_fail(node, err, "%s: an empty row", def->key);
  double *values = NULL;
  DCS_TRY(dcs_alloc(rows * cols, sizeof *values, &values)); /* each is a node: at most DCS_NODES_MAX */
  for (size_t i = 0; i < rows; i++) {
    const dcs_node *row = is_list ? &node->child[i] : node;
    if (is_table) {
      DCS_TRY(dcs_schema_kind(row, def->key, DCS_NODE_LIST, err));
      if (row->count != cols)
        DCS_TRY(dcs_node_fail(row, err, "%s: a row of %zu numbers after rows of %zu", def->key, row->count, cols));
    }
    for (size_t j = 0; j < cols; j++)
      DCS_TRY(read_number(at, def, is_table ? &row->child[j] : row, &values[i * cols + j], err));
  }
  param->values = values;
  param->rows = (int)rows;
  param->cols = (int)cols;
  return DCS_OK;
done:
  dcs_free(&values);
  return st;
}

static dcs_status read_param(const place *at, const dcs_node *node, dcs_param *param, dcs_error *err)
{
  const dcs_param_def *def = param->def;
  if (node->kind == DCS_NODE_SCALAR && node->text[0] == '$') {
    dcs_axis *axis = &at->grid->axis[dcs_grid_find(at->grid, node->text + 1)];
    if (axis->help == NULL) {
      axis->unit = def->unit;
      axis->help = def->help;
    }
  }
  const dcs_node *scalar = dcs_grid_resolve(at->grid, at->index, node);
  dcs_status st = DCS_OK;
  int word = 0;
  param->line = node->line;
  param->rows = param->cols = 1;
  switch (def->type) {
  case DCS_PARAM_LIST:
  case DCS_PARAM_TABLE:
    st = read_list(at, node, param, err);
    break;
  case DCS_PARAM_WORD:
    st = dcs_schema_word(scalar, def->key, def->choices, &word, err);
    if (st == DCS_OK) st = dcs_strdup(scalar->text, &param->word);
    break;
  default:
    st = dcs_alloc(1, sizeof *param->values, &param->values);
    if (st != DCS_OK) return st;
    if (def->type == DCS_PARAM_BOOL) {
      st = dcs_schema_word(scalar, def->key, "false|true", &word, err);
      param->values[0] = word;
    } else {
      st = read_number(at, def, node, param->values, err);
    }
  }
  param->is_set = st == DCS_OK;
  return st;
}

static dcs_status read_params(const dcs_spec *spec, const place *at, const subject *about, dcs_params *params,
                              dcs_error *err)
{
  for (size_t i = 0; i < spec->node->count; i++) {
    const dcs_node *node = &spec->node->child[i];
    if (strcmp(node->key, subject_key(spec)) == 0) continue;
    int k = 0;
    while (k < params->count && strcmp(params->param[k].def->key, node->key) != 0) k++;
    if (k == params->count) {
      dcs_nearest nearest = {.word = node->key};
      dcs_nearest_offer(&nearest, subject_key(spec));
      for (k = 0; k < params->count; k++) dcs_nearest_offer(&nearest, params->param[k].def->key);
      return dcs_node_fail(node, err, "unknown key '%s' in %s %s; nearest valid name: '%s'", node->key,
                           spec->is_target ? "law" : "schedule", about->name, nearest.name);
    }
    dcs_status st = read_param(at, node, &params->param[k], err);
    if (st != DCS_OK) return st;
  }
  dcs_status st = dcs_params_default(params, err);
  return st == DCS_EUSAGE ? dcs_node_locate(spec->node, st, err) : st;
}

/** Dimension and factors; creating the target also tells whether its parameters fit together. */
static dcs_status measure_target(const dcs_spec *spec, dcs_variant *variant, dcs_error *err)
{
  dcs_target *target = NULL;
  dcs_status st = dcs_target_create(variant->law, &variant->params, &target, err);
  if (st == DCS_EUSAGE) return dcs_node_locate(spec->node, st, err);
  if (st != DCS_OK) return st;
  variant->d = dcs_target_dimension(target);
  (void)dcs_target_factor(target, &variant->copies);
  dcs_target_destroy(&target);
  return DCS_OK;
}

static dcs_status build(dcs_spec *spec, const place *at, dcs_study *study, dcs_variants *variants, dcs_error *err)
{
  dcs_status st = DCS_OK;
  subject about;
  dcs_variant fresh = {.sigma_max = NAN};
  size_t n = (size_t)study->n_shared + 1;
  const dcs_node *word = dcs_grid_resolve(at->grid, at->index, dcs_node_find(spec->node, subject_key(spec)));
  DCS_TRY(find_subject(spec, word, &about, err));
  DCS_TRY(dcs_reserve(&variants->item, &variants->capacity, variants->count + 1, sizeof *variants->item));
  DCS_TRY(dcs_reserve(&study->shared, &variants->shared_capacity, n, sizeof *study->shared));
  dcs_params *params = &study->shared[n - 1];
  DCS_TRY(dcs_params_create(about.params, params));
  study->n_shared++;
  DCS_TRY(read_params(spec, at, &about, params, err));
  fresh.law = about.law;
  fresh.rule = about.rule;
  fresh.params = *params;
  if (spec->is_target) DCS_TRY(measure_target(spec, &fresh, err));
  const dcs_param *sigma_max = dcs_params_find(params, "sigma_max");
  if (!spec->is_target && sigma_max != NULL && sigma_max->is_set) fresh.sigma_max = sigma_max->values[0];
  DCS_TRY(dcs_canonical_params(subject_key(spec), about.name, params, &fresh.canonical));
  variants->item[variants->count++] = fresh;
done:
  return st;
}

dcs_status dcs_spec_variant(dcs_spec *spec, dcs_grid *grid, const int *index, dcs_study *study, dcs_variants *variants,
                            const dcs_variant **out, dcs_error *err)
{
  dcs_status st = DCS_OK;
  const place at = {grid, index};
  if (spec->slot == NULL) DCS_TRY(dcs_alloc((size_t)dcs_grid_size(grid, spec->mask), sizeof *spec->slot, &spec->slot));
  int32_t *slot = &spec->slot[dcs_grid_flat(grid, spec->mask, index)];
  if (*slot == 0) {
    DCS_TRY(build(spec, &at, study, variants, err));
    *slot = (int32_t)variants->count;
  }
  *out = &variants->item[*slot - 1];
done:
  return st;
}
