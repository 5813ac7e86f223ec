/* sim_audit_file.c - histories: words, facts, and files of them: lines of node_audit.h in, lines or
 * EDN out. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cmd/sim_audit.h"

void sim_audit_clear(struct sim_audit *a)
{
	a->count = 0;
	a->full = false;
}

uint16_t sim_audit_word(struct sim_audit *a, const char *word)
{
	size_t i, before = strcspn(word, ".");
	struct audit_word *w;

	for (i = 0; i < a->words; i++)
		if (strcmp(a->word[i].text, word) == 0)
			return (uint16_t)i;
	if (a->words == AUDIT_WORDS_MAX)
		return AUDIT_NOBODY;
	if (a->words == a->words_size) {
		a->words_size = a->words_size ? 2 * a->words_size : 64;
		a->word = mem_resize(a->word, a->words_size * sizeof(*a->word));
	}
	w = &a->word[a->words++];
	*w = (struct audit_word){ .owner = (uint16_t)i };
	snprintf(w->text, sizeof(w->text), "%s", word);
	if (before == 8 && word[before] == '.' && strspn(word, "0123456789abcdef") == 8) {
		char owner[9];
		uint16_t o;

		snprintf(owner, sizeof(owner), "%.8s", word);
		o = sim_audit_word(a, owner); /* may move the table */
		a->word[i].owner = o;
	}
	return (uint16_t)i;
}

void sim_audit_add(struct sim_audit *a, const struct audit_fact *f)
{
	if (a->count == AUDIT_FACTS_MAX) {
		a->full = true;
		return;
	}
	if (a->count == a->size) {
		a->size = a->size ? 2 * a->size : 1024;
		a->fact = mem_resize(a->fact, a->size * sizeof(*a->fact));
	}
	a->fact[a->count++] = *f;
}

/* --- files --- */

static uint8_t verb_of(const char *text)
{
	for (unsigned v = 1; v <= OP_START; v++)
		if (strcmp(audit_verb_text(v), text) == 0)
			return (uint8_t)v;
	return 0;
}

static bool load_line(struct sim_audit *a, char *line)
{
	struct audit_event e;
	struct audit_fact f;

	line[strcspn(line, "\r\n")] = 0;
	if (!line[0] || line[0] == '#')
		return true;
	if (!audit_read(&e, line))
		return false;
	f = (struct audit_fact){ .at = e.at, .until = e.until, .id = e.id, .number = e.number,
				 .type = (uint8_t)e.type, .verb = verb_of(e.verb) };
	f.node = sim_audit_word(a, e.node);
	f.name = e.name[0] ? sim_audit_word(a, e.name) : 0;
	f.peer = e.peer[0] ? sim_audit_word(a, e.peer) : 0;
	sim_audit_add(a, &f);
	return true;
}

long sim_audit_load(struct sim_audit *a, const char *file)
{
	FILE *from = fopen(file, "r");
	char line[AUDIT_LINE];
	long n = 0, bad = 0;

	if (!from)
		return -errno;
	while (!bad && fgets(line, sizeof(line), from)) {
		n++;
		/* The last line of a process that was killed may be cut short. */
		if (!strchr(line, '\n') && feof(from))
			break;
		if (!load_line(a, line))
			bad = n;
	}
	if (!bad && ferror(from))
		bad = -EIO;
	fclose(from);
	return bad;
}

static void event_of(struct audit_event *e, const struct sim_audit *a, const struct audit_fact *f)
{
	*e = (struct audit_event){ .at = f->at, .until = f->until, .id = f->id, .number = f->number,
				   .type = (enum audit_type)f->type };
	snprintf(e->node, sizeof(e->node), "%s", a->word[f->node].text);
	snprintf(e->name, sizeof(e->name), "%s", a->word[f->name].text);
	snprintf(e->peer, sizeof(e->peer), "%s", a->word[f->peer].text);
	snprintf(e->verb, sizeof(e->verb), "%s", audit_verb_text(f->verb));
}

bool sim_audit_save(const struct sim_audit *a, const char *file)
{
	FILE *to = fopen(file, "w");
	bool ok = to != NULL;

	for (size_t i = 0; ok && i < a->count; i++) {
		struct audit_event e;
		char line[AUDIT_LINE];

		event_of(&e, a, &a->fact[i]);
		ok = !audit_write(line, sizeof(line), &e) || fprintf(to, "%s\n", line) > 0;
	}
	return to && fclose(to) == 0 && ok;
}

/* The operation that an answer belongs to: EDN repeats its verb. */
static const struct audit_fact *asked_by(const struct sim_audit *a, size_t i)
{
	const struct audit_fact *f = &a->fact[i];

	while (i-- > 0)
		if (a->fact[i].type == AUDIT_INVOKE && a->fact[i].node == f->node &&
		    a->fact[i].id == f->id)
			return &a->fact[i];
	return NULL;
}

void sim_audit_edn(const struct sim_audit *a, FILE *to)
{
	static const char *const types[AUDIT_INFO + 1] = { "invoke", "ok", "fail", "info" };
	size_t index = 0;

	for (size_t i = 0; i < a->count; i++) {
		const struct audit_fact *f = &a->fact[i],
					*o = f->type <= AUDIT_INFO ? asked_by(a, i) : NULL;

		if (f->type == AUDIT_INVOKE)
			o = f;
		if (!o)
			continue;
		fprintf(to, "{:index %zu, :time %llu, :process \"%s:%llu\", :type :%s, :f :%s, :key \"%s\", ",
			index++, (unsigned long long)f->at * 1000, a->word[f->node].text,
			(unsigned long long)f->id, types[f->type], audit_verb_text(o->verb),
			a->word[o->name].text);
		if (f->type == AUDIT_OK)
			fprintf(to, ":value [%llu %s%s%s]}\n", (unsigned long long)f->number,
				f->peer ? "\"" : "", f->peer ? a->word[f->peer].text : "nil",
				f->peer ? "\"" : "");
		else
			fprintf(to, ":value nil}\n");
	}
}

int sim_audit_main(char **files, size_t count, bool edn)
{
	struct sim_audit a;
	const char *broken;
	char why[300];
	int result = 0;

	sim_audit_init(&a);
	for (size_t i = 0; i < count && !result; i++) {
		long bad = sim_audit_load(&a, files[i]);

		if (bad < 0)
			fprintf(stderr, "vpnsim: %s: %s\n", files[i], strerror((int)-bad));
		else if (bad)
			fprintf(stderr, "vpnsim: %s:%ld: no line of an audit\n", files[i], bad);
		result = bad ? 2 : 0;
	}
	broken = result ? NULL : sim_audit_check(&a, why, sizeof(why));
	if (edn && !result)
		sim_audit_edn(&a, stdout);
	else if (!result)
		printf("%zu facts of %zu words in %zu files%s\n", a.count, a.words, count,
		       a.full ? ", the rest was left out" : "");
	if (broken)
		fprintf(edn ? stderr : stdout, "violation of '%s': %s\n", broken, why);
	else if (!result && !edn)
		puts("no violation");
	sim_audit_fini(&a);
	return broken ? 1 : result;
}
