/* vpnctl_print.c - tables: a list of columns for each view, one printer for all. */
#include "cmd/vpnctl_print.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/list.h"

#define CELL_LEN 160
#define COLUMNS_MAX 10
#define KEY_SHOWN 10 /* characters of a key in a table */

enum format { TEXT, KEY, NUMBER, RTT, SECONDS, BYTES, DATE, FLAG, LIST };

struct column {
	const char *title, *field;
	enum format format;
};

static void cell_seconds(char *out, json_int_t s)
{
	if (s < 120)
		snprintf(out, CELL_LEN, "%" JSON_INTEGER_FORMAT " s", s);
	else if (s < 7200)
		snprintf(out, CELL_LEN, "%" JSON_INTEGER_FORMAT " min", s / 60);
	else if (s < 172800)
		snprintf(out, CELL_LEN, "%" JSON_INTEGER_FORMAT " h", s / 3600);
	else
		snprintf(out, CELL_LEN, "%" JSON_INTEGER_FORMAT " days", s / 86400);
}

static void cell_bytes(char *out, json_int_t n)
{
	static const char *const unit[] = { "B", "kB", "MB", "GB", "TB" };
	double v = (double)n;
	size_t u = 0;

	for (; v >= 1000 && u + 1 < ARRAY_LEN(unit); u++)
		v /= 1000;
	snprintf(out, CELL_LEN, u ? "%.1f %s" : "%.0f %s", v, unit[u]);
}

static void cell_date(char *out, json_int_t at)
{
	time_t t = (time_t)at;
	struct tm tm;

	if (at && gmtime_r(&t, &tm))
		strftime(out, CELL_LEN, "%Y-%m-%d %H:%M UTC", &tm);
}

static void cell_list(char *out, const json_t *list)
{
	const json_t *v;
	size_t i, len = 0;

	json_array_foreach(list, i, v)
		if (len < CELL_LEN)
			len += (size_t)snprintf(out + len, CELL_LEN - len, "%s%s", i ? "," : "",
						json_string_value(v));
}

static void cell(char out[CELL_LEN], const json_t *v, enum format f)
{
	const char *text = json_string_value(v);
	json_int_t n = json_integer_value(v);

	snprintf(out, CELL_LEN, "-");
	if (!v)
		return;
	switch (f) {
	case TEXT:
		snprintf(out, CELL_LEN, "%s", text ? text : "-");
		break;
	case KEY:
		snprintf(out, CELL_LEN, "%.*s", KEY_SHOWN, text ? text : "-");
		break;
	case NUMBER:
		snprintf(out, CELL_LEN, "%" JSON_INTEGER_FORMAT, n);
		break;
	case RTT:
		snprintf(out, CELL_LEN, "%.2f ms", (double)n / 1000);
		break;
	case SECONDS:
		cell_seconds(out, n);
		break;
	case BYTES:
		cell_bytes(out, n);
		break;
	case DATE:
		cell_date(out, n);
		break;
	case FLAG:
		snprintf(out, CELL_LEN, "%s", json_is_true(v) ? "yes" : "-");
		break;
	case LIST:
		if (json_array_size(v))
			cell_list(out, v);
		break;
	}
}

static void print_row(const json_t *row, const struct column *cols, size_t n, const size_t *width)
{
	for (size_t c = 0; c < n; c++) {
		char text[CELL_LEN];

		if (row)
			cell(text, json_object_get(row, cols[c].field), cols[c].format);
		else
			snprintf(text, sizeof(text), "%s", cols[c].title);
		if (c + 1 < n)
			printf("%-*s  ", (int)width[c], text);
		else
			printf("%s\n", text);
	}
}

static void print_table(const json_t *list, const struct column *cols, size_t n, const char *none)
{
	size_t width[COLUMNS_MAX], i;
	const json_t *row;

	if (!json_array_size(list)) {
		puts(none);
		return;
	}
	for (size_t c = 0; c < n; c++) {
		width[c] = strlen(cols[c].title);
		json_array_foreach(list, i, row) {
			char text[CELL_LEN];

			cell(text, json_object_get(row, cols[c].field), cols[c].format);
			if (strlen(text) > width[c])
				width[c] = strlen(text);
		}
	}
	print_row(NULL, cols, n, width);
	json_array_foreach(list, i, row)
		print_row(row, cols, n, width);
}

#define TABLE(list, cols, none) print_table(list, cols, ARRAY_LEN(cols), none)

void print_namespaces(const json_t *reply)
{
	static const struct column cols[] = {
		{ "NAMESPACE", "name", TEXT },	  { "STATE", "state", TEXT },
		{ "ADDRESS", "ipv4", TEXT },	  { "NAME", "host", TEXT },
		{ "INTERFACE", "interface", TEXT }, { "SUBNET", "subnet", TEXT },
		{ "MEMBERS HERE", "attached", NUMBER }, { "KEEPERS", "keepers", NUMBER },
	};

	TABLE(json_object_get(reply, "namespaces"), cols,
	      "in no namespace; `vpnctl create NAME` makes one, `vpnd join` takes a token");
}

static const char *text_of(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "-";
}

/* What deserves attention, one line each. */
static void print_health(const json_t *ns)
{
	const char *trouble = json_string_value(json_object_get(ns, "trouble"));
	const char *refused = json_string_value(json_object_get(ns, "refused"));
	const json_t *line;
	size_t i;

	if (trouble)
		printf("    ! %s\n", trouble);
	if (refused)
		printf("    ! %s; another was taken\n", refused);
	json_array_foreach(json_object_get(ns, "health"), i, line)
		printf("    ! %s\n", json_string_value(line));
}

void print_status(const json_t *reply)
{
	const json_t *ns, *drops = json_object_get(reply, "drops"), *v;
	json_int_t peers = json_integer_value(json_object_get(reply, "peers"));
	const char *reason;
	char up[CELL_LEN];
	size_t i;

	cell_seconds(up, json_integer_value(json_object_get(reply, "uptime_s")));
	printf("vpnd %s, up %s, UDP port %" JSON_INTEGER_FORMAT ", %" JSON_INTEGER_FORMAT
	       " peer%s\nkey  %s\n",
	       text_of(reply, "vpnd"), up, json_integer_value(json_object_get(reply, "port")), peers,
	       peers == 1 ? "" : "s", text_of(reply, "key"));
	if (!json_array_size(json_object_get(reply, "namespaces")))
		puts("in no namespace; `vpnctl create NAME` makes one, `vpnd join -` takes a token");
	json_array_foreach(json_object_get(reply, "namespaces"), i, ns) {
		printf("\n%s: %s\n", text_of(ns, "name"), text_of(ns, "state"));
		printf("    address    %s  %s\n", text_of(ns, "ipv4"), text_of(ns, "ipv6"));
		printf("    name       %s%s%s\n", text_of(ns, "host"),
		       json_object_get(ns, "host") ? "." : "",
		       json_object_get(ns, "host") ? text_of(ns, "zone") : "");
		printf("    interface  %s, %s\n", text_of(ns, "interface"), text_of(ns, "subnet"));
		printf("    DNS        %s\n", text_of(ns, "dns"));
		print_health(ns);
	}
	if (!json_object_size(drops))
		return;
	printf("\ndropped:");
	json_object_foreach((json_t *)drops, reason, v)
		printf(" %s %" JSON_INTEGER_FORMAT, reason, json_integer_value(v));
	putchar('\n');
}

void print_peers(const json_t *reply)
{
	static const struct column cols[] = {
		{ "PEER", "name", TEXT },     { "ADDRESS", "ipv4", TEXT },
		{ "PATH", "path", TEXT },     { "RING", "role", TEXT },
		{ "AT", "address", TEXT },
		{ "RTT", "rtt_us", RTT },     { "SENT", "sent_bytes", BYTES },
		{ "RECEIVED", "received_bytes", BYTES }, { "UP", "up_s", SECONDS },
		{ "KEY", "key", KEY },
	};

	TABLE(json_object_get(reply, "peers"), cols, "no peers");
}

void print_paths(const json_t *reply)
{
	static const struct column cols[] = {
		{ "PATH", "address", TEXT }, { "PROVEN", "proven", FLAG },
		{ "USED", "used", FLAG },    { "RTT", "rtt_us", RTT },
	};
	const json_t *peer;
	size_t i;

	json_array_foreach(json_object_get(reply, "peers"), i, peer) {
		printf("%s%s (%.10s), %s\n", i ? "\n" : "", text_of(peer, "name"),
		       text_of(peer, "key"), text_of(peer, "path"));
		TABLE(json_object_get(peer, "paths"), cols, "no direct path");
	}
}

void print_addresses(const json_t *reply)
{
	static const struct column cols[] = {
		{ "NAMESPACE", "namespace", TEXT }, { "KIND", "kind", TEXT },
		{ "VALUE", "value", TEXT },	    { "STATE", "state", TEXT },
		{ "GENERATION", "generation", NUMBER }, { "LEFT", "left_s", SECONDS },
		{ "IT IS", "advice", TEXT },
	};

	TABLE(json_object_get(reply, "addresses"), cols, "no addresses");
}

void print_flows(const json_t *reply)
{
	static const struct column cols[] = {
		{ "NAMESPACE", "namespace", TEXT }, { "ADDRESS", "address", TEXT },
		{ "OWNER", "name", TEXT },	    { "STATE", "state", TEXT },
		{ "PACKETS", "packets", NUMBER },   { "IDLE", "idle_s", SECONDS },
		{ "KEY", "owner", KEY },
	};

	TABLE(json_object_get(reply, "flows"), cols, "no flows");
}

static json_int_t number_of(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

static void print_set(const json_t *set)
{
	json_int_t keepers = number_of(set, "keepers"), most = number_of(set, "most");
	char at[CELL_LEN] = "";

	cell_date(at, number_of(set, "last_change_unix_s"));
	printf("%s: %" JSON_INTEGER_FORMAT " keeper%s, quorum %" JSON_INTEGER_FORMAT "%s, era "
	       "%" JSON_INTEGER_FORMAT ", epoch %" JSON_INTEGER_FORMAT "\n",
	       text_of(set, "namespace"), keepers, keepers == 1 ? "" : "s", number_of(set, "quorum"),
	       json_is_true(json_object_get(set, "hardened")) ? " (hardened)" : "",
	       number_of(set, "era"), number_of(set, "epoch"));
	if (most)
		printf("at most %" JSON_INTEGER_FORMAT ", chosen by themselves", most);
	else
		printf("chosen by people (`vpnctl keepers add|remove|replace`)");
	if (json_is_true(json_object_get(set, "changing")))
		printf("; a change is under way");
	if (at[0])
		printf("; as they are since %s", at);
	putchar('\n');
}

/* The rows of one namespace. */
static json_t *rows_of(const json_t *list, const char *ns)
{
	json_t *rows = json_array(), *row;
	size_t i;

	json_array_foreach(list, i, row)
		if (strcmp(text_of(row, "namespace"), ns) == 0)
			json_array_append(rows, row);
	return rows;
}

static void print_evidence(const json_t *list)
{
	const json_t *e;
	size_t i;

	json_array_foreach(list, i, e) {
		char keepers[CELL_LEN] = "nobody knows which";

		if (json_array_size(json_object_get(e, "keepers")))
			cell_list(keepers, json_object_get(e, "keepers"));
		printf("! %s: %s, generation %" JSON_INTEGER_FORMAT "; by %s\n", text_of(e, "name"),
		       text_of(e, "what"), number_of(e, "generation"), keepers);
	}
}

static void print_set_tables(const json_t *set, const json_t *keepers)
{
	static const struct column here[] = {
		{ "KEEPER", "name", TEXT },	{ "SELF", "self", FLAG },
		{ "STATE", "state", TEXT },	{ "BEHIND", "behind", NUMBER },
		{ "HEARD, MS", "heard_ms", NUMBER }, { "KEY", "key", KEY },
	};
	static const struct column elsewhere[] = {
		{ "KEEPER", "name", TEXT }, { "KEY", "key", KEY },
	};
	static const struct column waiting[] = {
		{ "CANDIDATE", "name", TEXT },	       { "THERE", "present", FLAG },
		{ "% OF LATE", "present_percent", NUMBER }, { "IT", "why", TEXT },
		{ "KEY", "key", KEY },
	};
	bool at_keeper = json_is_true(json_object_get(set, "here"));

	putchar('\n');
	print_table(keepers, at_keeper ? here : elsewhere,
		    at_keeper ? ARRAY_LEN(here) : ARRAY_LEN(elsewhere), "none");
	if (!at_keeper)
		puts("\nthis node is no keeper; the others know how each of them is");
	if (json_array_size(json_object_get(set, "candidates"))) {
		putchar('\n');
		TABLE(json_object_get(set, "candidates"), waiting, "");
	}
	print_evidence(json_object_get(set, "evidence"));
}

void print_keepers(const json_t *reply)
{
	const json_t *sets = json_object_get(reply, "sets"), *set;
	size_t i;

	if (!json_array_size(sets))
		puts("no keepers known");
	json_array_foreach(sets, i, set) {
		json_t *rows = rows_of(json_object_get(reply, "keepers"), text_of(set, "namespace"));

		if (i)
			putchar('\n');
		print_set(set);
		print_set_tables(set, rows);
		json_decref(rows);
	}
}

void print_members(const json_t *reply)
{
	static const struct column cols[] = {
		{ "NAMESPACE", "namespace", TEXT }, { "MEMBER", "name", TEXT },
		{ "RIGHTS", "rights", LIST },	    { "UNTIL", "until_unix_s", DATE },
		{ "REVOKED", "revoked", FLAG },	    { "KEY", "key", TEXT },
	};

	TABLE(json_object_get(reply, "members"), cols, "no members");
}

void print_tokens(const json_t *reply)
{
	static const struct column cols[] = {
		{ "NAMESPACE", "namespace", TEXT }, { "TOKEN", "id", KEY },
		{ "USED", "used", NUMBER },	    { "OF", "uses", NUMBER },
		{ "EXPIRES", "expires_unix_s", DATE }, { "RIGHTS", "rights", LIST },
		{ "REVOKED", "revoked", FLAG },
	};

	TABLE(json_object_get(reply, "tokens"), cols, "no tokens");
}

void print_text(const json_t *reply)
{
	puts(text_of(reply, "text"));
}

void print_token(const json_t *reply)
{
	puts(text_of(reply, "token"));
	fputs("Paste this line into `vpnd join -` on the new machine. Who has it can join.\n", stderr);
}

void print_ready(const json_t *reply)
{
	puts(text_of(reply, "ipv4"));
}

void print_resolved(const json_t *reply)
{
	static const char *const keys[] = { "ipv4", "ipv6" };

	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (json_object_get(reply, keys[i]))
			puts(text_of(reply, keys[i]));
}

void print_rings(const json_t *reply)
{
	static const struct column cols[] = {
		{ "NODES", "size", NUMBER },	  { "SURE", "sure", FLAG },
		{ "LINKS", "links", NUMBER },	  { "NEAR", "near", NUMBER },
		{ "SHORTCUTS", "shortcuts", NUMBER }, { "WANTED", "shortcuts_wanted", NUMBER },
		{ "ACCEPTED", "accepted", NUMBER }, { "DEMAND", "demand", NUMBER },
		{ "LEAVES", "leaves", NUMBER },	  { "PROFILE", "profile", TEXT },
	};

	TABLE(json_object_get(reply, "rings"), cols,
	      "in no overlay; `vpnctl create NAME` makes one, `vpnd join` takes a token");
}

void print_trace(const json_t *reply)
{
	json_int_t hops = json_integer_value(json_object_get(reply, "hops"));

	if (hops == 0) {
		puts("this node itself");
		return;
	}
	printf("%" JSON_INTEGER_FORMAT " link%s along the ring, %.2f ms, %s\n", hops,
	       hops == 1 ? "" : "s", (double)json_integer_value(json_object_get(reply, "rtt_us")) / 1000,
	       json_is_true(json_object_get(reply, "direct")) ? "data goes directly" :
								"no direct path yet");
}

void print_ping(const json_t *reply)
{
	printf("%.2f ms\n", (double)json_integer_value(json_object_get(reply, "rtt_us")) / 1000);
}
