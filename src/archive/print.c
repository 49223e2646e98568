#include "archive/print.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "base/plain.h"

const char *dcs_point_status_word(int status)
{
  static const char *const word[] = {DCS_POINT_STATUS_WORDS};
  return status >= 0 && status < (int)(sizeof word / sizeof *word) ? word[status] : "unknown";
}

/** Quoted where RFC 4180 says so. On a terminal plain text stands for what would act on it. */
static void csv_text(FILE *out, bool terminal, const char *text)
{
  char shown[512];
  if (terminal) text = dcs_plain(text, sizeof shown, shown);
  if (strpbrk(text, ",\"\r\n") == NULL) {
    fputs(text, out);
    return;
  }
  fputc('"', out);
  for (; *text != 0; text++) {
    if (*text == '"') fputc('"', out);
    fputc(*text, out);
  }
  fputc('"', out);
}

/** NAME and what stands beside it, each behind a comma. */
static void csv_names(FILE *out, bool terminal, const char *name, int n_suffixes)
{
  static const char *const suffix[] = {"", "_se", "_bias", "_n", "_method"};
  for (int k = 0; k < n_suffixes; k++) {
    char full[300]; /* names of metrics are words; HDF5 allows more */
    snprintf(full, sizeof full, "%.280s%s", name, suffix[k]);
    fputc(',', out);
    csv_text(out, terminal, full);
  }
}

static void csv_number(FILE *out, double x)
{
  if (isnan(x)) {
    fputs(",nan", out); /* never -nan */
  } else {
    fprintf(out, ",%.17g", x);
  }
}

static void csv_estimate(FILE *out, const dcs_estimate *e)
{
  csv_number(out, e->value);
  csv_number(out, e->std_error);
  csv_number(out, e->bias_bound);
  fprintf(out, ",%" PRId64, e->n);
}

void dcs_print_csv(const dcs_result *r, FILE *out)
{
  enum { NAMES = 5 };
  bool terminal = isatty(fileno(out)) != 0;
  fputs("point_hash", out);
  for (int i = 0; i < r->n_columns; i++) {
    fputc(',', out);
    csv_text(out, terminal, r->column[i].name);
  }
  for (int i = 0; i < r->n_metrics; i++) csv_names(out, terminal, r->metric[i].name, NAMES);
  fputs(",status,reason\n", out);
  for (int64_t p = 0; p < r->n_points; p++) {
    fprintf(out, "%016" PRIx64, r->hash[p]);
    for (int i = 0; i < r->n_columns; i++) {
      if (!r->column[i].is_text) {
        csv_number(out, r->column[i].number[p]);
        continue;
      }
      fputc(',', out);
      csv_text(out, terminal, r->column[i].text[p]);
    }
    for (int i = 0; i < r->n_metrics; i++) {
      csv_estimate(out, &r->metric[i].estimate[p]);
      fputc(',', out);
      csv_text(out, terminal, r->metric[i].method[p]);
    }
    fprintf(out, ",%s,", dcs_point_status_word(r->status[p]));
    csv_text(out, terminal, r->reason[p]);
    fputc('\n', out);
  }
}

void dcs_print_levels(const dcs_result *r, FILE *out)
{
  enum { NAMES = 4 };
  bool terminal = isatty(fileno(out)) != 0;
  fputs("point,point_hash,level,sigma", out);
  for (int i = 0; i < r->n_metrics; i++)
    if (r->metric[i].profile != NULL) csv_names(out, terminal, r->metric[i].name, NAMES);
  fputc('\n', out);
  for (int64_t p = 0; p < r->n_points; p++)
    for (int64_t k = r->level_first[p]; k < r->level_first[p + 1]; k++) {
      fprintf(out, "%" PRId64 ",%016" PRIx64 ",%" PRId64, p, r->hash[p], k - r->level_first[p]);
      csv_number(out, r->level[k]);
      for (int i = 0; i < r->n_metrics; i++)
        if (r->metric[i].profile != NULL) csv_estimate(out, &r->metric[i].profile[k]);
      fputc('\n', out);
    }
}

static void json_key(FILE *out, const char *key)
{
  dcs_print_json_string(out, key);
  fputs(": ", out);
}

static void json_number(FILE *out, double x)
{
  if (isfinite(x)) {
    fprintf(out, "%.17g", x);
  } else {
    fputs("null", out);
  }
}

static bool is_wanted(const dcs_result_metric *m, const char *metric)
{
  return metric == NULL || strcmp(m->name, metric) == 0;
}

/** {"name": ..., "units": ..., "long_name": ...} */
static void json_variable(FILE *out, bool first, const char *name, const char *unit, const char *long_name)
{
  fputs(first ? "\n    {" : ",\n    {", out);
  json_key(out, "name");
  dcs_print_json_string(out, name);
  fputs(", ", out);
  json_key(out, "units");
  dcs_print_json_string(out, unit);
  fputs(", ", out);
  json_key(out, "long_name");
  dcs_print_json_string(out, long_name);
  fputc('}', out);
}

static void json_point(const dcs_result *r, int64_t p, const char *metric, FILE *out)
{
  fprintf(out, "    {\"point_hash\": \"%016" PRIx64 "\"", r->hash[p]);
  for (int i = 0; i < r->n_columns; i++) {
    const dcs_column *c = &r->column[i];
    fputs(", ", out);
    json_key(out, c->name);
    if (c->is_text) dcs_print_json_string(out, c->text[p]);
    if (!c->is_text) json_number(out, c->number[p]);
  }
  for (int i = 0; i < r->n_metrics; i++) {
    const dcs_result_metric *m = &r->metric[i];
    if (!is_wanted(m, metric)) continue;
    fputs(", ", out);
    json_key(out, m->name);
    fputs("{\"value\": ", out);
    json_number(out, m->estimate[p].value);
    fputs(", \"se\": ", out);
    json_number(out, m->estimate[p].std_error);
    fputs(", \"bias\": ", out);
    json_number(out, m->estimate[p].bias_bound);
    fprintf(out, ", \"n\": %" PRId64 ", \"method\": ", m->estimate[p].n);
    dcs_print_json_string(out, m->method[p]);
    fputc('}', out);
  }
  fprintf(out, ", \"status\": \"%s\", \"reason\": ", dcs_point_status_word(r->status[p]));
  dcs_print_json_string(out, r->reason[p]);
  fputc('}', out);
}

void dcs_print_json(const dcs_result *r, const char *metric, FILE *out)
{
  bool first = true;
  fputs("{\n  \"study\": ", out);
  dcs_print_json_string(out, r->study);
  fputs(",\n  \"source\": ", out);
  dcs_print_json_string(out, r->source);
  fprintf(out, ",\n  \"seed\": %" PRIu64 ",\n  \"data_digest\": \"%016" PRIx64 "\",\n  \"columns\": [", r->seed,
          dcs_result_digest(r));
  for (int i = 0; i < r->n_columns; i++) {
    json_variable(out, i == 0, r->column[i].name, r->column[i].unit, r->column[i].long_name);
  }
  fputs("],\n  \"metrics\": [", out);
  for (int i = 0; i < r->n_metrics; i++) {
    const dcs_result_metric *m = &r->metric[i];
    if (!is_wanted(m, metric)) continue;
    json_variable(out, first, m->name, m->unit, m->long_name);
    first = false;
  }
  fputs("],\n  \"points\": [", out);
  for (int64_t p = 0; p < r->n_points; p++) {
    fputs(p == 0 ? "\n" : ",\n", out);
    json_point(r, p, metric, out);
  }
  fputs("]\n}\n", out);
}
