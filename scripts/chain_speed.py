#!/usr/bin/env python3
"""How fast `bloom` writes, verifies and rebuilds a dev chain, and how much memory that takes.

    cargo build --release -p bloom && python3 scripts/chain_speed.py [BLOOM [BLOCKS]]

Every figure is one run's, on whatever else the machine is doing: say which machine, and take medians of several.
"""

import json
import os
import subprocess
import sys
import tempfile
import time


def run(*command):
    """The JSON lines of a command, its seconds, and the most resident memory it had, in MB."""
    began = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    said, errors = process.stdout.read(), process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"{' '.join(command)}: status {status}\n{errors}")
    lines = [json.loads(line) for line in said.splitlines()]
    return lines, time.monotonic() - began, usage.ru_maxrss * 1024 / 1e6


def main():
    bloom = sys.argv[1] if len(sys.argv) > 1 else "target/release/bloom"
    blocks = int(sys.argv[2]) if len(sys.argv) > 2 else 10_000
    with tempfile.TemporaryDirectory() as directory:
        place = ["--data-dir", directory, "--json"]
        for threads in ("1", "2"):
            lines, _, memory = run(bloom, "mine", "--pace", "0", "--threads", threads, "--blocks", str(blocks), *place)
            seconds = lines[-1]["seconds"]
            print(f"mine    {threads} threads: {blocks} blocks mined, durable and announced one by one in {seconds:.1f} s, "
                  f"{blocks / seconds:.0f}/s; {memory:.1f} MB")
        height = lines[-1]["height"]
        print(f"file    {os.path.getsize(directory + '/chain.redb') / height:.0f} bytes a block")
        for threads in ("1", "2"):
            (line,), seconds, memory = run(bloom, "verify", "--threads", threads, *place)
            print(f"verify  {threads} threads: {line['proofs_per_second']:.0f} proofs/s; bodies and spending included "
                  f"{line['proofs'] / line['seconds']:.0f} blocks/s, opening {seconds - line['seconds']:.2f} s; {memory:.1f} MB")
        (line,), seconds, memory = run(bloom, "verify", "--reindex", "--threads", "1", *place)
        print(f"reindex {height / (seconds - line['seconds']):.0f} blocks/s; {memory:.1f} MB")


if __name__ == "__main__":
    main()
