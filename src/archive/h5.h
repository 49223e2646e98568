#ifndef DCS_ARCHIVE_H5_H
#define DCS_ARCHIVE_H5_H
/** The part of HDF5 that result files use; private to src/archive.
 *
 *  Writing goes to an image in memory, and dcs_h5_save alone touches the disk: a full disk is then met by our own
 *  write(), not by HDF5 while it closes a half-written file. Reading trusts nothing: kind, shape and storage of a data
 *  set are checked before memory is reserved, and links that leave the file are refused. Every failure is one line,
 *  "FILE: DATASET: what (HDF5's own words)"; HDF5 itself prints nothing while a dcs_h5 is open. Not collective. */
#include <hdf5.h>

#include "base/memory.h"

typedef struct {
  const char *path; /**< borrowed */
  hid_t file;
  int64_t file_size; /**< bytes; reading only */
  dcs_error *err;    /**< borrowed, may be NULL */
  H5E_auto2_t print; /**< error printing to restore on close */
  void *print_data;
} dcs_h5;

/** DCS_H5_TEXT: fixed length, zero-padded (attributes, fields of records). DCS_H5_STRING: variable length, in memory an
 *  array of pointers: what netCDF and xarray read as strings; netCDF's library crashes on the other kind. */
typedef enum { DCS_H5_F64, DCS_H5_I64, DCS_H5_I32, DCS_H5_U64, DCS_H5_TEXT, DCS_H5_STRING } dcs_h5_kind;

/** One data set to write. Text is `width` bytes per entry, zero-padded. */
typedef struct {
  const char *name;
  dcs_h5_kind kind;
  size_t width;       /**< bytes of an entry; text only */
  int64_t rows, cols; /**< cols = 0: one dimension */
  const void *data;
  const char *dim[2]; /**< paths of the dimension scales; NULL: this data set is itself the scale of its dimension */
  const char *unit, *long_name, *source; /**< NULL is stored as "" */
} dcs_h5_var;

size_t dcs_h5_size(dcs_h5_kind kind, size_t width); /**< bytes of one entry in memory */

/** Write the failure with HDF5's innermost message; `name` may be NULL. Call right after the call that failed. */
dcs_status dcs_h5_fail(dcs_h5 *h5, dcs_status status, const char *name, const char *what);

/** Start an image of the file that dcs_h5_save will put at `path`. */
DCS_NODISCARD dcs_status dcs_h5_create(dcs_h5 *h5, const char *path, dcs_error *err);
/** PATH.tmp, fsync, rename to PATH, fsync of the directory. On failure PATH is as it was and PATH.tmp is gone. */
DCS_NODISCARD dcs_status dcs_h5_save(dcs_h5 *h5);
DCS_NODISCARD dcs_status dcs_h5_open(dcs_h5 *h5, const char *path, dcs_error *err);
/** Close and restore error printing; harmless after a failed create or open. */
void dcs_h5_close(dcs_h5 *h5);
void dcs_h5_release(hid_t id); /**< close any identifier; negative ones are ignored */

DCS_NODISCARD dcs_status dcs_h5_group_create(dcs_h5 *h5, const char *name, hid_t *group);
DCS_NODISCARD dcs_status dcs_h5_put(dcs_h5 *h5, hid_t where, const dcs_h5_var *var);
/** Dimension scale 0, 1, ..., rows - 1. */
DCS_NODISCARD dcs_status dcs_h5_put_index(dcs_h5 *h5, hid_t where, const char *name, int64_t rows,
                                          const char *long_name);
/** Column of strings: var->data is taken from `text` [rows], whose entries may be NULL. */
DCS_NODISCARD dcs_status dcs_h5_put_text(dcs_h5 *h5, hid_t where, dcs_h5_var var, char *const *text);
/** One text of any length without a dimension (attributes beyond 64 KiB trip many tools); "" when NULL. */
DCS_NODISCARD dcs_status dcs_h5_put_string(dcs_h5 *h5, hid_t where, const char *name, const char *text,
                                           const char *long_name);
/** Attributes of a group, or of the data set `name` in it (NULL: of the group). */
DCS_NODISCARD dcs_status dcs_h5_put_attribute(dcs_h5 *h5, hid_t where, const char *name, const char *key,
                                              const char *text);
DCS_NODISCARD dcs_status dcs_h5_put_attribute_u64(dcs_h5 *h5, hid_t where, const char *key, uint64_t value);
DCS_NODISCARD dcs_status dcs_h5_put_attribute_i32(dcs_h5 *h5, hid_t where, const char *name, const char *key, int count,
                                                  const int32_t *value);

/** Is there an object of that name in the group; an attribute `key` of the object? */
bool dcs_h5_has(hid_t where, const char *name);
bool dcs_h5_has_attribute(hid_t where, const char *name, const char *key);
DCS_NODISCARD dcs_status dcs_h5_group_open(dcs_h5 *h5, const char *name, hid_t *group);
/** Names of all objects of a group in the order they were made, without links that leave it; entries and array are the
 *  caller's (dcs_h5_free_text). */
DCS_NODISCARD dcs_status dcs_h5_names(dcs_h5 *h5, hid_t group, int64_t *count, char ***names);
void dcs_h5_free_text(int64_t count, char ***text);
/** Kind and number of rows of a data set of one dimension. */
DCS_NODISCARD dcs_status dcs_h5_look(dcs_h5 *h5, hid_t where, const char *name, dcs_h5_kind *kind, int64_t *rows);
/** Open a data set of [rows][cols] numbers that is too large to be read at once; *data is the caller's. */
DCS_NODISCARD dcs_status dcs_h5_open_numbers(dcs_h5 *h5, hid_t where, const char *name, int64_t rows, int64_t cols,
                                             hid_t *data);
/** Allocate and read [rows][cols] entries (cols = 0: one dimension); DCS_ECORRUPT when the data set is not just that.
 */
DCS_NODISCARD dcs_status dcs_h5_get(dcs_h5 *h5, hid_t where, const char *name, dcs_h5_kind kind, size_t width,
                                    int64_t rows, int64_t cols, void *out);
/** Allocate and read a column of strings. */
DCS_NODISCARD dcs_status dcs_h5_get_text(dcs_h5 *h5, hid_t where, const char *name, int64_t rows, char ***out);
DCS_NODISCARD dcs_status dcs_h5_get_string(dcs_h5 *h5, hid_t where, const char *name, char **text);
DCS_NODISCARD dcs_status dcs_h5_get_attribute(dcs_h5 *h5, hid_t where, const char *name, const char *key, char **text);
DCS_NODISCARD dcs_status dcs_h5_get_attribute_u64(dcs_h5 *h5, hid_t where, const char *key, uint64_t *value);
DCS_NODISCARD dcs_status dcs_h5_get_attribute_i32(dcs_h5 *h5, hid_t where, const char *key, int32_t *value);
/** All text attributes of a group as "key\tvalue\n" lines, in the order they were made. */
DCS_NODISCARD dcs_status dcs_h5_get_attributes(dcs_h5 *h5, hid_t group, char **lines);

/** Type of an entry of this kind in memory; text is in memory as it is in the file. The caller closes it. */
hid_t dcs_h5_memory_type(dcs_h5_kind kind, hid_t stored);

#endif
