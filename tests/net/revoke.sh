#!/bin/sh
# revoke.sh - a member is put out: in seconds, for good, and nobody else is disturbed.
#
#   alpha  9.9.0.1  (creates, keeper) ---+
#   beta   9.9.0.2                    ---+--- br0
#   gamma  9.9.0.3  (is revoked)      ---+
set -eu
. "$SRCDIR/tests/lab/lib.sh"

lab_begin vt-revoke
lab_host alpha 1
lab_host beta 2
lab_host gamma 3
lab_namespace demo alpha beta gamma
alpha=$(lab_address alpha)
beta=$(lab_address beta)
gamma=$(lab_address gamma)
key=$(field gamma .key status)

for pair in "alpha $beta" "beta $gamma" "gamma $alpha"; do
	# shellcheck disable=SC2086
	t "ping from $pair is answered" wait_for 10 answered $pair
done

attached() {
	[ "$(field "$1" ".peers[] | select(.key == \"$key\" and .attached) | .key" peers)" = "$key" ]
}
put_out() {
	for h in alpha beta; do
		! attached $h || return 1
	done
}
t "the others have an attached session with it" attached beta

lab_spawn beta "$LAB_DIR/ping" ping -n -q -c 60 -i 0.1 "$alpha"
pinger=$LAB_PID
began=$(lab_now)
t "member revoke succeeds" ctl alpha member revoke gamma
t "within 5 s nobody has an attached session with it" wait_for 5 put_out
echo "# note: $(($(lab_now) - began)) ms after the revocation began"
t "alpha does not answer its pings" unanswered gamma "$alpha"
t "nor does beta" unanswered gamma "$beta"
t "nor does it answer" unanswered beta "$gamma"
told() { field gamma '.namespaces[0] | .state + " " + (.trouble // "")' status | tee /dev/stderr | grep -q '^revoked .*revoked'; }
t "it knows that it was revoked, and says so" wait_for 20 told
listed() { [ "$(field alpha ".members[] | select(.key == \"$key\") | .revoked" member list)" = true ]; }
t "the list of members says so too" listed

vpnd_stop gamma KILL
vpnd_start gamma
ctl gamma wait --timeout 3s >/dev/null 2>&1 || :
t "after a restart it is still out" put_out
t "and its pings are not answered" unanswered gamma "$alpha"
vpnd_stop gamma

# Another node may come by the same kind of token; the old key may not, not even with a new one.
again=$(token alpha demo)
lab_status=0
at gamma timeout 10 "$VPND" --state "$LAB_DIR/gamma/state" --socket "$LAB_DIR/gamma/sock" \
	--hostname gamma join --token-file "$again" >"$LAB_DIR/again.out" 2>"$LAB_DIR/again.log" || lab_status=$?
refused() { cat "$LAB_DIR/again.log"; [ "$lab_status" -eq 1 ] && grep -q 'error: .*revoked' "$LAB_DIR/again.log"; }
t "a new token does not admit the revoked key" refused

# --- tokens ---
members=$(token alpha demo --uses 5)
rm -rf "$LAB_DIR/gamma/state"
vpnd_start gamma join --token-file "$members"
t "a new key is admitted" ctl gamma wait --timeout 60s
key=$(field gamma .key status)
id=$(field alpha '.tokens[] | select(.uses == 5) | .id' token list)
t "token revoke takes an id" ctl alpha token revoke "$id"
t "members of the token stay" wait_for 10 answered gamma "$alpha"
attached_to_alpha() { attached alpha; }
t "with a session" attached_to_alpha
t "token revoke --with-members" ctl alpha token revoke "$id" --with-members
t "puts them out within 5 s" wait_for 5 put_out
t "and their pings are not answered" unanswered gamma "$alpha"

undisturbed() {
	cat "$LAB_DIR/ping.out"
	[ "$(sed -n 's/.* \([0-9]*\) received.*/\1/p' "$LAB_DIR/ping.out")" -ge 59 ]
}
wait "$pinger" || :
t "pings between the others went on through all of it" undisturbed
t_done
