#include "archive/result.h"

#include <string.h>

static void free_texts(int64_t count, char ***text)
{
  if (*text == NULL) return;
  for (int64_t i = 0; i < count; i++) dcs_free(&(*text)[i]);
  dcs_free(text);
}

static void column_destroy(dcs_column *column, int64_t n_points, bool owns_text)
{
  dcs_free(&column->name);
  dcs_free(&column->number);
  free_texts(n_points, &column->text);
  if (owns_text) {
    dcs_free(&column->unit);
    dcs_free(&column->long_name);
  }
}

static void metric_destroy(dcs_result_metric *metric, int64_t n_points)
{
  dcs_free(&metric->name);
  dcs_free(&metric->unit);
  dcs_free(&metric->long_name);
  dcs_free(&metric->source);
  dcs_free(&metric->estimate);
  dcs_free(&metric->profile);
  free_texts(n_points, &metric->method);
}

void dcs_result_destroy(dcs_result **result)
{
  dcs_result *r = *result;
  if (r == NULL) return;
  for (int i = 0; r->column != NULL && i < r->n_columns; i++) {
    column_destroy(&r->column[i], r->n_points, r->owns_text);
  }
  for (int i = 0; r->metric != NULL && i < r->n_metrics; i++) metric_destroy(&r->metric[i], r->n_points);
  free_texts(r->n_points, &r->reason);
  dcs_records_destroy(&r->records);
  void *owned[] = {&r->study,  &r->source, &r->text,   &r->canonical,   &r->hash,  &r->column,
                   &r->metric, &r->status, &r->wall_s, &r->level_first, &r->level, &r->provenance};
  for (size_t i = 0; i < sizeof owned / sizeof *owned; i++) dcs_free(owned[i]);
  dcs_free(result);
}

/** Chain: each piece enters with its length, so that no two lists of pieces run together. */
static void digest_add(uint64_t *digest, const void *bytes, size_t n)
{
  uint64_t link[3] = {*digest, n, dcs_hash_bytes(bytes, n)};
  *digest = dcs_hash_bytes(link, sizeof link);
}

static void digest_text(uint64_t *digest, const char *text)
{
  digest_add(digest, text == NULL ? "" : text, text == NULL ? 0 : strlen(text));
}

static void digest_texts(uint64_t *digest, char *const *text, int64_t count)
{
  for (int64_t i = 0; i < count; i++) digest_text(digest, text[i]);
}

uint64_t dcs_result_digest(const dcs_result *r)
{
  uint64_t digest = 0;
  size_t n = (size_t)r->n_points;
  int64_t n_levels = r->level_first[n];
  uint64_t numbers[] = {
      r->seed, r->study_hash, n, (uint64_t)r->n_columns, (uint64_t)r->n_metrics, (uint64_t)r->records.count};
  digest_add(&digest, numbers, sizeof numbers);
  digest_text(&digest, r->study);
  digest_text(&digest, r->source);
  digest_text(&digest, r->text);
  digest_text(&digest, r->canonical);
  digest_add(&digest, r->hash, n * sizeof *r->hash);
  for (int i = 0; i < r->n_columns; i++) {
    const dcs_column *c = &r->column[i];
    digest_text(&digest, c->name);
    digest_text(&digest, c->unit);
    digest_text(&digest, c->long_name);
    if (c->is_text) digest_texts(&digest, c->text, r->n_points);
    if (!c->is_text) digest_add(&digest, c->number, n * sizeof *c->number);
  }
  for (int i = 0; i < r->n_metrics; i++) {
    const dcs_result_metric *m = &r->metric[i];
    digest_text(&digest, m->name);
    digest_text(&digest, m->unit);
    digest_text(&digest, m->long_name);
    digest_text(&digest, m->source);
    digest_add(&digest, m->estimate, n * sizeof *m->estimate);
    digest_texts(&digest, m->method, r->n_points);
    if (m->profile != NULL) digest_add(&digest, m->profile, (size_t)n_levels * sizeof *m->profile);
  }
  digest_add(&digest, r->status, n * sizeof *r->status);
  digest_texts(&digest, r->reason, r->n_points);
  digest_add(&digest, r->level_first, (n + 1) * sizeof *r->level_first);
  digest_add(&digest, r->level, (size_t)n_levels * sizeof *r->level);
  for (int64_t i = 0; i < r->records.count; i++) {
    dcs_record record = r->records.record[i];
    record.wall_s = 0; /* time is not data */
    digest_add(&digest, &record, sizeof record);
  }
  return digest;
}

int dcs_result_metric_find(const dcs_result *result, const char *name)
{
  for (int i = 0; i < result->n_metrics; i++) {
    if (strcmp(result->metric[i].name, name) == 0) return i;
  }
  return -1;
}

int dcs_result_column_find(const dcs_result *result, const char *name)
{
  for (int i = 0; i < result->n_columns; i++) {
    if (strcmp(result->column[i].name, name) == 0) return i;
  }
  return -1;
}
