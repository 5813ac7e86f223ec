#!/bin/sh
# strangers.sh - who has the wrong token gets a clear error; who has none gets nothing at all.
#
#   alpha     9.9.0.1  (creates red, keeper) ---+
#   beta      9.9.0.2  (member of red)       ---+
#   blue      9.9.0.3  (creates blue)        ---+--- br0
#   mallory   9.9.0.4  (bad tokens)          ---+
#   stranger  9.9.0.5  (no overlay key)      ---+
#   foreign   9.9.0.6  (another namespace's) ---+
set -eu
. "$SRCDIR/tests/lab/lib.sh"

# refused WHY TOKEN-FILE: a fresh node in mallory fails to join, says why, and ends with status 1.
refused() {
	rm -rf "$LAB_DIR/mallory/state"
	lab_status=0
	at mallory timeout 10 "$VPND" --state "$LAB_DIR/mallory/state" \
		--socket "$LAB_DIR/mallory/sock" --hostname mallory \
		join --token-file "$2" >"$LAB_DIR/mallory/out" 2>"$LAB_DIR/mallory/err" ||
		lab_status=$?
	echo "status $lab_status"
	cat "$LAB_DIR/mallory/out" "$LAB_DIR/mallory/err"
	[ "$lab_status" -eq 1 ] && [ ! -s "$LAB_DIR/mallory/out" ] && grep -q "error: .*$1" "$LAB_DIR/mallory/err"
}

members() {
	field alpha '.members | length' -n red member list
}

resident() {
	awk '/^VmRSS/ { print $2 }' "/proc/$(vpnd_pid alpha)/status"
}

# What alpha said to the stranger, ARP and ND apart.
nothing_said() {
	captured "$LAB_DIR/answers" 'not icmp6 and not arp'
	[ -z "$(captured "$LAB_DIR/answers" 'not icmp6 and not arp')" ]
}

lab_begin vt-strangers
n=0
for h in alpha beta blue mallory stranger foreign; do
	lab_host $h $((n += 1))
done
capture alpha eth0 "$LAB_DIR/joining" "udp and src host 9.9.0.2"
lab_namespace red alpha beta
capture_end
vpnd_start blue
ctl blue create blue --keepers manual >/dev/null
ctl blue wait --timeout 60s >/dev/null
alpha=$(lab_address alpha)

# Two that will wait in vain begin now; what is said to the second one is watched.
good=$(token alpha red)
other=$(token blue blue)
py token namespace "$(cat "$other")" "$(cat "$good")" >"$LAB_DIR/namespace"
py token overlay "$(cat "$other")" "$(cat "$good")" >"$LAB_DIR/overlay"
capture alpha eth0 "$LAB_DIR/answers" "src host 9.9.0.1 and dst host 9.9.0.5 or src host fd99::1 and dst host fd99::5"
answers_pid=$LAB_CAPTURE_PID
capture alpha eth0 "$LAB_DIR/asked" "udp and (src host 9.9.0.5 or src host fd99::5)"
asked_pid=$LAB_CAPTURE_PID
vpnd_start foreign join --token-file "$LAB_DIR/namespace"
vpnd_start stranger join --token-file "$LAB_DIR/overlay"
unreached() { grep -q 'cannot reach a keeper of the namespace' "$LAB_DIR/$1/vpnd.log"; }
trouble() { field "$1" '.namespaces[0].trouble' status | tee /dev/stderr | grep -q 'cannot reach a keeper'; }

# --- bad tokens ---
sed 's/./A/60' "$good" >"$LAB_DIR/damaged"
t "a damaged token names its checksum" refused "damaged: the checksum" "$LAB_DIR/damaged"
cut -c1-40 "$good" >"$LAB_DIR/cut"
t "a cut-off token is called damaged" refused "damaged" "$LAB_DIR/cut"
echo "hello" >"$LAB_DIR/hello"
t "what is no token is called so" refused "not a vpnd token" "$LAB_DIR/hello"

soon=$(token alpha red --expires 1s)
until=$(($(date +%s) + 2))
used=$(cat "$LAB_DIR/token")
before=$(members)
echo "$used" >"$LAB_DIR/used"
t "a used-up token is refused as used up" refused "used up" "$LAB_DIR/used"
revoked=$(token alpha red --uses 3)
ctl alpha token revoke - <"$revoked" >/dev/null
t "a revoked token is refused as revoked" refused "revoked" "$revoked"
t "also with another new key" refused "revoked" "$revoked"
over() { [ "$(date +%s)" -gt "$until" ]; }
wait_for 5 over || :
t "an expired token is refused as expired" refused "expired" "$soon"
t "none of them became a member" [ "$(members)" -eq "$before" ]

# --- no overlay key: no answer ---
t "with a token of a namespace that is not here a node says that it reaches no keeper" wait_for 30 unreached foreign
t "and so does its status" trouble foreign
t "with another overlay's key too" wait_for 30 unreached stranger
t "and in its status" trouble stranger
vpnd_stop stranger
vpnd_stop foreign
LAB_CAPTURE=$LAB_DIR/asked LAB_CAPTURE_PID=$asked_pid
capture_end
t "it has asked" [ "$(captured "$LAB_DIR/asked" | wc -l)" -gt 1 ]

flipped() {
	lab_counts=$(at stranger python3 "$SRCDIR/tests/lab/replay.py" 9.9.0.1 24655 "$LAB_DIR/joining")
	echo "$lab_counts"
	[ "${lab_counts% *}" -gt 100 ] && [ "${lab_counts#* }" -eq 0 ]
}
t "captured INITs, again and with bytes changed, are not answered" flipped

lost() {
	sed -n 's/.* \([0-9]*\) received.*/\1/p' "$LAB_DIR/ping.out"
	[ "$(sed -n 's/.* \([0-9]*\) received.*/\1/p' "$LAB_DIR/ping.out")" -ge 38 ]
}
flood() { at stranger python3 "$SRCDIR/tests/lab/flood.py" 9.9.0.1 24655 "$1" "$LAB_DIR/joining"; }
flood 5000 >/dev/null # what is only ever touched once is touched
rss=$(resident)
flooded() {
	lab_spawn beta "$LAB_DIR/ping" ping -n -q -c 40 -i 0.05 "$alpha"
	pinger=$LAB_PID
	answers=$(flood 100000)
	wait "$pinger" || :
	[ "$answers" != 0 ] || lost >/dev/null
}
best_of 3 flooded || :
after=$(resident)
t "100000 random datagrams get no answer" [ "$answers" = 0 ]
echo "# note: resident before $rss KiB, after $after KiB; $(sed -n 's/.* \([0-9]*\) received.*/\1/p' "$LAB_DIR/ping.out") of 40 pings answered meanwhile"
t "memory does not grow by them" [ $((after - rss)) -le 512 ]
t "pings of members go on meanwhile" lost
drops() { field alpha '.drops | to_entries[] | "\(.key) \(.value)"' status | tee /dev/stderr | grep -qE '^(mac|version|short) [0-9]{4,}$'; }
t "the drops are counted" drops
LAB_CAPTURE=$LAB_DIR/answers LAB_CAPTURE_PID=$answers_pid
capture_end
t "alpha has not sent one packet to the stranger" nothing_said
few() { [ "$(grep -c 'drop' "$LAB_DIR/alpha/vpnd.log")" -lt 20 ]; }
t "and has not filled its log" few
t_done
