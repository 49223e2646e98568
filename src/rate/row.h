#ifndef DCS_RATE_ROW_H
#define DCS_RATE_ROW_H
/** Verdicts on one curve. Only src/rate includes this header. */
#include "rate/rate.h"

void dcs_row_note(dcs_check_row *row, const char *format, ...) DCS_PRINTF(2, 3);

/** Is the metric (index into the result) usable, with a known bias, on all points of the curve? Writes the note when
 *  not. */
bool dcs_row_complete(const dcs_result *result, int metric, const dcs_curve *curve, dcs_check_row *row);

/** a <= b, point by point, within 3 standard errors of a - b (taken as independent), the bias bounds and rounding, which
 *  matters where both are exact and equal. pointwise.c */
DCS_NODISCARD dcs_status dcs_row_below(const dcs_result *result, const dcs_curve *curve, dcs_check_row *row);

/** The scaled values, with their whole 95% intervals, inside the band at every point. The interval of a product is that
 *  of interval arithmetic, each factor being value -+ (1.96 std_error + bias): too wide, if anything, whatever the
 *  factors have in common. pointwise.c */
DCS_NODISCARD dcs_status dcs_row_between(const dcs_result *result, const dcs_curve *curve, dcs_check_row *row);

#endif
