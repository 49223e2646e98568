#include "cli/json.h"

#include <math.h>
#include <stdio.h>

void dcs_json_string(const char *text)
{
  if (text == NULL) {
    fputs("null", stdout);
    return;
  }
  putchar('"');
  for (const char *c = text; *c != '\0'; c++) {
    if ((unsigned char)*c < ' ')
      printf("\\u%04x", (unsigned)*c);
    else
      printf(*c == '"' || *c == '\\' ? "\\%c" : "%c", *c);
  }
  putchar('"');
}

void dcs_json_number(double number)
{
  if (isfinite(number))
    printf("%.17g", number);
  else
    fputs("null", stdout);
}
