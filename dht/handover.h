/* handover.h - the way of a transfer from an owner to its heir. Public, beside regs.h.
 *
 * The owner signs a TRANSFER and hands it to the heir over their session; the heir submits it and
 * says what became of it. docs/protocol.md 8.12. */
#ifndef DHT_HANDOVER_H
#define DHT_HANDOVER_H

#include "dht/regs.h"

/* One message: HANDOVER with a signed operation, or HANDED with what became of it. */
struct handover {
	struct pubkey peer; /* the other side; set by regs when it comes in */
	uint64_t number;    /* of the operation */
	bool done;	    /* HANDED */
	enum reg_status status; /* HANDED */
	const uint8_t *bytes;	/* the operation; the heir's grant when status is REG_OK */
	size_t len;
};

/* Signs *req with our key and the next number, which it sets: bytes written. It ends an operation
 * of ours on the same register that is under way. -EAGAIN: the number is not durable yet, ask
 * again; -EINVAL. */
int regs_sign(struct regs *r, struct reg_op *req, uint8_t out[REG_OP_MAX], usec_t now);
/* As regs_submit, of a TRANSFER to us that somebody else signed. */
int regs_submit_signed(struct regs *r, uint64_t op, const uint8_t *bytes, size_t len, usec_t now);
/* What a REGS_HANDOVER event says; points into it. */
struct handover regs_handover(const struct regs_event *e);
/* To h->peer, once: repeating is the caller's. */
void regs_hand(struct regs *r, const struct handover *h, usec_t now);

#endif
