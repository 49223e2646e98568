/** Result files: what is written comes back bit for bit, equal results give equal files, damage never passes. Every
 *  comparison is exact: a file stores bits, not approximations. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include <hdf5.h>

#include "archive/print.h"
#include "archive/result.h"

static char *copy(const char *text)
{
  char *out;
  assert_int_equal(dcs_strdup(text, &out), DCS_OK);
  return out;
}

static void *zeros(int64_t count, size_t size)
{
  void *out;
  assert_int_equal(dcs_alloc((size_t)count, size, &out), DCS_OK);
  return out;
}

static void make_column(dcs_column *c, const char *name, int64_t n, bool is_text, bool is_integer)
{
  *c = (dcs_column){.name = copy(name),
                    .unit = copy(is_text ? "" : "1"),
                    .long_name = copy("a coordinate"),
                    .is_text = is_text,
                    .is_integer = is_integer};
  if (is_text) c->text = zeros(n, sizeof *c->text);
  if (!is_text) c->number = zeros(n, sizeof *c->number);
  for (int64_t i = 0; i < n; i++) {
    if (is_text)
      c->text[i] = copy(i % 3 == 0   ? "jain-zhang"
                        : i % 3 == 1 ? ""
                                     : "gl\xc3\xbc"
                                       "cklich, \"quoted\"");
    if (!is_text) c->number[i] = is_integer ? (double)(i * 1000003 - 7) : i % 4 == 3 ? NAN : 0.1 * (double)i;
  }
}

static void make_metric(dcs_result_metric *m, const char *name, int64_t n)
{
  *m = (dcs_result_metric){.name = copy(name),
                           .unit = copy("nat"),
                           .long_name = copy("divergence"),
                           .source = copy("theory (3)"),
                           .estimate = zeros(n, sizeof *m->estimate),
                           .method = zeros(n, sizeof *m->method)};
  for (int64_t i = 0; i < n; i++) {
    bool missing = i % 5 == 4;
    double x = (double)(i + 1);
    m->estimate[i] = missing ? (dcs_estimate){NAN, NAN, INFINITY, 0}
                             : (dcs_estimate){1 / x, 0.01 / x, i % 2 == 0 ? 0 : INFINITY, 1000 * (i + 1)};
    m->method[i] = copy(missing ? "" : "kl_ratio");
  }
}

/** Values at the levels of every kind: measured, exact, missing, bias unknown. */
static void make_profile(dcs_result_metric *m, int64_t n_levels)
{
  m->profile = zeros(n_levels, sizeof *m->profile);
  for (int64_t k = 0; k < n_levels; k++) {
    double x = (double)(k + 1);
    m->profile[k] = k % 3 == 2 ? (dcs_estimate){NAN, NAN, NAN, 0}
                               : (dcs_estimate){1 / x, k % 2 == 0 ? 0 : 0.1 / x, k % 4 == 1 ? INFINITY : 0, 100 * k};
  }
}

/** A result with every kind of content; n_points and n_records may be 0. */
static dcs_result *make_result(int64_t n, int64_t n_records)
{
  dcs_result *r = zeros(1, sizeof *r);
  r->owns_text = true;
  r->study = copy("step-complexity");
  r->source = copy("arXiv:2508.16306");
  r->seed = UINT64_MAX - 5;
  r->study_hash = 0x0123456789abcdef;
  r->text = zeros(100001, 1); /* beyond 64 KiB, where attributes end */
  memset(r->text, 'x', 100000);
  memcpy(r->text, "study: step-complexity\n", 23);
  r->canonical = copy("study: step-complexity\nseed: 1\n");
  r->n_points = n;
  r->hash = zeros(n, sizeof *r->hash);
  r->status = zeros(n, sizeof *r->status);
  r->reason = zeros(n, sizeof *r->reason);
  r->wall_s = zeros(n, sizeof *r->wall_s);
  r->level_first = zeros(n + 1, sizeof *r->level_first);
  for (int64_t i = 0; i < n; i++) {
    r->hash[i] = 0x9e3779b97f4a7c15u * (uint64_t)(i + 1);
    r->status[i] = (int)(i % 5);
    r->reason[i] = copy(i % 5 == 0 ? "" : "u^2 <= 0 at step 3");
    r->wall_s[i] = 0.25 * (double)i;
    r->level_first[i + 1] = r->level_first[i] + i % 4; /* also points without levels */
  }
  r->level = zeros(r->level_first[n], sizeof *r->level);
  for (int64_t k = 0; k < r->level_first[n]; k++) r->level[k] = 20 / (double)(k + 1);
  r->n_columns = 4;
  r->column = zeros(4, sizeof *r->column);
  make_column(&r->column[0], "sampler", n, true, false);
  make_column(&r->column[1], "d", n, false, true);
  make_column(&r->column[2], "delta", n, false, false);
  make_column(&r->column[3], "target.stddev", n, false, false);
  r->n_metrics = 2;
  r->metric = zeros(2, sizeof *r->metric);
  make_metric(&r->metric[0], "kl", n);
  make_metric(&r->metric[1], "kl_path", n);
  make_profile(&r->metric[1], r->level_first[n]);
  for (int64_t k = 0; k < n_records; k++) {
    dcs_record record = {.point = 7, .estimator = 9, .block = k, .outer = 64, .inner = 8, .wall_s = 1e-3 * (double)k};
    record.sums.n = 64;
    for (int q = 0; q < DCS_SUMS_MAX; q++) {
      record.sums.mean[q] = sin((double)(k * DCS_SUMS_MAX + q));
      record.sums.m2[q] = k % 7 == 6 ? NAN : cos((double)q);
    }
    if (k % 7 == 6) {
      record.status = DCS_ENUMERIC;
      snprintf(record.reason, sizeof record.reason, "block %d: not finite", (int)k);
    }
    assert_int_equal(dcs_records_add(&r->records, &record), DCS_OK);
  }
  r->provenance = copy("git\tv1.0-dirty\nhosts\tnode1,node2\nempty\t\nargv\tdcs run a\tb\n");
  return r;
}

static void assert_same_texts(char *const *a, char *const *b, int64_t n)
{
  for (int64_t i = 0; i < n; i++) assert_string_equal(a[i], b[i]);
}

static void assert_same_bits(const void *a, const void *b, int64_t count, size_t size)
{
  if (count > 0) assert_memory_equal(a, b, (size_t)count * size);
}

/** Field by field; what the digest leaves out only when `provenance`. */
static void assert_same_result(const dcs_result *a, const dcs_result *b, bool provenance)
{
  int64_t n = a->n_points;
  assert_string_equal(a->study, b->study);
  assert_string_equal(a->source, b->source);
  assert_string_equal(a->text, b->text);
  assert_string_equal(a->canonical, b->canonical);
  assert_true(a->seed == b->seed && a->study_hash == b->study_hash);
  assert_int_equal(a->n_points, b->n_points);
  assert_int_equal(a->n_columns, b->n_columns);
  assert_int_equal(a->n_metrics, b->n_metrics);
  assert_same_bits(a->hash, b->hash, n, sizeof *a->hash);
  assert_same_bits(a->status, b->status, n, sizeof *a->status);
  assert_same_texts(a->reason, b->reason, n);
  assert_same_bits(a->level_first, b->level_first, n + 1, sizeof *a->level_first);
  assert_same_bits(a->level, b->level, a->level_first[n], sizeof *a->level);
  for (int i = 0; i < a->n_columns; i++) {
    const dcs_column *c = &a->column[i], *d = &b->column[i];
    assert_string_equal(c->name, d->name);
    assert_string_equal(c->unit, d->unit);
    assert_string_equal(c->long_name, d->long_name);
    assert_true(c->is_text == d->is_text && c->is_integer == d->is_integer);
    if (c->is_text) assert_same_texts(c->text, d->text, n);
    if (!c->is_text) assert_same_bits(c->number, d->number, n, sizeof *c->number);
  }
  for (int i = 0; i < a->n_metrics; i++) {
    const dcs_result_metric *p = &a->metric[i], *q = &b->metric[i];
    assert_string_equal(p->name, q->name);
    assert_string_equal(p->unit, q->unit);
    assert_string_equal(p->long_name, q->long_name);
    assert_string_equal(p->source, q->source);
    assert_same_bits(p->estimate, q->estimate, n, sizeof *p->estimate);
    assert_same_texts(p->method, q->method, n);
    assert_true((p->profile == NULL) == (q->profile == NULL));
    if (p->profile != NULL) assert_same_bits(p->profile, q->profile, a->level_first[n], sizeof *p->profile);
  }
  assert_int_equal(a->records.count, b->records.count);
  for (int64_t k = 0; k < a->records.count; k++) {
    dcs_record p = a->records.record[k], q = b->records.record[k];
    if (!provenance) p.wall_s = q.wall_s = 0;
    assert_memory_equal(&p, &q, sizeof p);
  }
  assert_true(dcs_result_digest(a) == dcs_result_digest(b));
  if (!provenance) return;
  assert_string_equal(a->provenance, b->provenance);
  assert_same_bits(a->wall_s, b->wall_s, n, sizeof *a->wall_s);
}

static char *slurp(const char *path, size_t *n)
{
  FILE *file = fopen(path, "rb");
  assert_non_null(file);
  assert_int_equal(fseek(file, 0, SEEK_END), 0);
  *n = (size_t)ftell(file);
  rewind(file);
  char *bytes = zeros((int64_t)*n, 1);
  assert_int_equal(fread(bytes, 1, *n, file), *n);
  fclose(file);
  return bytes;
}

static void spill(const char *path, const char *bytes, size_t n)
{
  FILE *file = fopen(path, "wb");
  assert_non_null(file);
  assert_int_equal(fwrite(bytes, 1, n, file), n);
  assert_int_equal(fclose(file), 0);
}

static dcs_result *write_and_read(const char *path, const dcs_result *r)
{
  dcs_error err = {""};
  dcs_result *back = NULL;
  if (dcs_result_write(path, r, &err) != DCS_OK || dcs_result_read(path, &back, &err) != DCS_OK)
    fail_msg("%s", err.text);
  return back;
}

static void test_round_trip(void **state)
{
  (void)state;
  static const int64_t sizes[][2] = {{0, 0}, {1, 0}, {0, 3}, {1, 1}, {37, 20}, {3, 5000}};
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    dcs_result *r = make_result(sizes[i][0], sizes[i][1]), *back = write_and_read("round.h5", r);
    assert_same_result(r, back, true);
    assert_int_equal(access("round.h5.tmp", F_OK), -1);
    dcs_result_destroy(&back);
    dcs_result_destroy(&r);
  }
}

static void test_integer_column_with_nan(void **state)
{
  (void)state;
  dcs_result *r = make_result(5, 0);
  r->column[1].number[2] = NAN;
  dcs_result *back = write_and_read("nan.h5", r);
  assert_memory_equal(r->column[1].number, back->column[1].number, 5 * sizeof(double));
  dcs_result_destroy(&back);
  dcs_result_destroy(&r);
}

static void test_find(void **state)
{
  (void)state;
  dcs_result *r = make_result(2, 0);
  assert_int_equal(dcs_result_metric_find(r, "kl_path"), 1);
  assert_int_equal(dcs_result_metric_find(r, "kl_"), -1);
  assert_int_equal(dcs_result_column_find(r, "delta"), 2);
  assert_int_equal(dcs_result_column_find(r, "kl"), -1);
  dcs_result_destroy(&r);
}

/** The digest sees every datum and no provenance. */
static void test_digest(void **state)
{
  (void)state;
  dcs_result *r = make_result(6, 4);
  uint64_t digest = dcs_result_digest(r);
  r->wall_s[3] = 99;
  r->records.record[2].wall_s = 99;
  r->provenance[0] = 'G';
  assert_true(dcs_result_digest(r) == digest);
  char *bytes[] = {r->study,
                   r->source,
                   r->text,
                   r->canonical,
                   r->column[0].name,
                   r->column[0].text[2],
                   (char *)&r->column[1].number[5],
                   r->metric[1].name,
                   r->metric[1].unit,
                   (char *)&r->metric[0].estimate[5].n,
                   r->metric[0].method[0],
                   (char *)&r->hash[5],
                   (char *)&r->status[5],
                   r->reason[1],
                   (char *)&r->level[2],
                   (char *)&r->metric[1].profile[1],
                   (char *)&r->metric[1].profile[0].n,
                   (char *)&r->records.record[3].sums.m2[DCS_SUMS_MAX - 1],
                   (char *)&r->seed,
                   (char *)&r->study_hash};
  for (size_t i = 0; i < sizeof bytes / sizeof *bytes; i++) {
    *bytes[i] ^= 1;
    if (dcs_result_digest(r) == digest) fail_msg("datum %zu is not in the digest", i);
    *bytes[i] ^= 1;
  }
  assert_true(dcs_result_digest(r) == digest);
  dcs_result_destroy(&r);
}

/** Two writes of one result: the same bytes, also when freshly allocated memory holds other rubbish. */
static void test_same_bytes(void **state)
{
  (void)state;
  size_t n_a, n_b;
  dcs_result *r = make_result(37, 20), *s = make_result(37, 20);
  dcs_error err = {""};
  assert_int_equal(dcs_result_write("same_a.h5", r, &err), DCS_OK);
  void *rubbish[64];
  for (int i = 0; i < 64; i++) {
    rubbish[i] = malloc((size_t)(100 << (i % 10)));
    assert_non_null(rubbish[i]);
    memset(rubbish[i], 0xa5, (size_t)(100 << (i % 10)));
  }
  for (int i = 0; i < 64; i++) free(rubbish[i]);
  assert_int_equal(dcs_result_write("same_b.h5", s, &err), DCS_OK);
  char *a = slurp("same_a.h5", &n_a), *b = slurp("same_b.h5", &n_b);
  assert_int_equal(n_a, n_b);
  assert_memory_equal(a, b, n_a);
  dcs_free(&a);
  dcs_free(&b);
  dcs_result_destroy(&r);
  dcs_result_destroy(&s);
}

/** Without the checksum behind it, a file meets HDF5's checksums and the digest: still nothing wrong passes. The bits
 *  are those of the compressed data, found by their gzip header (HDF5 itself is not safe against damage elsewhere). */
static void test_flipped_data_without_tail(void **state)
{
  (void)state;
  size_t n;
  int tried = 0;
  dcs_result *r = make_result(37, 200), *back = NULL;
  dcs_error err = {""};
  assert_int_equal(dcs_result_write("flip.h5", r, &err), DCS_OK);
  char *bytes = slurp("flip.h5", &n);
  n -= 24;
  spill("flip.h5", bytes, n);
  if (dcs_result_read("flip.h5", &back, &err) != DCS_OK) fail_msg("%s", err.text);
  assert_same_result(r, back, true);
  dcs_result_destroy(&back);
  for (size_t at = 0; at + 12 < n; at++) {
    if (bytes[at] != 0x78 || bytes[at + 1] != 0x5e) continue;
    bytes[at + 8] ^= 16;
    spill("flip.h5", bytes, n);
    bytes[at + 8] ^= 16;
    if (dcs_result_read("flip.h5", &back, &err) == DCS_OK) assert_same_result(r, back, false);
    dcs_result_destroy(&back);
    tried++;
  }
  assert_true(tried >= 20); /* one chunk for each data set at least */
  dcs_free(&bytes);
  dcs_result_destroy(&r);
}

/** A file whose values at the levels were changed or taken away by another tool (which drops the checksum behind it). */
static void test_profile_damage(void **state)
{
  (void)state;
  static const char *const names[] = {"kl_path", "kl_path_se", "kl_path_bias", "kl_path_n"};
  size_t n;
  dcs_result *r = make_result(6, 4), *back = NULL;
  dcs_error err = {""};
  assert_int_equal(dcs_result_write("profile.h5", r, &err), DCS_OK);
  char *bytes = slurp("profile.h5", &n);
  for (int taken = 0; taken <= 4; taken++) { /* data set `taken`, or all four */
    spill("profile.h5", bytes, n - 24);
    hid_t file = H5Fopen("profile.h5", H5F_ACC_RDWR, H5P_DEFAULT), levels = H5Gopen2(file, "levels", H5P_DEFAULT);
    for (int i = 0; i < 4; i++)
      if (taken == 4 || i == taken) assert_true(H5Ldelete(levels, names[i], H5P_DEFAULT) >= 0);
    H5Gclose(levels);
    H5Fclose(file);
    assert_int_equal(dcs_result_read("profile.h5", &back, &err), DCS_ECORRUPT);
    assert_null(back);
    const char *what = taken == 0 || taken == 4 ? "data digest differs" : names[taken];
    if (strstr(err.text, what) == NULL) fail_msg("expected %s\n  got %s", what, err.text);
  }
  spill("profile.h5", bytes, n - 24);
  hid_t file = H5Fopen("profile.h5", H5F_ACC_RDWR, H5P_DEFAULT);
  hid_t data = H5Dopen2(file, "/levels/kl_path_n", H5P_DEFAULT);
  int64_t count[7] = {-1};
  assert_int_equal(r->level_first[6], 7);
  assert_true(H5Dwrite(data, H5T_NATIVE_INT64, H5S_ALL, H5S_ALL, H5P_DEFAULT, count) >= 0);
  H5Dclose(data);
  H5Fclose(file);
  assert_int_equal(dcs_result_read("profile.h5", &back, &err), DCS_ECORRUPT);
  assert_string_equal(err.text, "profile.h5: kl_path_n: a negative number of samples");
  dcs_free(&bytes);
  dcs_result_destroy(&r);
}

/** The table of levels: one line for each level of each point, and numbers that read back as the same doubles. */
static void test_print_levels(void **state)
{
  (void)state;
  dcs_result *r = make_result(6, 0);
  char *text = NULL, *rest = NULL;
  size_t n = 0;
  FILE *out = open_memstream(&text, &n);
  assert_non_null(out);
  dcs_print_levels(r, out);
  assert_int_equal(fclose(out), 0);
  char *line = strtok_r(text, "\n", &rest);
  assert_string_equal(line, "point,point_hash,level,sigma,kl_path,kl_path_se,kl_path_bias,kl_path_n");
  for (int64_t p = 0; p < 6; p++)
    for (int64_t k = r->level_first[p]; k < r->level_first[p + 1]; k++) {
      long long point, level, count;
      unsigned long long hash;
      double x[4];
      const dcs_estimate *e = &r->metric[1].profile[k];
      line = strtok_r(NULL, "\n", &rest);
      assert_non_null(line);
      assert_int_equal(
          sscanf(line, "%lld,%llx,%lld,%lf,%lf,%lf,%lf,%lld", &point, &hash, &level, x, x + 1, x + 2, x + 3, &count),
          8);
      assert_true(point == p && hash == r->hash[p] && level == k - r->level_first[p] && x[0] == r->level[k]);
      assert_true(count == e->n &&
                  (isnan(e->value) ? isnan(x[1]) && isnan(x[2]) && isnan(x[3])
                                   : x[1] == e->value && x[2] == e->std_error && x[3] == e->bias_bound));
    }
  assert_null(strtok_r(NULL, "\n", &rest));
  free(text);
  dcs_result_destroy(&r);
}

/** One flipped bit: either reading fails with a message, or the data are the same (it hit unused or untold bytes). */
static void test_flipped_bits(void **state)
{
  (void)state;
  size_t n;
  int caught = 0, tried = 0;
  dcs_result *r = make_result(37, 200);
  dcs_error err = {""};
  assert_int_equal(dcs_result_write("flip.h5", r, &err), DCS_OK);
  char *bytes = slurp("flip.h5", &n);
  const char *more = getenv("DCS_TEST_FLIPS");
  size_t flips = more == NULL ? 150 : strtoul(more, NULL, 10);
  for (size_t i = 0; i < flips; i++) {
    size_t at = (size_t)((double)n * ((double)i + 0.5) / (double)flips);
    bytes[at] ^= (char)(1 << (i % 8));
    spill("flip.h5", bytes, n);
    bytes[at] ^= (char)(1 << (i % 8));
    dcs_result *back = NULL;
    err.text[0] = 0;
    dcs_status st = dcs_result_read("flip.h5", &back, &err);
    tried++;
    if (st == DCS_OK) {
      assert_same_result(r, back, false);
    } else {
      caught++;
      assert_null(back);
      assert_true(strncmp(err.text, "flip.h5: ", 9) == 0 && strchr(err.text, '\n') == NULL);
    }
    dcs_result_destroy(&back);
  }
  assert_true(caught >= tried - 1); /* only a flip in the tail's own magic leaves the file readable */
  dcs_free(&bytes);
  dcs_result_destroy(&r);
}

static void test_truncated(void **state)
{
  (void)state;
  size_t n;
  dcs_result *r = make_result(37, 50), *back = NULL;
  dcs_error err = {""};
  assert_int_equal(dcs_result_write("cut.h5", r, &err), DCS_OK);
  char *bytes = slurp("cut.h5", &n);
  for (size_t i = 0; i < 50; i++) {
    spill("cut.h5", bytes, i < 8 ? i : n * i / 50);
    dcs_status st = dcs_result_read("cut.h5", &back, &err);
    assert_true(st == DCS_ECORRUPT || st == DCS_EIO);
    assert_null(back);
  }
  dcs_free(&bytes);
  dcs_result_destroy(&r);
}

static void test_not_a_result(void **state)
{
  (void)state;
  dcs_result *back = NULL;
  dcs_error err = {""};
  assert_int_equal(dcs_result_read("absent.h5", &back, &err), DCS_EIO);
  assert_string_equal(err.text, "absent.h5: No such file or directory");
  assert_int_equal(dcs_result_read(".", &back, &err), DCS_EIO);
  spill("text.h5", "hello, world\n", 13);
  assert_int_equal(dcs_result_read("text.h5", &back, &err), DCS_ECORRUPT);
  assert_non_null(strstr(err.text, "not a result file"));
}

static void test_name_clash(void **state)
{
  (void)state;
  dcs_result *r = make_result(2, 0);
  dcs_error err = {""};
  dcs_free(&r->column[3].name);
  r->column[3].name = copy("kl_se");
  unlink("clash.h5");
  assert_int_equal(dcs_result_write("clash.h5", r, &err), DCS_EARG);
  assert_non_null(strstr(err.text, "'kl_se'"));
  assert_int_equal(access("clash.h5", F_OK), -1);
  assert_int_equal(access("clash.h5.tmp", F_OK), -1);
  dcs_result_destroy(&r);
}

/** A write that fails half way leaves the old file and nothing else. */
static void test_disk_full(void **state)
{
  (void)state;
  size_t n_before, n_after;
  dcs_result *r = make_result(5, 3), *s = make_result(37, 3000);
  dcs_error err = {""};
  assert_int_equal(dcs_result_write("full.h5", r, &err), DCS_OK);
  char *before = slurp("full.h5", &n_before);
  struct rlimit old, small = {.rlim_cur = 65536};
  assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
  small.rlim_max = old.rlim_max;
  signal(SIGXFSZ, SIG_IGN);
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
  dcs_status st = dcs_result_write("full.h5", s, &err);
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
  assert_int_equal(st, DCS_EIO);
  assert_non_null(strstr(err.text, strerror(EFBIG)));
  assert_int_equal(access("full.h5.tmp", F_OK), -1);
  char *after = slurp("full.h5", &n_after);
  assert_int_equal(n_before, n_after);
  assert_memory_equal(before, after, n_before);
  dcs_free(&before);
  dcs_free(&after);
  dcs_result_destroy(&r);
  dcs_result_destroy(&s);
}

/** Tables replace only themselves, leave the data alone, and writing one twice gives the same file. */
static void test_tables(void **state)
{
  (void)state;
  size_t n_first, n_second;
  dcs_error err = {""};
  dcs_result *r = make_result(7, 5), *back = NULL;
  assert_int_equal(dcs_result_write("table.h5", r, &err), DCS_OK);
  const char *name[] = {"curve", "slope"};
  const double slope[] = {-1.99, NAN, INFINITY}, *number[] = {NULL, slope};
  char *curve[] = {"sampler=ddim d=8", "", "third"}, **text[] = {curve, NULL};
  dcs_table table = {2, 3, name, number, text}, empty = {2, 0, name, number, text};
  assert_int_equal(dcs_result_write_table("table.h5", "samples", &table, &err), DCS_EARG);
  if (dcs_result_write_table("table.h5", "fits", &table, &err) != DCS_OK) fail_msg("%s", err.text);
  if (dcs_result_write_table("table.h5", "claims", &empty, &err) != DCS_OK) fail_msg("%s", err.text);
  char *first = slurp("table.h5", &n_first);
  if (dcs_result_write_table("table.h5", "claims", &empty, &err) != DCS_OK) fail_msg("%s", err.text);
  if (dcs_result_write_table("table.h5", "fits", &table, &err) != DCS_OK) fail_msg("%s", err.text);
  char *second = slurp("table.h5", &n_second);
  assert_int_equal(n_first, n_second);
  assert_memory_equal(first, second, n_first);
  assert_int_equal(dcs_result_read("table.h5", &back, &err), DCS_OK);
  assert_same_result(r, back, true);
  dcs_free(&first);
  dcs_free(&second);
  dcs_result_destroy(&back);
  dcs_result_destroy(&r);
}

int main(void)
{
  char directory[] = "/tmp/dcs_test_result_XXXXXX";
  if (mkdtemp(directory) == NULL || chdir(directory) != 0) return 1;
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_round_trip),
      cmocka_unit_test(test_integer_column_with_nan),
      cmocka_unit_test(test_find),
      cmocka_unit_test(test_digest),
      cmocka_unit_test(test_same_bytes),
      cmocka_unit_test(test_profile_damage),
      cmocka_unit_test(test_print_levels),
      cmocka_unit_test(test_flipped_bits),
      cmocka_unit_test(test_flipped_data_without_tail),
      cmocka_unit_test(test_truncated),
      cmocka_unit_test(test_not_a_result),
      cmocka_unit_test(test_name_clash),
      cmocka_unit_test(test_disk_full),
      cmocka_unit_test(test_tables),
  };
  int failed = cmocka_run_group_tests_name("result", tests, NULL, NULL);
  static const char *const made[] = {"round.h5", "nan.h5",  "same_a.h5", "same_b.h5",  "flip.h5",
                                     "cut.h5",   "text.h5", "full.h5",   "profile.h5", "table.h5"};
  for (size_t i = 0; i < sizeof made / sizeof *made; i++) unlink(made[i]);
  if (chdir("/") != 0 || rmdir(directory) != 0) perror(directory);
  return failed;
}
