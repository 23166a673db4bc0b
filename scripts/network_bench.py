#!/usr/bin/env python3
"""Measures a network of real nodes on the loopback: agreement, propagation, bytes for a block, healing.

    cargo build --release -p bloom && cargo build --release -p bloom-node --example dev_payments
    scripts/network_bench.py [agree] [propagate] [payments] [partition]

Without names all are measured. `partition` needs root, for it puts each side into a network namespace of its own. Every node
has a directory of its own under a temporary one.
"""

import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILT = ROOT / "target" / os.environ.get("BUILD", "release")
BLOOM = Path(os.environ.get("BLOOM", BUILT / "bloom"))
PAYMENTS = Path(os.environ.get("PAYMENTS", BUILT / "examples/dev_payments"))
PATIENCE = 120


def run(*args):
    return subprocess.run([str(a) for a in args], check=True, capture_output=True, text=True).stdout


class Node:
    """A node, and when each of its tips was printed."""

    def __init__(self, directory, *flags, listen="127.0.0.1:0", prefix=(), kademlia="false", stderr=subprocess.DEVNULL):
        self.directory = directory
        self.tips, self.events, self.started = {}, [], threading.Event()
        command = [*prefix, BLOOM, "node", "--json", f"--kademlia={kademlia}", "--data-dir", directory, "--listen", listen, *flags]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr, text=True)
        threading.Thread(target=self.read, daemon=True).start()
        assert self.started.wait(PATIENCE), f"{directory} does not start"

    def read(self):
        for line in self.process.stdout:
            now, event = time.monotonic(), json.loads(line)
            if event["event"] == "start":
                self.address = (event["listening"] or [None])[0]
                self.started.set()
            if event["event"] == "tip":
                self.tips[event["hash"]] = now
            else:
                self.events.append((now, event))

    def ask(self, request, **rest):
        with socket.socket(socket.AF_UNIX) as stream:
            stream.settimeout(PATIENCE)
            stream.connect(str(self.directory / "node.sock"))
            stream.sendall(json.dumps({"request": request, **rest}).encode() + b"\n")
            answer = json.loads(b"".join(iter(lambda: stream.recv(1 << 16), b"")))
        assert "error" not in answer, answer
        return answer

    def status(self):
        return self.ask("status")

    def stop(self):
        self.process.terminate()
        assert self.process.wait(10) == 0


def wait_for(what, holds):
    began = time.monotonic()
    while not holds():
        assert time.monotonic() < began + PATIENCE, f"waited in vain for {what}"
        time.sleep(0.01)
    return time.monotonic() - began


def tips(nodes):
    return {node.status()["tip"] for node in nodes}


def network(place, count, *, miners, base=None, flags=()):
    """Nodes that each seek the ones before; the first of them mine when they are asked to."""
    nodes = []
    for number in range(count):
        directory = place / f"n{number}"
        if base:
            shutil.copytree(base, directory)
        peers = [flag for node in nodes for flag in ("--add-peer", node.address)]
        mines = ["--mine", "--threads", "1", "--blocks", "0"] if number < miners else []
        nodes.append(Node(directory, *peers, *mines, *flags))
    wait_for("all to be connected", lambda: all(len(node.ask("peers")["peers"]) >= count - 1 for node in nodes))
    return nodes


def agree(place):
    """5 nodes, 2 of them mining a block a second; one stops first. From the last block's mining to one tip."""
    nodes = network(place, 5, miners=2)
    nodes[0].ask("mine", blocks=10)
    nodes[1].ask("mine", blocks=20)
    wait_for("the last block", lambda: nodes[1].ask("mine", blocks=0)["left"] == 0)
    last = max(max(node.tips.values()) for node in nodes[:2])
    wait_for("one tip", lambda: len(tips(nodes)) == 1)
    print(f"agree: one tip {1e3 * (max(max(n.tips.values()) for n in nodes) - last):.1f} ms after the last block,"
          f" seen {1e3 * (time.monotonic() - last):.0f} ms after it, height {nodes[0].status()['height']}")
    for node in nodes:
        node.stop()


def propagate(place, blocks=60):
    """One node of 5 mines; from its tip to each other's."""
    nodes = network(place, 5, miners=1, flags=("--pace", "1"))
    nodes[0].ask("mine", blocks=blocks)
    wait_for("the blocks", lambda: all(len(node.tips) >= blocks for node in nodes))
    times = sorted(1e3 * (node.tips[tip] - at) for tip, at in nodes[0].tips.items() for node in nodes[1:])
    p = statistics.quantiles(times, n=100)
    print(f"propagate: {blocks} blocks to 4 peers: p50 {p[49]:.1f} ms, p90 {p[89]:.1f} ms, p99 {p[98]:.1f} ms, most {times[-1]:.1f} ms")
    for node in nodes:
        node.stop()


def coins(place, count):
    """A directory whose chain has coins for so many payments, and the payments."""
    base = place / "base"
    address = run(PAYMENTS, "address").strip()
    mine = (BLOOM, "mine", "--pace", "0", "--threads", "1", "--data-dir", base, "--address", address, "--blocks")
    run(*mine, 130)
    run(PAYMENTS, "split", base, count)
    run(*mine, 1)
    return base, run(PAYMENTS, "spend", base, count).split()


def payments(place, count=2_000):
    """A block of known transactions, to a node that has one peer: bytes in its whole."""
    base, transactions = coins(place, count)
    nodes = network(place, 5, miners=1, base=base)
    began = time.monotonic()
    for transaction in transactions:
        nodes[0].ask("submit", transaction=transaction)
    told = time.monotonic() - began
    everywhere = lambda: all(node.status()["mempool"]["transactions"] == count for node in nodes)
    wait_for("the transactions everywhere", everywhere)
    spread = time.monotonic() - began
    time.sleep(5)  # what is still said of the transactions is not the block's
    before = [node.status() for node in nodes]
    nodes[0].ask("mine", blocks=1)
    wait_for("the block", lambda: all(node.tips for node in nodes))
    time.sleep(1)
    after = [node.status() for node in nodes]
    tip, at = next(iter(nodes[0].tips.items()))
    size = sum(len(t) // 2 for t in transactions)
    received = [a["bytes_in"] - b["bytes_in"] for a, b in zip(after[1:], before[1:])]
    times = [1e3 * (node.tips[tip] - at) for node in nodes[1:]]
    left = [node.status()["mempool"]["transactions"] for node in nodes]
    print(f"payments: {count} submitted in {told:.1f} s, everywhere after {spread:.1f} s; block of {size} bytes of them, mempools then {left}:"
          f" bytes received by each node {received}, at most {100 * max(received) / size:.1f} % of it;"
          f" {', '.join(f'{t:.0f}' for t in times)} ms to each")
    for node in nodes:
        node.stop()


def partition(place, short=100, long=101):
    """3 nodes and 2, parted: each side mines; then they are joined again."""
    base, transactions = coins(place, 50)
    names = ["bloom-a", "bloom-b"]
    for name in names:
        subprocess.run(["ip", "netns", "del", name], capture_output=True)
    link = lambda *words: run("ip", *words)
    try:
        for name in names:
            link("netns", "add", name)
        link("link", "add", "bloom-a0", "netns", names[0], "type", "veth", "peer", "name", "bloom-b0", "netns", names[1])
        for name, net in zip(names, "12"):
            link("-n", name, "addr", "add", f"10.77.0.{net}/24", "dev", f"{name}0")
            link("-n", name, "link", "set", f"{name}0", "up")
            link("-n", name, "link", "set", "lo", "up")
        sides = [names[0]] * 3 + [names[1]] * 2
        nodes = []
        for number, side in enumerate(sides):
            directory = place / f"n{number}"
            shutil.copytree(base, directory)
            peers = [flag for node in nodes for flag in ("--add-peer", node.address)]
            host = "10.77.0.1" if side == names[0] else "10.77.0.2"
            mines = ["--mine", "--threads", "1", "--blocks", "0", "--pace", "0"] if number in (0, 3) else []
            nodes.append(Node(directory, *peers, *mines, listen=f"{host}:{7800 + number}",
                              prefix=("ip", "netns", "exec", side)))
        wait_for("all to be connected", lambda: all(len(node.ask("peers")["peers"]) >= 3 for node in nodes))
        assert len(tips(nodes)) == 1
        link("-n", names[0], "link", "set", "bloom-a0", "down")
        start = nodes[0].status()["height"]
        for transaction in transactions:
            nodes[0].ask("submit", transaction=transaction)
        nodes[0].ask("mine", blocks=short)
        nodes[3].ask("mine", blocks=long)
        sides_done = lambda: nodes[2].status()["height"] == start + short and nodes[4].status()["height"] == start + long
        wait_for("both sides", sides_done)
        assert len(tips(nodes[:3])) == 1 and len(tips(nodes[3:])) == 1 and len(tips(nodes)) == 2
        link("-n", names[0], "link", "set", "bloom-a0", "up")
        began = time.monotonic()
        wait_for("one tip", lambda: len(tips(nodes)) == 1)
        healed = time.monotonic() - began
        assert nodes[0].status()["height"] == start + long
        pools = [node.status()["mempool"]["transactions"] for node in nodes]
        print(f"partition: {short} and {long} blocks, one tip {healed:.2f} s after the line was up again;"
              f" {len(transactions)} transactions of the losing side wait: {pools}")
        for node in nodes:
            node.stop()
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "del", name], capture_output=True)


def main():
    chosen = sys.argv[1:] or ["agree", "propagate", "payments", "partition"]
    for name in chosen:
        with tempfile.TemporaryDirectory() as place:
            {"agree": agree, "propagate": propagate, "payments": payments, "partition": partition}[name](Path(place))


if __name__ == "__main__":
    main()
