#!/bin/sh
# recovery.sh - the creator's machine burns down, with it the only keeper. A new machine, a new address,
# and the line of `vpnctl root backup`: the network heals within two minutes, and everybody keeps the
# address and the name that the first keeper had granted.
#
#   alpha (creator, the only keeper; destroyed) ---+
#   beta, gamma (members)                       ---+--- br0
#   delta (comes after the fire, from backup)   ---+
#   echo (invited by delta)                     ---+
set -eu
. "${SRCDIR:?}/tests/lab/lib.sh"

lab_begin vt-recovery
for h in alpha:11 beta:12 gamma:13 delta:14 echo:15; do
	lab_host "${h%:*}" "${h#*:}"
done
lab_namespace home alpha beta gamma
beta=$(lab_address beta)
gamma=$(lab_address gamma)
t "members reach each other" wait_for 20 answered beta "$gamma"
ctl alpha root backup >"$LAB_DIR/backup"
t "the backup is one line" test "$(wc -l <"$LAB_DIR/backup")" -eq 1

vpnd_stop alpha KILL
rm -rf "$LAB_DIR/alpha/state"
ip -n "$LAB-alpha" link set eth0 down

t "without a keeper traffic goes on" wait_for 10 answered beta "$gamma"
vpnd_start delta
restore() { ctl delta root restore "$@" <"$LAB_DIR/backup"; }
no_era() { ! restore; }
t "a new era is begun only when a person says so" no_era
damaged() { ! sed 's/......$/AAAAAA/' "$LAB_DIR/backup" | ctl delta root restore --new-era; }
t "a damaged backup is refused" damaged
nothing() { [ "$(field delta '.namespaces | length' namespaces)" = 0 ]; }
t "and leaves nothing behind" nothing
began=$(lab_now)
t "the backup begins again on a new machine" restore --new-era

era() { [ "$(field "$1" '.namespaces[0].era' namespaces)" = 1 ]; }
for h in beta gamma; do
	t "$h hears of the new keeper" wait_for 120 era "$h"
done
t "delta is a keeper" test "$(field delta '.namespaces[0].keeper' namespaces)" = true
anew() { # every lease was granted by the new era's keeper
	[ "$(field "$1" '[.addresses[] | select(.generation != null and .generation < 4294967296)] | length' addresses)" = 0 ] &&
		[ "$(field "$1" '[.addresses[] | select(.generation != null)] | length' addresses)" -ge 2 ]
}
for h in beta gamma; do
	t "$h has its leases from the new keeper" wait_for 120 anew "$h"
done
took=$(($(lab_now) - began))
echo "# healed after $took ms"
t "all within two minutes" test "$took" -lt 120000
t "beta kept its address" test "$(lab_address beta)" = "$beta"
t "gamma kept its address" test "$(lab_address gamma)" = "$gamma"
t "they reach each other" wait_for 10 answered beta "$gamma"
t "and the new machine" wait_for 20 answered beta "$(lab_address delta)"

vpnd_start echo join --token-file "$(token delta home)"
t "a new member is admitted" ctl echo wait --timeout 60s
share() { # an address of the share that the first era had held back: 10.77.240.0 to 10.77.247.255
	third=$(lab_address echo | cut -d. -f3)
	[ "$third" -ge 240 ] && [ "$third" -lt 248 ]
}
t "with an address that nobody can have had" share
t "it reaches those who were there before" wait_for 20 answered echo "$beta"
t_done
