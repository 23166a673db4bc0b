//! `tickets`: which block hash wins at which difficulty, by how many rounds it stands for.

use bloom_consensus::{BlockHash, Difficulty, ticket};
use bloom_kernel::{BLOOM_ROUNDS, ROUNDS_MAX};
use serde_json::{Value, json};

use super::fault::{Fault, HERE, same};
use super::fields::{Fields, Hash};
use super::random::Random;
use super::rows::Row;

/// A hash at a difficulty.
pub(super) struct Ticket {
    block_hash: BlockHash,
    rounds: u32,
    difficulty: Difficulty,
    wins: bool,
}

impl Row for Ticket {
    fn read(fields: &mut Fields<'_>) -> Result<Self, Fault> {
        Ok(Self {
            block_hash: BlockHash(fields.read::<Hash>("block_hash")?.0),
            rounds: fields.read("rounds")?,
            difficulty: fields.read("difficulty_q24")?,
            wins: fields.read("wins")?,
        })
    }

    fn check(&self) -> Result<(), Fault> {
        same("wins", HERE, ticket::meets(&self.block_hash, self.rounds, self.difficulty), self.wins)
    }
}

/// A row at the border: by turns the last hash that wins, the first that does not, and any hash.
pub(super) fn make(random: &mut Random, index: u32) -> Value {
    let difficulty = random.difficulty();
    let rounds = BLOOM_ROUNDS + random.below((ROUNDS_MAX - BLOOM_ROUNDS + 1) as usize) as u32;
    let last = last_winner(rounds, difficulty);
    let block_hash = match index % 3 {
        0 => last,
        1 => successor(last),
        _ => BlockHash(random.bytes()),
    };
    json!({
        "block_hash": block_hash.to_string(),
        "rounds": rounds,
        "difficulty_q24": difficulty.q24().to_string(),
        "wins": ticket::meets(&block_hash, rounds, difficulty),
    })
}

/// The largest hash that wins, found bit by bit from the top: all below a winner win.
fn last_winner(rounds: u32, difficulty: Difficulty) -> BlockHash {
    let mut hash = BlockHash::ZERO;
    for bit in 0..256 {
        let with_bit = |mut hash: BlockHash| {
            hash.0[bit / 8] |= 0x80 >> (bit % 8);
            hash
        };
        if ticket::meets(&with_bit(hash), rounds, difficulty) {
            hash = with_bit(hash);
        }
    }
    hash
}

/// The next hash as a big-endian integer; the last one follows itself.
fn successor(hash: BlockHash) -> BlockHash {
    let mut next = hash;
    for byte in next.0.iter_mut().rev() {
        *byte = byte.wrapping_add(1);
        if *byte != 0 {
            return next;
        }
    }
    hash
}

#[cfg(test)]
mod tests {
    use bloom_consensus::{BlockHash, Difficulty, ticket};

    use super::{last_winner, successor};

    #[test]
    fn the_border_is_exact() {
        for (rounds, q24) in [(7, 1 << 88), (5778, 1 << 25), (1444, 1 << 22), (2889, (1 << 24) + 1)] {
            let difficulty = Difficulty::from_q24(q24).unwrap();
            let last = last_winner(rounds, difficulty);
            assert!(ticket::meets(&last, rounds, difficulty));
            assert!(!ticket::meets(&successor(last), rounds, difficulty));
        }
        assert_eq!(last_winner(5778, Difficulty::ONE), BlockHash([255; 32]));
        assert_eq!(successor(BlockHash([255; 32])), BlockHash([255; 32]));
    }
}
