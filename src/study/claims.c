#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "study/filter.h"
#include "study/nearest.h"
#include "study/points.h"
#include "study/schema.h"

static const dcs_schema_key claim_keys[] = {{"name", DCS_NODE_SCALAR, true},
                                            {"source", DCS_NODE_SCALAR, false},
                                            {"metric", DCS_NODE_SCALAR, true},
                                            {"versus", DCS_NODE_SCALAR, false},
                                            {"exponent", DCS_NODE_LIST, false},
                                            {"bounded", DCS_NODE_MAP, false},
                                            {"below", DCS_NODE_SCALAR, false},
                                            {"log_exponent", DCS_NODE_LIST, false},
                                            {"steps_to", DCS_NODE_MAP, false},
                                            {"per", DCS_NODE_LIST, false},
                                            {"where", DCS_NODE_MAP, false},
                                            {"between", DCS_NODE_LIST, false},
                                            {"scaled", DCS_NODE_LIST | DCS_NODE_MAP, false},
                                            {0}};

enum { EXPONENT_MAX = 100 };

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

/** [lo, hi] under the key that names the kind of claim, no end beyond -most, most. */
static dcs_status read_band(const dcs_node *band, double most, dcs_claim *claim, dcs_error *err)
{
  const char *key = band->key;
  if (band->count != 2) return dcs_node_fail(band, err, "%s: write the band as [lo, hi]", key);
  dcs_status st = dcs_schema_real(&band->child[0], key, -most, most, &claim->lo, err);
  if (st == DCS_OK) st = dcs_schema_real(&band->child[1], key, claim->lo, most, &claim->hi, err);
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

static dcs_status product_create(const dcs_node *map, dcs_product *product)
{
  dcs_status st = dcs_alloc(map->count, sizeof *product->name, &product->name);
  return st == DCS_OK ? dcs_alloc(map->count, sizeof *product->power, &product->power) : st;
}

static dcs_status product_add(const dcs_node *power, dcs_product *product, dcs_error *err)
{
  int k = product->count;
  dcs_status st = dcs_schema_real(power, power->key, -100.0, 100.0, &product->power[k], err);
  if (st == DCS_OK) st = dcs_strdup(power->key, &product->name[k]);
  if (st == DCS_OK) product->count++;
  return st;
}

/** {column: power, ..., slack: growth}: metric * prod column^power grows at most like versus^slack. */
static dcs_status read_bounded(const dcs_study *study, const dcs_node *map, dcs_claim *claim, dcs_error *err)
{
  dcs_status st = DCS_OK;
  const dcs_column *column = NULL;
  claim->hi = 0.05;
  claim->lo = -INFINITY;
  DCS_TRY(dcs_alloc(1, sizeof *claim->product, &claim->product));
  claim->n_products = 1;
  DCS_TRY(product_create(map, claim->product));
  for (size_t i = 0; i < map->count; i++) {
    const dcs_node *node = &map->child[i];
    if (strcmp(node->key, "slack") == 0) {
      DCS_TRY(dcs_schema_real(node, "slack", 0.0, 10.0, &claim->hi, err));
      continue;
    }
    DCS_TRY(dcs_study_find_column(study, node, "bounded", node->key, true, &column, err));
    DCS_TRY(product_add(node, claim->product, err));
  }
done:
  return st;
}

static bool has_metric(const dcs_study *study, const char *name)
{
  for (int i = 0; i < study->n_metrics; i++)
    if (strcmp(study->metric[i]->name, name) == 0) return true;
  return false;
}

/** {factor: power, ...}, a factor being a coordinate or a metric, or a list of such mappings. */
static dcs_status read_scaled(const dcs_study *study, const dcs_node *scaled, dcs_claim *claim, dcs_error *err)
{
  dcs_status st = DCS_OK;
  const dcs_column *column = NULL;
  bool is_list = scaled->kind == DCS_NODE_LIST;
  size_t count = is_list ? scaled->count : 1;
  if (count == 0) DCS_TRY(dcs_node_fail(scaled, err, "scaled: an empty list"));
  DCS_TRY(dcs_alloc(count, sizeof *claim->product, &claim->product));
  for (size_t i = 0; i < count; i++) {
    const dcs_node *map = is_list ? &scaled->child[i] : scaled;
    DCS_TRY(dcs_schema_kind(map, "scaled", DCS_NODE_MAP, err));
    dcs_product *product = &claim->product[claim->n_products++];
    DCS_TRY(product_create(map, product));
    for (size_t j = 0; j < map->count; j++) {
      const dcs_node *power = &map->child[j];
      if (!has_metric(study, power->key))
        DCS_TRY(dcs_study_find_column(study, power, "scaled", power->key, true, &column, err));
      DCS_TRY(product_add(power, product, err));
    }
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
    DCS_TRY(dcs_study_find_column(study, node, "per", node->text, false, &column, err));
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
  const dcs_node *between = dcs_node_find(node, "between"), *scaled = dcs_node_find(node, "scaled");
  bool by_point = below != NULL || between != NULL;
  if ((exponent != NULL) + (bounded != NULL) + (log_exponent != NULL) + (below != NULL) + (between != NULL) != 1)
    DCS_TRY(dcs_node_fail(node, err,
                          "a claim has exactly one of 'exponent', 'log_exponent', 'bounded', 'below' and 'between'"));
  if (steps_to != NULL && exponent == NULL)
    DCS_TRY(dcs_node_fail(steps_to, err, "steps_to: goes with 'exponent', the band of a in N(eps) ~ eps^-a"));
  if (scaled != NULL && between == NULL)
    DCS_TRY(dcs_node_fail(scaled, err, "scaled: goes with 'between', the band of the scaled values"));
  if (!by_point && versus == NULL) DCS_TRY(dcs_node_fail(node, err, "missing key 'versus' in a claim on growth"));
  if (by_point && versus != NULL)
    DCS_TRY(dcs_node_fail(versus, err, "versus: a claim with '%s' compares point by point and takes none",
                          below != NULL ? "below" : "between"));
  claim->line = node->line;
  claim->n_per = -1;
  DCS_TRY(dcs_strdup(dcs_node_find(node, "name")->text, &claim->name));
  DCS_TRY(dcs_strdup(source != NULL ? source->text : "", &claim->source));
  DCS_TRY(find_metric(study, metric, "metric", &claim->metric, err));
  if (versus != NULL) {
    DCS_TRY(dcs_study_find_column(study, versus, "versus", versus->text, true, &column, err));
    DCS_TRY(dcs_strdup(versus->text, &claim->versus));
  }
  if (steps_to != NULL && strcmp(versus->text, "steps") != 0)
    DCS_TRY(dcs_node_fail(versus, err, "versus: a claim with 'steps_to' counts steps; write 'versus: steps'"));
  if (exponent != NULL) {
    claim->kind = steps_to == NULL ? DCS_CLAIM_EXPONENT : DCS_CLAIM_STEPS_TO;
    DCS_TRY(read_band(exponent, EXPONENT_MAX, claim, err));
    if (steps_to != NULL) DCS_TRY(read_steps_to(steps_to, claim, err));
  } else if (log_exponent != NULL) {
    claim->kind = DCS_CLAIM_LOG_EXPONENT;
    DCS_TRY(read_band(log_exponent, EXPONENT_MAX, claim, err));
  } else if (bounded != NULL) {
    claim->kind = DCS_CLAIM_BOUNDED;
    DCS_TRY(read_bounded(study, bounded, claim, err));
  } else if (between != NULL) {
    claim->kind = DCS_CLAIM_BETWEEN;
    DCS_TRY(read_band(between, 1e100, claim, err));
    if (scaled != NULL) DCS_TRY(read_scaled(study, scaled, claim, err));
  } else {
    claim->kind = DCS_CLAIM_BELOW;
    DCS_TRY(find_metric(study, below, "below", &claim->other, err));
    if (claim->other == claim->metric) DCS_TRY(dcs_node_fail(below, err, "below: the metric itself"));
  }
  if (per != NULL) DCS_TRY(read_per(study, per, claim, err));
  if (where != NULL) DCS_TRY(dcs_filters_read(study, where, "where", targets, &claim->n_where, &claim->where, err));
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
