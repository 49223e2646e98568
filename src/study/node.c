#include "study/node.h"

#include <ctype.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

void dcs_node_destroy(dcs_node *node)
{
  for (size_t i = 0; i < node->count; i++) dcs_node_destroy(&node->child[i]);
  dcs_free(&node->child);
  dcs_free(&node->key);
  dcs_free(&node->text);
  node->count = node->capacity = 0;
}

/** Decimal numbers only: strtod alone would also take hexadecimal, "nan", "infinity" and leading blanks. */
static bool read_number(const char *text, double *number)
{
  const char *p = text + (*text == '-' || *text == '+');
  size_t whole = strspn(p, "0123456789");
  p += whole;
  size_t fraction = *p == '.' ? strspn(p + 1, "0123456789") : 0;
  p += *p == '.' ? fraction + 1 : 0;
  if (whole + fraction == 0) return false;
  if (*p == 'e' || *p == 'E') {
    p += 1 + (p[1] == '-' || p[1] == '+');
    if (!isdigit((unsigned char)*p)) return false;
    p += strspn(p, "0123456789");
  }
  *number = strtod(text, NULL) + 0.0; /* + 0.0: no negative zero, which would be a second name of the same value */
  return *p == '\0' && isfinite(*number);
}

dcs_node dcs_node_empty(dcs_node_kind kind, const dcs_node *place)
{
  return (dcs_node){.kind = kind, .line = place->line, .origin = place->origin};
}

dcs_status dcs_node_scalar(const char *text, bool is_plain, const dcs_node *place, dcs_node *out)
{
  *out = dcs_node_empty(DCS_NODE_SCALAR, place);
  out->is_number = is_plain && read_number(text, &out->number);
  return dcs_strdup(text, &out->text);
}

dcs_status dcs_node_append(dcs_node *parent, dcs_node *child)
{
  dcs_status st = dcs_reserve(&parent->child, &parent->capacity, parent->count + 1, sizeof *child);
  if (st == DCS_OK)
    parent->child[parent->count++] = *child;
  else
    dcs_node_destroy(child);
  return st;
}

dcs_node *dcs_node_find(const dcs_node *map, const char *key)
{
  if (map == NULL || map->kind != DCS_NODE_MAP) return NULL;
  for (size_t i = 0; i < map->count; i++)
    if (strcmp(map->child[i].key, key) == 0) return &map->child[i];
  return NULL;
}

bool dcs_node_same(const dcs_node *a, const dcs_node *b)
{
  if (a->is_number && b->is_number) return a->number == b->number;
  return strcmp(a->text, b->text) == 0;
}

dcs_status dcs_node_fail(const dcs_node *place, dcs_error *err, const char *format, ...)
{
  if (err == NULL) return DCS_EUSAGE;
  va_list args;
  va_start(args, format);
  vsnprintf(err->text, sizeof err->text, format, args);
  va_end(args);
  return dcs_node_locate(place, DCS_EUSAGE, err);
}

dcs_status dcs_node_locate(const dcs_node *place, dcs_status status, dcs_error *err)
{
  if (err == NULL) return status;
  dcs_error message = *err;
  if (place->line > 0) return dcs_fail(err, status, "%s:%d: %s", place->origin, place->line, message.text);
  return dcs_fail(err, status, "--set %.*s: %s", (int)strcspn(place->origin, "="), place->origin, message.text);
}
