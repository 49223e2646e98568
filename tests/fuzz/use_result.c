#include "fuzz/use_result.h"

#include <string.h>

#include "archive/print.h"
#include "fuzz/fuzz.h"
#include "rate/rate.h"

void judge_result(const dcs_result *r)
{
  dcs_error err = {""};
  dcs_study *study = NULL;
  dcs_check_row *rows = NULL;
  int n_rows = 0;
  if (dcs_study_parse_claims("r.h5", r->canonical, strlen(r->canonical), &study, &err) == DCS_OK)
    (void)!dcs_claims_check(study, r, &n_rows, &rows, &err);
  dcs_claims_destroy(n_rows, &rows);
  dcs_study_destroy(&study);
}

void print_result(const dcs_result *r)
{
  FILE *out = fopen("/dev/null", "w");
  REQUIRE(out != NULL);
  dcs_print_csv(r, out);
  dcs_print_json(r, NULL, out);
  dcs_print_levels(r, out);
  fclose(out);
}

void require_same_when_written(const dcs_result *r)
{
  dcs_error err = {""};
  dcs_result *back = NULL;
  if (dcs_result_write("w.h5", r, &err) != DCS_OK) {
    REQUIRE(err.text[0] != '\0'); /* names that cannot stand beside each other, say */
    return;
  }
  dcs_status st = dcs_result_read("w.h5", &back, &err);
  if (st != DCS_OK) fprintf(stderr, "%s\n", err.text);
  REQUIRE(st == DCS_OK && dcs_result_digest(r) == dcs_result_digest(back));
  dcs_result_destroy(&back);
}
