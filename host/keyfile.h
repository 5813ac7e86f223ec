/* keyfile.h - the identity file STATE/identity: one seed, readable by its owner only. */
#ifndef HOST_KEYFILE_H
#define HOST_KEYFILE_H

#include <stddef.h>
#include <stdint.h>

#define KEYFILE_SEED_LEN 32
#define KEYFILE_ERROR_MAX 1280

/* 0 and the seed; -ENOENT when there is no file; another negative errno when there is one that
 * cannot be used, with a sentence in `error` that names it and says what to do. */
int keyfile_load(const char *dir, uint8_t seed[KEYFILE_SEED_LEN], char error[KEYFILE_ERROR_MAX]);
/* Writes the file durably. 0 or negative errno. */
int keyfile_save(const char *dir, const uint8_t seed[KEYFILE_SEED_LEN]);

#endif
