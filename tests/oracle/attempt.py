#!/usr/bin/env python3
"""The oracle's other command line: whole attempts and difficulties, recomputed in plain Python integers.

    attempt.py check-vectors FILE    every section of the known answers that ledger.py leaves

Prints "N passed, M failed" and the first mismatches; exits 1 if anything failed or nothing was checked.
"""

import json
import sys

import encoding as law
import oscillators
import retarget
from blake3_plain import blake3
from ledger import Tally

QUARTER = 1 << 22


def check_constants(tally, row):
    gain = oscillators.GAIN
    computed = {
        "omega": oscillators.OMEGA,
        "step": str(oscillators.STEP),
        "tau_q32": oscillators.TAU_Q32,
        "k_floor_q32": oscillators.K_FLOOR_Q32,
        "k_base_q32": oscillators.K_FLOOR_Q32 + oscillators.K_SPAN_Q32,
        "log2phi_q32": retarget.LOG2PHI,
        "gain_first": gain[:8],
        "gain_740_760": gain[740:760],
        "gain_985_993": gain[985:993],
        "gain_blake3_u32le": blake3(b"".join(map(law.u32, gain))).hex(),
        "sincos_blake3": blake3(oscillators.sincos_bytes()).hex(),
    }
    tally.equal("constants: names", sorted(computed), sorted(row))
    for name, value in computed.items():
        tally.equal(f"constants.{name}", value, row[name])


def check_functions(tally, vectors):
    for row in vectors["log2"]:
        tally.equal(f"log2 {row['x']}", oscillators.log2(int(row["x"])), int(row["log2_q32"]))
    for row in vectors["exp2"]:
        got = oscillators.exp2(int(row["e_q32"]), int(row["base"]))
        tally.equal(f"exp2 {row['e_q32']}", got, int(row["exp2"]))
    for row in vectors["coupling"]:
        difficulty = int(row["difficulty_q24"])
        tally.equal(f"coupling {difficulty}", oscillators.coupling(difficulty), int(row["coupling_q32"]))
        for m in (0, 500, 744, 992):
            tally.equal(f"kq[{m}] {difficulty}", oscillators.coupling_table(difficulty)[m], row[f"kq_{m}"])
    for row in vectors["coupling_tables"]:
        table = oscillators.coupling_table(int(row["difficulty_q24"]))
        got = blake3(b"".join(map(law.u32, table[:993]))).hex()
        tally.equal(f"coupling table {row['difficulty_q24']}", got, row["kq_first_993_blake3_u32le"])
    lucas = [2, 1]
    while len(lucas) <= 64079:  # L_23, the highest index among the nonces
        lucas.append(lucas[-1] + lucas[-2] & 0xFFFFFFFF)
    tally.equal("lucas_nonces", [lucas[lucas[j]] for j in range(24)], vectors["lucas_nonces"])


def check_difficulty(tally, vectors):
    for row in vectors["tickets"]:
        won = law.meets_ticket(bytes.fromhex(row["block_hash"]), row["rounds"], int(row["difficulty_q24"]))
        tally.equal(f"ticket {row}", won, row["wins"])
    for row in vectors["retarget_golden"]:
        got = retarget.golden(int(row["difficulty_q24"]), row["intervals"], int(row["elapsed_seconds"]), QUARTER)
        tally.equal(f"retarget_golden {row}", got, int(row["new_difficulty_q24"]))
    for row in vectors["retarget_asert_phi"]:
        got = retarget.asert_phi(
            int(row["genesis_difficulty_q24"]), int(row["height"]), int(row["parent_minus_genesis_seconds"]), QUARTER
        )
        tally.equal(f"retarget_asert_phi {row}", got, int(row["difficulty_q24"]))
    chain = vectors["retarget_golden_chain"]
    expected = chain["height_then_difficulty_q24_with_D_min_quarter_then_with_D_min_65536"]
    for column, minimum in ((1, QUARTER), (2, 65_536 << 24)):
        times, difficulties = [int(chain["t_0"])], [int(expected[0][column])]
        for height in range(1, expected[-1][0] + 1):
            difficulties.append(retarget.golden_at(height, times, difficulties, minimum))
            times.append(times[-1] + 1 + height * height * 7919 % 997)
        for row in expected:
            tally.equal(f"golden chain at {row[0]}, D_min {minimum}", difficulties[row[0]], int(row[column]))


def check_dynamics(tally, rows):
    for row in rows:
        difficulty = row["difficulty_q24"]
        table = [0] * 1024 if difficulty is None else oscillators.coupling_table(int(difficulty))
        result = oscillators.run(row["initial_phases"], table)
        what = f"dynamics, {row['name']}"
        tally.equal(f"{what}: void", result is None, row["void"])
        if result is not None:
            end, order, phases = result
            tally.equal(f"{what}: bloom", (end - 6, end), (row["bloom_start"], row["bloom_end"]))
            tally.equal(f"{what}: order", [list(o) for o in order], row["order"])
            tally.equal(f"{what}: final phases", phases, row["final_phases"])


def attempt(challenge, extra_nonce, nonce, difficulty):
    """(certificate, block hash, rounds) of one attempt, or None if it is void."""
    phases = law.initial_phases(challenge, extra_nonce, nonce)
    result = oscillators.run(phases, oscillators.coupling_table(difficulty))
    if result is None:
        return None
    end, order, final_phases = result
    certificate = law.certificate(end, order, final_phases)
    seal = law.Seal(extra_nonce, nonce, end, order[-1], law.certificate_hash(certificate))
    return certificate, law.block_hash(challenge, seal), end + 1


def check_attempts(tally, vectors):
    for section in ("attempts", "attempts_with_broken_streak"):
        for number, row in enumerate(vectors[section]):
            what = f"{section}[{number}]"
            challenge, difficulty = bytes.fromhex(row["challenge"]), int(row["difficulty_q24"])
            certificate, block_hash, rounds = attempt(challenge, int(row["extra_nonce"]), row["nonce"], difficulty)
            tally.equal(f"{what}: bloom", (rounds - 7, rounds - 1), (row["bloom_start"], row["bloom_end"]))
            tally.equal(f"{what}.certificate_hash", law.certificate_hash(certificate).hex(), row["certificate_hash"])
            tally.equal(f"{what}.block_hash", block_hash.hex(), row["block_hash"])
    for row in vectors["genesis"]:
        what = f"genesis {row['network']}"
        challenge, difficulty = bytes.fromhex(row["challenge"]), int(row["difficulty_q24"])
        nonces = vectors["lucas_nonces"]
        number = int(row["attempt"])
        certificate, block_hash, _ = attempt(challenge, number // 24, nonces[number % 24], difficulty)
        tally.equal(f"{what}.certificate", certificate.hex(), row["certificate"])
        tally.equal(f"{what}.block_hash", block_hash.hex(), row["block_hash"])
        # That no smaller attempt wins is checked where there are few of them.
        for earlier in range(number if number < 10 else 0):
            _, earlier_hash, rounds = attempt(challenge, earlier // 24, nonces[earlier % 24], difficulty)
            won = law.meets_ticket(earlier_hash, rounds, difficulty)
            tally.equal(f"{what}: attempt {earlier} wins", won, False)


def main(arguments):
    match arguments:
        case ["check-vectors", path]:
            with open(path, encoding="utf-8") as file:
                vectors = json.load(file)
        case _:
            print(__doc__, file=sys.stderr)
            return 2
    tally = Tally()
    check_constants(tally, vectors["constants"])
    check_functions(tally, vectors)
    check_difficulty(tally, vectors)
    check_dynamics(tally, vectors["dynamics"])
    check_attempts(tally, vectors)
    return tally.report()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
