//! Blocks without what their receivers have: short ids, and putting a block together from them.

use bloom_consensus::constants::HEADER_BYTES;
use bloom_consensus::{Block, BlockHash, Coinbase, Header, Transaction, Wtxid};

use crate::wire::{CompactBlock, SHORT_ID_BYTES};

const CONTEXT: &str = "bloomcoin v1 short ids";

/// The low bits of a short id that are looked at first, so that what a block does not hold costs little more than its hash.
const FILTER_BITS: u32 = 16;

/// What short ids of one compact block are made with. Its salt is the sender's, so that nobody can make transactions whose
/// short ids collide everywhere.
pub(crate) struct ShortIds([u8; 32]);

impl ShortIds {
    pub(crate) fn new(hash: &BlockHash, salt: u64) -> Self {
        let mut material = [0; 40];
        let (first, last) = material.split_at_mut(32);
        first.copy_from_slice(&hash.0);
        last.copy_from_slice(&salt.to_le_bytes());
        Self(blake3::derive_key(CONTEXT, &material))
    }

    /// The first 6 bytes of the wtxid's keyed hash.
    pub(crate) fn of(&self, wtxid: &Wtxid) -> [u8; SHORT_ID_BYTES] {
        let hash = blake3::keyed_hash(&self.0, &wtxid.0);
        *hash.as_bytes().first_chunk().expect("a hash has 32 bytes")
    }
}

/// A block as it is sent to who has its transactions.
pub(crate) fn compact(block: &Block, hash: &BlockHash, salt: u64) -> CompactBlock {
    let ids = ShortIds::new(hash, salt);
    let short_ids = block.transactions.iter().map(|transaction| ids.of(&transaction.wtxid())).collect();
    CompactBlock { header: block.header, salt, coinbase: block.coinbase.clone(), short_ids }
}

/// Bytes of a compact block's encoding.
pub(crate) fn compact_len(compact: &CompactBlock) -> usize {
    HEADER_BYTES + 8 + compact.coinbase.encoded_len() + 4 + compact.short_ids.len() * SHORT_ID_BYTES
}

/// A block of which transactions are missing.
#[derive(Clone, Debug)]
pub(crate) struct Partial {
    header: Header,
    coinbase: Coinbase,
    transactions: Vec<Option<Transaction>>,
}

impl Partial {
    /// Puts together what is among the candidates, each of which is looked at once. What is not unmistakable counts as
    /// missing: short ids that are there twice, and those that two candidates have.
    pub(crate) fn new<'a>(
        compact: CompactBlock,
        hash: &BlockHash,
        candidates: impl IntoIterator<Item = &'a Transaction>,
    ) -> Self {
        let CompactBlock { header, salt, coinbase, short_ids } = compact;
        let ids = ShortIds::new(hash, salt);
        let wanted = Wanted::new(&short_ids);
        let mut found: Vec<Found<'a>> = vec![Found::None; short_ids.len()];
        for candidate in candidates {
            let at = wanted.position(&ids.of(&candidate.wtxid())).and_then(|at| found.get_mut(at));
            let Some(at) = at else { continue };
            *at = match at {
                Found::None => Found::One(candidate),
                Found::One(one) if one.wtxid() == candidate.wtxid() => Found::One(one),
                Found::One(_) | Found::Several => Found::Several,
            };
        }
        let transactions = found.into_iter().map(Found::one).collect();
        Self { header, coinbase, transactions }
    }

    /// The positions of what is missing, ascending.
    pub(crate) fn missing(&self) -> Vec<u32> {
        (0..).zip(&self.transactions).filter(|(_, one)| one.is_none()).map(|(at, _)| at).collect()
    }

    /// Fills in what was missing, in order; whether it was as many.
    pub(crate) fn fill(&mut self, transactions: Vec<Transaction>) -> bool {
        let holes = self.transactions.iter_mut().filter(|one| one.is_none());
        let mut given = transactions.into_iter();
        let mut is_full = true;
        for hole in holes {
            *hole = given.next();
            is_full &= hole.is_some();
        }
        is_full && given.next().is_none()
    }

    /// The block, if nothing is missing and its root is the header's. A body of another root may have come from a collision
    /// of short ids: it is nobody's fault.
    pub(crate) fn block(self) -> Option<Block> {
        let Self { header, coinbase, transactions } = self;
        let transactions = transactions.into_iter().collect::<Option<Vec<_>>>()?;
        let block = Block { header, coinbase, transactions };
        (block.merkle_root() == header.template.merkle_root).then_some(block)
    }
}

#[derive(Clone, Copy)]
enum Found<'a> {
    None,
    One(&'a Transaction),
    Several,
}

impl Found<'_> {
    fn one(self) -> Option<Transaction> {
        match self {
            Self::One(transaction) => Some(transaction.clone()),
            Self::None | Self::Several => None,
        }
    }
}

/// The short ids of a block, to be asked for their positions.
struct Wanted {
    /// Sorted; none that is there twice.
    positions: Vec<(u64, usize)>,
    /// By the low bits of a short id, whether there may be one.
    filter: Vec<bool>,
}

impl Wanted {
    fn new(short_ids: &[[u8; SHORT_ID_BYTES]]) -> Self {
        let mut all: Vec<(u64, usize)> = short_ids.iter().map(number).zip(0..).collect();
        all.sort_unstable();
        let positions: Vec<_> = all
            .chunk_by(|(one, _), (next, _)| one == next)
            .filter_map(|same| if let [one] = same { Some(*one) } else { None })
            .collect();
        let mut filter = vec![false; 1 << FILTER_BITS];
        for (id, _) in &positions {
            if let Some(flag) = filter.get_mut(low_bits(*id)) {
                *flag = true;
            }
        }
        Self { positions, filter }
    }

    fn position(&self, short_id: &[u8; SHORT_ID_BYTES]) -> Option<usize> {
        let id = number(short_id);
        if !self.filter.get(low_bits(id)).copied().unwrap_or(false) {
            return None;
        }
        let at = self.positions.binary_search_by_key(&id, |(id, _)| *id).ok()?;
        self.positions.get(at).map(|(_, position)| *position)
    }
}

fn number(short_id: &[u8; SHORT_ID_BYTES]) -> u64 {
    let [a, b, c, d, e, f] = *short_id;
    u64::from_le_bytes([a, b, c, d, e, f, 0, 0])
}

fn low_bits(id: u64) -> usize {
    usize::from(id as u16)
}

#[cfg(test)]
mod tests;
