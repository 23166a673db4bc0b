"""The difficulty rules of docs/spec.md, section 4."""

from oscillators import TAU_Q32, exp2, log2

BLOCK_TIME = 420
INTERVAL = 123
LOG2PHI = 2_981_746_314
MAXIMUM = 1 << 88


def clamp(value, low, high):
    return max(low, min(high, value))


def golden(difficulty, intervals, elapsed, minimum):
    """The golden rule's answer at a retarget height; elapsed ≥ 1."""
    error = TAU_Q32 * (log2(BLOCK_TIME * intervals) - log2(elapsed)) >> 32
    return clamp(exp2(clamp(error, -2 << 32, 2 << 32), difficulty), minimum, MAXIMUM)


def golden_at(height, times, difficulties, minimum):
    """Difficulty of the block at this height ≥ 1, from those of all its ancestors."""
    parent = difficulties[height - 1]
    if height % INTERVAL:
        return parent
    first, last = max(0, height - INTERVAL - 1), height - 1
    return golden(parent, last - first, max(1, times[last] - times[first]), minimum)


def asert_phi(genesis_difficulty, height, since_genesis, minimum):
    """Difficulty of the block at this height ≥ 1; `since_genesis` is its parent's time less that of genesis."""
    error = 2 * LOG2PHI * ((height - 1) * BLOCK_TIME - since_genesis) // (INTERVAL * BLOCK_TIME)
    return clamp(exp2(clamp(error, -100 << 32, 100 << 32), genesis_difficulty), minimum, MAXIMUM)
