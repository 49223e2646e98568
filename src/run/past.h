#ifndef DCS_RUN_PAST_H
#define DCS_RUN_PAST_H
/** What earlier runs left at the output path: a complete result file, journals of an interrupted run, or nothing. */
#include "archive/journal.h"
#include "archive/result.h"

typedef struct {
  char *journal;       /**< PATH.journal; owned */
  int lock;            /**< held while not negative */
  bool made_journal;   /**< the directory was not there before */
  dcs_result *result;  /**< the existing file, NULL if there is none; owned */
  dcs_records records; /**< blocks of both, sorted by dcs_record_compare; owned */
} dcs_past;

/** Check that PATH can be written, lock it, read what is there. Refused, with nothing changed on disk: another run is
 *  writing (DCS_EBUSY); another study (DCS_EMISMATCH); results of points or metrics this study no longer has, which
 *  would be lost (DCS_EMISMATCH). One rank calls it. Free with dcs_past_close, also after a failure. */
DCS_NODISCARD dcs_status dcs_past_open(const dcs_study *study, const char *path, dcs_past *past, dcs_error *err);

/** Unlock, free. @param refused  nothing was computed: a journal directory that was made for the lock goes again */
void dcs_past_close(dcs_past *past, bool refused);

#endif
