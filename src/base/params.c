#include "base/params.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

dcs_status dcs_params_create(const dcs_param_def *table, dcs_params *out)
{
  int count = 0;
  while (table[count].key != NULL) count++;
  *out = (dcs_params){0};
  dcs_status st = dcs_alloc((size_t)count, sizeof *out->param, &out->param);
  if (st != DCS_OK) return st;
  out->count = count;
  for (int i = 0; i < count; i++) out->param[i].def = &table[i];
  return DCS_OK;
}

static void drop_values(dcs_param *param)
{
  if (!param->is_borrowed) dcs_free(&param->values);
  param->values = NULL;
  param->is_borrowed = false;
}

void dcs_params_destroy(dcs_params *params)
{
  for (int i = 0; i < params->count; i++) {
    drop_values(&params->param[i]);
    dcs_free(&params->param[i].word);
  }
  dcs_free(&params->param);
  params->count = 0;
}

static dcs_status store_values(dcs_param *param, int rows, int cols, const double *values)
{
  if (rows < 1 || cols < 1) return DCS_EARG;
  size_t count = (size_t)rows * (size_t)cols;
  double *copy = NULL;
  dcs_status st = dcs_alloc(count, sizeof *copy, &copy);
  if (st != DCS_OK) return st;
  memcpy(copy, values, count * sizeof *copy);
  drop_values(param);
  param->values = copy;
  param->rows = rows;
  param->cols = cols;
  param->is_set = true;
  return DCS_OK;
}

static dcs_status store_word(dcs_param *param, const char *word)
{
  char *copy = NULL;
  dcs_status st = dcs_strdup(word, &copy);
  if (st != DCS_OK) return st;
  dcs_free(&param->word);
  param->word = copy;
  param->rows = param->cols = 1;
  param->is_set = true;
  return DCS_OK;
}

dcs_status dcs_params_copy(const dcs_params *from, dcs_params *out)
{
  dcs_status st = DCS_OK;
  *out = (dcs_params){0};
  DCS_TRY(dcs_alloc((size_t)from->count, sizeof *out->param, &out->param));
  out->count = from->count;
  for (int i = 0; i < from->count; i++) {
    const dcs_param *source = &from->param[i];
    out->param[i] = *source;
    out->param[i].word = NULL;
    if (!source->is_borrowed) out->param[i].values = NULL;
    if (!source->is_borrowed && source->values != NULL)
      DCS_TRY(store_values(&out->param[i], source->rows, source->cols, source->values));
    if (source->word != NULL) DCS_TRY(store_word(&out->param[i], source->word));
  }
done:
  if (st != DCS_OK) dcs_params_destroy(out);
  return st;
}

static int find_index(const dcs_params *params, const char *key)
{
  for (int i = 0; i < params->count; i++)
    if (strcmp(params->param[i].def->key, key) == 0) return i;
  return -1;
}

const dcs_param *dcs_params_find(const dcs_params *params, const char *key)
{
  int i = find_index(params, key);
  return i < 0 ? NULL : &params->param[i];
}

static bool has_word(const dcs_param *param)
{
  return param->def->type == DCS_PARAM_WORD || param->def->type == DCS_PARAM_TEXT;
}

dcs_status dcs_params_set(dcs_params *params, const char *key, int rows, int cols, const double *values)
{
  int i = find_index(params, key);
  return i < 0 || has_word(&params->param[i]) ? DCS_EARG : store_values(&params->param[i], rows, cols, values);
}

dcs_status dcs_params_set_word(dcs_params *params, const char *key, const char *word)
{
  int i = find_index(params, key);
  return i < 0 || !has_word(&params->param[i]) ? DCS_EARG : store_word(&params->param[i], word);
}

dcs_status dcs_params_borrow(dcs_params *params, const char *key, int rows, int cols, double *values)
{
  int i = find_index(params, key);
  if (i < 0 || has_word(&params->param[i]) || rows < 1 || cols < 1) return DCS_EARG;
  dcs_param *param = &params->param[i];
  drop_values(param);
  param->values = values;
  param->is_borrowed = param->is_set = true;
  param->rows = rows;
  param->cols = cols;
  return DCS_OK;
}

/** Numbers of a default text, "3", "true" or "[0.4, 0.6]", as one column. */
static dcs_status parse_fallback(dcs_param *param, dcs_error *err)
{
  enum { MOST = 32 };
  double values[MOST];
  int rows = 0;
  const char *text = param->def->fallback;
  if (has_word(param)) return store_word(param, text);
  if (param->def->type == DCS_PARAM_BOOL) {
    values[0] = strcmp(text, "true") == 0;
    return store_values(param, 1, 1, values);
  }
  bool is_list = *text == '[';
  text += is_list;
  while (rows < MOST) {
    char *end = NULL;
    values[rows] = strtod(text, &end);
    if (end == text) break;
    rows++;
    while (isspace((unsigned char)*end)) end++;
    text = end;
    if (!is_list || *text != ',') break;
    text++;
  }
  if (rows == 0 || strcmp(text, is_list ? "]" : "") != 0)
    return dcs_fail(err, DCS_EARG, "malformed default '%s' of '%s'", param->def->fallback, param->def->key);
  return store_values(param, rows, 1, values);
}

dcs_status dcs_params_default(dcs_params *params, dcs_error *err)
{
  for (int i = 0; i < params->count; i++) {
    dcs_param *param = &params->param[i];
    const char *fallback = param->def->fallback;
    if (param->is_set || (fallback != NULL && *fallback == '\0')) continue;
    if (fallback == NULL)
      return dcs_fail(err, DCS_EUSAGE, "missing key '%s' (%s)", param->def->key,
                      param->def->help != NULL ? param->def->help : "required");
    dcs_status st = parse_fallback(param, err);
    if (st != DCS_OK) return st;
  }
  return DCS_OK;
}

/** A missing value here is a mistake in the caller, not in a study: a law read a key that its table does not have. */
static const dcs_param *must_have(const dcs_params *params, const char *key)
{
  const dcs_param *param = dcs_params_find(params, key);
  if (param == NULL || !param->is_set || param->values == NULL) {
    fprintf(stderr, "dcs: internal error: parameter '%s' read before it was set\n", key);
    abort();
  }
  return param;
}

double dcs_params_real(const dcs_params *params, const char *key) { return must_have(params, key)->values[0]; }
int dcs_params_int(const dcs_params *params, const char *key) { return (int)must_have(params, key)->values[0]; }
bool dcs_params_flag(const dcs_params *params, const char *key) { return must_have(params, key)->values[0] != 0.0; }

bool dcs_params_is_set(const dcs_params *params, const char *key)
{
  const dcs_param *param = dcs_params_find(params, key);
  return param != NULL && param->is_set;
}
