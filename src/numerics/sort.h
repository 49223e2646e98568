#ifndef DCS_NUMERICS_SORT_H
#define DCS_NUMERICS_SORT_H
#include <stddef.h>
#include <stdint.h>

/** Sort x [n] in ascending order; keys [2 n] is scratch. Radix sort on the bits, eight passes of eight at most: time
 *  O(n), whatever the order before. No NaN; -0 comes before 0. */
void dcs_sort(size_t n, double *restrict x, uint64_t *restrict keys);

#endif
