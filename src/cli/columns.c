#include "cli/columns.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/plain.h"

bool dcs_column_varies(const dcs_column *c, int64_t n_points)
{
  for (int64_t i = 1; i < n_points; i++) {
    if (c->is_text ? strcmp(c->text[i], c->text[0]) != 0
                   : c->number[i] != c->number[0] && !(isnan(c->number[i]) && isnan(c->number[0]))) {
      return true;
    }
  }
  return false;
}

void dcs_column_cell(const dcs_column *c, int64_t point, size_t size, char *text)
{
  if (c->is_text)
    dcs_plain(c->text[point], size, text);
  else if (isnan(c->number[point]))
    snprintf(text, size, "-");
  else
    snprintf(text, size, "%.10g", c->number[point]);
}

void dcs_columns_print(const dcs_study *study, int64_t point)
{
  for (int c = 0; c < study->n_columns; c++) {
    char cell[96];
    if (!dcs_column_varies(&study->column[c], study->n_points)) continue;
    dcs_column_cell(&study->column[c], point, sizeof cell, cell);
    printf(" %s=%s", study->column[c].name, cell);
  }
  putchar('\n');
}
