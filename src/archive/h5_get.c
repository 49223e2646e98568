#include "archive/h5.h"

#include <string.h>

/** deflate cannot shrink data by more than this factor, so nothing honest asks for more memory than it times the bytes
 *  that are stored. */
enum { DEFLATE_RATIO = 1032, SMALL_BYTES = 4096 };

static dcs_status corrupt(dcs_h5 *h5, const char *name, const char *what)
{
  H5Eclear2(H5E_DEFAULT);
  return dcs_h5_fail(h5, DCS_ECORRUPT, name, what);
}

/** Links that leave the file (soft, external) are refused before anything is opened through them. */
static bool is_hard_link(hid_t where, const char *name)
{
  H5L_info_t info;
  return H5Lexists(where, name, H5P_DEFAULT) > 0 && H5Lget_info(where, name, &info, H5P_DEFAULT) >= 0 &&
         info.type == H5L_TYPE_HARD;
}

bool dcs_h5_has(hid_t where, const char *name) { return H5Lexists(where, name, H5P_DEFAULT) > 0; }

bool dcs_h5_has_attribute(hid_t where, const char *name, const char *key)
{
  return H5Aexists_by_name(where, name, key, H5P_DEFAULT) > 0;
}

dcs_status dcs_h5_group_open(dcs_h5 *h5, const char *name, hid_t *group)
{
  *group = H5I_INVALID_HID;
  if (!is_hard_link(h5->file, name)) return corrupt(h5, name, "the group is missing");
  *group = H5Gopen2(h5->file, name, H5P_DEFAULT);
  return *group < 0 ? dcs_h5_fail(h5, DCS_ECORRUPT, name, "the group cannot be opened") : DCS_OK;
}

typedef struct {
  int64_t count;
  size_t capacity;
  char **name;
  dcs_status status;
} name_list;

static herr_t add_name(hid_t group, const char *name, const H5L_info_t *info, void *data)
{
  name_list *list = data;
  (void)group;
  /* HDF5 takes the first for a path and the second for the group itself; neither can be looked up as a name */
  if (info->type != H5L_TYPE_HARD || strchr(name, '/') != NULL || strcmp(name, ".") == 0) return 0;
  list->status = dcs_reserve(&list->name, &list->capacity, (size_t)list->count + 1, sizeof *list->name);
  if (list->status == DCS_OK) list->status = dcs_strdup(name, &list->name[list->count]);
  if (list->status == DCS_OK) list->count++;
  return list->status == DCS_OK ? 0 : -1;
}

dcs_status dcs_h5_names(dcs_h5 *h5, hid_t group, int64_t *count, char ***names)
{
  name_list list = {0};
  if (H5Literate(group, H5_INDEX_CRT_ORDER, H5_ITER_INC, NULL, add_name, &list) < 0) {
    dcs_status st = list.status != DCS_OK ? dcs_fail(h5->err, list.status, "%s: no memory for its names", h5->path)
                                          : dcs_h5_fail(h5, DCS_ECORRUPT, NULL, "cannot list a group");
    dcs_h5_free_text(list.count, &list.name);
    return st;
  }
  *count = list.count;
  *names = list.name;
  return DCS_OK;
}

void dcs_h5_free_text(int64_t count, char ***text)
{
  if (*text == NULL) return;
  for (int64_t i = 0; i < count; i++) dcs_free(&(*text)[i]);
  dcs_free(text);
}

/** Only what dcs_h5_put makes: plain storage inside this file, filters that ship with HDF5, and no more bytes in memory
 *  than the stored ones can hold. */
static bool storage_is_plausible(const dcs_h5 *h5, hid_t data, hid_t create, const hsize_t *dims, int rank,
                                 hsize_t bytes, hsize_t entry)
{
  hsize_t stored = H5Dget_storage_size(data);
  if (stored > (hsize_t)h5->file_size) stored = (hsize_t)h5->file_size;
  if (bytes > stored * DEFLATE_RATIO + SMALL_BYTES) return false;
  if (H5Pget_external_count(create) != 0) return false;
  switch (H5Pget_layout(create)) {
  case H5D_COMPACT:
  case H5D_CONTIGUOUS:
    break;
  case H5D_CHUNKED: {
    hsize_t chunk[2] = {0};
    if (H5Pget_chunk(create, rank, chunk) != rank) return false;
    for (int i = 0; i < rank; i++) {
      if (chunk[i] > dims[i]) return false;
      entry *= chunk[i];
    }
    if (entry > bytes) return false;
    break;
  }
  default:
    return false;
  }
  int n = H5Pget_nfilters(create);
  for (int i = 0; i < n; i++) {
    unsigned flags, config;
    size_t n_values = 0;
    H5Z_filter_t filter = H5Pget_filter2(create, (unsigned)i, &flags, &n_values, NULL, 0, NULL, &config);
    if (filter != H5Z_FILTER_DEFLATE && filter != H5Z_FILTER_SHUFFLE && filter != H5Z_FILTER_FLETCHER32) return false;
  }
  return n >= 0;
}

typedef struct {
  dcs_h5_kind kind;
  size_t width; /**< bytes of one entry */
  int rank;
  int64_t dim[2];
} shape;

static bool kind_of(hid_t type, dcs_h5_kind *kind)
{
  size_t size = H5Tget_size(type);
  switch (H5Tget_class(type)) {
  case H5T_FLOAT:
    *kind = DCS_H5_F64;
    return size == 8;
  case H5T_INTEGER:
    if (H5Tget_sign(type) == H5T_SGN_NONE) {
      *kind = DCS_H5_U64;
      return size == 8;
    }
    *kind = size == 4 ? DCS_H5_I32 : DCS_H5_I64;
    return size == 4 || size == 8;
  case H5T_STRING:
    *kind = H5Tis_variable_str(type) > 0 ? DCS_H5_STRING : DCS_H5_TEXT;
    return size > 0;
  default:
    return false;
  }
}

/** Open a data set and find out what it holds; *data is open only on success. */
static dcs_status open_data(dcs_h5 *h5, hid_t where, const char *name, hid_t *data, shape *out)
{
  dcs_status st = DCS_OK;
  hid_t type = H5I_INVALID_HID, space = H5I_INVALID_HID, create = H5I_INVALID_HID;
  hsize_t dims[2] = {0}, bytes;
  *data = H5I_INVALID_HID;
  if (!is_hard_link(where, name)) return corrupt(h5, name, "the data set is missing");
  *data = H5Dopen2(where, name, H5P_DEFAULT);
  if (*data < 0) DCS_TRY(dcs_h5_fail(h5, DCS_ECORRUPT, name, "cannot be opened"));
  type = H5Dget_type(*data);
  space = H5Dget_space(*data);
  create = H5Dget_create_plist(*data);
  if (type < 0 || space < 0 || create < 0 || !kind_of(type, &out->kind)) {
    DCS_TRY(corrupt(h5, name, "the data set has a wrong type"));
  }
  out->width = H5Tget_size(type);
  out->rank = H5Sget_simple_extent_ndims(space);
  if (H5Sget_simple_extent_type(space) != H5S_SIMPLE || out->rank < 1 || out->rank > 2 ||
      H5Sget_simple_extent_dims(space, dims, NULL) != out->rank) {
    DCS_TRY(corrupt(h5, name, "the data set has a wrong shape"));
  }
  bytes = out->width;
  for (int i = 0; i < out->rank; i++) {
    if (dims[i] > INT64_MAX || __builtin_mul_overflow(bytes, dims[i], &bytes)) {
      DCS_TRY(corrupt(h5, name, "the data set claims an impossible size"));
    }
    out->dim[i] = (int64_t)dims[i];
  }
  if (!storage_is_plausible(h5, *data, create, dims, out->rank, bytes, out->width)) {
    DCS_TRY(corrupt(h5, name, "the data set claims more than the file holds"));
  }
done:
  dcs_h5_release(create);
  dcs_h5_release(space);
  dcs_h5_release(type);
  if (st != DCS_OK) {
    dcs_h5_release(*data);
    *data = H5I_INVALID_HID;
  }
  return st;
}

dcs_status dcs_h5_look(dcs_h5 *h5, hid_t where, const char *name, dcs_h5_kind *kind, int64_t *rows)
{
  hid_t data;
  shape s = {0};
  dcs_status st = open_data(h5, where, name, &data, &s);
  if (st != DCS_OK) return st;
  dcs_h5_release(data);
  if (s.rank != 1) return corrupt(h5, name, "the data set has a wrong shape");
  *kind = s.kind;
  *rows = s.dim[0];
  return DCS_OK;
}

dcs_status dcs_h5_open_numbers(dcs_h5 *h5, hid_t where, const char *name, int64_t rows, int64_t cols, hid_t *data)
{
  shape s = {0};
  dcs_status st = open_data(h5, where, name, data, &s);
  if (st != DCS_OK || (s.kind == DCS_H5_F64 && s.rank == 2 && s.dim[0] == rows && s.dim[1] == cols)) return st;
  dcs_h5_release(*data);
  *data = H5I_INVALID_HID;
  return corrupt(h5, name, "the data set has a wrong shape");
}

/** Allocate and read. */
static dcs_status get(dcs_h5 *h5, hid_t where, const char *name, dcs_h5_kind kind, size_t width, int64_t rows,
                      int64_t cols, void *out)
{
  dcs_status st = DCS_OK;
  hid_t data, type = H5I_INVALID_HID, memory = H5I_INVALID_HID;
  shape s = {0};
  void *buffer = NULL;
  int64_t row = cols == 0 ? 1 : cols;
  DCS_TRY(open_data(h5, where, name, &data, &s));
  if (s.kind != kind || s.width != width) DCS_TRY(corrupt(h5, name, "the data set has a wrong type"));
  if (s.rank != (cols == 0 ? 1 : 2) || s.dim[0] != rows || (cols != 0 && s.dim[1] != cols)) {
    DCS_TRY(corrupt(h5, name, "the data set has a wrong shape"));
  }
  st = dcs_alloc((size_t)(rows * row), s.width, &buffer); /* no overflow: open_data multiplied the same numbers */
  if (st != DCS_OK) DCS_TRY(dcs_fail(h5->err, st, "%s: no memory for '%s'", h5->path, name));
  type = H5Dget_type(data);
  memory = dcs_h5_memory_type(kind, type);
  if (rows > 0 && H5Dread(data, memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, buffer) < 0) {
    DCS_TRY(dcs_h5_fail(h5, DCS_ECORRUPT, name, "cannot be read"));
  }
done:
  dcs_h5_release(memory);
  dcs_h5_release(type);
  dcs_h5_release(data);
  if (st != DCS_OK) dcs_free(&buffer);
  memcpy(out, &buffer, sizeof buffer);
  return st;
}

dcs_status dcs_h5_get(dcs_h5 *h5, hid_t where, const char *name, dcs_h5_kind kind, size_t width, int64_t rows,
                      int64_t cols, void *out)
{
  return get(h5, where, name, kind, dcs_h5_size(kind, width), rows, cols, out);
}

/** Zero-padded text of at most `width` bytes to a string; bytes after the first zero are an error. */
static dcs_status unpad(dcs_h5 *h5, const char *name, const char *bytes, size_t width, char **out)
{
  const char *end = memchr(bytes, 0, width);
  size_t n = end == NULL ? width : (size_t)(end - bytes);
  for (size_t i = n; i < width; i++) {
    if (bytes[i] != 0) return corrupt(h5, name, "a text is not zero-padded");
  }
  dcs_status st = dcs_alloc(n + 1, 1, out);
  if (st != DCS_OK) return dcs_fail(h5->err, st, "%s: no memory for '%s'", h5->path, name);
  memcpy(*out, bytes, n);
  return DCS_OK;
}

/** Own copies of strings that HDF5 allocated, which are given back. A null pointer is an empty string. */
static dcs_status take_strings(dcs_h5 *h5, const char *name, int64_t count, char **strings, char **out)
{
  dcs_status st = DCS_OK;
  for (int64_t i = 0; i < count; i++) {
    if (st == DCS_OK) st = dcs_strdup(strings[i] == NULL ? "" : strings[i], &out[i]);
    H5free_memory(strings[i]);
  }
  return st == DCS_OK ? st : dcs_fail(h5->err, st, "%s: no memory for '%s'", h5->path, name);
}

dcs_status dcs_h5_get_text(dcs_h5 *h5, hid_t where, const char *name, int64_t rows, char ***out)
{
  dcs_status st = DCS_OK;
  char **strings = NULL, **text = NULL;
  st = dcs_alloc((size_t)rows, sizeof *text, &text);
  if (st != DCS_OK) DCS_TRY(dcs_fail(h5->err, st, "%s: no memory for '%s'", h5->path, name));
  DCS_TRY(get(h5, where, name, DCS_H5_STRING, dcs_h5_size(DCS_H5_STRING, 0), rows, 0, &strings));
  DCS_TRY(take_strings(h5, name, rows, strings, text));
done:
  dcs_free(&strings);
  if (st != DCS_OK) dcs_h5_free_text(rows, &text);
  *out = text;
  return st;
}

static dcs_status read_text_attribute(dcs_h5 *h5, hid_t attribute, const char *key, char **text)
{
  dcs_status st = DCS_OK;
  char *bytes = NULL;
  hid_t type = H5Aget_type(attribute), space = H5Aget_space(attribute);
  dcs_h5_kind kind;
  *text = NULL;
  if (type < 0 || space < 0 || !kind_of(type, &kind) || kind != DCS_H5_TEXT ||
      H5Sget_simple_extent_npoints(space) != 1 || H5Tget_size(type) > (size_t)h5->file_size) {
    DCS_TRY(corrupt(h5, key, "the attribute is not one fixed-length text"));
  }
  size_t width = H5Tget_size(type);
  st = dcs_alloc(width, 1, &bytes);
  if (st != DCS_OK) DCS_TRY(dcs_fail(h5->err, st, "%s: no memory for '%s'", h5->path, key));
  if (H5Aread(attribute, type, bytes) < 0) DCS_TRY(dcs_h5_fail(h5, DCS_ECORRUPT, key, "cannot be read"));
  DCS_TRY(unpad(h5, key, bytes, width, text));
done:
  dcs_h5_release(space);
  dcs_h5_release(type);
  dcs_free(&bytes);
  return st;
}

dcs_status dcs_h5_get_attribute(dcs_h5 *h5, hid_t where, const char *name, const char *key, char **text)
{
  *text = NULL;
  hid_t attribute = H5Aopen_by_name(where, name == NULL ? "." : name, key, H5P_DEFAULT, H5P_DEFAULT);
  if (attribute < 0) return corrupt(h5, key, "the attribute is missing");
  dcs_status st = read_text_attribute(h5, attribute, key, text);
  dcs_h5_release(attribute);
  return st;
}

/** One integer of that kind. */
static dcs_status get_integer(dcs_h5 *h5, hid_t where, const char *key, dcs_h5_kind wanted, hid_t memory,
                              const char *otherwise, void *value)
{
  dcs_status st = DCS_OK;
  hid_t attribute = H5Aopen(where, key, H5P_DEFAULT), type = H5I_INVALID_HID, space = H5I_INVALID_HID;
  dcs_h5_kind kind;
  if (attribute < 0) return corrupt(h5, key, "the attribute is missing");
  type = H5Aget_type(attribute);
  space = H5Aget_space(attribute);
  if (type < 0 || space < 0 || !kind_of(type, &kind) || kind != wanted || H5Sget_simple_extent_npoints(space) != 1) {
    DCS_TRY(corrupt(h5, key, otherwise));
  }
  if (H5Aread(attribute, memory, value) < 0) DCS_TRY(dcs_h5_fail(h5, DCS_ECORRUPT, key, "cannot be read"));
done:
  dcs_h5_release(space);
  dcs_h5_release(type);
  dcs_h5_release(attribute);
  return st;
}

dcs_status dcs_h5_get_attribute_u64(dcs_h5 *h5, hid_t where, const char *key, uint64_t *value)
{
  return get_integer(h5, where, key, DCS_H5_U64, H5T_NATIVE_UINT64, "the attribute is not one unsigned 64-bit number",
                     value);
}

dcs_status dcs_h5_get_attribute_i32(dcs_h5 *h5, hid_t where, const char *key, int32_t *value)
{
  return get_integer(h5, where, key, DCS_H5_I32, H5T_NATIVE_INT32, "the attribute is not one 32-bit number", value);
}

dcs_status dcs_h5_get_string(dcs_h5 *h5, hid_t where, const char *name, char **text)
{
  dcs_status st = DCS_OK;
  char *string = NULL;
  hid_t data = H5I_INVALID_HID, type = H5I_INVALID_HID, space = H5I_INVALID_HID, create = H5I_INVALID_HID;
  dcs_h5_kind kind;
  *text = NULL;
  if (!is_hard_link(where, name)) return corrupt(h5, name, "the data set is missing");
  data = H5Dopen2(where, name, H5P_DEFAULT);
  if (data < 0) DCS_TRY(dcs_h5_fail(h5, DCS_ECORRUPT, name, "cannot be opened"));
  type = H5Dget_type(data);
  space = H5Dget_space(data);
  create = H5Dget_create_plist(data);
  if (type < 0 || space < 0 || create < 0 || !kind_of(type, &kind) || kind != DCS_H5_STRING ||
      H5Sget_simple_extent_type(space) != H5S_SCALAR ||
      !storage_is_plausible(h5, data, create, NULL, 0, sizeof string, sizeof string)) {
    DCS_TRY(corrupt(h5, name, "the data set is not one string"));
  }
  if (H5Dread(data, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, &string) < 0) {
    DCS_TRY(dcs_h5_fail(h5, DCS_ECORRUPT, name, "cannot be read"));
  }
  DCS_TRY(take_strings(h5, name, 1, &string, text));
done:
  dcs_h5_release(create);
  dcs_h5_release(space);
  dcs_h5_release(type);
  dcs_h5_release(data);
  return st;
}

typedef struct {
  dcs_h5 *h5;
  size_t length, capacity;
  char *text;
  dcs_status status;
} line_list;

static herr_t add_line(hid_t group, const char *key, const H5A_info_t *info, void *data)
{
  (void)info;
  line_list *list = data;
  char *value = NULL;
  list->status = dcs_h5_get_attribute(list->h5, group, NULL, key, &value);
  if (list->status != DCS_OK) return -1;
  size_t n_key = strlen(key), n_value = strlen(value), need = list->length + n_key + n_value + 3;
  list->status = dcs_reserve(&list->text, &list->capacity, need, 1);
  if (list->status == DCS_OK) {
    char *p = list->text + list->length;
    memcpy(p, key, n_key);
    p[n_key] = '\t';
    memcpy(p + n_key + 1, value, n_value);
    memcpy(p + n_key + 1 + n_value, "\n", 2);
    list->length = need - 1;
  }
  dcs_free(&value);
  return list->status == DCS_OK ? 0 : -1;
}

dcs_status dcs_h5_get_attributes(dcs_h5 *h5, hid_t group, char **lines)
{
  line_list list = {.h5 = h5};
  *lines = NULL;
  hsize_t from = 0;
  if (dcs_reserve(&list.text, &list.capacity, 1, 1) != DCS_OK) {
    return dcs_fail(h5->err, DCS_ENOMEM, "%s: no memory for its provenance", h5->path);
  }
  if (H5Aiterate2(group, H5_INDEX_CRT_ORDER, H5_ITER_INC, &from, add_line, &list) < 0) {
    dcs_free(&list.text);
    if (list.status == DCS_ENOMEM) return dcs_fail(h5->err, DCS_ENOMEM, "%s: no memory for its provenance", h5->path);
    return list.status != DCS_OK ? list.status : dcs_h5_fail(h5, DCS_ECORRUPT, NULL, "cannot list the attributes");
  }
  *lines = list.text;
  return DCS_OK;
}
