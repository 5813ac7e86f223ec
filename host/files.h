/* files.h - whole small files, replaced durably: temp + fsync + rename + fsync of the folder. */
#ifndef HOST_FILES_H
#define HOST_FILES_H

#include <stddef.h>
#include <sys/types.h>

#define FILES_PATH_MAX 512

/* Writes DIR/NAME anew with this mode. A reader, and a crash, sees the old or the new bytes, whole.
 * 0 or negative errno; on failure the old file is untouched. */
int files_replace(const char *dir, const char *name, mode_t mode, const void *data, size_t len);
/* Makes new names in a folder durable. 0 or negative errno. */
int files_sync_dir(const char *dir);
/* Writes all of it, however many calls it takes. 0 or negative errno. */
int files_write_all(int fd, const void *data, size_t len);
/* mkdir -p; existing folders are left as they are, new ones get `mode`. 0 or negative errno. */
int files_make_dir(const char *path, mode_t mode);

#endif
