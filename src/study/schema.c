#include "study/schema.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "study/nearest.h"

static const char *kind_text(unsigned kinds)
{
  static const char *const text[8] = {"nothing",
                                      [DCS_NODE_SCALAR] = "a single value",
                                      [DCS_NODE_LIST] = "a list [a, b, ...]",
                                      [DCS_NODE_SCALAR | DCS_NODE_LIST] = "a value or a list [a, b, ...]",
                                      [DCS_NODE_MAP] = "a mapping {key: value, ...}",
                                      [DCS_NODE_SCALAR | DCS_NODE_MAP] = "a value or a mapping",
                                      [DCS_NODE_LIST | DCS_NODE_MAP] = "a list or a mapping",
                                      [DCS_NODE_SCALAR | DCS_NODE_LIST | DCS_NODE_MAP] = "a value"};
  return text[kinds & 7U];
}

dcs_status dcs_schema_kind(const dcs_node *node, const char *key, unsigned kinds, dcs_error *err)
{
  if ((node->kind & kinds) != 0) return DCS_OK;
  return dcs_node_fail(node, err, "%s: found %s where %s is expected", key, kind_text(node->kind), kind_text(kinds));
}

dcs_status dcs_schema_check(const dcs_node *node, const char *what, const dcs_schema_key *table, dcs_error *err)
{
  dcs_status st = dcs_schema_kind(node, what, DCS_NODE_MAP, err);
  if (st != DCS_OK) return st;
  for (size_t i = 0; i < node->count; i++) {
    const dcs_node *child = &node->child[i];
    const dcs_schema_key *row = table;
    while (row->key != NULL && strcmp(row->key, child->key) != 0) row++;
    if (row->key == NULL) {
      dcs_nearest nearest = {.word = child->key};
      for (row = table; row->key != NULL; row++) dcs_nearest_offer(&nearest, row->key);
      return dcs_node_fail(child, err, "unknown key '%s' in %s; nearest valid name: '%s'", child->key, what,
                           nearest.name);
    }
    st = dcs_schema_kind(child, child->key, row->kinds, err);
    if (st != DCS_OK) return st;
  }
  for (const dcs_schema_key *row = table; row->key != NULL; row++)
    if (row->required && dcs_node_find(node, row->key) == NULL)
      return dcs_node_fail(node, err, "missing key '%s' in %s", row->key, what);
  return DCS_OK;
}

dcs_status dcs_schema_real(const dcs_node *node, const char *key, double lo, double hi, double *out, dcs_error *err)
{
  dcs_status st = dcs_schema_kind(node, key, DCS_NODE_SCALAR, err);
  if (st != DCS_OK) return st;
  if (!node->is_number) return dcs_node_fail(node, err, "%s: '%s' is not a finite decimal number", key, node->text);
  if (!(node->number >= lo && node->number <= hi))
    return dcs_node_fail(node, err, "%s: %s is outside [%.10g, %.10g]", key, node->text, lo, hi);
  *out = node->number;
  return DCS_OK;
}

dcs_status dcs_schema_integer(const dcs_node *node, const char *key, double lo, double hi, double *out, dcs_error *err)
{
  dcs_status st = dcs_schema_real(node, key, lo, hi, out, err);
  if (st == DCS_OK && *out != floor(*out)) st = dcs_node_fail(node, err, "%s: %s is not an integer", key, node->text);
  return st;
}

dcs_status dcs_schema_word(const dcs_node *node, const char *key, const char *choices, int *index, dcs_error *err)
{
  dcs_status st = dcs_schema_kind(node, key, DCS_NODE_SCALAR, err);
  if (st != DCS_OK) return st;
  dcs_nearest nearest = {.word = node->text};
  char best[64] = "";
  *index = 0;
  for (const char *word = choices;; (*index)++) {
    size_t n = strcspn(word, "|");
    char name[64] = "";
    memcpy(name, word, n < sizeof name ? n : sizeof name - 1);
    if (strcmp(name, node->text) == 0) return DCS_OK;
    dcs_nearest_offer(&nearest, name);
    if (nearest.name == name) memcpy(best, name, sizeof best);
    nearest.name = best;
    if (word[n] == '\0') break;
    word += n + 1;
  }
  return dcs_node_fail(node, err, "%s: unknown word '%s' (choices: %s); nearest valid name: '%s'", key, node->text,
                       choices, best);
}

dcs_status dcs_schema_name(const dcs_node *place, const char *what, const char *name, dcs_error *err)
{
  size_t n = strlen(name);
  bool good = n >= 1 && n <= 64;
  for (size_t i = 0; good && i < n; i++) good = isalnum((unsigned char)name[i]) || strchr("_-.", name[i]) != NULL;
  if (good) return DCS_OK;
  return dcs_node_fail(place, err, "%s '%s': use 1 to 64 letters, digits, '_', '-' or '.'", what, name);
}

dcs_status dcs_schema_seed(const dcs_node *node, uint64_t *out, dcs_error *err)
{
  if (node->is_number && node->text[strspn(node->text, "0123456789")] == '\0') {
    errno = 0;
    unsigned long long value = strtoull(node->text, NULL, 10);
    if (errno != 0 || value > INT64_MAX) return dcs_node_fail(node, err, "seed: %s is outside [0, 2^63)", node->text);
    *out = value;
    return DCS_OK;
  }
  double value = 0.0;
  dcs_status st = dcs_schema_integer(node, "seed", 0.0, 0x1p53, &value, err);
  if (st == DCS_OK) *out = (uint64_t)value;
  return st;
}
