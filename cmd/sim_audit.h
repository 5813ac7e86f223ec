/* sim_audit.h - histories of ownership and what must be true of them.
 *
 *	overlap	at no time may two owners use one name; an owner is not judged by this from
 *		when on it was two processes (one may give back what the other uses: docs/evidence)
 *	chain	a generation of a register has one owner; what is known of a register when an
 *		operation begins is not older than what any operation that had ended before saw
 *		(in one era: nor is it unknown to who reads it);
 *		every generation was asked for by its owner, or given to it; and what is used was the
 *		answer to an operation of its owner
 *	fence	a receiver lets no frame in below the highest generation that it let in before, nor
 *		from two owners under one
 *
 * A history is made of facts in the order of their times; words (nodes, owners, names) are numbers
 * into a table. Of the word of a node only what stands before the dot is its owner. */
#ifndef CMD_SIM_AUDIT_H
#define CMD_SIM_AUDIT_H

#include <stdio.h>

#include "cmd/node_audit.h"

struct audit_fact {
	usec_t at, until;
	uint64_t id, number;
	uint8_t type; /* enum audit_type */
	uint8_t verb; /* enum reg_verb */
	uint16_t node, name, peer;
};

struct audit_word {
	char text[AUDIT_WORD];
	uint16_t owner; /* of a node: the word before the dot, else itself */
	bool lives;	/* of a node: it has told something and has not died since */
	bool is_two;	/* of an owner: two of its processes lived at one time ... */
	usec_t two_at;	/* ... from here on */
};

#define AUDIT_WORDS_MAX 60000
#define AUDIT_NOBODY 0 /* the word "-" */
#define AUDIT_FACTS_MAX 4000000

struct sim_audit {
	struct audit_fact *fact;
	size_t count, size;
	struct audit_word *word;
	size_t words, words_size;
	bool full; /* more facts than AUDIT_FACTS_MAX: the rest was left out */
	bool lied_to; /* answers may be of yesterday: what they show is not held against the floor */
	bool only_fence; /* keepers that may grant anything lied: receivers alone are judged */
	bool one_era; /* no era began and no name was dropped: what was owned is never unknown */
	/* Of the checkers: made once, kept. */
	void *work;
	size_t work_size;
};

void sim_audit_init(struct sim_audit *a);
void sim_audit_fini(struct sim_audit *a);
void sim_audit_clear(struct sim_audit *a); /* words stay */
uint16_t sim_audit_word(struct sim_audit *a, const char *text);
void sim_audit_add(struct sim_audit *a, const struct audit_fact *f);

/* NULL when the history keeps every rule; else which one it breaks, and `why` says how. Facts need
 * not be sorted; they are afterwards. */
const char *sim_audit_check(struct sim_audit *a, char *why, size_t size);

/* Lines of one file added; 0, or the number of the first line that is none (negative errno when it
 * cannot be read). */
long sim_audit_load(struct sim_audit *a, const char *file);
bool sim_audit_save(const struct sim_audit *a, const char *file);
/* For Knossos or Porcupine: one map a line, vpnsim(1). */
void sim_audit_edn(const struct sim_audit *a, FILE *to);
/* `vpnsim --audit FILE...`: the exit status. */
int sim_audit_main(char **files, size_t count, bool edn);

#endif
