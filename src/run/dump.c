#include "run/dump.h"

#include <stdio.h>
#include <string.h>

#include "archive/samples.h"
#include "base/agree.h"
#include "base/clock.h"
#include "base/memory.h"
#include "metric/cloud.h"
#include "run/signals.h"

enum { WAVE_BYTES = 8 << 20 /**< of particles that a rank holds at a time, unless one row has more */ };

typedef struct {
  MPI_Comm comm;
  int rank, size;
  const dcs_study *study;
  dcs_samples *file;
  double *x; /**< [numbers] chunks of one wave */
  size_t numbers;
} dump;

dcs_status dcs_dump_path(const char *output, char **path)
{
  size_t n = strlen(output), stem = n > 3 && strcmp(output + n - 3, ".h5") == 0 ? n - 3 : n;
  dcs_status st = dcs_alloc(stem + sizeof ".samples.h5", 1, path);
  if (st == DCS_OK) snprintf(*path, stem + sizeof ".samples.h5", "%.*s.samples.h5", (int)stem, output);
  return st;
}

/** Chunks [first, first + n) of a point, in x. */
static dcs_status draw(dump *u, const dcs_problem *problem, dcs_cloud *cloud, int64_t first, int64_t n, dcs_error *err)
{
  dcs_status st = DCS_OK;
  int64_t particles = u->study->save_samples, rows = dcs_samples_chunk(cloud->d, particles);
  double *to = u->x;
  for (int64_t i = first * rows; i < (first + n) * rows && i < particles; i += rows) {
    int64_t count = i + rows <= particles ? rows : particles - i;
    DCS_TRY(dcs_cloud_output(problem, i, (int)count, cloud, to, err));
    to += count * cloud->d;
  }
done:
  return st;
}

/** One point: waves of chunks, of which every rank has an equal share in one piece. */
static dcs_status dump_point(dump *u, int64_t p, dcs_dump_outcome *outcome, dcs_error *err)
{
  dcs_problem *problem = NULL;
  dcs_cloud cloud = {0};
  dcs_error why = {{0}};
  dcs_status st = dcs_study_problem(u->study, p, &problem, err);
  if (st == DCS_OK) st = dcs_cloud_create(problem, 0, &cloud);
  int d = st == DCS_OK ? cloud.d : 1;
  int64_t particles = u->study->save_samples, rows = dcs_samples_chunk(d, particles);
  int64_t n_chunks = dcs_samples_chunks(rows, particles), most = WAVE_BYTES / (rows * d * 8);
  most = most < 1 ? 1 : most < n_chunks ? most : n_chunks;
  if (st == DCS_OK) st = dcs_reserve(&u->x, &u->numbers, (size_t)(most * rows * d), sizeof *u->x);
  if (st != DCS_OK && err->text[0] == '\0') dcs_fail(err, st, "particles: %s", dcs_status_text(st));
  DCS_TRY(dcs_agree(u->comm, st, err));
  DCS_TRY(dcs_samples_begin(u->file, p, d, err));
  for (int64_t wave = 0; wave < n_chunks; wave += most * u->size) {
    int64_t n = n_chunks - wave < most * u->size ? n_chunks - wave : most * u->size;
    int64_t first = wave + n * u->rank / u->size, mine = wave + n * (u->rank + 1) / u->size - first;
    int stop = dcs_signals_pending();
    st = draw(u, problem, &cloud, first, mine, &why);
    if (st != DCS_OK)
      dcs_fail(err, st, "particles of point %lld: %s", (long long)p,
               why.text[0] != '\0' ? why.text : dcs_status_text(st));
    DCS_TRY(dcs_agree(u->comm, st, err));
    double drawn = dcs_clock();
    DCS_TRY(dcs_samples_write(u->file, first, mine, u->x, err));
    outcome->write_seconds += dcs_clock() - drawn;
    MPI_Allreduce(MPI_IN_PLACE, &stop, 1, MPI_INT, MPI_MAX, u->comm);
    outcome->stopped = stop != 0;
    if (outcome->stopped) goto done;
  }
  DCS_TRY(dcs_samples_end(u->file, err));
done:
  dcs_cloud_destroy(&cloud);
  if (problem != NULL) dcs_problem_destroy(problem);
  dcs_free(&problem);
  return st;
}

dcs_status dcs_dump(MPI_Comm comm, const dcs_study *study, const char *output, int level, dcs_dump_outcome *outcome,
                    dcs_error *err)
{
  dcs_status st = DCS_OK;
  dump u = {.comm = comm, .study = study};
  char *path = NULL;
  bool same = false, whole = false;
  double start = dcs_clock();
  *outcome = (dcs_dump_outcome){.wanted = study->save_samples > 0};
  if (!outcome->wanted) return DCS_OK;
  MPI_Comm_rank(comm, &u.rank);
  MPI_Comm_size(comm, &u.size);
  st = dcs_dump_path(output, &path);
  if (st == DCS_OK && u.rank == 0) st = dcs_samples_look(path, study, &same, err);
  DCS_TRY(dcs_agree(comm, st, err));
  MPI_Bcast(&same, 1, MPI_C_BOOL, 0, comm);
  if (same) goto done;
  DCS_TRY(dcs_samples_create(comm, path, study, level, &u.file, err));
  for (int64_t p = 0; p < study->n_points && !outcome->stopped; p++) DCS_TRY(dump_point(&u, p, outcome, err));
  whole = !outcome->stopped;
done:
  if (u.file != NULL) {
    dcs_error closing = {{0}};
    double begun = dcs_clock();
    dcs_status closed = dcs_samples_close(&u.file, whole, &closing);
    outcome->write_seconds += dcs_clock() - begun;
    if (st == DCS_OK && closed != DCS_OK) *err = closing;
    if (st == DCS_OK) st = closed;
  }
  outcome->written = st == DCS_OK && whole;
  outcome->seconds = dcs_clock() - start;
  const dcs_column *d = dcs_study_column(study, "d");
  for (int64_t p = 0; outcome->written && p < study->n_points; p++)
    outcome->bytes += 8.0 * (double)study->save_samples * d->number[p];
  dcs_free(&u.x);
  dcs_free(&path);
  return st;
}

dcs_status dcs_dump_join(const dcs_study *study, const char *output, int n_inputs, const char *const *input,
                         dcs_dump_outcome *outcome, dcs_error *err)
{
  dcs_status st = DCS_OK;
  char *path = NULL, **from = NULL;
  bool same = false;
  *outcome = (dcs_dump_outcome){.wanted = study->save_samples > 0};
  if (!outcome->wanted) return DCS_OK;
  DCS_TRY(dcs_alloc((size_t)n_inputs, sizeof *from, &from));
  for (int i = 0; i < n_inputs; i++) DCS_TRY(dcs_dump_path(input[i], &from[i]));
  DCS_TRY(dcs_dump_path(output, &path));
  DCS_TRY(dcs_samples_look(path, study, &same, err));
  if (!same) DCS_TRY(dcs_samples_join(path, study, n_inputs, from, &outcome->n_missing, err));
  outcome->written = !same && outcome->n_missing == 0;
done:
  for (int i = 0; from != NULL && i < n_inputs; i++) dcs_free(&from[i]);
  dcs_free(&from);
  dcs_free(&path);
  return st;
}
