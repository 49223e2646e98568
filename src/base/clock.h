#ifndef DCS_BASE_CLOCK_H
#define DCS_BASE_CLOCK_H
/** Elapsed time and short sleeps: polling loops nap instead of spinning, because ranks share cores on small machines.
 */
#include <time.h>

/** Seconds since an arbitrary start; never goes back. */
static inline double dcs_clock(void)
{
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

enum { DCS_NAP_NS = 100000 /**< 0.1 ms: small beside a batch of work, large beside one poll */ };

static inline void dcs_nap(void) { nanosleep(&(struct timespec){.tv_nsec = DCS_NAP_NS}, NULL); }

#endif
