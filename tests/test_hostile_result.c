/** Result files made to harm: each is written by the honest writer, or with HDF5 itself, from a good one whose numbers
 *  were made to contradict each other, so that every checksum is right. The reader names what is wrong; what it lets
 *  through is harmless to those who use it. */
#include <inttypes.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <cmocka.h>

#include <hdf5.h>

#include "archive/guard.h"
#include "archive/print.h"
#include "archive/samples.h"

/** FILE of fuzz/corpus/result, unpacked to good.h5. */
static void unpack(const char *name)
{
  char path[1024], buffer[1 << 14];
  const char *source = getenv("DCS_SOURCE");
  snprintf(path, sizeof path, "%s/tests/fuzz/corpus/result/%s.gz", source == NULL ? ".." : source, name);
  gzFile in = gzopen(path, "rb");
  FILE *out = fopen("good.h5", "wb");
  if (in == NULL || out == NULL) fail_msg("%s: cannot be unpacked", path);
  for (int n; (n = gzread(in, buffer, sizeof buffer)) > 0;) assert_int_equal(fwrite(buffer, 1, (size_t)n, out), n);
  gzclose(in);
  assert_int_equal(fclose(out), 0);
}

/** Two points with two levels each, one record. */
static dcs_result *good(void)
{
  dcs_result *r = NULL;
  dcs_error err = {""};
  unpack("plain.h5");
  if (dcs_result_read("good.h5", &r, &err) != DCS_OK) fail_msg("%s", err.text);
  assert_int_equal(r->n_points, 2);
  assert_int_equal(r->level_first[2], 4);
  return r;
}

/** Written and read again it is refused, and the message says so. */
static void refused(dcs_result **r, const char *what)
{
  dcs_error err = {""};
  dcs_result *back = NULL;
  if (dcs_result_write("bad.h5", *r, &err) != DCS_OK) fail_msg("cannot be written: %s", err.text);
  assert_int_equal(dcs_result_read("bad.h5", &back, &err), DCS_ECORRUPT);
  assert_null(back);
  if (strstr(err.text, what) == NULL) fail_msg("not '%s' but: %s", what, err.text);
  assert_int_equal(dcs_guard_result("bad.h5", &back, &err), DCS_ECORRUPT);
  assert_non_null(strstr(err.text, what));
  dcs_result_destroy(r);
}

static void test_offsets_of_levels(void **state)
{
  static const int64_t wrong[][3] = {{1, 2, 4}, {0, 5, 4}, {0, -1, 4}, {0, INT64_MIN, 4}, {0, INT64_MAX, 4}};
  (void)state;
  for (size_t k = 0; k < sizeof wrong / sizeof *wrong; k++) {
    dcs_result *r = good();
    for (int i = 0; i < 3; i++) r->level_first[i] = wrong[k][i];
    refused(&r, "level_first: offsets are out of order or do not end where level ends");
  }
}

/** Other numbers in a data set of bad.h5. */
static void edit(const char *set, hid_t type, const void *value)
{
  hid_t file = H5Fopen("bad.h5", H5F_ACC_RDWR, H5P_DEFAULT), data = H5Dopen2(file, set, H5P_DEFAULT);
  assert_true(data >= 0);
  assert_true(H5Dwrite(data, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, value) >= 0);
  H5Dclose(data);
  assert_true(H5Fclose(file) >= 0);
}

static void edited_is_refused(const char *set, hid_t type, const void *value, const char *what)
{
  dcs_error err = {""};
  dcs_result *r = good(), *back = NULL;
  assert_int_equal(dcs_result_write("bad.h5", r, &err), DCS_OK);
  edit(set, type, value);
  assert_int_equal(dcs_result_read("bad.h5", &back, &err), DCS_ECORRUPT);
  if (strstr(err.text, what) == NULL) fail_msg("%s: not '%s' but: %s", set, what, err.text);
  dcs_result_destroy(&r);
}

static void test_numbers_out_of_range(void **state)
{
  static const char levels[] = "offsets are out of order or do not end where level ends";
  (void)state;
  edited_is_refused("levels/level_first", H5T_NATIVE_INT64, (int64_t[]){0, 2, 3}, levels);
  edited_is_refused("levels/level_first", H5T_NATIVE_INT64, (int64_t[]){0, 2, INT64_MAX}, levels);
  edited_is_refused("levels/level_first", H5T_NATIVE_INT64, (int64_t[]){0, 3, 2}, levels);
  edited_is_refused("levels/level", H5T_NATIVE_DOUBLE, (double[]){20, NAN, 20, 1}, "not a finite number >= 0");
  edited_is_refused("levels/level", H5T_NATIVE_DOUBLE, (double[]){20, 1, 20, -1}, "not a finite number >= 0");
  edited_is_refused("status", H5T_NATIVE_INT32, (int32_t[]){0, 5}, "unknown status");
  edited_is_refused("status", H5T_NATIVE_INT32, (int32_t[]){-1, 0}, "unknown status");
  edited_is_refused("kl_n", H5T_NATIVE_INT64, (int64_t[]){-1, 0}, "a negative number of samples");
  edited_is_refused("point_hash", H5T_NATIVE_UINT64, (uint64_t[]){7, 7}, "two points are the same");
  edited_is_refused("records/block", H5T_NATIVE_INT64, (int64_t[]){-1}, "a number is out of range");
  edited_is_refused("records/status", H5T_NATIVE_INT32, (int32_t[]){1000}, "a number is out of range");
  edited_is_refused("records/n", H5T_NATIVE_INT64, (int64_t[]){INT64_MAX}, "a number is out of range");
  edited_is_refused("kl", H5T_NATIVE_DOUBLE, (double[]){1, 2}, "data digest differs");
}

/** What is no error of the file, and must not be one of those who print it. */
static void test_wild_values_are_printed(void **state)
{
  (void)state;
  static const double wild[] = {NAN, INFINITY, -INFINITY, -1, 0, 5e-324, 1.7e308};
  enum { N = sizeof wild / sizeof *wild };
  dcs_result *r = good();
  FILE *out = fopen("/dev/null", "w");
  assert_non_null(out);
  for (size_t k = 0; k < N * N * N; k++) {
    r->metric[0].estimate[0] = (dcs_estimate){wild[k % N], wild[k / N % N], wild[k / N / N], INT64_MAX};
    dcs_print_csv(r, out);
    dcs_print_json(r, NULL, out);
  }
  assert_int_equal(fclose(out), 0);
  dcs_result_destroy(&r);
}

static void add_column(dcs_result *r, const char *name)
{
  dcs_column *grown = NULL;
  assert_int_equal(dcs_alloc((size_t)r->n_columns + 1, sizeof *grown, &grown), DCS_OK);
  memcpy(grown, r->column, (size_t)r->n_columns * sizeof *grown);
  dcs_free(&r->column);
  r->column = grown;
  dcs_column *c = &grown[r->n_columns++];
  char *unit = NULL, *long_name = NULL;
  assert_int_equal(dcs_strdup(name, &c->name), DCS_OK);
  assert_int_equal(dcs_strdup("1", &unit), DCS_OK);
  assert_int_equal(dcs_strdup(name, &long_name), DCS_OK);
  c->unit = unit;
  c->long_name = long_name;
  assert_int_equal(dcs_alloc((size_t)r->n_points, sizeof *c->number, &c->number), DCS_OK);
}

static void test_too_many(void **state)
{
  (void)state;
  dcs_result *r = good();
  for (int i = 0; i < 80; i++) {
    char name[16];
    snprintf(name, sizeof name, "c%d", i);
    add_column(r, name);
  }
  refused(&r, "more coordinates or metrics than a study can have");
}

/** A link into another file would be opened: that may be a pipe without an end. Here it has one that nobody writes. */
static void test_links_that_leave(void **state)
{
  dcs_error err = {""};
  dcs_result *r = good(), *back = NULL;
  (void)state;
  unlink("pipe");
  assert_int_equal(mkfifo("pipe", 0600), 0);
  assert_int_equal(dcs_result_write("bad.h5", r, &err), DCS_OK);
  hid_t file = H5Fopen("bad.h5", H5F_ACC_RDWR, H5P_DEFAULT);
  assert_true(H5Lcreate_external("pipe", "/kl", file, "elsewhere", H5P_DEFAULT, H5P_DEFAULT) >= 0);
  assert_true(H5Lcreate_soft("/elsewhere/kl", file, "indirect", H5P_DEFAULT, H5P_DEFAULT) >= 0);
  assert_true(H5Fclose(file) >= 0);
  alarm(20);
  if (dcs_result_read("bad.h5", &back, &err) != DCS_OK) fail_msg("%s", err.text);
  assert_int_equal(dcs_result_digest(back), dcs_result_digest(r));
  dcs_result_destroy(&back);

  file = H5Fopen("bad.h5", H5F_ACC_RDWR, H5P_DEFAULT);
  assert_true(H5Ldelete(file, "kl", H5P_DEFAULT) >= 0);
  assert_true(H5Lcreate_external("pipe", "/kl", file, "kl", H5P_DEFAULT, H5P_DEFAULT) >= 0);
  assert_true(H5Fclose(file) >= 0);
  assert_int_equal(dcs_result_read("bad.h5", &back, &err), DCS_ECORRUPT);
  assert_non_null(strstr(err.text, "bad.h5: data digest differs"));
  alarm(0);
  unlink("pipe");
  dcs_result_destroy(&r);
}

/** A file of samples with an attribute of `n` numbers where one belongs, and /samples as given. */
static void make_samples(hsize_t n, uint64_t hash, const char *external)
{
  uint64_t value[64] = {0};
  hid_t file = H5Fcreate("bad.samples.h5", H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  for (size_t i = 0; i < 64; i++) value[i] = hash;
  hid_t many = H5Screate_simple(1, &n, NULL), one = H5Screate(H5S_SCALAR);
  hid_t a = H5Acreate2(file, "study_hash", H5T_STD_U64LE, n > 1 ? many : one, H5P_DEFAULT, H5P_DEFAULT);
  hid_t b = H5Acreate2(file, "particles", H5T_STD_U64LE, one, H5P_DEFAULT, H5P_DEFAULT);
  assert_true(H5Awrite(a, H5T_NATIVE_UINT64, value) >= 0 && H5Awrite(b, H5T_NATIVE_UINT64, &(uint64_t){16}) >= 0);
  H5Aclose(a);
  H5Aclose(b);
  H5Sclose(many);
  H5Sclose(one);
  H5Gclose(H5Gcreate2(file, "checksums", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
  if (external != NULL)
    H5Lcreate_external(external, "/", file, "samples", H5P_DEFAULT, H5P_DEFAULT);
  else
    H5Gclose(H5Gcreate2(file, "samples", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
  assert_true(H5Fclose(file) >= 0);
}

static void test_samples(void **state)
{
  dcs_error err = {""};
  dcs_result *r = good();
  dcs_study study = {.hash = r->study_hash, .save_samples = 16, .n_points = 1};
  dcs_point point = {.hash = r->hash[0]};
  int64_t particles = 0;
  bool same = true;
  (void)state;
  study.point = &point;
  add_column(r, "d");
  for (int i = 0; i < 2; i++) r->column[r->n_columns - 1].number[i] = 2147483647.0;

  make_samples(64, r->study_hash, NULL); /* 512 bytes for a number of 8 */
  assert_int_equal(dcs_samples_look("bad.samples.h5", &study, &same, &err), DCS_ECORRUPT);
  assert_non_null(strstr(err.text, "study_hash: the attribute is not one unsigned 64-bit number"));
  assert_int_equal(dcs_samples_verify("bad.samples.h5", r, &particles, &err), DCS_ECORRUPT);

  unlink("pipe");
  assert_int_equal(mkfifo("pipe", 0600), 0);
  alarm(20);
  make_samples(1, r->study_hash, "pipe");
  assert_int_equal(dcs_samples_look("bad.samples.h5", &study, &same, &err), DCS_ECORRUPT);
  assert_non_null(strstr(err.text, "samples: the group is missing"));

  make_samples(1, r->study_hash, NULL);
  assert_int_equal(dcs_samples_look("bad.samples.h5", &study, &same, &err), DCS_OK);
  assert_false(same);
  char name[32], out[64];
  snprintf(name, sizeof name, "%016" PRIx64, r->hash[0]);
  snprintf(out, sizeof out, "samples/%s", name);
  hid_t file = H5Fopen("bad.samples.h5", H5F_ACC_RDWR, H5P_DEFAULT);
  assert_true(H5Lcreate_external("pipe", "/x", file, out, H5P_DEFAULT, H5P_DEFAULT) >= 0);
  assert_true(H5Fclose(file) >= 0);
  assert_int_equal(dcs_samples_verify("bad.samples.h5", r, &particles, &err), DCS_ECORRUPT);
  assert_non_null(strstr(err.text, "the data set is missing"));

  file = H5Fopen("bad.samples.h5", H5F_ACC_RDWR, H5P_DEFAULT);
  assert_true(H5Ldelete(file, out, H5P_DEFAULT) >= 0);
  hsize_t size[2] = {16, 2147483647}; /* 275 GB, of which the file has nothing */
  hid_t space = H5Screate_simple(2, size, NULL), create = H5Pcreate(H5P_DATASET_CREATE);
  assert_true(H5Pset_chunk(create, 2, (hsize_t[]){16, 1024}) >= 0);
  hid_t set = H5Dcreate2(file, out, H5T_IEEE_F64LE, space, H5P_DEFAULT, create, H5P_DEFAULT);
  assert_true(set >= 0);
  H5Dclose(set);
  H5Sclose(space);
  H5Pclose(create);
  assert_true(H5Fclose(file) >= 0);
  assert_int_equal(dcs_samples_verify("bad.samples.h5", r, &particles, &err), DCS_ECORRUPT);
  assert_non_null(strstr(err.text, "claims more than the file holds"));
  alarm(0);
  unlink("pipe");
  dcs_result_destroy(&r);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_offsets_of_levels),       cmocka_unit_test(test_numbers_out_of_range),
      cmocka_unit_test(test_wild_values_are_printed), cmocka_unit_test(test_too_many),
      cmocka_unit_test(test_links_that_leave),        cmocka_unit_test(test_samples)};
  H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
  return cmocka_run_group_tests_name("hostile results", tests, NULL, NULL);
}
