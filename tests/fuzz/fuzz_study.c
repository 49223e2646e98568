/** Any bytes as a study file: a study or one line of complaint. What dcs makes of a study, its canonical text, is the
 *  same study again. The same texts reach the reader from result files of others (`dcs check`, `dcs merge`). */
#include <ctype.h>
#include <string.h>

#include "fuzz/fuzz.h"
#include "study/study.h"

/** Is the number at text[at] the value of a key that is a limit or a seed, of which nothing is made? */
static bool is_harmless(const char *text, size_t at)
{
  static const char *const keys[] = {"seed:", "max_paths:", "save_samples:"};
  bool found = false;
  while (at > 0 && text[at - 1] == ' ') at--;
  for (size_t k = 0; k < sizeof keys / sizeof *keys; k++) {
    size_t n = strlen(keys[k]);
    found = found || (at >= n && strncmp(text + at - n, keys[k], n) == 0);
  }
  return found;
}

/** A study may rightly ask for a great deal of memory and time: d, components, steps, the length of an axis. Texts with
 *  a number of more than three digits are passed over, unless it is harmless, and so are those with two ranges: two
 *  axes of a few hundred values each make 10^5 points. */
static bool asks_for_much(const char *text, size_t n)
{
  int ranges = 0;
  for (size_t i = 0; i < n; i++) {
    if (i + 3 <= n && strncmp(text + i, "to:", 3) == 0 && ++ranges > 1) return true;
    bool inside = i > 0 && (isalnum((unsigned char)text[i - 1]) || text[i - 1] == '.');
    if (inside || !(isdigit((unsigned char)text[i]) || text[i] == '.')) continue;
    char number[32] = "";
    memcpy(number, text + i, n - i < sizeof number ? n - i : sizeof number - 1);
    if (strtod(number, NULL) >= 1000 && !is_harmless(text, i)) return true;
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
