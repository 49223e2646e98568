/** For LD_PRELOAD: a wall clock that falls back by an hour at every third look at it, or, with DCS_CLOCK=still, shows the
 *  same second for ever. CLOCK_MONOTONIC is left alone: it keeps its promise whatever becomes of the date. */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { LOOKS = 3, HOUR = 3600 };

long syscall(long number, ...); /* hidden by _POSIX_C_SOURCE */

static void look(clockid_t clock, struct timespec *now)
{
  static atomic_long looks; /* of all threads; the clock is one for the process */
  syscall(SYS_clock_gettime, clock, now);
  if (clock != CLOCK_REALTIME) return;
  const char *mode = getenv("DCS_CLOCK");
  if (mode != NULL && strcmp(mode, "still") == 0)
    *now = (struct timespec){.tv_sec = 1000000000};
  else
    now->tv_sec -= HOUR * (1 + atomic_fetch_add(&looks, 1) / LOOKS);
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
  look(clock, now);
  return 0;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
  (void)zone;
  struct timespec t;
  look(CLOCK_REALTIME, &t);
  *now = (struct timeval){.tv_sec = t.tv_sec, .tv_usec = t.tv_nsec / 1000};
  return 0;
}

time_t time(time_t *out)
{
  struct timespec t;
  look(CLOCK_REALTIME, &t);
  if (out != NULL) *out = t.tv_sec;
  return t.tv_sec;
}
