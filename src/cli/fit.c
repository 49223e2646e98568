#include <inttypes.h>
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

enum { PER_MAX = 64, LABEL_WIDTH = 56 };

typedef struct {
  const char *path, *metric, *versus;
  char *per[PER_MAX], *per_text; /**< per points into per_text; owned */
  int n_per;                     /**< -1: the default */
  bool local, json, store;
} options;

typedef struct {
  bool fitted;
  dcs_rate rate;
  int64_t n_local;
  dcs_rate *local;          /**< [n_local], owned */
  dcs_error why, why_local; /**< when not fitted; when not all local slopes are there */
} fit;

static const char doc[] =
    "Fit the rate at which a metric of a result file falls or grows: y = prefactor * x^exponent.\n\n"
    "Points that share all coordinates but the abscissa make a curve. Each curve is fitted by weighted least squares "
    "of "
    "log y on log x. The 95% interval of the exponent comes from 2000 resamplings of the blocks of every point and is "
    "widened by the points' bias bounds; \"exact\" stands in its place when no point has a sampling error. chi2/dof "
    "far "
    "above 1 says that the curve is bent: look at --local.\v"
    "Examples:\n"
    "  dcs fit R.h5                         the first metric against steps\n"
    "  dcs fit R.h5 --metric kl --versus d  growth with the dimension\n"
    "  dcs fit R.h5 --local --json          all slopes, for a program\n\n"
    "Exit codes: 0 all curves fitted with all their points; 1 error; 2 usage; 4 points are missing or a curve could "
    "not be fitted (a line on the standard error names it).";

static const struct argp_option option[] = {
    {"metric", 'm', "NAME", 0, "Ordinate (default: the first metric of the file)", 0},
    {"versus", 'x', "COORDINATE", 0, "Abscissa (default: steps)", 0},
    {"per", 'p', "A,B,...", 0, "Coordinates that tell curves apart (default: all that vary but the abscissa)", 0},
    {"local", 'l', NULL, 0, "Also the slopes between neighbouring points", 0},
    {"json", 'j', NULL, 0, "Print JSON", 0},
    {"store", 's', NULL, 0, "Also write the rows to the group /fits of the file, replacing it", 0},
    {0}};

static error_t parse(int key, char *arg, struct argp_state *state)
{
  options *o = state->input;
  switch (key) {
  case 'm':
    o->metric = arg;
    return 0;
  case 'x':
    o->versus = arg;
    return 0;
  case 'l':
    o->local = true;
    return 0;
  case 'j':
    o->json = true;
    return 0;
  case 's':
    o->store = true;
    return 0;
  case 'p':
    dcs_free(&o->per_text);
    if (dcs_strdup(arg, &o->per_text) != DCS_OK) return ENOMEM;
    o->n_per = 0;
    char *rest = NULL;
    for (char *word = strtok_r(o->per_text, ",", &rest); word != NULL; word = strtok_r(NULL, ",", &rest)) {
      if (o->n_per == PER_MAX) return dcs_cli_usage(state, "--per takes at most %d coordinates", PER_MAX);
      o->per[o->n_per++] = word;
    }
    return 0;
  default:
    return dcs_cli_result_file(key, arg, state, &o->path);
  }
}

/** Fit every curve. A curve that cannot be fitted keeps the reason. */
static dcs_status measure(const dcs_result *result, const options *o, int n_curves, const dcs_curve *curve, fit *fits,
                          dcs_error *err)
{
  dcs_status st = DCS_OK;
  for (int c = 0; c < n_curves; c++) {
    fit *f = &fits[c];
    st = dcs_rate_fit(result, &curve[c], o->metric, o->versus, NULL, &f->rate, &f->why);
    f->fitted = st == DCS_OK;
    if (o->local && (st == DCS_OK || st == DCS_EREFUSED)) { /* too noisy as a whole: some neighbours may still do */
      DCS_TRY(dcs_alloc((size_t)curve[c].n, sizeof *f->local, &f->local));
      st = dcs_rate_local(result, &curve[c], o->metric, o->versus, &f->n_local, f->local, &f->why_local);
    }
    if (st != DCS_OK && st != DCS_EARG && st != DCS_EREFUSED) {
      *err = f->why_local.text[0] != '\0' ? f->why_local : f->why;
      goto done;
    }
  }
  st = DCS_OK;
done:
  return st;
}

/** What of a curve's label fits into the table. */
static char *short_label(const dcs_curve *curve, char label[LABEL_WIDTH + 1])
{
  return dcs_plain(curve->label, LABEL_WIDTH + 1, label);
}

static void print_row(const char *label, int width, const dcs_rate *rate, int64_t n_points)
{
  char count[32], window[48], range[64] = "exact", chi2[32] = "-";
  snprintf(count, sizeof count, rate->n == n_points ? "%" PRId64 : "%" PRId64 "/%" PRId64, rate->n, n_points);
  snprintf(window, sizeof window, "%.6g..%.6g", rate->x_lo, rate->x_hi);
  if (!rate->exact || rate->hi - rate->lo > 5e-4) snprintf(range, sizeof range, "[%.3f, %.3f]", rate->lo, rate->hi);
  if (isfinite(rate->chi2_per_dof)) snprintf(chi2, sizeof chi2, "%.2f", rate->chi2_per_dof);
  printf("%-*.*s  %5s  %-15s  %8.3f  %-17s  %10.3e  %8s\n", width, width, label, count, window, rate->slope, range,
         rate->prefactor, chi2);
}

static void print_text(const options *o, int n_curves, const dcs_curve *curve, const fit *fits)
{
  char label[LABEL_WIDTH + 1];
  int width = 9; /* "  slopes " */
  for (int c = 0; c < n_curves; c++) {
    int n = (int)strlen(short_label(&curve[c], label));
    if (n > width) width = n;
  }
  dcs_print_line(stdout, "%s against %s", o->metric, o->versus);
  printf("%-*s  %5s  %-15s  %8s  %-17s  %10s  %8s\n", width, "curve", "n", "window", "exponent", "95% interval",
         "prefactor", "chi2/dof");
  for (int c = 0; c < n_curves; c++) {
    short_label(&curve[c], label);
    if (fits[c].fitted)
      print_row(label, width, &fits[c].rate, curve[c].n);
    else
      printf("%-*.*s  %5" PRId64 "  %-15s  %8s\n", width, width, label, curve[c].n, "-", "-");
    for (int64_t i = 0; i < fits[c].n_local; i++) print_row("  local", width, &fits[c].local[i], 2);
  }
}

static void json_number(const char *key, double x)
{
  printf(", \"%s\": ", key);
  dcs_json_number(x);
}

static void json_rate(const dcs_rate *rate)
{
  printf("\"n\": %" PRId64 ", \"exact\": %s", rate->n, rate->exact ? "true" : "false");
  json_number("x_lo", rate->x_lo);
  json_number("x_hi", rate->x_hi);
  json_number("slope", rate->slope);
  json_number("lo", rate->lo);
  json_number("hi", rate->hi);
  json_number("upper", rate->upper);
  json_number("prefactor", rate->prefactor);
  json_number("chi2_per_dof", rate->chi2_per_dof);
}

static void print_json(const options *o, int n_curves, const dcs_curve *curve, const fit *fits)
{
  printf("{\"metric\": ");
  dcs_json_string(o->metric);
  printf(", \"versus\": ");
  dcs_json_string(o->versus);
  printf(", \"curves\": [");
  for (int c = 0; c < n_curves; c++) {
    printf("%s\n  {\"curve\": ", c > 0 ? "," : "");
    dcs_json_string(curve[c].label);
    printf(", \"points\": [");
    for (int64_t i = 0; i < curve[c].n; i++) printf("%s%" PRId64, i > 0 ? ", " : "", curve[c].point[i]);
    printf("], \"fit\": ");
    if (fits[c].fitted) {
      putchar('{');
      json_rate(&fits[c].rate);
      putchar('}');
    } else {
      printf("null, \"reason\": ");
      dcs_json_string(fits[c].why.text);
    }
    if (o->local) {
      printf(", \"local\": [");
      for (int64_t i = 0; i < fits[c].n_local; i++) {
        printf("%s\n    {", i > 0 ? "," : "");
        json_rate(&fits[c].local[i]);
        putchar('}');
      }
      putchar(']');
    }
    putchar('}');
  }
  printf("]}\n");
}

enum { TEXTS = 4, NUMBERS = 10 };

/** /fits: one row per fitted curve, kind "curve", each followed by its local slopes, kind "local". */
static dcs_status store(const options *o, int n_curves, const dcs_curve *curve, const fit *fits, dcs_error *err)
{
  dcs_status st = DCS_OK;
  static const char *const name[TEXTS + NUMBERS] = {"kind",  "curve", "metric",    "versus",      "n",
                                                    "x_lo",  "x_hi",  "exponent",  "lo",          "hi",
                                                    "upper", "exact", "prefactor", "chi2_per_dof"};
  const char *names[TEXTS + NUMBERS];
  double *number[TEXTS + NUMBERS] = {NULL};
  char **text[TEXTS + NUMBERS] = {NULL}, kind[2][6] = {"curve", "local"};
  const double *number_in[TEXTS + NUMBERS];
  char *metric = NULL, *versus = NULL;
  size_t rows = 0;
  for (int c = 0; c < n_curves; c++) rows += (size_t)fits[c].fitted + (size_t)fits[c].n_local;
  DCS_TRY(dcs_strdup(o->metric, &metric));
  DCS_TRY(dcs_strdup(o->versus, &versus));
  for (int k = 0; k < TEXTS + NUMBERS; k++) {
    if (k < TEXTS)
      DCS_TRY(dcs_alloc(rows, sizeof **text, &text[k]));
    else
      DCS_TRY(dcs_alloc(rows, sizeof **number, &number[k]));
    names[k] = name[k];
    number_in[k] = number[k];
  }
  size_t row = 0;
  for (int c = 0; c < n_curves; c++)
    for (int64_t i = fits[c].fitted ? -1 : 0; i < fits[c].n_local; i++, row++) {
      const dcs_rate *rate = i < 0 ? &fits[c].rate : &fits[c].local[i];
      char *words[TEXTS] = {kind[i >= 0], curve[c].label, metric, versus};
      double values[NUMBERS] = {(double)rate->n, rate->x_lo,  rate->x_hi,  rate->slope,     rate->lo,
                                rate->hi,        rate->upper, rate->exact, rate->prefactor, rate->chi2_per_dof};
      for (int k = 0; k < TEXTS; k++) text[k][row] = words[k];
      for (int k = 0; k < NUMBERS; k++) number[TEXTS + k][row] = values[k];
    }
  dcs_table table = {TEXTS + NUMBERS, (int64_t)rows, names, number_in, text};
  DCS_TRY(dcs_result_write_table(o->path, "fits", &table, err));
done:
  for (int k = 0; k < TEXTS + NUMBERS; k++) {
    dcs_free(&text[k]);
    dcs_free(&number[k]);
  }
  dcs_free(&metric);
  dcs_free(&versus);
  return st;
}

/** One line for each curve that is not the whole truth. Returns true when there is none. */
static bool report(int n_curves, const dcs_curve *curve, const fit *fits)
{
  bool complete = true;
  for (int c = 0; c < n_curves; c++) {
    const fit *f = &fits[c];
    if (!f->fitted)
      dcs_print_line(stderr, "dcs: warning: %s: not fitted: %s", curve[c].label, f->why.text);
    else if (f->rate.n < curve[c].n)
      dcs_print_line(stderr, "dcs: warning: %s: %" PRId64 " of %" PRId64 " points are missing (dcs show tells why)",
                     curve[c].label, curve[c].n - f->rate.n, curve[c].n);
    if (f->why_local.text[0] != '\0')
      dcs_print_line(stderr, "dcs: warning: %s: no local slopes: %s", curve[c].label, f->why_local.text);
    complete = complete && f->fitted && f->rate.n == curve[c].n && f->why_local.text[0] == '\0';
  }
  return complete;
}

int dcs_cli_fit(int argc, char **argv)
{
  static const struct argp argp = {option, parse, "R.h5", doc, NULL, NULL, NULL};
  options o = {.versus = "steps", .n_per = -1};
  dcs_status st = DCS_OK;
  dcs_error err = {""};
  dcs_result *result = NULL;
  dcs_curve *curve = NULL;
  fit *fits = NULL;
  int n_curves = 0, code = DCS_EXIT_OK;
  if (!dcs_cli_parse(&argp, argc, argv, false, &o)) return DCS_EXIT_USAGE;

  DCS_TRY(dcs_guard_result(o.path, &result, &err));
  if (o.metric == NULL && result->n_metrics > 0) o.metric = result->metric[0].name;
  if (o.metric == NULL) DCS_TRY(dcs_fail(&err, DCS_EUSAGE, "%s: no metrics in it", o.path));
  DCS_TRY(dcs_cli_check_metric(result, o.path, o.metric, &err));
  DCS_TRY(dcs_cli_check_column(result, o.path, o.versus, &err));
  if (result->column[dcs_result_column_find(result, o.versus)].is_text)
    DCS_TRY(dcs_fail(&err, DCS_EUSAGE, "%s: coordinate '%s' is not a number", o.path, o.versus));
  for (int i = 0; i < o.n_per; i++) DCS_TRY(dcs_cli_check_column(result, o.path, o.per[i], &err));
  st = dcs_curves_create(result, o.versus, o.n_per, o.per, 0, NULL, &n_curves, &curve, &err);
  if (st == DCS_EARG) st = DCS_EUSAGE; /* the column names came from the command line */
  DCS_TRY(st);
  bool any = false;
  for (int c = 0; c < n_curves; c++) any = any || curve[c].n > 1;
  if (!any) {
    st = dcs_fail(&err, DCS_EUSAGE, "%s: no curve has two points: %s does not vary", o.path, o.versus);
    goto done;
  }
  DCS_TRY(dcs_alloc((size_t)n_curves, sizeof *fits, &fits));
  DCS_TRY(measure(result, &o, n_curves, curve, fits, &err));
  if (o.json)
    print_json(&o, n_curves, curve, fits);
  else
    print_text(&o, n_curves, curve, fits);
  if (!report(n_curves, curve, fits)) code = DCS_EXIT_INCOMPLETE;
  if (o.store) DCS_TRY(store(&o, n_curves, curve, fits, &err));
done:
  if (st != DCS_OK) code = dcs_cli_fail(st, &err);
  for (int c = 0; fits != NULL && c < n_curves; c++) dcs_free(&fits[c].local);
  dcs_free(&fits);
  dcs_free(&o.per_text);
  dcs_curves_destroy(n_curves, &curve);
  dcs_result_destroy(&result);
  return code;
}
