#include "archive/print.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

const char *dcs_point_status_word(int status)
{
  static const char *const word[] = {DCS_POINT_STATUS_WORDS};
  return status >= 0 && status < (int)(sizeof word / sizeof *word) ? word[status] : "unknown";
}

static void csv_text(FILE *out, const char *text)
{
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
  static const char *const suffix[] = {"", "_se", "_bias", "_n", "_method"};
  fputs("point_hash", out);
  for (int i = 0; i < r->n_columns; i++) {
    fputc(',', out);
    csv_text(out, r->column[i].name);
  }
  for (int i = 0; i < r->n_metrics; i++) {
    for (int k = 0; k < 5; k++) fprintf(out, ",%s%s", r->metric[i].name, suffix[k]);
  }
  fputs(",status,reason\n", out);
  for (int64_t p = 0; p < r->n_points; p++) {
    fprintf(out, "%016" PRIx64, r->hash[p]);
    for (int i = 0; i < r->n_columns; i++) {
      if (!r->column[i].is_text) {
        csv_number(out, r->column[i].number[p]);
        continue;
      }
      fputc(',', out);
      csv_text(out, r->column[i].text[p]);
    }
    for (int i = 0; i < r->n_metrics; i++) {
      csv_estimate(out, &r->metric[i].estimate[p]);
      fputc(',', out);
      csv_text(out, r->metric[i].method[p]);
    }
    fprintf(out, ",%s,", dcs_point_status_word(r->status[p]));
    csv_text(out, r->reason[p]);
    fputc('\n', out);
  }
}

void dcs_print_levels(const dcs_result *r, FILE *out)
{
  fputs("point,point_hash,level,sigma", out);
  for (int i = 0; i < r->n_metrics; i++) {
    const char *name = r->metric[i].name;
    if (r->metric[i].profile != NULL) fprintf(out, ",%s,%s_se,%s_bias,%s_n", name, name, name, name);
  }
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

static void json_text(FILE *out, const char *text)
{
  fputc('"', out);
  for (; text != NULL && *text != 0; text++) {
    unsigned char c = (unsigned char)*text;
    if (c == '"' || c == '\\') {
      fprintf(out, "\\%c", c);
    } else if (c < 0x20) {
      fprintf(out, "\\u%04x", c);
    } else {
      fputc(c, out);
    }
  }
  fputc('"', out);
}

static void json_key(FILE *out, const char *key)
{
  json_text(out, key);
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
  json_text(out, name);
  fputs(", ", out);
  json_key(out, "units");
  json_text(out, unit);
  fputs(", ", out);
  json_key(out, "long_name");
  json_text(out, long_name);
  fputc('}', out);
}

static void json_point(const dcs_result *r, int64_t p, const char *metric, FILE *out)
{
  fprintf(out, "    {\"point_hash\": \"%016" PRIx64 "\"", r->hash[p]);
  for (int i = 0; i < r->n_columns; i++) {
    const dcs_column *c = &r->column[i];
    fputs(", ", out);
    json_key(out, c->name);
    if (c->is_text) json_text(out, c->text[p]);
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
    json_text(out, m->method[p]);
    fputc('}', out);
  }
  fprintf(out, ", \"status\": \"%s\", \"reason\": ", dcs_point_status_word(r->status[p]));
  json_text(out, r->reason[p]);
  fputc('}', out);
}

void dcs_print_json(const dcs_result *r, const char *metric, FILE *out)
{
  bool first = true;
  fputs("{\n  \"study\": ", out);
  json_text(out, r->study);
  fputs(",\n  \"source\": ", out);
  json_text(out, r->source);
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
