#!/bin/sh
# restart.sh - kill -9 of each node in turn, the keeper included: it comes back as who it was.
#
#   alpha  9.9.0.1  (creates, keeper) ---+
#   beta   9.9.0.2                    ---+--- br0
#   gamma  9.9.0.3                    ---+
#   delta  9.9.0.4  (joins last)      ---+
set -eu
. "$SRCDIR/tests/lab/lib.sh"

hosts='alpha beta gamma'

who() {
	field "$1" '[.key, .namespaces[0].ipv4, .namespaces[0].ipv6, .namespaces[0].host] | join(" ")' status
}

# A ping in each direction between a host and the others, from before the restart: the slowest one's
# time goes to $slowest.
restarted() {
	address=$(lab_address "$1")
	pings=
	vpnd_stop "$1" KILL
	for other in $hosts; do
		[ "$other" != "$1" ] || continue
		at "$other" python3 "$helper" "$address" 10 >"$LAB_DIR/from.$other" 2>&1 &
		pings="$pings $!"
		at "$1" python3 "$helper" "$(eval "echo \$address_$other")" 10 >"$LAB_DIR/to.$other" 2>&1 &
		pings="$pings $!"
	done
	sleep 0.3
	began=$(lab_now)
	vpnd_start "$1"
	all=0
	for p in $pings; do
		wait "$p" || all=1
	done
	slowest=$(cat "$LAB_DIR"/from.* "$LAB_DIR"/to.* | sort -n | tail -1)
	rm -f "$LAB_DIR"/from.* "$LAB_DIR"/to.*
	return $all
}

soon() {
	restarted "$1" || return 1
	echo "# note: $((slowest - began)) ms after the restart"
	within 3000 $((slowest - began))
}

lab_begin vt-restart
for i in 1 2 3; do
	# shellcheck disable=SC2086
	h=$(echo $hosts | cut -d' ' -f$i)
	lab_host "$h" $i
	lab_small_disk "$h" 16m
done
helper=$SRCDIR/tests/lab/first_ping.py
lab_namespace demo alpha beta gamma
for h in $hosts; do
	eval "address_$h=$(lab_address "$h")"
	lab_resolver "$h"
done
t "everybody can be pinged" wait_for 10 answered beta "$(lab_address gamma)"
t "and the keeper" wait_for 10 answered gamma "$(lab_address alpha)"

for h in beta gamma alpha; do
	was=$(who "$h")
	back=yes
	best_of 3 soon "$h" || back=no
	ctl "$h" wait --timeout 60s >/dev/null 2>&1 || :
	t "$h, killed, has the same key, address and name" [ "$(who "$h")" = "$was" ]
	t "pings to and from $h are answered within 3 s of the restart" [ $back = yes ]
done
t "names resolve after all that" wait_for 10 at beta ping -4 -c 1 -W 2 gamma.demo.internal
lab_host delta 4
vpnd_start delta join --token-file "$(token alpha demo)"
t "a new node is admitted by the keeper that was killed" ctl delta wait --timeout 60s
t_done
