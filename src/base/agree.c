#include "base/agree.h"

#include "base/clock.h"

dcs_status dcs_agree(MPI_Comm comm, dcs_status st, dcs_error *err)
{
  int rank = 0, size = 1, first = 0, arrived = 0;
  MPI_Comm_rank(comm, &rank);
  MPI_Comm_size(comm, &size);
  int mine = st == DCS_OK ? size : rank;
  MPI_Request request;
  MPI_Iallreduce(&mine, &first, 1, MPI_INT, MPI_MIN, comm, &request);
  for (MPI_Test(&request, &arrived, MPI_STATUS_IGNORE); !arrived; MPI_Test(&request, &arrived, MPI_STATUS_IGNORE))
    dcs_nap();
  if (first == size) return DCS_OK;
  int code = (int)st;
  MPI_Bcast(&code, 1, MPI_INT, first, comm);
  MPI_Bcast(err, (int)sizeof *err, MPI_BYTE, first, comm);
  return (dcs_status)code;
}
