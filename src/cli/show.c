#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "archive/guard.h"
#include "archive/print.h"
#include "base/memory.h"
#include "base/plain.h"
#include "cli/arguments.h"
#include "cli/cli.h"
#include "cli/columns.h"

typedef struct {
  const char *path, *metric;
  bool json;
} options;

static const char doc[] =
    "Show a result file as a table for people.\n\n"
    "What all points share is printed once; then one line per point with the coordinates that vary and, for each "
    "metric, value ± standard error and the bound on its bias where it reaches the last digit shown. A number without "
    "± is exact. With --metric also its estimator. Reasons of points that are not ok stand below the table. "
    "Values at every noise level (mmse, smoothness): `dcs export R.h5 --levels`.\v"
    "Examples:\n"
    "  dcs show R.h5\n"
    "  dcs show R.h5 --metric kl\n"
    "  dcs show R.h5 --json | jq '.points[].kl.value'\n\n"
    "Exit codes: 0 ok; 1 the file cannot be read or is damaged; 2 usage. `dcs export` writes tables for programs.";

static const struct argp_option option[] = {
    {"metric", 'm', "NAME", 0, "Show this metric only", 0}, {"json", 'j', NULL, 0, "Print JSON", 0}, {0}};

static error_t parse(int key, char *arg, struct argp_state *state)
{
  options *o = state->input;
  switch (key) {
  case 'm':
    o->metric = arg;
    return 0;
  case 'j':
    o->json = true;
    return 0;
  default:
    return dcs_cli_result_file(key, arg, state, &o->path);
  }
}

enum { CELL = 96 };

static bool method_varies(const dcs_result_metric *m, int64_t n)
{
  for (int64_t i = 1; i < n; i++)
    if (strcmp(m->method[i], m->method[0]) != 0) return true;
  return false;
}

/** Digits down to the second one of the standard error: 1.23456e-02 ± 1.1e-06. */
static void estimate_cell(const dcs_estimate *e, char *out)
{
  if (!isfinite(e->value)) {
    snprintf(out, CELL, "-");
    return;
  }
  int digits = 6, length;
  bool exact = e->std_error == 0;
  if (!exact && e->std_error > 0 && e->value != 0) {
    digits = (int)fmin(fmax(ceil(log10(fabs(e->value) / e->std_error)) + 1, 1), 9);
  }
  length = snprintf(out, CELL, "%.*e", digits, e->value);
  if (!exact) length += snprintf(out + length, CELL - (size_t)length, " ± %.1e", e->std_error);
  if (isinf(e->bias_bound)) {
    snprintf(out + length, CELL - (size_t)length, ", bias unknown");
  } else if (e->bias_bound > 0.05 * pow(10, floor(log10(fabs(e->value))) - digits)) { /* smaller: not seen here */
    snprintf(out + length, CELL - (size_t)length, ", bias <= %.1e", e->bias_bound);
  }
}

/** kl [nat] */
static void metric_cell(const dcs_result_metric *m, char *out)
{
  char name[CELL], unit[CELL];
  int length = snprintf(out, CELL, "%s", dcs_plain(m->name, sizeof name - sizeof " []", name));
  dcs_plain(m->unit, CELL - (size_t)length - sizeof "[]", unit);
  snprintf(out + length, CELL - (size_t)length, " [%s]", unit);
}

/** Characters, not bytes: a UTF-8 continuation byte takes no room. */
static int characters(const char *text)
{
  int n = 0;
  for (; *text != 0; text++) n += ((unsigned char)*text & 0xc0) != 0x80;
  return n;
}

typedef struct {
  int n_columns;
  int64_t n_rows; /**< the header included */
  char *cell;     /**< [n_rows][n_columns][CELL] */
} grid;

static char *cell_at(const grid *g, int64_t row, int column)
{
  return g->cell + ((size_t)row * (size_t)g->n_columns + (size_t)column) * CELL;
}

static bool all_ok(const dcs_result *r)
{
  for (int64_t p = 0; p < r->n_points; p++)
    if (r->status[p] != DCS_POINT_OK) return false;
  return true;
}

static dcs_status fill(const dcs_result *r, const char *metric, grid *g)
{
  int n = 2 + r->n_columns + 2 * r->n_metrics;
  dcs_status st = dcs_alloc((size_t)(r->n_points + 1) * (size_t)n, CELL, &g->cell);
  if (st != DCS_OK) return st;
  g->n_columns = n; /* room for all; those in use are counted below */
  g->n_rows = r->n_points + 1;
  int k = 1;
  snprintf(cell_at(g, 0, 0), CELL, "point");
  for (int64_t p = 0; p < r->n_points; p++) snprintf(cell_at(g, p + 1, 0), CELL, "%" PRId64, p);
  for (int i = 0; i < r->n_columns; i++) {
    if (!dcs_column_varies(&r->column[i], r->n_points)) continue;
    dcs_plain(r->column[i].name, CELL, cell_at(g, 0, k));
    for (int64_t p = 0; p < r->n_points; p++) dcs_column_cell(&r->column[i], p, CELL, cell_at(g, p + 1, k));
    k++;
  }
  for (int i = 0; i < r->n_metrics; i++) {
    const dcs_result_metric *m = &r->metric[i];
    if (metric != NULL && strcmp(m->name, metric) != 0) continue;
    metric_cell(m, cell_at(g, 0, k));
    for (int64_t p = 0; p < r->n_points; p++) estimate_cell(&m->estimate[p], cell_at(g, p + 1, k));
    k++;
    if (metric == NULL || !method_varies(m, r->n_points)) continue;
    snprintf(cell_at(g, 0, k), CELL, "method");
    for (int64_t p = 0; p < r->n_points; p++) dcs_plain(m->method[p], CELL, cell_at(g, p + 1, k));
    k++;
  }
  if (all_ok(r)) return DCS_OK;
  snprintf(cell_at(g, 0, k), CELL, "status");
  for (int64_t p = 0; p < r->n_points; p++) {
    snprintf(cell_at(g, p + 1, k), CELL, "%s", dcs_point_status_word(r->status[p]));
  }
  return DCS_OK;
}

static int column_width(const grid *g, int column)
{
  int width = 0;
  for (int64_t row = 0; row < g->n_rows; row++) {
    int n = characters(cell_at(g, row, column));
    if (n > width) width = n;
  }
  return width;
}

static dcs_status print_grid(const grid *g)
{
  int *width = NULL, last = 0;
  dcs_status st = dcs_alloc((size_t)g->n_columns, sizeof *width, &width);
  if (st != DCS_OK) return st;
  for (int k = 0; k < g->n_columns; k++) {
    width[k] = column_width(g, k);
    if (width[k] > 0) last = k;
  }
  for (int64_t row = 0; row < g->n_rows; row++) {
    for (int k = 0; k <= last; k++) {
      const char *text = cell_at(g, row, k);
      printf("%s%*s", text, k == last ? 0 : width[k] - characters(text) + 2, "");
    }
    putchar('\n');
  }
  dcs_free(&width);
  return DCS_OK;
}

static void print_head(const dcs_result *r)
{
  char cell[CELL];
  int64_t count[DCS_POINT_FAILED + 1] = {0};
  dcs_print_line(stdout, "study   %s", r->study);
  if (r->source[0] != 0) dcs_print_line(stdout, "source  %s", r->source);
  for (int64_t p = 0; p < r->n_points; p++) count[r->status[p]]++;
  printf("points  %" PRId64, r->n_points);
  for (int s = 0; s <= DCS_POINT_FAILED; s++) {
    if (count[s] > 0) printf(", %" PRId64 " %s", count[s], dcs_point_status_word(s));
  }
  printf("\nseed    %" PRIu64 "\n", r->seed);
  for (int i = 0; i < r->n_columns && r->n_points > 0; i++) {
    if (dcs_column_varies(&r->column[i], r->n_points)) continue;
    dcs_column_cell(&r->column[i], 0, sizeof cell, cell);
    if (strcmp(cell, "-") != 0 && cell[0] != 0) dcs_print_line(stdout, "%s = %s", r->column[i].name, cell);
  }
  for (int i = 0; i < r->n_metrics && r->n_points > 0; i++) {
    const dcs_result_metric *m = &r->metric[i];
    if (m->method[0][0] != 0 && !method_varies(m, r->n_points))
      dcs_print_line(stdout, "%s by %s", m->name, m->method[0]);
  }
  putchar('\n');
}

static void print_reasons(const dcs_result *r)
{
  bool any = false;
  for (int64_t p = 0; p < r->n_points; p++) {
    if (r->reason[p][0] == 0) continue;
    if (!any) putchar('\n');
    dcs_print_line(stdout, "point %" PRId64 ": %s: %s", p, dcs_point_status_word(r->status[p]), r->reason[p]);
    any = true;
  }
}

int dcs_cli_show(int argc, char **argv)
{
  static const struct argp argp = {option, parse, "R.h5", doc, NULL, NULL, NULL};
  options o = {0};
  dcs_status st = DCS_OK;
  dcs_error err = {""};
  dcs_result *result = NULL;
  grid table = {0};
  if (!dcs_cli_parse(&argp, argc, argv, false, &o)) return DCS_EXIT_USAGE;

  DCS_TRY(dcs_guard_result(o.path, &result, &err));
  if (o.metric != NULL) DCS_TRY(dcs_cli_check_metric(result, o.path, o.metric, &err));
  if (o.json) {
    dcs_print_json(result, o.metric, stdout);
  } else {
    DCS_TRY(fill(result, o.metric, &table));
    print_head(result);
    DCS_TRY(print_grid(&table));
    print_reasons(result);
  }
done:
  dcs_free(&table.cell);
  dcs_result_destroy(&result);
  return st == DCS_OK ? DCS_EXIT_OK : dcs_cli_fail(st, &err);
}
