/* config.c - one table of options for the command line, the configuration file and the help.
 *
 * The file is read when --config is known and before the rest of the command line, which so has the
 * last word; lists (bootstrap, advertise) collect from both. */
#include "cmd/config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "base/mem.h"
#include "base/nearest.h"

#define WORD_MAX 32 /* longer words are near nothing */

enum place { ANYWHERE, COMMAND_LINE, OF_JOIN };

struct option {
	const char *name;
	bool flag; /* takes no value */
	enum place place;
	/* NULL, or what a right value looks like. */
	const char *(*set)(struct options *o, const char *value);
};

static void replace(char **text, const char *value)
{
	free(*text);
	*text = mem_text(value);
}

static const char *set_path(char **text, const char *value)
{
	if (!value[0] || strlen(value) > 400)
		return "a path of at most 400 bytes";
	replace(text, value);
	return NULL;
}

static const char *set_state(struct options *o, const char *v) { return set_path(&o->state, v); }
static const char *set_socket(struct options *o, const char *v) { return set_path(&o->socket, v); }
static const char *set_token_file(struct options *o, const char *v)
{
	return set_path(&o->token_file, v);
}

static const char *set_config(struct options *o, const char *v)
{
	o->config_given = true;
	return set_path(&o->config, v);
}

static const char *set_listen(struct options *o, const char *value)
{
	static const char wants[] = "ADDR:PORT, :PORT or PORT";
	char text[ADDR_TEXT_LEN + 8];
	const char *port = value[0] == ':' ? value + 1 : value;
	struct addr a;

	if (strspn(port, "0123456789") == strlen(port)) { /* any address */
		snprintf(text, sizeof(text), "0.0.0.0:%s", port);
		if (!addr_parse(&a, text))
			return wants;
		o->listen = (struct addr){ .port = a.port };
		return NULL;
	}
	if (!addr_parse(&a, value))
		return wants;
	o->listen = a;
	return NULL;
}

/* HOST:PORT, where HOST may be a name, an address or [an IPv6 address]. */
static bool is_host_port(const char *text)
{
	const char *colon = strrchr(text, ':');
	struct addr a;
	char port[24];

	if (!colon || colon == text || colon - text > 255)
		return false;
	if (memchr(text, ':', (size_t)(colon - text)) && text[0] != '[')
		return false;
	snprintf(port, sizeof(port), "0.0.0.0%.14s", colon);
	return addr_parse(&a, port);
}

static const char *set_advertise(struct options *o, const char *value)
{
	if (!is_host_port(value))
		return "HOST:PORT";
	if (o->advertise_count == CONFIG_ADVERTISE_MAX)
		return "given at most 4 times";
	o->advertise[o->advertise_count++] = mem_text(value);
	return NULL;
}

static const char *set_bootstrap(struct options *o, const char *value)
{
	const char *at = strchr(value, '@');

	if (!is_host_port(at ? at + 1 : value))
		return "[KEY@]HOST:PORT";
	if (o->bootstrap_count == CONFIG_BOOTSTRAPS_MAX)
		return "given at most 32 times";
	o->bootstrap[o->bootstrap_count++] = mem_text(value);
	return NULL;
}

static const char *set_hostname(struct options *o, const char *value)
{
	size_t len = strlen(value);

	if (len == 0 || len > 63 || value[0] == '-' || value[len - 1] == '-' ||
	    strspn(value, "abcdefghijklmnopqrstuvwxyz0123456789-") != len)
		return "1 to 63 of a-z, 0-9 and '-', no '-' at either end";
	replace(&o->hostname, value);
	return NULL;
}

static const char *set_log_level(struct options *o, const char *value)
{
	return log_level_parse(&o->log_level, value) ? NULL : "error, warn, info or debug";
}

static const char *set_address(struct options *o, const char *value)
{
	if (!ip_parse(&o->address, value) || o->address.len != 4)
		return "an IPv4 address";
	o->has_address = true;
	return NULL;
}

static const char *set_ifname(struct options *o, const char *value)
{
	size_t len = strlen(value);

	if (len == 0 || len > 15 || strpbrk(value, "/% \t:") || !strcmp(value, ".") ||
	    !strcmp(value, ".."))
		return "an interface name of at most 15 characters";
	replace(&o->ifname, value);
	return NULL;
}

static const char *set_mode(struct options *o, const char *value)
{
	(void)o;
	if (!strcmp(value, "router"))
		return "interface: mode router is not in this version yet";
	if (!strcmp(value, "hybrid"))
		return "interface: mode hybrid is not in this version yet";
	return strcmp(value, "interface") == 0 ? NULL : "interface";
}

static const char *set_ring(struct options *o, const char *value)
{
	o->leaf = strcmp(value, "leaf") == 0;
	return o->leaf || strcmp(value, "full") == 0 ? NULL : "full or leaf";
}

static const char *set_leaf(struct options *o, const char *v)
{
	(void)v;
	o->leaf = true;
	return NULL;
}

static const char *set_lan_beacon(struct options *o, const char *v)
{
	o->no_lan_beacon = strcmp(v, "no") == 0;
	return o->no_lan_beacon || strcmp(v, "yes") == 0 ? NULL : "yes or no";
}

static const char *set_no_lan_beacon(struct options *o, const char *v)
{
	(void)v;
	o->no_lan_beacon = true;
	return NULL;
}

static const char *set_audit(struct options *o, const char *v)
{
	replace(&o->audit, v);
	return v[0] ? NULL : "a file";
}

static const char *set_take_over(struct options *o, const char *v)
{
	(void)v;
	o->take_over = true;
	return NULL;
}

static const char *set_check(struct options *o, const char *v)
{
	(void)v;
	o->check = true;
	return NULL;
}

static const char *set_help(struct options *o, const char *v)
{
	(void)v;
	o->help = true;
	return NULL;
}

static const char *set_version(struct options *o, const char *v)
{
	(void)v;
	o->version = true;
	return NULL;
}

static const struct option table[] = {
	{ "state", false, ANYWHERE, set_state },
	{ "socket", false, ANYWHERE, set_socket },
	{ "config", false, COMMAND_LINE, set_config },
	{ "listen", false, ANYWHERE, set_listen },
	{ "advertise", false, ANYWHERE, set_advertise },
	{ "bootstrap", false, ANYWHERE, set_bootstrap },
	{ "hostname", false, ANYWHERE, set_hostname },
	{ "log-level", false, ANYWHERE, set_log_level },
	{ "ring", false, ANYWHERE, set_ring },
	{ "leaf", true, COMMAND_LINE, set_leaf },
	{ "lan-beacon", false, ANYWHERE, set_lan_beacon },
	{ "no-lan-beacon", true, COMMAND_LINE, set_no_lan_beacon },
	{ "check-config", true, COMMAND_LINE, set_check },
	{ "audit", false, COMMAND_LINE, set_audit },
	{ "take-over", true, COMMAND_LINE, set_take_over },
	{ "help", true, COMMAND_LINE, set_help },
	{ "version", true, COMMAND_LINE, set_version },
	{ "token-file", false, OF_JOIN, set_token_file },
	{ "address", false, OF_JOIN, set_address },
	{ "ifname", false, OF_JOIN, set_ifname },
	{ "mode", false, OF_JOIN, set_mode },
};

static const struct option *find(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		if (strcmp(table[i].name, name) == 0)
			return &table[i];
	return NULL;
}

static int unknown(const char *name, bool in_file, char error[CONFIG_ERROR_MAX])
{
	const char *names[ARRAY_LEN(table)], *near, *dashes = in_file ? "" : "--";
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		if (!in_file || table[i].place == ANYWHERE)
			names[n++] = table[i].name;
	near = nearest_word(name, names, n);
	if (near)
		snprintf(error, CONFIG_ERROR_MAX, "unknown option '%s%.100s'; did you mean '%s%s'?",
			 dashes, name, dashes, near);
	else
		snprintf(error, CONFIG_ERROR_MAX, "unknown option '%s%.100s'; see vpnd --help",
			 dashes, name);
	return -EINVAL;
}

int options_set(struct options *o, const char *name, const char *value, bool in_file,
		char error[CONFIG_ERROR_MAX])
{
	const struct option *t = find(name);
	const char *dashes = in_file ? "" : "--", *wants;

	if (!t || (in_file && t->place != ANYWHERE))
		return unknown(name, in_file, error);
	wants = t->set(o, value);
	if (!wants)
		return 0;
	snprintf(error, CONFIG_ERROR_MAX, "%s%s '%.100s' is not right; it must be %s", dashes, name,
		 value, wants);
	return -EINVAL;
}

/* Copies a secret out of argv and makes it unreadable there, and so in the process title. */
static void take_secret(char **to, char *arg)
{
	replace(to, arg);
	memset(arg, 'x', strlen(arg));
}

/* A word that is no option: `join`, then its token. */
static int take_word(struct options *o, char *word, char error[CONFIG_ERROR_MAX])
{
	static const char *const words[] = { "join" };
	const char *near;

	if (!o->join && strcmp(word, "join") == 0) {
		o->join = true;
		return 0;
	}
	if (o->join && !o->token) {
		take_secret(&o->token, word);
		return 0;
	}
	near = o->join ? NULL : nearest_word(word, words, ARRAY_LEN(words));
	if (near)
		snprintf(error, CONFIG_ERROR_MAX, "unknown word '%.100s'; did you mean '%s'?", word,
			 near);
	else
		snprintf(error, CONFIG_ERROR_MAX, "unexpected word '%.20s'; see vpnd --help", word);
	return -EINVAL;
}

/* --name=value, --name value, --flag. *i moves past what was used. */
static int take_option(struct options *o, int argc, char **argv, int *i,
		       char error[CONFIG_ERROR_MAX])
{
	char name[64];
	const char *arg = argv[*i] + 2, *equals = strchr(arg, '=');
	const struct option *t;

	snprintf(name, sizeof(name), "%.*s", equals ? (int)(equals - arg) : 63, arg);
	t = find(name);
	if (!t)
		return unknown(name, false, error);
	if (t->flag && equals) {
		snprintf(error, CONFIG_ERROR_MAX, "--%s takes no value", name);
		return -EINVAL;
	}
	if (!t->flag && !equals && *i + 1 >= argc) {
		snprintf(error, CONFIG_ERROR_MAX, "--%s needs a value", name);
		return -EINVAL;
	}
	return options_set(o, name, equals ? equals + 1 : t->flag ? "" : argv[++*i], false, error);
}

static int take_all(struct options *o, int argc, char **argv, char error[CONFIG_ERROR_MAX])
{
	int r = 0;

	for (int i = 1; r == 0 && i < argc; i++) {
		if (strcmp(argv[i], "-h") == 0)
			o->help = true;
		else if (strncmp(argv[i], "--", 2) == 0)
			r = take_option(o, argc, argv, &i, error);
		else if (argv[i][0] == '-' && argv[i][1])
			r = unknown(argv[i] + 1, false, error);
		else
			r = take_word(o, argv[i], error);
	}
	return r;
}

static int combine(const struct options *o, char error[CONFIG_ERROR_MAX])
{
	const char *wrong = NULL;

	if (!o->join && (o->token_file || o->has_address || o->ifname))
		wrong = "--token-file, --address and --ifname belong to `vpnd join`";
	else if (o->token && o->token_file)
		wrong = "give the token or --token-file, not both";
	if (!wrong)
		return 0;
	snprintf(error, CONFIG_ERROR_MAX, "%s", wrong);
	return -EINVAL;
}

/* What the command line says about where the file is; its other errors come later. */
static void find_file(struct options *o, int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		if (strncmp(argv[i], "--config=", 9) == 0)
			set_config(o, argv[i] + 9);
		else if (strcmp(argv[i], "--config") == 0 && i + 1 < argc)
			set_config(o, argv[i + 1]);
	}
}

int options_read(struct options *o, int argc, char **argv, char error[CONFIG_ERROR_MAX])
{
	int r;

	*o = (struct options){ .listen = { .port = CONFIG_PORT }, .log_level = LOG_LEVEL_INFO };
	error[0] = 0;
	o->state = mem_text("/var/lib/vpnd");
	o->socket = mem_text("/run/vpnd/vpnd.sock");
	o->config = mem_text("/etc/vpnd/vpnd.conf");
	find_file(o, argc, argv);
	r = options_read_file(o, o->config, error);
	if (r == -ENOENT && !o->config_given)
		r = 0;
	else if (r == -ENOENT)
		snprintf(error, CONFIG_ERROR_MAX, "there is no file %s", o->config);
	if (r == 0)
		r = take_all(o, argc, argv, error);
	if (r == 0)
		r = combine(o, error);
	return r < 0 ? -EINVAL : 0;
}

void options_free(struct options *o)
{
	char *texts[] = { o->state, o->socket,	   o->config, o->hostname,
			  o->token, o->token_file, o->ifname, o->audit };

	if (o->token)
		memset(o->token, 0, strlen(o->token));
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		free(texts[i]);
	for (size_t i = 0; i < o->advertise_count; i++)
		free(o->advertise[i]);
	for (size_t i = 0; i < o->bootstrap_count; i++)
		free(o->bootstrap[i]);
	*o = (struct options){ 0 };
}
