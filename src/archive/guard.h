#ifndef DCS_ARCHIVE_GUARD_H
#define DCS_ARCHIVE_GUARD_H
/** Result files of others, behind a guard (base/guard.h):
 *
 *  file              read by                              first read in a child by
 *  ----------------  -----------------------------------  -----------------------------------------------------------
 *  result            show check verify fit export merge   dcs_guard_result
 *  result in place   run merge                            dcs_guard_look: run before MPI_Init, on rank 0; merge at once
 *  samples           run verify merge                     the same; verify reads them in the child alone, merge copies
 *                                                         what the child has read
 *  stored study      check (claims), merge (all of it)    nobody (check); merge parses it in a child
 *  cloud of points   run plan check merge                 dcs_points_file_read; run parses its study before MPI_Init
 *  result            analysis (h5py)                      dcs show, which both scripts call first
 *  journal           run merge                            nobody: no HDF5, fixed records with checksums
 *  study             run plan check merge                 nobody: no HDF5; at most 16 MiB, 10^6 values, 10^5 points
 *
 *  Without a guard: result and samples in place on a rank 0 that the launcher's environment does not tell from others. */
#include "archive/result.h"
#include "base/guard.h"

/** Does a child survive reading the result? DCS_OK, or why not. */
DCS_NODISCARD dcs_status dcs_guard_look(const char *path, dcs_error *err);

/** dcs_result_read behind a guard. What dcs_result_write_table reads again was read there too. */
DCS_NODISCARD dcs_status dcs_guard_result(const char *path, dcs_result **out, dcs_error *err);

#endif
