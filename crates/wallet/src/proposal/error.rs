//! Why a proposal is refused.

use bloom_consensus::{Amount, DecodeError, NetworkId, Outpoint, OutputKey, TransactionViolation, Txid};
use secp256k1::PublicKey;

use super::MOST_PROPOSAL_BYTES;
use crate::shared::CosignersError;

/// A proposal that contradicts itself or the network, or bytes that are none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProposalError {
    /// More bytes than any proposal has.
    #[error("proposal too long: got {got} bytes, expected at most {MOST_PROPOSAL_BYTES}; spend fewer coins at once")]
    TooLong {
        /// Bytes given.
        got: usize,
    },
    /// It begins with something else.
    #[error("not a proposal: expected a file that `bloom wallet prepare` made")]
    NotAProposal,
    /// A version that does not exist yet.
    #[error("proposal of version {got}, expected 1: a newer bloom made it, use that")]
    Version {
        /// As read.
        got: u32,
    },
    /// Changed on its way.
    #[error("damaged proposal: its checksum does not match; copy it again")]
    Checksum,
    /// The bytes end within a part, or are not used up.
    #[error("proposal cut short or too long at its {what}")]
    Length {
        /// The part that was being read.
        what: &'static str,
    },
    /// A count that the bytes left cannot hold, or that nothing may have.
    #[error("{what} count in a proposal: got {got}, expected at most {most}")]
    Count {
        /// What was counted.
        what: &'static str,
        /// As read.
        got: u32,
        /// Most that there can be.
        most: usize,
    },
    /// A value that does not exist.
    #[error("{what} in a proposal: got {got}, which means nothing")]
    Kind {
        /// Of what.
        what: &'static str,
        /// As read.
        got: u32,
    },
    /// 33, 66 or 32 bytes that are no key, nonce or partial signature.
    #[error("{what} in a proposal that is none")]
    Malformed {
        /// What it should be.
        what: &'static str,
    },
    /// A body or coinbase that is not in the one encoding.
    #[error("{what} in a proposal: {error}")]
    Decode {
        /// Which.
        what: &'static str,
        /// The fault.
        error: DecodeError,
    },
    /// Made for other coins.
    #[error("proposal of another network: got {got}, expected {expected}; choose its network with --network")]
    OtherNetwork {
        /// The proposal's.
        got: NetworkId,
        /// The wallet's.
        expected: NetworkId,
    },
    /// More than nodes relay.
    #[error(
        "transaction of {got} bytes, expected at most {most}: nodes relay no larger one; spend fewer coins at once"
    )]
    TransactionSize {
        /// Bytes once signed.
        got: usize,
        /// Most bytes.
        most: usize,
    },
    /// A payment that no block could hold.
    #[error(transparent)]
    Rule(#[from] TransactionViolation),
    /// The coins' origins are not those that the inputs name, each once and in order.
    #[error(
        "origin of coins: got {got:?}, expected {expected:?}: the transaction that made a coin was replaced or left out"
    )]
    Source {
        /// The origin's id, if there is one.
        got: Option<Txid>,
        /// The id that the inputs name, if they name one more.
        expected: Option<Txid>,
    },
    /// An output that its origin does not have.
    #[error("input {outpoint} does not exist: its origin has {outputs} outputs")]
    NoSuchOutput {
        /// As the input names it.
        outpoint: Outpoint,
        /// How many the origin has.
        outputs: usize,
    },
    /// More comes out than goes in.
    #[error("outputs of {outputs} BLOOM, expected at most the inputs' {inputs}")]
    Overspend {
        /// Sum of inputs.
        inputs: Amount,
        /// Sum of outputs.
        outputs: Amount,
    },
    /// No fee at all: nodes relay no such payment.
    #[error("no fee: expected at least 1 unit")]
    NoFee,
    /// Not one entry for each input.
    #[error("signers: got {got}, expected {expected}, one for each input")]
    SigningCount {
        /// Entries.
        got: usize,
        /// Inputs.
        expected: usize,
    },
    /// Keys that cannot be shared.
    #[error(transparent)]
    Cosigners(#[from] CosignersError),
    /// Cosigners whose aggregate is not the key that is spent.
    #[error("input {input}: the cosigners' key is {got}, expected {expected}, which it spends")]
    SharedKey {
        /// Position of the input.
        input: u32,
        /// The aggregate.
        got: OutputKey,
        /// The key spent.
        expected: OutputKey,
    },
    /// A signature that is not good.
    #[error("input {input}: its signature is not {key}'s over this payment")]
    Signature {
        /// Position of the input.
        input: u32,
        /// The key spent.
        key: OutputKey,
    },
    /// A partial signature before everybody's nonce is known.
    #[error("input {input}: cosigner {culprit} has signed before all nonces were there")]
    Early {
        /// Position of the input.
        input: u32,
        /// Whose it is.
        culprit: PublicKey,
    },
    /// A partial signature that is not good.
    #[error("input {input}: the partial signature of cosigner {culprit} is wrong; do not use what that machine sent")]
    Partial {
        /// Position of the input.
        input: u32,
        /// Whose it is.
        culprit: PublicKey,
    },
    /// Change that names an output twice, out of order, or one that does not exist.
    #[error("change is claimed of output {output}, expected each once, in order, of {outputs}")]
    ChangeOutput {
        /// The output named.
        output: u32,
        /// How many there are.
        outputs: usize,
    },
    /// Change that is claimed to go back to a shared key but goes elsewhere.
    #[error("output {output} is claimed to go back to the cosigners' key {expected} but goes to {got}")]
    ChangeKey {
        /// The output.
        output: u32,
        /// Its key.
        got: OutputKey,
        /// The claimed cosigners' key.
        expected: OutputKey,
    },
    /// Change to cosigners who do not pay every input: what somebody else has would become theirs, and be called change.
    #[error(
        "output {output} is claimed to be change of cosigners who do not spend every input: do not sign this, and distrust \
         where it comes from; what is meant for them is a payment"
    )]
    ChangeStranger {
        /// The output.
        output: u32,
    },
}
