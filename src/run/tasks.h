#ifndef DCS_RUN_TASKS_H
#define DCS_RUN_TASKS_H
/** What is left to do: the state of every (point, estimator) of a study. No MPI, no files.
 *
 *  Each task walks through its estimator's phases. The blocks of a phase may be computed in any order by anyone; when
 *  all have arrived they are merged in block order and the estimator plans what comes next. So all decisions, and the
 *  set of blocks that make the result, depend on the study alone. Blocks of an earlier run are taken from `old`
 *  whenever a phase asks for them: a resumed run walks through the same decisions. */
#include "archive/record.h"
#include "run/problems.h"
#include "study/study.h"

enum { DCS_BATCH = 256 /**< blocks in one message at most */ };

/** One block to compute; the same bytes go through a message. */
typedef struct {
  int64_t point; /**< index in the study */
  int64_t block; /**< number in its phase */
  int estimator; /**< index in the registry */
  dcs_design design;
} dcs_order;

typedef enum {
  DCS_TASK_OPEN,
  DCS_TASK_DONE,
  DCS_TASK_STOPPED, /**< max_paths reached first */
  DCS_TASK_FAILED
} dcs_task_state;

typedef struct {
  int64_t point; /**< index in the study */
  int estimator; /**< index in the registry */
  dcs_task_state state;
  dcs_design design; /**< of the current phase; all zero if nothing was ever planned */
  int64_t groups;    /**< of the estimator at this point */
  dcs_sums *sums;    /**< [groups] blocks [0, merged) of the phase */
  int64_t merged, arrived;
  int64_t next;    /**< no block below it is left to hand out */
  int64_t left;    /**< blocks neither here nor handed out */
  int64_t failure; /**< DCS_TASK_FAILED: index into dcs_tasks.records */
  double flops;    /**< of one block */
  double seconds;  /**< spent on `timed` blocks of this phase */
  int64_t timed;
  double all_seconds, all_flops; /**< spent on all phases */
  double weight;                 /**< of one block, for the order of tasks: flops, more if they have turned out slow */
  int64_t *slot;                 /**< [design.blocks]: 1 + index into dcs_tasks.records, 0: not here */
  size_t slots;
} dcs_task;

/** Who measures one metric of one point. */
typedef struct {
  int64_t task; /**< -1: refused */
  int quantity; /**< index in the task's sums */
} dcs_choice;

/** Read-only outside tasks.c. */
typedef struct {
  const dcs_study *study; /**< borrowed */
  const dcs_records *old; /**< borrowed, sorted by dcs_record_compare */
  dcs_problems *problems;
  int64_t n_tasks;
  dcs_task *task;
  size_t task_capacity;
  dcs_choice *choice;       /**< [n_points][n_metrics] */
  char **reason;            /**< [n_points]: why metrics were refused, NULL if none was */
  int32_t *open_of_point;   /**< [n_points] tasks that have not ended */
  struct dcs_task_key *key; /**< [n_tasks], sorted: from a record to its task */
  int64_t *heap;            /**< tasks with blocks left, what is handed out first on top */
  int64_t n_heap;
  size_t heap_capacity;
  int64_t n_open; /**< tasks that have not ended; 0: the study is done */
  int64_t n_points_done;
  dcs_records records;   /**< every block taken, in order of arrival */
  double paths;          /**< outer * inner over all blocks taken */
  double flops, seconds; /**< of all blocks taken */
  double flops_left;     /**< of all blocks left to hand out, in the phases planned so far */
} dcs_tasks;

/** Choose an estimator for every metric of every point, plan, and take what `old` has. `study` and `old` are borrowed
 *  until dcs_tasks_destroy. DCS_EUSAGE: the study asks for a point that cannot be built. DCS_ECORRUPT: two old records
 *  of one block disagree. O(points): problems are built one at a time and dropped. */
DCS_NODISCARD dcs_status dcs_tasks_create(const dcs_study *study, const dcs_records *old, dcs_tasks **out,
                                          dcs_error *err);
void dcs_tasks_destroy(dcs_tasks **tasks);

/** Hand out up to `max` blocks worth about `seconds` together (at least one): those of pilots, then the longest
 *  first. Returns their number; `*predicted` is their cost in seconds. */
int dcs_tasks_next(dcs_tasks *tasks, double seconds, int max, dcs_order *orders, double *predicted);

/** Take a finished block. A failed block ends its task once its phase is complete, so that the failure reported (the
 *  lowest block) does not depend on the order of arrival. DCS_EARG: nobody asked for this block. */
DCS_NODISCARD dcs_status dcs_tasks_take(dcs_tasks *tasks, const dcs_record *record, dcs_error *err);

/** Seconds of computing left in the phases planned so far, on one rank; 0 while nothing has been measured. */
double dcs_tasks_seconds_left(const dcs_tasks *tasks);

/** Record of an order with nothing measured yet. */
void dcs_task_record(const dcs_study *study, const dcs_order *order, dcs_record *record);

#endif
