#ifndef DCS_STUDY_NODE_H
#define DCS_STUDY_NODE_H
/** A study file as a tree. Private to src/study. Nodes are stored by value in their parent's `child`. */
#include <stddef.h>

#include "base/status.h"

typedef enum { DCS_NODE_SCALAR = 1, DCS_NODE_LIST = 2, DCS_NODE_MAP = 4 } dcs_node_kind;

typedef struct dcs_node dcs_node;
struct dcs_node {
  dcs_node_kind kind;
  bool is_number;     /**< an unquoted finite decimal number */
  int line;           /**< 0: not from the file but from `origin` */
  const char *origin; /**< path of the file, or the override "key=value"; borrowed */
  char *key;          /**< inside a map, else NULL; owned */
  char *text;         /**< of a scalar; owned */
  double number;      /**< when is_number */
  dcs_node *child;    /**< [count]; owned */
  size_t count, capacity;
};

enum { DCS_DEPTH_MAX = 16, DCS_NODES_MAX = 1000000, DCS_MAP_MAX = 256 /**< keys: bounds the search for repeats */ };

/** Parse one YAML document. Rejects anchors, aliases, tags, repeated keys, further documents, depth > DCS_DEPTH_MAX,
 *  more than DCS_NODES_MAX nodes. `is_file`: line numbers count; otherwise `origin` is an override. DCS_EUSAGE with the
 *  place. */
DCS_NODISCARD dcs_status dcs_node_parse(const char *origin, bool is_file, const char *text, size_t n_text,
                                        dcs_node *out, dcs_error *err);
void dcs_node_destroy(dcs_node *node);

/** An empty node of that kind from that place, and a scalar with its number recognised. */
dcs_node dcs_node_empty(dcs_node_kind kind, const dcs_node *place);
DCS_NODISCARD dcs_status dcs_node_scalar(const char *text, bool is_plain, const dcs_node *place, dcs_node *out);
/** Append; on success the parent owns what *child owned, on failure *child is destroyed. */
DCS_NODISCARD dcs_status dcs_node_append(dcs_node *parent, dcs_node *child);

/** Value of a key, NULL when the map has none or `map` is NULL. */
dcs_node *dcs_node_find(const dcs_node *map, const char *key);

/** Same scalar: equal numbers, or equal texts. */
bool dcs_node_same(const dcs_node *a, const dcs_node *b);

/** Fail with "FILE:LINE: " or "--set KEY: " in front of the message; DCS_EUSAGE. */
dcs_status dcs_node_fail(const dcs_node *place, dcs_error *err, const char *format, ...) DCS_PRINTF(3, 4);
/** The same prefix in front of the message already in *err; returns `status` unchanged. */
dcs_status dcs_node_locate(const dcs_node *place, dcs_status status, dcs_error *err);

/** Put *value (consumed) at the dotted path `path` of length n under `node`; maps on the way are made. */
DCS_NODISCARD dcs_status dcs_node_put(dcs_node *node, const char *path, size_t n, dcs_node *value, dcs_error *err);
/** Override: "a.b=VALUE", VALUE in YAML, replaces or adds the node at that path. */
DCS_NODISCARD dcs_status dcs_node_override(dcs_node *root, const char *assignment, dcs_error *err);
/** Default: add `key` with the value `text` (YAML, borrowed) unless the map has that key. */
DCS_NODISCARD dcs_status dcs_node_fill(dcs_node *map, const char *key, const char *text, dcs_error *err);

#endif
