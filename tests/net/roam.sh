#!/bin/sh
# roam.sh - underlay addresses change; overlay addresses, names and sessions stay.
#
#   alpha (9.9.0.11, later .31) ---+--- br0
#   beta  (9.9.0.12, later .32) ---+
set -eu
. "${SRCDIR:?}/tests/lab/lib.sh"

lab_begin vt-roam
lab_host alpha 11
lab_host beta 12

# Only IPv4 underneath, so that it is the path that has to move.
for h in alpha beta; do
	ip -n "$LAB-$h" addr flush dev eth0 scope global
done
ip -n "$LAB-alpha" addr add 9.9.0.11/16 dev eth0
ip -n "$LAB-beta" addr add 9.9.0.12/16 dev eth0

vpnd_start alpha
ctl alpha create roam --subnet 10.77.0.0/16 --keepers manual >/dev/null
ctl alpha invite >"$LAB_DIR/token" 2>/dev/null

# move HOST FROM TO: like a laptop that changes networks: the old address is gone at once.
move() {
	ip -n "$LAB-$1" addr del "9.9.0.$2/16" dev eth0
	ip -n "$LAB-$1" addr add "9.9.0.$3/16" dev eth0
}

session() {
	ctl beta --json peers | jq -e --arg a "$1" '.peers | length == 1 and (.[0].address | startswith($a)) and .[0].path == "direct"'
}

answered() {
	at beta ping -c 1 -W 1 -q "$alpha"
}

# An address in the token is wrong by now: --bootstrap without a key asks who is there (WHOIS).
move alpha 11 21
vpnd_start beta --bootstrap 9.9.0.21:24655 join --token-file "$LAB_DIR/token"
t "a node joins by --bootstrap HOST:PORT when the token's address is wrong" ctl beta wait --timeout 60s
alpha=$(lab_address alpha)
t "and pings" wait_for 2 answered

before=$(ctl beta --json peers | jq -r '.peers[0].up_s')
move beta 12 32
t "beta moves to another address; pings are answered within 5 s" wait_for 5 answered
move alpha 21 31
t "alpha moves too; pings are answered within 5 s" wait_for 5 answered
t "over a direct path to the new address" wait_for 10 session 9.9.0.31
after=$(ctl beta --json peers | jq -r '.peers[0].up_s')
echo "# note: session up ${before} s before, ${after} s after both moves"
t "and names still resolve" wait_for 5 ctl beta ping alpha
t_done
