#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "archive/guard.h"
#include "base/memory.h"
#include "base/plain.h"
#include "cli/arguments.h"
#include "cli/cli.h"
#include "cli/json.h"
#include "rate/rate.h"

typedef struct {
  const char *path, *study;
  dcs_cli_set set;
  bool json, store;
} options;

static const char doc[] =
    "Judge every claim of a study on its result file.\n\n"
    "An exponent (also of log(1/delta), and of 1/eps in the steps N(eps) that bring a metric down to eps^2, of which "
    "a table is printed) passes when its whole 95% interval lies inside the claim's band. A bounded quantity passes "
    "when the upper end of the one-sided 95% interval of its growth exponent is at most the admissible one. \"Below\" "
    "passes when the first metric is at most the second at every point, within 3 standard errors and the bias bounds; "
    "the worst point is shown, as a fraction of what is allowed. \"Between\" passes when the scaled values of all "
    "points, with their 95% intervals, lie inside the band; the smallest and the largest are shown. A claim is "
    "missing, and never passes, when a point it speaks of "
    "is not there or not complete.\n\n"
    "The claims are those stored in the result file, or those of STUDY.yaml.\v"
    "Examples:\n"
    "  dcs check R.h5                     a table; the exit status is the verdict\n"
    "  dcs check R.h5 --study STUDY.yaml  judge by a newer study file\n"
    "  dcs check R.h5 --json              for a program\n\n"
    "Exit codes: 0 every claim passes; 1 error; 2 usage or bad study file; 3 a claim fails; 4 none fails but one is "
    "missing.";

static const struct argp_option option[] = {
    {"study", 'f', "STUDY.yaml", 0, "Take the claims from this file", 0},
    {"set", 'S', "KEY=VALUE", 0, "Override a key of that file, such as scale=paper; may be repeated", 0},
    {"json", 'j', NULL, 0, "Print JSON", 0},
    {"store", 's', NULL, 0, "Also write the rows to the group /claims of the file, replacing it", 0},
    {0}};

static const char *const verdict_word[] = {
    [DCS_VERDICT_PASS] = "PASS", [DCS_VERDICT_FAIL] = "FAIL", [DCS_VERDICT_MISSING] = "MISSING"};
static const char *const kind_word[] = {
    [DCS_CLAIM_EXPONENT] = "exponent",         [DCS_CLAIM_BOUNDED] = "bounded",   [DCS_CLAIM_BELOW] = "below",
    [DCS_CLAIM_LOG_EXPONENT] = "log_exponent", [DCS_CLAIM_STEPS_TO] = "steps_to", [DCS_CLAIM_BETWEEN] = "between"};
static const char *const place_word[] = {
    [DCS_CROSSING_INSIDE] = "inside", [DCS_CROSSING_BEFORE] = "before", [DCS_CROSSING_BEYOND] = "beyond"};

static error_t parse(int key, char *arg, struct argp_state *state)
{
  options *o = state->input;
  switch (key) {
  case 'f':
    o->study = arg;
    return 0;
  case 'S':
    return dcs_cli_add_set(state, arg, &o->set);
  case 'j':
    o->json = true;
    return 0;
  case 's':
    o->store = true;
    return 0;
  case ARGP_KEY_END:
    if (o->set.count > 0 && o->study == NULL)
      return dcs_cli_usage(state, "--set overrides keys of the file given by --study");
    return 0;
  default:
    return dcs_cli_result_file(key, arg, state, &o->path);
  }
}

/** The study whose claims are judged: the stored one, with the overrides it was run with, or the one given. */
static dcs_status study_load(const options *o, const dcs_result *result, dcs_study **study, dcs_error *err)
{
  dcs_status st = DCS_OK;
  char *text = NULL;
  size_t n_text = 0;
  if (o->study == NULL)
    return dcs_study_parse_claims(o->path, result->canonical, strlen(result->canonical), study, err);
  DCS_TRY(dcs_study_read(o->study, &text, &n_text, err));
  DCS_TRY(dcs_study_parse(o->study, text, n_text, o->set.count, o->set.value, study, err));
  if (strcmp((*study)->name, result->study) != 0) /* the seed may differ: claims do not depend on it */
    st = dcs_fail(err, DCS_EMISMATCH, "%s is study '%s', %s is of study '%s'", o->study, (*study)->name, o->path,
                  result->study);
done:
  dcs_free(&text);
  return st;
}

static const char *text_or_empty(const char *text) { return text == NULL ? "" : text; }

/** What the claim demands. */
static void band(const dcs_claim *claim, size_t n, char *out)
{
  switch (claim->kind) {
  case DCS_CLAIM_BOUNDED:
    snprintf(out, n, "growth exponent at most %.4g", claim->hi);
    return;
  case DCS_CLAIM_BELOW:
    snprintf(out, n, "%s <= %s", claim->metric->name, claim->other->name);
    return;
  case DCS_CLAIM_BETWEEN:
    snprintf(out, n, "%s%s in [%.4g, %.4g]", claim->metric->name, claim->n_products > 0 ? ", scaled," : "", claim->lo,
             claim->hi);
    return;
  case DCS_CLAIM_LOG_EXPONENT:
    snprintf(out, n, "exponent of log(1/%s) in [%.4g, %.4g]", claim->versus, claim->lo, claim->hi);
    return;
  case DCS_CLAIM_STEPS_TO:
    snprintf(out, n, "steps to %s <= eps^2: exponent of 1/eps in [%.4g, %.4g]", claim->metric->name, claim->lo,
             claim->hi);
    return;
  default:
    snprintf(out, n, "exponent in [%.4g, %.4g]", claim->lo, claim->hi);
  }
}

/** Lower end of the band; NAN where there is none. */
static double band_lo(const dcs_claim *claim)
{
  return claim->kind == DCS_CLAIM_BOUNDED || claim->kind == DCS_CLAIM_BELOW ? NAN : claim->lo;
}

static void measured(const dcs_check_row *row, size_t n, char *out)
{
  if (isnan(row->value))
    snprintf(out, n, "-");
  else if (isnan(row->hi))
    snprintf(out, n, "%.3f", row->value);
  else if (row->claim->kind == DCS_CLAIM_BELOW)
    snprintf(out, n, "worst %.3g%s", row->value, row->exact ? " exact" : "");
  else if (row->claim->kind == DCS_CLAIM_BETWEEN)
    snprintf(out, n,
             row->exact && row->hi - row->value <= 5e-4 * fabs(row->value) ? "%.4g to %.4g exact"
                                                                           : "%.4g to %.4g [%.4g, %.4g]",
             row->least, row->value, row->lo, row->hi);
  else if (row->exact && !(row->hi - row->value > 5e-4))
    snprintf(out, n, "%.3f exact", row->value);
  else if (row->claim->kind == DCS_CLAIM_BOUNDED)
    snprintf(out, n, "%.3f < %.3f", row->value, row->hi);
  else
    snprintf(out, n, "%.3f [%.3f, %.3f]", row->value, row->lo, row->hi);
}

static const char *cell_source(const dcs_check_row *row) { return text_or_empty(row->claim->source); }

/** N(eps), where there is one. */
static void print_crossings(const dcs_check_row *row)
{
  bool any = false;
  for (int e = 0; e < row->n_crossings; e++) {
    const dcs_crossing *c = &row->crossing[e];
    if (c->place != DCS_CROSSING_INSIDE) continue;
    if (!any) printf("           %10s  %12s  95%% interval\n", "eps", "N(eps)");
    any = true;
    printf("           %10.4g  %12.5g  ", c->eps, c->steps);
    if (row->exact && !(c->hi - c->lo > 5e-5 * c->steps)) /* no digit that is shown moves */
      printf("exact\n");
    else
      printf("[%.5g, %.5g]\n", c->lo, c->hi);
  }
}

/** Rows of one claim stand under its name. */
static void print_text(int n_rows, const dcs_check_row *rows, const int *count)
{
  const dcs_claim *claim = NULL;
  for (int i = 0; i < n_rows; i++) {
    const dcs_check_row *row = &rows[i];
    char value[64], wanted[96];
    measured(row, sizeof value, value);
    if (row->claim != claim) {
      claim = row->claim;
      band(claim, sizeof wanted, wanted);
      if (i > 0) putchar('\n');
      dcs_print_line(stdout, cell_source(row)[0] != '\0' ? "%s: %s  (%s)" : "%s: %s%s", claim->name, wanted,
                     cell_source(row));
    }
    dcs_print_line(stdout, "  %-7s  %-24s  %s", verdict_word[row->verdict], value, row->where);
    if (isfinite(row->constant)) printf("           largest normalised value: %.4g\n", row->constant);
    if (row->note[0] != '\0') dcs_print_line(stdout, "           %s", row->note);
    print_crossings(row);
  }
  printf("%s%d passed, %d failed, %d missing\n", n_rows > 0 ? "\n" : "", count[DCS_VERDICT_PASS],
         count[DCS_VERDICT_FAIL], count[DCS_VERDICT_MISSING]);
}

static void json_string(const char *key, const char *text)
{
  printf(", \"%s\": ", key);
  dcs_json_string(text);
}

static void json_number(const char *key, double x)
{
  printf(", \"%s\": ", key);
  dcs_json_number(x);
}

static void json_crossings(const dcs_check_row *row)
{
  printf(", \"steps_to\": [");
  for (int e = 0; e < row->n_crossings; e++) {
    const dcs_crossing *c = &row->crossing[e];
    printf("%s{\"eps\": ", e > 0 ? ", " : "");
    dcs_json_number(c->eps);
    json_number("steps", c->steps);
    json_number("lo", c->lo);
    json_number("hi", c->hi);
    json_string("place", place_word[c->place]);
    putchar('}');
  }
  putchar(']');
}

static void print_json(int n_rows, const dcs_check_row *rows, const int *count)
{
  printf("{\"passed\": %d, \"failed\": %d, \"missing\": %d, \"claims\": [", count[DCS_VERDICT_PASS],
         count[DCS_VERDICT_FAIL], count[DCS_VERDICT_MISSING]);
  for (int i = 0; i < n_rows; i++) {
    const dcs_check_row *row = &rows[i];
    char wanted[96];
    band(row->claim, sizeof wanted, wanted);
    printf("%s\n  {\"exact\": %s", i > 0 ? "," : "", row->exact ? "true" : "false");
    json_string("claim", row->claim->name);
    json_string("source", cell_source(row));
    json_string("kind", kind_word[row->claim->kind]);
    json_string("metric", row->claim->metric->name);
    json_string("versus", text_or_empty(row->claim->versus));
    json_string("where", row->where);
    json_number("value", row->value);
    json_number("lo", row->lo);
    json_number("hi", row->hi);
    json_number("constant", row->constant);
    json_number("least", row->least);
    json_number("band_lo", band_lo(row->claim));
    json_number("band_hi", row->claim->kind == DCS_CLAIM_BELOW ? 1 : row->claim->hi);
    json_string("demanded", wanted);
    json_string("verdict", verdict_word[row->verdict]);
    json_string("note", row->note);
    if (row->n_crossings > 0) json_crossings(row);
    putchar('}');
  }
  printf("]}\n");
}

enum { TEXTS = 6, NUMBERS = 8 };

/** /claims: the printed table, one row for each verdict. */
static dcs_status store(const char *path, int n_rows, dcs_check_row *rows, dcs_error *err)
{
  dcs_status st = DCS_OK;
  static const char *const name[TEXTS + NUMBERS] = {"claim",    "source", "kind",    "where",  "verdict",
                                                    "note",     "value",  "lo",      "hi",     "exact",
                                                    "constant", "least",  "band_lo", "band_hi"};
  const char *names[TEXTS + NUMBERS];
  double *number[TEXTS + NUMBERS] = {NULL};
  const double *number_in[TEXTS + NUMBERS];
  char **text[TEXTS + NUMBERS] = {NULL};
  for (int k = 0; k < TEXTS + NUMBERS; k++) {
    if (k < TEXTS)
      DCS_TRY(dcs_alloc((size_t)n_rows, sizeof **text, &text[k]));
    else
      DCS_TRY(dcs_alloc((size_t)n_rows, sizeof **number, &number[k]));
    names[k] = name[k];
    number_in[k] = number[k];
  }
  for (int i = 0; i < n_rows; i++) {
    const dcs_claim *claim = rows[i].claim;
    const char *words[TEXTS] = {claim->name,   cell_source(&rows[i]),         kind_word[claim->kind],
                                rows[i].where, verdict_word[rows[i].verdict], rows[i].note};
    double values[NUMBERS] = {
        rows[i].value,    rows[i].lo,    rows[i].hi,     rows[i].exact,
        rows[i].constant, rows[i].least, band_lo(claim), claim->kind == DCS_CLAIM_BELOW ? 1 : claim->hi};
    for (int k = 0; k < TEXTS; k++) text[k][i] = (char *)words[k]; /* which the table only reads */
    for (int k = 0; k < NUMBERS; k++) number[TEXTS + k][i] = values[k];
  }
  dcs_table table = {TEXTS + NUMBERS, n_rows, names, number_in, text};
  DCS_TRY(dcs_result_write_table(path, "claims", &table, err));
done:
  for (int k = 0; k < TEXTS + NUMBERS; k++) {
    dcs_free(&text[k]);
    dcs_free(&number[k]);
  }
  return st;
}

int dcs_cli_check(int argc, char **argv)
{
  static const struct argp argp = {option, parse, "R.h5", doc, NULL, NULL, NULL};
  options o = {0};
  dcs_status st = DCS_OK;
  dcs_error err = {""};
  dcs_result *result = NULL;
  dcs_study *study = NULL;
  dcs_check_row *rows = NULL;
  int n_rows = 0, code = DCS_EXIT_OK, count[3] = {0};
  if (!dcs_cli_parse(&argp, argc, argv, false, &o)) return DCS_EXIT_USAGE;

  DCS_TRY(dcs_guard_result(o.path, &result, &err));
  DCS_TRY(study_load(&o, result, &study, &err));
  DCS_TRY(dcs_claims_check(study, result, &n_rows, &rows, &err));
  for (int i = 0; i < n_rows; i++) count[rows[i].verdict]++;
  if (o.json)
    print_json(n_rows, rows, count);
  else
    print_text(n_rows, rows, count);
  if (study->n_claims == 0)
    fprintf(stderr, "dcs: warning: %s states no claims: nothing was judged; --study takes them from another file\n",
            o.study != NULL ? o.study : o.path);
  if (o.store) DCS_TRY(store(o.path, n_rows, rows, &err));
  if (count[DCS_VERDICT_MISSING] > 0) code = DCS_EXIT_INCOMPLETE;
  if (count[DCS_VERDICT_FAIL] > 0) code = DCS_EXIT_CLAIM;
done:
  if (st != DCS_OK) code = dcs_cli_fail(st, &err);
  dcs_claims_destroy(n_rows, &rows);
  dcs_study_destroy(&study);
  dcs_result_destroy(&result);
  return code;
}
