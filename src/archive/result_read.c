#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "archive/layout.h"

/** What no study has: it may have 100,000 points, and 32 axes beside the coordinates that every study has. Commands take
 *  these numbers for small: time that grows with the square of one of them, say. */
enum { POINTS_MOST = 100000, COLUMNS_MOST = 64, METRICS_MOST = 256 };

static dcs_status corrupt(dcs_h5 *h5, const char *name, const char *what)
{
  return dcs_fail(h5->err, DCS_ECORRUPT, "%s: %s: %s", h5->path, name, what);
}

static dcs_status no_memory(dcs_h5 *h5) { return dcs_fail(h5->err, DCS_ENOMEM, "%s: no memory for it", h5->path); }

static dcs_status get_root(dcs_h5 *h5, dcs_result *r)
{
  dcs_status st = DCS_OK;
  char *format = NULL;
  dcs_h5_kind kind;
  int32_t version = 0;
  DCS_TRY(dcs_h5_get_attribute(h5, h5->file, NULL, "format", &format));
  if (strcmp(format, DCS_FORMAT) != 0) DCS_TRY(corrupt(h5, "format", "not a result file of dcs"));
  DCS_TRY(dcs_h5_get_attribute_i32(h5, h5->file, "format_version", &version));
  if (version != DCS_FORMAT_VERSION) {
    DCS_TRY(corrupt(h5, "format_version", "written in another version of the format: use the dcs that wrote it"));
  }
  DCS_TRY(dcs_h5_get_attribute(h5, h5->file, NULL, "study", &r->study));
  DCS_TRY(dcs_h5_get_attribute(h5, h5->file, NULL, "source", &r->source));
  DCS_TRY(dcs_h5_get_attribute_u64(h5, h5->file, "seed", &r->seed));
  DCS_TRY(dcs_h5_get_attribute_u64(h5, h5->file, "study_hash", &r->study_hash));
  DCS_TRY(dcs_h5_look(h5, h5->file, "point", &kind, &r->n_points));
  if (r->n_points > POINTS_MOST) DCS_TRY(corrupt(h5, "point", "more points than a study can have"));
done:
  dcs_free(&format);
  return st;
}

static dcs_status get_column(dcs_h5 *h5, dcs_result *r, const char *name)
{
  dcs_status st = DCS_OK;
  dcs_h5_kind kind;
  int64_t rows, *integer = NULL;
  char *unit = NULL, *long_name = NULL;
  dcs_column *c = &r->column[r->n_columns++];
  if (dcs_strdup(name, &c->name) != DCS_OK) DCS_TRY(no_memory(h5));
  DCS_TRY(dcs_h5_get_attribute(h5, h5->file, name, "units", &unit));
  c->unit = unit;
  DCS_TRY(dcs_h5_get_attribute(h5, h5->file, name, "long_name", &long_name));
  c->long_name = long_name;
  DCS_TRY(dcs_h5_look(h5, h5->file, name, &kind, &rows));
  c->is_text = kind == DCS_H5_STRING;
  c->is_integer = kind == DCS_H5_I64;
  if (c->is_text) {
    DCS_TRY(dcs_h5_get_text(h5, h5->file, name, r->n_points, &c->text));
  } else if (c->is_integer) {
    DCS_TRY(dcs_h5_get(h5, h5->file, name, DCS_H5_I64, 0, r->n_points, 0, &integer));
    if (dcs_alloc((size_t)r->n_points, sizeof *c->number, &c->number) != DCS_OK) DCS_TRY(no_memory(h5));
    for (int64_t i = 0; i < r->n_points; i++) c->number[i] = (double)integer[i];
  } else {
    DCS_TRY(dcs_h5_get(h5, h5->file, name, DCS_H5_F64, 0, r->n_points, 0, &c->number));
  }
done:
  dcs_free(&integer);
  return st;
}

/** NAME, NAME_se, NAME_bias and NAME_n, [rows]. */
static dcs_status get_estimates(dcs_h5 *h5, hid_t where, const char *name, int64_t rows, dcs_estimate **out)
{
  dcs_status st = DCS_OK;
  static const char *const suffix[3] = {"", "_se", "_bias"};
  double *number[3] = {NULL};
  int64_t *count = NULL;
  size_t n_name = strlen(name) + 8;
  char *full = NULL;
  if (dcs_alloc(n_name, 1, &full) != DCS_OK) DCS_TRY(no_memory(h5));
  for (int i = 0; i < 3; i++) {
    snprintf(full, n_name, "%s%s", name, suffix[i]);
    DCS_TRY(dcs_h5_get(h5, where, full, DCS_H5_F64, 0, rows, 0, &number[i]));
  }
  snprintf(full, n_name, "%s_n", name);
  DCS_TRY(dcs_h5_get(h5, where, full, DCS_H5_I64, 0, rows, 0, &count));
  if (dcs_alloc((size_t)rows, sizeof **out, out) != DCS_OK) DCS_TRY(no_memory(h5));
  for (int64_t i = 0; i < rows; i++) {
    if (count[i] < 0) DCS_TRY(corrupt(h5, full, "a negative number of samples"));
    (*out)[i] = (dcs_estimate){number[0][i], number[1][i], number[2][i], count[i]};
  }
done:
  for (int i = 0; i < 3; i++) dcs_free(&number[i]);
  dcs_free(&count);
  dcs_free(&full);
  return st;
}

static dcs_status get_metric(dcs_h5 *h5, dcs_result *r, const char *name)
{
  dcs_status st = DCS_OK;
  size_t n_name = strlen(name) + 8;
  char *full = NULL;
  dcs_result_metric *m = &r->metric[r->n_metrics++];
  if (dcs_strdup(name, &m->name) != DCS_OK || dcs_alloc(n_name, 1, &full) != DCS_OK) DCS_TRY(no_memory(h5));
  DCS_TRY(dcs_h5_get_attribute(h5, h5->file, name, "units", &m->unit));
  DCS_TRY(dcs_h5_get_attribute(h5, h5->file, name, "long_name", &m->long_name));
  DCS_TRY(dcs_h5_get_attribute(h5, h5->file, name, "source", &m->source));
  DCS_TRY(get_estimates(h5, h5->file, name, r->n_points, &m->estimate));
  snprintf(full, n_name, "%s_method", name);
  DCS_TRY(dcs_h5_get_text(h5, h5->file, full, r->n_points, &m->method));
done:
  dcs_free(&full);
  return st;
}

/** Columns and metrics are the data sets that say so in `role`, in the order they were written. */
static dcs_status get_variables(dcs_h5 *h5, dcs_result *r)
{
  dcs_status st = DCS_OK;
  int64_t count = 0;
  char **name = NULL, *role = NULL;
  DCS_TRY(dcs_h5_names(h5, h5->file, &count, &name));
  if (count > INT32_MAX || dcs_alloc((size_t)count, sizeof *r->column, &r->column) != DCS_OK ||
      dcs_alloc((size_t)count, sizeof *r->metric, &r->metric) != DCS_OK) {
    DCS_TRY(no_memory(h5));
  }
  for (int64_t i = 0; i < count; i++) {
    if (!dcs_h5_has_attribute(h5->file, name[i], "role")) continue;
    DCS_TRY(dcs_h5_get_attribute(h5, h5->file, name[i], "role", &role));
    if (r->n_columns > COLUMNS_MOST || r->n_metrics > METRICS_MOST)
      DCS_TRY(corrupt(h5, name[i], "more coordinates or metrics than a study can have"));
    if (strcmp(role, DCS_ROLE_COLUMN) == 0) {
      DCS_TRY(get_column(h5, r, name[i]));
    } else if (strcmp(role, DCS_ROLE_METRIC) == 0) {
      DCS_TRY(get_metric(h5, r, name[i]));
    } else {
      DCS_TRY(corrupt(h5, name[i], "unknown role"));
    }
    dcs_free(&role);
  }
done:
  dcs_free(&role);
  dcs_h5_free_text(count, &name);
  return st;
}

static int compare_hash(const void *a, const void *b)
{
  uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return (x > y) - (x < y);
}

/** No point stands there twice: its blocks would be counted for each. */
static dcs_status check_hashes(dcs_h5 *h5, const dcs_result *r)
{
  dcs_status st = DCS_OK;
  size_t n = (size_t)r->n_points;
  uint64_t *sorted = NULL;
  if (dcs_alloc(n, sizeof *sorted, &sorted) != DCS_OK) return no_memory(h5);
  memcpy(sorted, r->hash, n * sizeof *sorted);
  qsort(sorted, n, sizeof *sorted, compare_hash);
  for (size_t i = 1; st == DCS_OK && i < n; i++)
    if (sorted[i] == sorted[i - 1]) st = corrupt(h5, "point_hash", "two points are the same");
  dcs_free(&sorted);
  return st;
}

static dcs_status get_states(dcs_h5 *h5, dcs_result *r)
{
  dcs_status st = DCS_OK;
  int32_t *status = NULL;
  DCS_TRY(dcs_h5_get(h5, h5->file, "status", DCS_H5_I32, 0, r->n_points, 0, &status));
  if (dcs_alloc((size_t)r->n_points, sizeof *r->status, &r->status) != DCS_OK) DCS_TRY(no_memory(h5));
  for (int64_t i = 0; i < r->n_points; i++) {
    if (status[i] < DCS_POINT_OK || status[i] > DCS_POINT_FAILED) DCS_TRY(corrupt(h5, "status", "unknown status"));
    r->status[i] = status[i];
  }
  DCS_TRY(dcs_h5_get(h5, h5->file, "point_hash", DCS_H5_U64, 0, r->n_points, 0, &r->hash));
  DCS_TRY(check_hashes(h5, r));
  DCS_TRY(dcs_h5_get_text(h5, h5->file, "reason", r->n_points, &r->reason));
done:
  dcs_free(&status);
  return st;
}

static dcs_status get_levels(dcs_h5 *h5, dcs_result *r)
{
  dcs_status st = DCS_OK;
  hid_t group = H5I_INVALID_HID;
  dcs_h5_kind kind;
  int64_t n_levels, n = r->n_points;
  DCS_TRY(dcs_h5_group_open(h5, "levels", &group));
  DCS_TRY(dcs_h5_get(h5, group, "level_first", DCS_H5_I64, 0, n + 1, 0, &r->level_first));
  DCS_TRY(dcs_h5_look(h5, group, "level", &kind, &n_levels));
  bool sound = r->level_first[0] == 0 && r->level_first[n] == n_levels;
  for (int64_t i = 0; i < n; i++) sound = sound && r->level_first[i] <= r->level_first[i + 1];
  if (!sound) DCS_TRY(corrupt(h5, "level_first", "offsets are out of order or do not end where level ends"));
  DCS_TRY(dcs_h5_get(h5, group, "level", DCS_H5_F64, 0, n_levels, 0, &r->level));
  for (int64_t i = 0; i < n_levels; i++) {
    if (!(r->level[i] >= 0 && isfinite(r->level[i])))
      DCS_TRY(corrupt(h5, "level", "a level is not a finite number >= 0"));
  }
  for (int i = 0; i < r->n_metrics; i++) {
    dcs_result_metric *m = &r->metric[i];
    if (dcs_h5_has(group, m->name)) DCS_TRY(get_estimates(h5, group, m->name, n_levels, &m->profile));
  }
done:
  dcs_h5_release(group);
  return st;
}

static dcs_status get_records(dcs_h5 *h5, dcs_result *r)
{
  dcs_status st = DCS_OK;
  hid_t group = H5I_INVALID_HID;
  dcs_h5_kind kind;
  int n_fields;
  int64_t count;
  char *data = NULL;
  const dcs_record_field *field = dcs_record_fields(&n_fields);
  dcs_records *records = &r->records;
  DCS_TRY(dcs_h5_group_open(h5, "records", &group));
  DCS_TRY(dcs_h5_look(h5, group, "record", &kind, &count));
  if (dcs_reserve(&records->record, &records->capacity, (size_t)count, sizeof *records->record) != DCS_OK) {
    DCS_TRY(no_memory(h5));
  }
  for (int i = 0; i < n_fields; i++) {
    const dcs_record_field *f = &field[i];
    size_t bytes = f->width * (size_t)(f->cols == 0 ? 1 : f->cols);
    DCS_TRY(dcs_h5_get(h5, group, f->name, f->kind, f->width, count, f->cols, &data));
    for (int64_t k = 0; k < count; k++) {
      memcpy((char *)&records->record[k] + f->offset, data + (size_t)k * bytes, bytes);
    }
    dcs_free(&data);
  }
  records->count = count;
  for (int64_t k = 0; k < count; k++) {
    if (!dcs_record_is_valid(&records->record[k])) DCS_TRY(corrupt(h5, "records", "a number is out of range"));
    if (k > 0 && dcs_record_compare(&records->record[k - 1], &records->record[k]) >= 0) {
      DCS_TRY(corrupt(h5, "records", "blocks are repeated or out of order"));
    }
  }
done:
  dcs_free(&data);
  dcs_h5_release(group);
  return st;
}

static dcs_status get_config(dcs_h5 *h5, dcs_result *r)
{
  dcs_status st = DCS_OK;
  hid_t group = H5I_INVALID_HID;
  DCS_TRY(dcs_h5_group_open(h5, "config", &group));
  DCS_TRY(dcs_h5_get_string(h5, group, "text", &r->text));
  DCS_TRY(dcs_h5_get_string(h5, group, "canonical", &r->canonical));
done:
  dcs_h5_release(group);
  return st;
}

static dcs_status get_provenance(dcs_h5 *h5, dcs_result *r)
{
  dcs_status st = DCS_OK;
  hid_t group = H5I_INVALID_HID;
  double *wall_s = NULL;
  DCS_TRY(dcs_h5_group_open(h5, "provenance", &group));
  DCS_TRY(dcs_h5_get_attributes(h5, group, &r->provenance));
  DCS_TRY(dcs_h5_get(h5, group, "wall_s", DCS_H5_F64, 0, r->n_points, 0, &r->wall_s));
  DCS_TRY(dcs_h5_get(h5, group, "record_wall_s", DCS_H5_F64, 0, r->records.count, 0, &wall_s));
  for (int64_t i = 0; i < r->records.count; i++) r->records.record[i].wall_s = wall_s[i];
done:
  dcs_free(&wall_s);
  dcs_h5_release(group);
  return st;
}

static dcs_status check_digest(dcs_h5 *h5, const dcs_result *r)
{
  char *stored = NULL, computed[32];
  dcs_status st = dcs_h5_get_attribute(h5, h5->file, NULL, "data_digest", &stored);
  if (st != DCS_OK) return st;
  snprintf(computed, sizeof computed, "%016" PRIx64, dcs_result_digest(r));
  if (strcmp(stored, computed) != 0) {
    st = dcs_fail(h5->err, DCS_ECORRUPT,
                  "%s: data digest differs: %.32s is stored, %s is computed: the data were changed", h5->path, stored,
                  computed);
  }
  dcs_free(&stored);
  return st;
}

dcs_status dcs_result_get(dcs_h5 *h5, dcs_result **out)
{
  dcs_status st = DCS_OK;
  dcs_result *r = NULL;
  *out = NULL;
  if (dcs_alloc(1, sizeof *r, &r) != DCS_OK) return no_memory(h5);
  r->owns_text = true;
  DCS_TRY(get_root(h5, r));
  DCS_TRY(get_variables(h5, r));
  DCS_TRY(get_states(h5, r));
  DCS_TRY(get_levels(h5, r));
  DCS_TRY(get_records(h5, r));
  DCS_TRY(get_config(h5, r));
  DCS_TRY(get_provenance(h5, r));
  DCS_TRY(check_digest(h5, r));
  *out = r;
  return DCS_OK;
done:
  dcs_result_destroy(&r);
  return st;
}

dcs_status dcs_result_read(const char *path, dcs_result **out, dcs_error *err)
{
  dcs_h5 h5;
  *out = NULL;
  dcs_status st = dcs_h5_open(&h5, path, err);
  if (st == DCS_OK) st = dcs_result_get(&h5, out);
  dcs_h5_close(&h5);
  return st;
}
