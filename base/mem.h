/* mem.h - allocation for the control path.
 *
 * Memory that runs out ends the process with a message: every table a peer can fill is bounded, so
 * only a machine that is already lost gets here, and half-recovered states cannot be tested.
 * Nothing on a frame's way allocates. */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stddef.h>

void *mem_new(size_t size); /* zeroed; free with free() */
void *mem_resize(void *p, size_t size);
void *mem_copy(const void *p, size_t size);
char *mem_text(const char *s);

#endif
