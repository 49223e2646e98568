#include "archive/journal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "base/clock.h"
#include "base/write.h"

enum { SYNC_SECONDS = 1, VERSION = 1, BYTE_ORDER_MARK = 0x01020304 };

typedef struct {
  char magic[8];
  uint32_t version, byte_order, record_size;
  uint32_t crc; /**< of this struct with crc = 0 */
  uint64_t study_hash;
} file_header;
_Static_assert(sizeof(file_header) == 32, "file_header has padding");

typedef struct {
  uint32_t length; /**< sizeof(dcs_record) */
  uint32_t crc;    /**< over length and payload */
  dcs_record payload;
} frame;
_Static_assert(sizeof(frame) == 8 + sizeof(dcs_record), "frame has padding");

struct dcs_journal {
  int fd;
  char *path;
  int64_t length, count;               /**< bytes and records in the file, all whole */
  int64_t synced_length, synced_count; /**< of these, known to be on the disk */
  double synced_at;                    /**< on dcs_clock */
};

/** What a scan of one log found. */
typedef struct {
  int64_t size;  /**< bytes in the file */
  int64_t good;  /**< bytes up to the end of the last good record; 0: no good header */
  int64_t count; /**< good records */
  bool torn;     /**< the rest can be one interrupted write() and nothing else */
} scan_result;

static uint32_t crc_of(const void *bytes, size_t n) { return (uint32_t)crc32(0, bytes, (uInt)n); }

static uint32_t frame_crc(const frame *f)
{
  uLong crc = crc32(0, (const Bytef *)&f->length, sizeof f->length);
  return (uint32_t)crc32(crc, (const Bytef *)&f->payload, sizeof f->payload);
}

static file_header header_create(uint64_t study_hash)
{
  file_header h = {
      .version = VERSION, .byte_order = BYTE_ORDER_MARK, .record_size = sizeof(dcs_record), .study_hash = study_hash};
  memcpy(h.magic, "dcsjrnl\n", sizeof h.magic);
  h.crc = crc_of(&h, sizeof h);
  return h;
}

static bool header_is_sound(file_header h)
{
  uint32_t crc = h.crc;
  h.crc = 0;
  return memcmp(h.magic, "dcsjrnl\n", sizeof h.magic) == 0 && crc_of(&h, sizeof h) == crc;
}

/** r, digits, .log and then `rest`. */
static bool is_log_name(const char *name, const char *rest)
{
  if (name[0] != 'r') return false;
  size_t digits = strspn(name + 1, "0123456789");
  const char *end = name + 1 + digits;
  if (digits == 0 || strncmp(end, ".log", 4) != 0) return false;
  return *rest == 0 ? end[4] == 0 : strncmp(end + 4, rest, strlen(rest)) == 0;
}

static dcs_status join(const char *directory, const char *name, char **path)
{
  size_t n = strlen(directory) + strlen(name) + 2;
  dcs_status st = dcs_alloc(n, 1, path);
  if (st == DCS_OK) snprintf(*path, n, "%s/%s", directory, name);
  return st;
}

static dcs_status io_fail(dcs_error *err, const char *path, const char *what)
{
  return dcs_fail(err, DCS_EIO, "%s: %s: %s", path, what, strerror(errno));
}

static dcs_status make_directory(const char *directory, dcs_error *err)
{
  if (mkdir(directory, 0777) == 0) return DCS_OK;
  if (errno != EEXIST) return io_fail(err, directory, "cannot make the journal directory");
  struct stat info;
  if (stat(directory, &info) == 0 && S_ISDIR(info.st_mode)) return DCS_OK;
  return dcs_fail(err, DCS_EIO, "%s: is in the way of the journal directory: move it away", directory);
}

/** Go through a log from its start and add its good records (`records` may be NULL). One pass, one record in memory:
 *  nothing in the file decides how much is allocated. */
static dcs_status scan(FILE *file, const char *path, uint64_t study_hash, dcs_records *records, scan_result *out,
                       dcs_error *err)
{
  *out = (scan_result){.torn = true};
  struct stat info;
  if (fstat(fileno(file), &info) != 0) return io_fail(err, path, "cannot read");
  if (!S_ISREG(info.st_mode)) return dcs_fail(err, DCS_EIO, "%s: not a regular file: move it away", path);
  out->size = info.st_size;

  file_header header = {0};
  size_t got = fread(&header, 1, sizeof header, file);
  if (got < sizeof header) {
    if (ferror(file)) return io_fail(err, path, "cannot read");
    file_header whole = header_create(study_hash);
    out->torn = memcmp(&whole, &header, got) == 0;
    return DCS_OK;
  }
  if (!header_is_sound(header)) {
    out->torn = false;
    return DCS_OK;
  }
  if (header.version != VERSION || header.byte_order != BYTE_ORDER_MARK || header.record_size != sizeof(dcs_record)) {
    return dcs_fail(err, DCS_EMISMATCH,
                    "%s: log of another version of dcs or another kind of machine: finish there, or remove it", path);
  }
  if (header.study_hash != study_hash) {
    return dcs_fail(err, DCS_EMISMATCH,
                    "%s: log of another study or seed: give another output name, or remove the directory", path);
  }
  out->good = sizeof header;
  for (;;) {
    frame f = {0};
    got = fread(&f, 1, sizeof f, file);
    if (got < sizeof f) {
      if (ferror(file)) return io_fail(err, path, "cannot read");
      out->torn = got < sizeof f.length || f.length == sizeof f.payload;
      return DCS_OK;
    }
    if (f.length != sizeof f.payload || f.crc != frame_crc(&f) || !dcs_record_is_valid(&f.payload)) {
      out->torn = false;
      return DCS_OK;
    }
    if (records != NULL) {
      dcs_status st = dcs_records_add(records, &f.payload);
      if (st != DCS_OK) return dcs_fail(err, st, "%s: no memory for its records", path);
    }
    out->good += (int64_t)sizeof f;
    out->count++;
  }
}

/** Copy bytes [good, size) to PATH.cut-N, N the first free number, and make sure they are on the disk. */
static dcs_status keep_tail(int fd, const char *path, const scan_result *found, dcs_error *err)
{
  dcs_status st = DCS_OK;
  char *name = NULL;
  size_t n_name = strlen(path) + 32;
  int out = -1;
  DCS_TRY(dcs_alloc(n_name, 1, &name));
  for (int n = 1; out < 0; n++) {
    snprintf(name, n_name, "%s.cut-%d", path, n);
    out = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (out < 0 && errno != EEXIST) DCS_TRY(io_fail(err, name, "cannot keep the damaged end of a log"));
  }
  char buffer[4096];
  for (int64_t at = found->good; at < found->size;) {
    ssize_t got = pread(fd, buffer, sizeof buffer, at);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) DCS_TRY(io_fail(err, path, "cannot read"));
    if (!dcs_write_all(out, buffer, (size_t)got)) DCS_TRY(io_fail(err, name, "cannot keep the damaged end of a log"));
    at += got;
  }
  if (fsync(out) != 0) DCS_TRY(io_fail(err, name, "cannot keep the damaged end of a log"));
done:
  if (out >= 0) close(out);
  dcs_free(&name);
  return st;
}

/** Find the end of the good records and cut the rest off, so that the next append follows a good record. */
static dcs_status repair(dcs_journal *journal, uint64_t study_hash, dcs_error *err)
{
  dcs_status st = DCS_OK;
  scan_result found;
  FILE *file = fopen(journal->path, "rb");
  if (file == NULL) return io_fail(err, journal->path, "cannot read");
  DCS_TRY(scan(file, journal->path, study_hash, NULL, &found, err));
  if (found.good < found.size) {
    if (!found.torn) DCS_TRY(keep_tail(fileno(file), journal->path, &found, err));
    if (ftruncate(journal->fd, found.good) != 0) DCS_TRY(io_fail(err, journal->path, "cannot cut its damaged end"));
  }
  journal->length = found.good;
  journal->count = found.count;
done:
  fclose(file);
  return st;
}

static void sync_directory(const char *directory)
{
  int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return;
  fsync(fd); /* some file systems cannot; the records themselves are synced on their own */
  close(fd);
}

/** After a failed write or sync: back to the last record that is safe, and say so. */
static dcs_status roll_back(dcs_journal *journal, dcs_error *err, int code, int64_t length, int64_t count)
{
  bool full = code == ENOSPC || code == EDQUOT || code == EFBIG;
  bool cut = ftruncate(journal->fd, length) == 0;
  if (cut) {
    journal->length = length;
    journal->count = count;
  }
  return dcs_fail(err, DCS_EIO, "%s: %s: %s run again; %lld finished blocks of this log are safe%s", journal->path,
                  strerror(code), full ? "free space and" : "look after the disk, then", (long long)count,
                  cut ? "" : " (the torn end is cut then)");
}

static dcs_status write_header(dcs_journal *journal, uint64_t study_hash, dcs_error *err)
{
  file_header header = header_create(study_hash);
  if (!dcs_write_all(journal->fd, &header, sizeof header)) return roll_back(journal, err, errno, 0, 0);
  journal->length = sizeof header;
  return DCS_OK;
}

dcs_status dcs_journal_open(const char *directory, int rank, uint64_t study_hash, dcs_journal **out, dcs_error *err)
{
  dcs_status st = DCS_OK;
  dcs_journal *journal = NULL;
  char name[32];
  *out = NULL;
  snprintf(name, sizeof name, "r%05d.log", rank);
  DCS_TRY(make_directory(directory, err));
  DCS_TRY(dcs_alloc(1, sizeof *journal, &journal));
  journal->fd = -1;
  DCS_TRY(join(directory, name, &journal->path));
  journal->fd = open(journal->path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (journal->fd < 0) DCS_TRY(io_fail(err, journal->path, "cannot open"));
  DCS_TRY(repair(journal, study_hash, err));
  if (journal->length == 0) {
    DCS_TRY(write_header(journal, study_hash, err));
    sync_directory(directory);
  }
  DCS_TRY(dcs_journal_flush(journal, err));
  *out = journal;
  return DCS_OK;
done:
  if (journal != NULL) {
    if (journal->fd >= 0) close(journal->fd);
    dcs_free(&journal->path);
    dcs_free(&journal);
  }
  return st;
}

dcs_status dcs_journal_flush(dcs_journal *journal, dcs_error *err)
{
  /* After a failed sync the kernel may forget what it could not write: only what an earlier sync covered is safe. */
  if (fdatasync(journal->fd) != 0) {
    return roll_back(journal, err, errno, journal->synced_length, journal->synced_count);
  }
  journal->synced_length = journal->length;
  journal->synced_count = journal->count;
  journal->synced_at = dcs_clock();
  return DCS_OK;
}

dcs_status dcs_journal_append(dcs_journal *journal, const dcs_record *record, dcs_error *err)
{
  frame f = {.length = sizeof f.payload, .payload = *record};
  f.crc = frame_crc(&f);
  if (!dcs_write_all(journal->fd, &f, sizeof f)) return roll_back(journal, err, errno, journal->length, journal->count);
  journal->length += (int64_t)sizeof f;
  journal->count++;
  return dcs_clock() - journal->synced_at >= SYNC_SECONDS ? dcs_journal_flush(journal, err) : DCS_OK;
}

dcs_status dcs_journal_close(dcs_journal **journal, dcs_error *err)
{
  if (*journal == NULL) return DCS_OK;
  dcs_status st = dcs_journal_flush(*journal, err);
  if (close((*journal)->fd) != 0 && st == DCS_OK) st = io_fail(err, (*journal)->path, "cannot close");
  dcs_free(&(*journal)->path);
  dcs_free(journal);
  return st;
}

dcs_status dcs_journal_read(const char *directory, uint64_t study_hash, dcs_records *records, int *n_cut,
                            dcs_error *err)
{
  dcs_status st = DCS_OK;
  char *path = NULL;
  FILE *file = NULL;
  int cut = 0;
  if (n_cut != NULL) *n_cut = 0;
  DIR *dir = opendir(directory);
  if (dir == NULL && errno == ENOENT) return DCS_OK;
  if (dir == NULL) return io_fail(err, directory, "cannot read");
  for (const struct dirent *entry; (entry = readdir(dir)) != NULL;) {
    if (!is_log_name(entry->d_name, "")) continue;
    DCS_TRY(join(directory, entry->d_name, &path));
    file = fopen(path, "rb");
    if (file == NULL) DCS_TRY(io_fail(err, path, "cannot read"));
    scan_result found;
    DCS_TRY(scan(file, path, study_hash, records, &found, err));
    if (found.good < found.size) cut++;
    fclose(file);
    file = NULL;
    dcs_free(&path);
  }
  if (n_cut != NULL) *n_cut = cut;
done:
  if (file != NULL) fclose(file);
  dcs_free(&path);
  closedir(dir);
  return st;
}

dcs_status dcs_journal_remove(const char *directory, dcs_error *err)
{
  dcs_status st = DCS_OK;
  char *path = NULL;
  DIR *dir = opendir(directory);
  if (dir == NULL && errno == ENOENT) return DCS_OK;
  if (dir == NULL) return io_fail(err, directory, "cannot read");
  for (const struct dirent *entry; (entry = readdir(dir)) != NULL;) {
    const char *name = entry->d_name;
    if (!is_log_name(name, "") && !is_log_name(name, ".cut-") && strcmp(name, "lock") != 0) continue;
    DCS_TRY(join(directory, name, &path));
    if (unlink(path) != 0 && errno != ENOENT) DCS_TRY(io_fail(err, path, "cannot remove"));
    dcs_free(&path);
  }
  if (rmdir(directory) != 0 && errno != ENOTEMPTY && errno != EEXIST && errno != ENOENT) {
    st = io_fail(err, directory, "cannot remove");
  }
done:
  dcs_free(&path);
  closedir(dir);
  return st;
}

dcs_status dcs_journal_lock(const char *directory, int *fd, dcs_error *err)
{
  dcs_status st = DCS_OK;
  char *path = NULL;
  struct stat held, named;
  *fd = -1;
  DCS_TRY(make_directory(directory, err));
  DCS_TRY(join(directory, "lock", &path));
  *fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (*fd < 0) DCS_TRY(io_fail(err, path, "cannot open"));
  if (flock(*fd, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) DCS_TRY(io_fail(err, path, "cannot lock"));
    DCS_TRY(dcs_fail(err, DCS_EBUSY, "%s: another run writes this output: wait for it or stop it", path));
  }
  /* The previous owner may have removed the file between our open and our lock: then this lock guards nothing. */
  if (fstat(*fd, &held) != 0 || stat(path, &named) != 0 || held.st_ino != named.st_ino || held.st_dev != named.st_dev) {
    DCS_TRY(dcs_fail(err, DCS_EBUSY, "%s: another run is just finishing this output: run again", path));
  }
done:
  if (st != DCS_OK) dcs_journal_unlock(fd);
  dcs_free(&path);
  return st;
}

dcs_status dcs_journal_read_note(int fd, char **text, dcs_error *err)
{
  enum { MOST = 16 << 20 };
  struct stat info;
  *text = NULL;
  if (fstat(fd, &info) != 0) return io_fail(err, "lock of the journal", "cannot read");
  size_t n = info.st_size < MOST ? (size_t)info.st_size : MOST;
  dcs_status st = dcs_alloc(n + 1, 1, text);
  if (st != DCS_OK) return dcs_fail(err, st, "lock of the journal: %s", dcs_status_text(st));
  ssize_t got = pread(fd, *text, n, 0);
  (*text)[got > 0 ? got : 0] = '\0';
  return DCS_OK;
}

dcs_status dcs_journal_leave_note(int fd, const char *text, dcs_error *err)
{
  if (ftruncate(fd, 0) == 0 && lseek(fd, 0, SEEK_SET) == 0 && dcs_write_all(fd, text, strlen(text))) return DCS_OK;
  return io_fail(err, "lock of the journal", "cannot write");
}

void dcs_journal_unlock(int *fd)
{
  if (*fd >= 0) close(*fd);
  *fd = -1;
}
