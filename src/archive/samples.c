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

#include "archive/h5.h"
#include "numerics/lanes.h"

enum { NAME_MAX_BYTES = 17, CHUNK_NUMBERS = 1 << 17 /**< 1 MiB */, FORMAT = 1 };

struct dcs_samples {
  MPI_Comm comm;
  const dcs_study *study; /**< borrowed */
  char *path, *temporary;
  dcs_h5 h5;
  hid_t group, set, transfer;
  int level, d;
  int64_t rows; /**< of a chunk of `set` */
};

int64_t dcs_samples_chunk(int d, int64_t particles)
{
  int64_t rows = CHUNK_NUMBERS / d / DCS_LANES * DCS_LANES;
  if (rows < DCS_LANES) rows = DCS_LANES;
  return rows < particles ? rows : particles;
}

/** Worst status of all ranks, with the message of the lowest rank that has it. */
static dcs_status agree(MPI_Comm comm, dcs_status st, dcs_error *err)
{
  struct {
    int bad, rank;
  } mine, worst;
  int rank = 0;
  MPI_Comm_rank(comm, &rank);
  mine.bad = st != DCS_OK;
  mine.rank = rank;
  MPI_Allreduce(&mine, &worst, 1, MPI_2INT, MPI_MAXLOC, comm);
  if (worst.bad == 0) return DCS_OK;
  int status = (int)st;
  MPI_Bcast(&status, 1, MPI_INT, worst.rank, comm);
  MPI_Bcast(err->text, (int)sizeof err->text, MPI_CHAR, worst.rank, comm);
  return (dcs_status)status;
}

static void point_name(uint64_t hash, char name[NAME_MAX_BYTES])
{
  snprintf(name, NAME_MAX_BYTES, "%016" PRIx64, hash);
}

/** The file with its attributes and the group, on all ranks. */
static dcs_status open_file(dcs_samples *s)
{
  dcs_status st = DCS_OK;
  hid_t access = H5Pcreate(H5P_FILE_ACCESS), create = H5Pcreate(H5P_FILE_CREATE), groups = H5Pcreate(H5P_GROUP_CREATE);
  unsigned order = H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED;
  s->transfer = H5Pcreate(H5P_DATASET_XFER);
  if (H5Pset_fapl_mpio(access, s->comm, MPI_INFO_NULL) < 0 || H5Pset_coll_metadata_write(access, true) < 0 ||
      H5Pset_libver_bounds(access, H5F_LIBVER_V18, H5F_LIBVER_V18) < 0 || H5Pset_obj_track_times(create, false) < 0 ||
      H5Pset_obj_track_times(groups, false) < 0 || H5Pset_link_creation_order(groups, order) < 0 ||
      H5Pset_dxpl_mpio(s->transfer, H5FD_MPIO_COLLECTIVE) < 0)
    DCS_TRY(dcs_h5_fail(&s->h5, DCS_EIO, NULL, "cannot prepare the file"));
  s->h5.file = H5Fcreate(s->temporary, H5F_ACC_TRUNC, create, access);
  if (s->h5.file < 0) DCS_TRY(dcs_h5_fail(&s->h5, DCS_EIO, NULL, "cannot make the file"));
  s->group = H5Gcreate2(s->h5.file, "samples", H5P_DEFAULT, groups, H5P_DEFAULT);
  if (s->group < 0) DCS_TRY(dcs_h5_fail(&s->h5, DCS_EIO, "samples", "cannot make the group"));
  DCS_TRY(dcs_h5_put_attribute(&s->h5, s->h5.file, NULL, "study", s->study->name));
  DCS_TRY(dcs_h5_put_attribute_u64(&s->h5, s->h5.file, "study_hash", s->study->hash));
  DCS_TRY(dcs_h5_put_attribute_u64(&s->h5, s->h5.file, "seed", s->study->seed));
  DCS_TRY(dcs_h5_put_attribute_u64(&s->h5, s->h5.file, "particles", (uint64_t)s->study->save_samples));
  DCS_TRY(dcs_h5_put_attribute_u64(&s->h5, s->h5.file, "dcs_samples_format", FORMAT));
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
                       .set = H5I_INVALID_HID,
                       .transfer = H5I_INVALID_HID,
                       .level = level,
                       .h5 = {.file = H5I_INVALID_HID, .err = err}};
    st = dcs_strdup(path, &s->path);
    if (st == DCS_OK) st = dcs_alloc(n, 1, &s->temporary);
  }
  if (st != DCS_OK) dcs_fail(err, st, "%s: %s", path, dcs_status_text(st));
  DCS_TRY(agree(comm, st, err));
  snprintf(s->temporary, n, "%s.tmp", path);
  s->h5.path = s->temporary;
  H5Eget_auto2(H5E_DEFAULT, &s->h5.print, &s->h5.print_data);
  H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
  MPI_Comm_dup(comm, &s->comm);
  DCS_TRY(agree(comm, open_file(s), err));
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
  char name[NAME_MAX_BYTES];
  const dcs_point *point = &s->study->point[p];
  hsize_t size[2] = {(hsize_t)s->study->save_samples, (hsize_t)d}, chunk[2] = {(hsize_t)s->rows, (hsize_t)d};
  hid_t space = H5Screate_simple(2, size, NULL), create = H5Pcreate(H5P_DATASET_CREATE);
  point_name(point->hash, name);
  dcs_h5_release(s->set);
  s->set = H5I_INVALID_HID;
  bool good = space >= 0 && H5Pset_chunk(create, 2, chunk) >= 0 && H5Pset_obj_track_times(create, false) >= 0 &&
              H5Pset_fill_time(create, H5D_FILL_TIME_NEVER) >= 0;
  if (s->level > 0) good = good && H5Pset_shuffle(create) >= 0 && H5Pset_deflate(create, (unsigned)s->level) >= 0;
  if (!good || H5Pset_fletcher32(create) < 0)
    DCS_TRY(dcs_h5_fail(&s->h5, DCS_EIO, name, "cannot prepare the data set"));
  s->set = H5Dcreate2(s->group, name, H5T_IEEE_F64LE, space, H5P_DEFAULT, create, H5P_DEFAULT);
  if (s->set < 0) DCS_TRY(dcs_h5_fail(&s->h5, DCS_EIO, name, "cannot make the data set"));
  DCS_TRY(dcs_h5_put_attribute(&s->h5, s->group, name, "point", point->canonical));
  DCS_TRY(dcs_h5_put_attribute(&s->h5, s->group, name, "units", "data units"));
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
  return agree(s->comm, make_set(s, p, d), err);
}

static dcs_status write_chunks(dcs_samples *s, int n_chunks, const int64_t *chunk, const double *x)
{
  dcs_status st = DCS_OK;
  hsize_t rows = 0, total = (hsize_t)s->study->save_samples;
  hid_t space = H5Dget_space(s->set), memory = H5I_INVALID_HID;
  bool good = space >= 0 && H5Sselect_none(space) >= 0;
  for (int k = 0; good && k < n_chunks; k++) {
    hsize_t from[2] = {(hsize_t)(chunk[k] * s->rows), 0}, count[2] = {(hsize_t)s->rows, (hsize_t)s->d};
    if (from[0] + count[0] > total) count[0] = total - from[0];
    good = H5Sselect_hyperslab(space, H5S_SELECT_OR, from, NULL, count, NULL) >= 0;
    rows += count[0];
  }
  hsize_t size[2] = {rows > 0 ? rows : 1, (hsize_t)s->d};
  memory = H5Screate_simple(2, size, NULL);
  if (rows == 0) good = good && H5Sselect_none(memory) >= 0;
  /* everybody has to come here, or the others would wait for ever */
  herr_t written = H5Dwrite(s->set, H5T_NATIVE_DOUBLE, memory, space, s->transfer, x);
  if (!good || written < 0) st = dcs_h5_fail(&s->h5, DCS_EIO, "samples", "cannot be written");
  dcs_h5_release(space);
  dcs_h5_release(memory);
  return st;
}

dcs_status dcs_samples_write(dcs_samples *s, int n_chunks, const int64_t *chunk, const double *x, dcs_error *err)
{
  s->h5.err = err;
  return agree(s->comm, write_chunks(s, n_chunks, chunk, x), err);
}

/** On rank 0: PATH.tmp to the disk, then to its name. */
static dcs_status settle(const dcs_samples *s, dcs_error *err)
{
  int fd = open(s->temporary, O_RDWR | O_CLOEXEC);
  bool good = fd >= 0 && fsync(fd) == 0;
  if (fd >= 0) good = close(fd) == 0 && good;
  good = good && rename(s->temporary, s->path) == 0;
  return good ? DCS_OK : dcs_fail(err, DCS_EIO, "%s: cannot be completed: %s", s->temporary, strerror(errno));
}

dcs_status dcs_samples_close(dcs_samples **address, bool keep, dcs_error *err)
{
  dcs_samples *s = *address;
  dcs_status st = DCS_OK;
  int rank = 0;
  s->h5.err = err;
  dcs_h5_release(s->set);
  dcs_h5_release(s->group);
  dcs_h5_release(s->transfer);
  if (s->h5.file >= 0 && H5Fclose(s->h5.file) < 0) st = dcs_h5_fail(&s->h5, DCS_EIO, NULL, "cannot be closed");
  s->h5.file = H5I_INVALID_HID;
  if (s->comm != MPI_COMM_NULL) {
    dcs_h5_close(&s->h5);
    MPI_Comm_rank(s->comm, &rank);
    st = agree(s->comm, st, err);
    if (rank == 0 && keep && st == DCS_OK) st = settle(s, err);
    if (rank == 0 && (!keep || st != DCS_OK)) unlink(s->temporary);
    st = agree(s->comm, st, err);
    MPI_Comm_free(&s->comm);
  }
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

/** All rows of one data set, in pieces of a chunk. */
static dcs_status read_back(dcs_h5 *h5, hid_t group, const char *name, int d, int64_t particles)
{
  dcs_status st = DCS_OK;
  double *x = NULL;
  hid_t set = H5Dopen2(group, name, H5P_DEFAULT), space = H5I_INVALID_HID, memory = H5I_INVALID_HID;
  if (set < 0) DCS_TRY(dcs_h5_fail(h5, DCS_ECORRUPT, name, "is missing"));
  space = H5Dget_space(set);
  hsize_t size[2] = {0, 0};
  if (H5Sget_simple_extent_ndims(space) != 2 || H5Sget_simple_extent_dims(space, size, NULL) != 2 ||
      size[0] != (hsize_t)particles || size[1] != (hsize_t)d)
    DCS_TRY(dcs_h5_fail(h5, DCS_ECORRUPT, name, "has another shape than [particles][d]"));
  int64_t rows = dcs_samples_chunk(d, particles);
  st = dcs_alloc((size_t)rows * (size_t)d, sizeof *x, &x);
  if (st != DCS_OK) DCS_TRY(dcs_h5_fail(h5, st, name, "no memory to read it"));
  for (int64_t first = 0; first < particles; first += rows) {
    hsize_t from[2] = {(hsize_t)first, 0},
            count[2] = {(hsize_t)fmin((double)rows, (double)(particles - first)), size[1]};
    dcs_h5_release(memory);
    memory = H5Screate_simple(2, count, NULL);
    if (H5Sselect_hyperslab(space, H5S_SELECT_SET, from, NULL, count, NULL) < 0 ||
        H5Dread(set, H5T_NATIVE_DOUBLE, memory, space, H5P_DEFAULT, x) < 0)
      DCS_TRY(dcs_h5_fail(h5, DCS_ECORRUPT, name, "damaged"));
    bool finite = true;
    for (size_t i = 0; i < (size_t)count[0] * (size_t)d; i++) finite &= isfinite(x[i]) != 0;
    if (!finite) DCS_TRY(dcs_h5_fail(h5, DCS_ECORRUPT, name, "holds a number that is not finite"));
  }
done:
  dcs_h5_release(memory);
  dcs_h5_release(space);
  dcs_h5_release(set);
  dcs_free(&x);
  return st;
}

dcs_status dcs_samples_verify(const char *path, const dcs_result *result, int64_t *particles, dcs_error *err)
{
  dcs_status st = DCS_OK;
  dcs_h5 h5 = {.file = H5I_INVALID_HID};
  hid_t group = H5I_INVALID_HID;
  uint64_t hash = 0, n = 0;
  int d = dcs_result_column_find(result, "d");
  DCS_TRY(dcs_h5_open(&h5, path, err));
  DCS_TRY(get_u64(&h5, "study_hash", &hash));
  DCS_TRY(get_u64(&h5, "particles", &n));
  if (hash != result->study_hash || d < 0 || result->column[d].is_text || n > INT64_MAX)
    DCS_TRY(dcs_fail(err, DCS_EMISMATCH, "%s: of another study than the result beside it", path));
  *particles = (int64_t)n;
  DCS_TRY(dcs_h5_group_open(&h5, "samples", &group));
  for (int64_t p = 0; p < result->n_points; p++) {
    char name[NAME_MAX_BYTES];
    point_name(result->hash[p], name);
    double dimension = result->column[d].number[p];
    if (!(dimension >= 1 && dimension <= INT_MAX))
      DCS_TRY(dcs_fail(err, DCS_ECORRUPT, "%s: the result beside it has a point of dimension %g", path, dimension));
    DCS_TRY(read_back(&h5, group, name, (int)dimension, *particles));
  }
done:
  dcs_h5_release(group);
  dcs_h5_close(&h5);
  return st;
}
