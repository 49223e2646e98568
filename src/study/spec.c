#include "study/spec.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "study/nearest.h"
#include "study/points_file.h"
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

/** The table's row of that key, NULL when it has none. */
static const dcs_param_def *find_row(const dcs_param_def *table, const char *key)
{
  while (table->key != NULL && strcmp(table->key, key) != 0) table++;
  return table->key != NULL ? table : NULL;
}

/** KEY_seed for a key KEY, in a buffer that has room for the keys of every table. */
enum { KEY_ROOM = 64 };
static const char *seed_key(const char *key, char *out)
{
  snprintf(out, KEY_ROOM, "%.50s_seed", key);
  return out;
}

bool dcs_spec_is_seeded(const dcs_param_def *table, const char *key)
{
  char seed[KEY_ROOM];
  const dcs_param_def *def = find_row(table, key);
  return def != NULL && def->type == DCS_PARAM_INT && def->fallback != NULL && *def->fallback == '\0' &&
         find_row(table, seed_key(key, seed)) != NULL;
}

const char *dcs_spec_seed_of(const dcs_param_def *table, const char *key)
{
  char seed[KEY_ROOM];
  for (const dcs_param_def *def = table; def->key != NULL; def++)
    if (dcs_spec_is_seeded(table, def->key) && strcmp(seed_key(def->key, seed), key) == 0) return def->key;
  return NULL;
}

static bool is_seeded_anywhere(const char *key)
{
  for (int i = 0; dcs_law_at(i) != NULL; i++)
    if (dcs_spec_is_seeded(dcs_law_params(dcs_law_at(i)), key)) return true;
  return false;
}

/** Write K: {d: D, seed: S} as K: D, K_seed: S, so that from here on both are parameters like any other. */
static dcs_status expand_seeded(dcs_node *target, size_t i, dcs_error *err)
{
  static const dcs_schema_key keys[] = {{"d", DCS_NODE_SCALAR, true}, {"seed", DCS_NODE_SCALAR, false}, {0}};
  dcs_status st = DCS_OK;
  char name[KEY_ROOM];
  dcs_node map = target->child[i];
  DCS_TRY(dcs_schema_check(&map, map.key, keys, err));
  dcs_node *d = dcs_node_find(&map, "d"), *seed = dcs_node_find(&map, "seed");
  if (seed != NULL) {
    const dcs_node *other = dcs_node_find(target, seed_key(map.key, name));
    if (other != NULL) DCS_TRY(dcs_node_fail(seed, err, "seed: there is '%s' on line %d too", name, other->line));
    dcs_free(&seed->key);
    DCS_TRY(dcs_strdup(name, &seed->key));
    dcs_node moved = *seed;
    *seed = dcs_node_empty(DCS_NODE_SCALAR, &map);
    DCS_TRY(dcs_node_append(target, &moved));
  }
  dcs_free(&d->key);
  target->child[i] = *d;
  target->child[i].key = map.key;
  map.key = NULL;
  *d = dcs_node_empty(DCS_NODE_SCALAR, &map);
  dcs_node_destroy(&map);
done:
  return st;
}

/** Defaults of a law or rule that is fixed go into the tree; the seed of what is not there would say nothing. */
static dcs_status fill_defaults(dcs_node *node, const subject *about, dcs_error *err)
{
  dcs_status st = DCS_OK;
  for (const dcs_param_def *def = about->params; st == DCS_OK && def->key != NULL; def++) {
    const char *seeded = dcs_spec_seed_of(about->params, def->key);
    if (def->fallback == NULL || *def->fallback == '\0') continue;
    if (seeded == NULL || dcs_node_find(node, seeded) != NULL) st = dcs_node_fill(node, def->key, def->fallback, err);
  }
  return st;
}

dcs_status dcs_spec_open(dcs_grid *grid, dcs_node *node, bool is_target, dcs_spec *spec, dcs_error *err)
{
  *spec = (dcs_spec){.node = node, .is_target = is_target};
  const char *what = is_target ? "a target" : "the schedule";
  dcs_status st = dcs_schema_kind(node, what, DCS_NODE_MAP, err);
  if (st != DCS_OK) return st;
  if (dcs_node_find(node, subject_key(spec)) == NULL)
    return dcs_node_fail(node, err, "missing key '%s' in %s", subject_key(spec), what);
  for (size_t i = 0; is_target && st == DCS_OK && i < node->count; i++)
    if (node->child[i].kind == DCS_NODE_MAP && is_seeded_anywhere(node->child[i].key)) st = expand_seeded(node, i, err);
  if (st == DCS_OK) st = dcs_grid_refer(grid, node, &spec->mask, err);
  const dcs_node *word = dcs_node_find(node, subject_key(spec));
  if (st != DCS_OK || word->kind != DCS_NODE_SCALAR || word->text[0] == '$') return st;
  subject about;
  st = find_subject(spec, word, &about, err);
  return st != DCS_OK ? st : fill_defaults(node, &about, err);
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
  case DCS_PARAM_TEXT:
    st = dcs_schema_kind(scalar, def->key, DCS_NODE_SCALAR, err);
    if (st == DCS_OK && scalar->text[0] == '\0') st = dcs_node_fail(node, err, "%s: an empty text", def->key);
    if (st == DCS_OK) st = dcs_strdup(scalar->text, &param->word);
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
  for (int k = 0; k < params->count; k++) {
    const char *key = params->param[k].def->key, *seeded = dcs_spec_seed_of(about->params, key);
    if (seeded != NULL && params->param[k].is_set && !dcs_params_is_set(params, seeded))
      return dcs_node_fail(dcs_node_find(spec->node, key), err, "%s: there is no '%s' that it is the seed of", key,
                           seeded);
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
  if (spec->is_target) DCS_TRY(dcs_points_file_fill(spec->node, study, params, err));
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
