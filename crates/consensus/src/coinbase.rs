//! The coinbase: the one part of a block that makes new coins, bound to its height (law §7).

use crate::codec::{DecodeError, Reader, count_bytes};
use crate::constants::{MAX_COINBASE_DATA, OUTPUT_BYTES, VERSION};
use crate::hash::Context;
use crate::transaction::{ShapeError, read_outputs, write_outputs};
use crate::{Height, Output, Txid};

static COINBASE: Context = Context::new("bloomcoin v1 coinbase");

/// version ‖ height ‖ the two counts.
const FRAME_BYTES: usize = 4 + 8 + 4 + 4;

/// Height, at most 96 bytes of free data, any number of outputs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coinbase {
    height: Height,
    data: Vec<u8>,
    outputs: Vec<Output>,
}

impl Coinbase {
    /// A coinbase of version 1.
    ///
    /// # Errors
    /// [`ShapeError::CoinbaseData`] for more than 96 bytes of data.
    pub fn new(height: Height, data: Vec<u8>, outputs: Vec<Output>) -> Result<Self, ShapeError> {
        at_most_96_bytes(data.len())?;
        Ok(Self { height, data, outputs })
    }

    /// The height of its block.
    #[must_use]
    pub fn height(&self) -> Height {
        self.height
    }

    /// Free bytes, at most 96.
    #[must_use]
    pub fn data(&self) -> &[u8] {
        &self.data
    }

    /// Reward and fees, spendable as (coinbase id, index) once mature.
    #[must_use]
    pub fn outputs(&self) -> &[Output] {
        &self.outputs
    }

    /// derive_key("bloomcoin v1 coinbase", coinbase); its outputs are spent by it as by a txid.
    #[must_use]
    pub fn id(&self) -> Txid {
        Txid(COINBASE.derive_key(&[&self.encode()]))
    }

    /// The bytes of [`Coinbase::encode`].
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        let outputs = self.outputs.len().saturating_mul(OUTPUT_BYTES);
        FRAME_BYTES.saturating_add(self.data.len()).saturating_add(outputs)
    }

    /// version ‖ height ‖ data ‖ outputs.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.write(&mut out);
        out
    }

    /// Reads a coinbase that fills `bytes` exactly.
    ///
    /// # Errors
    /// [`DecodeError`] for anything but the one encoding.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let coinbase = Self::read(&mut reader)?;
        reader.finish("coinbase")?;
        Ok(coinbase)
    }

    /// Appends the encoding.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend(VERSION.to_le_bytes());
        out.extend(self.height.0.to_le_bytes());
        out.extend(count_bytes(self.data.len()));
        out.extend(&self.data);
        write_outputs(out, &self.outputs);
    }

    /// Reads one from what follows in a longer encoding.
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.version("coinbase")?;
        let height = Height(reader.u64("coinbase height")?);
        let length = reader.count("coinbase data", 1)?;
        at_most_96_bytes(length)?;
        let data = reader.bytes("coinbase data", length)?.to_vec();
        let outputs = read_outputs(reader)?;
        Ok(Self::new(height, data, outputs)?)
    }
}

fn at_most_96_bytes(length: usize) -> Result<(), ShapeError> {
    if length > MAX_COINBASE_DATA {
        return Err(ShapeError::CoinbaseData { got: length, most: MAX_COINBASE_DATA });
    }
    Ok(())
}
