#!/usr/bin/env python3
"""Has a fresh node catch up with three peers, one of which stalls and one of which lies, all of them processes.

    cargo build --release -p bloom -p bloom-node -p bloom-net --features bloom-net/transport \\
        --bin bloom --example dev_payments --example hostile
    scripts/network_catch_up.py CHAIN [--blocks 20000] [--payments 4] [--lie proofs|bodies] [--alone] [--kills 2]

CHAIN is a directory with the chain; it is made if it is not there. `--alone` leaves the two bad peers out. The node is ended by
SIGKILL so often on the way, evenly, and started again; the time is from its first start to the right tip, restarts included.
"""

import argparse
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from network_bench import BUILT, PAYMENTS, Node, run

HOSTILE = Path(os.environ.get("HOSTILE", BUILT / "examples/hostile"))
PATIENCE = 300


def cheat(place, chain, how):
    directory = place / how
    shutil.copytree(chain, directory)
    process = subprocess.Popen([HOSTILE, directory, how, "127.0.0.1:0"], stdout=subprocess.PIPE, text=True)
    return process, process.stdout.readline().strip()


def measure(place, options):
    bad = [] if options.alone else [cheat(place, options.chain, how) for how in ("stall", options.lie)]
    shutil.copytree(options.chain, place / "honest")
    honest = Node(place / "honest")
    status = honest.status()
    tip, height = status["tip"], status["height"]
    peers = [flag for address in [a for _, a in bad] + [honest.address] for flag in ("--add-peer", address)]
    kill_at = [height * (k + 1) // (options.kills + 1) for k in range(options.kills)]
    fresh, began, starts, told = Node(place / "fresh", *peers), time.monotonic(), [], []
    try:
        while (now := fresh.status())["tip"] != tip:
            assert time.monotonic() < began + PATIENCE, now
            if kill_at and now["height"] >= kill_at[0]:
                fresh.process.send_signal(signal.SIGKILL)
                fresh.process.wait()
                told += fresh.events
                fresh = Node(place / "fresh", *peers)
                starts.append((now["height"], fresh.status()["height"]))
                assert starts[-1][1] > now["height"] * 9 // 10, f"it started again: {starts}"
                kill_at.pop(0)
            time.sleep(0.05)
        took = time.monotonic() - began
        time.sleep(1)
        told += fresh.events
        bans = fresh.ask("bans")["bans"]
        names = dict(zip([a for _, a in bad] + [honest.address], [*(["staller", "liar"] if bad else []), "honest"]))
        blamed = [f"{names.get(e['address'], 'who dialled in')} after {at - began:.1f} s: {e['fault'].split(':')[0]}, score {e['score']}"
                  for at, e in told if e["event"] == "blamed"]
        banned = [names.get(e["address"], "who dialled in") for _, e in told if e["event"] == "left" and "banned" in e["why"]]
        print(f"catch up: {height} blocks of up to {options.payments} payments, {'honest alone' if options.alone else options.lie}:"
              f" {took:.1f} s, {height / took:.0f} blocks/s; before and after kills {starts};"
              f" bans now {len(bans)}; {fresh.status()['resident_bytes'] / 1e6:.0f} MB resident")
        print(f"  blamed: {blamed}; banned: {banned}")
        assert options.alone or "liar" in banned, "the liar was not banned"
        fresh.stop()
        honest.stop()
    finally:
        for process in [process for process, _ in bad] + [fresh.process, honest.process]:
            process.kill()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("chain", type=Path)
    parser.add_argument("--blocks", type=int, default=20_000)
    parser.add_argument("--payments", type=int, default=4)
    parser.add_argument("--lie", choices=["proofs", "bodies"], default="proofs")
    parser.add_argument("--alone", action="store_true")
    parser.add_argument("--kills", type=int, default=2)
    options = parser.parse_args()
    if not options.chain.exists():
        run(PAYMENTS, "chain", options.chain, options.blocks, options.payments)
    with tempfile.TemporaryDirectory() as place:
        measure(Path(place), options)


if __name__ == "__main__":
    main()
