#include "run/run.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "archive/guard.h"
#include "archive/samples.h"
#include "base/agree.h"
#include "base/clock.h"
#include "base/memory.h"
#include "base/plain.h"
#include "run/distribute.h"
#include "run/finish.h"
#include "run/past.h"
#include "run/provenance.h"
#include "run/shard.h"
#include "run/signals.h"

/** Of all points. */
static uint64_t digest_points(const dcs_study *study)
{
  uint64_t link[2] = {0};
  for (int64_t p = 0; p < study->n_points; p++) {
    link[1] = study->point[p].hash;
    link[0] = dcs_hash_bytes(link, sizeof link);
  }
  return link[0];
}

/** Leave the points of one shard in the study. Rank 0 chooses. Collective. */
static dcs_status keep_shard(MPI_Comm comm, const dcs_run_options *options, dcs_study *study, dcs_error *err)
{
  enum { PIECE = 1 << 30 };
  bool *keep = NULL;
  int rank = 0;
  MPI_Comm_rank(comm, &rank);
  dcs_status st = dcs_alloc((size_t)study->n_points, sizeof *keep, &keep);
  if (st != DCS_OK)
    dcs_fail(err, st, "--shard: rank %d: %s", rank, dcs_status_text(st));
  else if (rank == 0)
    st = dcs_shard_choose(study, options->shard, options->shards, keep, err);
  DCS_TRY(dcs_agree(comm, st, err));
  for (int64_t from = 0; from < study->n_points; from += PIECE) {
    int64_t left = study->n_points - from;
    MPI_Bcast(keep + from, (int)(left < PIECE ? left : PIECE), MPI_C_BOOL, 0, comm);
  }
  dcs_study_keep(study, keep);
done:
  dcs_free(&keep);
  return st;
}

static bool is_file(const char *path)
{
  struct stat info;
  return stat(path, &info) == 0 && S_ISREG(info.st_mode);
}

/** Before MPI_Init, while a process may still be forked: read the study, and see whether a child survives the data files
 *  it names and what is there in place of the output. Whether those belong to the study is not asked yet. */
static dcs_status look(const dcs_run_options *options, dcs_study **study, dcs_error *err)
{
  dcs_status st = DCS_OK;
  char *text = NULL, *samples = NULL;
  size_t n = 0;
  bool same = false;
  DCS_TRY(dcs_study_read(options->study, &text, &n, err));
  DCS_TRY(dcs_study_parse(options->study, text, n, options->n_set, options->set, study, err));
  if (is_file(options->output)) DCS_TRY(dcs_guard_look(options->output, err));
  if ((*study)->save_samples == 0) goto done;
  DCS_TRY(dcs_dump_path(options->output, &samples));
  if (is_file(samples)) st = dcs_samples_look(samples, *study, &same, err);
  if (st == DCS_EMISMATCH) st = DCS_OK;
done:
  dcs_free(&samples);
  dcs_free(&text);
  return st;
}

/** A filter with a slip in it would measure nothing, without a word. */
static void warn_idle(const char *path, const dcs_study *study)
{
  for (int m = 0; m < study->n_metrics; m++) {
    char missing[128];
    if (dcs_study_count(study, m) > 0) continue;
    dcs_study_missing(study, m, sizeof missing, missing);
    dcs_print_line(stderr, "dcs: warning: %s: %s is asked for at none of the points: no point has %s", path,
                   study->metric[m]->name, missing[0] != '\0' ? missing : "these values together");
  }
}

/** Rank 0 reads the file, if it has not parsed it already; every rank parses the same bytes. Data files that it names are
 *  read by every rank: they have to be the same everywhere. Collective. */
static dcs_status share_study(MPI_Comm comm, const dcs_run_options *options, dcs_study **study, dcs_error *err)
{
  dcs_status st = DCS_OK;
  char *text = NULL;
  size_t n = 0;
  int rank = 0;
  MPI_Comm_rank(comm, &rank);
  if (rank == 0 && *study == NULL) st = dcs_study_read(options->study, &text, &n, err);
  if (rank == 0 && *study != NULL) {
    n = strlen((*study)->text);
    st = dcs_strdup((*study)->text, &text);
    if (st != DCS_OK) dcs_fail(err, st, "%s: %s", options->study, dcs_status_text(st));
  }
  DCS_TRY(dcs_agree(comm, st, err));
  int bytes = (int)n; /* dcs_study_read allows 16 MiB */
  MPI_Bcast(&bytes, 1, MPI_INT, 0, comm);
  if (rank != 0) st = dcs_alloc((size_t)bytes + 1, 1, &text);
  if (st != DCS_OK) dcs_fail(err, st, "%s: rank %d: %s", options->study, rank, dcs_status_text(st));
  DCS_TRY(dcs_agree(comm, st, err));
  MPI_Bcast(text, bytes, MPI_CHAR, 0, comm);
  if (*study == NULL)
    st = dcs_study_parse(options->study, text, (size_t)bytes, options->n_set, options->set, study, err);
  DCS_TRY(dcs_agree(comm, st, err));
  if (rank == 0) warn_idle(options->study, *study);
  uint64_t mine = digest_points(*study), first = mine;
  MPI_Bcast(&first, 1, MPI_UINT64_T, 0, comm);
  if (mine != first)
    st = dcs_fail(err, DCS_EMISMATCH,
                  "%s: rank %d sees other points than rank 0: are its data files the same on every host?",
                  options->study, rank);
  DCS_TRY(dcs_agree(comm, st, err));
  if (options->shards > 0) DCS_TRY(keep_shard(comm, options, *study, err));
done:
  dcs_free(&text);
  return st;
}

/** Compute what is left, every rank with a journal of its own. Collective. */
static dcs_status compute(MPI_Comm comm, const dcs_run_options *options, const dcs_study *study, dcs_tasks *tasks,
                          double start, bool *stopped, dcs_error *err)
{
  dcs_status st = DCS_OK;
  dcs_worker worker = {0};
  char *journal = NULL;
  int rank = 0;
  size_t n = strlen(options->output) + sizeof ".journal";
  MPI_Comm_rank(comm, &rank);
  st = dcs_alloc(n, 1, &journal);
  if (st == DCS_OK) {
    snprintf(journal, n, "%s.journal", options->output);
    st = dcs_worker_create(study, journal, rank, &worker, err);
  } else {
    dcs_fail(err, st, "rank %d: %s", rank, dcs_status_text(st));
  }
  DCS_TRY(dcs_agree(comm, st, err));
  DCS_TRY(dcs_distribute(comm, &worker, tasks, options->quiet, start + options->max_seconds, stopped, err));
done:
  dcs_free(&journal);
  dcs_error closing = {{0}};
  dcs_status closed = dcs_worker_destroy(&worker, &closing);
  if (st != DCS_OK) return st; /* agreed already; the journal's own failure is told before that of closing it */
  if (closed != DCS_OK) *err = closing;
  return dcs_agree(comm, closed, err);
}

/** Everything between MPI_Init and MPI_Finalize. `*parsed`: what rank 0 has parsed already, or NULL; it is destroyed
 *  here. Collective. */
static dcs_status run(MPI_Comm comm, const dcs_run_options *options, double start, int64_t start_time,
                      dcs_study **parsed, dcs_run_outcome *outcome, dcs_error *err)
{
  dcs_status st = DCS_OK;
  dcs_study *study = *parsed;
  dcs_tasks *tasks = NULL;
  dcs_past past = {.lock = -1};
  char *provenance = NULL;
  int work_left = 0;
  bool stopped = false;
  double old_paths = 0;

  *parsed = NULL;
  DCS_TRY(share_study(comm, options, &study, err));

  if (outcome->is_root) {
    st = dcs_past_open(study, options->output, &past, err);
    if (st == DCS_OK) st = dcs_tasks_create(study, &past.records, &tasks, err);
    work_left = st == DCS_OK && tasks->n_open > 0;
    old_paths = tasks != NULL ? tasks->paths : 0;
  }
  DCS_TRY(dcs_agree(comm, st, err));

  MPI_Bcast(&work_left, 1, MPI_INT, 0, comm);
  if (work_left) DCS_TRY(compute(comm, options, study, tasks, start, &stopped, err));

  if (outcome->is_root) {
    outcome->checkpoint = stopped && tasks->n_open > 0;
    outcome->paths = tasks->paths - old_paths;
  }
  MPI_Bcast(&outcome->checkpoint, (int)sizeof outcome->checkpoint, MPI_BYTE, 0, comm);
  if (!outcome->checkpoint) {
    DCS_TRY(dcs_provenance_collect(comm, study, options->argc, options->argv, start_time, &provenance, err));
    if (outcome->is_root) st = dcs_finish(tasks, &past, options->output, &provenance, outcome, err);
    DCS_TRY(dcs_agree(comm, st, err));
    DCS_TRY(dcs_dump(comm, study, options->output, options->compress, &outcome->dump, err));
    outcome->checkpoint = outcome->dump.stopped;
  }
done:
  dcs_free(&provenance);
  dcs_tasks_destroy(&tasks);
  dcs_past_close(&past, st != DCS_OK && !work_left);
  dcs_study_destroy(&study);
  return st;
}

dcs_status dcs_run(const dcs_run_options *options, dcs_run_outcome *outcome, dcs_error *err)
{
  double start = dcs_clock();
  int64_t start_time = (int64_t)time(NULL);
  int level = 0, rank = 0;
  MPI_Comm comm = MPI_COMM_NULL;
  dcs_study *study = NULL;
  *outcome = (dcs_run_outcome){0};
  dcs_signals_catch();
  dcs_status looked = options->first ? look(options, &study, err) : DCS_OK;
  MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &level);
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  outcome->is_root = rank == 0;
  if (!outcome->is_root) {
    looked = DCS_OK;
    dcs_study_destroy(&study);
  }
  dcs_status st = looked;
  if (level < MPI_THREAD_FUNNELED)
    st = dcs_fail(err, DCS_EMPI, "this MPI library does not allow threads (MPI_THREAD_FUNNELED)");
  MPI_Comm_dup(MPI_COMM_WORLD, &comm);
  st = dcs_agree(comm, st, err);
  if (st == DCS_OK) st = run(comm, options, start, start_time, &study, outcome, err);
  MPI_Comm_free(&comm);
  dcs_study_destroy(&study);
  outcome->seconds = dcs_clock() - start;
  MPI_Finalize();
  return st;
}
