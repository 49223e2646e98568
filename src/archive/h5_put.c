#include "archive/h5.h"

#include <hdf5_hl.h>
#include <string.h>

enum { CHUNK_BYTES = 1 << 20, GZIP_LEVEL = 4 };

/** Types in the file have a fixed byte order, so that equal data give equal bytes. */
static hid_t file_type(dcs_h5_kind kind, size_t width)
{
  hid_t type = H5I_INVALID_HID;
  switch (kind) {
  case DCS_H5_F64:
    return H5Tcopy(H5T_IEEE_F64LE);
  case DCS_H5_I64:
    return H5Tcopy(H5T_STD_I64LE);
  case DCS_H5_I32:
    return H5Tcopy(H5T_STD_I32LE);
  case DCS_H5_U64:
    return H5Tcopy(H5T_STD_U64LE);
  case DCS_H5_TEXT:
    type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, width);
    H5Tset_strpad(type, H5T_STR_NULLPAD);
    H5Tset_cset(type, H5T_CSET_UTF8);
    break;
  case DCS_H5_STRING:
    type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, H5T_VARIABLE);
    H5Tset_cset(type, H5T_CSET_UTF8);
  }
  return type;
}

dcs_status dcs_h5_group_create(dcs_h5 *h5, const char *name, hid_t *group)
{
  hid_t create = H5Pcreate(H5P_GROUP_CREATE);
  unsigned order = H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED;
  H5Pset_link_creation_order(create, order);
  H5Pset_attr_creation_order(create, order);
  H5Pset_obj_track_times(create, false);
  *group = H5Gcreate2(h5->file, name, H5P_DEFAULT, create, H5P_DEFAULT);
  dcs_status st = *group < 0 ? dcs_h5_fail(h5, DCS_EIO, name, "cannot make the group") : DCS_OK;
  dcs_h5_release(create);
  return st;
}

static dcs_status put_attribute(dcs_h5 *h5, hid_t where, const char *name, const char *key, hid_t type, hid_t memory,
                                hid_t space, const void *data)
{
  dcs_status st = DCS_OK;
  hid_t attribute =
      H5Acreate_by_name(where, name == NULL ? "." : name, key, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
  if (attribute < 0 || H5Awrite(attribute, memory, data) < 0) {
    st = dcs_h5_fail(h5, DCS_EIO, key, "cannot write the attribute");
  }
  dcs_h5_release(attribute);
  return st;
}

dcs_status dcs_h5_put_attribute(dcs_h5 *h5, hid_t where, const char *name, const char *key, const char *text)
{
  if (text == NULL) text = "";
  size_t n = strlen(text);
  hid_t space = H5Screate(H5S_SCALAR), type = file_type(DCS_H5_TEXT, n == 0 ? 1 : n);
  dcs_status st = put_attribute(h5, where, name, key, type, type, space, text);
  dcs_h5_release(type);
  dcs_h5_release(space);
  return st;
}

dcs_status dcs_h5_put_attribute_u64(dcs_h5 *h5, hid_t where, const char *key, uint64_t value)
{
  hid_t space = H5Screate(H5S_SCALAR);
  dcs_status st = put_attribute(h5, where, NULL, key, H5T_STD_U64LE, H5T_NATIVE_UINT64, space, &value);
  dcs_h5_release(space);
  return st;
}

dcs_status dcs_h5_put_attribute_i32(dcs_h5 *h5, hid_t where, const char *name, const char *key, int count,
                                    const int32_t *value)
{
  hsize_t n = (hsize_t)count;
  hid_t space = count == 1 ? H5Screate(H5S_SCALAR) : H5Screate_simple(1, &n, NULL);
  dcs_status st = put_attribute(h5, where, name, key, H5T_STD_I32LE, H5T_NATIVE_INT32, space, value);
  dcs_h5_release(space);
  return st;
}

/** Chunks of about 1 MiB with shuffle, gzip and checksum. Empty data sets cannot have chunks and need no checksum; filters
 *  would see only the references of strings. */
static hid_t layout(const dcs_h5_var *var)
{
  hid_t create = H5Pcreate(H5P_DATASET_CREATE);
  H5Pset_obj_track_times(create, false);
  H5Pset_attr_creation_order(create, H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED);
  if (var->rows > 0 && var->kind != DCS_H5_STRING) {
    size_t row = dcs_h5_size(var->kind, var->width) * (size_t)(var->cols == 0 ? 1 : var->cols);
    hsize_t chunk[2] = {row < CHUNK_BYTES ? CHUNK_BYTES / row : 1, (hsize_t)var->cols};
    if (chunk[0] > (hsize_t)var->rows) chunk[0] = (hsize_t)var->rows;
    H5Pset_chunk(create, var->cols == 0 ? 1 : 2, chunk);
    H5Pset_shuffle(create);
    H5Pset_deflate(create, GZIP_LEVEL);
    H5Pset_fletcher32(create);
  }
  return create;
}

static dcs_status attach(dcs_h5 *h5, hid_t data, const dcs_h5_var *var)
{
  if (var->dim[0] == NULL) {
    if (H5DSset_scale(data, var->name) < 0) return dcs_h5_fail(h5, DCS_EIO, var->name, "cannot make the dimension");
    return DCS_OK;
  }
  for (unsigned i = 0; i < (var->cols == 0 ? 1 : 2); i++) {
    hid_t scale = H5Dopen2(h5->file, var->dim[i], H5P_DEFAULT);
    bool attached = scale >= 0 && H5DSattach_scale(data, scale, i) >= 0;
    if (!attached) {
      dcs_status st = dcs_h5_fail(h5, DCS_EIO, var->name, "cannot attach its dimension");
      dcs_h5_release(scale);
      return st;
    }
    dcs_h5_release(scale);
  }
  return DCS_OK;
}

static dcs_status describe(dcs_h5 *h5, hid_t data, const char *unit, const char *long_name, const char *source)
{
  dcs_status st = DCS_OK;
  DCS_TRY(dcs_h5_put_attribute(h5, data, NULL, "units", unit));
  DCS_TRY(dcs_h5_put_attribute(h5, data, NULL, "long_name", long_name));
  DCS_TRY(dcs_h5_put_attribute(h5, data, NULL, "source", source));
done:
  return st;
}

dcs_status dcs_h5_put(dcs_h5 *h5, hid_t where, const dcs_h5_var *var)
{
  dcs_status st = DCS_OK;
  hid_t data = H5I_INVALID_HID;
  hsize_t dims[2] = {(hsize_t)var->rows, (hsize_t)var->cols};
  hid_t type = file_type(var->kind, var->width), memory = dcs_h5_memory_type(var->kind, type);
  hid_t space = H5Screate_simple(var->cols == 0 ? 1 : 2, dims, NULL), create = layout(var);
  if (var->name[0] == 0 || strchr(var->name, '/') != NULL || strcmp(var->name, ".") == 0) {
    DCS_TRY(dcs_fail(h5->err, DCS_EARG, "%s: '%s' cannot be the name of a data set", h5->path, var->name));
  }
  if (H5Lexists(where, var->name, H5P_DEFAULT) > 0) {
    DCS_TRY(
        dcs_fail(h5->err, DCS_EARG, "%s: two data sets are called '%s': rename the grid axis", h5->path, var->name));
  }
  data = H5Dcreate2(where, var->name, type, space, H5P_DEFAULT, create, H5P_DEFAULT);
  if (data < 0) DCS_TRY(dcs_h5_fail(h5, DCS_EIO, var->name, "cannot make the data set"));
  if (var->rows > 0 && H5Dwrite(data, memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, var->data) < 0) {
    DCS_TRY(dcs_h5_fail(h5, DCS_EIO, var->name, "cannot write"));
  }
  DCS_TRY(attach(h5, data, var));
  DCS_TRY(describe(h5, data, var->unit, var->long_name, var->source));
done:
  dcs_h5_release(data);
  dcs_h5_release(create);
  dcs_h5_release(space);
  dcs_h5_release(memory);
  dcs_h5_release(type);
  return st;
}

dcs_status dcs_h5_put_index(dcs_h5 *h5, hid_t where, const char *name, int64_t rows, const char *long_name)
{
  int64_t *index = NULL;
  dcs_status st = dcs_alloc((size_t)rows, sizeof *index, &index);
  if (st != DCS_OK) return dcs_fail(h5->err, st, "%s: no memory for '%s'", h5->path, name);
  for (int64_t i = 0; i < rows; i++) index[i] = i;
  st = dcs_h5_put(h5, where,
                  &(dcs_h5_var){.name = name,
                                .kind = DCS_H5_I64,
                                .rows = rows,
                                .data = index,
                                .unit = "1",
                                .long_name = long_name,
                                .source = "row number"});
  dcs_free(&index);
  return st;
}

dcs_status dcs_h5_put_text(dcs_h5 *h5, hid_t where, dcs_h5_var var, char *const *text)
{
  const char **entry = NULL;
  dcs_status st = dcs_alloc((size_t)var.rows, sizeof *entry, &entry);
  if (st != DCS_OK) return dcs_fail(h5->err, st, "%s: no memory for '%s'", h5->path, var.name);
  for (int64_t i = 0; i < var.rows; i++) entry[i] = text[i] == NULL ? "" : text[i];
  var.kind = DCS_H5_STRING;
  var.data = entry;
  st = dcs_h5_put(h5, where, &var);
  dcs_free(&entry);
  return st;
}

dcs_status dcs_h5_put_string(dcs_h5 *h5, hid_t where, const char *name, const char *text, const char *long_name)
{
  dcs_status st = DCS_OK;
  if (text == NULL) text = "";
  hid_t type = file_type(DCS_H5_STRING, 0), space = H5Screate(H5S_SCALAR);
  hid_t create = layout(&(dcs_h5_var){0}); /* a scalar cannot have chunks */
  hid_t data = H5Dcreate2(where, name, type, space, H5P_DEFAULT, create, H5P_DEFAULT);
  if (data < 0 || H5Dwrite(data, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, &text) < 0) {
    DCS_TRY(dcs_h5_fail(h5, DCS_EIO, name, "cannot write"));
  }
  DCS_TRY(describe(h5, data, "", long_name, "study file"));
done:
  dcs_h5_release(data);
  dcs_h5_release(create);
  dcs_h5_release(space);
  dcs_h5_release(type);
  return st;
}
