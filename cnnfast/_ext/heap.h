/* Which parts of a range of addresses are in use. Nothing here touches the range itself. */
#ifndef CNNFAST_HEAP_H
#define CNNFAST_HEAP_H

#include <stddef.h>

#define CF_MOST_EXTENTS 8192

/* Neighbouring extents from the range's start to the highest address that ever was in use; no two
 * free ones are neighbours. */
typedef struct {
    size_t size;                       /* of the range */
    size_t starts[CF_MOST_EXTENTS + 1]; /* one more: where the last extent ends */
    unsigned char used[CF_MOST_EXTENTS];
    int count;
} cf_heap;

/* Where `size` bytes are free: the smallest extent that has them, else behind the last one. -1 if
 * there is no such place. `*fresh` tells how many of them were never in use. */
ptrdiff_t cf_heap_take(cf_heap *heap, size_t size, size_t *fresh);

/* Free the extent that starts there. */
void cf_heap_give(cf_heap *heap, size_t start);

#endif
