//! How large transactions are and what of them a mempool takes.

use bloom_chain::mempool::policy::{DUST_UNITS, MAX_TRANSACTION_BYTES};
use bloom_consensus::Amount;
use bloom_consensus::constants::{OUTPOINT_BYTES, OUTPUT_BYTES, SIGNATURE_BYTES};

/// version ‖ not_before ‖ the two counts.
const FRAME_BYTES: usize = 4 + 8 + 4 + 4;
/// An outpoint and its signature.
pub const INPUT_BYTES: usize = OUTPOINT_BYTES + SIGNATURE_BYTES;

/// The least output that is made: the mempool refuses dust, which costs more to spend than it is worth.
pub const DUST: Amount = Amount::from_units(DUST_UNITS);

/// Bytes of a signed transaction.
#[must_use]
pub const fn transaction_bytes(inputs: usize, outputs: usize) -> usize {
    FRAME_BYTES + inputs * INPUT_BYTES + outputs * OUTPUT_BYTES
}

/// The most inputs beside so many outputs.
#[must_use]
pub const fn most_inputs(outputs: usize) -> usize {
    MAX_TRANSACTION_BYTES.saturating_sub(transaction_bytes(0, outputs)) / INPUT_BYTES
}
