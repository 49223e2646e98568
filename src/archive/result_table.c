#include <string.h>

#include "archive/layout.h"

static const char *const groups[] = {"fits", "claims"};
enum { N_GROUPS = sizeof groups / sizeof *groups };

dcs_status dcs_table_put(dcs_h5 *h5, const char *group, const dcs_table *table)
{
  dcs_status st = DCS_OK;
  hid_t where = H5I_INVALID_HID;
  const char *row = strcmp(group, "fits") == 0 ? "/fits/row" : "/claims/row";
  const char *source =
      strcmp(group, "fits") == 0 ? "dcs fit, from the data of this file" : "dcs check, from the data of this file";
  DCS_TRY(dcs_h5_group_create(h5, group, &where));
  DCS_TRY(dcs_h5_put_index(h5, where, "row", table->n_rows, "row of the table"));
  for (int i = 0; i < table->n_columns; i++) {
    dcs_h5_var var = {.name = table->name[i],
                      .kind = DCS_H5_F64,
                      .rows = table->n_rows,
                      .data = table->number[i],
                      .dim = {row},
                      .unit = "",
                      .long_name = table->name[i],
                      .source = source};
    if (table->number[i] != NULL) DCS_TRY(dcs_h5_put(h5, where, &var));
    if (table->number[i] == NULL) DCS_TRY(dcs_h5_put_text(h5, where, var, table->text[i]));
  }
done:
  dcs_h5_release(where);
  return st;
}

dcs_status dcs_table_get(dcs_h5 *h5, const char *group, dcs_table_copy *table)
{
  dcs_status st = DCS_OK;
  hid_t where = H5I_INVALID_HID;
  int64_t count = 0;
  char **name = NULL;
  dcs_h5_kind kind;
  *table = (dcs_table_copy){0};
  if (!dcs_h5_has(h5->file, group)) return DCS_OK;
  DCS_TRY(dcs_h5_group_open(h5, group, &where));
  DCS_TRY(dcs_h5_names(h5, where, &count, &name));
  DCS_TRY(dcs_h5_look(h5, where, "row", &kind, &table->n_rows));
  if (count > INT32_MAX || dcs_alloc((size_t)count, sizeof *table->name, &table->name) != DCS_OK ||
      dcs_alloc((size_t)count, sizeof *table->number, &table->number) != DCS_OK ||
      dcs_alloc((size_t)count, sizeof *table->text, &table->text) != DCS_OK) {
    DCS_TRY(dcs_fail(h5->err, DCS_ENOMEM, "%s: no memory for its table '%s'", h5->path, group));
  }
  for (int64_t i = 0; i < count; i++) {
    if (strcmp(name[i], "row") == 0) continue;
    int k = table->n_columns++;
    int64_t rows;
    table->name[k] = name[i];
    name[i] = NULL;
    DCS_TRY(dcs_h5_look(h5, where, table->name[k], &kind, &rows));
    st = kind == DCS_H5_STRING
             ? dcs_h5_get_text(h5, where, table->name[k], table->n_rows, &table->text[k])
             : dcs_h5_get(h5, where, table->name[k], DCS_H5_F64, 0, table->n_rows, 0, &table->number[k]);
    if (st != DCS_OK) goto done;
  }
  table->present = true;
done:
  dcs_h5_free_text(count, &name);
  dcs_h5_release(where);
  if (st != DCS_OK) dcs_table_copy_destroy(table);
  return st;
}

void dcs_table_copy_destroy(dcs_table_copy *table)
{
  for (int i = 0; i < table->n_columns; i++) {
    dcs_free(&table->name[i]);
    dcs_free(&table->number[i]);
    dcs_h5_free_text(table->n_rows, &table->text[i]);
  }
  dcs_free(&table->name);
  dcs_free(&table->number);
  dcs_free(&table->text);
  *table = (dcs_table_copy){0};
}

dcs_status dcs_result_write_table(const char *path, const char *group, const dcs_table *table, dcs_error *err)
{
  dcs_status st = DCS_OK;
  dcs_result *result = NULL;
  dcs_table_copy old[N_GROUPS] = {{0}};
  dcs_h5 h5;
  bool known = false;
  for (int i = 0; i < N_GROUPS; i++) known = known || strcmp(group, groups[i]) == 0;
  if (!known) return dcs_fail(err, DCS_EARG, "%s: no table may be called '%s'", path, group);

  /* The file is written anew: deleting a group in place would leave holes and endanger the only copy. */
  DCS_TRY(dcs_h5_open(&h5, path, err));
  DCS_TRY(dcs_result_get(&h5, &result));
  for (int i = 0; i < N_GROUPS; i++) {
    if (strcmp(group, groups[i]) != 0) DCS_TRY(dcs_table_get(&h5, groups[i], &old[i]));
  }
  dcs_h5_close(&h5);
  DCS_TRY(dcs_h5_create(&h5, path, err));
  DCS_TRY(dcs_result_put(&h5, result));
  for (int i = 0; i < N_GROUPS; i++) {
    dcs_table kept = {old[i].n_columns, old[i].n_rows, (const char **)old[i].name, (const double **)old[i].number,
                      old[i].text};
    const dcs_table *t = strcmp(group, groups[i]) == 0 ? table : old[i].present ? &kept : NULL;
    if (t != NULL) DCS_TRY(dcs_table_put(&h5, groups[i], t));
  }
  DCS_TRY(dcs_h5_save(&h5));
done:
  dcs_h5_close(&h5);
  for (int i = 0; i < N_GROUPS; i++) dcs_table_copy_destroy(&old[i]);
  dcs_result_destroy(&result);
  return st;
}
