#!/bin/sh
# ring30.sh - thirty daemons on one bridge: they become one ring, also when all start at once.
#
#   n1  9.9.0.1  (creates, keeper) ---+
#   n2  9.9.0.2                    ---+--- br0
#   ...                            ---+
#   n30 9.9.0.30                   ---+
set -eu
. "$SRCDIR/tests/lab/lib.sh"

nodes=30
near=3
hosts=$(seq -f 'n%.0f' $nodes)

# What the daemons say now goes to $LAB_DIR/ring/; is it one ring?
one_ring() {
	for h in $hosts; do
		ctl "$h" --json peers >"$LAB_DIR/ring/$h" 2>/dev/null || return 1
	done
	(cd "$LAB_DIR/ring" && python3 "$SRCDIR/tests/lab/ring.py" $near $hosts)
}

# Bytes of IP and ARP that each host has sent, one line each; Ethernet headers do not count.
sent() {
	for h in $hosts; do
		at "$h" awk '/eth0:/ { print $10 - 14 * $11 }' /proc/net/dev
	done
}

start_all() { # without waiting for any
	for h in $hosts; do
		rm -f "$LAB_DIR/$h/sock"
		lab_spawn "$h" "$LAB_DIR/$h/vpnd" "$VPND" --state "$LAB_DIR/$h/state" \
			--socket "$LAB_DIR/$h/sock" --hostname "$h" "$@"
		eval "VPND_PID_$h=$LAB_PID"
	done
}

ping_pairs() { # COUNT random pairs, drawn from a fixed seed; each within 10 s
	awk -v n=$nodes -v count="$1" 'BEGIN { srand(7); while (count) { a = int(rand() * n) + 1
		b = int(rand() * n) + 1; if (a != b) { print "n" a, "n" b; count-- } } }' >"$LAB_DIR/pairs"
	while read -r a b; do
		wait_for 10 answered "$a" "$(cat "$LAB_DIR/address.$b")" || {
			echo "$a does not reach $b"
			return 1
		}
	done <"$LAB_DIR/pairs"
}

lab_begin vt-ring
mkdir "$LAB_DIR/ring"
i=0
for h in $hosts; do
	i=$((i + 1))
	lab_host "$h" $i
done
lab_namespace demo n1
token=$(token n1 demo --uses $nodes)
for h in $hosts; do
	[ "$h" = n1 ] || vpnd_start "$h" join --token-file "$token"
done
for h in $hosts; do
	ctl "$h" wait --timeout 60s >/dev/null || :
	lab_address "$h" >"$LAB_DIR/address.$h"
	field "$h" .key status >"$LAB_DIR/ring/$h.key"
done
t "$nodes nodes that joined one after the other are one ring" wait_for 60 one_ring
one_ring | sed 's/^/# note: joined: /' | tail -1

# All are killed and started at once: are they one ring within 30 s, and has nobody sent too much by then?
# The one keeper, which serves all the others, sends twice as much and more (docs/evidence/labs.md).
# The aim is 50 kB a node, and 45 to 47 were seen; who has to wait for a processor repeats more.
storm() {
	slow=$(slowness)
	for h in $hosts; do
		kill -KILL "$(vpnd_pid "$h")"
	done
	for h in $hosts; do
		wait "$(vpnd_pid "$h")" 2>/dev/null || :
	done
	sleep 1 # what is under way dies
	sent >"$LAB_DIR/before"
	began=$(lab_now)
	# shellcheck disable=SC2086
	start_all ${LAB_VPND-} # options for experiments
	formed=yes
	wait_for 30 one_ring || formed=no
	took=$(($(lab_now) - began))
	one_ring | sed "s/^/# note: after $took ms: /" | tail -1
	while [ $(($(lab_now) - began)) -lt 30000 ]; do
		sleep 0.2
	done
	sent | paste "$LAB_DIR/before" - | awk '{ print $2 - $1 }' | sort -n >"$LAB_DIR/sent"
	mean=$(awk '{ sum += $1 } END { print int(sum / NR) }' "$LAB_DIR/sent")
	most=$(tail -1 "$LAB_DIR/sent")
	echo "# note: bytes sent in those 30 s: mean $mean, median $(sed -n "$((nodes / 2))p" "$LAB_DIR/sent"), most $most;" \
		"programs take $slow % of their time"
	[ $formed = yes ] && little "$mean" 60000 && little "$most" 180000
}
little() { [ "$1" -lt $(($2 * slow / 100)) ]; }

[ -z "${LAB_KEEP-}" ] || capture n5 eth0 "$LAB_DIR/n5.pcap" udp
best_of 2 storm || :
t "all killed and started at once, they are one ring within 30 s" [ $formed = yes ]
t "a node sent less than 60 kB in those 30 s, on the average" little "$mean" 60000
t "and nobody 180 kB" little "$most" 180000
t "it is one ring still" one_ring
t "random pairs reach each other" ping_pairs 10
t_done
