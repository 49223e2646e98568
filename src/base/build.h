#ifndef DCS_BASE_BUILD_H
#define DCS_BASE_BUILD_H
/** How this binary was made, for `dcs --version` and /provenance. build.c.in is filled at every build. */
#include "base/status.h"

/** Version of the code: "0.1.0". */
const char *dcs_build_version(void);
/** `git describe --always --tags --dirty` when it was built; "unknown" outside a repository. */
const char *dcs_build_git_describe(void);

/** Everything, as "key\tvalue\n" lines: version, git_describe, compiler, flags, and of the libraries really loaded
 *  hdf5, gsl, mpi, openblas, openblas_core (the kernel OpenBLAS chose for this processor), sleef, yaml, zlib.
 *  May be called before MPI_Init. Not collective. `*text` is owned by the caller (dcs_free). DCS_ENOMEM. */
DCS_NODISCARD dcs_status dcs_build_describe(char **text);

#endif
