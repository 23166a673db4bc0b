//! Transactions: outpoints spent, outputs made, one signature per input, no script (law §7).

use std::fmt;
use std::sync::Arc;

use secp256k1::XOnlyPublicKey;

use crate::codec::{DecodeError, Reader, count_bytes};
use crate::constants::{OUTPOINT_BYTES, OUTPUT_BYTES, SIGNATURE_BYTES, VERSION};
use crate::hash::Context;
use crate::{Amount, Height, Txid, Wtxid};

static TXID: Context = Context::new("bloomcoin v1 txid");
static WTXID: Context = Context::new("bloomcoin v1 wtxid");

/// Counts that no transaction or coinbase may have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ShapeError {
    /// n = 0.
    #[error("transaction without inputs: got 0, expected at least 1")]
    NoInputs,
    /// m = 0 in a transaction.
    #[error("transaction without outputs: got 0, expected at least 1")]
    NoOutputs,
    /// Signatures that do not match the inputs one by one.
    #[error("signature count: got {got}, expected {expected}, one for each input")]
    SignatureCount {
        /// Signatures given.
        got: usize,
        /// Inputs.
        expected: usize,
    },
    /// k > 96 in a coinbase.
    #[error("coinbase data too long: got {got} bytes, expected at most {most}")]
    CoinbaseData {
        /// Bytes given.
        got: usize,
        /// [`crate::constants::MAX_COINBASE_DATA`].
        most: usize,
    },
}

/// Which output of which transaction or coinbase. Ordered by the bytes of the id, then by index as a number, as the
/// inputs of a transaction must stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Outpoint {
    /// The txid, or the id of a coinbase.
    pub txid: Txid,
    /// Position among its outputs, from 0.
    pub index: u32,
}

impl fmt::Display for Outpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.txid, self.index)
    }
}

/// The x coordinate of a BIP-340 public key. Any 32 bytes can stand here; an output may only be created with one that is
/// on the curve.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OutputKey(pub [u8; 32]);

impl OutputKey {
    /// The curve point, if x is below the field's prime and on the curve.
    #[must_use]
    pub fn point(&self) -> Option<XOnlyPublicKey> {
        XOnlyPublicKey::from_byte_array(self.0).ok()
    }
}

impl fmt::Display for OutputKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for OutputKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OutputKey({self})")
    }
}

/// An amount that the holder of a key may spend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Output {
    /// More than 0 by the rules.
    pub amount: Amount,
    /// On the curve by the rules.
    pub key: OutputKey,
}

impl Output {
    /// amount ‖ key.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; OUTPUT_BYTES] {
        let mut bytes = [0; OUTPUT_BYTES];
        let (amount, key) = bytes.split_at_mut(8);
        amount.copy_from_slice(&self.amount.units().to_le_bytes());
        key.copy_from_slice(&self.key.0);
        bytes
    }

    /// Reads amount ‖ key; every 40 bytes are one.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; OUTPUT_BYTES]) -> Self {
        let mut reader = Reader::new(bytes);
        Self::read(&mut reader).expect("40 bytes are an output")
    }

    /// Reads one from what follows in a longer encoding.
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let amount = Amount::from_units(reader.u64("output amount")?);
        Ok(Self { amount, key: OutputKey(reader.array("output key")?) })
    }
}

/// count ‖ outputs, as in a body and in a coinbase.
pub(crate) fn write_outputs(out: &mut Vec<u8>, outputs: &[Output]) {
    out.extend(count_bytes(outputs.len()));
    for output in outputs {
        out.extend_from_slice(&output.to_bytes());
    }
}

pub(crate) fn read_outputs(reader: &mut Reader<'_>) -> Result<Vec<Output>, DecodeError> {
    let count = reader.count("output", OUTPUT_BYTES)?;
    read_exactly(count, || Output::read(reader))
}

/// What a transaction's signatures sign: all of it but themselves. At least one input and one output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Body {
    not_before: Height,
    inputs: Vec<Outpoint>,
    outputs: Vec<Output>,
}

impl Body {
    /// A body of version 1.
    ///
    /// # Errors
    /// [`ShapeError`] without inputs or without outputs. That inputs ascend is a rule, see
    /// [`crate::rules::isolation::check_transaction`].
    pub fn new(not_before: Height, inputs: Vec<Outpoint>, outputs: Vec<Output>) -> Result<Self, ShapeError> {
        at_least_one_input(inputs.len())?;
        at_least_one_output(outputs.len())?;
        Ok(Self { not_before, inputs, outputs })
    }

    /// The first height at which a block may hold the transaction.
    #[must_use]
    pub fn not_before(&self) -> Height {
        self.not_before
    }

    /// What is spent, at least one.
    #[must_use]
    pub fn inputs(&self) -> &[Outpoint] {
        &self.inputs
    }

    /// What is made, at least one.
    #[must_use]
    pub fn outputs(&self) -> &[Output] {
        &self.outputs
    }

    /// version ‖ not_before ‖ inputs ‖ outputs.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.encoded_len());
        self.write(&mut out);
        out
    }

    fn encoded_len(&self) -> usize {
        let inputs = self.inputs.len().saturating_mul(OUTPOINT_BYTES);
        let outputs = self.outputs.len().saturating_mul(OUTPUT_BYTES);
        FRAME_BYTES.saturating_add(inputs).saturating_add(outputs)
    }

    /// Reads a body that fills `bytes` exactly.
    ///
    /// # Errors
    /// [`DecodeError`] for anything but the one encoding.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let body = Self::read(&mut reader)?;
        reader.finish("body")?;
        Ok(body)
    }

    /// derive_key("bloomcoin v1 txid", body).
    #[must_use]
    pub fn txid(&self) -> Txid {
        Txid(TXID.derive_key(&[&self.encode()]))
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.extend(VERSION.to_le_bytes());
        out.extend(self.not_before.0.to_le_bytes());
        out.extend(count_bytes(self.inputs.len()));
        for input in &self.inputs {
            out.extend_from_slice(&input.txid.0);
            out.extend_from_slice(&input.index.to_le_bytes());
        }
        write_outputs(out, &self.outputs);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.version("transaction")?;
        let not_before = Height(reader.u64("not_before")?);
        let count = reader.count("input", OUTPOINT_BYTES)?;
        at_least_one_input(count)?;
        let inputs = read_exactly(count, || {
            Ok(Outpoint { txid: Txid(reader.array("input txid")?), index: reader.u32("input index")? })
        })?;
        let outputs = read_outputs(reader)?;
        Ok(Self::new(not_before, inputs, outputs)?)
    }
}

/// version ‖ not_before ‖ the two counts.
const FRAME_BYTES: usize = 4 + 8 + 4 + 4;

/// A body with one BIP-340 signature for each of its inputs. Nothing of it ever changes, so its ids are computed once and
/// clones share it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transaction(Arc<Signed>);

#[derive(Debug, PartialEq, Eq)]
struct Signed {
    body: Body,
    signatures: Vec<[u8; SIGNATURE_BYTES]>,
    txid: Txid,
    wtxid: Wtxid,
}

impl Transaction {
    /// A transaction; whether its signatures are good is a rule, see [`crate::signing::check_signatures`].
    ///
    /// # Errors
    /// [`ShapeError::SignatureCount`] unless there is one signature for each input.
    pub fn new(body: Body, signatures: Vec<[u8; SIGNATURE_BYTES]>) -> Result<Self, ShapeError> {
        if signatures.len() != body.inputs.len() {
            return Err(ShapeError::SignatureCount { got: signatures.len(), expected: body.inputs.len() });
        }
        let txid = body.txid();
        let wtxid = Wtxid(WTXID.derive_key(&[&txid.0, signatures.as_flattened()]));
        Ok(Self(Arc::new(Signed { body, signatures, txid, wtxid })))
    }

    /// All but the signatures.
    #[must_use]
    pub fn body(&self) -> &Body {
        &self.0.body
    }

    /// One for each input, in their order.
    #[must_use]
    pub fn signatures(&self) -> &[[u8; SIGNATURE_BYTES]] {
        &self.0.signatures
    }

    /// The body's id, by which its outputs are spent; the signatures don't change it.
    #[must_use]
    pub fn txid(&self) -> Txid {
        self.0.txid
    }

    /// derive_key("bloomcoin v1 wtxid", txid ‖ signatures): what a block commits to.
    #[must_use]
    pub fn wtxid(&self) -> Wtxid {
        self.0.wtxid
    }

    /// The bytes of [`Transaction::encode`].
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        self.0.body.encoded_len().saturating_add(self.0.signatures.len().saturating_mul(SIGNATURE_BYTES))
    }

    /// body ‖ signatures.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.encoded_len());
        self.write(&mut out);
        out
    }

    /// Reads a transaction that fills `bytes` exactly.
    ///
    /// # Errors
    /// [`DecodeError`] for anything but the one encoding.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let transaction = Self::read(&mut reader)?;
        reader.finish("transaction")?;
        Ok(transaction)
    }

    /// Appends the encoding.
    pub fn write(&self, out: &mut Vec<u8>) {
        self.0.body.write(out);
        out.extend(self.0.signatures.as_flattened());
    }

    /// Reads one from what follows in a longer encoding.
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let body = Body::read(reader)?;
        let signatures = read_exactly(body.inputs.len(), || reader.array("signature"))?;
        Ok(Self::new(body, signatures)?)
    }
}

/// As many items as were counted, in memory for just those: a list that grows has room for four where there is one.
fn read_exactly<T>(count: usize, mut item: impl FnMut() -> Result<T, DecodeError>) -> Result<Vec<T>, DecodeError> {
    let mut list = Vec::with_capacity(count);
    for _ in 0..count {
        list.push(item()?);
    }
    Ok(list)
}

// n, m ≥ 1 (law §7).
fn at_least_one_input(count: usize) -> Result<(), ShapeError> {
    if count == 0 { Err(ShapeError::NoInputs) } else { Ok(()) }
}

fn at_least_one_output(count: usize) -> Result<(), ShapeError> {
    if count == 0 { Err(ShapeError::NoOutputs) } else { Ok(()) }
}
