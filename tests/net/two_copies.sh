#!/bin/sh
# two_copies.sh - a copied state directory: of two nodes with one identity the newer lives.
#
#   alpha (keeper) ---+
#   beta           ---+--- br0
#   copy of beta   ---+
set -eu
. "${SRCDIR:?}/tests/lab/lib.sh"

lab_begin vt-copy
lab_host alpha 11
lab_host beta 12
lab_host copy 13

vpnd_start alpha
ctl alpha create twin --subnet 10.77.0.0/16 --keepers manual >/dev/null
ctl alpha invite >"$LAB_DIR/token" 2>/dev/null
vpnd_start beta join --token-file "$LAB_DIR/token"
ctl beta wait --timeout 60s >/dev/null
address=$(lab_address beta)

# The copy is made while nobody writes, as a cloned disk would be.
vpnd_stop beta
cp -a "$LAB_DIR/beta/state" "$LAB_DIR/copy/state"
vpnd_start beta
ctl beta wait --timeout 60s >/dev/null
# It may be gone again before its socket was seen.
vpnd_start copy --hostname beta || :

# Both have started once more since the copy was made; who told the keeper first is the one that
# lives. The other ends by itself, saying why.
gone() {
	! grep -q '^State:.[^Z]' "/proc/$(vpnd_pid "$1")/status" 2>/dev/null
}
ended() {
	for h in beta copy; do
		! gone $h || {
			echo $h >"$LAB_DIR/loser"
			return 0
		}
	done
	return 1
}
t "one of the two stops" wait_for 90 ended
loser=$(cat "$LAB_DIR/loser")
t "and says why" grep -e "another copy of this node's identity" "$LAB_DIR/$loser/vpnd.log"
t "the other one answers" wait_for 20 at alpha ping -c 1 -W 1 -q "$address"

start_again() {
	! at "$loser" timeout 10 "$VPND" --state "$LAB_DIR/$loser/state" --socket "$LAB_DIR/$loser/sock" 2>"$LAB_DIR/again"
}
t "the one that stopped does not start again" start_again
t "and names the option that would make it" grep -e --take-over "$LAB_DIR/again"
t_done
