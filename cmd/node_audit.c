/* node_audit.c - see node_audit.h. Which words a line has stands in one table. */
#include "cmd/node_audit.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/list.h"

#define IDLE "-"

/* Letters: i ID, v VERB, n NAME, d number, u UNTIL, p OWNER or FROM. */
static const struct {
	const char *text, *words;
} types[AUDIT_TYPES] = {
	[AUDIT_INVOKE] = { "invoke", "ivnd" }, [AUDIT_OK] = { "ok", "indp" },
	[AUDIT_FAIL] = { "fail", "id" },       [AUDIT_INFO] = { "info", "i" },
	[AUDIT_HOLD] = { "hold", "ndu" },      [AUDIT_DROP] = { "drop", "n" },
	[AUDIT_DIE] = { "die", "" },	       [AUDIT_ACCEPT] = { "accept", "ndp" },
	[AUDIT_REFUSE] = { "refuse", "ndp" },
};

static const char *const verbs[] = {
	[OP_CLAIM] = "claim",
	[OP_RENEW] = "renew",
	[OP_RELEASE] = "release",
	[OP_TRANSFER] = "transfer",
	[OP_READ] = "read",
	[OP_TOKEN_CREATE] = "token-create",
	[OP_TOKEN_USE] = "token-use",
	[OP_TOKEN_REVOKE] = "token-revoke",
	[OP_MEMBER_SET] = "member-set",
	[OP_MEMBER_REVOKE] = "member-revoke",
	[OP_START] = "start",
};

const char *audit_verb_text(unsigned verb)
{
	return verb < ARRAY_LEN(verbs) && verbs[verb] ? verbs[verb] : IDLE;
}

static char *text_of(struct audit_event *e, char letter)
{
	switch (letter) {
	case 'v':
		return e->verb;
	case 'n':
		return e->name;
	case 'p':
		return e->peer;
	default:
		return NULL;
	}
}

static uint64_t *number_of(struct audit_event *e, char letter)
{
	return letter == 'i' ? &e->id : letter == 'u' ? &e->until : &e->number;
}

bool audit_write(char *out, size_t size, const struct audit_event *e)
{
	struct audit_event copy = *e;
	int n = snprintf(out, size, "%llu %s %s", (unsigned long long)e->at, e->node,
			 types[e->type].text);

	for (const char *c = types[e->type].words; *c && n >= 0 && (size_t)n < size; c++) {
		const char *text = text_of(&copy, *c);
		size_t room = size - (size_t)n;

		n += text ? snprintf(out + n, room, " %s", text[0] ? text : IDLE)
			  : snprintf(out + n, room, " %llu",
				     (unsigned long long)*number_of(&copy, *c));
	}
	return n >= 0 && (size_t)n < size;
}

/* The next word; false: there is none, or it is too long. */
static bool word(char out[AUDIT_WORD], const char **line)
{
	size_t len = strcspn(*line, " ");

	if (len == 0 || len >= AUDIT_WORD)
		return false;
	memcpy(out, *line, len);
	out[len] = 0;
	*line += len + ((*line)[len] == ' ' && (*line)[len + 1]);
	return true;
}

static bool number(uint64_t *out, const char **line)
{
	char text[AUDIT_WORD];

	if (!word(text, line))
		return false;
	*out = 0;
	for (const char *c = text; *c; c++) {
		if (*c < '0' || *c > '9' || *out > (UINT64_MAX - (uint64_t)(*c - '0')) / 10)
			return false;
		*out = *out * 10 + (uint64_t)(*c - '0');
	}
	return true;
}

static bool type(enum audit_type *out, const char **line)
{
	char text[AUDIT_WORD];

	if (!word(text, line))
		return false;
	for (unsigned t = 0; t < AUDIT_TYPES; t++)
		if (strcmp(text, types[t].text) == 0) {
			*out = (enum audit_type)t;
			return true;
		}
	return false;
}

bool audit_read(struct audit_event *e, const char *line)
{
	*e = (struct audit_event){ 0 };
	if (!number(&e->at, &line) || !word(e->node, &line) || !type(&e->type, &line))
		return false;
	for (const char *c = types[e->type].words; *c; c++) {
		char *text = text_of(e, *c);

		if (text ? !word(text, &line) : !number(number_of(e, *c), &line))
			return false;
	}
	return *line == 0;
}

static void hex(char out[AUDIT_WORD], const uint8_t *b, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	size_t n = 0;

	for (size_t i = 0; i < len && n + 2 < AUDIT_WORD; i++) {
		out[n++] = digits[b[i] >> 4];
		out[n++] = digits[b[i] & 15];
	}
	out[n] = 0;
}

void audit_key_word(char out[AUDIT_WORD], const struct pubkey *key)
{
	struct node_id id;

	if (!key || key_is_zero(key)) {
		snprintf(out, AUDIT_WORD, IDLE);
		return;
	}
	id = id_of(key);
	hex(out, id.b, 4);
}

void audit_name_word(char out[AUDIT_WORD], const struct reg_name *name)
{
	struct ip ip = { .len = name->len };
	char text[IP_TEXT_LEN], digits[AUDIT_WORD];

	if (name->kind == REG_HOST_NAME) {
		snprintf(out, AUDIT_WORD, "%.*s", name->len, name->b);
	} else if (name->kind == REG_ADDRESS && (name->len == 4 || name->len == 16)) {
		memcpy(ip.b, name->b, name->len);
		ip_text(text, &ip);
		snprintf(out, AUDIT_WORD, "%s", text);
	} else {
		hex(digits, name->b, name->len);
		snprintf(out, AUDIT_WORD, "%u:%.60s", name->kind, digits);
	}
}

static void tell(const struct audit *a, const struct audit_note *n)
{
	struct audit_event e = { .at = n->at, .until = n->until, .type = n->type, .id = n->id,
				 .number = n->number };
	char line[AUDIT_LINE];

	if (a->note)
		a->note(a->ctx, n);
	if (!a->line)
		return;
	memcpy(e.node, a->node, sizeof(e.node));
	snprintf(e.verb, sizeof(e.verb), "%s", audit_verb_text(n->verb));
	if (n->name)
		audit_name_word(e.name, n->name);
	audit_key_word(e.peer, n->peer);
	if (audit_write(line, sizeof(line), &e))
		a->line(a->ctx, line);
}

static bool is_off(const struct audit *a) { return !a->line && !a->note; }

void audit_init(struct audit *a, const struct pubkey *self, const char *process)
{
	char key[AUDIT_WORD];

	*a = (struct audit){ 0 };
	audit_key_word(key, self);
	snprintf(a->node, sizeof(a->node), "%.8s%s%.32s", key, process[0] ? "." : "", process);
}

void audit_invoke(const struct audit *a, uint64_t op, const struct reg_op *req, usec_t now)
{
	struct audit_note n = { .at = now, .type = AUDIT_INVOKE, .verb = req->verb, .id = op,
				.number = req->number, .name = &req->name };

	if (!is_off(a))
		tell(a, &n);
}

/* A grant that came with the answer says who owned it when it was decided. Refusals by rule changed
 * nothing; no answer, or none in time, may have. */
void audit_result(const struct audit *a, const struct reg_name *name, const struct regs_event *re,
		  usec_t now)
{
	struct audit_note n = { .at = now, .type = AUDIT_FAIL, .id = re->op,
				.number = (uint64_t)re->status };
	struct grant g;

	if (is_off(a))
		return;
	if (re->len && grant_read(&g, re->grant, re->len) && reg_name_equal(&g.name, name)) {
		n.type = AUDIT_OK;
		n.number = g.generation;
		n.name = name;
		n.peer = g.state == REG_RELEASED ? NULL : &g.owner;
	} else if (re->status == REG_NO_QUORUM || re->status == REG_BUSY ||
		   re->status == REG_OTHER_EPOCH) {
		n.type = AUDIT_INFO;
	}
	tell(a, &n);
}

static bool may_use(const struct lease_info *i)
{
	return i->left && (i->state == LEASE_HELD || i->state == LEASE_RENEWING ||
			   i->state == LEASE_AT_RISK);
}

static struct audit_held *held(struct audit *a, const struct reg_name *name)
{
	for (size_t i = 0; i < a->held_count; i++)
		if (reg_name_equal(&a->held[i].name, name))
			return &a->held[i];
	return NULL;
}

static void holds(struct audit *a, const struct lease_info *i, usec_t now)
{
	struct audit_note n = { .at = now, .until = now + i->left, .type = AUDIT_HOLD,
				.number = i->generation, .name = &i->name };
	struct audit_held *h = held(a, &i->name);

	if (!h && a->held_count == AUDIT_HELD_MAX)
		return;
	if (!h) {
		h = &a->held[a->held_count++];
		*h = (struct audit_held){ .name = i->name };
	}
	h->seen = true;
	if (h->generation == n.number && h->until == n.until)
		return;
	h->generation = n.number;
	h->until = n.until;
	tell(a, &n);
}

static void drop_unseen(struct audit *a, usec_t now)
{
	for (size_t i = 0; i < a->held_count;) {
		struct reg_name name = a->held[i].name;
		struct audit_note n = { .at = now, .type = AUDIT_DROP, .name = &name };

		if (a->held[i].seen) {
			i++;
			continue;
		}
		a->held[i] = a->held[--a->held_count];
		tell(a, &n);
	}
}

void audit_leases(struct audit *a, const struct leases *l, usec_t now)
{
	struct lease_info info;
	size_t at = 0;

	if (is_off(a))
		return;
	for (size_t i = 0; i < a->held_count; i++)
		a->held[i].seen = false;
	while (leases_next(l, &at, &info, now))
		if (may_use(&info))
			holds(a, &info, now);
	drop_unseen(a, now);
}

void audit_died(struct audit *a, usec_t now)
{
	struct audit_note n = { .at = now, .type = AUDIT_DIE };

	a->held_count = 0;
	if (!is_off(a))
		tell(a, &n);
}

void audit_frame(const struct audit *a, bool accepted, const struct reg_name *name,
		 uint64_t generation, const struct pubkey *from, usec_t now)
{
	struct audit_note n = { .at = now, .type = accepted ? AUDIT_ACCEPT : AUDIT_REFUSE,
				.number = generation, .name = name, .peer = from };

	if (!is_off(a))
		tell(a, &n);
}
