/* resolver.c - see resolver.h.
 *
 * systemd-resolved knows interfaces by the number they have in its own network namespace. So it is
 * asked only when this process is in the namespace of process 1. */
#include "host/resolver.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/list.h"
#include "base/mem.h"

#define RESOLVED_SOCKET "/run/systemd/resolve/io.systemd.Resolve"
#define ARGS_MAX 6

extern char **environ;

enum method { BY_HAND, RESOLVECTL, RESOLVCONF };

struct resolver {
	const struct log *log;
	enum method method;
	const char *program;
	struct {
		pid_t pid; /* 0 = free */
		const char *what;
	} children[RESOLVER_CHILDREN_MAX];
};

static const struct {
	enum method method;
	const char *path;
} programs[] = {
	{ RESOLVECTL, "/usr/bin/resolvectl" }, { RESOLVECTL, "/bin/resolvectl" },
	{ RESOLVCONF, "/sbin/resolvconf" },    { RESOLVCONF, "/usr/sbin/resolvconf" },
	{ RESOLVCONF, "/usr/bin/resolvconf" },
};

static bool is_first_netns(void)
{
	struct stat ours, first;

	/* Without the right to look at process 1 we are confined by the service manager, and so
	 * where it put us. */
	if (stat("/proc/self/ns/net", &ours) < 0 || stat("/proc/1/ns/net", &first) < 0)
		return true;
	return ours.st_ino == first.st_ino && ours.st_dev == first.st_dev;
}

static bool usable(enum method m)
{
	return is_first_netns() && (m != RESOLVECTL || access(RESOLVED_SOCKET, F_OK) == 0);
}

struct resolver *resolver_new(const struct log *log)
{
	struct resolver *r = mem_new(sizeof(*r));

	r->log = log;
	for (size_t i = 0; i < ARRAY_LEN(programs) && r->method == BY_HAND; i++)
		if (usable(programs[i].method) && access(programs[i].path, X_OK) == 0) {
			r->method = programs[i].method;
			r->program = programs[i].path;
		}
	return r;
}

void resolver_free(struct resolver *r)
{
	if (!r)
		return;
	resolver_reap(r);
	free(r);
}

static void remember(struct resolver *r, pid_t pid, const char *what)
{
	for (size_t i = 0; i < RESOLVER_CHILDREN_MAX; i++)
		if (r->children[i].pid == 0) {
			r->children[i].pid = pid;
			r->children[i].what = what;
			return;
		}
	log_warn(r->log, "%s: too many at once; one is not watched", what);
}

/* A pipe's reading end with the text in it, which fits a pipe's buffer; -1 on failure. */
static int text_fd(const char *text)
{
	size_t len = strlen(text);
	int fd[2];

	if (pipe2(fd, O_CLOEXEC) < 0)
		return -1;
	if (write(fd[1], text, len) != (ssize_t)len) {
		close(fd[0]);
		fd[0] = -1;
	}
	close(fd[1]);
	return fd[0];
}

/* Runs the program with these words; `input` NULL = nothing to read. */
static void run(struct resolver *r, const char *const words[ARGS_MAX], const char *input)
{
	int in = input ? text_fd(input) : open("/dev/null", O_RDONLY | O_CLOEXEC), error;
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	char *argv[ARGS_MAX + 2];
	sigset_t none;
	size_t n = 0;
	pid_t pid;

	argv[n++] = (char *)(uintptr_t)r->program;
	for (size_t i = 0; i < ARGS_MAX && words[i]; i++)
		argv[n++] = (char *)(uintptr_t)words[i];
	argv[n] = NULL;
	if (in < 0)
		return;
	sigemptyset(&none);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK);
	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_adddup2(&files, in, STDIN_FILENO);
	error = posix_spawn(&pid, r->program, &files, &attr, argv, environ);
	posix_spawn_file_actions_destroy(&files);
	posix_spawnattr_destroy(&attr);
	close(in);
	if (error)
		log_warn(r->log, "cannot run %s: %s", r->program, strerror(error));
	else
		remember(r, pid, r->program);
}

static void set_resolvectl(struct resolver *r, const char *ifname, const char *dns,
			   const char *zone)
{
	char domain[128];

	/* `~`: for questions about the zone only, and no search list. */
	snprintf(domain, sizeof(domain), "~%s", zone);
	run(r, (const char *const[ARGS_MAX]){ "dns", ifname, dns }, NULL);
	run(r, (const char *const[ARGS_MAX]){ "domain", ifname, domain }, NULL);
}

static void set_resolvconf(struct resolver *r, const char *ifname, const char *dns,
			   const char *zone)
{
	char record[32], text[256];

	snprintf(record, sizeof(record), "%s.vpnd", ifname);
	snprintf(text, sizeof(text), "search %s\nnameserver %s\n", zone, dns);
	run(r, (const char *const[ARGS_MAX]){ "-a", record }, text);
}

void resolver_set(struct resolver *r, const char *ifname, const struct ip *dns, const char *zone)
{
	char text[IP_TEXT_LEN];

	ip_text(text, dns);
	switch (r->method) {
	case RESOLVECTL:
		set_resolvectl(r, ifname, text, zone);
		break;
	case RESOLVCONF:
		set_resolvconf(r, ifname, text, zone);
		break;
	case BY_HAND:
		log_info(r->log, "no resolvectl or resolvconf is in use here: to resolve names, send "
			 "questions about %s to the DNS server %s", zone, text);
		break;
	}
}

void resolver_unset(struct resolver *r, const char *ifname)
{
	char record[32];

	snprintf(record, sizeof(record), "%s.vpnd", ifname);
	if (r->method == RESOLVECTL)
		run(r, (const char *const[ARGS_MAX]){ "revert", ifname }, NULL);
	else if (r->method == RESOLVCONF)
		run(r, (const char *const[ARGS_MAX]){ "-d", record }, NULL);
}

void resolver_reap(struct resolver *r)
{
	for (size_t i = 0; i < RESOLVER_CHILDREN_MAX; i++) {
		pid_t pid = r->children[i].pid;
		int status = 0;

		if (pid == 0 || waitpid(pid, &status, WNOHANG) == 0)
			continue;
		r->children[i].pid = 0;
		if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
			log_warn(r->log, "%s failed; names may not resolve on this host",
				 r->children[i].what);
	}
}
