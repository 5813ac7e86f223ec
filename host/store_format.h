/* store_format.h - what store.c (reads) and store_write.c (writes) share; see store.c. */
#ifndef HOST_STORE_FORMAT_H
#define HOST_STORE_FORMAT_H

#include <sodium.h>

#include "host/store.h"

#define STORE_MARK "vpndstat"
#define STORE_VERSION 1
#define STORE_MAGIC 0xb7c3d51eu
#define STORE_SUM_LEN 16
#define STORE_HEAD_LEN 56
#define STORE_UNIT_HEAD (8 + STORE_SUM_LEN)

void store_sum(uint8_t out[STORE_SUM_LEN], const uint8_t salt[16], const uint8_t *records,
	       size_t len);
/* Changes the live pairs; false when the records do not parse. */
bool store_apply(struct store *s, const uint8_t *records, size_t len);
/* Writes all live pairs as a new file in place of the old one. 0 or negative errno. */
int store_rewrite(struct store *s);

#endif
