#ifndef DCS_CLI_COLUMNS_H
#define DCS_CLI_COLUMNS_H
/** Coordinates of points as people read them. */
#include <stddef.h>

#include "study/study.h"

/** Does it differ between any two of the points? Those where it does not apply are equal. */
bool dcs_column_varies(const dcs_column *column, int64_t n_points);

/** One value as plain text (base/plain.h); "-" where it does not apply. */
void dcs_column_cell(const dcs_column *column, int64_t point, size_t size, char *text);

/** " NAME=VALUE" for each coordinate that tells the point from others, and the end of the line. */
void dcs_columns_print(const dcs_study *study, int64_t point);

#endif
