//! What a transaction's signatures sign, and whether they are good (law §7).
//!
//! A digest covers the network, the whole body and every output spent, and the input's own position: a signature serves
//! no other network, transaction, amount or input. Signature i is BIP-340 over digest i under the key of output i.

use secp256k1::schnorr::{Signature, verify};

use crate::codec::count_bytes;
use crate::constants::VERSION;
use crate::error::TransactionViolation;
use crate::hash::Context;
use crate::transaction::write_outputs;
use crate::{Body, NetworkId, Output, Transaction};

static COMMON: Context = Context::new("bloomcoin v1 tx common");
static SIGN: Context = Context::new("bloomcoin v1 tx sign");

/// derive_key("bloomcoin v1 tx common", network_id ‖ body with each input followed by the output that it spends).
///
/// # Errors
/// [`TransactionViolation::SpentCount`] unless `spent` holds one output for each input, in their order.
pub fn common(network: &NetworkId, body: &Body, spent: &[Output]) -> Result<[u8; 32], TransactionViolation> {
    let (got, expected) = (spent.len(), body.inputs().len());
    if got != expected {
        return Err(TransactionViolation::SpentCount { got, expected });
    }
    let mut bytes = network.0.to_vec();
    bytes.extend(VERSION.to_le_bytes());
    bytes.extend(body.not_before().0.to_le_bytes());
    bytes.extend(count_bytes(expected));
    for (input, output) in body.inputs().iter().zip(spent) {
        bytes.extend(input.txid.0);
        bytes.extend(input.index.to_le_bytes());
        bytes.extend(output.to_bytes());
    }
    write_outputs(&mut bytes, body.outputs());
    Ok(COMMON.derive_key(&[&bytes]))
}

/// derive_key("bloomcoin v1 tx sign", common ‖ i): what input i's key signs.
#[must_use]
pub fn digest(common: &[u8; 32], input: u32) -> [u8; 32] {
    SIGN.derive_key(&[common, &input.to_le_bytes()])
}

/// Checks every signature of a transaction against the outputs that it spends, in the order of its inputs. It depends
/// on nothing else: the answer may be cached under the wtxid, and blocks' transactions checked in any order.
///
/// # Errors
/// [`TransactionViolation::Signature`] for the first input whose signature is not its key's;
/// [`TransactionViolation::KeyNotOnCurve`] for a spent output that never could have been created.
pub fn check_signatures(
    network: &NetworkId,
    transaction: &Transaction,
    spent: &[Output],
) -> Result<(), TransactionViolation> {
    let common = common(network, transaction.body(), spent)?;
    for ((position, signature), output) in (0..).zip(transaction.signatures()).zip(spent) {
        let key = output.key.point().ok_or(TransactionViolation::KeyNotOnCurve { position, got: output.key })?;
        let signature = Signature::from_byte_array(*signature);
        verify(&signature, &digest(&common, position), &key)
            .map_err(|_| TransactionViolation::Signature { position, key: output.key })?;
    }
    Ok(())
}
