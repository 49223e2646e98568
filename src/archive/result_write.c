#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "archive/layout.h"

static const char conventions[] =
    "Dimension point: one combination of grid values. NAME_se is one standard error of NAME (0: exact); NAME_bias "
    "bounds "
    "|E[NAME] - truth| (inf: unknown); NAME_n counts independent samples (0: exact); NAME_method is the estimator; a "
    "missing value is NaN, status and reason say why. Divergences are in nat, noise levels in data units. Noise levels "
    "of "
    "point i: /levels/level[level_first[i] .. level_first[i+1]), and beside them in /levels the metrics measured level "
    "by "
    "level. /provenance is not data: data_digest leaves it out.";

/** Integer columns are stored as such unless a value (NaN: does not apply) is no integer. */
static bool all_integers(const dcs_column *column, int64_t n)
{
  for (int64_t i = 0; i < n; i++) {
    if (!(fabs(column->number[i]) < 0x1p53) || column->number[i] != trunc(column->number[i])) return false;
  }
  return true;
}

static dcs_status put_integers(dcs_h5 *h5, hid_t where, dcs_h5_var var, const double *number)
{
  int64_t *integer = NULL;
  dcs_status st = dcs_alloc((size_t)var.rows, sizeof *integer, &integer);
  if (st != DCS_OK) return dcs_fail(h5->err, st, "%s: no memory for '%s'", h5->path, var.name);
  for (int64_t i = 0; i < var.rows; i++) integer[i] = (int64_t)number[i];
  var.kind = DCS_H5_I64;
  var.data = integer;
  st = dcs_h5_put(h5, where, &var);
  dcs_free(&integer);
  return st;
}

static dcs_status put_column(dcs_h5 *h5, const dcs_result *r, const dcs_column *column)
{
  dcs_h5_var var = {.name = column->name,
                    .kind = DCS_H5_F64,
                    .rows = r->n_points,
                    .data = column->number,
                    .dim = {"/point"},
                    .unit = column->unit,
                    .long_name = column->long_name,
                    .source = "study file"};
  dcs_status st = column->is_text ? dcs_h5_put_text(h5, h5->file, var, column->text)
                  : column->is_integer && all_integers(column, r->n_points)
                      ? put_integers(h5, h5->file, var, column->number)
                      : dcs_h5_put(h5, h5->file, &var);
  return st != DCS_OK ? st : dcs_h5_put_attribute(h5, h5->file, column->name, "role", DCS_ROLE_COLUMN);
}

/** NAME, NAME_se, NAME_bias and NAME_n of a metric: values over the points, or over the levels. */
static dcs_status put_estimates(dcs_h5 *h5, hid_t where, const dcs_result_metric *m, const char *long_name,
                                int64_t rows, const char *dim, const dcs_estimate *estimate)
{
  dcs_status st = DCS_OK;
  size_t n = (size_t)rows, n_name = strlen(m->name) + 8;
  double *number = NULL;
  int64_t *count = NULL;
  char *name = NULL;
  if (dcs_alloc(3 * n, sizeof *number, &number) != DCS_OK || dcs_alloc(n, sizeof *count, &count) != DCS_OK ||
      dcs_alloc(n_name, 1, &name) != DCS_OK) {
    DCS_TRY(dcs_fail(h5->err, DCS_ENOMEM, "%s: no memory for '%s'", h5->path, m->name));
  }
  for (size_t i = 0; i < n; i++) {
    number[i] = estimate[i].value;
    number[n + i] = estimate[i].std_error;
    number[2 * n + i] = estimate[i].bias_bound;
    count[i] = estimate[i].n;
  }
  const struct {
    const char *suffix, *unit, *long_name;
    const void *data;
  } part[] = {{"", m->unit, long_name, number},
              {"_se", m->unit, "standard error; 0: exact", number + n},
              {"_bias", m->unit, "bound on the bias; inf: unknown", number + 2 * n},
              {"_n", "1", "independent samples; 0: exact", count}};
  for (size_t i = 0; i < sizeof part / sizeof *part; i++) {
    snprintf(name, n_name, "%s%s", m->name, part[i].suffix);
    DCS_TRY(dcs_h5_put(h5, where,
                       &(dcs_h5_var){.name = name,
                                     .kind = part[i].data == count ? DCS_H5_I64 : DCS_H5_F64,
                                     .rows = rows,
                                     .data = part[i].data,
                                     .dim = {dim},
                                     .unit = part[i].unit,
                                     .long_name = part[i].long_name,
                                     .source = m->source}));
  }
done:
  dcs_free(&name);
  dcs_free(&count);
  dcs_free(&number);
  return st;
}

static dcs_status put_metric(dcs_h5 *h5, const dcs_result *r, const dcs_result_metric *m)
{
  dcs_status st = DCS_OK;
  char *name = NULL;
  size_t n_name = strlen(m->name) + 8;
  DCS_TRY(put_estimates(h5, h5->file, m, m->long_name, r->n_points, "/point", m->estimate));
  DCS_TRY(dcs_h5_put_attribute(h5, h5->file, m->name, "role", DCS_ROLE_METRIC));
  st = dcs_alloc(n_name, 1, &name);
  if (st != DCS_OK) DCS_TRY(dcs_fail(h5->err, st, "%s: no memory for '%s'", h5->path, m->name));
  snprintf(name, n_name, "%s_method", m->name);
  DCS_TRY(dcs_h5_put_text(h5, h5->file,
                          (dcs_h5_var){.name = name,
                                       .rows = r->n_points,
                                       .dim = {"/point"},
                                       .unit = "",
                                       .long_name = "estimator that measured it",
                                       .source = m->source},
                          m->method));
done:
  dcs_free(&name);
  return st;
}

/** Global attribute `coordinates` (CF): lets xarray tell coordinates from measurements. */
static dcs_status put_coordinates(dcs_h5 *h5, const dcs_result *r)
{
  size_t length = 1;
  char *list = NULL;
  for (int i = 0; i < r->n_columns; i++) length += strlen(r->column[i].name) + 1;
  dcs_status st = dcs_alloc(length, 1, &list);
  if (st != DCS_OK) return dcs_fail(h5->err, st, "%s: no memory for its names", h5->path);
  for (int i = 0; i < r->n_columns; i++) {
    if (i > 0) strcat(list, " ");
    strcat(list, r->column[i].name);
  }
  st = dcs_h5_put_attribute(h5, h5->file, NULL, "coordinates", list);
  dcs_free(&list);
  return st;
}

static dcs_status put_root(dcs_h5 *h5, const dcs_result *r)
{
  dcs_status st = DCS_OK;
  char title[256], digest[32];
  static const char *const words[] = {DCS_POINT_STATUS_WORDS};
  int32_t flags[sizeof words / sizeof *words];
  char meanings[128] = "";
  snprintf(title, sizeof title, "Convergence study %s", r->study);
  snprintf(digest, sizeof digest, "%016" PRIx64, dcs_result_digest(r));
  DCS_TRY(dcs_h5_put_attribute(h5, h5->file, NULL, "title", title));
  DCS_TRY(dcs_h5_put_attribute(h5, h5->file, NULL, "study", r->study));
  DCS_TRY(dcs_h5_put_attribute(h5, h5->file, NULL, "source", r->source));
  DCS_TRY(dcs_h5_put_attribute(h5, h5->file, NULL, "format", DCS_FORMAT));
  DCS_TRY(dcs_h5_put_attribute_i32(h5, h5->file, NULL, "format_version", 1, &(int32_t){DCS_FORMAT_VERSION}));
  DCS_TRY(dcs_h5_put_attribute(h5, h5->file, NULL, "conventions", conventions));
  DCS_TRY(dcs_h5_put_attribute(h5, h5->file, NULL, "data_digest", digest));
  DCS_TRY(dcs_h5_put_attribute_u64(h5, h5->file, "seed", r->seed));
  DCS_TRY(dcs_h5_put_attribute_u64(h5, h5->file, "study_hash", r->study_hash));
  DCS_TRY(put_coordinates(h5, r));
  DCS_TRY(dcs_h5_put_index(h5, h5->file, "point", r->n_points, "one combination of grid values"));
  for (int i = 0; i < r->n_columns; i++) DCS_TRY(put_column(h5, r, &r->column[i]));
  for (int i = 0; i < r->n_metrics; i++) DCS_TRY(put_metric(h5, r, &r->metric[i]));

  dcs_h5_var var = {.rows = r->n_points, .dim = {"/point"}, .unit = "1", .source = "dcs run"};
  var.name = "status";
  var.kind = DCS_H5_I32;
  var.data = r->status;
  var.long_name = "how the measurement of the point ended";
  DCS_TRY(dcs_h5_put(h5, h5->file, &var));
  for (int i = 0; i < (int)(sizeof words / sizeof *words); i++) {
    flags[i] = i;
    if (i > 0) strcat(meanings, " ");
    strcat(meanings, words[i]);
  }
  DCS_TRY(dcs_h5_put_attribute_i32(h5, h5->file, "status", "flag_values", sizeof words / sizeof *words, flags));
  DCS_TRY(dcs_h5_put_attribute(h5, h5->file, "status", "flag_meanings", meanings));
  var.name = "point_hash";
  var.kind = DCS_H5_U64;
  var.data = r->hash;
  var.long_name = "identity of the point: hash of its physics";
  DCS_TRY(dcs_h5_put(h5, h5->file, &var));
  var.name = "reason";
  var.unit = "";
  var.long_name = "why the status is not ok";
  DCS_TRY(dcs_h5_put_text(h5, h5->file, var, r->reason));
done:
  return st;
}

static dcs_status put_levels(dcs_h5 *h5, const dcs_result *r)
{
  dcs_status st = DCS_OK;
  hid_t group = H5I_INVALID_HID;
  DCS_TRY(dcs_h5_group_create(h5, "levels", &group));
  DCS_TRY(dcs_h5_put_index(h5, group, "point_edge", r->n_points + 1, "boundaries between points"));
  DCS_TRY(dcs_h5_put(h5, group,
                     &(dcs_h5_var){.name = "level_first",
                                   .kind = DCS_H5_I64,
                                   .rows = r->n_points + 1,
                                   .data = r->level_first,
                                   .dim = {"/levels/point_edge"},
                                   .unit = "1",
                                   .long_name = "first entry of each point in level; the last one is their number",
                                   .source = "schedule"}));
  DCS_TRY(dcs_h5_put(h5, group,
                     &(dcs_h5_var){.name = "level",
                                   .kind = DCS_H5_F64,
                                   .rows = r->level_first[r->n_points],
                                   .data = r->level,
                                   .unit = "data units",
                                   .long_name = "noise levels used, descending within a point",
                                   .source = "schedule"}));
  for (int i = 0; i < r->n_metrics; i++) {
    const dcs_result_metric *m = &r->metric[i];
    if (m->profile == NULL) continue;
    DCS_TRY(put_estimates(h5, group, m, m->long_name, r->level_first[r->n_points], "/levels/level", m->profile));
  }
done:
  dcs_h5_release(group);
  return st;
}

static dcs_status put_field(dcs_h5 *h5, hid_t group, const dcs_records *records, const dcs_record_field *field)
{
  size_t n = (size_t)records->count, bytes = field->width * (size_t)(field->cols == 0 ? 1 : field->cols);
  char *data = NULL;
  dcs_status st = dcs_alloc(n, bytes, &data);
  if (st != DCS_OK) return dcs_fail(h5->err, st, "%s: no memory for '%s'", h5->path, field->name);
  for (size_t i = 0; i < n; i++) {
    memcpy(data + i * bytes, (const char *)&records->record[i] + field->offset, bytes);
  }
  st = dcs_h5_put(h5, group,
                  &(dcs_h5_var){.name = field->name,
                                .kind = field->kind,
                                .width = field->width,
                                .rows = records->count,
                                .cols = field->cols,
                                .data = data,
                                .dim = {"/records/record", "/records/quantity"},
                                .unit = field->unit,
                                .long_name = field->long_name,
                                .source = "dcs run"});
  dcs_free(&data);
  return st;
}

static dcs_status put_records(dcs_h5 *h5, const dcs_result *r)
{
  dcs_status st = DCS_OK;
  hid_t group = H5I_INVALID_HID;
  int n_fields;
  const dcs_record_field *field = dcs_record_fields(&n_fields);
  DCS_TRY(dcs_h5_group_create(h5, "records", &group));
  DCS_TRY(dcs_h5_put_index(h5, group, "record", r->records.count, "one finished block"));
  DCS_TRY(dcs_h5_put_index(h5, group, "quantity", DCS_SUMS_MAX, "quantity of the estimator"));
  for (int i = 0; i < n_fields; i++) DCS_TRY(put_field(h5, group, &r->records, &field[i]));
done:
  dcs_h5_release(group);
  return st;
}

static dcs_status put_config(dcs_h5 *h5, const dcs_result *r)
{
  hid_t group = H5I_INVALID_HID;
  dcs_status st = DCS_OK;
  DCS_TRY(dcs_h5_group_create(h5, "config", &group));
  DCS_TRY(dcs_h5_put_string(h5, group, "text", r->text, "study file as it was read"));
  DCS_TRY(dcs_h5_put_string(h5, group, "canonical", r->canonical, "every key with the value used, overrides applied"));
done:
  dcs_h5_release(group);
  return st;
}

/** "key\tvalue\n" lines to one attribute each. */
static dcs_status put_lines(dcs_h5 *h5, hid_t group, const char *lines)
{
  char *copy = NULL;
  dcs_status st = dcs_strdup(lines == NULL ? "" : lines, &copy);
  if (st != DCS_OK) return dcs_fail(h5->err, st, "%s: no memory for its provenance", h5->path);
  for (char *key = copy, *next; *key != 0; key = next) {
    char *end = strchr(key, '\n'), *tab;
    next = end == NULL ? key + strlen(key) : end + 1;
    if (end != NULL) *end = 0;
    tab = strchr(key, '\t');
    if (tab == NULL || tab == key) DCS_TRY(dcs_fail(h5->err, DCS_EARG, "%s: provenance line without key", h5->path));
    *tab = 0;
    DCS_TRY(dcs_h5_put_attribute(h5, group, NULL, key, tab + 1));
  }
done:
  dcs_free(&copy);
  return st;
}

static dcs_status put_provenance(dcs_h5 *h5, const dcs_result *r)
{
  dcs_status st = DCS_OK;
  hid_t group = H5I_INVALID_HID;
  double *wall_s = NULL;
  DCS_TRY(dcs_h5_group_create(h5, "provenance", &group));
  DCS_TRY(put_lines(h5, group, r->provenance));
  dcs_h5_var var = {.name = "wall_s",
                    .kind = DCS_H5_F64,
                    .rows = r->n_points,
                    .data = r->wall_s,
                    .dim = {"/point"},
                    .unit = "s",
                    .long_name = "time spent on the point, over all ranks",
                    .source = "clock"};
  DCS_TRY(dcs_h5_put(h5, group, &var));
  DCS_TRY(dcs_h5_put_index(h5, group, "record", r->records.count, "one finished block, as in /records"));
  st = dcs_alloc((size_t)r->records.count, sizeof *wall_s, &wall_s);
  if (st != DCS_OK) DCS_TRY(dcs_fail(h5->err, st, "%s: no memory for its times", h5->path));
  for (int64_t i = 0; i < r->records.count; i++) wall_s[i] = r->records.record[i].wall_s;
  var.name = "record_wall_s";
  var.rows = r->records.count;
  var.data = wall_s;
  var.dim[0] = "/provenance/record";
  var.long_name = "time spent on the block";
  DCS_TRY(dcs_h5_put(h5, group, &var));
done:
  dcs_free(&wall_s);
  dcs_h5_release(group);
  return st;
}

dcs_status dcs_result_put(dcs_h5 *h5, const dcs_result *result)
{
  dcs_status st = DCS_OK;
  DCS_TRY(put_root(h5, result));
  DCS_TRY(put_levels(h5, result));
  DCS_TRY(put_records(h5, result));
  DCS_TRY(put_config(h5, result));
  DCS_TRY(put_provenance(h5, result));
done:
  return st;
}

dcs_status dcs_result_write(const char *path, const dcs_result *result, dcs_error *err)
{
  dcs_status st = DCS_OK;
  dcs_h5 h5;
  DCS_TRY(dcs_h5_create(&h5, path, err));
  DCS_TRY(dcs_result_put(&h5, result));
  DCS_TRY(dcs_h5_save(&h5));
done:
  dcs_h5_close(&h5);
  return st;
}
