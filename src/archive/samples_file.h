#ifndef DCS_ARCHIVE_SAMPLES_FILE_H
#define DCS_ARCHIVE_SAMPLES_FILE_H
/** What samples.c (writing), samples_read.c and samples_join.c share. */
#include "archive/h5.h"
#include "archive/samples.h"

enum { DCS_SAMPLES_NAME = 17 /**< bytes of the name of a data set */ };

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
  char name[DCS_SAMPLES_NAME];
  uint64_t *crc; /**< [n_chunks] of those that this rank has written, else 0 */
  size_t n_crc;
};

/** CRC-32 (ISO 3309, as of zlib) of numbers as they are in the file: least significant byte first, like the machines that
 *  dcs is built for. */
uint64_t dcs_samples_crc(const double *x, size_t n);
void dcs_samples_name(uint64_t hash, char name[DCS_SAMPLES_NAME]);

/** A writer with no file yet and no communicator. On success *out is to be closed with dcs_samples_close. */
DCS_NODISCARD dcs_status dcs_samples_make(const char *path, const dcs_study *study, int level, dcs_samples **out,
                                          dcs_error *err);
/** The file with its attributes and the groups: collective, or by this process alone where there is no communicator. */
DCS_NODISCARD dcs_status dcs_samples_open(dcs_samples *samples);

/** Attributes of the data set of point p, and of its checksums. */
DCS_NODISCARD dcs_status dcs_samples_describe(dcs_samples *samples, int64_t p);
DCS_NODISCARD dcs_status dcs_samples_describe_checksums(dcs_samples *samples, hid_t set, int64_t rows);

typedef struct {
  uint64_t hash;
  double d;
  bool here; /**< in the file that was read */
} dcs_samples_point;

typedef struct {
  uint64_t study_hash;
  int64_t particles, n_points;
  dcs_samples_point point[];
} dcs_samples_contents;

/** Free with dcs_free. The points are to be filled in. */
DCS_NODISCARD dcs_status dcs_samples_contents_create(uint64_t study_hash, int64_t n_points, dcs_samples_contents **out);
/** Read back all that a file has of the points in `contents`, a dcs_samples_contents. For dcs_guard. */
DCS_NODISCARD dcs_status dcs_samples_read(const char *path, void *contents, dcs_error *err);

#endif
