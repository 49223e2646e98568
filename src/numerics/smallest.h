#ifndef DCS_NUMERICS_SMALLEST_H
#define DCS_NUMERICS_SMALLEST_H
/** The few smallest of many values, in ascending order, with their indices. */
/** value[count - 1] is what a newcomer has to undercut; places that are still empty hold `limit` and index -1. */
static inline void dcs_smallest_begin(int count, double limit, double *value, int *index)
{
  for (int k = 0; k < count; k++) {
    value[k] = limit;
    index[k] = -1;
  }
}

/** Insertion behind equal values, so that of equal ones the first offered stay. For v < value[count - 1]. */
static inline void dcs_smallest_insert(int count, double *value, int *index, double v, int i)
{
  int k = count - 1;
  for (; k > 0 && value[k - 1] > v; k--) {
    value[k] = value[k - 1];
    index[k] = index[k - 1];
  }
  value[k] = v;
  index[k] = i;
}

#endif
