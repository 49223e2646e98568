#ifndef DCS_ARCHIVE_PRINT_H
#define DCS_ARCHIVE_PRINT_H
/** A result as text for other programs: every number with the 17 digits that give the same double back. */
#include <stdio.h>

#include "archive/result.h"

/** Word for a dcs_point_status. */
const char *dcs_point_status_word(int status);

/** One header line, one line per point, quoted as in RFC 4180 (lines end in a newline). Missing is nan. Texts are those
 *  of the file, byte for byte; on a terminal they are shown as plain text (base/plain.h). */
void dcs_print_csv(const dcs_result *result, FILE *out);

/** The values at the noise levels, one line for each level of each point: point (row number in the table of points, from
 *  0), point_hash, level (0: sigma_max), sigma, then NAME, NAME_se, NAME_bias, NAME_n of every metric with a profile. */
void dcs_print_levels(const dcs_result *result, FILE *out);

/** One object: study, its columns and metrics with units, and `points`, an array of objects. Missing and infinite
 *  numbers are null. `metric` restricts the metrics to one; NULL: all. */
void dcs_print_json(const dcs_result *result, const char *metric, FILE *out);

#endif
