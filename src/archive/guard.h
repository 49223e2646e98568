#ifndef DCS_ARCHIVE_GUARD_H
#define DCS_ARCHIVE_GUARD_H
/** Reading HDF5 files of others. HDF5 1.10 crashes on some files whose checksums are right and whose structure is not,
 *  so such a file is read in a child process first; only what the child survives is read here. Costs a few milliseconds
 *  beside reading twice. It protects from crashes, endless loops and exhausted memory; it is no sandbox. Call before
 *  MPI_Init. */
#include "archive/result.h"

/** Run `read` in a child with limits on memory (1 GiB and 64 times the file) and on processor time (a minute and a
 *  second for each megabyte). Its status and message are returned, and `data` [n_data] is as the child left it. When
 *  the child dies: DCS_ECORRUPT, "PATH: damaged: HDF5 crashed on it". */
DCS_NODISCARD dcs_status dcs_guard(const char *path, dcs_status (*read)(const char *path, void *data, dcs_error *err),
                                   void *data, size_t n_data, dcs_error *err);

/** dcs_result_read behind a guard. What dcs_result_write_table reads again was read there too. */
DCS_NODISCARD dcs_status dcs_guard_result(const char *path, dcs_result **out, dcs_error *err);

#endif
