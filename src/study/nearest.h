#ifndef DCS_STUDY_NEAREST_H
#define DCS_STUDY_NEAREST_H
/** The valid name nearest to a misspelt one: offer all valid names, then read `name`. */
typedef struct {
  const char *word; /**< what was written */
  const char *name; /**< nearest so far; NULL before the first offer; borrowed */
  int distance;     /**< insertions, deletions, replacements and swaps of neighbours between the two */
} dcs_nearest;

void dcs_nearest_offer(dcs_nearest *nearest, const char *name);

#endif
