# budget.awk - prints one line per function: LINES PARAMETERS FILE:LINE NAME. Counted from the
# first line of the signature to the closing brace. Relies on the layout: a signature starts in
# column 0, the body's braces stand in column 0, or everything stands on one line.
function parameters(s,    i, c, depth, n) {
	sub(/^[^(]*\(/, "", s)
	sub(/\)[^)]*$/, "", s)
	if (s ~ /^[ \t]*(void)?[ \t]*$/)
		return 0
	n = 1
	for (i = 1; i <= length(s); i++) {
		c = substr(s, i, 1)
		depth += (c == "(") - (c == ")")
		n += c == "," && depth == 0
	}
	return n
}
function name_of(s) {
	sub(/[ \t]*\(.*/, "", s)
	sub(/.*[ \t*]/, "", s)
	return s
}
FNR == 1 { signature = ""; open = 0 }
/^[A-Za-z_][^;={]*\(/ && !open && !/^(struct|enum|union) [A-Za-z_0-9]+ \{/ {
	signature = ""
	start = FNR
}
!open && start && FNR >= start && !/^[{#]/ { signature = signature $0 }
/^[A-Za-z_].*\).*\{.*\}[ \t]*$/ && !/=[ \t]*\{/ && !open && FNR == start {
	one = $0
	sub(/[ \t]*\{.*/, "", one)
	print 1, parameters(one), FILENAME ":" FNR, name_of(one)
	start = 0
	next
}
/^\{/ && start { open = start; head = signature; next }
/^\}/ && open {
	print FNR - open + 1, parameters(head), FILENAME ":" open, name_of(head)
	open = start = 0
	signature = ""
}
!open && /;[ \t]*$/ { start = 0 }
