#include <limits.h>
#include <string.h>
#include <yaml.h>

#include "base/memory.h"
#include "study/node.h"

typedef struct {
  yaml_parser_t yaml;
  dcs_node place; /**< file and line of the event at hand */
  bool is_file;
  int nodes;
  dcs_error *err;
} reader;

static int mark_line(const reader *r, const yaml_mark_t *mark)
{
  return !r->is_file ? 0 : mark->line < INT_MAX - 1 ? (int)mark->line + 1 : INT_MAX;
}

/** Next event. On success the caller deletes it. */
static dcs_status next_event(reader *r, yaml_event_t *event)
{
  if (yaml_parser_parse(&r->yaml, event)) {
    r->place.line = mark_line(r, &event->start_mark);
    return DCS_OK;
  }
  memset(event, 0, sizeof *event);
  if (r->yaml.error == YAML_MEMORY_ERROR) return DCS_ENOMEM;
  r->place.line = mark_line(r, &r->yaml.problem_mark);
  return dcs_node_fail(&r->place, r->err, "not valid YAML: %s",
                       r->yaml.problem != NULL ? r->yaml.problem : "unreadable");
}

static dcs_status refuse_marks(reader *r, const yaml_char_t *anchor, const yaml_char_t *tag)
{
  if (anchor != NULL)
    return dcs_node_fail(&r->place, r->err, "anchor '&%s' is not supported; write the value out", anchor);
  if (tag != NULL) return dcs_node_fail(&r->place, r->err, "tag '%s' is not supported; remove it", tag);
  return DCS_OK;
}

/** Text of a scalar event, which must hold no NUL and no control characters: it ends up in one-line messages. */
static dcs_status check_text(reader *r, const yaml_event_t *event)
{
  for (size_t i = 0; i < event->data.scalar.length; i++)
    if (event->data.scalar.value[i] < 0x20)
      return dcs_node_fail(&r->place, r->err, "control character or line break in a value; write it on one line");
  return DCS_OK;
}

static dcs_status read_node(reader *r, yaml_event_t *event, int depth, dcs_node *out);

static dcs_status read_list(reader *r, int depth, dcs_node *list)
{
  for (;;) {
    yaml_event_t event;
    dcs_status st = next_event(r, &event);
    if (st != DCS_OK) return st;
    if (event.type == YAML_SEQUENCE_END_EVENT) {
      yaml_event_delete(&event);
      return DCS_OK;
    }
    dcs_node child;
    st = read_node(r, &event, depth, &child);
    if (st == DCS_OK) st = dcs_node_append(list, &child);
    if (st != DCS_OK) return st;
  }
}

/** The key in the event, checked to be new; a copy in *key. */
static dcs_status read_key(reader *r, const dcs_node *map, const yaml_event_t *event, char **key)
{
  dcs_status st = DCS_OK;
  if (event->type != YAML_SCALAR_EVENT) return dcs_node_fail(&r->place, r->err, "a key must be a word");
  DCS_TRY(refuse_marks(r, event->data.scalar.anchor, event->data.scalar.tag));
  DCS_TRY(check_text(r, event));
  const char *text = (const char *)event->data.scalar.value;
  const dcs_node *first = dcs_node_find(map, text);
  if (first != NULL)
    return dcs_node_fail(&r->place, r->err, "key '%s' is repeated (first on line %d)", text, first->line);
  if (map->count == DCS_MAP_MAX)
    return dcs_node_fail(&r->place, r->err, "more than %d keys in one mapping", DCS_MAP_MAX);
  st = dcs_strdup(text, key);
done:
  return st;
}

static dcs_status read_map(reader *r, int depth, dcs_node *map)
{
  for (;;) {
    yaml_event_t event;
    char *key = NULL;
    dcs_status st = next_event(r, &event);
    if (st != DCS_OK) return st;
    bool is_end = event.type == YAML_MAPPING_END_EVENT;
    int line = r->place.line;
    if (!is_end) st = read_key(r, map, &event, &key);
    yaml_event_delete(&event);
    if (is_end || st != DCS_OK) return st;
    dcs_node child;
    st = next_event(r, &event);
    if (st == DCS_OK) st = read_node(r, &event, depth, &child);
    if (st != DCS_OK) {
      dcs_free(&key);
      return st;
    }
    child.key = key;
    child.line = line;
    st = dcs_node_append(map, &child);
    if (st != DCS_OK) return st;
  }
}

/** Node that starts with *event, which is deleted. On failure *out is empty. */
static dcs_status read_node(reader *r, yaml_event_t *event, int depth, dcs_node *out)
{
  dcs_status st = DCS_OK;
  *out = dcs_node_empty(DCS_NODE_SCALAR, &r->place);
  if (++r->nodes > DCS_NODES_MAX) DCS_TRY(dcs_node_fail(&r->place, r->err, "more than %d values", DCS_NODES_MAX));
  if (depth > DCS_DEPTH_MAX) DCS_TRY(dcs_node_fail(&r->place, r->err, "nested deeper than %d levels", DCS_DEPTH_MAX));
  switch (event->type) {
  case YAML_SCALAR_EVENT:
    DCS_TRY(refuse_marks(r, event->data.scalar.anchor, event->data.scalar.tag));
    DCS_TRY(check_text(r, event));
    DCS_TRY(dcs_node_scalar((const char *)event->data.scalar.value, event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE,
                            &r->place, out));
    break;
  case YAML_SEQUENCE_START_EVENT:
    DCS_TRY(refuse_marks(r, event->data.sequence_start.anchor, event->data.sequence_start.tag));
    out->kind = DCS_NODE_LIST;
    DCS_TRY(read_list(r, depth + 1, out));
    break;
  case YAML_MAPPING_START_EVENT:
    DCS_TRY(refuse_marks(r, event->data.mapping_start.anchor, event->data.mapping_start.tag));
    out->kind = DCS_NODE_MAP;
    DCS_TRY(read_map(r, depth + 1, out));
    break;
  case YAML_ALIAS_EVENT:
    st =
        dcs_node_fail(&r->place, r->err, "alias '*%s' is not supported; write the value out", event->data.alias.anchor);
    break;
  default:
    st = dcs_node_fail(&r->place, r->err, "nothing here; a value is expected");
  }
done:
  yaml_event_delete(event);
  if (st != DCS_OK) dcs_node_destroy(out);
  return st;
}

/** Read and drop an event that must be of that type. */
static dcs_status expect(reader *r, yaml_event_type_t type, const char *otherwise)
{
  yaml_event_t event;
  dcs_status st = next_event(r, &event);
  if (st != DCS_OK) return st;
  if (event.type != type) st = dcs_node_fail(&r->place, r->err, "%s", otherwise);
  yaml_event_delete(&event);
  return st;
}

dcs_status dcs_node_parse(const char *origin, bool is_file, const char *text, size_t n_text, dcs_node *out,
                          dcs_error *err)
{
  dcs_status st = DCS_OK;
  reader r = {.place = {.origin = origin}, .is_file = is_file, .err = err};
  yaml_event_t event;
  *out = (dcs_node){0};
  if (!yaml_parser_initialize(&r.yaml)) return DCS_ENOMEM;
  yaml_parser_set_input_string(&r.yaml, (const unsigned char *)text, n_text);
  DCS_TRY(expect(&r, YAML_STREAM_START_EVENT, "not YAML"));
  DCS_TRY(expect(&r, YAML_DOCUMENT_START_EVENT, "empty; nothing to read"));
  DCS_TRY(next_event(&r, &event));
  DCS_TRY(read_node(&r, &event, 1, out));
  DCS_TRY(expect(&r, YAML_DOCUMENT_END_EVENT, "text after the end of the document"));
  DCS_TRY(expect(&r, YAML_STREAM_END_EVENT, "a second document; a study is one document"));
done:
  yaml_parser_delete(&r.yaml);
  if (st != DCS_OK) dcs_node_destroy(out);
  return st;
}
