/* lockfile.c - flock on DIR/lock: the kernel lets go when its holder dies, however it dies. The
 * process id inside is for people only. */
#include "host/lockfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "host/files.h"

static long holder(int fd)
{
	char text[24] = "";

	if (pread(fd, text, sizeof(text) - 1, 0) <= 0)
		return 0;
	return strtol(text, NULL, 10);
}

int lockfile_take(int *fd, const char *dir, char *error, size_t size)
{
	char path[FILES_PATH_MAX], pid[24];
	int r, len;

	if (snprintf(path, sizeof(path), "%s/lock", dir) >= (int)sizeof(path)) {
		snprintf(error, size, "the path %s is too long", dir);
		return -ENAMETOOLONG;
	}
	*fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (*fd >= 0 && flock(*fd, LOCK_EX | LOCK_NB) == 0) {
		len = snprintf(pid, sizeof(pid), "%ld\n", (long)getpid());
		if (ftruncate(*fd, 0) == 0 && pwrite(*fd, pid, (size_t)len, 0) == len)
			return 0;
	}
	r = errno == EWOULDBLOCK ? -EBUSY : -errno;
	if (r == -EBUSY)
		snprintf(error, size, "%s is in use by the vpnd with process id %ld; give this one "
			 "another --state", dir, holder(*fd));
	else
		snprintf(error, size, "cannot lock %s: %s", path, strerror(-r));
	if (*fd >= 0)
		close(*fd);
	return r;
}
