#ifndef DCS_STUDY_SPEC_H
#define DCS_STUDY_SPEC_H
/** A target or schedule mapping, and its variants: what it becomes for given values of the axes it refers to.
 *  Private to src/study. */
#include "study/grid.h"
#include "study/study.h"

typedef struct {
  const dcs_node *node;
  bool is_target; /**< else a schedule */
  uint32_t mask;  /**< dimensions of the axes it refers to */
  int32_t
      *slot; /**< [dcs_grid_size(mask)]: number of the variant + 1, 0 when not built; owned; NULL before first use */
} dcs_spec;

typedef struct {
  const dcs_law *law;            /**< of a target */
  const dcs_schedule_rule *rule; /**< of a schedule */
  dcs_params params;             /**< borrowed from dcs_study.shared */
  char *canonical;               /**< "law=... d=... ..."; owned */
  int d, copies;                 /**< of a target: dimension and independent factors */
  double sigma_max;              /**< of a schedule that has this parameter, else NAN */
} dcs_variant;

typedef struct {
  dcs_variant *item;
  size_t count, capacity, shared_capacity;
} dcs_variants;

/** Note the axes the spec refers to, and write the defaults of its law or rule into the tree when that one is fixed. */
DCS_NODISCARD dcs_status dcs_spec_open(dcs_grid *grid, dcs_node *node, bool is_target, dcs_spec *spec, dcs_error *err);
void dcs_spec_close(dcs_spec *spec);

/** Variant of the spec at this combination, built and validated when it is new. `*out` holds until the next call. */
DCS_NODISCARD dcs_status dcs_spec_variant(dcs_spec *spec, dcs_grid *grid, const int *index, dcs_study *study,
                                          dcs_variants *variants, const dcs_variant **out, dcs_error *err);
void dcs_variants_destroy(dcs_variants *variants);

/** Is `key` an optional whole number of the table with a seed KEY_seed beside it? A target may write such a pair as
 *  KEY: {d: 64, seed: 3}. */
bool dcs_spec_is_seeded(const dcs_param_def *table, const char *key);
/** The key that `key` is the seed of in this sense; NULL when it is none. */
const char *dcs_spec_seed_of(const dcs_param_def *table, const char *key);

/** One line for a parameter set: "d=8 variance=0.25 ...", table order, %.17g, "-" for what is not set. Lists of more
 *  than 32 numbers are named by shape and hash; texts are left out, and so are optional seeded numbers that are not
 *  set, with their seed: a point is what it was before its law could take them. *out is owned by the caller. canonical.c */
DCS_NODISCARD dcs_status dcs_canonical_params(const char *key, const char *name, const dcs_params *params, char **out);
/** The tree as YAML, one top-level key per line. canonical.c */
DCS_NODISCARD dcs_status dcs_canonical_study(const dcs_node *root, char **out);

#endif
