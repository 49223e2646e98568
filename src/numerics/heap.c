#include "numerics/heap.h"

#include "base/memory.h"

dcs_status dcs_heap_create(int capacity, dcs_heap *heap)
{
  dcs_status st = DCS_OK;
  *heap = (dcs_heap){0};
  DCS_TRY(dcs_alloc((size_t)capacity, sizeof *heap->node, &heap->node));
  DCS_TRY(dcs_alloc((size_t)capacity, sizeof *heap->place, &heap->place));
  DCS_TRY(dcs_alloc((size_t)capacity, sizeof *heap->key, &heap->key));
  for (int i = 0; i < capacity; i++) heap->place[i] = -1;
done:
  return st;
}

void dcs_heap_destroy(dcs_heap *heap)
{
  dcs_free(&heap->node);
  dcs_free(&heap->place);
  dcs_free(&heap->key);
}

void dcs_heap_clear(dcs_heap *heap)
{
  for (int i = 0; i < heap->size; i++) heap->place[heap->node[i]] = -1;
  heap->size = 0;
}

static void stand(dcs_heap *heap, int place, int node)
{
  heap->node[place] = node;
  heap->place[node] = place;
}

void dcs_heap_put(dcs_heap *heap, int node, double key)
{
  int at = heap->place[node] >= 0 ? heap->place[node] : heap->size++;
  heap->key[node] = key;
  for (int up; at > 0; at = up) {
    up = (at - 1) / 2;
    if (heap->key[heap->node[up]] <= key) break;
    stand(heap, at, heap->node[up]);
  }
  stand(heap, at, node);
}

int dcs_heap_pop(dcs_heap *heap)
{
  if (heap->size == 0) return -1;
  int first = heap->node[0], last = heap->node[--heap->size], at = 0;
  heap->place[first] = -1;
  if (heap->size == 0) return first;
  for (int down; (down = 2 * at + 1) < heap->size; at = down) {
    if (down + 1 < heap->size && heap->key[heap->node[down + 1]] < heap->key[heap->node[down]]) down++;
    if (heap->key[last] <= heap->key[heap->node[down]]) break;
    stand(heap, at, heap->node[down]);
  }
  stand(heap, at, last);
  return first;
}
