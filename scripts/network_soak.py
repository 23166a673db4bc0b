#!/usr/bin/env python3
"""Keeps a network of real nodes going on the loopback: idle for a while, or for long with random kills.

    cargo build --release -p bloom && cargo build --release -p bloom-node --example dev_payments
    scripts/network_soak.py idle [--seconds 180] [--chain DIR]
    scripts/network_soak.py kills [--minutes 20] [--seed 1] [--place DIR]
    scripts/network_soak.py kills --calm --nodes 3 --pace 0 --payments 20

`idle` starts a node and 8 others that each have it as a peer, and measures its memory, its time on a core and its bytes with
each peer. `kills` runs 6 nodes, two of which mine a block a second, has payments submitted, and ends all but the first and the
last at random by SIGKILL or SIGTERM and starts them again. At the end mining stops and all must have one tip. Memory is read
each second; its slope is a straight line through what was read after a node's first minute. `--calm` ends none, and at pace 0
a node has as many blocks in minutes as otherwise in hours: what it fills are caches, and where they are full it stays.
"""

import argparse
import json
import os
import random
import shutil
import signal
import socket
import statistics
import sys
import tempfile
import time
from pathlib import Path

from network_bench import Node, coins, tips, wait_for

TICKS = os.sysconf("SC_CLK_TCK")
MINERS = (0, 1)
# What a node allocates while it starts and fills its caches is no slope.
SETTLED = 60


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def resident(pid):
    """Bytes of memory that is the process's own, and all that is resident."""
    fields = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return int(fields["RssAnon"].split()[0]) << 10, int(fields["VmRSS"].split()[0]) << 10


def core_seconds(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def idle(place, options):
    hub_port = free_port()
    nodes = []
    for number in range(9):
        directory = place / f"n{number}"
        if options.chain:
            shutil.copytree(options.chain, directory)
        flags = ["--add-peer", f"127.0.0.1:{hub_port}"] if number else []
        listen = f"127.0.0.1:{hub_port if number == 0 else 0}"
        nodes.append(Node(directory, *flags, listen=listen, kademlia="true"))
    hub, pid = nodes[0], nodes[0].process.pid
    wait_for("8 peers", lambda: len(hub.ask("peers")["peers"]) >= 8)
    time.sleep(30)  # hellos, addresses and the first headers are not idling
    before = (time.monotonic(), core_seconds(pid), {p["peer"]: p for p in hub.ask("peers")["peers"]})
    time.sleep(options.seconds)
    after = (time.monotonic(), core_seconds(pid), {p["peer"]: p for p in hub.ask("peers")["peers"]})
    took = after[0] - before[0]
    both = before[2].keys() & after[2].keys()
    rate = {p: sum(after[2][p][way] - before[2][p][way] for way in ("bytes_in", "bytes_out")) / took for p in both}
    own, whole = resident(pid)
    threads = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        name = (task / "comm").read_text().strip()
        fields = (task / "stat").read_text().rsplit(")", 1)[1].split()
        threads[name] = threads.get(name, 0) + (int(fields[11]) + int(fields[12])) / TICKS
    print(f"idle: {len(after[2])} peers, height {hub.status()['height']}, {took:.0f} s: {whole / 1e6:.1f} MB resident"
          f" ({own / 1e6:.1f} MB its own), {100 * (after[1] - before[1]) / took:.2f} % of a core,"
          f" bytes a second with each peer, both ways: {sorted(round(r) for r in rate.values())}")
    print(f"  core seconds by thread since the start: { {n: round(s, 2) for n, s in threads.items()} }")
    for node in nodes:
        node.stop()


class Life:
    """A node from a start to an end, and what memory it had."""

    def __init__(self, number, node):
        self.number, self.node, self.began, self.read, self.why = number, node, time.monotonic(), [], "the end"

    def look(self):
        own, whole = resident(self.node.process.pid)
        self.read.append((time.monotonic() - self.began, own, whole))

    def slope(self):
        """Bytes a second and how long was looked, or none if it did not live long enough."""
        settled = [(at, own) for at, own, _ in self.read if at > SETTLED]
        if len(settled) < 60:
            return None
        return statistics.linear_regression(*zip(*settled)).slope, settled[-1][0] - settled[0][0]


class Soak:
    def __init__(self, place, base, nodes, pace):
        self.place, self.pace = place, pace
        self.ports = [free_port() for _ in range(nodes)]
        self.lives, self.all, self.starts = {}, [], []
        for number in range(nodes):
            shutil.copytree(base, place / f"n{number}")
            self.start(number)

    def start(self, number, mining=True):
        began = time.monotonic()
        others = [flag for n, port in enumerate(self.ports) if n != number for flag in ("--add-peer", f"127.0.0.1:{port}")]
        mines = ["--mine", "--threads", "1", "--pace", self.pace] if mining and number in MINERS else []
        with (self.place / f"n{number}.err").open("ab") as log:
            node = Node(self.place / f"n{number}", *others, *mines, listen=f"127.0.0.1:{self.ports[number]}",
                        kademlia="true", stderr=log)
        self.starts.append(time.monotonic() - began)
        self.lives[number] = Life(number, node)
        self.all.append(self.lives[number])

    def end(self, number, how):
        life = self.lives.pop(number)
        code, began = life.node.process.poll(), time.monotonic()
        assert code is None, f"node {number} ended by itself with {code}"
        life.node.process.send_signal(how)
        code = life.node.process.wait(10)
        took = time.monotonic() - began
        assert code == (-signal.SIGKILL if how == signal.SIGKILL else 0), f"node {number} ended with {code}"
        assert took < 5, f"node {number} took {took:.1f} s to stop"
        life.why = how.name
        return took

    def spread(self):
        """Heights of those that have been up for a while."""
        settled = [life for life in self.lives.values() if time.monotonic() - life.began > 15]
        return {life.number: life.node.status()["height"] for life in settled}


def kills(place, options):
    chance = random.Random(options.seed)
    base, transactions = coins(place, int(options.minutes * 60 * options.payments))
    soak = Soak(place, base, options.nodes, options.pace)
    mortal = [] if options.calm else range(1, options.nodes - 1)
    began, last_kill, dead, stops, lags = time.monotonic(), time.monotonic(), {}, [], []
    submitted = refused = counts = 0
    while (now := time.monotonic()) < began + options.minutes * 60:
        for life in soak.lives.values():
            life.look()
        for _ in range(min(options.payments, len(transactions))):
            try:
                chance.choice(list(soak.lives.values())).node.ask("submit", transaction=transactions.pop())
                submitted += 1
            except AssertionError as error:
                # Its coin may be unknown to who has just started again.
                refused += 1
                print(f"{now - began:7.1f} s: not taken: {error}", flush=True)
        if now > last_kill + chance.uniform(10, 40) and len(soak.lives) > 3 and mortal:
            number = chance.choice([n for n in soak.lives if n in mortal])
            how = chance.choice([signal.SIGKILL, signal.SIGTERM])
            took = soak.end(number, how)
            counts += 1
            if how == signal.SIGTERM:
                stops.append(took)
            last_kill, dead[number] = now, now + chance.uniform(1, 15)
        for number in [n for n, at in dead.items() if at < now]:
            del dead[number]
            soak.start(number)
        if int(now - began) % 20 == 0 and (heights := soak.spread()):
            lags.append(max(heights.values()) - min(heights.values()))
            if lags[-1] > 5 and options.pace != "0":
                print(f"{now - began:7.1f} s: heights apart: {heights}", flush=True)
        time.sleep(max(0, now + 1 - time.monotonic()))
    for number in dead:
        soak.start(number)
    for number in MINERS:  # mining ends with the process
        stops.append(soak.end(number, signal.SIGTERM))
        soak.start(number, mining=False)
    nodes = [life.node for life in soak.lives.values()]
    one_tip = wait_for("one tip", lambda: len(tips(nodes)) == 1)
    height = nodes[0].status()["height"]
    pools = [node.status()["mempool"]["transactions"] for node in nodes]
    print(f"kills: {options.minutes:g} minutes, height {height}, {counts} kills, {submitted} payments taken, {refused} not;"
          f" one tip {one_tip:.2f} s after the last start; a start takes at most {max(soak.starts):.2f} s,"
          f" a graceful stop {max(stops):.2f} s; heights of settled nodes apart by {max(lags)} at most; waiting then {pools}")
    for life in soak.all:
        slope = life.slope()
        if slope:
            print(f"  node {life.number}, {life.read[-1][0]:.0f} s until {life.why}: {life.read[0][1] / 1e6:.1f} MB at"
                  f" first, {life.read[-1][1] / 1e6:.1f} at last, {max(own for _, own, _ in life.read) / 1e6:.1f} at most;"
                  f" {slope[0] * 60 / 1e3:+.1f} kB a minute over {slope[1]:.0f} s")
    for number in list(soak.lives):
        soak.end(number, signal.SIGTERM)
    (place / "memory.json").write_text(json.dumps([[life.number, life.why, life.read] for life in soak.all]))
    logs = [*place.glob("n*.err"), *place.glob("n*/logs/*")]
    alarms = [line for log in logs for line in log.read_text(errors="replace").splitlines()
              if "panic" in line or "ERROR" in line]
    print(f"  {len(logs)} logs, lines of panics and errors: {len(alarms)}")
    for line in alarms[:20]:
        print(f"    {line}")
    assert not any("panic" in line for line in alarms)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["idle", "kills"])
    parser.add_argument("--seconds", type=float, default=180)
    parser.add_argument("--chain", type=Path, help="a directory whose chain the idle nodes have")
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--nodes", type=int, default=6)
    parser.add_argument("--calm", action="store_true", help="end no node")
    parser.add_argument("--pace", default="1", help="least seconds between two blocks of a miner")
    parser.add_argument("--payments", type=int, default=1, help="submitted a second")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--place", type=Path, help="where to work and to leave what there was")
    options = parser.parse_args()
    work = {"idle": idle, "kills": kills}[options.what]
    if options.place:
        options.place.mkdir(parents=True)
        return work(options.place, options)
    with tempfile.TemporaryDirectory() as place:
        return work(Path(place), options)


if __name__ == "__main__":
    sys.exit(main())
