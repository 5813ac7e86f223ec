#!/bin/sh
# full_disk.sh - a keeper that cannot write falls silent, keeps what it has, and goes on when it can.
#
#   alpha  9.9.0.1  (creates, keeper; a disk of 1 MiB) ---+
#   beta   9.9.0.2                                     ---+--- br0
set -eu
. "$SRCDIR/tests/lab/lib.sh"

owns() { field beta ".addresses[] | select(.value == \"$1\") | .state" addresses | grep -qx held; }

lab_begin vt-disk
lab_host alpha 1
lab_host beta 2
lab_small_disk alpha 1m
lab_small_disk beta 16m
lab_namespace demo alpha beta
alpha=$(lab_address alpha)
identity=$(field alpha .key status)
t "the keeper can be pinged" wait_for 10 answered beta "$alpha"

dd if=/dev/zero of="$LAB_DIR/alpha/state/filler" bs=4k >/dev/null 2>&1 || :
tries=0 # what is left of the journal's last page is used up by tokens
while [ $tries -lt 20 ] && ctl alpha invite demo >/dev/null 2>"$LAB_DIR/invite.log"; do
	tries=$((tries + 1))
done
t "with a full disk invite fails and says why" grep -q 'majority of keepers' "$LAB_DIR/invite.log"
t "the keeper says that it cannot write" logged alpha 'cannot write .*state: No space left'
few() { [ "$(grep -c 'falls silent' "$LAB_DIR/alpha/vpnd.log")" -lt 10 ]; }
t "a name cannot be had: no majority can be reached, within 5 s" no_majority beta during
not_owned() { ! owns during; }
t "and does not own it" not_owned
t "the keeper does not fill its log with that" few
t "pings go on" wait_for 10 answered beta "$alpha"
vpnd_stop alpha KILL
vpnd_start alpha
t "killed with a full disk the keeper comes back as who it was" [ "$(field alpha .key status)" = "$identity" ]
rm "$LAB_DIR/alpha/state/filler"
t "with room again it is ready" ctl alpha wait --timeout 60s
t "under its old address" [ "$(lab_address alpha)" = "$alpha" ]
t "and gives what was asked for" wait_for 60 owns during
t "and pings go on" wait_for 10 answered beta "$alpha"
t_done
