#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "study/spec.h"

static void print_values(FILE *out, const dcs_param *param)
{
  enum { MOST = 32 };
  int64_t count = (int64_t)param->rows * param->cols;
  bool is_scalar = param->def->type < DCS_PARAM_LIST;
  if (count > MOST) {
    fprintf(out, "[%dx%d#%016llx]", param->rows, param->cols,
            (unsigned long long)dcs_hash_bytes(param->values, (size_t)count * sizeof *param->values));
    return;
  }
  for (int i = 0; i < param->rows; i++) {
    fputs(is_scalar ? "" : i == 0 ? "[" : ",", out);
    for (int j = 0; j < param->cols; j++)
      fprintf(out, "%s%.17g", param->cols == 1 ? "" : j == 0 ? "[" : ",", param->values[i * param->cols + j]);
    fputs(param->cols == 1 ? "" : "]", out);
  }
  fputs(is_scalar ? "" : "]", out);
}

/** Close a memory stream; on failure the buffer is freed. */
static dcs_status finish(FILE *out, char **text)
{
  bool failed = ferror(out) != 0;
  failed = fclose(out) != 0 || failed;
  if (!failed) return DCS_OK;
  dcs_free(text);
  return DCS_ENOMEM;
}

static bool is_named(const dcs_params *params, const dcs_param *param)
{
  const dcs_param_def *table = params->param[0].def;
  const char *key = param->def->key, *seeded = dcs_spec_seed_of(table, key);
  if (param->def->type == DCS_PARAM_TEXT) return false;
  return seeded != NULL ? dcs_params_is_set(params, seeded) : param->is_set || !dcs_spec_is_seeded(table, key);
}

dcs_status dcs_canonical_params(const char *key, const char *name, const dcs_params *params, char **text)
{
  size_t n = 0;
  *text = NULL;
  FILE *out = open_memstream(text, &n);
  if (out == NULL) return DCS_ENOMEM;
  fprintf(out, "%s=%s", key, name);
  for (int i = 0; i < params->count; i++) {
    const dcs_param *param = &params->param[i];
    if (!is_named(params, param)) continue;
    fprintf(out, " %s=", param->def->key);
    if (!param->is_set)
      fputc('-', out);
    else if (param->def->type == DCS_PARAM_WORD)
      fputs(param->word, out);
    else
      print_values(out, param);
  }
  return finish(out, text);
}

/** Plain where YAML cannot read it as anything else, else in double quotes. */
static void print_text(FILE *out, const char *text, bool is_number)
{
  bool plain = is_number || isalpha((unsigned char)*text) || *text == '$';
  for (const char *p = text; *p != '\0'; p++)
    plain = plain && (isalnum((unsigned char)*p) || strchr("_-.+$", *p) != NULL);
  if (plain) {
    fputs(text, out);
    return;
  }
  fputc('"', out);
  for (const char *p = text; *p != '\0'; p++) {
    if (*p == '"' || *p == '\\') fputc('\\', out);
    fputc(*p, out);
  }
  fputc('"', out);
}

static void print_node(FILE *out, const dcs_node *node)
{
  if (node->kind == DCS_NODE_SCALAR) {
    print_text(out, node->text, node->is_number);
    return;
  }
  fputc(node->kind == DCS_NODE_LIST ? '[' : '{', out);
  for (size_t i = 0; i < node->count; i++) {
    if (i > 0) fputs(", ", out);
    if (node->kind == DCS_NODE_MAP) {
      print_text(out, node->child[i].key, false);
      fputs(": ", out);
    }
    print_node(out, &node->child[i]);
  }
  fputc(node->kind == DCS_NODE_LIST ? ']' : '}', out);
}

dcs_status dcs_canonical_study(const dcs_node *root, char **text)
{
  size_t n = 0;
  *text = NULL;
  FILE *out = open_memstream(text, &n);
  if (out == NULL) return DCS_ENOMEM;
  for (size_t i = 0; i < root->count; i++) {
    fprintf(out, "%s: ", root->child[i].key);
    print_node(out, &root->child[i]);
    fputc('\n', out);
  }
  return finish(out, text);
}
