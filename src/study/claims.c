#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "study/nearest.h"
#include "study/points.h"
#include "study/schema.h"
#include "study/word.h"

static const dcs_schema_key claim_keys[] = {
    {"name", DCS_NODE_SCALAR, true},    {"source", DCS_NODE_SCALAR, false},     {"metric", DCS_NODE_SCALAR, true},
    {"versus", DCS_NODE_SCALAR, false}, {"exponent", DCS_NODE_LIST, false},     {"bounded", DCS_NODE_MAP, false},
    {"below", DCS_NODE_SCALAR, false},  {"log_exponent", DCS_NODE_LIST, false}, {"steps_to", DCS_NODE_MAP, false},
    {"per", DCS_NODE_LIST, false},      {"where", DCS_NODE_MAP, false},         {0}};

static const dcs_schema_key steps_to_keys[] = {{"eps", DCS_NODE_LIST, true}, {0}};

static dcs_status find_metric(const dcs_study *study, const dcs_node *node, const char *key, const dcs_metric **out,
                              dcs_error *err)
{
  dcs_nearest nearest = {.word = node->text};
  for (int i = 0; i < study->n_metrics; i++) {
    *out = study->metric[i];
    if (strcmp((*out)->name, node->text) == 0) return DCS_OK;
    dcs_nearest_offer(&nearest, (*out)->name);
  }
  return dcs_node_fail(node, err, "%s: '%s' is not in the metrics of this study; nearest valid name: '%s'", key,
                       node->text, nearest.name);
}

static dcs_status find_column(const dcs_study *study, const dcs_node *place, const char *key, const char *name,
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

/** [lo, hi] under the key that names the kind of exponent. */
static dcs_status read_band(const dcs_node *band, dcs_claim *claim, dcs_error *err)
{
  const char *key = band->key;
  if (band->count != 2) return dcs_node_fail(band, err, "%s: write the band as [lo, hi]", key);
  dcs_status st = dcs_schema_real(&band->child[0], key, -100.0, 100.0, &claim->lo, err);
  if (st == DCS_OK) st = dcs_schema_real(&band->child[1], key, claim->lo, 100.0, &claim->hi, err);
  return st;
}

/** {eps: [...]}: metric <= eps^2 is to be reached. */
static dcs_status read_steps_to(const dcs_node *map, dcs_claim *claim, dcs_error *err)
{
  enum { EPS_MIN = 3, EPS_MAX = 100 };
  dcs_status st = DCS_OK;
  DCS_TRY(dcs_schema_check(map, "steps_to", steps_to_keys, err));
  const dcs_node *list = dcs_node_find(map, "eps");
  if (list->count < EPS_MIN || list->count > EPS_MAX)
    DCS_TRY(dcs_node_fail(list, err, "eps: a rate needs %d to %d values", EPS_MIN, EPS_MAX));
  DCS_TRY(dcs_alloc(list->count, sizeof *claim->eps, &claim->eps));
  for (size_t i = 0; i < list->count; i++) {
    const dcs_node *node = &list->child[i];
    DCS_TRY(dcs_schema_real(node, "eps", 1e-100, 1e100, &claim->eps[i], err));
    for (size_t j = 0; j < i; j++)
      if (fabs(log(claim->eps[j] / claim->eps[i])) < 1e-9)
        DCS_TRY(dcs_node_fail(node, err, "eps: %s is repeated", node->text));
    claim->n_eps++;
  }
done:
  return st;
}

/** {column: power, ..., slack: growth}: metric * prod column^power grows at most like versus^slack. */
static dcs_status read_bounded(const dcs_study *study, const dcs_node *map, dcs_claim *claim, dcs_error *err)
{
  dcs_status st = DCS_OK;
  const dcs_column *column = NULL;
  claim->hi = 0.05;
  claim->lo = -INFINITY;
  DCS_TRY(dcs_alloc(map->count, sizeof *claim->factor, &claim->factor));
  DCS_TRY(dcs_alloc(map->count, sizeof *claim->power, &claim->power));
  for (size_t i = 0; i < map->count; i++) {
    const dcs_node *node = &map->child[i];
    if (strcmp(node->key, "slack") == 0) {
      DCS_TRY(dcs_schema_real(node, "slack", 0.0, 10.0, &claim->hi, err));
      continue;
    }
    DCS_TRY(find_column(study, node, "bounded", node->key, true, &column, err));
    DCS_TRY(dcs_schema_real(node, node->key, -100.0, 100.0, &claim->power[claim->n_factors], err));
    DCS_TRY(dcs_strdup(node->key, &claim->factor[claim->n_factors]));
    claim->n_factors++;
  }
done:
  return st;
}

static dcs_status read_per(const dcs_study *study, const dcs_node *list, dcs_claim *claim, dcs_error *err)
{
  dcs_status st = DCS_OK;
  const dcs_column *column = NULL;
  claim->n_per = 0;
  DCS_TRY(dcs_alloc(list->count, sizeof *claim->per, &claim->per));
  for (size_t i = 0; i < list->count; i++) {
    const dcs_node *node = &list->child[i];
    DCS_TRY(dcs_schema_kind(node, "per", DCS_NODE_SCALAR, err));
    DCS_TRY(find_column(study, node, "per", node->text, false, &column, err));
    if (claim->versus != NULL && strcmp(node->text, claim->versus) == 0)
      DCS_TRY(dcs_node_fail(node, err, "per: '%s' is the abscissa (versus)", node->text));
    for (int j = 0; j < claim->n_per; j++)
      if (strcmp(claim->per[j], node->text) == 0)
        DCS_TRY(dcs_node_fail(node, err, "per: '%s' is repeated", node->text));
    DCS_TRY(dcs_strdup(node->text, &claim->per[claim->n_per]));
    claim->n_per++;
  }
done:
  return st;
}

/** A value that no point has is no error: --set may have left it out, and then the verdict is "missing". */
static dcs_status read_filter(const dcs_study *study, const dcs_node *node, const dcs_node *targets, dcs_filter *filter,
                              dcs_error *err)
{
  dcs_status st = DCS_OK;
  const dcs_column *column = NULL;
  bool is_list = node->kind == DCS_NODE_LIST;
  size_t count = is_list ? node->count : 1;
  DCS_TRY(find_column(study, node, "where", node->key, false, &column, err));
  DCS_TRY(dcs_schema_kind(node, node->key, DCS_NODE_SCALAR | DCS_NODE_LIST, err));
  if (count == 0) DCS_TRY(dcs_node_fail(node, err, "where: an empty list"));
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

static dcs_status read_where(const dcs_study *study, const dcs_node *map, const dcs_node *targets, dcs_claim *claim,
                             dcs_error *err)
{
  dcs_status st = dcs_alloc(map->count, sizeof *claim->where, &claim->where);
  for (size_t i = 0; st == DCS_OK && i < map->count; i++) {
    claim->n_where++;
    st = read_filter(study, &map->child[i], targets, &claim->where[i], err);
  }
  return st;
}

static dcs_status read_claim(const dcs_study *study, const dcs_node *node, const dcs_node *targets, dcs_claim *claim,
                             dcs_error *err)
{
  dcs_status st = DCS_OK;
  const dcs_column *column = NULL;
  DCS_TRY(dcs_schema_check(node, "a claim", claim_keys, err));
  const dcs_node *exponent = dcs_node_find(node, "exponent"), *bounded = dcs_node_find(node, "bounded");
  const dcs_node *below = dcs_node_find(node, "below"), *versus = dcs_node_find(node, "versus");
  const dcs_node *source = dcs_node_find(node, "source"), *per = dcs_node_find(node, "per");
  const dcs_node *where = dcs_node_find(node, "where"), *metric = dcs_node_find(node, "metric");
  const dcs_node *log_exponent = dcs_node_find(node, "log_exponent"), *steps_to = dcs_node_find(node, "steps_to");
  if ((exponent != NULL) + (bounded != NULL) + (below != NULL) + (log_exponent != NULL) != 1)
    DCS_TRY(dcs_node_fail(node, err, "a claim has exactly one of 'exponent', 'log_exponent', 'bounded' and 'below'"));
  if (steps_to != NULL && exponent == NULL)
    DCS_TRY(dcs_node_fail(steps_to, err, "steps_to: goes with 'exponent', the band of a in N(eps) ~ eps^-a"));
  if (below == NULL && versus == NULL) DCS_TRY(dcs_node_fail(node, err, "missing key 'versus' in a claim on growth"));
  if (below != NULL && versus != NULL)
    DCS_TRY(dcs_node_fail(versus, err, "versus: a claim with 'below' compares point by point and takes none"));
  claim->line = node->line;
  claim->n_per = -1;
  DCS_TRY(dcs_strdup(dcs_node_find(node, "name")->text, &claim->name));
  DCS_TRY(dcs_strdup(source != NULL ? source->text : "", &claim->source));
  DCS_TRY(find_metric(study, metric, "metric", &claim->metric, err));
  if (versus != NULL) {
    DCS_TRY(find_column(study, versus, "versus", versus->text, true, &column, err));
    DCS_TRY(dcs_strdup(versus->text, &claim->versus));
  }
  if (steps_to != NULL && strcmp(versus->text, "steps") != 0)
    DCS_TRY(dcs_node_fail(versus, err, "versus: a claim with 'steps_to' counts steps; write 'versus: steps'"));
  if (exponent != NULL) {
    claim->kind = steps_to == NULL ? DCS_CLAIM_EXPONENT : DCS_CLAIM_STEPS_TO;
    DCS_TRY(read_band(exponent, claim, err));
    if (steps_to != NULL) DCS_TRY(read_steps_to(steps_to, claim, err));
  } else if (log_exponent != NULL) {
    claim->kind = DCS_CLAIM_LOG_EXPONENT;
    DCS_TRY(read_band(log_exponent, claim, err));
  } else if (bounded != NULL) {
    claim->kind = DCS_CLAIM_BOUNDED;
    DCS_TRY(read_bounded(study, bounded, claim, err));
  } else {
    claim->kind = DCS_CLAIM_BELOW;
    DCS_TRY(find_metric(study, below, "below", &claim->other, err));
    if (claim->other == claim->metric) DCS_TRY(dcs_node_fail(below, err, "below: the metric itself"));
  }
  if (per != NULL) DCS_TRY(read_per(study, per, claim, err));
  if (where != NULL) DCS_TRY(read_where(study, where, targets, claim, err));
done:
  return st;
}

dcs_status dcs_claims_create(const dcs_node *root, dcs_study *study, dcs_error *err)
{
  enum { CLAIMS_MAX = 1000 };
  const dcs_node *list = dcs_node_find(root, "claims"), *targets = dcs_node_find(root, "targets");
  if (list == NULL) return DCS_OK;
  if (list->count > CLAIMS_MAX) return dcs_node_fail(list, err, "more than %d claims", CLAIMS_MAX);
  dcs_status st = dcs_alloc(list->count, sizeof *study->claim, &study->claim);
  for (size_t i = 0; st == DCS_OK && i < list->count; i++) {
    study->n_claims++;
    st = read_claim(study, &list->child[i], targets, &study->claim[i], err);
  }
  return st;
}
