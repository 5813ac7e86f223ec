/* daemon_audit.c - `--audit FILE`: lines of cmd/node_audit.h, appended, for `vpnsim --audit`.
 *
 * The first namespace has FILE, namespace number N behind it FILE.N. A process that was killed could
 * not say that it ended, so who opens a file with lines in it says so for the writer of the last
 * one: it is the same node's. A line that a full disk cuts is taken back, and the log says that
 * there are gaps. */
#include "cmd/daemon_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/node_audit.h"
#include "host/files.h"

struct daemon_audit {
	int fd[NODE_NAMESPACES_MAX]; /* -1 = not open */
	bool failed;
};

static void say(struct daemon *d, uint16_t ns, const char *line)
{
	char text[AUDIT_LINE + 2];
	int n = snprintf(text, sizeof(text), "%s\n", line), fd = d->audit->fd[ns], r;
	off_t size;

	if (fd < 0 || n < 0 || (size_t)n >= sizeof(text))
		return;
	size = lseek(fd, 0, SEEK_END);
	r = files_write_all(fd, text, (size_t)n);
	if (r < 0 && ftruncate(fd, size) < 0)
		log_debug(d->log, "%s has half a line", d->options->audit);
	if (r < 0 && !d->audit->failed)
		log_error(d->log, "cannot write %s: %s; it has gaps from now on",
			  d->options->audit, strerror(-r));
	d->audit->failed = r < 0;
}

/* The last whole line of the file; false: it has none. */
static bool last_event(int fd, struct audit_event *e)
{
	char text[2 * AUDIT_LINE + 1];
	off_t size = lseek(fd, 0, SEEK_END);
	off_t from = size > 2 * AUDIT_LINE ? size - 2 * AUDIT_LINE : 0;
	ssize_t n = pread(fd, text, 2 * AUDIT_LINE, from);
	char *end, *line;

	if (n <= 0)
		return false;
	text[n] = 0;
	end = strrchr(text, '\n');
	if (!end)
		return false;
	*end = 0;
	line = strrchr(text, '\n');
	return audit_read(e, line ? line + 1 : text);
}

static void died(struct daemon *d, uint16_t ns)
{
	char line[AUDIT_LINE];
	struct audit_event last, e = { .at = boot_now(), .type = AUDIT_DIE };

	if (!last_event(d->audit->fd[ns], &last) || last.type == AUDIT_DIE)
		return;
	memcpy(e.node, last.node, sizeof(e.node));
	if (audit_write(line, sizeof(line), &e))
		say(d, ns, line);
}

static int open_file(struct daemon *d, uint16_t ns)
{
	char path[FILES_PATH_MAX];
	int n = snprintf(path, sizeof(path), ns ? "%s.%u" : "%s", d->options->audit, ns);

	if (n < 0 || (size_t)n >= sizeof(path))
		return -ENAMETOOLONG;
	d->audit->fd[ns] = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	if (d->audit->fd[ns] < 0)
		return -errno;
	died(d, ns);
	return 0;
}

int daemon_open_audit(struct daemon *d, char error[DAEMON_ERROR_MAX])
{
	int r;

	if (!d->options->audit)
		return 0;
	d->audit = mem_new(sizeof(*d->audit));
	for (size_t i = 0; i < NODE_NAMESPACES_MAX; i++)
		d->audit->fd[i] = -1;
	r = open_file(d, 0);
	if (r < 0)
		snprintf(error, DAEMON_ERROR_MAX, "cannot open %.512s: %s", d->options->audit,
			 strerror(-r));
	return r;
}

void daemon_audit(void *ctx, uint16_t ns, const char *line)
{
	struct daemon *d = ctx;

	if (d->audit->fd[ns] < 0 && !d->audit->failed && open_file(d, ns) < 0)
		d->audit->failed = true;
	say(d, ns, line);
}

void daemon_close_audit(struct daemon *d)
{
	if (!d->audit)
		return;
	for (size_t i = 0; i < NODE_NAMESPACES_MAX; i++)
		if (d->audit->fd[i] >= 0)
			close(d->audit->fd[i]);
	free(d->audit);
	d->audit = NULL;
}
