/** Make the committed inputs from which fuzz_journal and fuzz_result start, and one for test_hostile.sh:
 *
 *    make_corpus DIRECTORY
 *    h5repack -f NONE -l CONTI DIRECTORY/result/plain.h5 repacked.h5 && mv repacked.h5 DIRECTORY/result/plain.h5
 *    find DIRECTORY -name "*.h5" -exec gzip -9nf {} +
 *
 *  gives DIRECTORY/journal/NAME.log, DIRECTORY/result/NAME.h5.gz and two of DIRECTORY/hostile/NAME.h5.gz, at most 20 KiB
 *  each, the same bytes on every run of one build. In plain.h5 no filter keeps changed data from the reader. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "archive/journal.h"
#include "archive/result.h"

static const uint64_t study_hash = 0x1234;

static void must(bool good, const char *what)
{
  if (good) return;
  fprintf(stderr, "make_corpus: %s\n", what);
  exit(1);
}

static dcs_record make_record(int64_t block)
{
  dcs_record r = {.point = 11, .estimator = 5, .block = block, .outer = 64, .inner = 2, .phase = 1, .wall_s = 0.5};
  r.sums.n = 64;
  for (int q = 0; q < 2; q++) r.sums.mean[q] = (double)block + 0.25 * q;
  return r;
}

/** A log of `n` records that ends after `length` bytes (0: as it is), and then in `extra`. */
static void make_log(const char *name, int n, off_t length, const char *extra)
{
  dcs_journal *journal = NULL;
  dcs_error err = {""};
  must(dcs_journal_open("j", 0, study_hash, &journal, &err) == DCS_OK, "journal");
  for (int b = 0; b < n; b++) {
    dcs_record r = make_record(b);
    must(dcs_journal_append(journal, &r, &err) == DCS_OK, "append");
  }
  must(dcs_journal_close(&journal, &err) == DCS_OK, "close");
  must(length == 0 || truncate("j/r00000.log", length) == 0, "truncate");
  FILE *log = fopen("j/r00000.log", "ab");
  must(log != NULL && fputs(extra, log) >= 0 && fclose(log) == 0, "extra");
  must(rename("j/r00000.log", name) == 0, name);
}

static char *copy(const char *text)
{
  char *out = NULL;
  must(dcs_strdup(text, &out) == DCS_OK, "memory");
  return out;
}

static void *zeros(int64_t count, size_t size)
{
  void *out = NULL;
  must(dcs_alloc((size_t)count, size, &out) == DCS_OK, "memory");
  return out;
}

static const char canonical[] = "study: s\nseed: 1\ntarget: {law: gaussian, d: 2, variance: 0.5}\n"
                                "schedule: {levels: geometric, sigma_max: 20}\nsampler: ddim\ndelta: 0.1\n"
                                "grid: {steps: [8, 16]}\nmetrics: [kl]\n"
                                "claims:\n  - {name: c, metric: kl, versus: steps, exponent: [-3, -1]}\n"
                                "  - {name: b, metric: kl, between: [0, 9], scaled: {steps: 1}}\n";

static dcs_result *make_result(int64_t n, int64_t n_records)
{
  dcs_result *r = zeros(1, sizeof *r);
  r->owns_text = true;
  r->study = copy("s");
  r->source = copy("");
  r->seed = 1;
  r->study_hash = study_hash;
  r->text = copy(canonical);
  r->canonical = copy(canonical);
  r->provenance = copy("git\tv1\n");
  r->n_points = n;
  r->hash = zeros(n, sizeof *r->hash);
  r->status = zeros(n, sizeof *r->status);
  r->reason = zeros(n, sizeof *r->reason);
  r->wall_s = zeros(n, sizeof *r->wall_s);
  r->level_first = zeros(n + 1, sizeof *r->level_first);
  r->level = zeros(2 * n, sizeof *r->level);
  r->column = zeros(4, sizeof *r->column);
  r->n_columns = 2;
  r->column[0] = (dcs_column){copy("sampler"), copy(""), copy("sampler"), .is_text = true};
  r->column[1] = (dcs_column){copy("steps"), copy("1"), copy("steps"), .is_integer = true};
  r->column[0].text = zeros(n, sizeof(char *));
  r->column[1].number = zeros(n, sizeof(double));
  r->metric = zeros(3, sizeof *r->metric);
  r->n_metrics = 1;
  dcs_result_metric *m = &r->metric[0];
  *m = (dcs_result_metric){copy("kl"), copy("nat"), copy("divergence"), copy("theory"), NULL, NULL, NULL};
  m->estimate = zeros(n, sizeof *m->estimate);
  m->method = zeros(n, sizeof *m->method);
  for (int64_t i = 0; i < n; i++) {
    r->hash[i] = 11 + (uint64_t)i;
    r->reason[i] = copy(i == 0 ? "" : "c >= sigma'");
    r->status[i] = i == 0 ? DCS_POINT_OK : DCS_POINT_REFUSED;
    r->level_first[i + 1] = 2 * (i + 1);
    r->level[2 * i] = 20;
    r->level[2 * i + 1] = 0.5;
    r->column[0].text[i] = copy("ddim");
    r->column[1].number[i] = (double)(8 << i);
    m->estimate[i] = i == 0 ? (dcs_estimate){0.5, 0.01, 0, 64} : (dcs_estimate){NAN, NAN, INFINITY, 0};
    m->method[i] = copy(i == 0 ? "ratio" : "");
  }
  for (int64_t b = 0; b < n_records; b++) {
    dcs_record record = make_record(b);
    must(dcs_records_add(&r->records, &record) == DCS_OK, "memory");
  }
  return r;
}

/** The claims of the study take `steps` for a number. */
static void steps_as_text(dcs_result *r)
{
  dcs_column *steps = &r->column[1];
  dcs_free(&steps->number);
  steps->is_text = true;
  steps->is_integer = false;
  steps->text = zeros(r->n_points, sizeof(char *));
  for (int64_t i = 0; i < r->n_points; i++) steps->text[i] = copy("eight");
}

static void add_column(dcs_result *r, const char *name)
{
  dcs_column *c = &r->column[r->n_columns++];
  *c = (dcs_column){copy(name), copy("1"), copy(name), .is_text = false};
  c->number = zeros(r->n_points, sizeof(double));
}

static void add_metric(dcs_result *r, const char *name, double scale)
{
  dcs_result_metric *m = &r->metric[r->n_metrics++];
  *m = (dcs_result_metric){copy(name), copy("nat"), copy(name), copy("theory"), NULL, NULL, NULL};
  m->estimate = zeros(r->n_points, sizeof *m->estimate);
  m->method = zeros(r->n_points, sizeof *m->method);
  for (int64_t i = 0; i < r->n_points; i++) {
    double y = scale / (r->column[1].number[i] * r->column[1].number[i]);
    m->estimate[i] = (dcs_estimate){y, 0.01 * y, 0.001 * y, 64};
    m->method[i] = copy("ratio");
  }
}

/** Two curves of four steps, every kind of claim, a profile. */
static void enrich(dcs_result *r)
{
  static const char claims[] =
      "study: s\nseed: 1\ntarget: {law: gaussian, d: $d, variance: 0.5}\n"
      "schedule: {levels: geometric, sigma_max: 20}\nsampler: ddim\n"
      "grid: {steps: [8, 16, 32, 64], d: [2, 4], delta: [0.1]}\nmetrics: [kl, kl_path, mmse]\n"
      "claims:\n  - {name: c, metric: kl, versus: steps, exponent: [-3, -1], per: [d]}\n"
      "  - {name: b, metric: kl, between: [0, 9], scaled: [{steps: 2, d: -1}, {kl_path: -1}]}\n"
      "  - {name: n, metric: kl, versus: steps, exponent: [0, 1], steps_to: {eps: [0.1, 0.15, 0.2]}}\n"
      "  - {name: g, metric: kl, versus: d, bounded: {steps: 2, slack: 0.5}, where: {steps: [8, 16]}}\n"
      "  - {name: l, metric: kl, versus: delta, log_exponent: [0, 1]}\n"
      "  - {name: u, metric: kl, below: kl_path}\n";
  dcs_free(&r->canonical);
  r->canonical = copy(claims);
  add_column(r, "d");
  add_column(r, "delta");
  for (int64_t i = 0; i < r->n_points; i++) {
    r->status[i] = DCS_POINT_OK;
    dcs_free(&r->metric[0].method[i]);
    r->metric[0].method[i] = copy("ratio");
    r->column[1].number[i] = (double)(8 << i % 4);
    r->column[2].number[i] = i < 4 ? 2 : 4;
    r->column[3].number[i] = 0.1;
    r->metric[0].estimate[i] = (dcs_estimate){4 / pow(r->column[1].number[i], 2), 1e-4, 1e-5, 64};
  }
  add_metric(r, "kl_path", 8);
  add_metric(r, "mmse", 1);
  dcs_result_metric *m = &r->metric[2];
  m->profile = zeros(2 * r->n_points, sizeof *m->profile);
  for (int64_t k = 0; k < 2 * r->n_points; k++) m->profile[k] = (dcs_estimate){1, 0.1, 0, 64};
}

static void replace(char **text, const char *by)
{
  dcs_free(text);
  *text = copy(by);
}

/** Texts that would colour, ring, rename the window, overwrite the line or forge another, were they shown as they are;
 *  those of the claims stand there as YAML escapes. */
static void act_on_terminals(dcs_result *r)
{
  static const char claims[] =
      "study: s\nseed: 1\ntarget: {law: gaussian, d: 2, variance: 0.5}\n"
      "schedule: {levels: geometric, sigma_max: 20}\nsampler: ddim\ndelta: 0.1\n"
      "grid: {steps: [8, 16]}\nmetrics: [kl]\n"
      "claims:\n  - {name: \"c\\x9b31m\\x7f\", source: \"\\u202ecba\", metric: kl, between: [0, 9],"
      " per: [sampler]}\n";
  replace(&r->study, "s\x1b[31m");
  replace(&r->source, "\x1b]0;window\a");
  replace(&r->canonical, claims);
  for (int64_t i = 0; i < r->n_points; i++) /* two curves */
    replace(&r->column[0].text[i], i < 2 ? "dd\rim\nsampler = good\xff\xc2\x9b" : "gl\xc3\xbc\x1b[2Jcklich");
  replace(&r->metric[0].method[0], "rat\bio");
  replace(&r->metric[0].unit, "n\x1b[7mat");
  replace(&r->reason[1], "\x1b[1A\x1b[2K, \"quoted\"\r\n");
}

int main(int argc, char **argv)
{
  static const struct {
    const char *name;
    int64_t points, records;
    bool tables, tail;
    void (*spoil)(dcs_result *);
  } results[] = {{"result/empty.h5", 0, 0, false, true, NULL},
                 {"result/one.h5", 1, 2, false, true, NULL},
                 {"result/plain.h5", 2, 1, true, false, NULL},
                 {"result/rich.h5", 8, 3, true, true, enrich},
                 {"hostile/text_factor.h5", 1, 2, false, true, steps_as_text},
                 {"hostile/terminal.h5", 4, 2, false, true, act_on_terminals}};
  int n_results = sizeof results / sizeof *results;
  must(argc == 2 && chdir(argv[1]) == 0, "usage: make_corpus DIRECTORY");
  (void)!mkdir("journal", 0777);
  (void)!mkdir("result", 0777);
  (void)!mkdir("hostile", 0777);
  make_log("journal/empty.log", 0, 0, "");
  make_log("journal/good.log", 3, 0, "");
  make_log("journal/torn.log", 2, 300, "");
  make_log("journal/garbage.log", 1, 0, "garbage behind a good record");
  make_log("journal/header.log", 0, 12, "");
  (void)!rmdir("j");
  for (int i = 0; i < n_results; i++) {
    dcs_error err = {""};
    const char *path = results[i].name, *name[] = {"curve", "slope"};
    dcs_result *r = make_result(results[i].points, results[i].records);
    char *curve[] = {copy("sampler=ddim")}, **text[] = {curve, NULL};
    const double slope[] = {-2}, *number[] = {NULL, slope};
    dcs_table table = {2, 1, name, number, text};
    if (results[i].spoil != NULL) results[i].spoil(r);
    must(dcs_result_write(path, r, &err) == DCS_OK, path);
    if (results[i].tables)
      must(dcs_result_write_table(path, "fits", &table, &err) == DCS_OK &&
               dcs_result_write_table(path, "claims", &table, &err) == DCS_OK,
           path);
    struct stat info;
    must(stat(path, &info) == 0, path);
    if (!results[i].tail) must(truncate(path, info.st_size - 24) == 0, path);
    dcs_free(&curve[0]);
    dcs_result_destroy(&r);
  }
  return 0;
}
