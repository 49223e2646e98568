#ifndef DCS_STUDY_WORD_H
#define DCS_STUDY_WORD_H
/** Words of a study file that must be names of something. Private to src/study. */
#include "study/node.h"

/** `key` is law, levels, schedule, sampler, init or target: is the scalar a name of one? Any other key has free words.
 *  `targets` is the map of named targets, NULL when there is none. DCS_EUSAGE names the nearest valid name. */
DCS_NODISCARD dcs_status dcs_word_check(const dcs_node *targets, const char *key, const dcs_node *value,
                                        dcs_error *err);

#endif
