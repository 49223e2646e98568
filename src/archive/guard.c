#include "archive/guard.h"

#include "archive/layout.h"

/** The result, and the tables that are kept when one of them is written anew. */
static dcs_status read_everything(const char *path, void *data, dcs_error *err)
{
  dcs_status st = DCS_OK;
  dcs_h5 h5;
  dcs_result *result = NULL;
  dcs_table_copy fits = {0}, claims = {0};
  (void)data;
  DCS_TRY(dcs_h5_open(&h5, path, err));
  DCS_TRY(dcs_result_get(&h5, &result));
  DCS_TRY(dcs_table_get(&h5, "fits", &fits));
  DCS_TRY(dcs_table_get(&h5, "claims", &claims));
done:
  dcs_table_copy_destroy(&fits);
  dcs_table_copy_destroy(&claims);
  dcs_result_destroy(&result);
  dcs_h5_close(&h5);
  return st;
}

static dcs_status read_result(const char *path, void *data, dcs_error *err)
{
  dcs_result *result = NULL;
  dcs_status st = dcs_result_read(path, &result, err);
  (void)data;
  dcs_result_destroy(&result);
  return st;
}

dcs_status dcs_guard_look(const char *path, dcs_error *err)
{
  H5open(); /* once, here, and not in every child and here again */
  return dcs_guard(path, read_result, NULL, 0, err);
}

dcs_status dcs_guard_result(const char *path, dcs_result **out, dcs_error *err)
{
  *out = NULL;
  H5open(); /* as above */
  dcs_status st = dcs_guard(path, read_everything, NULL, 0, err);
  return st == DCS_OK ? dcs_result_read(path, out, err) : st;
}
