#ifndef DCS_RUN_SIGNALS_H
#define DCS_RUN_SIGNALS_H
/** Requests to stop at a checkpoint: SIGUSR1 (batch system), SIGTERM, SIGINT. They are noted, and looked for between
 *  blocks. */
#include <stdbool.h>

/** From now on they are noted instead of ending the process. */
void dcs_signals_catch(void);

/** Has one arrived? */
bool dcs_signals_pending(void);

#endif
