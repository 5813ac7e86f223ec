/* ring_sample.h - how far away a shortcut is drawn: Symphony's harmonic distribution (Manku, Bawa,
 * Raghavan, USITS'03), in integers. */
#ifndef P2P_RING_SAMPLE_H
#define P2P_RING_SAMPLE_H

#include <stddef.h>
#include <stdint.h>

/* A distance in 2^-64 of the circle between 1/nodes and 1/2, density proportional to 1/distance.
 * `nodes` from 4 on. */
uint64_t ring_sample(void (*random)(void *ctx, void *out, size_t len), void *ctx, uint64_t nodes);

#endif
