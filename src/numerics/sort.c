#include "numerics/sort.h"

#include <string.h>

enum { BITS = 8, DIGITS = 1 << BITS, PASSES = 64 / BITS };

static const uint64_t sign = UINT64_C(1) << 63;

/** Order of doubles as order of unsigned integers: negative numbers with all bits turned, the others with the first. */
static inline uint64_t key_of(double x)
{
  uint64_t bits;
  memcpy(&bits, &x, sizeof bits);
  return bits ^ ((bits & sign) != 0 ? ~UINT64_C(0) : sign);
}

static inline double value_of(uint64_t key)
{
  double x;
  key ^= (key & sign) != 0 ? sign : ~UINT64_C(0);
  memcpy(&x, &key, sizeof x);
  return x;
}

static inline size_t digit(uint64_t key, int pass) { return key >> (pass * BITS) & (DIGITS - 1); }

void dcs_sort(size_t n, double *restrict x, uint64_t *restrict keys)
{
  size_t count[PASSES][DIGITS] = {{0}};
  uint64_t *from = keys, *to = keys + n;
  for (size_t i = 0; i < n; i++) {
    from[i] = key_of(x[i]);
    for (int pass = 0; pass < PASSES; pass++) count[pass][digit(from[i], pass)]++;
  }
  for (int pass = 0; pass < PASSES; pass++) {
    size_t *place = count[pass], before = 0;
    if (n == 0 || place[digit(from[0], pass)] == n) continue; /* all alike in this digit */
    for (int k = 0; k < DIGITS; k++) {
      size_t here = place[k];
      place[k] = before;
      before += here;
    }
    for (size_t i = 0; i < n; i++) to[place[digit(from[i], pass)]++] = from[i];
    uint64_t *other = from;
    from = to;
    to = other;
  }
  for (size_t i = 0; i < n; i++) x[i] = value_of(from[i]);
}
