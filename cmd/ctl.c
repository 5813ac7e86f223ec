/* ctl.c - the control socket: one JSON line in, one JSON line out, then closed.
 *
 * The socket is 0660 and belongs to vpnd's user: who may open it may command the node. Requests are
 * at most CTL_LINE_MAX bytes and at most CTL_CLIENTS_MAX at once. A request that needs others to
 * answer keeps its connection open until the node's notice comes. */
#include "cmd/ctl.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

#include "base/list.h"
#include "base/mem.h"
#include "cmd/ctl_request.h"

#define CTL_CLIENTS_MAX 64

struct ctl {
	struct daemon *daemon;
	uv_pipe_t pipe;
	char *path;
	size_t clients;
};

struct connection {
	struct ctl *ctl;
	uv_pipe_t pipe;
	uv_write_t write;
	char line[CTL_LINE_MAX];
	size_t len;
	char *out;
	struct request *request; /* being served */
	json_t *root;
};

static void connection_closed(uv_handle_t *h)
{
	struct connection *c = h->data;

	c->ctl->clients--;
	if (c->request)
		c->request->connection = NULL;
	json_decref(c->root);
	free(c->out);
	sodium_memzero(c->line, sizeof(c->line)); /* may have held a token */
	free(c);
}

static void connection_close(struct connection *c)
{
	if (!uv_is_closing((uv_handle_t *)&c->pipe))
		uv_close((uv_handle_t *)&c->pipe, connection_closed);
}

static void written(uv_write_t *w, int status)
{
	(void)status;
	connection_close(w->data);
}

static void send_line(struct connection *c, json_t *reply)
{
	char *text = json_dumps(reply, JSON_COMPACT);
	size_t len = strlen(text);
	uv_buf_t buf;

	c->out = mem_resize(text, len + 2);
	memcpy(c->out + len, "\n", 2);
	buf = uv_buf_init(c->out, (unsigned)len + 1);
	c->write.data = c;
	if (uv_write(&c->write, (uv_stream_t *)&c->pipe, &buf, 1, written) != 0)
		connection_close(c);
}

void request_reply(struct request *r, json_t *reply)
{
	struct connection *c = r->connection;

	if (r->also && json_object_get(reply, "error") == NULL)
		json_object_set(reply, r->also_key, r->also);
	json_decref(r->also);
	if (!json_object_get(reply, "ok"))
		json_object_set_new(reply, "ok", json_true());
	json_object_set_new(reply, "version", json_integer(CTL_SCHEMA));
	if (c) {
		c->request = NULL;
		send_line(c, reply);
	}
	json_decref(reply);
	free(r);
}

void request_refuse(struct request *r, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	request_reply(r, json_pack("{s:b, s:s}", "ok", 0, "error", text));
}

static void noticed(void *ctx, const struct node_notice *n)
{
	struct request *r = ctx;
	json_t *reply;

	if (n->result != NODE_OK) {
		request_refuse(r, "%s", n->text);
		return;
	}
	reply = json_object();
	r->answer(reply, n);
	request_reply(r, reply);
}

uint64_t request_op(struct request *r, void (*answer)(json_t *reply, const struct node_notice *n))
{
	r->answer = answer;
	return daemon_op(r->daemon, noticed, r);
}

const char *request_arg(const struct request *r, size_t i)
{
	return json_string_value(json_array_get(r->args, i));
}

const char *request_text(const struct request *r, const char *option, const char *fallback)
{
	const char *s = json_string_value(json_object_get(r->options, option));

	return s ? s : fallback;
}

json_int_t request_number(const struct request *r, const char *option, json_int_t fallback)
{
	json_t *v = json_object_get(r->options, option);

	return json_is_integer(v) ? json_integer_value(v) : fallback;
}

bool request_flag(const struct request *r, const char *option)
{
	return json_is_true(json_object_get(r->options, option));
}

void request_each_ns(struct request *r, const char *key,
		    void (*add)(struct request *r, const struct node_ns_info *i, json_t *list))
{
	json_t *list = json_array();
	struct node_ns_info i;
	size_t at = 0, from;
	bool any = false;

	while (node_ns_next(r->node, &at, &i, r->now)) {
		if (r->ns && strcmp(r->ns, i.name) != 0)
			continue;
		any = true;
		from = json_array_size(list);
		add(r, &i, list);
		for (size_t k = from; k < json_array_size(list); k++)
			json_object_set_new(json_array_get(list, k), "namespace", json_string(i.name));
	}
	if (!any && r->ns) {
		json_decref(list);
		request_refuse(r, "no namespace '%s' here; `vpnctl namespaces` lists them", r->ns);
		return;
	}
	request_reply(r, json_pack("{s:o}", key, list));
}

void request_reg_text(const struct reg_name *n, char out[2 * REG_NAME_MAX + 1])
{
	struct ip ip = { .len = n->len };
	struct pubkey key;

	out[0] = 0;
	if (n->kind == REG_ADDRESS) {
		memcpy(ip.b, n->b, n->len <= 16 ? n->len : 16);
		ip_text(out, &ip);
	} else if (n->kind == REG_HOST_NAME) {
		memcpy(out, n->b, n->len);
		out[n->len] = 0;
	} else if (n->len == KEY_LEN) {
		memcpy(key.b, n->b, KEY_LEN);
		key_text(out, &key);
	}
}

static const struct ctl_command *find(const struct ctl_command *table, const char *name)
{
	while (table->name && strcmp(table->name, name) != 0)
		table++;
	return table->name ? table : NULL;
}

static const struct ctl_command *find_command(const char *name)
{
	const struct ctl_command *const tables[] = { ctl_verbs, ctl_shows, ctl_keepers };
	const struct ctl_command *found = NULL;

	for (size_t i = 0; i < ARRAY_LEN(tables) && !found; i++)
		found = find(tables[i], name);
	return found;
}

static void serve(struct connection *c)
{
	struct request *r = mem_new(sizeof(*r));
	const struct ctl_command *cmd;
	const char *name;

	c->root = json_loadb(c->line, c->len, 0, NULL);
	c->request = r;
	r->connection = c;
	r->daemon = c->ctl->daemon;
	r->node = daemon_node(r->daemon);
	r->now = daemon_now(r->daemon);
	r->args = json_object_get(c->root, "args");
	r->options = json_object_get(c->root, "options");
	r->ns = json_string_value(json_object_get(c->root, "namespace"));
	name = json_string_value(json_object_get(c->root, "command"));
	cmd = name ? find_command(name) : NULL;
	if (cmd)
		cmd->run(r);
	else
		request_refuse(r, name ? "this vpnd does not know the command '%s'" :
					 "not a request: {\"command\": ...} was expected", name);
}

static void alloc_line(uv_handle_t *h, size_t suggested, uv_buf_t *buf)
{
	struct connection *c = h->data;

	(void)suggested;
	*buf = uv_buf_init(c->line + c->len, (unsigned)(sizeof(c->line) - c->len));
}

static void line_read(uv_stream_t *s, ssize_t n, const uv_buf_t *buf)
{
	struct connection *c = s->data;
	char *end;

	(void)buf;
	if (n < 0) {
		connection_close(c);
		return;
	}
	end = memchr(c->line + c->len, '\n', (size_t)n);
	c->len += (size_t)n;
	if (c->request)
		c->len = 0; /* nothing more is expected; its end is */
	else if (end && !c->out)
		serve(c);
	else if (c->len == sizeof(c->line))
		connection_close(c);
}

static void connected(uv_stream_t *server, int status)
{
	struct ctl *ctl = server->data;
	struct connection *c;

	if (status < 0)
		return;
	c = mem_new(sizeof(*c));
	c->ctl = ctl;
	uv_pipe_init(server->loop, &c->pipe, 0);
	c->pipe.data = c;
	ctl->clients++;
	if (uv_accept(server, (uv_stream_t *)&c->pipe) != 0 || ctl->clients > CTL_CLIENTS_MAX ||
	    uv_read_start((uv_stream_t *)&c->pipe, alloc_line, line_read) != 0)
		connection_close(c);
}

struct ctl *ctl_new(struct daemon *d, const char *path, int *error)
{
	struct ctl *c = mem_new(sizeof(*c));
	mode_t old;

	c->daemon = d;
	c->path = mem_text(path);
	uv_pipe_init(daemon_loop(d), &c->pipe, 0);
	c->pipe.data = c;
	unlink(path); /* the state directory's lock says that no other daemon is there */
	old = umask(0117);
	*error = uv_pipe_bind(&c->pipe, path);
	umask(old);
	if (*error == 0)
		*error = uv_listen((uv_stream_t *)&c->pipe, 16, connected);
	if (*error == 0)
		return c;
	ctl_free(c);
	return NULL;
}

static void server_closed(uv_handle_t *h)
{
	struct ctl *c = h->data;

	free(c->path);
	free(c);
}

void ctl_free(struct ctl *c)
{
	if (!c)
		return;
	unlink(c->path);
	uv_close((uv_handle_t *)&c->pipe, server_closed);
}
