/* ctl_request.h - one request on the control socket and the tables of commands. docs/control.md */
#ifndef CMD_CTL_REQUEST_H
#define CMD_CTL_REQUEST_H

#include <jansson.h>
#include <stdbool.h>

#include "cmd/daemon.h"
#include "cmd/node_query.h"
#include "cmd/node_verbs.h"

#define CTL_SCHEMA 1
#define CTL_LINE_MAX 16384

struct request;

/* A request waits for at most one notice. Whoever answers ends it. */
struct request {
	struct daemon *daemon;
	struct node *node;
	usec_t now;
	json_t *args;	 /* array of strings, or NULL */
	json_t *options; /* object, or NULL */
	const char *ns;	 /* namespace name, or NULL */
	/* What a notice becomes, beyond ok and error. */
	void (*answer)(json_t *reply, const struct node_notice *n);
	void *connection; /* NULL once the client is gone */
};

struct ctl_command {
	const char *name;
	void (*run)(struct request *r);
};

extern const struct ctl_command ctl_verbs[]; /* ctl_verbs.c; ends with a NULL name */
extern const struct ctl_command ctl_shows[]; /* ctl_show.c */

/* Each takes the request over; `reply` is an object without "ok" and "version". */
void request_reply(struct request *r, json_t *reply);
__attribute__((format(printf, 2, 3))) void request_refuse(struct request *r, const char *fmt, ...);
/* An op whose notice answers this request. */
uint64_t request_op(struct request *r, void (*answer)(json_t *reply, const struct node_notice *n));

const char *request_arg(const struct request *r, size_t i); /* NULL = absent */
const char *request_text(const struct request *r, const char *option, const char *fallback);
json_int_t request_number(const struct request *r, const char *option, json_int_t fallback);
bool request_flag(const struct request *r, const char *option);

#endif
