/* ctl_client.c - see ctl_client.h. Blocking: for programs that do nothing else meanwhile. */
#include "cmd/ctl_client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/mem.h"

static int connect_to(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd, r;

	if (strlen(path) >= sizeof(a.sun_path))
		return -ENAMETOOLONG;
	memcpy(a.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0)
		return fd;
	r = -errno;
	close(fd);
	return r;
}

static int send_all(int fd, const char *p, size_t len)
{
	while (len) {
		ssize_t n = send(fd, p, len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

/* Up to the first newline. */
static int receive_line(int fd, char **line)
{
	size_t size = 4096, len = 0;
	char *b = mem_new(size), *end = NULL;
	int r = 0;

	while (r == 0 && !end) {
		ssize_t n = recv(fd, b + len, size - len - 1, 0);

		if (n > 0) {
			end = memchr(b + len, '\n', (size_t)n);
			len += (size_t)n;
		} else if (n == 0 || errno != EINTR) {
			r = n == 0 ? -ECONNRESET : -errno;
		}
		if (len == size - 1 && !end) {
			size *= 2;
			if (size > CTL_REPLY_MAX)
				r = -EMSGSIZE;
			else
				b = mem_resize(b, size);
		}
	}
	if (r < 0) {
		free(b);
		return r;
	}
	*end = 0;
	*line = b;
	return 0;
}

int ctl_call(const char *socket, const char *request, char **reply)
{
	int fd = connect_to(socket), r;

	if (fd < 0)
		return fd;
	r = send_all(fd, request, strlen(request));
	if (r == 0)
		r = send_all(fd, "\n", 1);
	if (r == 0)
		r = receive_line(fd, reply);
	close(fd);
	return r;
}
