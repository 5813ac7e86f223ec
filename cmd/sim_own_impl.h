/* sim_own_impl.h - the world of `vpnsim ownership`: registers, leases and fences, nothing else.
 *
 * Every process is the product's own struct regs, struct leases and struct fence. Modelled are the
 * network, the disks, the clocks and the people. One world is made once and used for schedule
 * after schedule; what a schedule does follows from (seed, index) alone. Nothing allocates while it
 * runs but the product. All times below are the world's; a process sees its own clock, which runs
 * by up to 0.5 % too fast or too slow and starts anywhere. */
#ifndef CMD_SIM_OWN_IMPL_H
#define CMD_SIM_OWN_IMPL_H

#include "base/wire.h"
#include "cmd/node_audit.h"
#include "cmd/sim_audit.h"
#include "cmd/sim_world.h"
#include "dht/seats.h"
#include "dht/token.h"
#include "vnet/fence.h"

#define OW_SETS 4	 /* keepers at the start: 1, 3, 5; with liars also 7 */
#define OW_NAMES 32
#define OW_TOKEN_SETS 3	 /* for OW_TOKEN_USES members each */
#define OW_TOKEN_USES 120
#define OW_RECORDS 1024	 /* keys on one disk */
#define OW_WRITES 2048	 /* under way on one disk */
#define OW_WAITING 512	 /* packets for a process that stands still */
#define OW_OPS 32	 /* operations whose answer a process waits for */
#define OW_PPM_MAX 5000 /* of clock rates, both ways */
#define OW_BRIDGE 2
#define OW_PLAN 48	 /* things that happen in one schedule */
#define OW_SPAN_MAX SEC(420)
#define OW_BEGIN SEC(1000) /* the world's time when a schedule starts */
#define OW_WALL 1800000000
#define OW_SERVICE_FRAME 99 /* beside those of enum regs_service: a frame with its grant */

/* --- memory: blocks of a few sizes, never given back to the system --- */
struct ow_block {
	struct ow_block *next;
	uint8_t size; /* class */
	_Alignas(16) uint8_t bytes[];
};
#define OW_CLASSES 6 /* 128 bytes, times 4 each */
struct ow_pool {
	struct ow_block *free[OW_CLASSES];
};
void *ow_alloc(struct ow_pool *p, size_t len);
void ow_free(struct ow_pool *p, void *bytes); /* NULL is nothing */
void ow_pool_fini(struct ow_pool *p);

/* --- disk --- */
struct ow_record {
	uint8_t key[80];
	uint8_t key_len;
	uint32_t hash;
	uint32_t len;
	uint32_t stamp; /* the machine that wrote it */
	uint8_t *value;
};
struct ow_write {
	uint64_t op;
	usec_t at;
	struct ow_record r;
};
struct ow_disk {
	struct ow_record record[OW_RECORDS];
	struct ow_write write[OW_WRITES]; /* a ring */
	size_t count, first, writing;
	usec_t delay;	 /* of a write */
	int fails;	 /* 0 or the error of every write */
	bool hangs;	 /* no write is answered */
	unsigned dies_in; /* the process dies at this write; 0 = it does not */
};

/* --- a process --- */
struct ow_world;

struct ow_packet {
	uint16_t from, person; /* process; person it is for */
	uint8_t service;
	uint32_t len;
	uint8_t bytes[];
};

struct ow_event { /* a regs_event until it is handed on */
	struct regs_event e;
	uint8_t *grant;
};

struct ow_waits { /* an operation under way */
	uint64_t op;
	struct reg_name name;
	struct pubkey heir;
	uint8_t verb;
};

enum ow_state { OW_DEAD, OW_RUNS, OW_PAUSED /* its packets wait */, OW_ASLEEP /* they are lost */ };

struct ow_process {
	struct ow_world *w;
	uint16_t index, person;
	uint8_t side; /* of the network; OW_BRIDGE: of both */
	enum ow_state state;
	uint32_t life; /* rises with every start and stop: events of another life are void */
	uint32_t stamp; /* of its machine: boot and state folder (cmd/daemon_state.c) */
	bool superseded, quiet; /* quiet: neither claims nor releases by itself */
	struct regs *regs;
	struct leases *leases;
	struct fence fence;
	struct wall wall;
	struct drops drops;
	struct log log;
	usec_t clock_base, clock_from; /* its clock showed base at the world's `from` ... */
	int32_t clock_ppm;	       /* ... and runs so much faster */
	usec_t tick_at;
	struct ow_disk disk;
	struct ow_event events[32];
	size_t event_count;
	struct ow_waits waits[OW_OPS];
	size_t waits_count;
	struct ow_packet *waiting[OW_WAITING];
	size_t waiting_count;
	uint16_t *heard; /* by person: its process that spoke last */
	usec_t full_at;  /* when it was told that there is no address left, 0 = never */
	struct audit audit;
	uint64_t last_op, start_counter, start_op;
	struct ip asked;
	bool leases_touched; /* since the audit was told */
	bool dies;	     /* it came to the write at which it does */
	usec_t down;	     /* for so long then */
};

/* --- what a schedule is made of --- */
enum ow_fault {
	OW_PARTITION,
	OW_HEAL,
	OW_CRASH,
	OW_REBOOT, /* a crash; comes back with another clock */
	OW_CRASH_AT_WRITE,
	OW_DISK_FAILS,
	OW_DISK_HANGS,
	OW_DISK_GOOD,
	OW_DISK_BACK, /* it is what it was a while ago; the process starts anew */
	OW_DISK_LOST,
	OW_PAUSE,
	OW_SUSPEND,
	OW_RESUME,
	OW_START,
	OW_COPY,
	OW_CHANGE, /* of the keeper set */
	OW_CHANGE_TO,
	OW_CUT_IN_CHANGE, /* a partition as soon as one of the old keepers is sealed */
	OW_GRABS, /* everybody wants something within a second */
	OW_REVOKE,
	OW_COME_BACK, /* who was put out tries it */
	OW_ENROL,
	OW_LIE, /* the liar does something by itself */
	OW_FAULTS
};

struct ow_plan {
	usec_t at, span;
	uint8_t fault, who;
	uint16_t mask; /* of processes; of OW_CHANGE_TO: of the keepers to be */
	uint16_t bridge; /* processes that both sides of a partition reach, but not with news of sets */
	bool news;	 /* of a partition: news of sets pass it */
};

struct ow_net {
	uint32_t loss, doubled, late, junk; /* in a million */
	usec_t delay, jitter, late_max;
};

enum ow_flavour {
	OW_ANY,	     /* a little of everything */
	OW_LATE,     /* answers and frames that come a minute late */
	OW_STILL,    /* processes that stand still just when they sent something */
	OW_EDGE,     /* extreme clocks, an owner cut off, a claim the moment its lease is over */
	OW_COPIES,   /* disks put back, copied, moved to other machines */
	OW_TOKENS,   /* tokens for one, members put out that come again */
	OW_DUEL,     /* many proposers for one register */
	OW_RESTARTS, /* keepers that die, with disks that fail */
	OW_CHANGES,  /* of the keeper set, all the time */
	OW_QUORUMS,  /* one quorum decides, part of it is lost or cut off, another one goes on */
	OW_REINSTALL, /* a keeper that voted loses its disk; who is left to copy from missed its votes */
	OW_FLOORS,   /* names that nobody has make keepers forget promises, and they start anew */
	OW_FLAVOURS
};
extern const char *const ow_flavour_names[OW_FLAVOURS];

struct ow_rules { /* of one schedule, drawn at its start */
	uint8_t flavour;
	uint8_t keepers, people; /* people <= size.members */
	uint8_t hot;		 /* addresses that are asked for by name */
	usec_t span, hold, chat; /* how long things are kept; between frames: at most */
	uint32_t releases, transfers, reads, names, moves; /* in 1000 of a person's steps */
	uint8_t holder, eager; /* OW_EDGE: who holds, who claims; both 0 = nobody in particular */
	usec_t eager_from;
	uint8_t deaf; /* this process hears nothing of what keepers decide but of successors; 0 = none */
	uint32_t on_send, on_write; /* a pause or crash just then: in a million */
	struct ow_net net;
	uint32_t apart; /* seconds: wall clocks are wrong by so much, both ways */
	uint8_t promises; /* keepers keep so few of names that nobody has, and are asked for some; 0 = no */
};

struct ow_sizes {
	size_t members; /* people that are members from the start */
	size_t persons; /* and strangers, who share a token for one */
	size_t processes; /* theirs, and copies of them */
	uint32_t lease;
	bool hardened;
};

struct ow_snapshot {
	struct ow_record record[OW_RECORDS];
	size_t count;
};

struct ow_world {
	usec_t now, begin, end;
	uint64_t seed, index, trace;
	int flavour; /* of every schedule; OW_FLAVOURS = it is drawn */
	struct sim_rng rng;
	struct sim_heap heap;
	struct ow_pool pool;
	struct ow_rules rules;
	struct ow_plan plan[OW_PLAN];
	size_t plan_count;
	struct ow_sizes size;
	struct ow_process *process;
	size_t processes;
	struct key_pair root, *person;
	uint8_t token_seed[OW_TOKEN_SETS][SEED_LEN];  /* for members */
	uint8_t single_seed[SEED_LEN]; /* admits one */
	struct settings settings;
	struct reg_name hot_name;
	struct ow_snapshot *base[OW_SETS]; /* by person: how schedules begin */
	struct ow_snapshot *old; /* what OW_DISK_BACK brings back */
	size_t answer_len; /* of the grant that the last operation of the root brought */
	struct sim_audit *audit;
	struct reg_name name[OW_NAMES]; /* and the audit's words for them */
	uint16_t name_word[OW_NAMES];
	size_t name_count;
	unsigned admitted; /* strangers that the single token let in */
	uint16_t revoked;  /* people that were */
	uint64_t packets, writes, operations, changes;
	uint32_t machines; /* stamps given out */
	uint32_t mistakes; /* names that nobody has, asked for in this schedule */
	bool news; /* pass between the sides */
	struct ow_plan cut; /* of OW_CUT_IN_CHANGE, while it waits; mask 0 = none */
	char wrong[200];
	struct ow_liar *liar; /* NULL until one is needed; sim_own_liar_impl.h */
	uint8_t liars;	      /* enum ow_liars */
	uint64_t served;      /* operations that were, while keepers lied */
	uint64_t disputes;    /* where a majority decides and one of it lies */
	bool tells; /* what happens, on standard error */
};

/* In which schedules a keeper lies. Mixed: every second one of a hardened namespace. */
enum ow_liars { OW_LIARS_MIXED, OW_LIARS_NONE, OW_LIARS_ALL, OW_LIARS_KINDS };

enum ow_kind { OW_PACKET, OW_WRITTEN, OW_TICK, OW_PLANNED, OW_STEP, OW_CHAT, OW_WAKE,
	       OW_GRAB };

/* sim_own.c */
uint64_t ow_draw(struct ow_world *w, uint64_t below);	/* 0 below 1 */
bool ow_chance(struct ow_world *w, uint32_t in_a_million);
void ow_push(struct ow_world *w, usec_t at, enum ow_kind kind, const struct ow_process *p);
void ow_trace(struct ow_world *w, uint64_t word);
void ow_wrong(struct ow_world *w, const char *what);
void ow_run(struct ow_world *w, usec_t until);

/* sim_own_disk.c */
void ow_disk_write(struct ow_process *p, uint64_t op, const uint8_t *key, size_t key_len,
		    const uint8_t *value, size_t len);
bool ow_disk_due(struct ow_process *p, uint64_t *op, int *result); /* the first write ended */
void ow_disk_stop(struct ow_process *p, bool power); /* power: some prefix is on the disk */
void ow_disk_clear(struct ow_process *p);
void ow_disk_load(struct ow_process *p, const struct ow_snapshot *s);
void ow_snapshot_take(struct ow_world *w, struct ow_snapshot *s, const struct ow_disk *d);
void ow_snapshot_clear(struct ow_world *w, struct ow_snapshot *s);

/* sim_own_net.c */
void ow_net_send(struct ow_process *from, const struct pubkey *to, uint8_t service,
		  const uint8_t *msg, size_t len);
/* What leaves a process, whoever had a hand in it. */
void ow_net_say(struct ow_process *from, size_t person, uint8_t service, struct rd msg);
void ow_net_arrive(struct ow_world *w, struct ow_packet *k);
size_t ow_person_of(const struct ow_world *w, const struct pubkey *key);

/* sim_own_process.c */
usec_t ow_now(const struct ow_process *p); /* by its own clock */
usec_t ow_common(const struct ow_process *p, usec_t own);
struct ow_process *ow_process_new(struct ow_world *w, size_t person);
void ow_start(struct ow_process *p);
void ow_another_machine(struct ow_process *p); /* or boot, or folder */
void ow_stop(struct ow_process *p, bool power);
void ow_clock_draw(struct ow_process *p);
void ow_input(struct ow_process *p, const struct ow_packet *k);
void ow_tick(struct ow_process *p);
void ow_settle(struct ow_process *p); /* after every call into a process */
bool ow_submit(struct ow_process *p, const struct reg_op *req, const struct key_pair *admin);
struct ow_process *ow_running(struct ow_world *w, size_t person);

/* sim_own_flavour.c */
void ow_plan_draw(struct ow_world *w);
usec_t ow_span_draw(struct ow_world *w);
void ow_edge_clocks(struct ow_world *w);

/* sim_own_fault.c */
void ow_fault(struct ow_world *w, const struct ow_plan *f);
void ow_wake(struct ow_process *p);
void ow_cut(struct ow_process *p); /* when it waits for this one */
void ow_cut_now(struct ow_world *w);
void ow_die(struct ow_process *p); /* at the write that was chosen, after the call that made it */
void ow_on_send(struct ow_process *p); /* an operation left: something may happen just now */

/* sim_own_work.c */
void ow_work_begin(struct ow_process *p);
void ow_step(struct ow_process *p);
void ow_chat(struct ow_process *p);
void ow_grab(struct ow_process *p); /* claims one more address */
void ow_frame(struct ow_process *p, const struct ow_packet *k);
void ow_revoke(struct ow_world *w, size_t person);
void ow_come_back(struct ow_world *w, size_t person);
void ow_strangers(struct ow_world *w);
void ow_answered(struct ow_process *p, const struct ow_waits *q, const struct regs_event *e);

/* sim_own_liar.c: a keeper that lies */
void ow_liar_begin(struct ow_world *w); /* after the plan was drawn, when this schedule has one */
void ow_liar_end(struct ow_world *w);
bool ow_liar_is(const struct ow_process *p);
bool ow_liar_says(struct ow_process *p, size_t person, uint8_t service, struct rd msg);
void ow_liar_hears(struct ow_process *p, const struct ow_packet *k); /* before its keeper does */
void ow_liar_acts(struct ow_world *w);
void ow_liar_put_out(struct ow_world *w, size_t person); /* the root did so */
void ow_liar_sums(const struct ow_world *w);
void ow_liar_free(struct ow_world *w);

/* sim_own_make.c */
void ow_enrol(struct ow_process *p, const struct config *cf, const uint8_t seed[SEED_LEN]);
void ow_people(struct ow_world *w); /* their keys, and what they agree on */
void ow_make(struct ow_world *w); /* the template: people enrolled at 1, 3 and 5 keepers */
void ow_load(struct ow_world *w, size_t set); /* processes of everybody, with those disks */

/* sim_own.c */
struct ow_world *ow_new(const struct ow_sizes *size, const char *subnet);
void ow_reset(struct ow_world *w); /* nobody runs, nothing is under way */
void ow_free_world(struct ow_world *w);
/* NULL, or the rule that was broken; w->wrong says how. */
const char *ow_schedule(struct ow_world *w, uint64_t seed, uint64_t index);

#endif
