/* Module base: messages, allocation, what the binary says about itself. All comparisons are exact. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h> /* needs the headers above */

#include "base/build.h"
#include "base/memory.h"
#include "base/plain.h"

static void test_every_status_has_a_text(void **state)
{
  (void)state;
  for (int i = DCS_OK; i <= DCS_EMPI; i++) {
    assert_true(strlen(dcs_status_text((dcs_status)i)) > 0);
    for (int j = DCS_OK; j < i; j++) {
      assert_string_not_equal(dcs_status_text((dcs_status)i), dcs_status_text((dcs_status)j));
    }
  }
  assert_string_equal(dcs_status_text((dcs_status)(DCS_EMPI + 1)), "unknown status");
}

static void test_message_is_cut_not_overrun(void **state)
{
  (void)state;
  dcs_error err;
  char name[2 * sizeof err.text];
  memset(name, 'x', sizeof name - 1);
  name[sizeof name - 1] = '\0';
  assert_int_equal(dcs_fail(&err, DCS_EIO, "%s:%d", name, 1), DCS_EIO);
  assert_int_equal(strlen(err.text), sizeof err.text - 1);
  assert_int_equal(dcs_fail(&err, DCS_EUSAGE, "%s:%d: bad", "file", 7), DCS_EUSAGE);
  assert_string_equal(err.text, "file:7: bad");
  assert_int_equal(dcs_fail(NULL, DCS_EARG, "nobody listens"), DCS_EARG);
}

static const struct {
  const char *text, *plain, *json;
} texts[] = {
    {"", "", "\"\""},
    {"plain \\ \"text\"", "plain \\ \"text\"", "\"plain \\\\ \\\"text\\\"\""},
    {"\xc3\xbc \xe2\x89\xa4 \xf0\x9d\x9c\x8e \xc2\xa0", "\xc3\xbc \xe2\x89\xa4 \xf0\x9d\x9c\x8e \xc2\xa0",
     "\"\xc3\xbc \xe2\x89\xa4 \xf0\x9d\x9c\x8e \xc2\xa0\""},
    {"\x1b[31m\a\r\n\t\b\x7f", "\\x1b[31m\\x07\\x0d\\x0a\\x09\\x08\\x7f",
     "\"\\u001b[31m\\u0007\\u000d\\u000a\\u0009\\u0008\\u007f\""},
    {"\xc2\x9b"
     "31m",
     "\\xc2\\x9b31m", "\"\\u009b31m\""}, /* CSI as one character */
    {"\x9b", "\\x9b", "\"\\ufffd\""},    /* and as one byte */
    {"\xe2\x80\xae"
     "cba",
     "\\xe2\\x80\\xaecba", "\"\\u202ecba\""},                                        /* right to left */
    {"\xc1\x9b\xe0\x82\x9b", "\\xc1\\x9b\\xe0\\x82\\x9b", NULL},                     /* too long forms of CSI */
    {"\xed\xa0\x80 \xf4\x90\x80\x80", "\\xed\\xa0\\x80 \\xf4\\x90\\x80\\x80", NULL}, /* surrogate; too large */
    {"a\xe2\x89", "a\\xe2\\x89", "\"a\\ufffd\\ufffd\""},                             /* cut */
    {"\xe2\x89\x1b", "\\xe2\\x89\\x1b", "\"\\ufffd\\ufffd\\u001b\""},
};

/** What `print` writes for a text. */
static char *printed(void (*print)(FILE *, const char *), const char *text)
{
  char *out = NULL;
  size_t n = 0;
  FILE *file = open_memstream(&out, &n);
  assert_non_null(file);
  print(file, text);
  assert_int_equal(fclose(file), 0);
  return out;
}

static void print_line(FILE *out, const char *text) { dcs_print_line(out, "%s", text); }

static void test_plain_text_cannot_act(void **state)
{
  (void)state;
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    char out[200], twice[200];
    dcs_error err;
    assert_string_equal(dcs_plain(texts[i].text, sizeof out, out), texts[i].plain);
    assert_string_equal(dcs_plain(out, sizeof twice, twice), texts[i].plain);
    assert_int_equal(dcs_fail(&err, DCS_EIO, "%s", texts[i].text), DCS_EIO);
    assert_string_equal(err.text, texts[i].plain);
    char *line = printed(print_line, texts[i].text);
    assert_int_equal(strlen(line), strlen(texts[i].plain) + 1);
    assert_memory_equal(line, texts[i].plain, strlen(texts[i].plain));
    assert_int_equal(line[strlen(line) - 1], '\n');
    free(line);
    line = printed(dcs_print_json_string, texts[i].text);
    if (texts[i].json != NULL) assert_string_equal(line, texts[i].json);
    free(line);
  }
}

/** No half of a character or of \xNN, whatever the room; a line of any length is whole. */
static void test_plain_text_is_cut_between_characters(void **state)
{
  (void)state;
  static const char text[] = "\xc3\xbc\x1b\xc2\x9b\xe2\x89\xa4";
  static const size_t length[] = {0, 0, 0, 2, 2, 2, 2, 6, 6, 6, 6, 6, 6, 6, 6, 14, 14, 14, 17, 17};
  for (size_t size = 1; size < sizeof length / sizeof *length; size++) {
    char out[32] = "################";
    dcs_plain(text, size, out);
    assert_int_equal(strlen(out), length[size]);
  }
  char whole[2000], *line = NULL;
  memset(whole, 'x', sizeof whole - 1);
  whole[sizeof whole - 1] = '\0';
  line = printed(print_line, whole);
  assert_int_equal(strlen(line), sizeof whole);
  free(line);
  dcs_error err;
  for (size_t n = 500; n < 520; n++) { /* a character where the message ends */
    memset(whole, 'x', n);
    memcpy(whole + n, "\xe2\x89\xa4", 4);
    (void)!dcs_fail(&err, DCS_EIO, "%s", whole);
    assert_int_equal(strlen(err.text), n + 3 < sizeof err.text ? n + 3 : n < sizeof err.text ? n : sizeof err.text - 1);
  }
}

static void test_alloc_is_aligned_zeroed_and_checked(void **state)
{
  (void)state;
  for (size_t n = 0; n < 40; n++) {
    double *x = NULL;
    assert_int_equal(dcs_alloc(n, sizeof *x, &x), DCS_OK);
    assert_non_null(x);
    assert_int_equal((uintptr_t)x % DCS_ALIGN, 0);
    for (size_t i = 0; i < n; i++) assert_true(x[i] == 0.0);
    dcs_free(&x);
    assert_null(x);
  }
  int marker = 0;
  int *overflow = &marker;
  assert_int_equal(dcs_alloc(SIZE_MAX / 2, 4, &overflow), DCS_ENOMEM);
  assert_null(overflow);
  overflow = &marker;
  assert_int_equal(dcs_alloc(SIZE_MAX, 1, &overflow), DCS_ENOMEM);
  assert_null(overflow);
}

static void test_reserve_keeps_and_zeroes(void **state)
{
  (void)state;
  int *array = NULL;
  size_t capacity = 0;
  for (size_t n = 0; n < 1000; n++) {
    assert_int_equal(dcs_reserve(&array, &capacity, n + 1, sizeof *array), DCS_OK);
    assert_true(capacity > n);
    assert_int_equal(array[n], 0);
    array[n] = (int)n;
  }
  for (size_t n = 0; n < 1000; n++) assert_int_equal(array[n], n);
  assert_int_equal(dcs_reserve(&array, &capacity, SIZE_MAX, sizeof *array), DCS_ENOMEM);
  assert_int_equal(array[999], 999); /* a failure leaves the array as it was */
  dcs_free(&array);
}

static void test_strdup_copies(void **state)
{
  (void)state;
  char text[] = "noise", *copy = NULL;
  assert_int_equal(dcs_strdup(text, &copy), DCS_OK);
  text[0] = 'p';
  assert_string_equal(copy, "noise");
  dcs_free(&copy);
}

static void test_build_says_everything_once(void **state)
{
  (void)state;
  static const char *const keys[] = {"version", "git_describe", "compiler",      "flags", "hdf5", "gsl",
                                     "mpi",     "openblas",     "openblas_core", "sleef", "yaml", "zlib"};
  char *text = NULL;
  assert_int_equal(dcs_build_describe(&text), DCS_OK);
  char *rest = text;
  for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
    char *line = strtok_r(rest, "\n", &rest);
    assert_non_null(line);
    char *tab = strchr(line, '\t');
    assert_non_null(tab);
    *tab = '\0';
    assert_string_equal(line, keys[i]);
    assert_true(strlen(tab + 1) > 0);
    assert_null(strchr(tab + 1, '\t'));
    if (strcmp(line, "flags") == 0) { /* the contraction that fixes the bits, and never fast-math */
      assert_non_null(strstr(tab + 1, "-ffp-contract=fast"));
      assert_null(strstr(tab + 1, "fast-math"));
    }
  }
  assert_null(strtok_r(rest, "\n", &rest));
  dcs_free(&text);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_every_status_has_a_text),
      cmocka_unit_test(test_message_is_cut_not_overrun),
      cmocka_unit_test(test_plain_text_cannot_act),
      cmocka_unit_test(test_plain_text_is_cut_between_characters),
      cmocka_unit_test(test_alloc_is_aligned_zeroed_and_checked),
      cmocka_unit_test(test_reserve_keeps_and_zeroes),
      cmocka_unit_test(test_strdup_copies),
      cmocka_unit_test(test_build_says_everything_once),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
