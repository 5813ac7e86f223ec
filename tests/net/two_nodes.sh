#!/bin/sh
# two_nodes.sh - a host joins: how soon it can be reached, what its name answers, what goes over the
# wire.
#
#   alpha  9.9.0.1  fd99::1  (creates) ---+
#   beta   9.9.0.2           (joins)   ---+--- br0
#   gamma           fd99::3  (joins)   ---+
set -eu
. "$SRCDIR/tests/lab/lib.sh"

lab_begin vt-two
lab_host alpha 1
lab_host beta 2
lab_host gamma 3
at beta ip addr del fd99::2/64 dev eth0
at gamma ip addr del 9.9.0.3/16 dev eth0

for h in alpha beta; do
	lab_small_disk $h 16m
done
lab_namespace demo alpha
alpha=$(lab_address alpha)
dns=$(field alpha '.namespaces[0].dns' namespaces)

# --- from `vpnd join` to the first answer ---
token=$(token alpha demo --uses 4)
query() { at "$1" dig +short +tries=3 +time=1 "@$dns" "$2" "$3"; }
joins() { # a host called $1 that was not here before: within a second?
	[ ! -S "$LAB_DIR/beta/sock" ] || vpnd_stop beta
	rm -rf "$LAB_DIR/beta/state/"*
	lab_spawn beta "$LAB_DIR/first" python3 "$SRCDIR/tests/lab/first_ping.py" "$alpha" 20
	pinger=$LAB_PID
	sleep 0.3 # Python's own start is not vpnd's
	started=$(lab_now)
	lab_spawn beta "$LAB_DIR/beta/vpnd" "$VPND" --state "$LAB_DIR/beta/state" \
		--socket "$LAB_DIR/beta/sock" --hostname "$1" join --token-file "$token"
	VPND_PID_beta=$LAB_PID
	wait "$pinger" || return 1
	names="$(query beta alpha.demo.internal A) $(query beta "$1.demo.internal" A)"
	took=$(($(cat "$LAB_DIR/first.out") - started))
	echo "# note: first ping answered $took ms after vpnd join began"
	within 1000 "$took" >"$LAB_DIR/within" && [ "$names" = "$alpha $(lab_address beta)" ]
}
for beta in beta beta2 beta3; do
	names= intime=no
	! joins $beta || { intime=yes && break; }
done
t "the first ping is answered within a second of vpnd join" [ $intime = yes ]
t "the names resolve by then" [ "$names" = "$alpha $(lab_address beta)" ]
host=$beta.demo.internal

ctl beta wait --timeout 60s >/dev/null
beta=$(lab_address beta)
lab_resolver alpha
lab_resolver beta
by_name() { at "$1" ping -4 -c 1 -W 2 "$2"; }
t "a host is pinged by its full name" wait_for 10 by_name beta alpha.demo.internal
t "and by its short one" wait_for 10 by_name alpha "${host%%.*}"

# --- what goes over the wire ---
capture beta eth0 "$LAB_DIR/wire" ip and udp
for i in 1 2 3 4 5; do # one after the other: two at once may leave as one segmented send
	at beta ping -n -q -c 1 -W 5 -s 972 "$alpha" >/dev/null || :
done
capture_end
long() {
	captured "$LAB_DIR/wire" "$1" >"$LAB_DIR/wire.txt"
	cat "$LAB_DIR/wire.txt"
	[ "$(grep -c 'length 1060)' "$LAB_DIR/wire.txt")" -eq 5 ]
}
t "an IP packet of 1000 bytes is 1060 on the underlay, out" long "src host 9.9.0.2"
t "and in" long "dst host 9.9.0.2"
t "no packet on the underlay is longer" [ -z "$(captured "$LAB_DIR/wire" 'ip[2:2] > 1060')" ]

# --- DNS ---
alpha6=$(field alpha '.namespaces[0].ipv6' namespaces)
mechanical=$(echo "$alpha" | awk -F. '{ printf "C%03d%03d%03d", $2, $3, $4 }')
answers() {
	lab_got=$(at beta dig +tries=2 +time=1 "@$dns" $2)
	echo "$lab_got"
	echo "$lab_got" | grep -q "status: $1"
}
empty() { answers NOERROR "$1" && echo "$lab_got" | grep -q 'ANSWER: 0'; }
t "AAAA is the derived address" [ "$(query beta alpha.demo.internal AAAA)" = "$alpha6" ]
t "PTR of the IPv4 address is the name" [ "$(at beta dig +short "@$dns" -x "$alpha")" = alpha.demo.internal. ]
t "PTR of the IPv6 address is the name" [ "$(at beta dig +short "@$dns" -x "$alpha6")" = alpha.demo.internal. ]
t "the mechanical name is the address" [ "$(query beta "$mechanical.demo.internal" A)" = "$alpha" ]
t "a name outside the zone is refused" answers REFUSED "example.org A"
t "an unknown name does not exist" answers NXDOMAIN "nobody.demo.internal A"
t "another type of a known name is empty" empty "alpha.demo.internal MX"
garbage() {
	at beta python3 - "$dns" <<-'END'
		import socket, sys
		s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
		s.settimeout(1)
		s.connect((sys.argv[1], 53))
		s.send(b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x3fgarbage")
		answer = s.recv(512)
		assert answer[:2] == b"\x12\x34" and answer[3] & 15 == 1, answer
	END
}
t "a query that is garbage gets FORMERR" garbage

# --- IPv6 ---
t "a ping by the derived IPv6 address is answered" wait_for 10 answered beta "$alpha6"
vpnd_start gamma join --token-file "$token"
t "a host without IPv4 underneath joins" ctl gamma wait --timeout 60s
t "and is pinged" wait_for 10 answered alpha "$(lab_address gamma)"
t "and resolves names" [ "$(query gamma "$host" A)" = "$beta" ]
t_done
