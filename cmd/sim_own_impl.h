/* sim_own_impl.h - what the files of the ownership world share. */
#ifndef CMD_SIM_OWN_IMPL_H
#define CMD_SIM_OWN_IMPL_H

#include "cmd/sim_own.h"

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
void ow_net_arrive(struct ow_world *w, struct ow_packet *k);
size_t ow_person_of(const struct ow_world *w, const struct pubkey *key);

/* sim_own_process.c */
usec_t ow_now(const struct ow_process *p); /* by its own clock */
usec_t ow_common(const struct ow_process *p, usec_t own);
struct ow_process *ow_process_new(struct ow_world *w, size_t person);
void ow_start(struct ow_process *p, bool same_machine);
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

/* sim_own_make.c */
void ow_enrol(struct ow_process *p, const struct config *cf, const uint8_t seed[SEED_LEN]);
void ow_people(struct ow_world *w); /* their keys, and what they agree on */
void ow_make(struct ow_world *w); /* the template: people enrolled at 1, 3 and 5 keepers */

/* sim_own.c */
struct ow_world *ow_new(void);
void ow_free_world(struct ow_world *w);
/* NULL, or the rule that was broken; w->wrong says how. */
const char *ow_schedule(struct ow_world *w, uint64_t seed, uint64_t index);

#endif
