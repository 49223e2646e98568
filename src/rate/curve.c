#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "rate/rate.h"

enum { VALUE_MAX = 128 /**< bytes of a coordinate in a label; longer words are cut */ };

/** A point on its way into a curve. */
typedef struct {
  uint64_t key;  /**< hash of the coordinates that curves are separated by */
  int64_t first; /**< first point with that key: the order of curves */
  double x;      /**< abscissa */
  int64_t point;
} item;

/** Points under study, with work space as large as the list. */
typedef struct {
  const dcs_result *result;
  int versus; /**< column, -1: none */
  int64_t n;
  int64_t *point;
  item *item;
  bool *chosen; /**< [n_columns]: separates curves */
} grouping;

static uint64_t value_hash(const dcs_column *column, int64_t point)
{
  if (column->is_text) return dcs_hash_bytes(column->text[point], strlen(column->text[point]));
  double x = isnan(column->number[point]) ? NAN : column->number[point] + 0.0; /* one NAN, one zero */
  return dcs_hash_bytes(&x, sizeof x);
}

static int compare_key(const void *a, const void *b)
{
  const item *p = a, *q = b;
  if (p->key != q->key) return p->key < q->key ? -1 : 1;
  return (p->point > q->point) - (p->point < q->point);
}

static int compare_place(const void *a, const void *b)
{
  const item *p = a, *q = b;
  if (p->first != q->first) return p->first < q->first ? -1 : 1;
  if (p->x != q->x) return p->x < q->x ? -1 : 1;
  return (p->point > q->point) - (p->point < q->point);
}

/** Sort the points into runs of equal `first`, one for each combination of the chosen columns, ordered by abscissa. */
static void group(grouping *g)
{
  for (int64_t i = 0; i < g->n; i++) {
    item *it = &g->item[i];
    it->point = g->point[i];
    it->x = g->versus < 0 ? 0 : g->result->column[g->versus].number[it->point];
    it->key = 0;
    for (int c = 0; c < g->result->n_columns; c++) {
      uint64_t pair[2] = {it->key, g->chosen[c] ? value_hash(&g->result->column[c], it->point) : 0};
      if (g->chosen[c]) it->key = dcs_hash_bytes(pair, sizeof pair);
    }
  }
  qsort(g->item, (size_t)g->n, sizeof *g->item, compare_key);
  for (int64_t i = 0; i < g->n; i++)
    g->item[i].first = i > 0 && g->item[i].key == g->item[i - 1].key ? g->item[i - 1].first : g->item[i].point;
  qsort(g->item, (size_t)g->n, sizeof *g->item, compare_place);
}

/** Is column c constant within every group? */
static bool is_constant(const grouping *g, int c)
{
  const dcs_column *column = &g->result->column[c];
  for (int64_t i = 1; i < g->n; i++)
    if (g->item[i].first == g->item[i - 1].first &&
        value_hash(column, g->item[i].point) != value_hash(column, g->item[i - 1].point))
      return false;
  return true;
}

/** Does column c, within every group, rise (or fall) exactly when the abscissa rises, and in some group at all? */
static bool moves_with_abscissa(const grouping *g, int c)
{
  const dcs_column *column = &g->result->column[c];
  if (column->is_text || g->versus < 0) return false;
  int direction = 0;
  for (int64_t i = 1; i < g->n; i++) {
    const item *a = &g->item[i - 1], *b = &g->item[i];
    if (a->first != b->first) continue;
    double from = column->number[a->point], to = column->number[b->point];
    int move = (to > from) - (to < from);
    if (a->x == b->x ? move != 0 || isnan(from) != isnan(to) : move == 0 || move == -direction) return false;
    if (move != 0) direction = move;
  }
  return direction != 0;
}

/** The default of `per`: what varies, without columns that another one determines (copies beside d, an axis beside the
 *  coordinate it sets) and without those that move with the abscissa. Later columns go first: axes come last. */
static dcs_status choose_columns(grouping *g)
{
  dcs_status st = DCS_OK;
  int n_columns = g->result->n_columns;
  bool *keep = NULL;
  DCS_TRY(dcs_alloc((size_t)n_columns, sizeof *keep, &keep));
  group(g); /* nothing is chosen: one group */
  for (int c = 0; c < n_columns; c++) keep[c] = c != g->versus && !is_constant(g, c);
  for (int k = 0; k < n_columns; k++) {
    if (!keep[k]) continue;
    memset(g->chosen, 0, (size_t)n_columns * sizeof *g->chosen);
    g->chosen[k] = true;
    group(g);
    for (int c = n_columns - 1; c > k; c--) keep[c] = keep[c] && !is_constant(g, c);
  }
  for (int c = n_columns - 1; c >= 0; c--) {
    if (!keep[c]) continue;
    memcpy(g->chosen, keep, (size_t)n_columns * sizeof *g->chosen);
    g->chosen[c] = false;
    group(g);
    keep[c] = !moves_with_abscissa(g, c);
  }
  memcpy(g->chosen, keep, (size_t)n_columns * sizeof *g->chosen);
done:
  dcs_free(&keep);
  return st;
}

/** "sampler=ddim d=8": the chosen columns, without those that do not apply to the point; "all" when none is left. */
static dcs_status label_create(const grouping *g, int64_t point, char **out)
{
  char value[VALUE_MAX];
  size_t room = sizeof "all", used = 0;
  for (int c = 0; c < g->result->n_columns; c++)
    if (g->chosen[c]) room += strlen(g->result->column[c].name) + VALUE_MAX + 2;
  dcs_status st = dcs_alloc(room, 1, out);
  if (st != DCS_OK) return st;
  for (int c = 0; c < g->result->n_columns; c++) {
    const dcs_column *column = &g->result->column[c];
    if (!g->chosen[c] || (!column->is_text && isnan(column->number[point]))) continue;
    if (column->is_text)
      snprintf(value, sizeof value, "%s", column->text[point]);
    else
      snprintf(value, sizeof value, "%.10g", column->number[point]);
    used += (size_t)snprintf(*out + used, room - used, "%s%s=%s", used > 0 ? " " : "", column->name, value);
  }
  if (used == 0) memcpy(*out, "all", sizeof "all");
  return DCS_OK;
}

/** One curve for each run of items. */
static dcs_status cut(const grouping *g, int *n_curves, dcs_curve **out)
{
  dcs_status st = DCS_OK;
  int64_t n = 0;
  for (int64_t i = 0; i < g->n; i++) n += i == 0 || g->item[i].first != g->item[i - 1].first;
  if (n > INT32_MAX) return DCS_ENOMEM;
  DCS_TRY(dcs_alloc((size_t)n, sizeof **out, out));
  *n_curves = (int)n;
  dcs_curve *curve = *out;
  for (int64_t i = 0; i < g->n; i += curve++->n) {
    while (i + curve->n < g->n && g->item[i + curve->n].first == g->item[i].first) curve->n++;
    DCS_TRY(dcs_alloc((size_t)curve->n, sizeof *curve->point, &curve->point));
    for (int64_t j = 0; j < curve->n; j++) curve->point[j] = g->item[i + j].point;
    DCS_TRY(label_create(g, g->item[i].first, &curve->label));
  }
done:
  return st;
}

dcs_status dcs_curves_create(const dcs_result *result, const char *versus, int n_per, char *const *per, int n_where,
                             const dcs_filter *where, int *n_curves, dcs_curve **out, dcs_error *err)
{
  dcs_status st = DCS_OK;
  grouping g = {.result = result, .versus = -1};
  *n_curves = 0;
  *out = NULL;
  if (versus != NULL) {
    g.versus = dcs_result_column_find(result, versus);
    if (g.versus < 0 || result->column[g.versus].is_text)
      return dcs_fail(err, DCS_EARG, "'%s' is not a numeric coordinate of this result", versus);
  }
  DCS_TRY(dcs_alloc((size_t)result->n_points, sizeof *g.point, &g.point));
  DCS_TRY(dcs_alloc((size_t)result->n_points, sizeof *g.item, &g.item));
  DCS_TRY(dcs_alloc((size_t)result->n_columns, sizeof *g.chosen, &g.chosen));
  for (int f = 0; f < n_where; f++)
    if (dcs_result_column_find(result, where[f].column) < 0) {
      st = dcs_fail(err, DCS_EARG, "the result has no coordinate '%s'", where[f].column);
      goto done;
    }
  for (int64_t i = 0; i < result->n_points; i++) { /* a point without abscissa lies on no curve */
    if (g.versus >= 0 && isnan(result->column[g.versus].number[i])) continue;
    if (dcs_filters_pass(result->n_columns, result->column, n_where, where, i)) g.point[g.n++] = i;
  }
  if (n_per < 0) DCS_TRY(choose_columns(&g));
  for (int p = 0; p < n_per; p++) {
    int c = dcs_result_column_find(result, per[p]);
    if (c < 0 || c == g.versus) {
      st = dcs_fail(err, DCS_EARG,
                    c < 0 ? "the result has no coordinate '%s'"
                          : "'%s' is the abscissa: it cannot also "
                            "tell curves apart",
                    per[p]);
      goto done;
    }
    g.chosen[c] = true;
  }
  group(&g);
  DCS_TRY(cut(&g, n_curves, out));
done:
  dcs_free(&g.point);
  dcs_free(&g.item);
  dcs_free(&g.chosen);
  if (st != DCS_OK) dcs_curves_destroy(*n_curves, out);
  return st;
}

void dcs_curves_destroy(int n_curves, dcs_curve **curves)
{
  if (*curves == NULL) return;
  for (int c = 0; c < n_curves; c++) {
    dcs_free(&(*curves)[c].point);
    dcs_free(&(*curves)[c].label);
  }
  dcs_free(curves);
}
