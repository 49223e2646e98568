#include "archive/record.h"

#include <stdlib.h>
#include <string.h>

#define COMPARE(x, y)                                                                                                  \
  do {                                                                                                                 \
    if ((x) != (y)) return (x) < (y) ? -1 : 1;                                                                         \
  } while (0)

int dcs_record_compare(const void *a, const void *b)
{
  const dcs_record *p = a, *q = b;
  COMPARE(p->point, q->point);
  COMPARE(p->estimator, q->estimator);
  COMPARE(p->phase, q->phase);
  COMPARE(p->block, q->block);
  return 0;
}

/** Samples of a block: none computes for longer than a second or two, and the sum over all blocks that fit into memory
 *  is still an int64_t. */
#define MOST_SAMPLES ((int64_t)1 << 36)

bool dcs_record_is_valid(const dcs_record *record)
{
  return record->block >= 0 && record->outer >= 0 && record->phase >= 0 && record->inner >= 0 && record->status >= 0 &&
         record->status <= DCS_EMPI && record->reserved == 0 && record->sums.n >= 0 && record->sums.n <= MOST_SAMPLES &&
         memchr(record->reason, 0, sizeof record->reason) != NULL;
}

dcs_status dcs_records_add(dcs_records *records, const dcs_record *record)
{
  dcs_status st = dcs_reserve(&records->record, &records->capacity, (size_t)records->count + 1, sizeof *record);
  if (st == DCS_OK) records->record[records->count++] = *record;
  return st;
}

/** Same data: every byte but the time spent (dcs_record has no padding). */
static bool same_data(const dcs_record *a, const dcs_record *b)
{
  dcs_record p = *a, q = *b;
  p.wall_s = q.wall_s = 0;
  return memcmp(&p, &q, sizeof p) == 0;
}

dcs_status dcs_records_unique(dcs_records *records, dcs_error *err)
{
  if (records->count == 0) return DCS_OK;
  dcs_record *r = records->record;
  qsort(r, (size_t)records->count, sizeof *r, dcs_record_compare);
  int64_t kept = 1;
  for (int64_t i = 1; i < records->count; i++) {
    if (dcs_record_compare(&r[kept - 1], &r[i]) != 0) {
      r[kept++] = r[i];
    } else if (!same_data(&r[kept - 1], &r[i])) {
      return dcs_fail(err, DCS_ECORRUPT,
                      "point %016llx, estimator %016llx, phase %d, block %lld: two different results; they come from "
                      "different versions or machines: keep the logs or files of one of them",
                      (unsigned long long)r[i].point, (unsigned long long)r[i].estimator, (int)r[i].phase,
                      (long long)r[i].block);
    }
  }
  records->count = kept;
  return DCS_OK;
}

void dcs_records_destroy(dcs_records *records)
{
  dcs_free(&records->record);
  *records = (dcs_records){0};
}
