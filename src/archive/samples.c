#define _GNU_SOURCE /* sync_file_range */
#include "archive/samples.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "archive/h5.h"
#include "base/agree.h"
#include "base/write.h"
#include "numerics/lanes.h"

enum {
  NAME_MAX_BYTES = 17,
  CHUNK_NUMBERS = 1 << 17, /**< 1 MiB */
  ALIGNMENT = 1 << 20,     /**< bytes: of data sets of at least that size, for the stripes of a parallel file system */
  FORMAT = 2
};

struct dcs_samples {
  MPI_Comm comm;
  int rank;
  const dcs_study *study; /**< borrowed */
  char *path, *temporary;
  dcs_h5 h5;
  hid_t group, checksums, set, transfer;
  int fd; /**< of the file, for this rank's share of the way to the disk */
  int level, d;
  int64_t rows, n_chunks; /**< of `set` */
  char name[NAME_MAX_BYTES];
  uint64_t *crc; /**< [n_chunks] of those that this rank has written, else 0 */
  size_t n_crc;
};

int64_t dcs_samples_chunk(int d, int64_t particles)
{
  int64_t rows = CHUNK_NUMBERS / d / DCS_LANES * DCS_LANES;
  if (rows < DCS_LANES) rows = DCS_LANES;
  return rows < particles ? rows : particles;
}

static int64_t chunks_of(int64_t rows, int64_t particles) { return (particles + rows - 1) / rows; }

/** CRC-32 (ISO 3309, as of zlib) of numbers as they are in the file: least significant byte first, like the machines that
 *  dcs is built for. */
static uint64_t crc_of(const double *x, size_t n) { return crc32_z(0, (const Bytef *)x, n * sizeof *x); }

static void point_name(uint64_t hash, char name[NAME_MAX_BYTES])
{
  snprintf(name, NAME_MAX_BYTES, "%016" PRIx64, hash);
}

/** The file with its attributes and the groups, on all ranks. */
static dcs_status open_file(dcs_samples *s)
{
  dcs_status st = DCS_OK;
  hid_t access = H5Pcreate(H5P_FILE_ACCESS), create = H5Pcreate(H5P_FILE_CREATE), groups = H5Pcreate(H5P_GROUP_CREATE);
  unsigned order = H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED;
  s->transfer = H5Pcreate(H5P_DATASET_XFER);
  /* Filtered chunks have to be written together. Whole blocks of a data set without filters need no partner: together
   * they would be copied to one rank of each node first. */
  if (H5Pset_fapl_mpio(access, s->comm, MPI_INFO_NULL) < 0 || H5Pset_coll_metadata_write(access, true) < 0 ||
      H5Pset_alignment(access, ALIGNMENT, ALIGNMENT) < 0 ||
      H5Pset_libver_bounds(access, H5F_LIBVER_V18, H5F_LIBVER_V18) < 0 || H5Pset_obj_track_times(create, false) < 0 ||
      H5Pset_obj_track_times(groups, false) < 0 || H5Pset_link_creation_order(groups, order) < 0 ||
      H5Pset_dxpl_mpio(s->transfer, s->level > 0 ? H5FD_MPIO_COLLECTIVE : H5FD_MPIO_INDEPENDENT) < 0)
    DCS_TRY(dcs_h5_fail(&s->h5, DCS_EIO, NULL, "cannot prepare the file"));
  s->h5.file = H5Fcreate(s->temporary, H5F_ACC_TRUNC, create, access);
  if (s->h5.file < 0) DCS_TRY(dcs_h5_fail(&s->h5, DCS_EIO, NULL, "cannot make the file"));
  s->group = H5Gcreate2(s->h5.file, "samples", H5P_DEFAULT, groups, H5P_DEFAULT);
  s->checksums = H5Gcreate2(s->h5.file, "checksums", H5P_DEFAULT, groups, H5P_DEFAULT);
  if (s->group < 0 || s->checksums < 0) DCS_TRY(dcs_h5_fail(&s->h5, DCS_EIO, "samples", "cannot make the groups"));
  DCS_TRY(dcs_h5_put_attribute(&s->h5, s->h5.file, NULL, "study", s->study->name));
  DCS_TRY(dcs_h5_put_attribute_u64(&s->h5, s->h5.file, "study_hash", s->study->hash));
  DCS_TRY(dcs_h5_put_attribute_u64(&s->h5, s->h5.file, "seed", s->study->seed));
  DCS_TRY(dcs_h5_put_attribute_u64(&s->h5, s->h5.file, "particles", (uint64_t)s->study->save_samples));
  DCS_TRY(dcs_h5_put_attribute_u64(&s->h5, s->h5.file, "dcs_samples_format", FORMAT));
  s->fd = open(s->temporary, O_RDWR | O_CLOEXEC);
  if (s->fd < 0) DCS_TRY(dcs_h5_fail(&s->h5, DCS_EIO, NULL, strerror(errno)));
done:
  dcs_h5_release(access);
  dcs_h5_release(create);
  dcs_h5_release(groups);
  return st;
}

dcs_status dcs_samples_create(MPI_Comm comm, const char *path, const dcs_study *study, int level, dcs_samples **out,
                              dcs_error *err)
{
  size_t n = strlen(path) + sizeof ".tmp";
  dcs_samples *s = NULL;
  dcs_status st = dcs_alloc(1, sizeof **out, out);
  if (st == DCS_OK) {
    s = *out;
    *s = (dcs_samples){.comm = MPI_COMM_NULL,
                       .study = study,
                       .group = H5I_INVALID_HID,
                       .checksums = H5I_INVALID_HID,
                       .set = H5I_INVALID_HID,
                       .transfer = H5I_INVALID_HID,
                       .fd = -1,
                       .level = level,
                       .h5 = {.file = H5I_INVALID_HID, .err = err}};
    st = dcs_strdup(path, &s->path);
    if (st == DCS_OK) st = dcs_alloc(n, 1, &s->temporary);
  }
  if (st != DCS_OK) dcs_fail(err, st, "%s: %s", path, dcs_status_text(st));
  DCS_TRY(dcs_agree(comm, st, err));
  snprintf(s->temporary, n, "%s.tmp", path);
  s->h5.path = s->temporary;
  H5Eget_auto2(H5E_DEFAULT, &s->h5.print, &s->h5.print_data);
  H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
  MPI_Comm_dup(comm, &s->comm);
  MPI_Comm_rank(comm, &s->rank);
  DCS_TRY(dcs_agree(comm, open_file(s), err));
done:
  if (st != DCS_OK && *out != NULL) {
    dcs_error ignored;
    (void)!dcs_samples_close(out, false, &ignored);
  }
  return st;
}

static dcs_status make_set(dcs_samples *s, int64_t p, int d)
{
  dcs_status st = DCS_OK;
  const dcs_point *point = &s->study->point[p];
  hsize_t size[2] = {(hsize_t)s->study->save_samples, (hsize_t)d}, chunk[2] = {(hsize_t)s->rows, (hsize_t)d};
  hid_t space = H5Screate_simple(2, size, NULL), create = H5Pcreate(H5P_DATASET_CREATE);
  st = dcs_reserve(&s->crc, &s->n_crc, (size_t)s->n_chunks, sizeof *s->crc);
  if (st != DCS_OK) DCS_TRY(dcs_h5_fail(&s->h5, st, s->name, "no memory for its checksums"));
  memset(s->crc, 0, (size_t)s->n_chunks * sizeof *s->crc);
  bool good =
      space >= 0 && H5Pset_obj_track_times(create, false) >= 0 && H5Pset_fill_time(create, H5D_FILL_TIME_NEVER) >= 0;
  if (s->level > 0)
    good = good && H5Pset_chunk(create, 2, chunk) >= 0 && H5Pset_shuffle(create) >= 0 &&
           H5Pset_deflate(create, (unsigned)s->level) >= 0 && H5Pset_fletcher32(create) >= 0;
  if (!good) DCS_TRY(dcs_h5_fail(&s->h5, DCS_EIO, s->name, "cannot prepare the data set"));
  s->set = H5Dcreate2(s->group, s->name, H5T_IEEE_F64LE, space, H5P_DEFAULT, create, H5P_DEFAULT);
  if (s->set < 0) DCS_TRY(dcs_h5_fail(&s->h5, DCS_EIO, s->name, "cannot make the data set"));
  DCS_TRY(dcs_h5_put_attribute(&s->h5, s->group, s->name, "point", point->canonical));
  DCS_TRY(dcs_h5_put_attribute(&s->h5, s->group, s->name, "units", "data units"));
done:
  dcs_h5_release(space);
  dcs_h5_release(create);
  return st;
}

dcs_status dcs_samples_begin(dcs_samples *s, int64_t p, int d, dcs_error *err)
{
  s->h5.err = err;
  s->d = d;
  s->rows = dcs_samples_chunk(d, s->study->save_samples);
  s->n_chunks = chunks_of(s->rows, s->study->save_samples);
  point_name(s->study->point[p].hash, s->name);
  return dcs_agree(s->comm, make_set(s, p, d), err);
}

/** To the disk while the next particles are drawn: else the kernel would wait for gigabytes and all of them would go at
 *  the end. Only advice; whether they arrived is asked by fsync. */
static void write_back(int fd)
{
#ifdef SYNC_FILE_RANGE_WRITE
  (void)!sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE);
#endif
}

static dcs_status write_chunks(dcs_samples *s, int64_t first, int64_t n, const double *x)
{
  dcs_status st = DCS_OK;
  int64_t particles = s->study->save_samples, from = first * s->rows, to = (first + n) * s->rows;
  if (to > particles) to = particles;
  hsize_t start[2] = {(hsize_t)from, 0}, count[2] = {(hsize_t)(n > 0 ? to - from : 1), (hsize_t)s->d};
  hid_t space = H5Dget_space(s->set), memory = H5Screate_simple(2, count, NULL);
  bool good = space >= 0 && memory >= 0;
  if (n > 0)
    good = good && H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, count, NULL) >= 0;
  else
    good = good && H5Sselect_none(space) >= 0 && H5Sselect_none(memory) >= 0;
  for (int64_t k = 0; k < n; k++) {
    int64_t row = k * s->rows, rows = from + row + s->rows <= to ? s->rows : to - from - row;
    s->crc[first + k] = crc_of(x + row * s->d, (size_t)(rows * s->d));
  }
  /* everybody has to come here, or the others would wait for ever */
  herr_t written = H5Dwrite(s->set, H5T_NATIVE_DOUBLE, memory, space, s->transfer, x);
  if (!good || written < 0) st = dcs_h5_fail(&s->h5, DCS_EIO, s->name, "cannot be written");
  write_back(s->fd);
  dcs_h5_release(space);
  dcs_h5_release(memory);
  return st;
}

dcs_status dcs_samples_write(dcs_samples *s, int64_t first, int64_t n_chunks, const double *x, dcs_error *err)
{
  s->h5.err = err;
  return dcs_agree(s->comm, write_chunks(s, first, n_chunks, x), err);
}

/** Collective, but for the data: they are on rank 0. */
static dcs_status write_checksums(dcs_samples *s)
{
  dcs_status st = DCS_OK;
  hsize_t n = (hsize_t)s->n_chunks;
  hid_t space = H5Screate_simple(1, &n, NULL), create = H5Pcreate(H5P_DATASET_CREATE), set = H5I_INVALID_HID;
  if (space >= 0 && H5Pset_obj_track_times(create, false) >= 0 && H5Pset_fill_time(create, H5D_FILL_TIME_NEVER) >= 0)
    set = H5Dcreate2(s->checksums, s->name, H5T_STD_U64LE, space, H5P_DEFAULT, create, H5P_DEFAULT);
  if (set < 0) DCS_TRY(dcs_h5_fail(&s->h5, DCS_EIO, s->name, "cannot make the checksums"));
  DCS_TRY(dcs_h5_put_attribute(&s->h5, s->checksums, s->name, "algorithm", "CRC-32 of zlib"));
  DCS_TRY(dcs_h5_put_attribute_u64(&s->h5, set, "rows", (uint64_t)s->rows));
  if (s->rank == 0 && H5Dwrite(set, H5T_NATIVE_UINT64, H5S_ALL, H5S_ALL, H5P_DEFAULT, s->crc) < 0)
    DCS_TRY(dcs_h5_fail(&s->h5, DCS_EIO, s->name, "its checksums cannot be written"));
done:
  dcs_h5_release(set);
  dcs_h5_release(create);
  dcs_h5_release(space);
  return st;
}

dcs_status dcs_samples_end(dcs_samples *s, dcs_error *err)
{
  s->h5.err = err;
  dcs_h5_release(s->set);
  s->set = H5I_INVALID_HID;
  MPI_Reduce(s->rank == 0 ? MPI_IN_PLACE : s->crc, s->crc, (int)s->n_chunks, MPI_UINT64_T, MPI_BOR, 0, s->comm);
  return dcs_agree(s->comm, write_checksums(s), err);
}

static dcs_status sync_file(const dcs_samples *s, dcs_error *err)
{
  if (s->fd >= 0 && fsync(s->fd) == 0) return DCS_OK;
  return dcs_fail(err, DCS_EIO, "%s: does not reach the disk: %s", s->temporary, strerror(errno));
}

/** On rank 0: PATH.tmp to its name. */
static dcs_status settle(const dcs_samples *s, dcs_error *err)
{
  if (rename(s->temporary, s->path) == 0 && dcs_sync_parent(s->path)) return DCS_OK;
  return dcs_fail(err, DCS_EIO, "%s: cannot be completed: %s", s->temporary, strerror(errno));
}

dcs_status dcs_samples_close(dcs_samples **address, bool keep, dcs_error *err)
{
  dcs_samples *s = *address;
  dcs_status st = DCS_OK;
  s->h5.err = err;
  dcs_h5_release(s->set);
  dcs_h5_release(s->checksums);
  dcs_h5_release(s->group);
  dcs_h5_release(s->transfer);
  if (s->h5.file >= 0 && H5Fclose(s->h5.file) < 0) st = dcs_h5_fail(&s->h5, DCS_EIO, NULL, "cannot be closed");
  s->h5.file = H5I_INVALID_HID;
  if (s->comm != MPI_COMM_NULL) {
    dcs_h5_close(&s->h5);
    if (st == DCS_OK && keep) st = sync_file(s, err); /* every node has written pages that the others do not have */
    st = dcs_agree(s->comm, st, err);
    if (s->rank == 0 && keep && st == DCS_OK) st = settle(s, err);
    if (s->rank == 0 && (!keep || st != DCS_OK)) unlink(s->temporary);
    st = dcs_agree(s->comm, st, err);
    MPI_Comm_free(&s->comm);
  }
  if (s->fd >= 0) close(s->fd);
  dcs_free(&s->crc);
  dcs_free(&s->temporary);
  dcs_free(&s->path);
  dcs_free(address);
  return st;
}

static dcs_status get_u64(dcs_h5 *h5, const char *key, uint64_t *value)
{
  hid_t attribute = H5Aopen(h5->file, key, H5P_DEFAULT);
  bool good = attribute >= 0 && H5Aread(attribute, H5T_NATIVE_UINT64, value) >= 0;
  dcs_h5_release(attribute);
  return good ? DCS_OK : dcs_h5_fail(h5, DCS_ECORRUPT, key, "not a file of samples of dcs");
}

dcs_status dcs_samples_look(const char *path, const dcs_study *study, bool *same, dcs_error *err)
{
  dcs_status st = DCS_OK;
  struct stat info;
  dcs_h5 h5 = {.file = H5I_INVALID_HID};
  uint64_t hash = 0, particles = 0;
  *same = false;
  if (stat(path, &info) != 0) return DCS_OK;
  DCS_TRY(dcs_h5_open(&h5, path, err));
  DCS_TRY(get_u64(&h5, "study_hash", &hash));
  DCS_TRY(get_u64(&h5, "particles", &particles));
  if (hash != study->hash)
    DCS_TRY(dcs_fail(err, DCS_EMISMATCH, "%s: holds particles of another study or seed; move it away", path));
  if (particles > (uint64_t)study->save_samples)
    DCS_TRY(dcs_fail(err, DCS_EMISMATCH, "%s: holds %" PRIu64 " particles of each point, more than %lld; move it away",
                     path, particles, (long long)study->save_samples));
  *same = particles == (uint64_t)study->save_samples;
  for (int64_t p = 0; *same && p < study->n_points; p++) {
    char name[sizeof "/samples/" + NAME_MAX_BYTES] = "/samples/";
    point_name(study->point[p].hash, name + sizeof "/samples/" - 1);
    *same = H5Lexists(h5.file, name, H5P_DEFAULT) > 0;
  }
done:
  dcs_h5_close(&h5);
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
  DCS_TRY(dcs_h5_get(h5, r->checksums, name, DCS_H5_U64, 0, chunks_of(rows, r->particles), 0, &crc));
  st = dcs_reserve(&r->x, &r->n_x, (size_t)rows * (size_t)d, sizeof *r->x);
  if (st != DCS_OK) DCS_TRY(dcs_h5_fail(h5, st, name, "no memory to read it"));
  for (int64_t first = 0; first < r->particles; first += rows) {
    int64_t left = r->particles - first;
    hsize_t from[2] = {(hsize_t)first, 0}, count[2] = {(hsize_t)(left < rows ? left : rows), (hsize_t)d};
    size_t n = (size_t)count[0] * (size_t)d;
    dcs_h5_release(memory);
    memory = H5Screate_simple(2, count, NULL);
    if (H5Sselect_hyperslab(space, H5S_SELECT_SET, from, NULL, count, NULL) < 0 ||
        H5Dread(set, H5T_NATIVE_DOUBLE, memory, space, H5P_DEFAULT, r->x) < 0 || crc_of(r->x, n) != crc[first / rows])
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

dcs_status dcs_samples_verify(const char *path, const dcs_result *result, int64_t *particles, dcs_error *err)
{
  dcs_status st = DCS_OK;
  reader r = {.h5 = {.file = H5I_INVALID_HID}, .group = H5I_INVALID_HID, .checksums = H5I_INVALID_HID};
  uint64_t hash = 0, n = 0;
  int d = dcs_result_column_find(result, "d");
  DCS_TRY(dcs_h5_open(&r.h5, path, err));
  DCS_TRY(get_u64(&r.h5, "study_hash", &hash));
  DCS_TRY(get_u64(&r.h5, "particles", &n));
  if (hash != result->study_hash || d < 0 || result->column[d].is_text || n == 0 || n > INT64_MAX / 2)
    DCS_TRY(dcs_fail(err, DCS_EMISMATCH, "%s: of another study than the result beside it", path));
  *particles = r.particles = (int64_t)n;
  DCS_TRY(dcs_h5_group_open(&r.h5, "samples", &r.group));
  DCS_TRY(dcs_h5_group_open(&r.h5, "checksums", &r.checksums));
  for (int64_t p = 0; p < result->n_points; p++) {
    char name[NAME_MAX_BYTES];
    point_name(result->hash[p], name);
    double dimension = result->column[d].number[p];
    if (!(dimension >= 1 && dimension <= INT_MAX))
      DCS_TRY(dcs_fail(err, DCS_ECORRUPT, "%s: the result beside it has a point of dimension %g", path, dimension));
    DCS_TRY(read_back(&r, name, (int)dimension));
  }
done:
  dcs_h5_release(r.group);
  dcs_h5_release(r.checksums);
  dcs_h5_close(&r.h5);
  dcs_free(&r.x);
  return st;
}
