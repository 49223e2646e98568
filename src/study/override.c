#include <string.h>

#include "base/memory.h"
#include "study/node.h"

dcs_status dcs_node_put(dcs_node *node, const char *path, size_t n, dcs_node *value, dcs_error *err)
{
  dcs_status st = DCS_OK;
  char *key = NULL;
  size_t n_key = 0;
  while (n_key < n && path[n_key] != '.') n_key++;
  bool is_last = n_key == n;
  if (n_key == 0 || n_key + 1 == n) DCS_TRY(dcs_node_fail(value, err, "empty name in the key"));
  if (node->kind != DCS_NODE_MAP)
    DCS_TRY(dcs_node_fail(value, err, "'%.*s' has nothing to set it in: only mappings have keys", (int)n, path));
  DCS_TRY(dcs_alloc(n_key + 1, 1, &key));
  memcpy(key, path, n_key);
  dcs_node *child = dcs_node_find(node, key);
  if (child == NULL) {
    dcs_node fresh = dcs_node_empty(DCS_NODE_MAP, value);
    if (is_last) {
      fresh = *value;
      *value = dcs_node_empty(DCS_NODE_SCALAR, value);
    }
    fresh.key = key;
    key = NULL;
    DCS_TRY(dcs_node_append(node, &fresh));
    child = &node->child[node->count - 1];
  } else if (is_last) {
    dcs_node old = *child;
    *child = *value;
    child->key = old.key;
    old.key = NULL;
    *value = dcs_node_empty(DCS_NODE_SCALAR, child);
    dcs_node_destroy(&old);
  }
  if (!is_last) DCS_TRY(dcs_node_put(child, path + n_key + 1, n - n_key - 1, value, err));
done:
  dcs_free(&key);
  dcs_node_destroy(value);
  return st;
}

dcs_status dcs_node_override(dcs_node *root, const char *assignment, dcs_error *err)
{
  const char *equals = strchr(assignment, '=');
  if (equals == NULL || equals == assignment)
    return dcs_fail(err, DCS_EUSAGE, "--set %s: write it as KEY=VALUE, for example --set stop.rel_error=0.01",
                    assignment);
  dcs_node value;
  dcs_status st = dcs_node_parse(assignment, false, equals + 1, strlen(equals + 1), &value, err);
  if (st != DCS_OK) return st;
  return dcs_node_put(root, assignment, (size_t)(equals - assignment), &value, err);
}

dcs_status dcs_node_fill(dcs_node *map, const char *key, const char *text, dcs_error *err)
{
  if (dcs_node_find(map, key) != NULL) return DCS_OK;
  dcs_node value;
  dcs_status st = dcs_node_parse(text, false, text, strlen(text), &value, err);
  if (st != DCS_OK) return st;
  return dcs_node_put(map, key, strlen(key), &value, err);
}
