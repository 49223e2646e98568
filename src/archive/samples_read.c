#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <string.h>
#include <sys/stat.h>

#include "archive/samples_file.h"
#include "base/guard.h"

/** Study and particles per point of an open file. */
static dcs_status get_head(dcs_h5 *h5, uint64_t *study_hash, int64_t *particles)
{
  dcs_status st = DCS_OK;
  uint64_t n = 0;
  DCS_TRY(dcs_h5_get_attribute_u64(h5, h5->file, "study_hash", study_hash));
  DCS_TRY(dcs_h5_get_attribute_u64(h5, h5->file, "particles", &n));
  if (n < 1 || n > INT64_MAX / 2) DCS_TRY(dcs_h5_fail(h5, DCS_ECORRUPT, "particles", "out of range"));
  *particles = (int64_t)n;
done:
  return st;
}

typedef struct {
  const dcs_study *study;
  bool same;
} comparison;

static dcs_status compare(const char *path, void *data, dcs_error *err)
{
  dcs_status st = DCS_OK;
  comparison *c = data;
  const dcs_study *study = c->study;
  dcs_h5 h5 = {.file = H5I_INVALID_HID};
  hid_t group = H5I_INVALID_HID;
  uint64_t hash = 0;
  int64_t particles = 0;
  DCS_TRY(dcs_h5_open(&h5, path, err));
  DCS_TRY(get_head(&h5, &hash, &particles));
  if (hash != study->hash)
    DCS_TRY(dcs_fail(err, DCS_EMISMATCH, "%s: holds particles of another study or seed; move it away", path));
  if (particles > study->save_samples)
    DCS_TRY(dcs_fail(err, DCS_EMISMATCH, "%s: holds %" PRId64 " particles of each point, more than %lld; move it away",
                     path, particles, (long long)study->save_samples));
  c->same = particles == study->save_samples;
  DCS_TRY(dcs_h5_group_open(&h5, "samples", &group));
  for (int64_t p = 0; c->same && p < study->n_points; p++) {
    char name[DCS_SAMPLES_NAME];
    dcs_samples_name(study->point[p].hash, name);
    c->same = H5Lexists(group, name, H5P_DEFAULT) > 0;
  }
done:
  dcs_h5_release(group);
  dcs_h5_close(&h5);
  return st;
}

dcs_status dcs_samples_look(const char *path, const dcs_study *study, bool *same, dcs_error *err)
{
  struct stat info;
  comparison c = {.study = study};
  dcs_status st = DCS_OK;
  H5open(); /* once, here, and not in the child and here again */
  if (stat(path, &info) == 0)
    st = dcs_guard_is_possible() ? dcs_guard(path, compare, &c, sizeof c, err) : compare(path, &c, err);
  *same = st == DCS_OK && c.same;
  return st;
}

typedef struct {
  dcs_h5 h5;
  hid_t group, checksums;
  int64_t particles;
  double *x; /**< rows of one checksum */
  size_t n_x;
} reader;

/** All rows of one data set, as many at a time as have one checksum. */
static dcs_status read_back(reader *r, const char *name, int d)
{
  dcs_status st = DCS_OK;
  dcs_h5 *h5 = &r->h5;
  int64_t rows = dcs_samples_chunk(d, r->particles);
  uint64_t *crc = NULL;
  hid_t set = H5I_INVALID_HID, space = H5I_INVALID_HID, memory = H5I_INVALID_HID;
  DCS_TRY(dcs_h5_open_numbers(h5, r->group, name, r->particles, d, &set));
  space = H5Dget_space(set);
  DCS_TRY(dcs_h5_get(h5, r->checksums, name, DCS_H5_U64, 0, dcs_samples_chunks(rows, r->particles), 0, &crc));
  st = dcs_reserve(&r->x, &r->n_x, (size_t)rows * (size_t)d, sizeof *r->x);
  if (st != DCS_OK) DCS_TRY(dcs_h5_fail(h5, st, name, "no memory to read it"));
  for (int64_t first = 0; first < r->particles; first += rows) {
    int64_t left = r->particles - first;
    hsize_t from[2] = {(hsize_t)first, 0}, count[2] = {(hsize_t)(left < rows ? left : rows), (hsize_t)d};
    size_t n = (size_t)count[0] * (size_t)d;
    dcs_h5_release(memory);
    memory = H5Screate_simple(2, count, NULL);
    if (H5Sselect_hyperslab(space, H5S_SELECT_SET, from, NULL, count, NULL) < 0 ||
        H5Dread(set, H5T_NATIVE_DOUBLE, memory, space, H5P_DEFAULT, r->x) < 0 ||
        dcs_samples_crc(r->x, n) != crc[first / rows])
      DCS_TRY(dcs_h5_fail(h5, DCS_ECORRUPT, name, "damaged"));
    bool finite = true;
    for (size_t i = 0; i < n; i++) finite &= isfinite(r->x[i]) != 0;
    if (!finite) DCS_TRY(dcs_h5_fail(h5, DCS_ECORRUPT, name, "holds a number that is not finite"));
  }
done:
  dcs_h5_release(memory);
  dcs_h5_release(space);
  dcs_h5_release(set);
  dcs_free(&crc);
  return st;
}

/** Read back what a file has of the points in `data`, a `dcs_samples_contents`. */
dcs_status dcs_samples_read(const char *path, void *data, dcs_error *err)
{
  dcs_status st = DCS_OK;
  dcs_samples_contents *c = data;
  reader r = {.h5 = {.file = H5I_INVALID_HID}, .group = H5I_INVALID_HID, .checksums = H5I_INVALID_HID};
  uint64_t hash = 0;
  DCS_TRY(dcs_h5_open(&r.h5, path, err));
  DCS_TRY(get_head(&r.h5, &hash, &r.particles));
  if (hash != c->study_hash)
    DCS_TRY(dcs_fail(err, DCS_EMISMATCH, "%s: of another study than the result beside it", path));
  c->particles = r.particles;
  DCS_TRY(dcs_h5_group_open(&r.h5, "samples", &r.group));
  DCS_TRY(dcs_h5_group_open(&r.h5, "checksums", &r.checksums));
  for (int64_t p = 0; p < c->n_points; p++) {
    char name[DCS_SAMPLES_NAME];
    dcs_samples_point *w = &c->point[p];
    if (!(w->d >= 1 && w->d <= INT_MAX))
      DCS_TRY(dcs_fail(err, DCS_ECORRUPT, "%s: the result beside it has a point of dimension %g", path, w->d));
    dcs_samples_name(w->hash, name);
    w->here = H5Lexists(r.group, name, H5P_DEFAULT) > 0;
    if (w->here) DCS_TRY(read_back(&r, name, (int)w->d));
  }
done:
  dcs_h5_release(r.group);
  dcs_h5_release(r.checksums);
  dcs_h5_close(&r.h5);
  dcs_free(&r.x);
  return st;
}

dcs_status dcs_samples_contents_create(uint64_t study_hash, int64_t n_points, dcs_samples_contents **out)
{
  dcs_status st = dcs_alloc(1, sizeof **out + (size_t)n_points * sizeof *(*out)->point, out);
  if (st == DCS_OK) {
    (*out)->study_hash = study_hash;
    (*out)->n_points = n_points;
  }
  return st;
}

dcs_status dcs_samples_verify(const char *path, const dcs_result *result, int64_t *particles, dcs_error *err)
{
  dcs_status st = DCS_OK;
  dcs_samples_contents *c = NULL;
  int d = dcs_result_column_find(result, "d");
  if (d < 0 || result->column[d].is_text)
    DCS_TRY(dcs_fail(err, DCS_ECORRUPT, "%s: the result beside it has no dimensions", path));
  st = dcs_samples_contents_create(result->study_hash, result->n_points, &c);
  if (st != DCS_OK) DCS_TRY(dcs_fail(err, st, "%s: %s", path, dcs_status_text(st)));
  for (int64_t p = 0; p < result->n_points; p++)
    c->point[p] = (dcs_samples_point){.hash = result->hash[p], .d = result->column[d].number[p]};
  DCS_TRY(dcs_samples_read(path, c, err));
  for (int64_t p = 0; p < result->n_points; p++)
    if (!c->point[p].here)
      DCS_TRY(dcs_fail(err, DCS_ECORRUPT, "%s: %016" PRIx64 ": is missing", path, c->point[p].hash));
  *particles = c->particles;
done:
  dcs_free(&c);
  return st;
}
