#include "heap.h"

#include <string.h>

static size_t extent(const cf_heap *heap, int i) { return heap->starts[i + 1] - heap->starts[i]; }

/* The smallest free extent of at least `size`, the first of equals; -1 if there is none. */
static int fitting(const cf_heap *heap, size_t size)
{
    int best = -1;
    for (int i = 0; i < heap->count; i++)
        if (!heap->used[i] && extent(heap, i) >= size &&
            (best < 0 || extent(heap, i) < extent(heap, best)))
            best = i;
    return best;
}

/* Put an extent that begins at `start` before the one at `index`. */
static void insert(cf_heap *heap, int index, size_t start)
{
    memmove(heap->starts + index + 1, heap->starts + index,
            (size_t)(heap->count + 1 - index) * sizeof *heap->starts);
    memmove(heap->used + index + 1, heap->used + index, (size_t)(heap->count - index));
    heap->starts[index] = start;
    heap->count++;
}

/* Make an extent and the one before it one. */
static void merge(cf_heap *heap, int index)
{
    memmove(heap->starts + index, heap->starts + index + 1,
            (size_t)(heap->count - index) * sizeof *heap->starts);
    memmove(heap->used + index, heap->used + index + 1, (size_t)(heap->count - 1 - index));
    heap->count--;
}

/* Let the last extent, free, end so that it has `size` bytes; its index, or -1. */
static int grow(cf_heap *heap, size_t size)
{
    int last = heap->count - 1;
    const size_t top = heap->starts[heap->count];
    const int add = last < 0 || heap->used[last];
    const size_t start = add ? top : heap->starts[last];
    if (size > heap->size - start || (add && heap->count == CF_MOST_EXTENTS))
        return -1;
    if (add) {
        insert(heap, heap->count, top);
        heap->used[++last] = 0;
    }
    heap->starts[heap->count] = start + size;
    return last;
}

ptrdiff_t cf_heap_take(cf_heap *heap, size_t size, size_t *fresh)
{
    const size_t top = heap->starts[heap->count];
    int index = fitting(heap, size);
    if (index < 0)
        index = grow(heap, size);
    if (index < 0)
        return -1;
    *fresh = heap->starts[heap->count] - top;
    if (extent(heap, index) > size && heap->count < CF_MOST_EXTENTS) {
        const size_t start = heap->starts[index];
        heap->starts[index] = start + size;
        insert(heap, index, start);
        heap->used[index + 1] = 0;
    }
    heap->used[index] = 1;
    return (ptrdiff_t)heap->starts[index];
}

void cf_heap_give(cf_heap *heap, size_t start)
{
    int low = 0, high = heap->count - 1;
    while (low < high) {
        const int middle = (low + high + 1) / 2;
        if (heap->starts[middle] <= start)
            low = middle;
        else
            high = middle - 1;
    }
    heap->used[low] = 0;
    if (low + 1 < heap->count && !heap->used[low + 1])
        merge(heap, low + 1);
    if (low > 0 && !heap->used[low - 1])
        merge(heap, low);
}
