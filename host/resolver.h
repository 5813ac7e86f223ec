/* resolver.h - tells this host's resolver which server answers for a zone.
 *
 * resolvectl where systemd-resolved serves this network namespace, else resolvconf, else one line
 * in the log that says what to configure by hand. /etc/resolv.conf is never written. Programs run
 * without a shell and are reaped by resolver_reap; nothing waits for them. */
#ifndef HOST_RESOLVER_H
#define HOST_RESOLVER_H

#include "base/addr.h"
#include "base/log.h"

#define RESOLVER_CHILDREN_MAX 32

struct resolver;

struct resolver *resolver_new(const struct log *log);
void resolver_free(struct resolver *r); /* does not undo: call resolver_unset before */
/* Questions about `zone` go to `dns` through this interface. */
void resolver_set(struct resolver *r, const char *ifname, const struct ip *dns, const char *zone);
void resolver_unset(struct resolver *r, const char *ifname);
void resolver_reap(struct resolver *r); /* on SIGCHLD; looks at its own children only */

#endif
