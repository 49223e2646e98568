#include "cli/json.h"

#include <math.h>
#include <stdio.h>

#include "base/plain.h"

void dcs_json_string(const char *text)
{
  if (text == NULL) {
    fputs("null", stdout);
    return;
  }
  dcs_print_json_string(stdout, text);
}

void dcs_json_number(double number)
{
  if (isfinite(number))
    printf("%.17g", number);
  else
    fputs("null", stdout);
}
