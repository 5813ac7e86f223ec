# vpns.sh - how each VPN is set up between hosts a and b, for run. One function start_NAME each.
#
# start_NAME leaves processes running in both hosts and says in $inner what address b has in the
# tunnel. Outside: a = 10.99.0.1, b = 10.99.0.2. Keys and files go to $dir, which is new and empty.
# Everybody has the cipher and MTU of its own documentation or, where that is silent, its default.

a=10.99.0.1
b=10.99.0.2

# spawn HOST PROGRAM...
spawn() {
	spawn_log=$dir/$1.$2 spawn_host=$1
	shift
	lab_spawn "$spawn_host" "$spawn_log" "$@"
}

start_bare() {
	inner=$b
}

start_vpnd() {
	mkdir "$dir/sa" "$dir/sb"
	lab_spawn a "$dir/a.vpnd" "$VPND" --state "$dir/sa" --socket "$dir/sa.sock" --hostname a
	wait_for 5 test -S "$dir/sa.sock"
	"$VPNCTL" --socket "$dir/sa.sock" create bench --subnet 10.98.0.0/24 >/dev/null
	"$VPNCTL" --socket "$dir/sa.sock" invite bench >"$dir/token" 2>"$dir/invite.log"
	lab_spawn b "$dir/b.vpnd" "$VPND" --state "$dir/sb" --socket "$dir/sb.sock" --hostname b \
		join --token-file "$dir/token"
	wait_for 5 test -S "$dir/sb.sock"
	"$VPNCTL" --socket "$dir/sb.sock" wait --timeout 10s >/dev/null
	inner=$("$VPNCTL" --socket "$dir/sb.sock" --json namespaces | jq -r '.namespaces[0].ipv4')
}

start_tinc() {
	for h in a b; do
		mkdir -p "$dir/$h/hosts"
		[ $h = a ] && n=1 peer=b || n=2 peer=a
		printf 'Name = %s\nConnectTo = %s\nInterface = tinc%s\n' $h $peer $n >"$dir/$h/tinc.conf"
		printf 'Address = 10.99.0.%s\nSubnet = 10.98.0.%s/32\n' $n $n >"$dir/$h/hosts/$h"
		tincd -c "$dir/$h" -K2048 </dev/null >"$dir/$h.keys" 2>&1
		# shellcheck disable=SC2016
		printf '#!/bin/sh\nip addr add 10.98.0.%s/24 dev $INTERFACE\nip link set $INTERFACE up\n' \
			$n >"$dir/$h/tinc-up"
		chmod +x "$dir/$h/tinc-up"
	done
	cp "$dir/a/hosts/a" "$dir/b/hosts/"
	cp "$dir/b/hosts/b" "$dir/a/hosts/"
	for h in a b; do
		spawn $h tincd -D -c "$dir/$h" --pidfile "$dir/$h.pid"
	done
	inner=10.98.0.2
}

start_n2n() {
	spawn a supernode -l 7654
	for h in a b; do
		[ $h = a ] && n=1 || n=2
		at $h ip tuntap add n2n0 mode tap
		spawn $h edge -d n2n0 -a 10.98.0.$n -s 255.255.255.0 -c bench -k benchbench -u 0 -g 0 \
			-m 02:00:00:00:00:0$n -l "$a:7654"
	done
	inner=10.98.0.2
}

start_nebula() {
	(
		cd "$dir" || exit
		nebula-cert ca -name bench
		nebula-cert sign -name a -ip 10.98.0.1/24
		nebula-cert sign -name b -ip 10.98.0.2/24
	) >"$dir/cert.log" 2>&1
	for h in a b; do
		[ $h = a ] && lighthouse=true hosts= || lighthouse=false hosts=10.98.0.1
		cat >"$dir/$h.yml" <<-END
			pki: {ca: $dir/ca.crt, cert: $dir/$h.crt, key: $dir/$h.key}
			static_host_map: {"10.98.0.1": ["$a:4242"], "10.98.0.2": ["$b:4242"]}
			lighthouse: {am_lighthouse: $lighthouse, hosts: [$hosts]}
			listen: {host: 0.0.0.0, port: 4242}
			tun: {dev: nebula0}
			logging: {level: error}
			firewall:
			  outbound: [{port: any, proto: any, host: any}]
			  inbound: [{port: any, proto: any, host: any}]
		END
		spawn $h nebula -config "$dir/$h.yml"
	done
	inner=10.98.0.2
}

start_openvpn() {
	for h in a b; do
		openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 \
			-subj /CN=$h -keyout "$dir/$h.key" -out "$dir/$h.crt" 2>"$dir/$h.cert.log"
	done
	for h in a b; do
		[ $h = a ] && role='--tls-server --dh none' n=1 peer=b m=2 || role=--tls-client n=2 peer=a m=1
		# shellcheck disable=SC2086
		spawn $h openvpn --dev tun0 --dev-type tun --proto udp --remote 10.99.0.$m $role \
			--ifconfig 10.98.0.$n 10.98.0.$m --cert "$dir/$h.crt" --key "$dir/$h.key" \
			--data-ciphers AES-256-GCM --auth-nocache --peer-fingerprint \
			"$(openssl x509 -in "$dir/$peer.crt" -noout -fingerprint -sha256 | sed 's/.*=//')"
	done
	inner=10.98.0.2
}

start_fastd() {
	for h in a b; do
		fastd --generate-key --machine-readable >"$dir/$h.secret" 2>/dev/null
	done
	for h in a b; do
		[ $h = a ] && n=1 peer=b m=2 || n=2 peer=a m=1
		cat >"$dir/$h.conf" <<-END
			mode tun;
			interface "fastd0";
			method "salsa2012+umac";
			bind 0.0.0.0:10000;
			mtu 1406;
			log level warn;
			secret "$(cat "$dir/$h.secret")";
			on up "ip addr add 10.98.0.$n peer 10.98.0.$m dev fastd0; ip link set fastd0 up";
			peer "$peer" {
				key "$(echo "secret \"$(cat "$dir/$peer.secret")\";" >"$dir/$peer.only" &&
					fastd --show-key --machine-readable --config "$dir/$peer.only" 2>/dev/null)";
				remote ipv4 10.99.0.$m port 10000;
			}
		END
		spawn $h fastd --config "$dir/$h.conf"
	done
	inner=10.98.0.2
}

start_wireguard_go() {
	for h in a b; do
		(umask 077 && wg genkey >"$dir/$h.key")
		wg pubkey <"$dir/$h.key" >"$dir/$h.pub"
		WG_PROCESS_FOREGROUND=1 spawn $h wireguard-go -f "vbwg$h"
		wait_for 5 test -S "/var/run/wireguard/vbwg$h.sock"
	done
	for h in a b; do
		[ $h = a ] && n=1 peer=b m=2 || n=2 peer=a m=1
		at $h wg set "vbwg$h" private-key "$dir/$h.key" listen-port 51820 \
			peer "$(cat "$dir/$peer.pub")" endpoint 10.99.0.$m:51820 allowed-ips 10.98.0.0/24
		at $h ip addr add 10.98.0.$n/24 dev "vbwg$h"
		at $h ip link set "vbwg$h" up mtu 1420
	done
	inner=10.98.0.2
}
