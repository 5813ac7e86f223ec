/* store.h - the durable map on disk: one file of checked units, and the live pairs in memory.
 *
 * Single-threaded; host/journal.c runs it on its worker. File format: see store.c. */
#ifndef HOST_STORE_H
#define HOST_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/log.h"
#include "base/map.h"

#define STORE_NAME "state"
#define STORE_PAIRS_MAX (1u << 20)
#define STORE_KEY_MAX 1024
#define STORE_VALUE_MAX (1u << 20)
#define STORE_UNIT_MAX (16u << 20) /* bytes of records in one unit */
#define STORE_RECORD_HEAD 6	   /* key length 2, value length 4 */
#define STORE_ERROR_MAX 1280

struct store_pair {
	uint8_t id[16]; /* hash of the key: what the map goes by */
	size_t key_len, len;
	uint8_t bytes[]; /* key, then value */
};

struct store {
	struct map pairs; /* of struct store_pair */
	const struct log *log;
	char dir[512];
	int fd;
	uint8_t salt[16]; /* keys the checksums of this file */
	uint64_t end;	  /* file length that is whole and durable */
	uint64_t live;	  /* bytes of records that a rewritten file would have */
	bool rewrite;	  /* what is on disk is unknown: write the file anew first */
};

/* Opens or makes DIR/state and replays it. A torn end is cut off and logged. Negative errno with a
 * sentence in `error`: -EBADMSG damaged, -EPROTO of another version, else of the system. */
int store_open(struct store *s, const char *dir, const struct log *log,
	       char error[STORE_ERROR_MAX]);
void store_close(struct store *s);
/* Adds one record to buf, which has STORE_RECORD_HEAD + key_len + len bytes of room. */
void store_record(uint8_t *buf, const uint8_t *key, size_t key_len, const uint8_t *value,
		  size_t len);
/* Appends records as one unit, durable on return; then changes the live pairs. On failure nothing
 * is changed, on disk neither. 0 or negative errno. */
int store_commit(struct store *s, const uint8_t *records, size_t len);
/* Writes the file anew when over half of it and over 1 MiB is dead. 0 or negative errno. */
int store_compact(struct store *s);

#endif
