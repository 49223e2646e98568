/** Any bytes as a study file: a study or one line of complaint. What dcs makes of a study, its canonical text, is the
 *  same study again. The same texts reach the reader from result files of others (`dcs check`, `dcs merge`). */
#include <ctype.h>
#include <string.h>

#include "fuzz/fuzz.h"
#include "study/study.h"

/** A study may rightly ask for a great deal of memory and time: d, components, steps, the length of an axis. Texts are
 *  passed over when they hold a number of more than three digits, or one with an exponent of 3 or more, unless it is
 *  the value of one of `harmless`: those are limits, and nothing is made of them. A range `step` below 1 makes long
 *  axes of small numbers, and two of those make 10^5 points; so a text with two ranges is passed over too. */
static bool asks_for_much(const char *text, size_t n)
{
  static const char *const harmless[] = {"seed:", "max_paths:", "save_samples:", "score_error_seed:"};
  int ranges = 0;
  for (size_t i = 0; i < n; i++) {
    if (i + 2 < n && strncmp(text + i, "to:", 3) == 0 && ++ranges > 1) return true;
    if (!isdigit((unsigned char)text[i]) || (i > 0 && (isalnum((unsigned char)text[i - 1]) || text[i - 1] == '.')))
      continue;
    size_t end = i, digits = 0;
    while (end < n && isdigit((unsigned char)text[end])) end++;
    digits = end - i;
    if (end < n && text[end] == '.')
      for (end++; end < n && isdigit((unsigned char)text[end]);) end++;
    if (end < n && (text[end] == 'e' || text[end] == 'E')) {
      size_t at = end + 1;
      while (at < n && (text[at] == '+' || text[at] == '0')) at++;
      for (; at < n && isdigit((unsigned char)text[at]) && digits <= 3; at++)
        digits += text[at] >= '3' || isdigit((unsigned char)text[at + 1 < n ? at + 1 : at]) ? 4 : 1;
    }
    bool is_harmless = false;
    for (size_t k = 0; k < sizeof harmless / sizeof *harmless; k++) {
      size_t length = strlen(harmless[k]), from = i;
      while (from > 0 && text[from - 1] == ' ') from--;
      is_harmless = is_harmless || (from >= length && strncmp(text + from - length, harmless[k], length) == 0);
    }
    if (digits > 3 && !is_harmless) return true;
    i = end - 1;
  }
  return false;
}

static void require_message(const dcs_error *err)
{
  size_t n = strlen(err->text);
  REQUIRE(n > 0 && n < sizeof err->text);
  for (size_t i = 0; i < n; i++) REQUIRE((unsigned char)err->text[i] >= 0x20);
}

static void require_same(const dcs_study *a, const dcs_study *b)
{
  REQUIRE(strcmp(a->canonical, b->canonical) == 0);
  REQUIRE(strcmp(a->name, b->name) == 0 && a->seed == b->seed && a->hash == b->hash);
  REQUIRE(a->n_points == b->n_points && a->n_columns == b->n_columns && a->n_metrics == b->n_metrics);
  REQUIRE(a->n_claims == b->n_claims && a->save_samples == b->save_samples);
  for (int64_t p = 0; p < a->n_points; p++) REQUIRE(a->point[p].hash == b->point[p].hash);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  const char *text = (const char *)data;
  dcs_study *study = NULL, *again = NULL;
  dcs_error err = {""};
  if (asks_for_much(text, size)) return -1; /* not for the corpus */

  dcs_status st = dcs_study_parse_claims("study.yaml", text, size, &again, &err);
  REQUIRE((st == DCS_OK) == (again != NULL));
  if (st != DCS_OK) require_message(&err);
  dcs_study_destroy(&again);

  err.text[0] = '\0';
  st = dcs_study_parse("study.yaml", text, size, 0, NULL, &study, &err);
  REQUIRE((st == DCS_OK) == (study != NULL));
  if (st != DCS_OK) {
    require_message(&err);
    return 0;
  }
  size_t n = strlen(study->canonical);
  st = dcs_study_parse("study.yaml", study->canonical, n, 0, NULL, &again, &err);
  if (st != DCS_OK) fprintf(stderr, "%s\n%s\n", err.text, study->canonical);
  REQUIRE(st == DCS_OK);
  require_same(study, again);
  dcs_study_destroy(&again);
  REQUIRE(dcs_study_parse_claims("study.yaml", study->canonical, n, &again, &err) == DCS_OK);
  dcs_study_destroy(&again);
  dcs_study_destroy(&study);
  return 0;
}
