#ifndef DCS_NUMERICS_HEAP_H
#define DCS_NUMERICS_HEAP_H
/** Binary min-heap of the nodes 0 ... capacity - 1 with keys that may fall while a node waits. Not collective; only
 *  _create allocates; O(log size) for each operation. */
#include "base/status.h"

typedef struct {
  int size;
  int *node;   /**< [size] in heap order */
  int *place;  /**< [capacity] where a node stands in `node`, -1: nowhere */
  double *key; /**< [capacity] */
} dcs_heap;

DCS_NODISCARD dcs_status dcs_heap_create(int capacity, dcs_heap *heap);
void dcs_heap_destroy(dcs_heap *heap);

/** Take all nodes out. */
void dcs_heap_clear(dcs_heap *heap);
/** Put a node in, or lower the key of one that waits. */
void dcs_heap_put(dcs_heap *heap, int node, double key);
/** Remove and return the node of the smallest key, which stays in `key`; -1 when the heap is empty. */
int dcs_heap_pop(dcs_heap *heap);

#endif
