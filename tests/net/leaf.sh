#!/bin/sh
# leaf.sh - a leaf: one link, nobody's relay, cheap when idle, quick after a sleep.
#
#   alpha  9.9.0.1  (creates, keeper) ---+
#   beta   9.9.0.2                    ---+--- br0
#   gamma  9.9.0.3                    ---+
#   delta  9.9.0.4  (leaf)            ---+
set -eu
. "$SRCDIR/tests/lab/lib.sh"

idle=60	 # seconds measured
a_day=1000000 # bytes, as delta's interface counts IP packets of UDP, both ways
sleep=40

# A host's UDP, both ways, counted by nftables: IP bytes.
meter() {
	at "$1" nft -f - <<-'NFT'
		table inet lab {
			counter octets { packets 0 bytes 0 }
			chain in { type filter hook input priority 0; iif eth0 meta l4proto udp counter name octets; }
			chain out { type filter hook output priority 0; oif eth0 meta l4proto udp counter name octets; }
		}
	NFT
}

metered() {
	at "$1" nft -j list counter inet lab octets | jq '.nftables[1].counter.bytes'
}

# Who has a link with delta, by the ring of every full node, must say so: a leaf.
known_as_leaf() {
	at_least_one=
	for h in alpha beta gamma; do
		roles=$(field $h ".overlays[].links[] | select(.key == \"$delta\") | .role" ring)
		[ -z "$roles" ] && continue
		[ "$roles" = leaf ] || {
			echo "for $h delta is: $roles"
			return 1
		}
		at_least_one=yes
	done
	[ -n "$at_least_one" ]
}

one_link() {
	[ "$(field delta '[.overlays[].links[]] | length' ring)" -eq 1 ]
}

first() { # FROM ADDRESS: milliseconds from now to the first answer
	echo $(($(at "$1" python3 "$SRCDIR/tests/lab/first_ping.py" "$2" 10) - woken))
}

woke() { # FILE: the first answer within two seconds
	cat "$1"
	[ -s "$1" ] && [ "$(cat "$1")" -le 2000 ]
}

lab_begin vt-leaf
lab_host alpha 1
lab_host beta 2
lab_host gamma 3
lab_host delta 4
lab_namespace demo alpha beta gamma
vpnd_start delta --leaf join --token-file "$(token alpha demo)"
t "a leaf joins" ctl delta wait --timeout 10s
delta=$(field delta .key status)
for h in beta delta; do
	lab_resolver $h
done
t "is pinged by name" wait_for 3 at beta ping -4 -n -c 1 -W 2 delta.demo.internal
t "pings by name" wait_for 3 at delta ping -4 -n -c 1 -W 2 gamma.demo.internal
t "has one link in the ring" wait_for 5 one_link
t "and is a leaf to those that have one with it" wait_for 5 known_as_leaf

# A leaf that was only switched on, without the sessions that pings have left.
vpnd_stop delta
vpnd_start delta --leaf
ctl delta wait --timeout 10s >/dev/null
sleep 20 # what the start set off is over
meter delta
sleep $idle
bytes=$(metered delta)
echo "# note: $bytes bytes in $idle s, $((bytes * 86400 / idle)) a day"
t "idle, it costs at most 1 MB a day" [ $((bytes * 86400 / idle)) -le $a_day ]

beta=$(lab_address beta) delta4=$(lab_address delta)
t "it is reached and reaches" answered delta "$beta"
kill -STOP "$(vpnd_pid delta)"
sleep $sleep
kill -CONT "$(vpnd_pid delta)"
woken=$(lab_now)
first delta "$beta" >"$LAB_DIR/to" 2>&1 &
to=$!
first beta "$delta4" >"$LAB_DIR/from" 2>&1 &
from=$!
wait $to || :
wait $from || :
echo "# note: first ping after $sleep s of sleep: to beta $(cat "$LAB_DIR/to") ms, from beta $(cat "$LAB_DIR/from") ms"
t "after a sleep of $sleep s its first ping is answered within 2 s" woke "$LAB_DIR/to"
t "and so is the first ping to it" woke "$LAB_DIR/from"
t "it has one link again" wait_for 10 one_link
t "and is still a leaf to the others" wait_for 5 known_as_leaf
t_done
