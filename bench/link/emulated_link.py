#!/usr/bin/env python3
"""A slow radio link between two network namespaces.

Two TUN devices, one in each namespace; every IP packet that is written into one comes out of the other after it has
waited for its turn at the given rate and for the one-way delay, unless it is lost. Loss, delay and rate are the same
in both directions; loss comes from a seed. A queue in front of the bottleneck drops what does not fit (tail drop), as
the buffers of a modem do.

Commands on stdin, one a line:
  outage MS   lose every packet, in both directions, for so long; packets on their way are lost too
  address A   the device's address from now on: what is sent to another one gets lost in the network
  counters    print the counters as one line of JSON; "resumed" has, for each HTTP request of the device with a
              Range, its first byte and how many distinct bytes inside TCP had reached the device by then
The program ends with its stdin. Needs root. Only Python's standard library is used.
"""
import argparse
import ctypes
import fcntl
import heapq
import json
import os
import random
import re
import selectors
import socket
import struct
import sys
import time

TUNSETIFF = 0x400454CA
IFF_TUN = 0x0001
IFF_NO_PI = 0x1000
CLONE_NEWNET = 0x40000000
PACKET_MAX = 65536


def open_tun(namespace, name):
    """A TUN device `name` in `namespace`; the descriptor works from anywhere."""
    libc = ctypes.CDLL(None, use_errno=True)
    home = os.open("/proc/self/ns/net", os.O_RDONLY)
    there = os.open(f"/run/netns/{namespace}", os.O_RDONLY)
    if libc.setns(there, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), f"cannot enter the namespace {namespace}")
    try:
        tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN | IFF_NO_PI))
    finally:
        libc.setns(home, CLONE_NEWNET)
        os.close(there)
        os.close(home)
    return tun


def tcp_of(packet):
    """(flow, sequence number, payload bytes) of an IPv4 TCP packet; None for anything else."""
    if len(packet) < 40 or packet[0] >> 4 != 4 or packet[9] != 6:
        return None
    ip_bytes = (packet[0] & 15) * 4
    total = struct.unpack_from("!H", packet, 2)[0]
    ports = bytes(packet[ip_bytes : ip_bytes + 4])
    sequence = struct.unpack_from("!I", packet, ip_bytes + 4)[0]
    tcp_bytes = (packet[ip_bytes + 12] >> 4) * 4
    return bytes(packet[12:20]) + ports, sequence, total - ip_bytes - tcp_bytes


class Direction:
    """One way of the link, with its queue and its counters."""

    def __init__(self, out, options, seed):
        self.out = out
        self.options = options
        self.random = random.Random(seed)
        self.free_at = 0.0
        self.on_the_way = []
        self.number = 0
        self.seen = {}
        self.address = None
        self.counters = dict.fromkeys(
            ["packets", "ip_bytes", "tcp_bytes", "tcp_bytes_again", "lost", "lost_in_outage", "lost_in_queue"], 0
        )

    def send(self, packet, now, outage):
        if outage:
            self.counters["lost_in_outage"] += 1
            return
        waiting_bytes = max(0.0, self.free_at - now) * self.options.rate_bps / 8
        if waiting_bytes + len(packet) > self.options.queue_bytes:
            self.counters["lost_in_queue"] += 1
            return
        self.free_at = max(self.free_at, now) + len(packet) * 8 / self.options.rate_bps
        if self.random.random() < self.options.loss:
            self.counters["lost"] += 1
            return
        self.number += 1
        heapq.heappush(self.on_the_way, (self.free_at + self.options.delay_ms / 1000, self.number, packet))

    def deliver(self, now):
        while self.on_the_way and self.on_the_way[0][0] <= now:
            packet = heapq.heappop(self.on_the_way)[2]
            if self.address is not None and packet[16:20] != self.address:
                self.counters["lost_in_outage"] += 1
                continue
            self.count(packet)
            try:
                os.write(self.out, packet)
            except OSError:
                self.counters["lost"] += 1

    def drop_all(self, now):
        self.counters["lost_in_outage"] += len(self.on_the_way)
        self.on_the_way.clear()
        self.free_at = now

    def count(self, packet):
        self.counters["packets"] += 1
        self.counters["ip_bytes"] += len(packet)
        tcp = tcp_of(packet)
        if tcp is None or tcp[2] <= 0:
            return
        flow, sequence, length = tcp
        self.counters["tcp_bytes"] += length
        self.counters["tcp_bytes_again"] += length - self.new_bytes(flow, sequence, length)

    def new_bytes(self, flow, sequence, length):
        """How many of these bytes of a flow had not been delivered before. Sequence numbers that wrap are not met."""
        spans = self.seen.setdefault(flow, [])
        first, last = sequence, sequence + length
        known = sum(max(0, min(last, b) - max(first, a)) for a, b in spans)
        touching = [(a, b) for a, b in spans if a <= last and b >= first]
        for span in touching:
            spans.remove(span)
            first, last = min(first, span[0]), max(last, span[1])
        spans.append((first, last))
        return length - known


class Link:
    def __init__(self, options):
        self.options = options
        device = open_tun(options.device, "radio0")
        server = open_tun(options.server, "radio0")
        self.down = Direction(device, options, options.seed)
        self.up = Direction(server, options, options.seed + 1)
        self.outage_until = 0.0
        self.resumed = []
        self.selector = selectors.DefaultSelector()
        self.selector.register(server, selectors.EVENT_READ, self.down)
        self.selector.register(device, selectors.EVENT_READ, self.up)
        self.selector.register(sys.stdin.buffer.raw, selectors.EVENT_READ, None)
        self.pending = b""

    def run(self):
        print("ready", flush=True)
        while True:
            now = time.monotonic()
            due = [way.on_the_way[0][0] for way in (self.down, self.up) if way.on_the_way]
            for key, _ in self.selector.select(max(0.0, min(due) - now) if due else None):
                if key.data is None:
                    if not self.obey():
                        return
                else:
                    self.take(key.fd, key.data)
            now = time.monotonic()
            self.down.deliver(now)
            self.up.deliver(now)

    def take(self, tun, direction):
        while True:
            try:
                packet = os.read(tun, PACKET_MAX)
            except BlockingIOError:
                return
            if direction is self.up:
                self.note_range(packet)
            now = time.monotonic()
            direction.send(packet, now, now < self.outage_until)

    def note_range(self, packet):
        found = re.search(rb"\r\nrange: bytes=(\d+)-", packet, re.IGNORECASE)
        if found is not None:
            counters = self.down.counters
            self.resumed.append([int(found[1]), counters["tcp_bytes"] - counters["tcp_bytes_again"]])

    def obey(self):
        data = os.read(0, 4096)
        if not data:
            return False
        self.pending += data
        *lines, self.pending = self.pending.split(b"\n")
        for line in lines:
            words = line.decode().split()
            if words[:1] == ["outage"]:
                now = time.monotonic()
                self.outage_until = now + float(words[1]) / 1000
                self.down.drop_all(now)
                self.up.drop_all(now)
            elif words[:1] == ["address"]:
                self.down.address = socket.inet_aton(words[1])
                self.down.drop_all(time.monotonic())
            elif words == ["counters"]:
                print(json.dumps({"down": self.down.counters, "up": self.up.counters, "resumed": self.resumed}), flush=True)
        return True


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--device", required=True, help="network namespace of the device")
    parser.add_argument("--server", required=True, help="network namespace of the server")
    parser.add_argument("--delay-ms", type=float, required=True, help="one way")
    parser.add_argument("--loss", type=float, required=True, help="share of packets, 0 to 1")
    parser.add_argument("--rate-bps", type=float, required=True, help="bits a second, each way")
    parser.add_argument("--queue-bytes", type=int, default=32768)
    parser.add_argument("--seed", type=int, default=1)
    Link(parser.parse_args()).run()


if __name__ == "__main__":
    main()
