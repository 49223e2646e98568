#ifndef DCS_STUDY_SCHEMA_H
#define DCS_STUDY_SCHEMA_H
/** Checks of the tree's shape, and typed reading of its scalars. Private to src/study. All fail with DCS_EUSAGE and the
 *  place; `key` is what the message calls the value. */
#include "study/node.h"

typedef struct {
  const char *key;
  unsigned kinds; /**< dcs_node_kind, or'ed */
  bool required;
} dcs_schema_key; /**< a table ends with a zero row */

/** `node` is a map with known keys of the right kinds, and all required ones. `what`: "the study", "a claim", ... */
DCS_NODISCARD dcs_status dcs_schema_check(const dcs_node *node, const char *what, const dcs_schema_key *table,
                                          dcs_error *err);
DCS_NODISCARD dcs_status dcs_schema_kind(const dcs_node *node, const char *key, unsigned kinds, dcs_error *err);

DCS_NODISCARD dcs_status dcs_schema_real(const dcs_node *node, const char *key, double lo, double hi, double *out,
                                         dcs_error *err);
/** A real that is integral: 1e6 counts. */
DCS_NODISCARD dcs_status dcs_schema_integer(const dcs_node *node, const char *key, double lo, double hi, double *out,
                                            dcs_error *err);
/** One of the words in `choices`, separated by '|'; *index counts from 0. */
DCS_NODISCARD dcs_status dcs_schema_word(const dcs_node *node, const char *key, const char *choices, int *index,
                                         dcs_error *err);
/** Letters, digits, '_', '-' and '.', 1 to 64 of them. */
DCS_NODISCARD dcs_status dcs_schema_name(const dcs_node *place, const char *what, const char *name, dcs_error *err);
/** Integer in [0, 2^63): digits keep all bits, 1e6 counts too. */
DCS_NODISCARD dcs_status dcs_schema_seed(const dcs_node *node, uint64_t *out, dcs_error *err);

#endif
