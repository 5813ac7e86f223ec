/* path.h - the addresses a session may run over: candidates, challenges, RTT, choice. 4.3. */
#ifndef P2P_PATH_H
#define P2P_PATH_H

#include "base/addr.h"
#include "base/time.h"
#include "p2p/keepalive.h"
#include "p2p/status.h"

#define PATH_NONCE_LEN 8
#define PATH_CHALLENGE_LEN 96 /* bytes of a challenge on the wire, UDP payload */
#define PATH_SENT_MAX 8	       /* challenges of one series that may still be answered */
#define PATH_AMPLIFY 3	       /* bytes to an unproven address for each byte from it */
#define PATH_WARM SEC(25)      /* proven paths of a session in use are challenged so often */
#define PATH_WARM_IDLE SEC(120) /* ... of an idle one */
#define PATH_WARM_LEAF MINUTES(10) /* ... of an idle one with a leaf: it pays for each byte */
#define PATH_CHANCE SEC(5)      /* an uninvited address not proven by then may give way */
#define PATH_LOST 3	       /* unanswered challenges after which a path is not proven */

struct path_probe;

struct path {
	struct addr addr;
	usec_t next; /* of the next challenge */
	struct path_probe *probe; /* NULL while nothing is to be proven */
	uint32_t found; /* heard_unit: when it became a candidate */
	uint32_t heard; /* heard_unit: something came from there; 0 = not since the session is up */
	uint32_t rtt;		  /* microseconds; 0 = unknown */
	uint16_t tries;		  /* challenges since the last response */
	uint8_t socket;
	bool proven : 1;
	bool told : 1;	  /* in the peer's last ADDRESSES */
	bool invited : 1; /* by peer or owner: probing it is not answering a stranger */
};

struct paths {
	struct path *list; /* exactly `count`; a place stays the same while the session lives */
	uint8_t count;
	int8_t used; /* place in list, -1 = none */
	bool changed; /* an address is new since the owner last looked */
	bool active; /* the session carries data: keep the others warm */
	bool of_leaf; /* one of the two is a leaf */
};

void paths_init(struct paths *ps);
void paths_fini(struct paths *ps);
int paths_find(const struct paths *ps, const struct addr *a); /* place or -1 */
/* The place of `a`, made if need be and there is room (the most hopeless unproven one gives way);
 * -1 when not. A new candidate is to be challenged at once. */
int paths_add(struct paths *ps, const struct addr *a, uint8_t socket, bool invited, usec_t now);
/* A place whose challenge is due and allowed, or -1. */
int paths_due(const struct paths *ps, usec_t now);
usec_t paths_deadline(const struct paths *ps);
/* A challenge goes out: writes its nonce and plans the next. `fresh`: random. */
void paths_challenge(struct paths *ps, int at, const uint8_t fresh[PATH_NONCE_LEN],
		     uint8_t nonce[PATH_NONCE_LEN], usec_t now);
/* The place that this nonce proves, or -1. */
int paths_response(struct paths *ps, const uint8_t nonce[PATH_NONCE_LEN], usec_t now);
/* Proven by a handshake message that went there and was answered; rtt 0 = not measured. */
void paths_prove(struct paths *ps, int at, usec_t rtt, usec_t now);
void paths_fail(struct paths *ps, int at, usec_t now);
/* Challenge everything now: something is wrong, or addresses changed. */
void paths_hurry(struct paths *ps, usec_t now);
/* The session begins: nothing was heard in it. */
void paths_unheard(struct paths *ps);
/* Something authentic came from there: as long as it is unproven, that pays for challenges. */
void paths_heard(struct paths *ps, int at, size_t bytes);
/* The place to use, with hysteresis in favour of the one in use; -1 = none is proven. */
int paths_best(const struct paths *ps);
void paths_set_active(struct paths *ps, bool active, usec_t now);

#endif
