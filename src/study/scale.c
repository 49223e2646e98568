#include "study/scale.h"

#include <string.h>

#include "base/memory.h"
#include "study/nearest.h"
#include "study/schema.h"

/** Take the child out of the map; an empty node when there is none. */
static dcs_node detach(dcs_node *map, const char *key)
{
  dcs_node *child = dcs_node_find(map, key);
  if (child == NULL) return dcs_node_empty(DCS_NODE_MAP, map);
  dcs_node taken = *child;
  size_t after = (size_t)(&map->child[map->count] - (child + 1));
  memmove(child, child + 1, after * sizeof *child);
  map->count--;
  return taken;
}

/** Every scale is a mapping whose keys begin with a key of the study, whether or not it is used. */
static dcs_status check(const dcs_node *scales, const dcs_schema_key *table, dcs_error *err)
{
  for (size_t i = 0; i < scales->count; i++) {
    const dcs_node *scale = &scales->child[i];
    dcs_status st = dcs_schema_kind(scale, scale->key, DCS_NODE_MAP, err);
    if (st != DCS_OK) return st;
    for (size_t j = 0; j < scale->count; j++) {
      const dcs_node *entry = &scale->child[j];
      size_t n = strcspn(entry->key, ".");
      const dcs_schema_key *row = table;
      while (row->key != NULL && (strlen(row->key) != n || strncmp(row->key, entry->key, n) != 0)) row++;
      if (row->key != NULL && strncmp(row->key, "scale", 5) != 0) continue;
      dcs_nearest nearest = {.word = entry->key};
      for (row = table; row->key != NULL; row++)
        if (strncmp(row->key, "scale", 5) != 0) dcs_nearest_offer(&nearest, row->key);
      return dcs_node_fail(entry, err,
                           "scale %s: '%s' does not begin with a key of the study; nearest valid name: '%s'",
                           scale->key, entry->key, nearest.name);
    }
  }
  return DCS_OK;
}

static dcs_status choose(dcs_node *scales, const dcs_node *name, dcs_node **out, dcs_error *err)
{
  dcs_status st = dcs_schema_kind(name, "scale", DCS_NODE_SCALAR, err);
  *out = st == DCS_OK ? dcs_node_find(scales, name->text) : NULL;
  if (st != DCS_OK || *out != NULL || strcmp(name->text, DCS_SCALE_AS_WRITTEN) == 0) return st;
  dcs_nearest nearest = {.word = name->text};
  dcs_nearest_offer(&nearest, DCS_SCALE_AS_WRITTEN);
  for (size_t i = 0; i < scales->count; i++) dcs_nearest_offer(&nearest, scales->child[i].key);
  return dcs_node_fail(name, err, "scale: there is no '%s' in 'scales'; nearest valid name: '%s'", name->text,
                       nearest.name);
}

dcs_status dcs_scale_apply(dcs_node *root, const dcs_schema_key *table, dcs_error *err)
{
  if (root->kind != DCS_NODE_MAP) return DCS_OK; /* the schema will say so */
  dcs_status st = DCS_OK;
  dcs_node *scale = NULL;
  bool is_named = dcs_node_find(root, "scale") != NULL;
  dcs_node scales = detach(root, "scales"), name = detach(root, "scale");
  DCS_TRY(dcs_schema_kind(&scales, "scales", DCS_NODE_MAP, err));
  DCS_TRY(check(&scales, table, err));
  if (is_named) DCS_TRY(choose(&scales, &name, &scale, err));
  for (size_t i = 0; scale != NULL && i < scale->count; i++) {
    dcs_node *entry = &scale->child[i], value = *entry;
    char *path = entry->key;
    value.key = NULL;
    *entry = dcs_node_empty(DCS_NODE_SCALAR, entry); /* put owns what it held */
    entry->key = path;
    DCS_TRY(dcs_node_put(root, path, strlen(path), &value, err));
  }
done:
  dcs_node_destroy(&scales);
  dcs_node_destroy(&name);
  return st;
}
