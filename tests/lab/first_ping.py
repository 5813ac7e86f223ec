"""first_ping.py ADDRESS SECONDS - sends a ping every 10 ms, waits for none of them, and prints when
the first one was answered: milliseconds of CLOCK_BOOTTIME, as /proc/uptime has them. Fails when no
ping was answered in SECONDS. The address need not be reachable, or exist, when this starts."""
import select
import socket
import struct
import sys
import time


def checksum(data):
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def request(v6, number):
    body = struct.pack("!HH", 0x7670, number & 0xFFFF) + b"first ping, 16 by"[:16]
    if v6:  # the kernel fills in ICMPv6's checksum
        return struct.pack("!BBH", 128, 0, 0) + body
    return struct.pack("!BBH", 8, 0, checksum(struct.pack("!BBH", 8, 0, 0) + body)) + body


def is_answer(v6, packet):
    if not v6:
        packet = packet[(packet[0] & 15) * 4 :]
    return packet[:1] == (b"\x81" if v6 else b"\x00") and packet[4:6] == b"\x76\x70"


def main(address, seconds):
    v6 = ":" in address
    family, proto = (socket.AF_INET6, 58) if v6 else (socket.AF_INET, 1)
    s = socket.socket(family, socket.SOCK_RAW, proto)
    s.setblocking(False)
    end = time.monotonic() + float(seconds)
    due = number = 0
    while (now := time.monotonic()) < end:
        if now >= due:
            due = now + 0.010
            number += 1
            try:
                s.sendto(request(v6, number), (address, 0))
            except OSError:
                pass  # no route yet
        if select.select([s], [], [], 0.002)[0]:
            packet, sender = s.recvfrom(2048)
            if sender[0] == address and is_answer(v6, packet):
                print(int(time.clock_gettime(time.CLOCK_BOOTTIME) * 1000))
                return 0
    print("no answer from", address, "in", seconds, "s", file=sys.stderr)
    return 1


sys.exit(main(*sys.argv[1:]))
