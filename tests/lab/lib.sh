# lib.sh - a small Internet of network namespaces on this machine, for demo and tests. POSIX sh.
#
#   NAME (9.9.0.x) ---+
#   NAME (9.9.0.y) ---+--- br0 in PREFIX-net (plays the Internet; 9.9.0.0/16, and fd99::/64)
#   NAME (9.9.0.z) ---+
#
# A script sources this, says `lab_begin PREFIX`, then `lab_host NAME N` (N = last octet). Every
# namespace, process and file carries the prefix; all of it is taken away at exit, also after
# Ctrl-C, and only processes started here are ended, by pid. Packets never leave the namespaces.

export PYTHONDONTWRITEBYTECODE=1 # helpers import each other; the source tree stays clean

lab_begin() {
	LAB=$1${LAB_SUFFIX-} # two of one lab at a time: with another suffix
	LAB_DIR=$(mktemp -d "/tmp/$LAB.XXXXXX")
	LAB_PIDS=
	LAB_HOSTS=
	LAB_MOUNTS=
	lab_sweep
	trap lab_end EXIT
	trap 'exit 130' INT
	trap 'exit 143' HUP TERM
	ip netns add "$LAB-net"
	at net ip link add br0 type bridge
	at net ip link set br0 up
	at net ip link set lo up
}

# Namespaces of a run that was killed before it could clean up.
lab_sweep() {
	for ns in $(ip netns list | awk -v p="$LAB-" 'index($1, p) == 1 { print $1 }'); do
		ip netns del "$ns"
		rm -rf "/etc/netns/$ns"
	done
}

lab_end() {
	lab_status=$?
	trap - EXIT INT HUP TERM
	for pid in $LAB_PIDS; do
		kill -KILL "$pid" 2>/dev/null || :
	done
	wait 2>/dev/null || :
	for dir in $LAB_MOUNTS; do
		umount -l "$dir" || :
	done
	[ -n "${LAB_KEEP-}" ] && [ "$lab_status" -ne 0 ] && echo "# logs: $LAB_DIR" >&2 || rm -rf "$LAB_DIR"
	lab_sweep
	exit "$lab_status"
}

at() {
	lab_ns=$1
	shift
	ip netns exec "$LAB-$lab_ns" "$@"
}

lab_host() {
	LAB_HOSTS="$LAB_HOSTS $1"
	eval "LAB_NUMBER_$1=$2"
	mkdir -p "$LAB_DIR/$1" "/etc/netns/$LAB-$1"
	: >"/etc/netns/$LAB-$1/resolv.conf"
	ip netns add "$LAB-$1"
	ip -n "$LAB-net" link add "p$2" type veth peer name eth0 netns "$LAB-$1"
	ip -n "$LAB-net" link set "p$2" master br0 up
	ip -n "$LAB-$1" link set lo up
	ip -n "$LAB-$1" addr add "9.9.0.$2/16" dev eth0
	ip -n "$LAB-$1" addr add "fd99::$2/64" dev eth0 nodad
	ip -n "$LAB-$1" link set eth0 up
}

# lab_part HOST...: these are cut off from the others, together. lab_heal: there is one network again.
lab_part() {
	[ -e "$LAB_DIR/br1" ] || at net ip link add br1 type bridge
	: >"$LAB_DIR/br1"
	at net ip link set br1 up
	for lab_host in "$@"; do
		at net ip link set "p$(lab_number "$lab_host")" master br1
	done
}

lab_heal() {
	for lab_host in $LAB_HOSTS; do
		at net ip link set "p$(lab_number "$lab_host")" master br0
	done
}

# The last octet of a host.
lab_number() {
	eval "echo \$LAB_NUMBER_$1"
}

# Runs a command in the background in a host; its pid is in $LAB_PID.
lab_spawn() {
	lab_ns=$1 lab_log=$2
	shift 2
	ip netns exec "$LAB-$lab_ns" "$@" >"$lab_log.out" 2>>"$lab_log.log" </dev/null &
	LAB_PID=$!
	LAB_PIDS="$LAB_PIDS $LAB_PID"
}

# A host's state directory becomes a small disk, of memory: lab_small_disk HOST SIZE. Before its vpnd
# starts. Also for what is promised within a time: it is vpnd that is measured, not the disk.
lab_small_disk() {
	mkdir -p "$LAB_DIR/$1/state"
	mount -t tmpfs -o "size=$2" "$LAB-$1" "$LAB_DIR/$1/state"
	LAB_MOUNTS="$LAB_MOUNTS $LAB_DIR/$1/state"
}

# vpnd in a host: options and words follow. Its pid is kept for vpnd_stop. With LAB_AUDIT set it tells
# what happens to owners, for lab_audit.
vpnd_start() {
	lab_name=$1
	shift
	lab_spawn "$lab_name" "$LAB_DIR/$lab_name/vpnd" "$VPND" --state "$LAB_DIR/$lab_name/state" \
		--socket "$LAB_DIR/$lab_name/sock" --hostname "$lab_name" \
		${LAB_AUDIT:+--audit "$LAB_DIR/$lab_name.audit"} "$@"
	eval "VPND_PID_$lab_name=$LAB_PID"
	wait_for 30 test -S "$LAB_DIR/$lab_name/sock"
}

vpnd_pid() {
	eval "echo \$VPND_PID_$1"
}

# vpnd_stop NAME [SIGNAL]: ends it and waits until it is gone.
vpnd_stop() {
	lab_pid=$(vpnd_pid "$1")
	kill "-${2:-TERM}" "$lab_pid"
	wait "$lab_pid" 2>/dev/null || :
	LAB_PIDS=$(echo "$LAB_PIDS " | sed "s/ $lab_pid / /; s/ $//") # the number may be another's soon
	[ "${2:-TERM}" = KILL ] && rm -f "$LAB_DIR/$1/sock" || :
}

ctl() {
	lab_name=$1
	shift
	"$VPNCTL" --socket "$LAB_DIR/$lab_name/sock" "$@"
}

# Names resolve in a host through vpnd's DNS, as they would with a resolver set up.
lab_resolver() {
	lab_info=$(ctl "$1" --json namespaces)
	printf 'nameserver %s\nsearch %s\noptions timeout:1 attempts:2\n' \
		"$(echo "$lab_info" | jq -r '.namespaces[0].dns')" \
		"$(echo "$lab_info" | jq -r '.namespaces[0].zone')" \
		>"/etc/netns/$LAB-$1/resolv.conf"
}

# The overlay IPv4 address of a host.
lab_address() {
	ctl "$1" --json ${2:+-n "$2"} namespaces | jq -r ".namespaces[] | select(\"${2-}\" == \"\" or .name == \"${2-}\") | .ipv4"
}

# wait_for SECONDS COMMAND...: until the command succeeds; its failure is ours.
wait_for() {
	lab_end=$(($(lab_now) + $1 * 1000))
	shift
	until "$@" >/dev/null 2>&1; do
		[ "$(lab_now)" -lt "$lab_end" ] || return 1
		sleep 0.05
	done
}

# best_of TRIES COMMAND...: what is promised within so many seconds is kept in one of so many tries. A
# machine that stands still for a moment spoils one; a daemon that is too slow is so each time.
best_of() {
	lab_left=$1
	shift
	until "$@"; do
		[ $((lab_left -= 1)) -gt 0 ] || return 1
	done
}

# How long programs take to run here, in percent of what they take at most on a machine that has time for
# us (100 ms for twenty); 100 at least.
slowness() {
	lab_began=$(lab_now)
	for lab_i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
		"$VPNCTL" --help >/dev/null
	done
	lab_slow=$(($(lab_now) - lab_began))
	echo $((lab_slow > 100 ? lab_slow : 100))
}

# within MILLISECONDS TOOK: is a promise about time kept? Where programs take longer, so may vpnd.
within() {
	lab_slow=$(slowness)
	echo "# $2 ms of $1; programs take $lab_slow % of their time"
	[ "$2" -le $(($1 * lab_slow / 100)) ]
}

# The lab's helpers in Python (python3-minimal is enough).
py() {
	lab_helper=$1
	shift
	python3 "$SRCDIR/tests/lab/$lab_helper.py" "$@"
}

# One value of a host's answer: field HOST 'JQ FILTER' COMMAND...
field() {
	lab_name=$1 lab_filter=$2
	shift 2
	ctl "$lab_name" --json "$@" | jq -r "$lab_filter"
}

# A token of namespace NS from HOST is written to a file, whose path is printed: token HOST NS OPTIONS...
token() {
	lab_name=$1 lab_ns_name=$2 lab_file=$(mktemp "$LAB_DIR/token.XXXXXX")
	shift 2
	best_of 5 ctl "$lab_name" invite "$lab_ns_name" "$@" >"$lab_file" 2>/dev/null
	echo "$lab_file"
}

# The first host creates namespace NS with 10.77.0.0/16, the others join it: lab_namespace NS HOSTS...
# It stays the only keeper, unless LAB_KEEPERS says otherwise: a lab is to test one thing.
lab_namespace() {
	lab_ns_name=$1 lab_creator=$2
	shift 2
	vpnd_start "$lab_creator"
	ctl "$lab_creator" create "$lab_ns_name" --subnet 10.77.0.0/16 \
		--keepers "${LAB_KEEPERS:-manual}" >/dev/null
	ctl "$lab_creator" wait --timeout 60s >/dev/null
	[ $# -eq 0 ] && return
	ctl "$lab_creator" invite "$lab_ns_name" --uses $# >"$LAB_DIR/token" 2>/dev/null
	for lab_host in "$@"; do
		vpnd_start "$lab_host" join --token-file "$LAB_DIR/token"
	done
	for lab_host in "$@"; do
		ctl "$lab_host" wait --timeout 60s >/dev/null
	done
}

# answered FROM ADDRESS: one ping is answered within a second. The other: nothing comes back.
answered() {
	at "$1" ping -n -c 1 -W 1 "$2"
}

unanswered() {
	! at "$1" ping -n -c 3 -i 0.2 -W 0.5 "$2"
}

# capture HOST INTERFACE FILE FILTER...: tcpdump in the background, listening when this returns.
# capture_end stops it when it has written what it saw.
capture() {
	lab_name=$1 lab_if=$2 LAB_CAPTURE=$3
	shift 3
	lab_spawn "$lab_name" "$LAB_CAPTURE" tcpdump -Z root -nn -U --immediate-mode -B 32768 -i "$lab_if" \
		-w "$LAB_CAPTURE" "$@"
	LAB_CAPTURE_PID=$LAB_PID
	wait_for 5 grep -q 'listening on' "$LAB_CAPTURE.log"
}

capture_end() {
	sleep 0.3 # what is still in the kernel's ring
	kill -INT "$LAB_CAPTURE_PID"
	wait "$LAB_CAPTURE_PID" 2>/dev/null || :
}

# Packets of a capture: captured FILE [FILTER...] prints one line each.
captured() {
	tcpdump -nn -v -r "$@" 2>/dev/null | sed -n '/^[0-9]/{N;s/\n */ /;p;}'
}

# Milliseconds of CLOCK_BOOTTIME, by tens.
lab_now() {
	read -r lab_up _ </proc/uptime
	echo "${lab_up%.*}${lab_up#*.}0"
}

# mark HOST, logged HOST REGEX [MARK]: is it in vpnd's log, after the line that was its last at MARK?
mark() {
	wc -l <"$LAB_DIR/$1/vpnd.log"
}

logged() {
	tail -n "+$((${3:-0} + 1))" "$LAB_DIR/$1/vpnd.log" | grep -q -e "$2"
}

# no_majority HOST NAME: HOST asks for a name and is told within 5 s, beside what asking it anything
# takes here, that it cannot be had; else (why: best_of) for NAME2, and NAME3. The time stands in
# $LAB_DIR/took.
no_majority() {
	for lab_try in '' 2 3; do
		lab_began=$(lab_now)
		ctl "$1" status >/dev/null
		lab_asking=$(($(lab_now) - lab_began)) lab_status=0 lab_began=$(lab_now)
		lab_said=$(ctl "$1" name add "$2$lab_try" 2>&1) || lab_status=$?
		lab_took=$(($(lab_now) - lab_began - lab_asking))
		echo "$lab_took" >"$LAB_DIR/took"
		echo "status $lab_status after $lab_took ms: $lab_said"
		[ $lab_status -eq 1 ] &&
			echo "$lab_said" | grep -q 'cannot reach a majority of keepers' || return 1
		[ "$lab_took" -gt 5000 ] || return 0
	done
	return 1
}

# Nothing was owned twice, as far as the daemons tell.
lab_audit() {
	for lab_file in "$LAB_DIR"/*.audit; do
		grep -q ' hold ' "$lab_file" || { echo "$lab_file tells nothing" && return 1; }
	done
	"$VPNSIM" --audit "$LAB_DIR"/*.audit
}

# keepers_are HOST NUMBER: so many judge, and all of them work, as HOST sees it.
keepers_are() {
	[ "$(field "$1" '[.keepers[] | select(.state == "works")] | length' keepers)" = "$2" ] &&
		[ "$(field "$1" '.keepers | length' keepers)" = "$2" ]
}

# --- TAP ---
TEST_COUNT=0
TEST_FAILED=0

# t "a sentence" COMMAND...: one test; the command's output is shown when it fails.
t() {
	lab_sentence=$1
	shift
	TEST_COUNT=$((TEST_COUNT + 1))
	if lab_out=$("$@" 2>&1); then
		echo "ok $TEST_COUNT - $lab_sentence"
	else
		TEST_FAILED=$((TEST_FAILED + 1))
		echo "not ok $TEST_COUNT - $lab_sentence"
		echo "$lab_out" | tail -20 | sed 's/^/#   /'
		for h in $(echo "$LAB_HOSTS" | cut -d' ' -f1-6); do # the first five say enough
			[ ! -s "$LAB_DIR/$h/vpnd.log" ] || tail -5 "$LAB_DIR/$h/vpnd.log" | sed "s/^/#   $h: /"
		done
	fi
}

# A daemon that aborted may be missed by nobody else.
lab_aborted() {
	! grep -H -e 'Assertion .* failed' -e 'Sanitizer' -e 'runtime error:' "$LAB_DIR"/*/vpnd.log
}

t_done() {
	[ -z "$LAB_HOSTS" ] || t "no daemon aborted" lab_aborted
	echo "1..$TEST_COUNT"
	[ "$TEST_FAILED" -eq 0 ]
}
