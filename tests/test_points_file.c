/** Point clouds from HDF5 files: every numeric type comes back as the same doubles, everything that is no point cloud is
 *  refused in one line that names the file and the place in the study. Comparisons are exact. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <hdf5.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "study/points_file.h"
#include "study/spec.h"

enum { N = 5, D = 3 };

static double truth(int64_t i) { return (double)(i * i % 97) - 40; }

/** Data set of N x D numbers truth(i), chunked and compressed when `packed`. */
static void put(hid_t file, const char *name, int rank, hid_t type, bool packed)
{
  hsize_t dim[3] = {rank == 1 ? N * D : N, rank == 3 ? 1 : D, D}, chunk[3] = {2, 1, 1};
  double value[N * D];
  for (int i = 0; i < N * D; i++) value[i] = truth(i);
  hid_t space = H5Screate_simple(rank, dim, NULL), create = H5Pcreate(H5P_DATASET_CREATE);
  if (packed) {
    assert_true(H5Pset_chunk(create, rank, chunk) >= 0);
    assert_true(H5Pset_deflate(create, 9) >= 0 && H5Pset_fletcher32(create) >= 0);
  }
  hid_t data = H5Dcreate2(file, name, type, space, H5P_DEFAULT, create, H5P_DEFAULT);
  assert_true(data >= 0);
  assert_true(H5Dwrite(data, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, value) >= 0);
  H5Dclose(data);
  H5Pclose(create);
  H5Sclose(space);
}

/** A data set of that size whose numbers were never written. */
static void put_claim(hid_t file, const char *name, hsize_t rows, hsize_t cols)
{
  hsize_t dim[2] = {rows, cols}, chunk[2] = {1024, 1};
  hid_t space = H5Screate_simple(2, dim, NULL), create = H5Pcreate(H5P_DATASET_CREATE);
  if (rows > 0) assert_true(H5Pset_chunk(create, 2, chunk) >= 0);
  hid_t data = H5Dcreate2(file, name, H5T_IEEE_F64LE, space, H5P_DEFAULT, create, H5P_DEFAULT);
  assert_true(data >= 0);
  H5Dclose(data);
  H5Pclose(create);
  H5Sclose(space);
}

static void put_one_bad(hid_t file, const char *name, double bad)
{
  double value[N * D] = {0};
  hsize_t dim[2] = {N, D};
  value[7] = bad;
  hid_t space = H5Screate_simple(2, dim, NULL);
  hid_t data = H5Dcreate2(file, name, H5T_IEEE_F64LE, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
  assert_true(H5Dwrite(data, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, value) >= 0);
  H5Dclose(data);
  H5Sclose(space);
}

static void put_text(hid_t file)
{
  hsize_t dim = 1;
  hid_t space = H5Screate_simple(1, &dim, NULL), type = H5Tcopy(H5T_C_S1);
  H5Tset_size(type, 8);
  hid_t data = H5Dcreate2(file, "text", type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
  assert_true(data >= 0);
  H5Dclose(data);
  H5Tclose(type);
  H5Sclose(space);
}

static int make_files(void **state)
{
  (void)state;
  if (mkdir("sub", 0777) != 0) return 1;
  hid_t file = H5Fcreate("sub/cloud.h5", H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  put(file, "f64", 2, H5T_IEEE_F64LE, false);
  put(file, "packed", 2, H5T_IEEE_F64LE, true);
  put(file, "f32", 2, H5T_IEEE_F32BE, false);
  put(file, "i16", 2, H5T_STD_I16BE, true);
  put(file, "i64", 2, H5T_STD_I64LE, false);
  put(file, "line", 1, H5T_IEEE_F64LE, false);
  put(file, "cube", 3, H5T_IEEE_F64LE, false);
  H5Gclose(H5Gcreate2(file, "group", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
  put(file, "group/inside", 2, H5T_IEEE_F64LE, false);
  put_claim(file, "empty", 0, 3);
  put_claim(file, "unwritten", 1000000, 3);
  put_claim(file, "huge", (hsize_t)1 << 31, 1);
  put_one_bad(file, "nan", NAN);
  put_one_bad(file, "inf", -INFINITY);
  put_text(file);
  H5Fclose(file);
  file = H5Fcreate("sub/bare.h5", H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  H5Fclose(file);
  FILE *text = fopen("sub/text.h5", "w");
  return text == NULL || fputs("hello\n", text) < 0 || fclose(text) != 0;
}

static int remove_files(void **state)
{
  (void)state;
  unlink("sub/cloud.h5");
  unlink("sub/bare.h5");
  unlink("sub/text.h5");
  return rmdir("sub");
}

static void test_types_and_shapes(void **state)
{
  (void)state;
  static const char *const names[] = {"f64", "packed", "f32", "i16", "i64", "/group/inside", "line"};
  for (size_t k = 0; k < sizeof names / sizeof *names; k++) {
    int rows = 0, cols = 0;
    double *values = NULL;
    dcs_error err = {""};
    if (dcs_points_file_read("sub/cloud.h5", names[k], &rows, &cols, &values, &err) != DCS_OK) fail_msg("%s", err.text);
    bool is_line = strcmp(names[k], "line") == 0;
    assert_true(is_line ? rows == N * D && cols == 1 : rows == N && cols == D);
    for (int i = 0; i < N * D; i++) assert_true(values[i] == truth(i));
    dcs_free(&values);
  }
}

static void test_refused(void **state)
{
  (void)state;
  static const struct {
    const char *path, *dataset;
    dcs_status status;
    const char *text;
  } bad[] = {
      {"sub/none.h5", "f64", DCS_EIO, "sub/none.h5: No such file or directory"},
      {"sub", "f64", DCS_EIO, "sub: not a regular file"},
      {"sub/text.h5", "f64", DCS_EUSAGE, "sub/text.h5: not an HDF5 file"},
      {"sub/bare.h5", "f64", DCS_EUSAGE, "sub/bare.h5: there is no data set 'f64'; there is: none"},
      {"sub/cloud.h5", "f46", DCS_EUSAGE,
       "sub/cloud.h5: there is no data set 'f46'; there is: cube, empty, f32, f64, group/inside, huge, i16, i64, "},
      {"sub/cloud.h5", "group", DCS_EUSAGE, "sub/cloud.h5: there is no data set 'group'; there is: cube, "},
      {"sub/cloud.h5", "none/f64", DCS_EUSAGE, "sub/cloud.h5: there is no data set 'none/f64'; there is: "},
      {"sub/cloud.h5", "cube", DCS_EUSAGE, "sub/cloud.h5: 'cube' has 3 dimensions; points are [n][d] or [n]"},
      {"sub/cloud.h5", "text", DCS_EUSAGE, "sub/cloud.h5: 'text' holds no real or integer numbers"},
      {"sub/cloud.h5", "empty", DCS_EUSAGE, "sub/cloud.h5: 'empty' is empty"},
      {"sub/cloud.h5", "huge", DCS_EUSAGE, "sub/cloud.h5: 'huge' has 2147483648 x 1 numbers, more than 2^31 - 1"},
      {"sub/cloud.h5", "unwritten", DCS_EUSAGE, "sub/cloud.h5: 'unwritten' claims more numbers than the file holds"},
      {"sub/cloud.h5", "nan", DCS_EUSAGE, "sub/cloud.h5: 'nan': row 2, column 1 (from 0) is not a finite number"},
      {"sub/cloud.h5", "inf", DCS_EUSAGE, "sub/cloud.h5: 'inf': row 2, column 1 (from 0) is not a finite number"},
  };
  for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
    int rows = 0, cols = 0;
    double *values = NULL;
    dcs_error err = {""};
    dcs_status st = dcs_points_file_read(bad[k].path, bad[k].dataset, &rows, &cols, &values, &err);
    if (st != bad[k].status || strncmp(err.text, bad[k].text, strlen(bad[k].text)) != 0)
      fail_msg("expected (%d) %s\n  got (%d) %s", (int)bad[k].status, bad[k].text, (int)st, err.text);
    assert_null(values);
    assert_true(strlen(err.text) < 240 && strchr(err.text, '\n') == NULL);
  }
  assert_int_equal(H5Fget_obj_count((hid_t)H5F_OBJ_ALL, H5F_OBJ_ALL), 0); /* everything is closed again */
}

/** Cut short anywhere: any answer but a crash or other numbers. */
static void test_cut_short(void **state)
{
  (void)state;
  FILE *file = fopen("sub/cloud.h5", "rb");
  assert_non_null(file);
  fseek(file, 0, SEEK_END);
  size_t n = (size_t)ftell(file);
  rewind(file);
  char *bytes = NULL;
  assert_int_equal(dcs_alloc(n, 1, &bytes), DCS_OK);
  assert_int_equal(fread(bytes, 1, n, file), n);
  fclose(file);
  for (size_t i = 0; i < 60; i++) {
    size_t cut = n * i / 60;
    file = fopen("sub/text.h5", "wb");
    assert_int_equal(fwrite(bytes, 1, cut, file), cut);
    assert_int_equal(fclose(file), 0);
    int rows = 0, cols = 0;
    double *values = NULL;
    dcs_error err = {""};
    dcs_status st = dcs_points_file_read("sub/text.h5", "packed", &rows, &cols, &values, &err);
    assert_true((st == DCS_OK) == (values != NULL));
    assert_true(st == DCS_OK || err.text[0] != '\0');
    for (int k = 0; values != NULL && k < N * D; k++) assert_true(values[k] == truth(k));
    dcs_free(&values);
  }
  dcs_free(&bytes);
}

static const dcs_param_def table[] = {{"points", DCS_PARAM_TABLE, "", 0, 0, NULL, "data units", "points"},
                                      {"file", DCS_PARAM_TEXT, "", 0, 0, NULL, NULL, "file"},
                                      {"dataset", DCS_PARAM_TEXT, "", 0, 0, NULL, NULL, "data set"},
                                      {0}};

/** A target mapping from "a: b, ..." and the parameters it means, as src/study/spec.c reads them. */
static void make_target(const char *yaml, dcs_node *target, dcs_params *params)
{
  static const double point = 1.5;
  assert_int_equal(dcs_node_parse("sub/s.yaml", true, yaml, strlen(yaml), target, NULL), DCS_OK);
  assert_int_equal(dcs_params_create(table, params), DCS_OK);
  for (size_t i = 0; i < target->count; i++) {
    const dcs_node *child = &target->child[i];
    bool is_points = strcmp(child->key, "points") == 0;
    assert_int_equal(is_points ? dcs_params_set(params, "points", 1, 1, &point)
                               : dcs_params_set_word(params, child->key, child->text),
                     DCS_OK);
  }
}

static void test_fill(void **state)
{
  (void)state;
  dcs_study *study = NULL;
  dcs_node target[3] = {{0}};
  dcs_params params[3];
  assert_int_equal(dcs_alloc(1, sizeof *study, &study), DCS_OK);
  assert_int_equal(dcs_strdup("sub/s.yaml", &study->path), DCS_OK);
  static const char *const yaml[3] = {"{file: cloud.h5, dataset: f64}", "{file: cloud.h5, dataset: f64}",
                                      "{file: cloud.h5, dataset: line}"};
  for (int i = 0; i < 3; i++) {
    dcs_error err = {""};
    make_target(yaml[i], &target[i], &params[i]);
    if (dcs_points_file_fill(&target[i], study, &params[i], &err) != DCS_OK) fail_msg("%s", err.text);
  }
  const dcs_param *points = dcs_params_find(&params[0], "points");
  assert_true(points->is_set && points->rows == N && points->cols == D && points->values[4] == truth(4));
  assert_ptr_equal(points->values, dcs_params_find(&params[1], "points")->values); /* one copy for both */
  assert_true(dcs_params_find(&params[2], "points")->rows == N * D);
  assert_int_equal(study->n_clouds, 2);
  char *name = NULL; /* of the physics: the numbers, not where they came from */
  assert_int_equal(dcs_canonical_params("law", "cloud", &params[2], &name), DCS_OK);
  assert_string_equal(name, "law=cloud points=[-40,-39,-36,-31,-24,-15,-4,9,24,41,-37,-16,7,32,-38]");
  dcs_free(&name);
  for (int i = 0; i < 3; i++) {
    dcs_params_destroy(&params[i]);
    dcs_node_destroy(&target[i]);
  }
  dcs_study_destroy(&study);
}

static void test_fill_refused(void **state)
{
  (void)state;
  char here[512], yaml[600];
  assert_non_null(getcwd(here, sizeof here));
  snprintf(yaml, sizeof yaml, "{file: %s/sub/cloud.h5,\n dataset: cube}", here);
  const struct {
    const char *yaml;
    dcs_status status;
    const char *text;
  } bad[] = {
      {"{file: cloud.h5}", DCS_EUSAGE, "sub/s.yaml:1: file: needs 'dataset', the name of the points in it"},
      {"{\n dataset: f64}", DCS_EUSAGE, "sub/s.yaml:2: dataset: needs 'file', the HDF5 file it is in"},
      {"{points: 1.5,\n\n file: cloud.h5, dataset: f64}", DCS_EUSAGE,
       "sub/s.yaml:3: file: there are 'points' here too; remove one of the two"},
      {"{dataset: f64,\n file: none.h5}", DCS_EIO, "sub/s.yaml:2: sub/none.h5: No such file or directory"},
      {"{file: cloud.h5, dataset: f46}", DCS_EUSAGE,
       "sub/s.yaml:1: sub/cloud.h5: there is no data set 'f46'; there is:"},
      {yaml, DCS_EUSAGE, "sub/s.yaml:1: /"},
  };
  for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
    dcs_study *study = NULL;
    dcs_node target = {0};
    dcs_params params;
    dcs_error err = {""};
    assert_int_equal(dcs_alloc(1, sizeof *study, &study), DCS_OK);
    assert_int_equal(dcs_strdup("sub/s.yaml", &study->path), DCS_OK);
    make_target(bad[k].yaml, &target, &params);
    dcs_status st = dcs_points_file_fill(&target, study, &params, &err);
    if (st != bad[k].status || strncmp(err.text, bad[k].text, strlen(bad[k].text)) != 0)
      fail_msg("expected (%d) %s\n  got (%d) %s", (int)bad[k].status, bad[k].text, (int)st, err.text);
    assert_int_equal(study->n_clouds, 0);
    dcs_params_destroy(&params);
    dcs_node_destroy(&target);
    dcs_study_destroy(&study);
  }
}

/** The way through a study file: identity is the numbers, wherever they came from, and changed numbers are another
 *  point. */
static void test_study(void **state)
{
  (void)state;
  static const char text[] = "study: cloud\n"
                             "target:\n"
                             "  law: atoms\n"
                             "  stddev: $s\n"
                             "  file: cloud.h5\n"
                             "  dataset: $cloud\n"
                             "schedule: {levels: geometric, sigma_max: 50}\n"
                             "sampler: ddim\n"
                             "steps: 8\n"
                             "delta: 0.01\n"
                             "grid: {cloud: [f64, i16, line], s: [0.1, 0.2]}\n";
  dcs_study *study = NULL;
  dcs_problem *problem = NULL;
  dcs_error err = {""};
  if (dcs_study_parse("sub/s.yaml", text, sizeof text - 1, 0, NULL, &study, &err) != DCS_OK) fail_msg("%s", err.text);
  assert_int_equal(study->n_points, 4); /* f64 and i16 hold the same numbers: the same points */
  assert_int_equal(study->n_clouds, 3);
  assert_null(strstr(study->point[0].canonical, "cloud.h5"));
  assert_non_null(strstr(study->point[2].canonical, "points=[-40,"));
  assert_true(dcs_study_column(study, "d")->number[0] == D && dcs_study_column(study, "d")->number[2] == 1);
  assert_string_equal(dcs_study_column(study, "cloud")->text[2], "line");
  if (dcs_study_problem(study, 0, &problem, &err) != DCS_OK) fail_msg("%s", err.text);
  assert_int_equal(dcs_target_dimension(problem->target), D);
  dcs_problem_destroy(problem);
  dcs_free(&problem);
  dcs_study *again = NULL;
  if (dcs_study_parse("sub/t.yaml", study->canonical, strlen(study->canonical), 0, NULL, &again, &err) != DCS_OK)
    fail_msg("%s", err.text);
  for (int i = 0; i < 4; i++) assert_true(again->point[i].hash == study->point[i].hash);
  dcs_study_destroy(&again);
  /* a result file has the study but not the data: its claims can be read all the same */
  assert_int_equal(dcs_study_parse_claims("r.h5", study->canonical, strlen(study->canonical), &again, &err), DCS_OK);
  dcs_study_destroy(&again);
  assert_int_equal(dcs_study_parse("r.h5", study->canonical, strlen(study->canonical), 0, NULL, &again, &err), DCS_EIO);
  dcs_study_destroy(&study);

  const char *set[] = {"grid.cloud=[f64, f46]"};
  assert_int_equal(dcs_study_parse("sub/s.yaml", text, sizeof text - 1, 1, set, &study, &err), DCS_EUSAGE);
  assert_int_equal(strncmp(err.text, "sub/s.yaml:5: sub/cloud.h5: there is no data set 'f46'", 54), 0);
  const char *empty[] = {"target.file=''"};
  assert_int_equal(dcs_study_parse("sub/s.yaml", text, sizeof text - 1, 1, empty, &study, &err), DCS_EUSAGE);
  assert_string_equal(err.text, "--set target.file: file: an empty text");
  const char *list[] = {"target.file=[a, b]"};
  assert_int_equal(dcs_study_parse("sub/s.yaml", text, sizeof text - 1, 1, list, &study, &err), DCS_EUSAGE);
  assert_non_null(strstr(err.text, "file: found a list"));
}

int main(void)
{
  char directory[] = "/tmp/dcs_test_points_XXXXXX";
  if (mkdtemp(directory) == NULL || chdir(directory) != 0) return 1;
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_types_and_shapes), cmocka_unit_test(test_refused), cmocka_unit_test(test_fill),
      cmocka_unit_test(test_fill_refused),     cmocka_unit_test(test_study),   cmocka_unit_test(test_cut_short),
  };
  int failed = cmocka_run_group_tests(tests, make_files, remove_files);
  if (chdir("/") != 0 || rmdir(directory) != 0) perror(directory);
  return failed;
}
