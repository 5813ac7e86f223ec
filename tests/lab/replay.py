"""replay.py ADDRESS PORT CAPTURE - sends the INIT packets of a capture again: twice as they were, then
each with one byte changed, every byte that its first check covers once. Prints how many were sent and
how many answers came back."""
import socket
import sys
import time

from pcap import datagrams

INIT = 0x41
MAC2 = 16  # the last bytes: not covered by the first check


def main(address, port, capture):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.connect((address, int(port)))
    inits = [p for p in datagrams(capture) if p[:1] == bytes([INIT])][:2]
    sent = answers = 0
    for p in inits:
        changed = [p[:i] + bytes([p[i] ^ 0x55]) + p[i + 1 :] for i in range(len(p) - MAC2)]
        for q in [p, p] + changed:
            s.send(q)
            sent += 1
            time.sleep(0.0005)
    s.settimeout(1)
    try:
        while s.recv(2048):
            answers += 1
    except OSError:
        pass
    print(sent, answers)


main(*sys.argv[1:])
