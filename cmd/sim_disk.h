/* sim_disk.h - a node's durable map in the simulator. */
#ifndef CMD_SIM_DISK_H
#define CMD_SIM_DISK_H

#include <stddef.h>
#include <stdint.h>

struct sim_store;

/* What many disks of one world hold alike. It outlives them. */
struct sim_values;
struct sim_values *sim_values_new(void);
void sim_values_free(struct sim_values *v);

struct sim_store *sim_store_new(struct sim_values *values);
struct sim_store *sim_store_copy(const struct sim_store *d); /* of what is on the disk */
void sim_store_free(struct sim_store *d);
/* A write on its way; it is on the disk for certain after sim_store_end. */
void sim_store_begin(struct sim_store *d, uint64_t op, const uint8_t *key, size_t key_len,
		     const uint8_t *value, size_t len);
void sim_store_end(struct sim_store *d, uint64_t op);
/* Power fails: a prefix of the writes under way, chosen by `luck`, is on the disk. */
void sim_store_crash(struct sim_store *d, uint64_t luck);
/* Every pair, sorted by the place of the key's first byte in `order`, then by key. */
void sim_store_each(struct sim_store *d, const char *order,
		    void (*each)(void *ctx, const uint8_t *key, size_t key_len,
				 const uint8_t *value, size_t len),
		    void *ctx);

#endif
