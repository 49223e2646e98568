#include "study/nearest.h"

#include <stddef.h>
#include <string.h>

enum { LONGEST = 63 /**< characters compared */ };

static int min_int(int a, int b) { return a < b ? a : b; }

/** Optimal string alignment distance (Damerau 1964), three rolling rows. */
static int edit_distance(const char *a, const char *b)
{
  int row[3][LONGEST + 1];
  int n_a = (int)strnlen(a, LONGEST), n_b = (int)strnlen(b, LONGEST);
  for (int j = 0; j <= n_b; j++) row[0][j] = j;
  for (int i = 1; i <= n_a; i++) {
    const int *above = row[(i - 1) % 3], *two_above = row[(i + 1) % 3];
    int *here = row[i % 3];
    here[0] = i;
    for (int j = 1; j <= n_b; j++) {
      here[j] = min_int(above[j - 1] + (a[i - 1] != b[j - 1]), min_int(above[j], here[j - 1]) + 1);
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        here[j] = min_int(here[j], two_above[j - 2] + 1);
    }
  }
  return row[n_a % 3][n_b];
}

void dcs_nearest_offer(dcs_nearest *nearest, const char *name)
{
  int distance = edit_distance(nearest->word, name);
  if (nearest->name != NULL && distance >= nearest->distance) return;
  nearest->name = name;
  nearest->distance = distance;
}
