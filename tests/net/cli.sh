#!/bin/sh
# cli.sh - what a person types, right and wrong, at a daemon that runs and at one that does not.
#
#   alpha  9.9.0.1  (creates) ---+--- br0
#   beta   9.9.0.2  (joins)   ---+
set -eu
. "$SRCDIR/tests/lab/lib.sh"

# says STATUS 'REGEX' COMMAND...: the command ends with this status, and its output matches.
says() {
	lab_want=$1 lab_regex=$2 lab_status=0
	shift 2
	lab_said=$("$@" 2>&1 </dev/null) || lab_status=$?
	echo "status $lab_status: $lab_said"
	[ "$lab_status" -eq "$lab_want" ] && echo "$lab_said" | grep -qE -e "$lab_regex"
}

# is_json HOST COMMAND...: one JSON object with a schema version, whatever the answer.
is_json() {
	lab_name=$1
	shift
	ctl "$lab_name" --json "$@" </dev/null >"$LAB_DIR/json" || :
	cat "$LAB_DIR/json"
	[ "$(jq -r '(.version | type) + " " + (.ok | type)' "$LAB_DIR/json")" = "number boolean" ]
}

lab_begin vt-cli
lab_host alpha 1
lab_host beta 2
none=$LAB_DIR/none/sock
conf=$LAB_DIR/vpnd.conf

# --- words ---
t "a wrong command names the nearest" says 2 "did you mean 'peers'" "$VPNCTL" peer
t "also of two words" says 2 "member (list|set|revoke)" "$VPNCTL" member lst
t "a wrong option names the nearest" says 2 "did you mean '(--)?subnet'" "$VPNCTL" create x --subnt 10.0.0.0/16
t "a wrong value says what is right" says 2 "duration like" "$VPNCTL" invite x --expires soon
t "a wrong second word names the nearest of its family" says 2 "did you mean 'lease transfer'" \
	"$VPNCTL" lease transfr
t "a wrong word behind a command too" says 2 "did you mean 'keepers grow'" "$VPNCTL" keepers grw
t "and one behind a command that takes none" says 2 "unknown command 'status now'" "$VPNCTL" status now
t "a word too few says what is taken" says 2 "too few words; .vpnctl lease transfer. takes" \
	"$VPNCTL" lease transfer 10.0.0.1
t "and so does one too many" says 2 "too many words; .vpnctl name add. takes HOST" "$VPNCTL" name add a b
t "vpnctl without words shows them" says 2 "usage: vpnctl" "$VPNCTL"
t "vpnctl --help does, and that is no error" says 0 "usage: vpnctl" "$VPNCTL" --help
t "a command has its help" says 0 "--uses" "$VPNCTL" invite --help
t "vpnd --help" says 0 "usage: vpnd" "$VPND" --help
t "vpnd --version" says 0 "^vpnd [0-9]" "$VPND" --version
t "a wrong option of vpnd names the nearest" says 2 "did you mean '--listen'" "$VPND" --lisen :1
t "a wrong word of vpnd too" says 2 "did you mean 'join'" "$VPND" jion
t "no daemon: what to do" says 2 "systemctl start vpnd|--socket" "$VPNCTL" --socket "$none" status
t "no daemon is an answer in every command" says 2 "no vpnd answers" "$VPNCTL" --socket "$none" leave

# --- the configuration file ---
echo 'listen = :24700' >"$conf"
t "--check-config of a right file" says 0 "right" "$VPND" --config "$conf" --check-config
echo 'lissen = :24700' >>"$conf"
t "a wrong line is named with its number" says 2 "vpnd.conf:2: .*did you mean 'listen'" \
	"$VPND" --config "$conf" --check-config
echo 'listen = nowhere' >"$conf"
t "and so is a wrong value" says 2 "vpnd.conf:1: .*nowhere" "$VPND" --config "$conf" --check-config
t "nothing was made by that" [ ! -e "$LAB_DIR/alpha/state" ]

# --- a daemon that runs ---
vpnd_start alpha
t "status before there is a namespace" says 0 "0 peers" ctl alpha status
t "and invite what to do" says 1 "create" ctl alpha invite
t "a number of keepers that cannot be is refused" says 1 "1, 3, 5 or 7" ctl alpha create demo --keepers 2
t "create" ctl alpha create demo --subnet 10.77.0.0/16
t "a namespace twice is refused" says 1 "here already" ctl alpha create demo
t "a subnet that is none is refused" says 1 "10.20.0.0/16" ctl alpha create other --subnet 10.1.1.0/33
t "invite prints one token and nothing else on standard output" \
	says 0 "^vpnd1:[A-Za-z0-9_-]*$" sh -c "'$VPNCTL' --socket '$LAB_DIR/alpha/sock' invite demo 2>/dev/null"
t "a second vpnd on one state directory is refused" says 1 "in use by the vpnd with process id" \
	at alpha timeout 5 "$VPND" --state "$LAB_DIR/alpha/state" --socket "$LAB_DIR/alpha/sock2"
t "a second vpnd on one socket too" says 1 "another vpnd answers" \
	at alpha timeout 5 "$VPND" --state "$LAB_DIR/alpha/state2" --socket "$LAB_DIR/alpha/sock"
t "the first runs on" ctl alpha wait --timeout 60s

# --- join, handed over to a daemon that runs ---
vpnd_start beta
good=$(token alpha demo)
hand_over() {
	at beta "$VPND" --state "$LAB_DIR/beta/state" --socket "$LAB_DIR/beta/sock" join --token-file "$1"
}
address=$(hand_over "$good" 2>"$LAB_DIR/hand.log") || :
t "vpnd join hands over and prints the address" [ -n "$address" -a "$address" = "$(lab_address beta)" ]
t "which can be bound by then" at beta ping -c 1 -W 1 -I "$address" "$(lab_address alpha)"
t "a second join says that this node is a member" says 1 "member of that namespace already" hand_over "$good"
echo "vpnd1:AAAA" >"$LAB_DIR/bad"
t "a bad token handed over is refused with its reason" says 1 "damaged|malformed" hand_over "$LAB_DIR/bad"

# --- every command in JSON ---
while read -r command; do
	# shellcheck disable=SC2086 # words
	t "--json $command" is_json alpha $command
done <<-END
	status
	namespaces
	peers
	paths
	addresses
	flows
	keepers
	keepers grow
	keepers add beta
	keepers remove beta
	keepers replace nobody beta
	keepers max 3
	keepers max manual --hardened
	keepers reset
	lease list
	member list
	member set beta --right relay
	member revoke nobody
	token list
	token revoke 00
	name add alias
	name list
	name del alias
	root backup
	root add-admin beta
	invite demo
	ping beta
	ring
	trace beta
	resolve beta
	wait --timeout 3s
	log-level debug
	leave nowhere
	delete nowhere
	create demo
	root restore nonsense
END
t "a refusal in JSON has an error and status 1" says 1 '"error"' ctl alpha --json member revoke nobody
t "ping by name" says 0 "ms|us" ctl alpha ping beta
t "ring says how large it is and how many links this node keeps" says 0 "^2 +yes +1 " ctl alpha ring
t "trace tells over how many links a host is reached" says 0 "1 link" ctl alpha trace beta
t "trace of a host that nobody knows" says 1 "no host" ctl alpha trace nobody
t "resolve" says 0 "$address" ctl alpha resolve beta
t "resolve of nobody is a no" says 1 "no host" ctl alpha resolve nobody
t "human status names the namespace" says 0 "demo" ctl alpha status
t "and says that one keeper is fragile" says 0 "1 keeper: fragile" ctl alpha status
t "and where people choose keepers, how" says 0 "keepers add NAME NAME" ctl alpha status
t "two keepers are refused" says 1 "there are 1, 3, 5 or 7" ctl alpha keepers add beta
t "one that is none is not removed" says 1 "beta is no keeper" ctl alpha keepers remove beta
t "keepers are for people again, in vain with two members" says 1 "nobody can be taken in" \
	sh -c "'$VPNCTL' --socket '$LAB_DIR/alpha/sock' keepers max 5 >/dev/null &&
		'$VPNCTL' --socket '$LAB_DIR/alpha/sock' keepers grow"
t "keepers names the set and who may come to it" says 0 "beta .*waits for one more" ctl alpha keepers
t "a new era is not begun without --yes" says 1 "--yes" ctl alpha keepers reset
t "every lease says what it is" says 0 "held .*in use" ctl alpha lease list
t "peers names the peer and its path" says 0 "beta.*direct" ctl alpha peers
t "the old log level is back" ctl alpha log-level info
secrets() { ! grep -qE 'vpnd1:|vpnd-root1:' "$LAB_DIR"/*/vpnd.log; }
t "no secret is in a log" secrets

# --- leaving ---
t "delete of somebody else's namespace is refused" says 1 "leave demo" ctl beta delete demo
t "leave" says 0 "left" ctl beta leave demo
gone() { [ "$(field beta '.namespaces | length' namespaces)" -eq 0 ] && ! at beta ip link show vpn0; }
t "the namespace and its interface are gone" gone
t "delete" ctl alpha delete demo

# --- a token in argv ---
vpnd_stop beta
rm -rf "$LAB_DIR/beta/state"
ctl alpha create demo --subnet 10.77.0.0/16 >/dev/null
ctl alpha wait >/dev/null
text=$(cat "$(token alpha demo)")
vpnd_start beta join "$text"
ctl beta wait --timeout 60s >/dev/null || :
cmdline() {
	# ip netns exec has become vpnd, so the pid is its own
	tr '\0' ' ' <"/proc/$(vpnd_pid beta)/cmdline" | tee /dev/stderr | grep -q ' join xxx' &&
		! grep -qF "$text" "/proc/$(vpnd_pid beta)/cmdline"
}
t "a token given in argv cannot be read there" cmdline
vpnd_stop beta

# --- a damaged identity ---
before=$(cat "$LAB_DIR/beta/state/identity")
echo "vpnd-key1 garbage" >"$LAB_DIR/beta/state/identity"
start() { at beta timeout 5 "$VPND" --state "$LAB_DIR/beta/state" --socket "$LAB_DIR/beta/sock"; }
t "a damaged identity file is an error that names it" says 1 "state/identity is damaged" start
t "and it is left as it was" [ "$(cat "$LAB_DIR/beta/state/identity")" = "vpnd-key1 garbage" ]
rm "$LAB_DIR/beta/state/identity"
t "a missing one beside a state is no reason for a new identity" says 1 "identity is missing" start
echo "$before" >"$LAB_DIR/beta/state/identity"
chmod 644 "$LAB_DIR/beta/state/identity"
t "one that others can read is refused" says 1 "chmod 600" start
t_done
