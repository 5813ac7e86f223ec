#!/bin/sh
# isolation.sh - two hosts, each in two namespaces with the same subnet: what is sent in one never
# comes out in the other. Once with an overlay each, once with one overlay for both.
#
#              vpnr in alpha-red  ---+                          +--- vpnr in beta-red
#   red, blue                        vpnd alpha ... br0 ... vpnd beta        red, blue
#              vpnb in alpha-blue ---+ 9.9.0.1         9.9.0.2  +--- vpnb in beta-blue
#
# A kernel has one route to a subnet. So that two equal ones can be used on one host, each TAP is moved
# into a network namespace of its own when vpnd has made it.
set -eu
. "$SRCDIR/tests/lab/lib.sh"

of() {
	field "$1" ".namespaces[] | select(.name == \"$2\") | .$3" namespaces
}

# Moves a namespace's TAP away; the kernel forgets its address on the way.
set_apart() {
	lab_tap=$(of "$1" "$2" interface)
	ip -n "$LAB-$1" link show "$lab_tap" >/dev/null 2>&1 || return 0 # it is there already
	ip -n "$LAB-$1" link set "$lab_tap" netns "$LAB-$1-$2"
	at "$1-$2" ip addr add "$(of "$1" "$2" ipv4)/24" dev "$lab_tap"
	at "$1-$2" ip link set "$lab_tap" up
}

# ping_in NAMESPACE FROM TO SIZE
ping_in() {
	at "$2-$1" ping -n -c 3 -i 0.1 -W 1 -s "$4" "$(of "$3" "$1" ipv4)"
}

# seen HOST-NAMESPACE SIZE: echo requests of this size on that TAP.
seen() {
	captured "$LAB_DIR/tap.$1" "icmp[icmptype] = icmp-echo and ip[2:2] = $(($2 + 28))" | wc -l
}

# seen_on SIZE NUMBER TAPS
seen_on() {
	for tap in $3; do
		echo "$tap $(seen "$tap" "$1")"
		[ "$(seen "$tap" "$1")" -eq "$2" ] || return 1
	done
}

# Both namespaces are there; $1 is what to call this round.
isolated() {
	captures=
	for h in alpha beta; do
		for ns in red blue; do
			set_apart $h $ns
			capture $h-$ns "$(of $h $ns interface)" "$LAB_DIR/tap.$h-$ns" icmp
			captures="$captures $LAB_CAPTURE:$LAB_CAPTURE_PID"
		done
	done
	t "$1: a ping in red is answered" ping_in red alpha beta 100
	t "$1: and back" ping_in red beta alpha 101
	t "$1: a ping in blue is answered" ping_in blue alpha beta 200
	t "$1: and back" ping_in blue beta alpha 201
	for c in $captures; do
		LAB_CAPTURE=${c%:*} LAB_CAPTURE_PID=${c#*:}
		capture_end
	done
	t "$1: red's pings were on red's TAPs" seen_on 100 3 "alpha-red beta-red"
	t "$1: and on none of blue's" seen_on 100 0 "alpha-blue beta-blue"
	t "$1: blue's pings were on blue's TAPs" seen_on 200 3 "alpha-blue beta-blue"
	t "$1: and on none of red's" seen_on 200 0 "alpha-red beta-red"
	rm -f "$LAB_DIR"/tap.*
}

# join_beside FROM NAMESPACE WHO INTERFACE ADDRESS
join_beside() {
	ctl "$3" join --ifname "$4" --address "$5" - <"$(token "$1" "$2")"
}

nobody() {
	! at alpha-blue ping -n -c 2 -i 0.2 -W 0.5 "$1"
}

no_drops() {
	for h in alpha beta; do
		field $h '.drops | to_entries[] | "\(.key) \(.value)"' status
		[ "$(field $h '.drops["spoof-peer"] // 0' status)" -eq 0 ] || return 1
	done
}

lab_begin vt-isolation
lab_host alpha 1
lab_host beta 2
for h in alpha beta; do
	vpnd_start $h
	for ns in red blue; do
		ip netns add "$LAB-$h-$ns"
	done
done
ctl alpha create red --subnet 10.77.0.0/24 --ifname vpnr --keepers manual >/dev/null
ctl alpha -n red wait >/dev/null
a=$(of alpha red ipv4)
b=$a
while [ "$b" = "$a" ]; do # crosswise they are equal only where they are not so already
	[ -z "$(of beta blue name)" ] || ctl beta delete blue >/dev/null
	ctl beta create blue --subnet 10.77.0.0/24 --ifname vpnb --keepers manual >/dev/null
	ctl beta -n blue wait >/dev/null
	b=$(of beta blue ipv4)
done
t "a node that is in a namespace joins another of the same subnet" join_beside beta blue alpha vpnb "$a"
t "and so does the other node" join_beside alpha red beta vpnr "$b"
t "addresses are equal in the two namespaces" \
	[ "$(of alpha red ipv4) $(of beta red ipv4)" = "$(of alpha blue ipv4) $(of beta blue ipv4)" ]
t "each has its overlay" [ "$(of alpha red overlay)" != "$(of alpha blue overlay)" ]
isolated "two overlays"

t "blue is left" ctl alpha leave blue
t "and deleted" ctl beta delete blue
t "and made again on red's overlay" \
	ctl alpha create blue --subnet 10.77.0.0/24 --overlay red --ifname vpnb --keepers manual
ctl alpha -n blue wait >/dev/null
t "and joined" join_beside alpha blue beta vpnb 10.77.0.99
t "both have one overlay" [ "$(of alpha red overlay)" = "$(of alpha blue overlay)" ]
isolated "one overlay"
t "an address that only red has cannot be reached in blue" nobody "$(of beta red ipv4)"
t "no packet came from somebody who has no grant for its source" no_drops
t_done
