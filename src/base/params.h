#ifndef DCS_BASE_PARAMS_H
#define DCS_BASE_PARAMS_H
/** Typed parameters of a target law, a schedule or a sampler.
 *
 *  Each law (schedule, ...) owns one constant table of dcs_param_def. That table is schema, range check, default, help
 *  text and canonical order at once: src/study fills a dcs_params from YAML by it, `dcs list` prints it, the result
 *  file stores it. Lower modules only read values. */
#include "base/status.h"

typedef enum {
  DCS_PARAM_BOOL,
  DCS_PARAM_INT,
  DCS_PARAM_REAL,
  DCS_PARAM_WORD, /**< one of `choices` */
  DCS_PARAM_TEXT, /**< any text, such as a path; not part of a point's identity */
  DCS_PARAM_LIST, /**< a scalar or a list of reals: values[rows], cols = 1 */
  DCS_PARAM_TABLE /**< a list of reals (rows of one) or a list of equally long lists: values[rows][cols] */
} dcs_param_type;

typedef struct {
  const char *key;
  dcs_param_type type;
  const char *fallback; /**< default as YAML text; NULL: required; "": optional without default (is_set is false) */
  double lo, hi;        /**< closed range of every number; both 0: unbounded */
  const char *choices;  /**< DCS_PARAM_WORD: words separated by '|' */
  const char *unit;     /**< "1", "data units" (the unit of x), ...; NULL for words and flags */
  const char *help;     /**< one phrase */
} dcs_param_def;        /**< a table of these ends with an all-zero row */

typedef struct {
  const dcs_param_def *def;
  bool is_set;    /**< false: optional and absent */
  int line;       /**< line in the study file, 0 when defaulted */
  int rows, cols; /**< 1, 1 for scalars */
  double *values; /**< [rows][cols]; BOOL is 0 or 1; owned unless is_borrowed */
  bool is_borrowed;
  char *word; /**< DCS_PARAM_WORD, DCS_PARAM_TEXT; owned */
} dcs_param;

typedef struct {
  int count;
  dcs_param *param; /**< one per row of the table, in its order; owned */
} dcs_params;

/** Allocate with every entry unset. */
DCS_NODISCARD dcs_status dcs_params_create(const dcs_param_def *table, dcs_params *out);
/** Borrowed values are borrowed by the copy too. */
DCS_NODISCARD dcs_status dcs_params_copy(const dcs_params *from, dcs_params *out);
void dcs_params_destroy(dcs_params *params);

/** Entry with that key, NULL when the table has none. */
const dcs_param *dcs_params_find(const dcs_params *params, const char *key);

/** Set one entry from numbers (copied) or from a word or text (copied). DCS_EARG when the key is unknown or the
 *  entry is not of that kind. For study and for tests. */
DCS_NODISCARD dcs_status dcs_params_set(dcs_params *params, const char *key, int rows, int cols, const double *values);
DCS_NODISCARD dcs_status dcs_params_set_word(dcs_params *params, const char *key, const char *word);
/** The same without a copy, for large tables: `values` stay the caller's and outlive `params` and all copies of it. */
DCS_NODISCARD dcs_status dcs_params_borrow(dcs_params *params, const char *key, int rows, int cols, double *values);

/** Fill every unset entry that has a default. DCS_EUSAGE names a required key that is missing. */
DCS_NODISCARD dcs_status dcs_params_default(dcs_params *params, dcs_error *err);

/** Scalar value of an entry that is set (programming error otherwise: aborts). */
double dcs_params_real(const dcs_params *params, const char *key);
int dcs_params_int(const dcs_params *params, const char *key);
bool dcs_params_flag(const dcs_params *params, const char *key);
bool dcs_params_is_set(const dcs_params *params, const char *key);

#endif
