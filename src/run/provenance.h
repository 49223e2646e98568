#ifndef DCS_RUN_PROVENANCE_H
#define DCS_RUN_PROVENANCE_H
#include <mpi.h>

#include "study/study.h"

/** How a result was made, as "key\tvalue\n" lines: program, compiler and libraries (base/build.h), command line, seed
 *  and generator, hosts and ranks, batch job, start and end (UTC). Collective; the text is on rank 0 (NULL elsewhere)
 *  and owned by the caller. @param start  time() at the start of the run */
DCS_NODISCARD dcs_status dcs_provenance_collect(MPI_Comm comm, const dcs_study *study, int argc, char *const *argv,
                                                int64_t start, char **text, dcs_error *err);
/** The same for a process without MPI. */
DCS_NODISCARD dcs_status dcs_provenance_here(const dcs_study *study, int argc, char *const *argv, int64_t start,
                                             char **text, dcs_error *err);

#endif
