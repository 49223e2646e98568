#ifndef DCS_STUDY_SCALE_H
#define DCS_STUDY_SCALE_H
/** One study file, several sizes. Private to src/study. */
#include "study/schema.h"

#define DCS_SCALE_AS_WRITTEN "laptop" /**< the scale that needs no entry: the file as it is */

/** Do what --set would do for every entry of `scales`.NAME, NAME being the value of `scale`; then take `scales` and
 *  `scale` out of the tree, so that what is left is the study that runs. `table`: the keys of a study. */
DCS_NODISCARD dcs_status dcs_scale_apply(dcs_node *root, const dcs_schema_key *table, dcs_error *err);

#endif
