#!/bin/sh
# pause.sh - one keeper that holds many registers becomes three, and one of the three is replaced,
# over a network of 100 Mb/s, while a client claims without a break: how long does a claim wait?
#
#   k1 .. k4  9.9.0.1 - 4   (k1 creates, keeper; k2, k3, then k4 come in)           ---+
#   client    9.9.0.5       (claims a name ten times a second and gives it back)     ---+--- br0
#   f1 .. f4  9.9.0.6 - 9   (routers: claim 1022 addresses, then die; new ones come) ---+
#
# PAUSE_REGISTERS=65536 is what the claim is about; filling takes most of the time.
set -eu
. "$SRCDIR/tests/lab/lib.sh"

REGISTERS=${PAUSE_REGISTERS:-4096}
RATE=100mbit
MOST=2000      # ms that a change may add to a claim
EACH=1022      # a member's leases are 1024: besides these its first address and its name
PIECE=250
FILLERS='f1 f2 f3 f4'

# Both ways: what a host sends, and what the bridge has for it.
shape() {
	at "$1" tc qdisc add dev eth0 root tbf rate $RATE burst 64kb latency 100ms
	at net tc qdisc add dev "p$(lab_number "$1")" root tbf rate $RATE burst 64kb latency 100ms
}
sent() { at "$1" cat /sys/class/net/eth0/statistics/tx_bytes; }
resident() { awk '/^VmRSS/ { print $2 }' "/proc/$(vpnd_pid "$1")/status"; }
# Processor time in ms.
cpu() { awk '{ print ($14 + $15) * 10 }' "/proc/$(vpnd_pid "$1")/stat"; }
disk() { du -sk "$LAB_DIR/$1/state" | cut -f1; }

owned() {
	ctl "$1" --json addresses | jq -r '.addresses[] |
		select(.kind == "address" and .state == "held") | .value'
}
holds() { [ "$(owned "$1" | wc -l)" -ge "$2" ]; }
# many HOST NUMBER: it leases so many addresses; by pieces that are under way at once.
many() {
	ctl "$1" wait --timeout 120s
	until=$(($(lab_now) + 300000))
	while [ "$(lab_now)" -lt $until ] && ! holds "$1" $(($2 + 1)); do
		count=$(($2 + 1 - $(owned "$1" | wc -l)))
		ctl "$1" lease add --count $((count < PIECE ? count : PIECE)) || sleep 1
	done
}
# fill NUMBER: so many registers come to be, by real claims of members that come and go. A member
# brings three more: its membership, its start, its name.
fill() {
	left=$1 round=0
	while [ "$left" -gt 0 ]; do
		jobs='' busy='' round=$((round + 1))
		for h in $FILLERS; do
			[ "$left" -gt 0 ] || break
			n=$((left < EACH ? left : EACH))
			left=$((left - EACH - 4))
			rm -rf "$LAB_DIR/$h/state"
			vpnd_start "$h" --hostname "$h-$round" join --token-file "$token"
			busy="$busy $h"
			many "$h" "$n" >>"$LAB_DIR/fill" 2>&1 &
			jobs="$jobs $!"
		done
		for job in $jobs; do
			wait "$job" || :
		done
		for h in $busy; do
			owned "$h" >>"$LAB_DIR/held"
			vpnd_stop "$h" KILL
		done
	done
}
filled() { [ "$(wc -l <"$LAB_DIR/held")" -ge $((REGISTERS * 99 / 100 - 400)) ]; }

# --- the client that claims ---
claims_begin() {
	lab_spawn net "$LAB_DIR/$1" python3 "$SRCDIR/tests/lab/claims.py" "$LAB_DIR/client/sock" \
		"$LAB_DIR/$1" p1 p2 p3 p4
	CLAIMS_PID=$LAB_PID
	CLAIMS=$LAB_DIR/$1
}
claims_end() {
	kill "$CLAIMS_PID"
	wait "$CLAIMS_PID" 2>/dev/null || :
}
# longest FROM TO: of the claims that began in between, or were under way then: ms, bytes meanwhile,
# ms and bytes from FROM until it began; the number of claims; those that failed.
longest() {
	awk -v from="$1" -v to="$2" '
		$1 + $2 < from || $1 > to { next }
		{ n++; if (first == "") first = $3; last = $4 }
		$5 != "ok" { failed++ }
		$2 >= most { most = $2; moved = $4 - $3; at = $1 - from; before = $3 - first }
		END { print most + 0, moved + 0, at + 0, before + 0, n + 0, failed + 0, last - first }
	' "$CLAIMS"
}

# What a change of keepers does to claims: change COMMAND...
change() {
	claims_begin "claims-$1-$2"
	sleep 3
	began=$(lab_now)
	cpu=$(cpu k1)
	calm=$(longest 0 "$began")
	done=ok
	ctl k1 "$@" >"$LAB_DIR/change" 2>&1 || done=failed
	sleep 1
	over=$(lab_now)
	claims_end
	set -- $(longest "$began" "$over") "${calm%% *}"
	WAITED=$1 CLAIMED=$5 FAILED=$6 CALM=$8
	[ $done = ok ] || return 0
	echo "$((over - began - 1000)) ms; processor of k1: $(($(cpu k1) - cpu)) ms;" \
		"moved: $(($4 / 1000)) kB in $3 ms before the longest claim, $(($2 / 1000)) kB during it;" \
		"$(($7 / 1000)) kB in all;" \
		"claims: $5, longest $1 ms, $8 ms before" >"$LAB_DIR/change"
}
changed() {
	cat "$LAB_DIR/change"
	[ "$done" = ok ] && [ "$FAILED" -eq 0 ] && [ "$CLAIMED" -ge 2 ]
}
bearable() { within $MOST $((WAITED - CALM)); }
tell() { echo "# note: $1: $(cat "$LAB_DIR/change")"; }

# The addresses of members that are gone are still theirs: none of some is to be had.
refused() {
	for ip in $(awk -v n="$(wc -l <"$LAB_DIR/held")" 'NR % int(n / 20 + 1) == 1' "$LAB_DIR/held"); do
		! ctl client lease add "$ip" || return 1
	done
}
sizes() { echo "# note: $2: $(resident "$1") KiB resident, $(disk "$1") KiB on the disk"; }

lab_begin vt-pause
n=0
for h in k1 k2 k3 k4 client $FILLERS; do
	lab_host $h $((n += 1))
	shape $h
done
for h in k1 k2 k3 k4 client; do
	lab_small_disk $h 256m
done
vpnd_start k1
ctl k1 create demo --subnet 10.64.0.0/14 --keepers manual >/dev/null
ctl k1 wait --timeout 60s >/dev/null
right=$(token k1 demo --uses 3 --right keeper)
token=$(token k1 demo --uses 128 --right router)
for h in k2 k3 k4; do
	vpnd_start $h join --token-file "$right"
done
vpnd_start client join --token-file "$token"
for h in k2 k3 k4 client; do
	ctl $h wait --timeout 60s >/dev/null
done
sizes k1 'one keeper at first'
began=$(lab_now)
cpu=$(cpu k1)
claims_begin claims
fill "$REGISTERS"
claims_end
t "members were granted $REGISTERS registers" filled
echo "# note: $(wc -l <"$LAB_DIR/held") addresses in $((($(lab_now) - began) / 1000)) s," \
	"of which the keeper's processor was busy for $((($(cpu k1) - cpu) / 1000)) s;" \
	"the longest claim of the client meanwhile: $(longest "$began" "$(lab_now)" | cut -d' ' -f1) ms"
sizes k1 'one keeper that holds them'
vpnd_stop k1 KILL
began=$(lab_now)
vpnd_start k1
t "the keeper is killed: it serves again" wait_for 60 ctl k1 name add again
echo "# note: its own claim is granted $(($(lab_now) - began)) ms after its start"
t "and others" wait_for 60 ctl client name add once
echo "# note: another's $(($(lab_now) - began)) ms after it"
sizes k1 'the keeper after its restart'

change keepers add k2 k3
t "one keeper becomes three, claims go on" changed
tell 'one becomes three'
t "a claim waits at most $MOST ms longer" bearable
t "three work" wait_for 60 keepers_are k1 3
sizes k1 'the keeper after the change'
sizes k2 'a keeper that came in'
change keepers replace k3 k4
t "one of three is replaced, claims go on" changed
tell 'one of three replaced'
t "a claim waits at most $MOST ms longer" bearable
t "three work" wait_for 60 keepers_are k1 3
vpnd_stop k1 KILL
t "the creator is killed: what members held is not to be had at those who came in" refused
t "and claims are granted" ctl client name add after
t_done
