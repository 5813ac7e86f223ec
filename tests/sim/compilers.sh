#!/bin/sh
# compilers.sh - gcc and clang builds give equal traces: nothing of a run hangs on what C leaves open.
set -u
: "${VPNSIM:?}" "${SRCDIR:?}" "${BUILDDIR:?}"
case ${CC:-gcc} in
*clang*) other=gcc ;;
*) other=clang ;;
esac
if ! command -v $other >/dev/null; then
	echo "1..0 # SKIP $other is not here"
	exit 0
fi
dir=obj/$other
if ! out=$(env -u MAKEFLAGS -u MAKELEVEL make -C "$BUILDDIR" -j2 OBJ=$dir BIN=$dir CC=$other WARN= HARDEN=-fPIE SAN= \
	CFLAGS=-O0 $dir/vpnsim 2>&1); then
	echo '1..1'
	echo "not ok 1 - the simulator builds with $other"
	printf '%s\n' "$out" | tail -20 | sed 's/^/# /'
	exit 0
fi
n=0
for scenario in join swizzle disks "$SRCDIR"/tests/sim/*.sim; do
	n=$((n + 1))
	a=$("$VPNSIM" "$scenario" 2>/dev/null)
	b=$("$BUILDDIR/$dir/vpnsim" "$scenario" 2>/dev/null)
	if [ -n "$a" ] && [ "$a" = "$b" ]; then
		echo "ok $n - ${scenario##*/} runs the same with $other"
	else
		echo "not ok $n - ${scenario##*/} runs the same with $other"
		printf '%s\n---\n%s\n' "$a" "$b" | sed 's/^/# /'
	fi
done
echo "1..$n"
