#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

#include "archive/samples_file.h"
#include "base/guard.h"

/** Data set and checksums of point p, as they are stored; their attributes anew, as nobody has read those of `from`. */
static dcs_status copy_point(dcs_samples *to, const dcs_h5 *from, int64_t p, dcs_error *err)
{
  dcs_status st = DCS_OK;
  uint64_t hash = to->study->point[p].hash;
  const dcs_column *d = dcs_study_column(to->study, "d");
  hid_t copy = H5Pcreate(H5P_OBJECT_COPY), checksums = H5I_INVALID_HID;
  char name[2][sizeof "/checksums/" + DCS_SAMPLES_NAME];
  snprintf(name[0], sizeof name[0], "/samples/%016" PRIx64, hash);
  snprintf(name[1], sizeof name[1], "/checksums/%016" PRIx64, hash);
  bool good = H5Pset_copy_object(copy, H5O_COPY_WITHOUT_ATTR_FLAG) >= 0;
  for (int i = 0; i < 2; i++) good = good && H5Ocopy(from->file, name[i], to->h5.file, name[i], copy, H5P_DEFAULT) >= 0;
  if (good) checksums = H5Dopen2(to->h5.file, name[1], H5P_DEFAULT);
  if (checksums < 0)
    DCS_TRY(dcs_fail(err, DCS_EIO, "%s: %s cannot be copied to %s", from->path, name[0], to->temporary));
  DCS_TRY(dcs_samples_describe(to, p));
  DCS_TRY(dcs_samples_describe_checksums(to, checksums, dcs_samples_chunk((int)d->number[p], to->study->save_samples)));
done:
  dcs_h5_release(checksums);
  dcs_h5_release(copy);
  return st;
}

dcs_status dcs_samples_join(const char *path, const dcs_study *study, int n_inputs, char *const *input,
                            int64_t *n_missing, dcs_error *err)
{
  dcs_status st = DCS_OK;
  dcs_samples_contents *c = NULL;
  int *source = NULL, open_input = -1; /* [n_points] 1 + input that has it */
  dcs_samples *s = NULL;
  dcs_h5 from = {.file = H5I_INVALID_HID};
  const dcs_column *d = dcs_study_column(study, "d");
  *n_missing = study->n_points;
  st = dcs_samples_contents_create(study->hash, study->n_points, &c);
  if (st == DCS_OK) st = dcs_alloc((size_t)study->n_points, sizeof *source, &source);
  if (st != DCS_OK) DCS_TRY(dcs_fail(err, st, "%s: %s", path, dcs_status_text(st)));
  for (int64_t p = 0; p < study->n_points; p++)
    c->point[p] = (dcs_samples_point){.hash = study->point[p].hash, .d = d->number[p]};
  for (int i = 0; i < n_inputs; i++) {
    struct stat info;
    if (stat(input[i], &info) != 0 && errno == ENOENT) continue;
    DCS_TRY(dcs_guard(input[i], dcs_samples_read, c, sizeof *c + (size_t)study->n_points * sizeof *c->point, err));
    if (c->particles != study->save_samples)
      DCS_TRY(dcs_fail(err, DCS_EMISMATCH, "%s: holds %lld particles of each point instead of %lld", input[i],
                       (long long)c->particles, (long long)study->save_samples));
    for (int64_t p = 0; p < study->n_points; p++) {
      if (!c->point[p].here || source[p] != 0) continue;
      source[p] = i + 1;
      --*n_missing;
    }
  }
  if (*n_missing > 0) goto done;
  DCS_TRY(dcs_samples_make(path, study, 0, &s, err));
  DCS_TRY(dcs_samples_open(s));
  for (int64_t p = 0; p < study->n_points; p++) {
    int i = source[p] - 1;
    if (i != open_input) {
      dcs_h5_close(&from);
      DCS_TRY(dcs_h5_open(&from, input[i], err));
      open_input = i;
    }
    DCS_TRY(copy_point(s, &from, p, err));
  }
done:
  dcs_h5_close(&from);
  if (s != NULL) {
    dcs_error closing = {{0}};
    dcs_status closed = dcs_samples_close(&s, st == DCS_OK, &closing);
    if (st == DCS_OK && closed != DCS_OK) *err = closing;
    if (st == DCS_OK) st = closed;
  }
  dcs_free(&source);
  dcs_free(&c);
  return st;
}
