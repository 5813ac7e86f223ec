/* vpnctl.c - commands to a running vpnd: one table of words, one of options, one request.
 *
 * Exit status: 0 yes or done, 1 no, 2 cannot ask (wrong words, no daemon). */
#include <errno.h>
#include <jansson.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "base/nearest.h"
#include "cmd/ctl_client.h"
#include "cmd/vpnctl_print.h"

#define SOCKET_DEFAULT "/run/vpnd/vpnd.sock"
#define STDIN_MAX 8192 /* a backup */

enum { EXIT_NO = 1, EXIT_CANNOT_ASK = 2 };
enum kind { OPT_FLAG, OPT_TEXT, OPT_NUMBER, OPT_DURATION, OPT_LIST };

static const struct option {
	const char *name;
	enum kind kind;
} options[] = {
	{ "subnet", OPT_TEXT },	      { "domain", OPT_TEXT },	{ "overlay", OPT_TEXT },
	{ "open", OPT_FLAG },	      { "uses", OPT_NUMBER },	{ "expires", OPT_DURATION },
	{ "group", OPT_LIST },	      { "right", OPT_LIST },	{ "no-right", OPT_LIST },
	{ "ephemeral", OPT_FLAG },    { "hostname", OPT_TEXT }, { "ifname", OPT_TEXT },
	{ "address", OPT_TEXT },      { "timeout", OPT_DURATION },
	{ "keepers", OPT_TEXT },      { "hardened", OPT_FLAG }, { "no-hardened", OPT_FLAG },
	{ "yes", OPT_FLAG },	      { "new-era", OPT_FLAG },
	{ "with-members", OPT_FLAG }, { "count", OPT_NUMBER },	{ "lease", OPT_DURATION },
};

static const struct command {
	const char *name, *args, *help;
	bool stdin_line; /* a missing or "-" argument is read from standard input */
	const char *options; /* names, space-separated */
	void (*print)(const json_t *reply);
} commands[] = {
	{ "create", "NAME [--subnet CIDR|auto] [--domain D] [--overlay NAMESPACE|--open]\n"
		    "              [--keepers auto|manual|1|3|5|7] [--hardened]\n"
		    "              [--lease 24h]",
	  "make a namespace; this node becomes its first keeper", false,
	  "subnet domain overlay open hostname ifname keepers hardened lease", print_ready },
	{ "invite", "[NAME] [--uses 1] [--expires 24h] [--right R] [--group G]",
	  "print a token that admits nodes", false, "uses expires group right ephemeral",
	  print_token },
	{ "join", "[-]", "join with the token on standard input; prints the address", true,
	  "hostname ifname address", print_ready },
	{ "leave", "[NAME]", "give addresses back and leave", false, "", print_text },
	{ "delete", "[NAME]", "leave, and destroy the root key kept here", false, "", print_text },
	{ "status", "", "this node, its namespaces, what needs attention", false, "", print_status },
	{ "namespaces", "", "one line each", false, "", print_namespaces },
	{ "peers", "", "nodes with a session, and how they are reached", false, "", print_peers },
	{ "paths", "", "every path to every peer", false, "", print_paths },
	{ "ring", "", "how large the ring is, and how many links this node keeps for it", false, "",
	  print_rings },
	{ "addresses", "", "what this node owns, and for how long", false, "", print_addresses },
	{ "flows", "", "resolved addresses in use", false, "", print_flows },
	{ "keepers", "", "who judges ownership, and who may come to do so", false, "", print_keepers },
	{ "keepers grow", "", "take candidates in now, without waiting", false, "", print_text },
	{ "keepers add", "NAME...", "make members keepers (there are 1, 3, 5 or 7)", false, "", print_text },
	{ "keepers remove", "NAME...", "let keepers be members only", false, "", print_text },
	{ "keepers replace", "OLD NEW", "one keeper goes, another comes", false, "", print_text },
	{ "keepers max", "auto|manual|1|3|5|7 [--hardened|--no-hardened]",
	  "how many there may be; manual: people choose them", false, "hardened no-hardened",
	  print_text },
	{ "keepers reset", "--yes", "begin anew with this node as keeper; when a majority is gone for good",
	  false, "yes", print_text },
	{ "member list", "", "members (at a keeper)", false, "", print_members },
	{ "member set", "WHO [--right R] [--no-right R]", "change a member's rights", false,
	  "right no-right", print_text },
	{ "member revoke", "WHO", "put a member out, at once", false, "", print_text },
	{ "token list", "", "tokens and their uses (at a keeper)", false, "", print_tokens },
	{ "token revoke", "[-]|ID [--with-members]", "a token admits nobody any more", true,
	  "with-members", print_text },
	{ "name add", "HOST", "claim one more name", false, "", print_text },
	{ "name del", "HOST", "give a name back", false, "", print_text },
	{ "name list", "", "names and addresses held", false, "", print_addresses },
	{ "lease list", "", "names and addresses held", false, "", print_addresses },
	{ "lease add", "[ADDRESS] [--count N]", "lease one more address, or N", false, "count",
	  print_text },
	{ "lease release", "ADDRESS|HOST", "give one back", false, "", print_text },
	{ "lease transfer", "ADDRESS|HOST WHO", "let another member own it", false, "", print_text },
	{ "root backup", "", "print the root key and what a new machine needs as one line; keep it safe",
	  false, "", print_text },
	{ "root restore", "[-] [--new-era]", "take a backup from standard input; --new-era: begin again",
	  true, "new-era hostname", print_text },
	{ "root add-admin", "WHO", "let a member invite and revoke too", false, "", print_text },
	{ "ping", "HOST", "round trip to a member through the data path", false, "", print_ping },
	{ "trace", "HOST|KEY", "links that a message along the ring comes over, and its round trip",
	  false, "", print_trace },
	{ "resolve", "HOST", "addresses of a name", false, "", print_resolved },
	{ "wait", "[--timeout 30s]", "until the address can be used and names resolve", false,
	  "timeout", print_ready },
	{ "log-level", "error|warn|info|debug", "change it while running", false, "", print_text },
};

struct asked {
	const char *socket, *ns;
	bool json;
	const struct command *command;
	json_t *args, *options;
};

static void usage(FILE *to)
{
	fputs("usage: vpnctl [--socket PATH] [--json] [-n NAMESPACE] COMMAND ...\n\n", to);
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		fprintf(to, "  %-15s %s\n", commands[i].name, commands[i].help);
	fputs("\n`vpnctl COMMAND --help` shows a command's arguments.\n", to);
}

static int wrong(const char *what, const char *word, const char *near)
{
	fprintf(stderr, "vpnctl: %s '%s'", what, word);
	if (near)
		fprintf(stderr, "; did you mean '%s'?", near);
	fputs(near ? "\n" : "; `vpnctl --help` lists them\n", stderr);
	return EXIT_CANNOT_ASK;
}

/* "90", "90s", "15m", "24h", "7d" in seconds; -1 if it is none. */
static json_int_t duration(const char *text)
{
	static const struct {
		char unit;
		json_int_t seconds;
	} units[] = { { 0, 1 }, { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 } };
	char *end;
	long n = strtol(text, &end, 10);

	for (size_t i = 0; i < ARRAY_LEN(units); i++)
		if (end != text && n >= 0 && n < 1000000 && *end == units[i].unit &&
		    (!*end || !end[1]))
			return n * units[i].seconds;
	return -1;
}

static bool option_fits(const struct command *c, const char *name)
{
	size_t len = strlen(name);

	for (const char *at = c->options; (at = strstr(at, name)); at += len)
		if ((at == c->options || at[-1] == ' ') && (!at[len] || at[len] == ' '))
			return true;
	return false;
}

static int set_option(struct asked *a, const struct option *o, const char *value)
{
	json_int_t n;
	json_t *list;

	switch (o->kind) {
	case OPT_FLAG:
		json_object_set_new(a->options, o->name, json_true());
		return 0;
	case OPT_TEXT:
		json_object_set_new(a->options, o->name, json_string(value));
		return 0;
	case OPT_LIST:
		list = json_object_get(a->options, o->name);
		if (!list) {
			list = json_array();
			json_object_set_new(a->options, o->name, list);
		}
		json_array_append_new(list, json_string(value));
		return 0;
	case OPT_NUMBER:
	case OPT_DURATION:
		n = duration(value);
		if (n < 0 || (o->kind == OPT_NUMBER && strspn(value, "0123456789") != strlen(value)))
			break;
		json_object_set_new(a->options, o->name, json_integer(n));
		return 0;
	}
	fprintf(stderr, "vpnctl: --%s takes a %s, not '%s'\n", o->name,
		o->kind == OPT_NUMBER ? "number" : "duration like 90s, 15m, 24h or 7d", value);
	return EXIT_CANNOT_ASK;
}

/* One --name[=value] of the command. *used tells whether the next word was its value. */
static int take_option(struct asked *a, const char *word, const char *next, bool *used)
{
	const char *names[ARRAY_LEN(options)];
	size_t len = strcspn(word, "=");

	*used = false;
	for (size_t i = 0; i < ARRAY_LEN(options); i++) {
		const struct option *o = &options[i];

		names[i] = o->name;
		if (strlen(o->name) != len || strncmp(o->name, word, len) != 0)
			continue;
		if (!option_fits(a->command, o->name))
			break;
		if (o->kind == OPT_FLAG)
			return set_option(a, o, NULL);
		*used = word[len] != '=';
		if (*used && !next) {
			fprintf(stderr, "vpnctl: --%s takes a value\n", o->name);
			return EXIT_CANNOT_ASK;
		}
		return set_option(a, o, *used ? next : word + len + 1);
	}
	return wrong("no such option of this command: --", word,
		     nearest_word(word, names, ARRAY_LEN(names)));
}

/* The longest command that the words begin with; *words = how many it takes. */
static const struct command *find_command(char **argv, int n, int *words)
{
	char two[64];

	if (n > 1) {
		snprintf(two, sizeof(two), "%s %s", argv[0], argv[1]);
		for (size_t i = 0; i < ARRAY_LEN(commands); i++)
			if (strcmp(commands[i].name, two) == 0) {
				*words = 2;
				return &commands[i];
			}
	}
	*words = 1;
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		if (strcmp(commands[i].name, argv[0]) == 0)
			return &commands[i];
	return NULL;
}

/* Where the first word begins commands, one of those is meant. */
static int unknown_command(char **argv, int n)
{
	const char *names[ARRAY_LEN(commands)], *family[ARRAY_LEN(commands)], *near;
	char two[64];
	size_t len = strlen(argv[0]), members = 0;

	snprintf(two, sizeof(two), "%s%s%s", argv[0], n > 1 ? " " : "", n > 1 ? argv[1] : "");
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		names[i] = commands[i].name;
		if (strncmp(names[i], argv[0], len) == 0 && names[i][len] == ' ')
			family[members++] = names[i];
	}
	if (!members)
		return wrong("unknown command", argv[0],
			     nearest_word(argv[0], names, ARRAY_LEN(names)));
	near = nearest_word(two, family, members);
	for (size_t i = 0; n > 1 && i < members; i++)
		if (strncmp(family[i], two, strlen(two)) == 0)
			near = family[i]; /* as far as it goes */
	return wrong("incomplete or unknown command", two, near ? near : family[0]);
}

/* Words after a command that takes none: mostly its second word, spelt wrong. */
static int needless(const struct asked *a)
{
	const char *names[ARRAY_LEN(commands)];
	char words[64];

	if (*a->command->args || !json_array_size(a->args))
		return 0;
	snprintf(words, sizeof(words), "%s %s", a->command->name,
		 json_string_value(json_array_get(a->args, 0)));
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		names[i] = commands[i].name;
	return wrong("unknown command", words, nearest_word(words, names, ARRAY_LEN(names)));
}

/* How many words an argument line wants: NAME one, [NAME] one at most, NAME... any number. */
static void count_words(const char *line, size_t *least, size_t *most)
{
	*least = *most = 0;
	while (*(line += strspn(line, " \n"))) {
		size_t len = strcspn(line, *line == '[' ? "]" : " \n");
		bool option = strncmp(line + (*line == '['), "--", 2) == 0;

		if (*line == '[')
			len += strcspn(line + len, " \n");
		if (!option) {
			*least += *line != '[';
			*most = len > 3 && strncmp(line + len - 3, "...", 3) == 0 ? SIZE_MAX : *most + 1;
		}
		line += len;
	}
}

static int wrong_number(const struct asked *a)
{
	size_t least, most, n = json_array_size(a->args);

	count_words(a->command->args, &least, &most);
	if (n >= least && n <= most)
		return 0;
	fprintf(stderr, "vpnctl: too %s words; `vpnctl %s` takes %s\n", n < least ? "few" : "many",
		a->command->name, a->command->args);
	return EXIT_CANNOT_ASK;
}

static int take_words(struct asked *a, char **argv, int n)
{
	bool used;
	int r;

	for (int i = 0; i < n; i++) {
		if (strcmp(argv[i], "--help") == 0) {
			printf("usage: vpnctl %s %s\n  %s\n", a->command->name, a->command->args,
			       a->command->help);
			exit(0);
		}
		if (strcmp(argv[i], "--json") == 0) {
			a->json = true;
		} else if (strncmp(argv[i], "--", 2) == 0) {
			r = take_option(a, argv[i] + 2, i + 1 < n ? argv[i + 1] : NULL, &used);
			if (r)
				return r;
			i += used;
		} else {
			json_array_append_new(a->args, json_string(argv[i]));
		}
	}
	r = needless(a);
	return r ? r : wrong_number(a);
}

/* Tokens and root keys come by standard input, so that they stay out of process lists. */
static int read_stdin(struct asked *a)
{
	const char *given = json_string_value(json_array_get(a->args, 0));
	char line[STDIN_MAX];

	if (!a->command->stdin_line || (given && strcmp(given, "-") != 0))
		return 0;
	if (!fgets(line, sizeof(line), stdin)) {
		fprintf(stderr, "vpnctl: expected one line on standard input\n");
		return EXIT_CANNOT_ASK;
	}
	line[strcspn(line, "\r\n")] = 0;
	json_array_clear(a->args);
	json_array_append_new(a->args, json_string(line));
	memset(line, 0, sizeof(line));
	return 0;
}

static int ask(const struct asked *a)
{
	json_t *request = json_pack("{s:s, s:O, s:O}", "command", a->command->name, "args", a->args,
				    "options", a->options);
	json_t *reply;
	char *text, *answer;
	int r;

	if (a->ns)
		json_object_set_new(request, "namespace", json_string(a->ns));
	text = json_dumps(request, JSON_COMPACT);
	r = ctl_call(a->socket, text, &answer);
	free(text);
	json_decref(request);
	if (r < 0) {
		fprintf(stderr, "vpnctl: no vpnd answers on %s: %s (is it running? `systemctl start "
				"vpnd`, or give --socket)\n", a->socket, strerror(-r));
		return EXIT_CANNOT_ASK;
	}
	reply = json_loads(answer, 0, NULL);
	if (a->json)
		puts(answer);
	else if (json_is_true(json_object_get(reply, "ok")))
		a->command->print(reply);
	else
		fprintf(stderr, "vpnctl: %s\n",
			json_string_value(json_object_get(reply, "error")) ?
				json_string_value(json_object_get(reply, "error")) :
				"vpnd's answer makes no sense");
	r = json_is_true(json_object_get(reply, "ok")) ? 0 : EXIT_NO;
	json_decref(reply);
	free(answer);
	return r;
}

/* Options before the command: where to ask, and how to print. Index of the first other word. */
static int take_globals(struct asked *a, int argc, char **argv)
{
	int i = 1;

	for (; i < argc && argv[i][0] == '-'; i++) {
		if (strcmp(argv[i], "--json") == 0)
			a->json = true;
		else if (strcmp(argv[i], "--socket") == 0 && i + 1 < argc)
			a->socket = argv[++i];
		else if (strcmp(argv[i], "-n") == 0 && i + 1 < argc)
			a->ns = argv[++i];
		else
			break;
	}
	return i;
}

int main(int argc, char **argv)
{
	struct asked a = { .socket = SOCKET_DEFAULT };
	int at = take_globals(&a, argc, argv), words, r;

	if (at == argc || strcmp(argv[at], "--help") == 0) {
		usage(at == argc ? stderr : stdout);
		return at == argc ? EXIT_CANNOT_ASK : 0;
	}
	if (argv[at][0] == '-')
		return wrong("unknown option", argv[at], NULL);
	a.command = find_command(argv + at, argc - at, &words);
	if (!a.command)
		return unknown_command(argv + at, argc - at);
	a.args = json_array();
	a.options = json_object();
	r = take_words(&a, argv + at + words, argc - at - words);
	if (!r)
		r = read_stdin(&a);
	if (!r)
		r = ask(&a);
	json_decref(a.args);
	json_decref(a.options);
	return r;
}
