#ifndef DCS_BASE_GUARD_H
#define DCS_BASE_GUARD_H
/** Reading files of others. HDF5 1.10 crashes on some files whose checksums are right and whose structure is not, so such
 *  a file is read in a child process first; only what the child survives is read here. Costs a few milliseconds beside
 *  reading twice. It protects from crashes, endless loops and exhausted memory; it is no sandbox. */
#include <stddef.h>

#include "base/status.h"

/** False once MPI is initialised: a child of a process whose memory a network card knows could spoil it. Files are then
 *  read without a guard; `dcs run` has looked at them before MPI_Init. */
bool dcs_guard_is_possible(void);

/** Run `read` in a child with limits on memory (1 GiB and 64 times the file), on processor time (a minute and a second for
 *  each megabyte) and on patience (ten times that). Its status and message are returned, and `data` [n_data] is as the
 *  child left it. When the child dies: DCS_ECORRUPT, "PATH: damaged: HDF5 crashed on it". */
DCS_NODISCARD dcs_status dcs_guard(const char *path, dcs_status (*read)(const char *path, void *data, dcs_error *err),
                                   void *data, size_t n_data, dcs_error *err);

#endif
