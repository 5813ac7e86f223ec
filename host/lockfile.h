/* lockfile.h - one process per folder. */
#ifndef HOST_LOCKFILE_H
#define HOST_LOCKFILE_H

#include <stddef.h>

/* Locks DIR/lock and writes our process id into it. 0 and a descriptor that holds the lock until it
 * is closed; else negative errno (-EBUSY: another process has it) and a sentence in `error`. */
int lockfile_take(int *fd, const char *dir, char *error, size_t size);

#endif
