#ifndef DCS_CLI_PLAN_NOTES_H
#define DCS_CLI_PLAN_NOTES_H
/** What one should know of a planned study before it is submitted, and what its totals do not show. */
#include "study/study.h"

/** One metric at one point. */
typedef struct {
  int64_t point;
  int metric; /**< of the study */
  const dcs_estimator *estimator;
  double flop; /**< at most, of this estimator at this point */
  bool shared; /**< an earlier metric of the point has counted it */
} dcs_plan_item;

typedef struct {
  size_t count, capacity;
  dcs_plan_item *item;
} dcs_plan_items;

/** The points that together make 90% of the cost at most, if they are a tenth of all points, or one, and the cost is
 *  worth a word: more than a minute. Else n_points = 0. */
typedef struct {
  int64_t n_points;
  double flop, share;         /**< theirs; of the total */
  const dcs_plan_item *first; /**< the costliest item of the costliest point */
  double first_flop;          /**< of that whole point */
} dcs_plan_peak;

/** A metric that one estimator measures at most points and another one at the rest of those whose words (target,
 *  sampler, ...) are the same and whose numbers differ: often a target that has outgrown its cheap instrument. */
typedef struct {
  int metric; /**< of the study */
  const dcs_estimator *usual, *other;
  int64_t n_usual, n_other;
  int64_t first; /**< point, of the others */
  double flop;   /**< at most, of the others */
} dcs_plan_change;

typedef struct {
  dcs_plan_peak peak;
  int n_changes;
  dcs_plan_change *change; /**< owned */
} dcs_plan_notes;

/** `gflops`: assumed rate of one core, 10^9 operations per second. O(n log n) in the items. */
DCS_NODISCARD dcs_status dcs_plan_notes_find(const dcs_study *study, const dcs_plan_items *items, double gflops,
                                             dcs_plan_notes *notes);
void dcs_plan_notes_print(const dcs_study *study, const dcs_plan_notes *notes, double gflops);
/** The keys "costliest", "estimator_changes" and "filters" of an object, with the comma before them. */
void dcs_plan_notes_json(const dcs_study *study, const dcs_plan_notes *notes, double gflops);

#endif
