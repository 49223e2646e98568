#include "rate/row.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

static const char *const status_word[] = {DCS_POINT_STATUS_WORDS};

void dcs_row_note(dcs_check_row *row, const char *format, ...)
{
  va_list args;
  va_start(args, format);
  vsnprintf(row->note, sizeof row->note, format, args);
  va_end(args);
}

bool dcs_row_complete(const dcs_result *result, int metric, const dcs_curve *curve, dcs_check_row *row)
{
  int64_t bad = 0, first = -1, unknown = 0;
  for (int64_t i = 0; i < curve->n; i++) {
    int64_t point = curve->point[i];
    bool usable = dcs_rate_usable(result, metric, point);
    unknown += usable && !isfinite(result->metric[metric].estimate[point].bias_bound);
    bad += !usable;
    if (!usable && first < 0) first = point;
  }
  const char *name = result->metric[metric].name;
  if (bad > 0)
    dcs_row_note(row, "%s is missing at %lld of %lld points; point %lld is %s: %.80s", name, (long long)bad,
                 (long long)curve->n, (long long)first, status_word[result->status[first]], result->reason[first]);
  else if (unknown > 0)
    dcs_row_note(row, "the bias of %s is unknown at %lld of %lld points", name, (long long)unknown,
                 (long long)curve->n);
  return bad == 0 && unknown == 0;
}
