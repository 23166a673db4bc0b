//! What the tests share: the vectors, keys, signed transactions, and a chain in memory.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::convert::Infallible;

use bloom_consensus::transaction::ShapeError;
use bloom_consensus::{
    Amount, Ancestor, Ancestors, Block, Body, Coin, CoinView, Coinbase, Difficulty, Draft, Height, NetworkId, Outpoint,
    Output, OutputKey, Params, Parent, Seal, Timestamp, Transaction, Txid, signing,
};
use bloom_kernel::Order;
use secp256k1::Keypair;
use secp256k1::schnorr::sign_no_aux_rand;
use serde_json::Value;

/// The law's vectors.
pub(crate) fn vectors() -> Value {
    let text = include_str!("../../../../tests/vectors/vectors.json");
    serde_json::from_str(text).expect("the vectors are JSON")
}

/// The rows of a section, of which there is at least one.
pub(crate) fn rows<'a>(value: &'a Value, section: &str) -> &'a [Value] {
    let rows = value[section].as_array().expect("a section of rows");
    assert!(!rows.is_empty(), "{section} is empty");
    rows
}

pub(crate) fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_else(|| panic!("{key} is a string"))
}

pub(crate) fn bytes(value: &Value, key: &str) -> Vec<u8> {
    hex::decode(text(value, key)).expect("hex")
}

pub(crate) fn bytes_32(value: &Value, key: &str) -> [u8; 32] {
    bytes(value, key).try_into().expect("32 bytes")
}

/// A number, written as one or as a decimal string.
pub(crate) fn number<T: std::str::FromStr>(value: &Value) -> T {
    let digits = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    digits.parse().unwrap_or_else(|_| panic!("{digits} is a number in range"))
}

pub(crate) fn q24(q24: u128) -> Difficulty {
    Difficulty::from_q24(q24).expect("a difficulty")
}

/// The n-th test key, n ≥ 1.
pub(crate) fn keypair(n: u8) -> Keypair {
    Keypair::from_secret_bytes([n; 32]).expect("small multiples of 0x0101… are below the group's order")
}

pub(crate) fn key(n: u8) -> OutputKey {
    OutputKey(keypair(n).x_only_public_key().0.to_byte_array())
}

pub(crate) fn output(units: u64, owner: u8) -> Output {
    Output { amount: Amount::from_units(units), key: key(owner) }
}

pub(crate) fn outpoint(txid: u8, index: u32) -> Outpoint {
    Outpoint { txid: Txid([txid; 32]), index }
}

pub(crate) fn coin(units: u64, owner: u8) -> Coin {
    Coin { output: output(units, owner), height: Height(1), is_coinbase: false }
}

pub(crate) fn body(inputs: &[Outpoint], outputs: &[Output]) -> Body {
    Body::new(Height(0), inputs.to_vec(), outputs.to_vec()).expect("inputs and outputs")
}

/// A transaction with signatures of nobody.
pub(crate) fn unsigned(inputs: &[Outpoint], outputs: &[Output]) -> Transaction {
    Transaction::new(body(inputs, outputs), vec![[0; 64]; inputs.len()]).expect("one signature for each")
}

/// A transaction signed by the owners of what it spends.
pub(crate) fn signed(
    network: &NetworkId,
    inputs: &[(Outpoint, Coin, u8)],
    outputs: &[Output],
) -> Result<Transaction, ShapeError> {
    let outpoints = inputs.iter().map(|(outpoint, ..)| *outpoint).collect();
    let body = Body::new(Height(0), outpoints, outputs.to_vec())?;
    let spent: Vec<Output> = inputs.iter().map(|(_, coin, _)| coin.output).collect();
    let common = signing::common(network, &body, &spent).expect("one output for each input");
    let sign = |(i, (_, _, owner)): (u32, &(Outpoint, Coin, u8))| {
        sign_no_aux_rand(&signing::digest(&common, i), &keypair(*owner)).to_byte_array()
    };
    let signatures = (0..).zip(inputs).map(sign).collect();
    Transaction::new(body, signatures)
}

/// Unspent outputs in memory.
#[derive(Clone, Debug, Default)]
pub(crate) struct Coins(pub(crate) BTreeMap<Outpoint, Coin>);

impl Coins {
    pub(crate) fn of(coins: &[(Outpoint, Coin)]) -> Self {
        Self(coins.iter().copied().collect())
    }
}

impl CoinView for Coins {
    type Error = Infallible;

    fn coin(&self, outpoint: &Outpoint) -> Result<Option<Coin>, Infallible> {
        Ok(self.0.get(outpoint).copied())
    }
}

/// A branch of times and difficulties, which remembers what was asked of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Branch {
    pub(crate) ancestors: Vec<Ancestor>,
    pub(crate) asked: RefCell<Vec<u64>>,
}

impl Branch {
    pub(crate) fn push(&mut self, timestamp: u64, difficulty: Difficulty) {
        self.ancestors.push(Ancestor { timestamp: Timestamp(timestamp), difficulty });
    }

    /// The height of the last block.
    pub(crate) fn tip(&self) -> Height {
        Height(self.ancestors.len() as u64 - 1)
    }
}

impl Ancestors for Branch {
    type Error = Infallible;

    fn at(&self, height: Height) -> Result<Ancestor, Infallible> {
        self.asked.borrow_mut().push(height.0);
        let at = usize::try_from(height.0).expect("a height in memory");
        Ok(self.ancestors[at])
    }
}

/// A seal of nothing, for what is judged before or after proofs.
pub(crate) fn no_seal() -> Seal {
    Seal { extra_nonce: 0, nonce: 3, bloom_end: 500, order: Order { cos: 0, sin: 0 }, certificate_hash: [0; 32] }
}

/// A dev block at a height that was never mined: its body is its header's own.
pub(crate) fn unmined(height: u64, coinbase: Coinbase, transactions: Vec<Transaction>) -> Block {
    let mut branch = Branch::default();
    branch.push(0, Difficulty::MIN);
    let parent = Parent { hash: Params::dev().genesis.hash(), height: Height(height - 1) };
    let draft = Draft::child(&Params::dev(), &parent, &branch, Timestamp(1), coinbase, transactions);
    draft.unwrap_or_else(|never| match never {}).seal(no_seal())
}

/// As [`unmined`], with a coinbase that pays `units` to key 1, or nobody for 0.
pub(crate) fn block_paying(height: u64, units: u64, transactions: Vec<Transaction>) -> Block {
    let outputs = if units == 0 { vec![] } else { vec![output(units, 1)] };
    let coinbase = Coinbase::new(Height(height), vec![], outputs).expect("no data");
    unmined(height, coinbase, transactions)
}
