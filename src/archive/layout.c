#include "archive/layout.h"

#include <stddef.h>

const dcs_record_field *dcs_record_fields(int *count)
{
  static const dcs_record_field fields[] = {
      {"point_hash", DCS_H5_U64, offsetof(dcs_record, point), 8, 0, "1",
       "point this block belongs to (value in /point_hash)"},
      {"estimator_hash", DCS_H5_U64, offsetof(dcs_record, estimator), 8, 0, "1",
       "hash of the estimator's name (value in NAME_method)"},
      {"phase", DCS_H5_I32, offsetof(dcs_record, phase), 4, 0, "1",
       "phase: pilots first, the last one makes the result"},
      {"block", DCS_H5_I64, offsetof(dcs_record, block), 8, 0, "1", "number of the block in its phase"},
      {"inner", DCS_H5_I32, offsetof(dcs_record, inner), 4, 0, "1", "inner paths per outer sample"},
      {"outer", DCS_H5_I64, offsetof(dcs_record, outer), 8, 0, "1", "outer samples per block"},
      {"status", DCS_H5_I32, offsetof(dcs_record, status), 4, 0, "1", "0: ok, else the code of what went wrong"},
      {"reason", DCS_H5_TEXT, offsetof(dcs_record, reason), sizeof((dcs_record *)0)->reason, 0, "", "what went wrong"},
      {"n", DCS_H5_I64, offsetof(dcs_record, sums.n), 8, 0, "1", "independent samples in the block"},
      {"mean", DCS_H5_F64, offsetof(dcs_record, sums.mean), 8, DCS_SUMS_MAX, "1",
       "mean of each quantity over the block"},
      {"m2", DCS_H5_F64, offsetof(dcs_record, sums.m2), 8, DCS_SUMS_MAX, "1",
       "sum of squared deviations from the mean"},
  };
  *count = (int)(sizeof fields / sizeof *fields);
  return fields;
}
