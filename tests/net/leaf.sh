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

# To every full node that has a session with delta it is a leaf, and there is one.
known_as_leaf() {
	roles=
	for h in alpha beta gamma; do
		roles="$roles $(field $h ".peers[] | select(.key == \"$delta\") | .role" peers)"
	done
	echo "delta is:$roles"
	[ "$(echo "$roles" | tr -s ' ' '\n' | sed '/^$/d' | sort -u)" = leaf ]
}

# Sessions that its traffic needs may come and go; the ring's is one.
one_link() {
	roles=$(field delta '.peers[].role | select(.)' peers)
	echo "delta has: $roles"
	[ "$roles" = uplink ]
}

first() { # FROM ADDRESS: milliseconds from now to the first answer
	echo $(($(at "$1" python3 "$SRCDIR/tests/lab/first_ping.py" "$2" 10) - woken))
}

woke() { # FILE: the first answer within two seconds
	[ -s "$1" ] && within 2000 "$(cat "$1")"
}

lab_begin vt-leaf
lab_host alpha 1
lab_host beta 2
lab_host gamma 3
lab_host delta 4
lab_namespace demo alpha beta gamma
vpnd_start delta --leaf join --token-file "$(token alpha demo)"
t "a leaf joins" ctl delta wait --timeout 60s
delta=$(field delta .key status)
t "it has one link in the ring" wait_for 20 one_link
t "and is a leaf to who has one with it" wait_for 20 known_as_leaf

# What joining set off ends within 190 s: each record is put once to those who are to have it, three
# minutes after the start at the latest. So the fourth minute is quiet. Where a slow disk made it join by way
# of another than the keeper it has two sessions at first, and the one that it does not need ends when it
# was not used for 15 minutes: so the first quiet minute of seventeen counts.
idle_minute() {
	for try in $(seq 17); do
		bytes=$(metered delta)
		sleep $idle
		bytes=$(($(metered delta) - bytes))
		echo "# note: $bytes bytes in $idle s, $((bytes * 86400 / idle)) a day" >&3
		[ $((bytes * 86400 / idle)) -gt $a_day ] || return 0
	done
	return 1
}

exec 3>&1
sleep 20
[ -z "${LAB_KEEP-}" ] || capture delta eth0 "$LAB_DIR/idle.pcap" udp
meter delta
t "idle, it costs at most 1 MB a day" idle_minute

for h in beta delta; do
	lab_resolver $h
done
t "it is pinged by name" wait_for 10 at beta ping -4 -n -c 1 -W 2 delta.demo.internal
t "and pings by name" wait_for 10 at delta ping -4 -n -c 1 -W 2 gamma.demo.internal
beta=$(lab_address beta) delta4=$(lab_address delta)
sleeps() {
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
	to_late=no from_late=no
	woke "$LAB_DIR/to" || to_late=yes
	woke "$LAB_DIR/from" || from_late=yes
	[ $to_late$from_late = nono ]
}
best_of 3 sleeps || :
t "after a sleep of $sleep s its first ping is answered within 2 s" [ $to_late = no ]
t "and so is the first ping to it" [ $from_late = no ]
t "it has one link again" wait_for 60 one_link
t "and is a leaf to everybody still" wait_for 60 known_as_leaf
t_done
