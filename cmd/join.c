/* join.c - see join.h. A container that restarts with the same token goes on where it was: a node
 * that is a member already only waits for its address. */
#include "cmd/join.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/ctl_client.h"
#include "cmd/node_query.h"
#include "cmd/node_verbs.h"

#define WAIT_AGAIN MINUTES(10)

int join_read_token(const struct options *o, char out[TOKEN_TEXT_MAX + 2],
		    char error[CONFIG_ERROR_MAX])
{
	FILE *f = stdin;
	size_t n, start;

	if (o->token && strcmp(o->token, "-") != 0) {
		snprintf(out, TOKEN_TEXT_MAX + 2, "%s", o->token);
		return 0;
	}
	if (o->token_file)
		f = fopen(o->token_file, "re");
	if (!f) {
		snprintf(error, CONFIG_ERROR_MAX, "cannot read %.300s: %s", o->token_file,
			 strerror(errno));
		return -EINVAL;
	}
	n = fread(out, 1, TOKEN_TEXT_MAX + 1, f);
	if (f != stdin)
		fclose(f);
	while (n && strchr(" \t\r\n", out[n - 1]))
		n--;
	out[n] = 0;
	start = strspn(out, " \t\r\n");
	memmove(out, out + start, n - (start < n ? start : n) + 1);
	if (out[0])
		return 0;
	snprintf(error, CONFIG_ERROR_MAX, "no token was given; paste the line that `vpnctl invite` "
		 "printed, or see vpnd --help");
	return -EINVAL;
}

static char *request_text(const struct options *o, const char *token)
{
	char address[IP_TEXT_LEN];
	json_t *options = json_object(), *request;
	char *text;

	if (o->hostname)
		json_object_set_new(options, "hostname", json_string(o->hostname));
	if (o->ifname)
		json_object_set_new(options, "ifname", json_string(o->ifname));
	if (o->has_address) {
		ip_text(address, &o->address);
		json_object_set_new(options, "address", json_string(address));
	}
	request = json_pack("{s:s, s:[s], s:o}", "command", "join", "args", token, "options",
			    options);
	text = request ? json_dumps(request, JSON_COMPACT) : NULL; /* NULL: a token not in UTF-8 */
	json_decref(request);
	return text;
}

static int print_reply(const char *reply)
{
	json_t *j = json_loads(reply, 0, NULL);
	const char *v4 = json_string_value(json_object_get(j, "ipv4"));
	const char *error = json_string_value(json_object_get(j, "error"));
	int status = EXIT_FAILURE;

	if (json_is_true(json_object_get(j, "ok"))) {
		puts(v4 ? v4 : "");
		status = EXIT_SUCCESS;
	} else {
		fprintf(stderr, "vpnd: %s\n", error ? error : "the daemon's answer makes no sense");
	}
	json_decref(j);
	return status;
}

int join_hand_over(const struct options *o, const char *token)
{
	char *text = request_text(o, token), *reply = NULL;
	int r, status;

	if (!text) {
		fputs("vpnd: this is not a vpnd token\n", stderr);
		return EXIT_FAILURE;
	}
	r = ctl_call(o->socket, text, &reply);
	sodium_memzero(text, strlen(text));
	free(text);
	if (r == -ENOENT || r == -ECONNREFUSED || r == -ENOTDIR)
		return -1;
	if (r < 0) {
		fprintf(stderr, "vpnd: cannot ask the daemon on %s: %s\n", o->socket, strerror(-r));
		return 2;
	}
	status = print_reply(reply);
	free(reply);
	return status;
}

static void joined(void *ctx, const struct node_notice *n);

static void wait_for(struct join *j, const char *ns)
{
	node_wait(daemon_node(j->d), daemon_op(j->d, joined, j), ns, WAIT_AGAIN, daemon_now(j->d));
}

static void joined(void *ctx, const struct node_notice *n)
{
	struct join *j = ctx;
	char text[IP_TEXT_LEN];

	switch (n->result) {
	case NODE_OK:
		ip_text(text, &n->v4);
		puts(text);
		fflush(stdout);
		break;
	case NODE_TIMEOUT: /* nobody refused: a keeper may come back */
		log_warn(j->log, "not joined yet: %s; trying on", n->text);
		wait_for(j, NULL);
		break;
	case NODE_NO:
		log_error(j->log, "cannot join: %s", n->text);
		daemon_stop(j->d, EXIT_FAILURE);
		break;
	}
}

/* The namespace of this root when this node is, or is becoming, its member. */
static bool find_joined(struct daemon *d, const struct pubkey *root, struct node_ns_info *out)
{
	size_t at = 0;

	while (node_ns_next(daemon_node(d), &at, out, daemon_now(d)))
		if (key_equal(&out->root, root) && out->state != NODE_NS_REFUSED &&
		    out->state != NODE_NS_OUT)
			return true;
	return false;
}

void join_begin(struct join *j, struct daemon *d, const struct options *o, const char *token,
		const struct log *log)
{
	struct node_join what = { token, o->hostname, o->ifname, o->has_address, o->address };
	struct node_ns_info info;
	struct token t;

	*j = (struct join){ d, log };
	if (!token_parse(&t, token, &crypto_real) && find_joined(d, &t.root, &info))
		wait_for(j, info.name[0] ? info.name : NULL);
	else
		node_join(daemon_node(d), daemon_op(d, joined, j), &what, daemon_now(d));
	sodium_memzero(&t, sizeof(t));
}
