#include "archive/h5.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "base/write.h"

/** Behind the last byte of HDF5, where its readers do not look: a checksum over all of it. HDF5 1.10 can crash on a
 *  damaged file, so damage is found before HDF5 sees the file. A tool that rewrites the file drops the tail; such a
 *  file is still read, and its data still meet the checksums of HDF5 and the data digest. */
typedef struct {
  char magic[8];
  uint64_t size; /**< bytes before the tail */
  uint64_t crc;  /**< CRC-32 of them */
} file_tail;
_Static_assert(sizeof(file_tail) == 24, "file_tail has padding");
static const char tail_magic[8] = {'d', 'c', 's', '-', 't', 'a', 'i', 'l'};

size_t dcs_h5_size(dcs_h5_kind kind, size_t width)
{
  switch (kind) {
  case DCS_H5_TEXT:
    return width;
  case DCS_H5_I32:
    return sizeof(int32_t);
  default:
    return 8;
  }
}

/** Keep the innermost description: H5Ewalk2 upward starts there. */
static herr_t innermost(unsigned n, const H5E_error2_t *entry, void *data)
{
  char *text = data;
  if (n == 0 && entry->desc != NULL) snprintf(text, 160, " (%s)", entry->desc);
  return 0;
}

dcs_status dcs_h5_fail(dcs_h5 *h5, dcs_status status, const char *name, const char *what)
{
  char inner[160] = "";
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, innermost, inner);
  H5Eclear2(H5E_DEFAULT);
  return dcs_fail(h5->err, status, "%s: %s%s%s%s", h5->path, name == NULL ? "" : name, name == NULL ? "" : ": ", what,
                  inner);
}

static void start(dcs_h5 *h5, const char *path, dcs_error *err)
{
  *h5 = (dcs_h5){.path = path, .file = H5I_INVALID_HID, .err = err};
  H5Eget_auto2(H5E_DEFAULT, &h5->print, &h5->print_data);
  H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
}

void dcs_h5_release(hid_t id)
{
  if (id >= 0) H5Idec_ref(id);
}

void dcs_h5_close(dcs_h5 *h5)
{
  dcs_h5_release(h5->file);
  h5->file = H5I_INVALID_HID;
  H5Eset_auto2(H5E_DEFAULT, h5->print, h5->print_data);
}

dcs_status dcs_h5_create(dcs_h5 *h5, const char *path, dcs_error *err)
{
  dcs_status st = DCS_OK;
  enum { GROWTH = 1 << 20 };
  start(h5, path, err);
  hid_t access = H5Pcreate(H5P_FILE_ACCESS), create = H5Pcreate(H5P_FILE_CREATE);
  unsigned order = H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED; /* netCDF-4 asks for it */
  /* The oldest superblock every reader knows (the image function of HDF5 1.10 spoils the checksum of newer ones);
   *  objects that track creation order get headers with checksums all the same. */
  if (H5Pset_fapl_core(access, GROWTH, false) < 0 ||
      H5Pset_libver_bounds(access, H5F_LIBVER_EARLIEST, H5F_LIBVER_V18) < 0 ||
      H5Pset_link_creation_order(create, order) < 0 || H5Pset_attr_creation_order(create, order) < 0 ||
      H5Pset_obj_track_times(create, false) < 0) {
    DCS_TRY(dcs_h5_fail(h5, DCS_EIO, NULL, "cannot prepare the file"));
  }
  h5->file = H5Fcreate(path, H5F_ACC_TRUNC, create, access);
  if (h5->file < 0) DCS_TRY(dcs_h5_fail(h5, DCS_EIO, NULL, "cannot make the file"));
done:
  dcs_h5_release(access);
  dcs_h5_release(create);
  return st;
}

static dcs_status check_tail(dcs_h5 *h5)
{
  dcs_status st = DCS_OK;
  file_tail tail;
  char buffer[1 << 14];
  uLong crc = 0;
  uint64_t left;
  FILE *file = fopen(h5->path, "rb");
  if (file == NULL) return dcs_fail(h5->err, DCS_EIO, "%s: %s", h5->path, strerror(errno));
  if (fseeko(file, -(off_t)sizeof tail, SEEK_END) != 0 || fread(&tail, sizeof tail, 1, file) != 1 ||
      memcmp(tail.magic, tail_magic, sizeof tail_magic) != 0) {
    goto done;
  }
  if (tail.size != (uint64_t)h5->file_size - sizeof tail) {
    DCS_TRY(dcs_fail(h5->err, DCS_ECORRUPT, "%s: damaged: bytes are missing or were added", h5->path));
  }
  rewind(file);
  for (left = tail.size; left > 0;) {
    size_t got = fread(buffer, 1, left < sizeof buffer ? (size_t)left : sizeof buffer, file);
    if (got == 0) DCS_TRY(dcs_fail(h5->err, DCS_EIO, "%s: cannot be read to its end", h5->path));
    crc = crc32_z(crc, (const Bytef *)buffer, got);
    left -= got;
  }
  if (crc != tail.crc) DCS_TRY(dcs_fail(h5->err, DCS_ECORRUPT, "%s: damaged: file checksum differs", h5->path));
done:
  fclose(file);
  return st;
}

dcs_status dcs_h5_open(dcs_h5 *h5, const char *path, dcs_error *err)
{
  start(h5, path, err);
  struct stat info;
  if (stat(path, &info) != 0) return dcs_fail(err, DCS_EIO, "%s: %s", path, strerror(errno));
  if (!S_ISREG(info.st_mode)) return dcs_fail(err, DCS_EIO, "%s: not a regular file", path);
  h5->file_size = info.st_size;
  dcs_status st = check_tail(h5);
  if (st != DCS_OK) return st;
  if (H5Fis_hdf5(path) <= 0) {
    H5Eclear2(H5E_DEFAULT);
    return dcs_fail(err, DCS_ECORRUPT, "%s: not a result file of dcs (not HDF5, or its start is damaged)", path);
  }
  h5->file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
  if (h5->file < 0) return dcs_h5_fail(h5, DCS_ECORRUPT, NULL, "cannot be opened: damaged or cut short");
  return DCS_OK;
}

dcs_status dcs_h5_save(dcs_h5 *h5)
{
  dcs_status st = DCS_OK;
  char *image = NULL, *temporary = NULL;
  int fd = -1;
  bool made = false;
  file_tail tail;
  size_t n_name = strlen(h5->path) + 5;
  DCS_TRY(dcs_alloc(n_name, 1, &temporary));
  snprintf(temporary, n_name, "%s.tmp", h5->path);
  if (H5Fflush(h5->file, H5F_SCOPE_GLOBAL) < 0) DCS_TRY(dcs_h5_fail(h5, DCS_EIO, NULL, "cannot be completed"));
  ssize_t size = H5Fget_file_image(h5->file, NULL, 0);
  if (size <= 0) DCS_TRY(dcs_h5_fail(h5, DCS_EIO, NULL, "cannot be completed"));
  st = dcs_alloc((size_t)size, 1, &image);
  if (st != DCS_OK) DCS_TRY(dcs_fail(h5->err, st, "%s: no memory for its %zd bytes", h5->path, size));
  if (H5Fget_file_image(h5->file, image, (size_t)size) != size) {
    DCS_TRY(dcs_h5_fail(h5, DCS_EIO, NULL, "cannot be completed"));
  }
  tail = (file_tail){.size = (uint64_t)size, .crc = crc32_z(0, (const Bytef *)image, (size_t)size)};
  memcpy(tail.magic, tail_magic, sizeof tail_magic);
  fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  made = fd >= 0;
  if (!made || !dcs_write_all(fd, image, (size_t)size) || !dcs_write_all(fd, (const char *)&tail, sizeof tail) ||
      fsync(fd) != 0) {
    DCS_TRY(dcs_fail(h5->err, DCS_EIO, "%s: cannot write: %s", temporary, strerror(errno)));
  }
  int closed = close(fd);
  fd = -1;
  if (closed != 0) DCS_TRY(dcs_fail(h5->err, DCS_EIO, "%s: cannot write: %s", temporary, strerror(errno)));
  if (rename(temporary, h5->path) != 0) {
    DCS_TRY(dcs_fail(h5->err, DCS_EIO, "%s: cannot rename to %s: %s", temporary, h5->path, strerror(errno)));
  }
  made = false;
  if (!dcs_sync_parent(h5->path))
    DCS_TRY(dcs_fail(h5->err, DCS_EIO, "%s: cannot sync its directory: %s", h5->path, strerror(errno)));
done:
  if (fd >= 0) close(fd);
  if (made) unlink(temporary);
  dcs_free(&image);
  dcs_free(&temporary);
  return st;
}

hid_t dcs_h5_memory_type(dcs_h5_kind kind, hid_t stored)
{
  switch (kind) {
  case DCS_H5_F64:
    return H5Tcopy(H5T_NATIVE_DOUBLE);
  case DCS_H5_I64:
    return H5Tcopy(H5T_NATIVE_INT64);
  case DCS_H5_I32:
    return H5Tcopy(H5T_NATIVE_INT32);
  case DCS_H5_U64:
    return H5Tcopy(H5T_NATIVE_UINT64);
  default:
    return H5Tcopy(stored);
  }
}
