#define _GNU_SOURCE /* sync_file_range */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "archive/samples_file.h"
#include "base/agree.h"
#include "base/write.h"
#include "numerics/lanes.h"

enum {
  CHUNK_NUMBERS = 1 << 17, /**< 1 MiB */
  ALIGNMENT = 1 << 20,     /**< bytes: of data sets of at least that size, for the stripes of a parallel file system */
  FORMAT = 2
};

int64_t dcs_samples_chunk(int d, int64_t particles)
{
  int64_t rows = CHUNK_NUMBERS / d / DCS_LANES * DCS_LANES;
  if (rows < DCS_LANES) rows = DCS_LANES;
  return rows < particles ? rows : particles;
}

int64_t dcs_samples_chunks(int64_t rows, int64_t particles) { return (particles + rows - 1) / rows; }

uint64_t dcs_samples_crc(const double *x, size_t n) { return crc32_z(0, (const Bytef *)x, n * sizeof *x); }

void dcs_samples_name(uint64_t hash, char name[DCS_SAMPLES_NAME])
{
  snprintf(name, DCS_SAMPLES_NAME, "%016" PRIx64, hash);
}

dcs_status dcs_samples_open(dcs_samples *s)
{
  bool alone = s->comm == MPI_COMM_NULL;
  dcs_status st = DCS_OK;
  hid_t access = H5Pcreate(H5P_FILE_ACCESS), create = H5Pcreate(H5P_FILE_CREATE), groups = H5Pcreate(H5P_GROUP_CREATE);
  unsigned order = H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED;
  s->transfer = H5Pcreate(H5P_DATASET_XFER);
  /* Filtered chunks have to be written together. Whole blocks of a data set without filters need no partner: together
   * they would be copied to one rank of each node first. */
  H5FD_mpio_xfer_t together = s->level > 0 ? H5FD_MPIO_COLLECTIVE : H5FD_MPIO_INDEPENDENT;
  if ((!alone && (H5Pset_fapl_mpio(access, s->comm, MPI_INFO_NULL) < 0 ||
                  H5Pset_coll_metadata_write(access, true) < 0 || H5Pset_dxpl_mpio(s->transfer, together) < 0)) ||
      H5Pset_alignment(access, ALIGNMENT, ALIGNMENT) < 0 ||
      H5Pset_libver_bounds(access, H5F_LIBVER_V18, H5F_LIBVER_V18) < 0 || H5Pset_obj_track_times(create, false) < 0 ||
      H5Pset_obj_track_times(groups, false) < 0 || H5Pset_link_creation_order(groups, order) < 0)
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

/** One status on all ranks. */
static dcs_status agree(const dcs_samples *s, dcs_status st, dcs_error *err)
{
  return s->comm == MPI_COMM_NULL ? st : dcs_agree(s->comm, st, err);
}

dcs_status dcs_samples_make(const char *path, const dcs_study *study, int level, dcs_samples **out, dcs_error *err)
{
  size_t n = strlen(path) + sizeof ".tmp";
  dcs_status st = dcs_alloc(1, sizeof **out, out);
  if (st == DCS_OK) {
    dcs_samples *s = *out;
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
    if (st == DCS_OK) snprintf(s->temporary, n, "%s.tmp", path);
    s->h5.path = s->temporary;
    H5Eget_auto2(H5E_DEFAULT, &s->h5.print, &s->h5.print_data);
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
  }
  return st == DCS_OK ? st : dcs_fail(err, st, "%s: %s", path, dcs_status_text(st));
}

dcs_status dcs_samples_create(MPI_Comm comm, const char *path, const dcs_study *study, int level, dcs_samples **out,
                              dcs_error *err)
{
  dcs_status st = dcs_samples_make(path, study, level, out, err);
  DCS_TRY(dcs_agree(comm, st, err));
  MPI_Comm_dup(comm, &(*out)->comm);
  MPI_Comm_rank(comm, &(*out)->rank);
  DCS_TRY(dcs_agree(comm, dcs_samples_open(*out), err));
done:
  if (st != DCS_OK && *out != NULL) {
    dcs_error ignored;
    (void)!dcs_samples_close(out, false, &ignored);
  }
  return st;
}

dcs_status dcs_samples_describe(dcs_samples *s, int64_t p)
{
  dcs_status st = DCS_OK;
  char name[DCS_SAMPLES_NAME];
  dcs_samples_name(s->study->point[p].hash, name);
  DCS_TRY(dcs_h5_put_attribute(&s->h5, s->group, name, "point", s->study->point[p].canonical));
  DCS_TRY(dcs_h5_put_attribute(&s->h5, s->group, name, "units", "data units"));
done:
  return st;
}

dcs_status dcs_samples_describe_checksums(dcs_samples *s, hid_t set, int64_t rows)
{
  dcs_status st = DCS_OK;
  DCS_TRY(dcs_h5_put_attribute(&s->h5, set, NULL, "algorithm", "CRC-32 of zlib"));
  DCS_TRY(dcs_h5_put_attribute_u64(&s->h5, set, "rows", (uint64_t)rows));
done:
  return st;
}

static dcs_status make_set(dcs_samples *s, int64_t p, int d)
{
  dcs_status st = DCS_OK;
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
  DCS_TRY(dcs_samples_describe(s, p));
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
  s->n_chunks = dcs_samples_chunks(s->rows, s->study->save_samples);
  dcs_samples_name(s->study->point[p].hash, s->name);
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
    s->crc[first + k] = dcs_samples_crc(x + row * s->d, (size_t)(rows * s->d));
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
  DCS_TRY(dcs_samples_describe_checksums(s, set, s->rows));
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
  dcs_h5_close(&s->h5);
  if (st == DCS_OK && keep) st = sync_file(s, err); /* every node has written pages that the others do not have */
  st = agree(s, st, err);
  if (s->rank == 0 && keep && st == DCS_OK) st = settle(s, err);
  if (s->rank == 0 && (!keep || st != DCS_OK)) unlink(s->temporary);
  st = agree(s, st, err);
  if (s->comm != MPI_COMM_NULL) MPI_Comm_free(&s->comm);
  if (s->fd >= 0) close(s->fd);
  dcs_free(&s->crc);
  dcs_free(&s->temporary);
  dcs_free(&s->path);
  dcs_free(address);
  return st;
}
