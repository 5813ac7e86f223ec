#!/bin/sh
# lan_beacon.sh - a site that is cut from the world finds itself.
#
#   gamma  9.9.0.1   (creates, keeper) ---+
#   site router 9.9.0.5 ------------------+
#     |
#     +-- lan: alpha 10.1.0.11, beta 10.1.0.12, quiet 10.1.0.13 (no beacons), all routed by 10.1.0.1
set -eu
. "$SRCDIR/tests/lab/lib.sh"

# A host behind the router, on its bridge: site_host NAME LAST-OCTET
site_host() {
	LAB_HOSTS="$LAB_HOSTS $1"
	mkdir -p "$LAB_DIR/$1" "/etc/netns/$LAB-$1"
	: >"/etc/netns/$LAB-$1/resolv.conf"
	ip netns add "$LAB-$1"
	ip -n "$LAB-router" link add "s$2" type veth peer name eth0 netns "$LAB-$1"
	ip -n "$LAB-router" link set "s$2" master lan up
	ip -n "$LAB-$1" link set lo up
	ip -n "$LAB-$1" addr add "10.1.0.$2/24" dev eth0
	ip -n "$LAB-$1" link set eth0 up
	ip -n "$LAB-$1" route add default via 10.1.0.1
}

derived() {
	field "$1" '.namespaces[0].ipv6' namespaces
}

answered6() {
	at "$1" ping -6 -n -c 1 -W 1 "$2"
}

linked() { # HOST PEER: by a direct session
	field "$1" '.peers[] | [.key, .path] | join(" ")' peers | grep -q "$(key "$2") direct"
}

key() {
	cat "$LAB_DIR/key.$1"
}

beacons() { # in a capture, of IPv4, from an address: how many
	tcpdump -nn -r "$1" src host "$2" 2>/dev/null | wc -l
}

# Every packet of a capture has hop limit 255, an address or the link-local one as source, one length.
well_formed() {
	tcpdump -nn -v -r "$1" 2>/dev/null | grep -q 'hlim 255' || return 1
	tcpdump -nn -v -r "$1" 2>/dev/null | grep -q 'ttl 255' || return 1
	! tcpdump -nn -v -r "$1" 2>/dev/null | grep -e 'hlim' -e 'ttl' | grep -v -e 'hlim 255' -e 'ttl 255' &&
		! tcpdump -nn -v -r "$1" 2>/dev/null | grep 'length' | grep -v -e 'length: 100' -e 'length 92' -e 'length 120'
}

lab_begin vt-lan
lab_host gamma 1
lab_host router 5
at router ip link add lan type bridge
at router ip addr add 10.1.0.1/24 dev lan
at router ip link set lan up
at router sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'
at gamma ip route add 10.1.0.0/24 via 9.9.0.5
for h in alpha:11 beta:12 quiet:13; do
	site_host "${h%:*}" "${h#*:}"
done

lab_namespace demo gamma
for h in alpha beta; do
	vpnd_start $h join --token-file "$(token gamma demo)"
done
vpnd_start quiet --no-lan-beacon join --token-file "$(token gamma demo)"
for h in alpha beta quiet; do
	ctl $h wait --timeout 60s >/dev/null
	field $h .key status >"$LAB_DIR/key.$h"
done
alpha6=$(derived alpha) beta6=$(derived beta)
t "everybody is there" wait_for 10 answered6 alpha "$beta6"

# The world goes, and so does everything that was remembered but on disk: all they know is gamma and
# each other's addresses of before; those have changed as well.
for h in alpha beta quiet; do
	vpnd_stop $h KILL
done
at router ip link set eth0 down
for h in alpha:21 beta:22 quiet:23; do
	ip -n "$LAB-${h%:*}" addr flush dev eth0 scope global
	ip -n "$LAB-${h%:*}" addr add "10.1.0.${h#*:}/24" dev eth0
done

capture alpha eth0 "$LAB_DIR/alone.pcap" udp port 24656
vpnd_start alpha
again() { [ "$(beacons "$LAB_DIR/alone.pcap" 10.1.0.21)" -ge 2 ]; }
t "a beacon goes out at once, again, and again" wait_for 10 again
began=$(lab_now)
vpnd_start beta
t "cut from the world, they find each other within 15 s" wait_for 15 linked alpha beta
echo "# note: $(($(lab_now) - began)) ms after the second one's start"
t "and ping each other by derived IPv6" wait_for 10 answered6 alpha "$beta6"
t "in both directions" wait_for 10 answered6 beta "$alpha6"
sleep 2
capture_end
before=$(beacons "$LAB_DIR/alone.pcap" 10.1.0.22)
t "beacons have hop limit 255 and one length" well_formed "$LAB_DIR/alone.pcap"
t "no more than three of them, once there is a link" [ "$(beacons "$LAB_DIR/alone.pcap" 10.1.0.22)" -le 3 ]

vpnd_start quiet --no-lan-beacon
sleep 3
silent() { ! linked alpha quiet && ! linked beta quiet; }
t "who has no beacons finds nobody" silent
vpnd_stop quiet TERM

# A LAN that appears later.
ip -n "$LAB-quiet" link set eth0 down
vpnd_start quiet
ip -n "$LAB-quiet" link set eth0 up
found() { linked quiet alpha || linked quiet beta; }
t "who gets a LAN later is found on it" wait_for 15 found
vpnd_stop quiet

# Two daemons on one host, and nobody else.
vpnd_stop alpha
lab_spawn beta "$LAB_DIR/quiet/vpnd" "$VPND" --state "$LAB_DIR/quiet/state" \
	--socket "$LAB_DIR/quiet/sock" --hostname quiet
wait_for 30 test -S "$LAB_DIR/quiet/sock"
t "two daemons of one host find each other" wait_for 15 linked quiet beta
t_done
