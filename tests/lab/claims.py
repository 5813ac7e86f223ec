"""claims.py SOCKET FILE INTERFACE... - claims a name and gives it back, until it is ended.
One line in FILE for each claim: when it began (ms of CLOCK_BOOTTIME), how long it took (ms), bytes
that the interfaces had received before and after it, and `ok` or the error. Ten a second."""
import json
import socket
import sys
import time

NAMES = 12  # in turn: a host may own sixteen
EVERY = 0.1


def ask(path, command, *args):
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as s:
        s.connect(path)
        s.sendall(json.dumps({"command": command, "args": args, "options": {}}).encode() + b"\n")
        answer = json.loads(s.makefile().readline() or '{"ok": false, "error": "no answer"}')
    return "ok" if answer["ok"] else answer["error"]


def now():
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def received(interfaces):
    total = 0
    for i in interfaces:
        with open("/sys/class/net/%s/statistics/rx_bytes" % i) as f:
            total += int(f.read())
    return total


def main(path, out, *interfaces):
    count = 0
    with open(out, "w", buffering=1) as f:
        while True:
            name = "pause%d" % (count % NAMES)
            began, before = now(), received(interfaces)
            said = ask(path, "name add", name)
            took, after = now() - began, received(interfaces)
            f.write("%d %d %d %d %s\n" % (began * 1000, took * 1000, before, after, said))
            ask(path, "name del", name)
            count += 1
            time.sleep(max(0, began + EVERY - now()))


main(*sys.argv[1:])
