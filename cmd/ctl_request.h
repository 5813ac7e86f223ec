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
	json_t *also; /* what an answer carries besides, under also_key; NULL = nothing */
	const char *also_key;
	void *connection; /* NULL once the client is gone */
};

struct ctl_command {
	const char *name;
	void (*run)(struct request *r);
};

extern const struct ctl_command ctl_verbs[]; /* ctl_verbs.c; ends with a NULL name */
extern const struct ctl_command ctl_shows[]; /* ctl_show.c */
extern const struct ctl_command ctl_keepers[]; /* ctl_keepers.c */

/* Each takes the request over; `reply` is an object without "ok" and "version". */
void request_reply(struct request *r, json_t *reply);
__attribute__((format(printf, 2, 3))) void request_refuse(struct request *r, const char *fmt, ...);
/* An op whose notice answers this request. */
uint64_t request_op(struct request *r, void (*answer)(json_t *reply, const struct node_notice *n));

const char *request_arg(const struct request *r, size_t i); /* NULL = absent */
const char *request_text(const struct request *r, const char *option, const char *fallback);
json_int_t request_number(const struct request *r, const char *option, json_int_t fallback);
bool request_flag(const struct request *r, const char *option);
/* 1, 3, 5, 7, "auto" or "manual"; false: refused. */
bool request_keepers(struct request *r, const char *text, uint8_t *most);
/* A register's name as people know it: an address, a host name, a key. */
void request_reg_text(const struct reg_name *n, char out[2 * REG_NAME_MAX + 1]);
/* Replies with a list under `key`: `add` runs for each namespace asked for, and its rows get the
 * namespace's name. */
void request_each_ns(struct request *r, const char *key,
		     void (*add)(struct request *r, const struct node_ns_info *i, json_t *list));

#endif
