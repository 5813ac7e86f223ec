#!/bin/sh
# badinput.sh - what the host itself may do wrong: foreign sources, broken frames, more hosts than
# addresses.
#
#   alpha  9.9.0.1  (creates tiny, a /29) ---+
#   beta   9.9.0.2                        ---+
#   h3..h5 9.9.0.3-5                      ---+--- br0
#   late   9.9.0.6  (no address is left)  ---+
set -eu
. "$SRCDIR/tests/lab/lib.sh"

drops() {
	field "$1" ".drops[\"$2\"] // 0" status
}

# rises HOST REASON COMMAND...: the command's packets are counted as drops of this reason.
rises() {
	lab_before=$(drops "$1" "$2")
	lab_where=$1 lab_reason=$2
	shift 2
	"$@" || return 1
	wait_for 5 risen || {
		echo "$lab_reason: $lab_before, then $(drops "$lab_where" "$lab_reason")"
		return 1
	}
}
risen() { [ "$(drops "$lab_where" "$lab_reason")" -gt "$lab_before" ]; }

lab_begin vt-bad
n=0
for h in alpha beta h3 h4 h5 late; do
	lab_host $h $((n += 1))
done
vpnd_start alpha
ctl alpha create tiny --subnet 10.77.0.0/29 --keepers manual >/dev/null
ctl alpha wait >/dev/null
token=$(token alpha tiny --uses 5)
vpnd_start beta join --token-file "$token"
ctl beta wait --timeout 60s >/dev/null
alpha=$(lab_address alpha)
beta=$(lab_address beta)
alpha6=$(field alpha '.namespaces[0].ipv6' namespaces)
beta6=$(field beta '.namespaces[0].ipv6' namespaces)
answered beta "$alpha" >/dev/null || :

# --- sources that are not the host's ---
capture alpha vpn0 "$LAB_DIR/tap" -Q in ip or ip6
at beta ip addr add 10.77.99.99/32 dev vpn0
at beta ip addr add fd77::99/128 dev vpn0 nodad
from() { ! at beta ping -n -c 3 -i 0.1 -W 0.3 -I "$1" "$2"; }
t "a ping from a foreign address is dropped and counted" rises beta spoof-port from 10.77.99.99 "$alpha"
t "and from a foreign IPv6 address" rises beta spoof-port from fd77::99 "$alpha6"
at beta ip addr del 10.77.99.99/32 dev vpn0
at beta ip addr del fd77::99/128 dev vpn0
# The neighbour's own address: the kernel would not send from it, so the frame is made by hand.
forge() {
	at beta python3 - "$1" <<-'END'
		import os, socket, sys
		frames = {
		    # another MAC than the interface's
		    "mac": b"\xfe\xfd\0\0\0\1" + b"\2\3\4\5\6\7" + b"\x08\0" + b"\x45" + bytes(40),
		}
		mac = bytes.fromhex(open("/sys/class/net/vpn0/address").read().strip().replace(":", ""))
		frames["ethertype"] = b"\xfe\xfd\0\0\0\1" + mac + b"\x88\xcc" + bytes(46)
		s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
		s.bind(("vpn0", 0))
		if sys.argv[1] == "noise":
		    for i in range(5000):
		        kind = [b"\x08\0", b"\x86\xdd", b"\x08\x06", os.urandom(2)][i % 4]
		        start = [b"\x45", b"\x60", b"\0\1\x08\0\6\4\0\1", b""][i % 4]
		        s.send((b"\xfe\xfd\0\0\0\1" + mac + kind + start + os.urandom(1400))[: 14 + i % 1400])
		else:
		    for i in range(5):
		        s.send(frames[sys.argv[1]])
	END
}
t "a frame from another MAC is dropped and counted" rises beta spoof-port forge mac
t "a frame of another protocol is dropped and counted" rises beta ethertype forge ethertype
t "5000 broken frames are survived" forge noise
t "pings go on after that" wait_for 10 answered beta "$alpha"
capture_end
seen() { captured "$LAB_DIR/tap" "$1"; [ -z "$(captured "$LAB_DIR/tap" "$1")" ]; }
t "none of it came out at the other end" seen "(src net 10.77.0.0/16 or ip6) and not src host $alpha and not src host $beta and not src host $alpha6 and not src host $beta6 and not src net fe80::/10"

# --- DNS from the host ---
dns_noise() {
	at beta python3 - "$(field beta '.namespaces[0].dns' namespaces)" <<-'END'
		import os, random, socket, sys
		s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
		s.connect((sys.argv[1], 53))
		for i in range(2000):
		    try:
		        s.send(os.urandom(random.randint(0, 600)))
		    except OSError:
		        pass
	END
}
t "2000 random DNS queries are sent" dns_noise
right() { at beta dig +short +tries=3 +time=1 "@$(field beta '.namespaces[0].dns' namespaces)" alpha.tiny.internal | grep -qx "$alpha"; }
t "and a right one is answered after them" right

# --- more hosts than addresses: 10.77.0.1 is the DNS server's, .2 to .6 are for five hosts ---
for h in h3 h4 h5; do
	vpnd_start $h join --token-file "$token"
done
for h in h3 h4 h5; do
	t "$h gets an address" ctl $h wait --timeout 60s
done
vpnd_start late join --token-file "$token"
full() { field late '.namespaces[0].trouble' status | tee /dev/stderr | grep -q 'every address of the subnet is owned'; }
t "the sixth host is told that the range is full" wait_for 30 full
t "it has no address" [ "$(lab_address late)" = null ]
addresses=$(for h in alpha beta h3 h4 h5; do lab_address $h; done | sort)
t "none is handed out twice" [ "$(echo "$addresses" | uniq | wc -l)" -eq 5 ]
late6=$(field late '.namespaces[0].ipv6' namespaces)
t "the sixth host can be reached by IPv6" wait_for 10 answered beta "$late6"
t_done
