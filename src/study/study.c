#include "study/study.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "study/filter.h"
#include "study/points.h"
#include "study/scale.h"
#include "study/spec.h"

static const dcs_schema_key study_keys[] = {{"study", DCS_NODE_SCALAR, true},
                                            {"source", DCS_NODE_SCALAR, false},
                                            {"seed", DCS_NODE_SCALAR, false},
                                            {"target", DCS_NODE_MAP, false},
                                            {"targets", DCS_NODE_MAP, false},
                                            {"schedule", DCS_NODE_MAP, true},
                                            {"sampler", DCS_NODE_SCALAR, false},
                                            {"lambda", DCS_NODE_SCALAR, false},
                                            {"steps", DCS_NODE_SCALAR, false},
                                            {"delta", DCS_NODE_SCALAR, false},
                                            {"init", DCS_NODE_SCALAR, false},
                                            {"score_error", DCS_NODE_SCALAR, false},
                                            {"score_error_seed", DCS_NODE_SCALAR, false},
                                            {"quantile", DCS_NODE_SCALAR, false},
                                            {"samples", DCS_NODE_SCALAR, false},
                                            {"grid", DCS_NODE_MAP, false},
                                            {"zip", DCS_NODE_LIST, false},
                                            {"exclude", DCS_NODE_LIST, false},
                                            {"metrics", DCS_NODE_LIST, false},
                                            {"stop", DCS_NODE_MAP, false},
                                            {"save_samples", DCS_NODE_SCALAR, false},
                                            {"claims", DCS_NODE_LIST, false},
                                            {"scale", DCS_NODE_SCALAR, false},
                                            {"scales", DCS_NODE_MAP, false},
                                            {0}};

static const dcs_schema_key stop_keys[] = {
    {"rel_error", DCS_NODE_SCALAR, false}, {"max_paths", DCS_NODE_SCALAR, false}, {0}};

static bool is_axis(const dcs_node *root, const char *key)
{
  if (dcs_node_find(dcs_node_find(root, "grid"), key) != NULL) return true;
  const dcs_node *zip = dcs_node_find(root, "zip");
  for (size_t i = 0; zip != NULL && i < zip->count; i++)
    if (dcs_node_find(&zip->child[i], key) != NULL) return true;
  return false;
}

/** Defaults become part of the tree, so that the canonical study shows them. After this the root does not change. */
static dcs_status fill_defaults(dcs_node *root, dcs_error *err)
{
  static const char *const sources[][2] = {
      {"init", "exact"}, {"score_error", "0"}, {"score_error_seed", "1"}, {"quantile", "0.99"}, {"samples", "2000"}};
  dcs_status st = DCS_OK;
  DCS_TRY(dcs_node_fill(root, "seed", "1", err));
  for (size_t i = 0; i < sizeof sources / sizeof *sources; i++)
    if (!is_axis(root, sources[i][0])) DCS_TRY(dcs_node_fill(root, sources[i][0], sources[i][1], err));
  DCS_TRY(dcs_node_fill(root, "metrics", "[kl]", err));
  DCS_TRY(dcs_node_fill(root, "stop", "{}", err));
  dcs_node *stop = dcs_node_find(root, "stop");
  DCS_TRY(dcs_schema_check(stop, "stop", stop_keys, err));
  DCS_TRY(dcs_node_fill(stop, "rel_error", "0.05", err));
  DCS_TRY(dcs_node_fill(stop, "max_paths", "1.0e7", err));
done:
  return st;
}

/** Name, source, seed, stop. */
static dcs_status read_head(const dcs_node *root, dcs_study *study, dcs_error *err)
{
  dcs_status st = DCS_OK;
  char identity[128];
  const dcs_node *name = dcs_node_find(root, "study"), *source = dcs_node_find(root, "source");
  const dcs_node *stop = dcs_node_find(root, "stop");
  DCS_TRY(dcs_schema_name(name, "study", name->text, err));
  DCS_TRY(dcs_strdup(name->text, &study->name));
  DCS_TRY(dcs_strdup(source != NULL ? source->text : "", &study->source));
  DCS_TRY(dcs_schema_seed(dcs_node_find(root, "seed"), &study->seed, err));
  DCS_TRY(dcs_schema_real(dcs_node_find(stop, "rel_error"), "rel_error", 1e-12, 1.0, &study->stop.rel_error, err));
  /* 2^48: path numbers are 48 bits of the random counter */
  DCS_TRY(dcs_schema_integer(dcs_node_find(stop, "max_paths"), "max_paths", 1.0, 0x1p48, &study->stop.max_paths, err));
  const dcs_node *save = dcs_node_find(root, "save_samples");
  double particles = 0;
  if (save != NULL) DCS_TRY(dcs_schema_integer(save, "save_samples", 0.0, 0x1p40, &particles, err));
  study->save_samples = (int64_t)particles;
  int n = snprintf(identity, sizeof identity, "%s\n%" PRIu64, study->name, study->seed);
  study->hash = dcs_hash_bytes(identity, (size_t)n);
done:
  return st;
}

/** --set of `scale`, or in `scales`. */
static bool is_scale(const char *assignment)
{
  size_t n = strcspn(assignment, ".=");
  return (n == 5 || n == 6) && strncmp(assignment, "scales", n) == 0;
}

/** The scale first, wherever it stands: other overrides change what it gives. */
static dcs_status apply_overrides(dcs_node *root, int n_set, const char *const *set, dcs_error *err)
{
  dcs_status st = DCS_OK;
  for (int i = 0; i < n_set; i++)
    if (is_scale(set[i])) DCS_TRY(dcs_node_override(root, set[i], err));
  DCS_TRY(dcs_scale_apply(root, study_keys, err));
  for (int i = 0; i < n_set; i++)
    if (!is_scale(set[i])) DCS_TRY(dcs_node_override(root, set[i], err));
done:
  return st;
}

static dcs_status parse(const char *path, const char *text, size_t n_text, int n_set, const char *const *set,
                        bool with_points, dcs_study **out, dcs_error *err)
{
  dcs_status st = DCS_OK;
  dcs_node root = {0};
  dcs_study *study = NULL;
  dcs_origin *origin = NULL;
  dcs_grid grid;
  *out = NULL;
  if (n_text > DCS_STUDY_MOST_BYTES)
    return dcs_fail(err, DCS_EUSAGE, "%s: a study of more than 16 MiB; not a study", path);
  DCS_TRY(dcs_node_parse(path, true, text, n_text, &root, err));
  DCS_TRY(apply_overrides(&root, n_set, set, err));
  DCS_TRY(dcs_alloc(1, sizeof *study, &study));
  DCS_TRY(dcs_strdup(path, &study->path));
  DCS_TRY(dcs_alloc(n_text + 1, 1, &study->text));
  memcpy(study->text, text, n_text);
  DCS_TRY(dcs_schema_check(&root, "the study", study_keys, err));
  DCS_TRY(fill_defaults(&root, err));
  DCS_TRY(read_head(&root, study, err));
  DCS_TRY(dcs_grid_read(&root, &grid, err));
  if (with_points) DCS_TRY(dcs_points_create(&root, &grid, study, &origin, err));
  DCS_TRY(dcs_columns_create(&grid, origin, study));
  DCS_TRY(dcs_metrics_create(&root, study, err));
  DCS_TRY(dcs_claims_create(&root, study, err));
  DCS_TRY(dcs_canonical_study(&root, &study->canonical));
  *out = study;
  study = NULL;
done:
  if (st == DCS_ENOMEM) st = dcs_fail(err, st, "%s: %s", path, dcs_status_text(st));
  dcs_free(&origin);
  dcs_study_destroy(&study);
  dcs_node_destroy(&root);
  return st;
}

dcs_status dcs_study_parse(const char *path, const char *text, size_t n_text, int n_set, const char *const *set,
                           dcs_study **out, dcs_error *err)
{
  return parse(path, text, n_text, n_set, set, true, out, err);
}

dcs_status dcs_study_parse_claims(const char *path, const char *text, size_t n_text, dcs_study **out, dcs_error *err)
{
  return parse(path, text, n_text, 0, NULL, false, out, err);
}

static void destroy_product(dcs_product *product)
{
  for (int i = 0; i < product->count; i++) dcs_free(&product->name[i]);
  dcs_free(&product->name);
  dcs_free(&product->power);
}

static void destroy_claim(dcs_claim *claim)
{
  for (int i = 0; i < claim->n_products; i++) destroy_product(&claim->product[i]);
  for (int i = 0; i < claim->n_per; i++) dcs_free(&claim->per[i]);
  dcs_filters_destroy(claim->n_where, &claim->where);
  dcs_free(&claim->product);
  dcs_free(&claim->eps);
  dcs_free(&claim->per);
  dcs_free(&claim->versus);
  dcs_free(&claim->name);
  dcs_free(&claim->source);
}

void dcs_study_destroy(dcs_study **address)
{
  dcs_study *study = *address;
  if (study == NULL) return;
  for (int i = 0; i < study->n_claims; i++) destroy_claim(&study->claim[i]);
  for (int i = 0; i < study->n_columns; i++) {
    dcs_column *column = &study->column[i];
    for (int64_t k = 0; column->text != NULL && k < study->n_points; k++) dcs_free(&column->text[k]);
    dcs_free(&column->text);
    dcs_free(&column->number);
    dcs_free(&column->name);
  }
  for (int64_t i = 0; i < study->n_points; i++) dcs_free(&study->point[i].canonical);
  for (int i = 0; i < study->n_shared; i++) dcs_params_destroy(&study->shared[i]);
  for (int i = 0; i < study->n_clouds; i++) {
    dcs_free(&study->cloud[i].path);
    dcs_free(&study->cloud[i].dataset);
    dcs_free(&study->cloud[i].values);
  }
  for (int i = 0; i < study->n_metrics; i++) dcs_filters_destroy(study->scope[i].n_where, &study->scope[i].where);
  dcs_free(&study->scope);
  dcs_free(&study->cloud);
  dcs_free(&study->claim);
  dcs_free(&study->column);
  dcs_free(&study->point);
  dcs_free(&study->shared);
  dcs_free(&study->metric);
  dcs_free(&study->path);
  dcs_free(&study->name);
  dcs_free(&study->source);
  dcs_free(&study->text);
  dcs_free(&study->canonical);
  dcs_free(address);
}

void dcs_study_keep(dcs_study *study, const bool *keep)
{
  int64_t kept = 0;
  for (int64_t p = 0; p < study->n_points; p++) {
    for (int c = 0; c < study->n_columns; c++) {
      dcs_column *column = &study->column[c];
      if (!keep[p] && column->is_text) dcs_free(&column->text[p]);
      if (keep[p] && column->is_text) column->text[kept] = column->text[p];
      if (keep[p] && !column->is_text) column->number[kept] = column->number[p];
    }
    if (keep[p])
      study->point[kept++] = study->point[p];
    else
      dcs_free(&study->point[p].canonical);
  }
  study->n_points = kept;
}

dcs_status dcs_study_read(const char *path, char **text, size_t *n_text, dcs_error *err)
{
  dcs_status st = DCS_OK;
  size_t capacity = 0;
  *text = NULL;
  *n_text = 0;
  FILE *file = fopen(path, "rb");
  if (file == NULL) return dcs_fail(err, DCS_EIO, "%s: %s", path, strerror(errno));
  for (size_t got = 1; got > 0; *n_text += got) {
    DCS_TRY(dcs_reserve(text, &capacity, *n_text + 65536, 1));
    got = fread(*text + *n_text, 1, 65536, file);
    if (*n_text + got > DCS_STUDY_MOST_BYTES)
      DCS_TRY(dcs_fail(err, DCS_EUSAGE, "%s: larger than 16 MiB; not a study file", path));
  }
  if (ferror(file)) st = dcs_fail(err, DCS_EIO, "%s: %s", path, strerror(errno));
done:
  fclose(file);
  if (st != DCS_OK) dcs_free(text);
  return st;
}

const dcs_column *dcs_study_column(const dcs_study *study, const char *name)
{
  for (int i = 0; i < study->n_columns; i++)
    if (strcmp(study->column[i].name, name) == 0) return &study->column[i];
  return NULL;
}
