#include "run/difference.h"

#include <stdio.h>
#include <string.h>

enum { LINE = 150 };

static int line_length(const char *line)
{
  size_t n = strcspn(line, "\n");
  return n < LINE ? (int)n : LINE;
}

void dcs_difference(const char *there, const char *here, size_t n, char *out)
{
  const char *a = there, *b = here;
  while (*a != '\0' && *a == *b) a++, b++;
  out[0] = '\0';
  if (*a == *b) return;
  while (a > there && a[-1] != '\n') a--, b--;
  snprintf(out, n, "'%.*s' against '%.*s'", line_length(a), a, line_length(b), b);
}
