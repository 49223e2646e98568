#include "run/merge.h"

#include <string.h>
#include <time.h>

#include "archive/guard.h"
#include "base/memory.h"
#include "run/difference.h"
#include "run/finish.h"
#include "run/provenance.h"

/** A study that came with a result may ask for more than its file could ever hold. */
static dcs_status parse_in_child(const char *path, void *data, dcs_error *err)
{
  const char *canonical = *(const char *const *)data;
  dcs_study *study = NULL;
  dcs_status st = dcs_study_parse(path, canonical, strlen(canonical), 0, NULL, &study, err);
  dcs_study_destroy(&study);
  return st;
}

/** The study of the first input, or the file given. */
static dcs_status read_study(const dcs_merge_options *options, const dcs_result *first, dcs_study **study,
                             dcs_error *err)
{
  dcs_status st = DCS_OK;
  char *text = NULL;
  size_t n = 0;
  if (options->study == NULL) {
    const char *canonical = first->canonical;
    DCS_TRY(dcs_guard(options->input[0], parse_in_child, &canonical, 0, err));
    return dcs_study_parse(options->input[0], first->canonical, strlen(first->canonical), 0, NULL, study, err);
  }
  DCS_TRY(dcs_study_read(options->study, &text, &n, err));
  st = dcs_study_parse(options->study, text, n, options->n_set, options->set, study, err);
done:
  dcs_free(&text);
  return st;
}

/** Inputs agree in name, seed and every key of the study. */
static dcs_status check_input(const char *path, const dcs_result *result, const char *first_path,
                              const dcs_result *first, dcs_error *err)
{
  if (result->study_hash != first->study_hash)
    return dcs_fail(err, DCS_EMISMATCH, "%s holds study '%s' with seed %llu, %s '%s' with seed %llu", path,
                    result->study, (unsigned long long)result->seed, first_path, first->study,
                    (unsigned long long)first->seed);
  char difference[400];
  dcs_difference(result->canonical, first->canonical, sizeof difference, difference);
  if (difference[0] == '\0') return DCS_OK;
  return dcs_fail(err, DCS_EMISMATCH, "%s and %s are not of the same study: %s", path, first_path, difference);
}

/** All blocks of the inputs go to `records`. */
static dcs_status read_inputs(const dcs_merge_options *options, dcs_result **first, dcs_records *records,
                              dcs_error *err)
{
  dcs_status st = DCS_OK;
  dcs_result *result = NULL;
  for (int i = 0; i < options->n_inputs; i++) {
    DCS_TRY(dcs_guard_result(options->input[i], &result, err));
    if (*first != NULL) DCS_TRY(check_input(options->input[i], result, options->input[0], *first, err));
    for (int64_t r = 0; r < result->records.count; r++)
      if ((st = dcs_records_add(records, &result->records.record[r])) != DCS_OK)
        DCS_TRY(dcs_fail(err, st, "%s: %s", options->input[i], dcs_status_text(st)));
    if (*first == NULL) {
      *first = result;
      result = NULL;
    }
    dcs_result_destroy(&result);
  }
done:
  dcs_result_destroy(&result);
  return st;
}

dcs_status dcs_merge(const dcs_merge_options *options, dcs_run_outcome *outcome, dcs_error *err)
{
  dcs_status st = DCS_OK;
  int64_t start = (int64_t)time(NULL);
  dcs_result *first = NULL;
  dcs_study *study = NULL;
  dcs_tasks *tasks = NULL;
  dcs_records records = {0};
  dcs_past past = {.lock = -1};
  char *provenance = NULL;
  *outcome = (dcs_run_outcome){.is_root = true};

  DCS_TRY(read_inputs(options, &first, &records, err));
  DCS_TRY(read_study(options, first, &study, err));
  if (strcmp(study->canonical, first->canonical) != 0 && options->study == NULL)
    DCS_TRY(dcs_fail(err, DCS_ECORRUPT, "%s: its study is not as dcs writes one: was it changed?", options->input[0]));
  if (strcmp(study->canonical, first->canonical) != 0)
    DCS_TRY(
        dcs_fail(err, DCS_EMISMATCH, "%s, with its --set, is not the study of %s", options->study, options->input[0]));
  dcs_free(&study->text); /* the words the runs were given, not those they were read back from */
  DCS_TRY(dcs_strdup(first->text, &study->text));
  DCS_TRY(dcs_past_open(study, options->output, &past, err));
  for (int64_t r = 0; r < past.records.count; r++) DCS_TRY(dcs_records_add(&records, &past.records.record[r]));
  DCS_TRY(dcs_records_unique(&records, err));
  DCS_TRY(dcs_tasks_create(study, &records, &tasks, err));
  outcome->n_points = study->n_points;
  outcome->n_before = past.result == NULL ? 0 : past.result->n_points;
  outcome->n_left = study->n_points - tasks->n_points_done;
  outcome->checkpoint = tasks->n_open > 0;
  if (outcome->checkpoint && !options->partial) goto done;
  DCS_TRY(dcs_provenance_here(study, options->argc, options->argv, start, &provenance, err));
  DCS_TRY(dcs_finish(tasks, &past, options->output, &provenance, outcome, err));
  DCS_TRY(dcs_dump_join(study, options->output, options->n_inputs, options->input, &outcome->dump, err));
done:
  if (st != DCS_OK && err->text[0] == '\0') dcs_fail(err, st, "%s: %s", options->output, dcs_status_text(st));
  dcs_free(&provenance);
  dcs_tasks_destroy(&tasks);
  dcs_past_close(&past, st != DCS_OK || outcome->checkpoint);
  dcs_study_destroy(&study);
  dcs_records_destroy(&records);
  dcs_result_destroy(&first);
  return st;
}
