#include "run/past.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "archive/guard.h"
#include "base/memory.h"
#include "run/difference.h"

/** A file can be made at `path`: said now, not after a week of computing. */
static dcs_status check_output(const char *path, bool *exists, dcs_error *err)
{
  struct stat info;
  if (path[0] == '\0') return dcs_fail(err, DCS_EIO, "the name of the result file is empty: give one");
  *exists = stat(path, &info) == 0;
  if (*exists && !S_ISREG(info.st_mode))
    return dcs_fail(err, DCS_EIO, "%s: is not a regular file: give the result another name", path);
  if (!*exists && errno != ENOENT) return dcs_fail(err, DCS_EIO, "%s: %s", path, strerror(errno));
  char *parent = NULL;
  dcs_status st = dcs_strdup(path, &parent);
  if (st != DCS_OK) return dcs_fail(err, st, "%s: %s", path, dcs_status_text(st));
  char *slash = strrchr(parent, '/');
  if (slash != NULL) slash[slash == parent ? 1 : 0] = '\0';
  const char *directory = slash != NULL ? parent : ".";
  if (access(directory, W_OK | X_OK) != 0)
    st = dcs_fail(err, DCS_EIO, "%s: cannot write in the directory %s: %s", path, directory, strerror(errno));
  dcs_free(&parent);
  return st;
}

static int hash_compare(const void *a, const void *b)
{
  uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return (x > y) - (x < y);
}

/** How many of `n` hashes, `stride` bytes apart, are not in the sorted list `known`; neighbours that are equal count
 *  once. */
static int64_t count_unknown(const void *hashes, int64_t n, size_t stride, int64_t n_known, const uint64_t *known)
{
  int64_t unknown = 0;
  uint64_t previous = 0; /* dcs_record begins with the point's hash */
  for (int64_t i = 0; i < n; i++) {
    uint64_t hash = 0;
    memcpy(&hash, (const char *)hashes + (size_t)i * stride, sizeof hash);
    if ((i == 0 || hash != previous) && bsearch(&hash, known, (size_t)n_known, sizeof *known, hash_compare) == NULL)
      unknown++;
    previous = hash;
  }
  return unknown;
}

/** DCS_EMISMATCH with the message and, if the study of the run before is known, the first key that is not the same. */
static dcs_status refuse(dcs_error *err, const char *before, const dcs_study *study, const char *format, ...)
    DCS_PRINTF(4, 5);
static dcs_status refuse(dcs_error *err, const char *before, const dcs_study *study, const char *format, ...)
{
  char difference[400] = "", message[400];
  va_list args;
  va_start(args, format);
  vsnprintf(message, sizeof message, format, args);
  va_end(args);
  if (before[0] != '\0') dcs_difference(before, study->canonical, sizeof difference, difference);
  return dcs_fail(err, DCS_EMISMATCH, "%s%s%s", message, difference[0] != '\0' ? "; it was run with " : "", difference);
}

typedef struct {
  uint64_t hash;
  int64_t point;
} place;

static int place_compare(const void *a, const void *b)
{
  const place *x = a, *y = b;
  return (x->hash > y->hash) - (x->hash < y->hash);
}

/** A metric that the result has at a point where the study no longer asks for it is DCS_EMISMATCH. */
static dcs_status check_scopes(const dcs_study *study, const dcs_result *result, const char *path, dcs_error *err)
{
  dcs_status st = DCS_OK;
  size_t n = (size_t)result->n_points;
  place *places = NULL;
  DCS_TRY(dcs_alloc(n, sizeof *places, &places));
  for (size_t i = 0; i < n; i++) places[i] = (place){result->hash[i], (int64_t)i};
  qsort(places, n, sizeof *places, place_compare);
  for (int k = 0; k < study->n_metrics; k++) {
    int m = dcs_result_metric_find(result, study->metric[k]->name);
    if (m < 0 || study->scope[k].n_where == 0) continue;
    for (int64_t p = 0; p < study->n_points; p++) {
      const place wanted = {.hash = study->point[p].hash};
      const place *found = bsearch(&wanted, places, n, sizeof *places, place_compare);
      if (found == NULL || result->metric[m].method[found->point][0] == '\0' || dcs_study_asks(study, k, p)) continue;
      DCS_TRY(dcs_fail(err, DCS_EMISMATCH,
                       "%s: holds %s of point %lld, where this study no longer asks for it; write to another file",
                       path, result->metric[m].name, (long long)p));
    }
  }
done:
  dcs_free(&places);
  return st;
}

/** The result file: same study, and nothing in it that this study would drop. */
static dcs_status read_result(const dcs_study *study, const char *path, const uint64_t *known, dcs_past *past,
                              dcs_error *err)
{
  dcs_status st = DCS_OK;
  if (dcs_guard_is_possible()) DCS_TRY(dcs_guard_look(path, err));
  DCS_TRY(dcs_result_read(path, &past->result, err));
  const dcs_result *result = past->result;
  if (result->study_hash != study->hash)
    return dcs_fail(err, DCS_EMISMATCH,
                    "%s: holds study '%s' with seed %llu, not '%s' with seed %llu; write to another file", path,
                    result->study, (unsigned long long)result->seed, study->name, (unsigned long long)study->seed);
  int64_t unknown = count_unknown(result->hash, result->n_points, sizeof *result->hash, study->n_points, known);
  if (unknown > 0)
    return refuse(err, result->canonical, study,
                  "%s: holds %lld points that this study no longer has; write to another file", path,
                  (long long)unknown);
  for (int m = 0; m < result->n_metrics; m++) {
    bool wanted = false;
    for (int k = 0; k < study->n_metrics; k++)
      wanted = wanted || strcmp(study->metric[k]->name, result->metric[m].name) == 0;
    if (!wanted)
      return refuse(err, result->canonical, study,
                    "%s: holds metric '%s' that this study no longer has; write to another file", path,
                    result->metric[m].name);
  }
  DCS_TRY(check_scopes(study, result, path, err));
  for (int64_t i = 0; i < result->records.count; i++)
    DCS_TRY(dcs_records_add(&past->records, &result->records.record[i]));
done:
  return st;
}

dcs_status dcs_past_open(const dcs_study *study, const char *path, dcs_past *past, dcs_error *err)
{
  dcs_status st = DCS_OK;
  uint64_t *known = NULL;
  char *note = NULL; /* the study of the run before */
  bool exists = false;
  struct stat info;
  *past = (dcs_past){.lock = -1};
  err->text[0] = '\0';
  DCS_TRY(check_output(path, &exists, err));
  size_t n = strlen(path) + sizeof ".journal";
  DCS_TRY(dcs_alloc(n, 1, &past->journal));
  snprintf(past->journal, n, "%s.journal", path);
  past->made_journal = stat(past->journal, &info) != 0;
  DCS_TRY(dcs_journal_lock(past->journal, &past->lock, err));
  DCS_TRY(dcs_journal_read_note(past->lock, &note, err));
  DCS_TRY(dcs_alloc((size_t)study->n_points, sizeof *known, &known));
  for (int64_t p = 0; p < study->n_points; p++) known[p] = study->point[p].hash;
  qsort(known, (size_t)study->n_points, sizeof *known, hash_compare);

  if (exists) DCS_TRY(read_result(study, path, known, past, err));
  DCS_TRY(dcs_journal_read(past->journal, study->hash, &past->records, NULL, err));
  if (past->records.count > 0)
    qsort(past->records.record, (size_t)past->records.count, sizeof *past->records.record, dcs_record_compare);
  int64_t unknown =
      count_unknown(past->records.record, past->records.count, sizeof *past->records.record, study->n_points, known);
  if (unknown > 0)
    DCS_TRY(
        refuse(err, note, study,
               "%s: holds blocks of %lld points that this study no longer has; write to another file, or remove the "
               "directory",
               past->journal, (long long)unknown));
  DCS_TRY(dcs_journal_leave_note(past->lock, study->canonical, err));
done:
  dcs_free(&note);
  if (st != DCS_OK && err->text[0] == '\0') dcs_fail(err, st, "%s: %s", path, dcs_status_text(st));
  dcs_free(&known);
  return st;
}

void dcs_past_close(dcs_past *past, bool refused)
{
  dcs_error ignored;
  if (refused && past->made_journal && past->lock >= 0) (void)!dcs_journal_remove(past->journal, &ignored);
  dcs_journal_unlock(&past->lock);
  dcs_result_destroy(&past->result);
  dcs_records_destroy(&past->records);
  dcs_free(&past->journal);
}
