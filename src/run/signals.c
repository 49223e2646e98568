#include "run/signals.h"

#include <signal.h>
#include <stddef.h>

/* The one mutable static of the program: C lets a handler touch nothing else. Blocking the signals and asking
   sigpending() would need none, but libraries start threads before main() that do not block them. */
static volatile sig_atomic_t arrived;

static void note(int signal)
{
  (void)signal;
  arrived = 1;
}

void dcs_signals_catch(void)
{
  struct sigaction action = {.sa_handler = note, .sa_flags = SA_RESTART};
  sigemptyset(&action.sa_mask);
  sigaction(SIGUSR1, &action, NULL);
  sigaction(SIGTERM, &action, NULL);
  sigaction(SIGINT, &action, NULL);
}

bool dcs_signals_pending(void) { return arrived != 0; }
