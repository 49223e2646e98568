#ifndef DCS_ARCHIVE_RECORD_H
#define DCS_ARCHIVE_RECORD_H
/** One finished block: what ranks send, journals keep and result files store. */
#include "base/memory.h"
#include "metric/metric.h"

/** Fixed size, no padding, native byte order: the payload of a journal record and of a message. */
typedef struct {
  uint64_t point;     /**< dcs_point.hash */
  uint64_t estimator; /**< dcs_hash_bytes of the estimator's name */
  int64_t block;      /**< number in its phase */
  int64_t outer;      /**< design of the phase */
  int32_t phase, inner;
  int32_t status;   /**< dcs_status of the block */
  int32_t reserved; /**< 0 */
  dcs_sums sums;
  double wall_s;    /**< seconds spent; not data: never compared, never part of a result's data */
  char reason[120]; /**< when status is not DCS_OK: one line, zero-padded */
} dcs_record;
_Static_assert(sizeof(dcs_record) == 4 * 8 + 4 * 4 + sizeof(dcs_sums) + 8 + 120, "dcs_record has padding");

/** Numbers in range and text terminated: what a reader asks of a record it was given. */
bool dcs_record_is_valid(const dcs_record *record);

/** Order of (point, estimator, phase, block), for qsort. */
int dcs_record_compare(const void *a, const void *b);

typedef struct {
  int64_t count;
  size_t capacity;
  dcs_record *record;
} dcs_records;

DCS_NODISCARD dcs_status dcs_records_add(dcs_records *records, const dcs_record *record);
/** Sort, and drop copies of one block. Two records of one block that differ in anything but wall_s: DCS_ECORRUPT. */
DCS_NODISCARD dcs_status dcs_records_unique(dcs_records *records, dcs_error *err);
void dcs_records_destroy(dcs_records *records);

#endif
