#ifndef DCS_STUDY_POINTS_FILE_H
#define DCS_STUDY_POINTS_FILE_H
/** Point clouds in HDF5 files. Private to src/study.
 *
 *  A law with the parameters `points`, `file` and `dataset` takes its points from the data set `dataset` of the HDF5
 *  file `file` when both are set. Only the numbers are part of a point's identity, not where they came from. */
#include "study/node.h"
#include "study/study.h"

/** Read a data set of any real or integer type and shape [n][d], or [n] (then d = 1), as doubles; *values [rows][cols]
 *  is owned by the caller. DCS_EIO: there is no such file, or it cannot be read; DCS_EUSAGE: it has no such data set
 *  (the message names those it has), or the data set is not of that kind, is empty, has a value that is not finite or
 *  more than 2^31 - 1 numbers. One-line messages that begin with `path`. Read in a child first (base/guard.h): DCS_ECORRUPT when
 *  that dies. Not collective; HDF5 prints nothing. */
DCS_NODISCARD dcs_status dcs_points_file_read(const char *path, const char *dataset, int *rows, int *cols,
                                              double **values, dcs_error *err);

/** Fill `points` of a target's parameters when `file` and `dataset` are set: a relative path starts at the folder of the
 *  study file. The numbers are read once and stay in study->cloud; `params` borrows them. Fails with the place in
 *  `target`, the mapping `params` were read from. */
DCS_NODISCARD dcs_status dcs_points_file_fill(const dcs_node *target, dcs_study *study, dcs_params *params,
                                              dcs_error *err);

#endif
