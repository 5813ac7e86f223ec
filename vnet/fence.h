/* fence.h - the highest generation seen of every address, also after its flow is gone. */
#ifndef VNET_FENCE_H
#define VNET_FENCE_H

#include "base/key.h"
#include "base/list.h"
#include "base/map.h"
#include "base/addr.h"

#define FENCE_MAX 65536

struct fence {
	struct map by_ip;
	struct list age; /* least recently confirmed first */
};

enum fence_word {
	FENCE_PASS,	/* as high as any seen, by the same owner, or higher */
	FENCE_OLD,	/* a higher generation is known: ignore */
	FENCE_CONFLICT, /* two owners at one generation: believe neither until a higher one comes */
};

void fence_init(struct fence *f, const uint8_t seed[16]);
void fence_fini(struct fence *f);
/* Judges a verified binding and remembers it. */
enum fence_word fence_judge(struct fence *f, const struct ip *ip, const struct pubkey *owner,
			    uint64_t generation);

#endif
