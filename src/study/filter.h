#ifndef DCS_STUDY_FILTER_H
#define DCS_STUDY_FILTER_H
/** Selections of points by their coordinates: `where` of a claim, the points of a metric. Private to src/study. */
#include "study/node.h"
#include "study/study.h"

/** A coordinate by its name, with numbers when `number`. DCS_EUSAGE at `place`, with the nearest valid name; `key` is
 *  what the message begins with. */
DCS_NODISCARD dcs_status dcs_study_find_column(const dcs_study *study, const dcs_node *place, const char *key,
                                               const char *name, bool number, const dcs_column **out, dcs_error *err);

/** {column: value or list, ...}; `targets` is the mapping of that name, or NULL. A value that no point has is no error:
 *  --set may have left it out (dcs_study_missing tells). *where is released by dcs_filters_destroy, also after a failure. */
DCS_NODISCARD dcs_status dcs_filters_read(const dcs_study *study, const dcs_node *map, const char *key,
                                          const dcs_node *targets, int *n_where, dcs_filter **where, dcs_error *err);
void dcs_filters_destroy(int n_where, dcs_filter **where);

#endif
