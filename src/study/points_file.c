#include "study/points_file.h"

#include <errno.h>
#include <hdf5.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/guard.h"
#include "base/memory.h"

/** deflate cannot shrink data by more than this factor: what claims to hold more has never been written, or is damaged.
 */
enum { DEFLATE_RATIO = 1032, SMALL_BYTES = 4096 };

/** One file while it is read. */
typedef struct {
  const char *path, *dataset;
  hid_t file, data, space, type;
  dcs_error *err;
} reader;

static void release(hid_t id)
{
  if (id >= 0) H5Idec_ref(id);
}

/** Keep the innermost description: H5Ewalk2 upward starts there. */
static herr_t innermost(unsigned n, const H5E_error2_t *entry, void *data)
{
  if (n == 0 && entry->desc != NULL) snprintf(data, 120, " (%s)", entry->desc);
  return 0;
}

/** A failure of HDF5, in its own words. */
static dcs_status fail_inside(const reader *r, dcs_status status, const char *what)
{
  char inner[120] = "";
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, innermost, inner);
  return dcs_fail(r->err, status, "%s: %s%s", r->path, what, inner);
}

typedef struct {
  int count;
  char text[160];
} name_list;

static herr_t add_name(hid_t group, const char *name, const H5L_info_t *info, void *data)
{
  (void)info;
  hid_t object = H5Oopen(group, name, H5P_DEFAULT);
  bool is_data = object >= 0 && H5Iget_type(object) == H5I_DATASET;
  release(object);
  name_list *list = data;
  size_t n = strlen(list->text), room = sizeof list->text - n;
  if (!is_data) return 0;
  if (strlen(name) + sizeof ", , ..." > room) {
    snprintf(list->text + n, room, ", ...");
    return 1;
  }
  snprintf(list->text + n, room, "%s%s", list->count++ > 0 ? ", " : "", name);
  return 0;
}

static dcs_status fail_missing(const reader *r)
{
  name_list list = {0};
  H5Lvisit(r->file, H5_INDEX_NAME, H5_ITER_INC, add_name, &list);
  return dcs_fail(r->err, DCS_EUSAGE, "%s: there is no data set '%.64s'; there is: %s", r->path, r->dataset,
                  list.text[0] != '\0' ? list.text : "none");
}

static dcs_status open_file(reader *r)
{
  struct stat info;
  if (stat(r->path, &info) != 0) return dcs_fail(r->err, DCS_EIO, "%s: %s", r->path, strerror(errno));
  if (!S_ISREG(info.st_mode)) return dcs_fail(r->err, DCS_EIO, "%s: not a regular file", r->path);
  if (H5Fis_hdf5(r->path) <= 0) return dcs_fail(r->err, DCS_EUSAGE, "%s: not an HDF5 file, or not readable", r->path);
  r->file = H5Fopen(r->path, H5F_ACC_RDONLY, H5P_DEFAULT);
  return r->file < 0 ? fail_inside(r, DCS_EIO, "cannot be opened") : DCS_OK;
}

/** No more numbers than the file can hold. Storage that is elsewhere (virtual, external) is left to HDF5. */
static bool is_plausible(const reader *r, int64_t count)
{
  hid_t create = H5Dget_create_plist(r->data);
  bool elsewhere = create >= 0 && (H5Pget_layout(create) == H5D_VIRTUAL || H5Pget_external_count(create) > 0);
  release(create);
  double bytes = (double)count * (double)H5Tget_size(r->type);
  return elsewhere || bytes <= (double)H5Dget_storage_size(r->data) * DEFLATE_RATIO + SMALL_BYTES;
}

/** Open the data set; shape and type are those of points. */
static dcs_status open_data(reader *r, int *rows, int *cols)
{
  hsize_t dim[2] = {0, 1};
  r->data = H5Dopen2(r->file, r->dataset, H5P_DEFAULT);
  if (r->data < 0) return fail_missing(r);
  r->space = H5Dget_space(r->data);
  r->type = H5Dget_type(r->data);
  int rank = H5Sget_simple_extent_ndims(r->space);
  if (H5Sget_simple_extent_type(r->space) != H5S_SIMPLE || rank < 1 || rank > 2)
    return dcs_fail(r->err, DCS_EUSAGE, "%s: '%.64s' has %d dimensions; points are [n][d] or [n]", r->path, r->dataset,
                    rank < 0 ? 0 : rank);
  H5T_class_t kind = H5Tget_class(r->type);
  if (kind != H5T_FLOAT && kind != H5T_INTEGER)
    return dcs_fail(r->err, DCS_EUSAGE, "%s: '%.64s' holds no real or integer numbers", r->path, r->dataset);
  H5Sget_simple_extent_dims(r->space, dim, NULL);
  if (dim[0] == 0 || dim[1] == 0) return dcs_fail(r->err, DCS_EUSAGE, "%s: '%.64s' is empty", r->path, r->dataset);
  if (dim[0] > INT_MAX / dim[1])
    return dcs_fail(r->err, DCS_EUSAGE, "%s: '%.64s' has %llu x %llu numbers, more than 2^31 - 1", r->path, r->dataset,
                    (unsigned long long)dim[0], (unsigned long long)dim[1]);
  *rows = (int)dim[0];
  *cols = (int)dim[1];
  if (!is_plausible(r, (int64_t)*rows * *cols))
    return dcs_fail(r->err, DCS_EUSAGE, "%s: '%.64s' claims more numbers than the file holds", r->path, r->dataset);
  return DCS_OK;
}

static dcs_status check_finite(const reader *r, int rows, int cols, const double *values)
{
  for (int64_t i = 0; i < (int64_t)rows * cols; i++)
    if (!isfinite(values[i]))
      return dcs_fail(r->err, DCS_EUSAGE, "%s: '%.64s': row %d, column %d (from 0) is not a finite number", r->path,
                      r->dataset, (int)(i / cols), (int)(i % cols));
  return DCS_OK;
}

static dcs_status read_points(const char *path, const char *dataset, int *rows, int *cols, double **values,
                              dcs_error *err)
{
  dcs_status st = DCS_OK;
  H5E_auto2_t print = NULL;
  void *print_data = NULL;
  reader r = {path, dataset, H5I_INVALID_HID, H5I_INVALID_HID, H5I_INVALID_HID, H5I_INVALID_HID, err};
  *values = NULL;
  H5Eget_auto2(H5E_DEFAULT, &print, &print_data);
  H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
  DCS_TRY(open_file(&r));
  DCS_TRY(open_data(&r, rows, cols));
  st = dcs_alloc((size_t)*rows * (size_t)*cols, sizeof **values, values);
  if (st != DCS_OK) DCS_TRY(dcs_fail(err, st, "%s: no memory for '%.64s'", path, dataset));
  if (H5Dread(r.data, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, *values) < 0)
    DCS_TRY(fail_inside(&r, DCS_EIO, "the data set cannot be read"));
  DCS_TRY(check_finite(&r, *rows, *cols, *values));
done:
  release(r.type);
  release(r.space);
  release(r.data);
  release(r.file);
  H5Eclear2(H5E_DEFAULT);
  H5Eset_auto2(H5E_DEFAULT, print, print_data);
  if (st != DCS_OK) dcs_free(values);
  return st;
}

static dcs_status read_in_child(const char *path, void *data, dcs_error *err)
{
  const char *dataset = *(const char *const *)data;
  double *values = NULL;
  int rows = 0, cols = 0;
  dcs_status st = read_points(path, dataset, &rows, &cols, &values, err);
  dcs_free(&values);
  return st;
}

dcs_status dcs_points_file_read(const char *path, const char *dataset, int *rows, int *cols, double **values,
                                dcs_error *err)
{
  dcs_status st = DCS_OK;
  *values = NULL;
  H5open(); /* once, here, and not in the child and here again */
  if (dcs_guard_is_possible()) st = dcs_guard(path, read_in_child, &dataset, 0, err);
  return st == DCS_OK ? read_points(path, dataset, rows, cols, values, err) : st;
}

/** `file` as the study means it: relative to the folder the study file is in. */
static dcs_status resolve(const char *study, const char *file, char **path)
{
  const char *slash = strrchr(study, '/');
  size_t n_folder = slash == NULL || file[0] == '/' ? 0 : (size_t)(slash - study) + 1, n = strlen(file) + 1;
  dcs_status st = dcs_alloc(n_folder + n, 1, path);
  if (st != DCS_OK) return st;
  memcpy(*path, study, n_folder);
  memcpy(*path + n_folder, file, n);
  return DCS_OK;
}

/** The data set in the study's store, read when it is new. */
static dcs_status find_cloud(dcs_study *study, const char *file, const char *dataset, const dcs_dataset **out,
                             dcs_error *err)
{
  dcs_status st = DCS_OK;
  dcs_dataset fresh = {0};
  size_t count = (size_t)study->n_clouds, capacity = count;
  DCS_TRY(resolve(study->path, file, &fresh.path));
  DCS_TRY(dcs_strdup(dataset, &fresh.dataset));
  for (size_t i = 0; i < count; i++) {
    *out = &study->cloud[i];
    if (strcmp((*out)->path, fresh.path) == 0 && strcmp((*out)->dataset, fresh.dataset) == 0) goto done;
  }
  DCS_TRY(dcs_reserve(&study->cloud, &capacity, count + 1, sizeof *study->cloud));
  DCS_TRY(dcs_points_file_read(fresh.path, dataset, &fresh.rows, &fresh.cols, &fresh.values, err));
  study->cloud[study->n_clouds++] = fresh;
  *out = &study->cloud[count];
  return DCS_OK;
done:
  dcs_free(&fresh.path);
  dcs_free(&fresh.dataset);
  return st;
}

dcs_status dcs_points_file_fill(const dcs_node *target, dcs_study *study, dcs_params *params, dcs_error *err)
{
  const dcs_param *file = dcs_params_find(params, "file"), *dataset = dcs_params_find(params, "dataset");
  const dcs_param *points = dcs_params_find(params, "points");
  const dcs_dataset *cloud = NULL;
  if (file == NULL || dataset == NULL || points == NULL || !(file->is_set || dataset->is_set)) return DCS_OK;
  const dcs_node *place = dcs_node_find(target, file->is_set ? "file" : "dataset");
  if (!file->is_set) return dcs_node_fail(place, err, "dataset: needs 'file', the HDF5 file it is in");
  if (!dataset->is_set) return dcs_node_fail(place, err, "file: needs 'dataset', the name of the points in it");
  if (points->is_set) return dcs_node_fail(place, err, "file: there are 'points' here too; remove one of the two");
  dcs_status st = find_cloud(study, file->word, dataset->word, &cloud, err);
  if (st == DCS_EUSAGE || st == DCS_EIO || st == DCS_ECORRUPT) return dcs_node_locate(place, st, err);
  return st != DCS_OK ? st : dcs_params_borrow(params, "points", cloud->rows, cloud->cols, cloud->values);
}
