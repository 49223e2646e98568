#ifndef DCS_BASE_AGREE_H
#define DCS_BASE_AGREE_H
/** One outcome on all ranks. */
#include <mpi.h>

#include "base/status.h"

/** Collective: returns the status of the lowest rank that failed, with its message, on every rank; DCS_OK if none did.
 *  A local step goes through here before the next communication, or the others would wait for ever. Waits without
 *  spinning. */
DCS_NODISCARD dcs_status dcs_agree(MPI_Comm comm, dcs_status st, dcs_error *err);

#endif
