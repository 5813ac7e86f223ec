/* boot.h - clocks, randomness, and which boot of which machine this is. */
#ifndef HOST_BOOT_H
#define HOST_BOOT_H

#include <stddef.h>
#include <stdint.h>

#include "base/time.h"

#define BOOT_STAMP_LEN 8

usec_t boot_now(void);	     /* CLOCK_BOOTTIME: goes on during suspend */
uint64_t boot_wall(void);    /* seconds since 1970 */
int64_t boot_difference(void); /* CLOCK_REALTIME minus CLOCK_BOOTTIME, microseconds */
void boot_random(void *out, size_t len);

/* Names this boot of this machine with this state folder: a hash of the boot id and of the folder's
 * device and inode. What was written under an equal stamp may be believed about BOOTTIME (DESIGN
 * 12.4); after a reboot, or in a copied folder, the stamp is another one. 0 or negative errno. */
int boot_stamp(const char *dir, uint8_t out[BOOT_STAMP_LEN]);

#endif
