#include "numerics/assignment.h"

#include <math.h>

#include "base/memory.h"
#include "numerics/heap.h"
#include "numerics/lanes.h"
#include "numerics/smallest.h"

enum {
  SHORT = 32, /**< columns on a row's short list */
  GROUP = 8,  /**< vectors of columns whose costs are computed together: enough independent sums to hide latency */
  WIDTH = GROUP * DCS_VEC,
  BIDS = 16 /**< reductions per row at most: where prices fall slowly, searching for a path is the faster way */
};

/** Row i, column j, cost c_ij = |x_i - y_j|^2, reduced cost c_ij - v_j. */
struct dcs_assignment {
  int n, d, groups;
  const double *x; /**< [n][d], borrowed during a solution */
  dcs_vec *y;      /**< [groups][d][GROUP] */
  dcs_vec *v;      /**< [groups][GROUP] column prices; -INFINITY beyond column n, which then nobody wants */
  double *u;       /**< [n] row prices, known at the end */
  dcs_vec *cost;   /**< [groups][GROUP] of the row looked at last */
  int *listed;     /**< [n][SHORT] columns of the least reduced costs when the list was made; -1: there are no more */
  double *listed_cost; /**< [n][SHORT] */
  double *rest;        /**< [n] no column off the list has a reduced cost below; -INFINITY: there is no list yet */
  int *match, *owner;  /**< [n] column of a row, row of a column; -1: free */
  double *match_cost;  /**< [n] c of a row and its column */
  int *queue;          /**< [n] free rows */
  /* The search: columns are the nodes 0 ... n-1, and n + i stands for all that is off the list of row i. */
  dcs_heap open;
  dcs_vec *reach;    /**< [groups][GROUP] distance of a column; INFINITY before it is seen, -INFINITY once settled */
  int *from;         /**< [n] row before a column on the shortest path */
  double *from_cost; /**< [n] c of the two */
  double *shift;     /**< [n] what turns a reduced cost in a row into a distance */
  int *settled;      /**< [n] columns nearer than the end of the path, in this order */
  double *distance;  /**< [n] theirs */
  double best;       /**< distance of the nearest free column seen */
  int end;           /**< that column */
};

/* Vectors may be read as their elements: numerics/lanes.h. */
static double *elements(const dcs_vec *v) { return (double *)v; }

/** cost <- c_i. */
static void row_costs(dcs_assignment *a, int i)
{
  const double *x = a->x + (size_t)i * (size_t)a->d;
  for (int g = 0; g < a->groups; g++) {
    const dcs_vec *y = a->y + (size_t)g * (size_t)a->d * GROUP;
    dcs_vec sum[GROUP] = {{0}};
    for (int k = 0; k < a->d; k++)
      for (int p = 0; p < GROUP; p++) {
        dcs_vec difference = y[k * GROUP + p] - x[k];
        sum[p] += difference * difference;
      }
    for (int p = 0; p < GROUP; p++) a->cost[g * GROUP + p] = sum[p];
  }
}

/** The columns on an old list are SHORT columns, so the largest of their reduced costs is enough for a new list. */
static double list_limit(const dcs_assignment *a, int i)
{
  const int *listed = a->listed + (size_t)i * SHORT;
  const double *cost = a->listed_cost + (size_t)i * SHORT, *v = elements(a->v);
  double limit = -INFINITY;
  if (a->rest[i] == -INFINITY || listed[SHORT - 1] < 0) return INFINITY;
  for (int k = 0; k < SHORT; k++) limit = fmax(limit, cost[k] - v[listed[k]]);
  return nextafter(limit, INFINITY);
}

/** A new list for row i at the present prices; leaves all costs of the row in `cost`. */
static void make_list(dcs_assignment *a, int i)
{
  int *listed = a->listed + (size_t)i * SHORT;
  double *listed_cost = a->listed_cost + (size_t)i * SHORT, reduced[SHORT];
  dcs_smallest_begin(SHORT, list_limit(a, i), reduced, listed);
  row_costs(a, i);
  for (int g = 0; g < a->groups * GROUP; g += GROUP) {
    dcs_vec r[GROUP], least = dcs_vec_set(INFINITY);
    for (int p = 0; p < GROUP; p++) {
      r[p] = a->cost[g + p] - a->v[g + p];
      least = dcs_vec_select(r[p] < least, r[p], least);
    }
    if (!dcs_mask_any(least < reduced[SHORT - 1])) continue;
    for (int p = 0; p < GROUP; p++)
      for (int l = 0; l < DCS_VEC; l++)
        if (r[p][l] < reduced[SHORT - 1]) dcs_smallest_insert(SHORT, reduced, listed, r[p][l], (g + p) * DCS_VEC + l);
  }
  for (int k = 0; k < SHORT && listed[k] >= 0; k++) listed_cost[k] = elements(a->cost)[listed[k]];
  a->rest[i] = listed[SHORT - 1] < 0 ? INFINITY : reduced[SHORT - 1];
}

/** Mean of coordinate k of a cloud, and its root mean square deviation. */
static double mean_of(const dcs_assignment *a, const double *x, size_t k, double *deviation)
{
  double mean = 0, square = 0;
  size_t n = (size_t)a->n, d = (size_t)a->d;
  for (size_t i = 0; i < n; i++) mean += x[i * d + k] / (double)n;
  for (size_t i = 0; i < n; i++) square += (x[i * d + k] - mean) * (x[i * d + k] - mean) / (double)n;
  *deviation = sqrt(square);
  return mean;
}

/** Row prices to begin with: those of the optimal map b + s (x - a) between normal laws with the clouds' means a and b
 *  and ratio s of deviations, coordinate by coordinate: u = sum (1 - s)(x - a)^2 + 2 (a - b)(x - a) up to a constant.
 *  Zero for clouds alike. Where these are far off, the searches are long. */
static void guess_row_prices(dcs_assignment *a, const double *x, const double *y)
{
  size_t n = (size_t)a->n, d = (size_t)a->d;
  for (size_t i = 0; i < n; i++) a->u[i] = 0;
  for (size_t k = 0; k < d; k++) {
    double width_x, width_y, mean_x = mean_of(a, x, k, &width_x), mean_y = mean_of(a, y, k, &width_y);
    double s = width_x > 0 ? width_y / width_x : 1;
    for (size_t i = 0; i < n; i++) {
      double e = x[i * d + k] - mean_x;
      a->u[i] += ((1 - s) * e + 2 * (mean_x - mean_y)) * e;
    }
  }
}

/** Column reduction: v_j = min_i (c_ij - u_i). */
static void reduce_columns(dcs_assignment *a)
{
  for (int g = 0; g < a->groups * GROUP; g++)
    for (int l = 0; l < DCS_VEC; l++) a->v[g][l] = g * DCS_VEC + l < a->n ? INFINITY : -INFINITY;
  for (int i = 0; i < a->n; i++) {
    row_costs(a, i);
    for (int g = 0; g < a->groups * GROUP; g++) {
      dcs_vec r = a->cost[g] - a->u[i];
      a->v[g] = dcs_vec_select(r < a->v[g], r, a->v[g]);
    }
  }
}

static void pair(dcs_assignment *a, int i, int j, double cost)
{
  a->match[i] = j;
  a->owner[j] = i;
  a->match_cost[i] = cost;
}

/** The two least reduced costs on a list and their places there. */
typedef struct {
  double first, second;
  int place_first, place_second;
} two_least;

static two_least least_listed(const dcs_assignment *a, int i)
{
  two_least t = {INFINITY, INFINITY, 0, 0};
  const int *listed = a->listed + (size_t)i * SHORT;
  const double *cost = a->listed_cost + (size_t)i * SHORT, *v = elements(a->v);
  for (int k = 0; k < SHORT && listed[k] >= 0; k++) {
    double r = cost[k] - v[listed[k]];
    if (r < t.first)
      t = (two_least){r, t.first, k, t.place_first};
    else if (r < t.second)
      t = (two_least){t.first, r, t.place_first, k};
  }
  return t;
}

/** Reduction of one free row: it takes its cheapest column and lowers that column's price until the second cheapest
 *  would do as well. Returns the row that lost the column, -1 when it was free, i when the two cheapest cost the same and
 *  neither is free, so that nothing can be lowered. */
static int reduce_row(dcs_assignment *a, int i)
{
  two_least t = least_listed(a, i);
  if (t.second > a->rest[i]) {
    make_list(a, i);
    t = least_listed(a, i);
  }
  const int *listed = a->listed + (size_t)i * SHORT;
  int place = t.place_first;
  bool tie = !(t.first < t.second);
  if (tie && a->owner[listed[place]] >= 0) place = t.place_second;
  int j = listed[place], loser = a->owner[j];
  if (tie && loser >= 0) return i;
  if (!tie) elements(a->v)[j] -= t.second - t.first;
  pair(a, i, j, a->listed_cost[(size_t)i * SHORT + (size_t)place]);
  if (loser >= 0) a->match[loser] = -1;
  return loser;
}

/** Augmenting row reduction, a loser's turn coming at once. Leaves the rows still free in `queue`, returns how many. */
static int reduce_rows(dcs_assignment *a)
{
  int left = 0;
  int64_t bids = a->n > 1 ? (int64_t)BIDS * a->n : 0; /* a single column has no second cheapest */
  for (int first = 0; first < a->n; first++) {
    int i = first, next = first;
    for (; next >= 0 && bids > 0; bids--) {
      i = next;
      next = reduce_row(a, i);
      if (next == i) break;
    }
    if (next >= 0) a->queue[left++] = next;
  }
  return left;
}

/** Column j can be reached from row i. A free one that is the nearest so far ends the path there. */
static void reach_column(dcs_assignment *a, int i, int j, double cost, double distance)
{
  if (a->owner[j] < 0) {
    a->best = distance;
    a->end = j;
  } else {
    elements(a->reach)[j] = distance;
    dcs_heap_put(&a->open, j, distance);
  }
  a->from[j] = i;
  a->from_cost[j] = cost;
}

static void expand_list(dcs_assignment *a, int i)
{
  const int *listed = a->listed + (size_t)i * SHORT;
  const double *cost = a->listed_cost + (size_t)i * SHORT, *v = elements(a->v), *reach = elements(a->reach);
  for (int k = 0; k < SHORT && listed[k] >= 0; k++) {
    int j = listed[k];
    double distance = cost[k] - v[j] + a->shift[i];
    if (distance < a->best && distance < reach[j]) reach_column(a, i, j, cost[k], distance);
  }
  double rest = a->rest[i] + a->shift[i];
  if (rest < a->best) dcs_heap_put(&a->open, a->n + i, rest);
}

static void expand_row(dcs_assignment *a, int i)
{
  make_list(a, i);
  for (int g = 0; g < a->groups * GROUP; g++) {
    dcs_vec distance = a->cost[g] - a->v[g] + a->shift[i];
    if (!dcs_mask_any((distance < a->best) & (distance < a->reach[g]))) continue;
    for (int l = 0; l < DCS_VEC; l++)
      if (distance[l] < a->best && distance[l] < a->reach[g][l])
        reach_column(a, i, g * DCS_VEC + l, a->cost[g][l], distance[l]);
  }
}

/** Dijkstra's search from a free row to the nearest free column; distances are reduced costs along the path. Settled
 *  columns become dearer for no one: v_j falls by how much nearer than the end they are. */
static void find_path(dcs_assignment *a, int free_row)
{
  double *v = elements(a->v);
  int n_settled = 0;
  for (int g = 0; g < a->groups * GROUP; g++) a->reach[g] = dcs_vec_set(INFINITY);
  a->best = INFINITY;
  a->shift[free_row] = 0;
  expand_list(a, free_row);
  for (int node; (node = dcs_heap_pop(&a->open)) >= 0;) {
    double distance = a->open.key[node];
    if (distance >= a->best) break;
    if (node >= a->n) {
      expand_row(a, node - a->n);
      continue;
    }
    int i = a->owner[node];
    a->settled[n_settled] = node;
    a->distance[n_settled++] = distance;
    elements(a->reach)[node] = -INFINITY;
    a->shift[i] = distance - (a->match_cost[i] - v[node]);
    expand_list(a, i);
  }
  dcs_heap_clear(&a->open);
  for (int k = 0; k < n_settled; k++) v[a->settled[k]] -= a->best - a->distance[k];
}

/** Along the path found every row takes the column after it. */
static void augment(dcs_assignment *a, int free_row)
{
  for (int j = a->end, i = -1, before; i != free_row; j = before) {
    i = a->from[j];
    before = a->match[i];
    pair(a, i, j, a->from_cost[j]);
  }
}

double dcs_assignment_solve(dcs_assignment *a, const double *x, const double *y)
{
  double total = 0;
  a->x = x;
  for (size_t j = 0; j < (size_t)a->n; j++)
    for (size_t k = 0; k < (size_t)a->d; k++)
      elements(a->y)[(j / WIDTH * (size_t)a->d + k) * WIDTH + j % WIDTH] = y[j * (size_t)a->d + k];
  guess_row_prices(a, x, y);
  reduce_columns(a);
  for (int i = 0; i < a->n; i++) {
    a->match[i] = a->owner[i] = -1;
    a->rest[i] = -INFINITY;
    make_list(a, i);
  }
  int left = reduce_rows(a);
  for (int k = 0; k < left; k++) {
    find_path(a, a->queue[k]);
    augment(a, a->queue[k]);
  }
  for (int i = 0; i < a->n; i++) {
    total += a->match_cost[i];
    a->u[i] = a->match_cost[i] - elements(a->v)[a->match[i]];
  }
  return total / a->n;
}

const int *dcs_assignment_match(const dcs_assignment *a) { return a->match; }
const double *dcs_assignment_row_prices(const dcs_assignment *a) { return a->u; }
const double *dcs_assignment_column_prices(const dcs_assignment *a) { return elements(a->v); }

dcs_status dcs_assignment_create(int n, int d, dcs_assignment **out)
{
  dcs_status st = DCS_OK;
  dcs_assignment *a = NULL;
  DCS_TRY(dcs_alloc(1, sizeof *a, &a));
  *a = (dcs_assignment){.n = n, .d = d, .groups = (n + WIDTH - 1) / WIDTH};
  size_t rows = (size_t)n, vectors = (size_t)a->groups * GROUP;
  DCS_TRY(dcs_alloc(vectors * (size_t)d, sizeof *a->y, &a->y));
  DCS_TRY(dcs_alloc(vectors, sizeof *a->v, &a->v));
  DCS_TRY(dcs_alloc(rows, sizeof *a->u, &a->u));
  DCS_TRY(dcs_alloc(vectors, sizeof *a->cost, &a->cost));
  DCS_TRY(dcs_alloc(rows * SHORT, sizeof *a->listed, &a->listed));
  DCS_TRY(dcs_alloc(rows * SHORT, sizeof *a->listed_cost, &a->listed_cost));
  DCS_TRY(dcs_alloc(rows, sizeof *a->rest, &a->rest));
  DCS_TRY(dcs_alloc(rows, sizeof *a->match, &a->match));
  DCS_TRY(dcs_alloc(rows, sizeof *a->owner, &a->owner));
  DCS_TRY(dcs_alloc(rows, sizeof *a->match_cost, &a->match_cost));
  DCS_TRY(dcs_alloc(rows, sizeof *a->queue, &a->queue));
  DCS_TRY(dcs_heap_create(2 * n, &a->open));
  DCS_TRY(dcs_alloc(vectors, sizeof *a->reach, &a->reach));
  DCS_TRY(dcs_alloc(rows, sizeof *a->from, &a->from));
  DCS_TRY(dcs_alloc(rows, sizeof *a->from_cost, &a->from_cost));
  DCS_TRY(dcs_alloc(rows, sizeof *a->shift, &a->shift));
  DCS_TRY(dcs_alloc(rows, sizeof *a->settled, &a->settled));
  DCS_TRY(dcs_alloc(rows, sizeof *a->distance, &a->distance));
done:
  if (st != DCS_OK) dcs_assignment_destroy(&a);
  *out = a;
  return st;
}

void dcs_assignment_destroy(dcs_assignment **assignment)
{
  dcs_assignment *a = *assignment;
  if (a == NULL) return;
  dcs_free(&a->y);
  dcs_free(&a->v);
  dcs_free(&a->u);
  dcs_free(&a->cost);
  dcs_free(&a->listed);
  dcs_free(&a->listed_cost);
  dcs_free(&a->rest);
  dcs_free(&a->match);
  dcs_free(&a->owner);
  dcs_free(&a->match_cost);
  dcs_free(&a->queue);
  dcs_heap_destroy(&a->open);
  dcs_free(&a->reach);
  dcs_free(&a->from);
  dcs_free(&a->from_cost);
  dcs_free(&a->shift);
  dcs_free(&a->settled);
  dcs_free(&a->distance);
  dcs_free(assignment);
}
