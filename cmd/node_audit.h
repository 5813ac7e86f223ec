/* node_audit.h - what happened to ownership, one text line an event, for `vpnsim --audit`.
 *
 * Times are microseconds of one common clock of all nodes (CLOCK_BOOTTIME on one machine, virtual
 * time in the simulator). NODE is 8 hex digits of the key's id, and behind a dot what tells two
 * processes of one identity apart; OWNER and FROM are such digits alone, or "-" for nobody. NAME is
 * an address, a host name, or KIND:HEX of another register. ID tells the operations of one NODE
 * apart. Line (vpnsim(1) says what is judged):
 *
 *	T NODE invoke ID VERB NAME NUMBER	an operation was first sent; VERB as in audit_verb_text
 *	T NODE ok ID NAME GENERATION OWNER	it was answered: who owns NAME since which generation
 *	T NODE fail ID STATUS			it was refused and changed nothing
 *	T NODE info ID				nobody knows whether it happened
 *	T NODE hold NAME GENERATION UNTIL	may be used until then; replaces what was said before
 *	T NODE drop NAME			is not used any more
 *	T NODE die				the process ended: it holds nothing
 *	T NODE accept NAME GENERATION FROM	a frame from NAME was let in under this grant
 *	T NODE refuse NAME GENERATION FROM	one was not
 */
#ifndef CMD_NODE_AUDIT_H
#define CMD_NODE_AUDIT_H

#include "dht/lease.h"

#define AUDIT_WORD 72 /* of a word and its final 0 */
#define AUDIT_LINE 320
#define AUDIT_HELD_MAX 64 /* names whose holding is told; beyond them nothing is */

enum audit_type {
	AUDIT_INVOKE,
	AUDIT_OK,
	AUDIT_FAIL,
	AUDIT_INFO,
	AUDIT_HOLD,
	AUDIT_DROP,
	AUDIT_DIE,
	AUDIT_ACCEPT,
	AUDIT_REFUSE,
	AUDIT_TYPES
};

struct audit_event { /* what a type does not have is zero */
	usec_t at, until;
	enum audit_type type;
	uint64_t id, number; /* number: NUMBER, GENERATION or STATUS */
	char node[AUDIT_WORD], verb[AUDIT_WORD], name[AUDIT_WORD], peer[AUDIT_WORD];
};

/* Without the line's end; false: it does not fit, or is no such line. */
bool audit_write(char *out, size_t size, const struct audit_event *e);
bool audit_read(struct audit_event *e, const char *line);
void audit_key_word(char out[AUDIT_WORD], const struct pubkey *key); /* zero or NULL: "-" */
void audit_name_word(char out[AUDIT_WORD], const struct reg_name *name);
const char *audit_verb_text(unsigned verb); /* of enum reg_verb */

struct audit_note { /* an event of this process before it is text; pointers during the call */
	usec_t at, until;
	enum audit_type type;
	uint8_t verb;
	uint64_t id, number;
	const struct reg_name *name;
	const struct pubkey *peer;
};

/* What one process tells. The owner embeds it and lets `line` write (never back in); the simulator
 * takes notes as they are. With both NULL nothing is done. */
struct audit {
	void *ctx;
	void (*line)(void *ctx, const char *text);
	void (*note)(void *ctx, const struct audit_note *n);
	char node[AUDIT_WORD];
	size_t held_count;
	struct audit_held {
		struct reg_name name;
		uint64_t generation;
		usec_t until;
		bool seen;
	} held[AUDIT_HELD_MAX];
};
/* `process` tells copies of one identity apart and may be "". */
void audit_init(struct audit *a, const struct pubkey *self, const char *process);
/* Before the operation is sent, and for its result (regs_submit, REGS_RESULT; same op). */
void audit_invoke(const struct audit *a, uint64_t op, const struct reg_op *req, usec_t now);
void audit_result(const struct audit *a, const struct reg_name *name, const struct regs_event *e,
		  usec_t now);
/* After every event and tick of the leases: tells what may be used from now on, and no more. */
void audit_leases(struct audit *a, const struct leases *l, usec_t now);
void audit_died(struct audit *a, usec_t now);
/* At a receiver: a frame from `name` under its grant of this generation came in, or was refused. */
void audit_frame(const struct audit *a, bool accepted, const struct reg_name *name,
		 uint64_t generation, const struct pubkey *from, usec_t now);

#endif
