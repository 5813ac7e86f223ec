#!/bin/sh
# kill_join.sh - kill -9 at any moment of joining: the same node joins with the same token in the end.
#
#   alpha  9.9.0.1  (creates)                 ---+--- br0
#   beta   9.9.0.2  (killed while it joins)   ---+
set -eu
. "$SRCDIR/tests/lab/lib.sh"

# joining MOMENT: vpnd join is killed after so many seconds.
joining() {
	lab_spawn beta "$LAB_DIR/beta/vpnd" "$VPND" --state "$LAB_DIR/beta/state" \
		--socket "$LAB_DIR/beta/sock" --hostname beta join --token-file "$token"
	sleep "$1"
	kill -KILL "$LAB_PID"
	wait "$LAB_PID" 2>/dev/null || :
	rm -f "$LAB_DIR/beta/sock"
}

identity() {
	cat "$LAB_DIR/beta/state/identity" 2>/dev/null || :
}

lab_begin vt-kill
lab_host alpha 1
lab_host beta 2
lab_namespace demo alpha
for moments in 0.01 0.02 0.03 0.04 "0.02 0.02" "0.03 0.03 0.03" "0.01 0.03 0.05 0.08 0.12"; do
	token=$(token alpha demo)
	rm -rf "$LAB_DIR/beta/state"
	key=
	for moment in $moments; do
		joining "$moment"
		[ -z "$key" ] || [ "$key" = "$(identity)" ] || key=another
		[ -n "$key" ] || key=$(identity)
	done
	vpnd_start beta join --token-file "$token"
	t "killed $moments s after vpnd join it joins with the token's one use" ctl beta wait --timeout 60s
	t "under the key that it had" [ "$(identity)" = "${key:-$(identity)}" ]
	t "and can be pinged soon" wait_for 10 answered alpha "$(lab_address beta)"
	vpnd_stop beta
done
t_done
