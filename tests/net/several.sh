#!/bin/sh
# several.sh - a node with several addresses: each comes and goes by itself, the first one too.
#
#   alpha  9.9.0.1  (creates, keeper)    ---+--- br0
#   beta   9.9.0.2  (three addresses)    ---+
set -eu
. "$SRCDIR/tests/lab/lib.sh"

on_port() { at beta ip -4 -o addr show dev vpn0 | grep -q "inet $1/"; }
not_on_port() { ! on_port "$1"; }

lab_begin vt-several
lab_host alpha 1
lab_host beta 2
lab_namespace demo alpha beta
first=$(lab_address beta)
second=$(ctl beta lease add)
third=$(ctl beta lease add)
for a in "$first" "$second" "$third"; do
	t "each is answered" wait_for 10 answered alpha "$a"
done
# The order on the port is another one after a restart: take the first there.
vpnd_stop beta KILL
vpnd_start beta
t "after a restart they are there again" wait_for 30 on_port "$third"
primary=$(at beta ip -4 -o addr show dev vpn0 primary | sed -n 's/.*inet \([0-9.]*\).*/\1/p')
t "the port's first address is given back" wait_for 30 ctl beta lease release "$primary"
t "and goes" wait_for 20 not_on_port "$primary"
for a in "$first" "$second" "$third"; do
	[ "$a" != "$primary" ] || continue
	t "the others stay on the port" on_port "$a"
	t "and are answered" wait_for 10 answered alpha "$a"
done
t_done
