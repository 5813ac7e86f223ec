#!/bin/sh
# partition.sh - the network falls in two: the side without a majority of keepers keeps what it owns
# and gets nothing new, the other one goes on, and in the end nothing was owned twice.
#
#   alpha  9.9.0.1  (creates, keeper) ---+
#   delta  9.9.0.4                    ---+--- br1, then br0 again
#   eta    9.9.0.5                    ---+
#   beta   9.9.0.2  (keeper)          ---+
#   gamma  9.9.0.3  (keeper)          ---+--- br0
#   zeta   9.9.0.6                    ---+
set -eu
. "$SRCDIR/tests/lab/lib.sh"

owns() { field "$1" ".addresses[] | select(.value == \"$2\") | .state" addresses | grep -qx held; }
owns_not() { ! owns "$@"; }
unreachable() {
	[ "$(field "$1" '[.keepers[] | select(.reachable | not) | .name] | sort | join(" ")' keepers)" = "$2" ]
}

LAB_AUDIT=yes
lab_begin vt-part
n=0
for h in alpha beta gamma delta eta zeta; do
	lab_host $h $((n += 1))
done
lab_small_disk delta 16m
LAB_KEEPERS=auto
lab_namespace demo alpha beta gamma
wait_for 60 ctl alpha keepers grow
t "there are three keepers" wait_for 60 keepers_are alpha 3
token=$(token alpha demo --uses 3)
for h in delta eta zeta; do
	vpnd_start $h join --token-file "$token"
	ctl $h wait --timeout 60s >/dev/null
done
eta=$(lab_address eta)
eta6=$(field eta '.namespaces[0].ipv6' namespaces)
delta=$(lab_address delta)
zeta=$(lab_address zeta)
zeta6=$(field zeta '.namespaces[0].ipv6' namespaces)
t "everybody can be pinged" wait_for 10 answered delta "$zeta"
t "and on the side to be" wait_for 10 answered delta "$eta"

lab_part alpha delta eta
t "cut off: a new claim is told that no majority can be reached, within 5 s" no_majority delta orphan
echo "# note: said after $(cat "$LAB_DIR/took") ms"
t "owners there keep their addresses and reach each other" wait_for 10 answered delta "$eta"
t "derived IPv6 works there" wait_for 10 answered delta "$eta6"
t "the keeper there says whom it does not hear" wait_for 60 unreachable alpha "beta gamma"
t "the majority grants" wait_for 60 ctl zeta name add winner
t "also what the others asked for" wait_for 60 ctl zeta name add orphan
t "and knows who is missing" wait_for 60 unreachable beta alpha
t "derived IPv6 works there too" wait_for 10 answered gamma "$zeta6"
t "who owns is not asked again: delta still has its address" [ "$(lab_address delta)" = "$delta" ]

lab_heal
t "together again they reach each other within 30 s" wait_for 30 answered delta "$zeta"
t "and by derived IPv6" wait_for 60 answered delta "$zeta6"
t "all three keepers work" wait_for 60 keepers_are alpha 3
t "a claim is granted on the side that was cut off" wait_for 60 ctl delta name add back
t "what the majority gave away belongs to one alone" owns zeta orphan
t "and not to who was refused" owns_not delta orphan
t "nothing was owned twice" lab_audit
t_done
