//! Blocks: a header, its coinbase and its transactions; the certificate is recomputed, never part of it (law §7).

use crate::codec::{DecodeError, Reader, count_bytes};
use crate::constants::{HEADER_BYTES, MAX_BLOCK_BYTES, MIN_TRANSACTION_BYTES};
use crate::{BlockHash, Coinbase, Header, MerkleRoot, Template, Transaction, merkle};

/// A header with a body. That the body is the header's own is a rule, see [`crate::rules::isolation::check_body`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// What was mined.
    pub header: Header,
    /// The new coins.
    pub coinbase: Coinbase,
    /// In the order in which they spend.
    pub transactions: Vec<Transaction>,
}

/// What the rules on bodies look at, in a block as in a draft that has no seal yet.
#[derive(Clone, Copy, Debug)]
pub struct Contents<'a> {
    /// Height, time and root.
    pub template: &'a Template,
    /// The new coins.
    pub coinbase: &'a Coinbase,
    /// In the order in which they spend.
    pub transactions: &'a [Transaction],
}

impl Contents<'_> {
    /// The bytes of [`Block::encode`], sealed.
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        let frame = HEADER_BYTES.saturating_add(self.coinbase.encoded_len()).saturating_add(4);
        self.transactions.iter().map(Transaction::encoded_len).fold(frame, usize::saturating_add)
    }
}

impl Block {
    /// The block but for its seal.
    #[must_use]
    pub fn contents(&self) -> Contents<'_> {
        Contents { template: &self.header.template, coinbase: &self.coinbase, transactions: &self.transactions }
    }

    /// The header's hash.
    #[must_use]
    pub fn hash(&self) -> BlockHash {
        self.header.block_hash()
    }

    /// The root that the header must have.
    #[must_use]
    pub fn merkle_root(&self) -> MerkleRoot {
        merkle::root(&self.coinbase.id(), self.transactions.iter().map(Transaction::wtxid))
    }

    /// The bytes of [`Block::encode`].
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        self.contents().encoded_len()
    }

    /// header ‖ coinbase ‖ count ‖ transactions.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.encoded_len());
        out.extend(self.header.to_bytes());
        self.coinbase.write(&mut out);
        out.extend(count_bytes(self.transactions.len()));
        for transaction in &self.transactions {
            transaction.write(&mut out);
        }
        out
    }

    /// Reads a block that fills `bytes` exactly.
    ///
    /// # Errors
    /// [`DecodeError`] for more than 1 MiB and for anything but the one encoding.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        if bytes.len() > MAX_BLOCK_BYTES {
            return Err(DecodeError::BlockTooLong { got: bytes.len(), most: MAX_BLOCK_BYTES });
        }
        let mut reader = Reader::new(bytes);
        let header = Header::read(&mut reader)?;
        let coinbase = Coinbase::read(&mut reader)?;
        let count = reader.count("transaction", MIN_TRANSACTION_BYTES)?;
        let transactions = (0..count).map(|_| Transaction::read(&mut reader)).collect::<Result<_, _>>()?;
        reader.finish("block")?;
        Ok(Self { header, coinbase, transactions })
    }
}
