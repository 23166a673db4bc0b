//! Proposals: payments on their way to those who must sign them, with everything that a signer must see and what it
//! needs to check that. A value of this type has passed every check that needs no key.
//!
//! A signer has no chain, so what it spends comes along: the whole transaction or coinbase that made each coin. Its hash
//! is the id that the input names, which makes a lie about an amount impossible. (A signature commits to the amounts
//! as well, law §7: one that was begged by such a lie would be worthless. But the signer would have been shown a false
//! fee, and a shared key's nonces would be gone.)

mod check;
mod combine;
mod encoding;
mod error;
mod prepare;

use bloom_chain::FeeRate;
use bloom_consensus::{Amount, Body, Coinbase, NetworkId, Output, Params, Txid};
use secp256k1::musig::{PartialSignature, PublicNonce};

use crate::build::{fee_is_high, sum};
use crate::keys::KeyPath;
use crate::shared::Cosigners;

pub use combine::CombineError;
pub use encoding::MOST_PROPOSAL_BYTES;
pub use error::ProposalError;
pub use prepare::{PrepareError, propose};

/// What made a coin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A transaction's body: its signatures are no part of the id.
    Transaction(Body),
    /// A block's reward.
    Coinbase(Coinbase),
}

impl Source {
    /// What inputs name it by.
    #[must_use]
    pub fn id(&self) -> Txid {
        match self {
            Self::Transaction(body) => body.txid(),
            Self::Coinbase(coinbase) => coinbase.id(),
        }
    }

    pub(crate) fn outputs(&self) -> &[Output] {
        match self {
            Self::Transaction(body) => body.outputs(),
            Self::Coinbase(coinbase) => coinbase.outputs(),
        }
    }
}

/// Whose key an output is claimed to be made to. The signer derives it again and compares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// A key of the wallet that signs.
    Path(KeyPath),
    /// A key shared by these.
    Shared(Cosigners),
}

/// How far the signing of one input has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signing {
    /// By one key.
    Single {
        /// Where the key is.
        path: KeyPath,
        /// BIP-340, good.
        signature: Option<[u8; 64]>,
    },
    /// By a shared key.
    Shared {
        /// All who must sign.
        cosigners: Cosigners,
        /// What each of them has given, in the same order.
        shares: Vec<Share>,
    },
}

/// What a cosigner has given for one input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Share {
    /// Nothing yet.
    Absent,
    /// The first round.
    Nonce(PublicNonce),
    /// The second round, which begins when all nonces are there. The signature is good.
    Signed(PublicNonce, PartialSignature),
}

impl Share {
    pub(crate) fn nonce(&self) -> Option<PublicNonce> {
        match self {
            Self::Absent => None,
            Self::Nonce(nonce) | Self::Signed(nonce, _) => Some(*nonce),
        }
    }
}

/// An output that goes back to whoever pays, as claimed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Which output.
    pub output: u32,
    /// Whose it is.
    pub owner: Owner,
}

/// A payment to be signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    network: NetworkId,
    body: Body,
    /// In ascending order of their ids, each spent from.
    sources: Vec<Source>,
    /// One for each input.
    signing: Vec<Signing>,
    /// In ascending order of the outputs.
    change: Vec<Change>,
    /// One for each input: what it spends, read from `sources`.
    spent: Vec<Output>,
    fee: Amount,
}

impl Proposal {
    /// A proposal nobody has signed yet.
    ///
    /// # Errors
    /// [`ProposalError`], for each fault its own: what does not fit together is never written.
    pub fn new(
        params: &Params,
        body: Body,
        mut sources: Vec<Source>,
        owners: Vec<Owner>,
        mut change: Vec<Change>,
    ) -> Result<Self, ProposalError> {
        sources.sort_by_key(Source::id);
        sources.dedup();
        change.sort_by_key(|claim| claim.output);
        let signing = owners
            .into_iter()
            .map(|owner| match owner {
                Owner::Path(path) => Signing::Single { path, signature: None },
                Owner::Shared(cosigners) => {
                    let shares = vec![Share::Absent; cosigners.keys().len()];
                    Signing::Shared { cosigners, shares }
                }
            })
            .collect();
        check::check(params, check::Parts { network: params.network_id, body, sources, signing, change })
    }

    /// The network that it is for.
    #[must_use]
    pub fn network(&self) -> NetworkId {
        self.network
    }

    /// What is signed.
    #[must_use]
    pub fn body(&self) -> &Body {
        &self.body
    }

    /// What each input spends.
    #[must_use]
    pub fn spent(&self) -> &[Output] {
        &self.spent
    }

    /// How far each input has come.
    #[must_use]
    pub fn signing(&self) -> &[Signing] {
        &self.signing
    }

    /// What goes back, as claimed.
    #[must_use]
    pub fn change(&self) -> &[Change] {
        &self.change
    }

    /// Inputs less outputs: at least 1 unit.
    #[must_use]
    pub fn fee(&self) -> Amount {
        self.fee
    }

    /// The bytes of the signed transaction.
    #[must_use]
    pub fn transaction_bytes(&self) -> usize {
        check::transaction_bytes(&self.body)
    }

    /// What the fee pays for a byte.
    #[must_use]
    pub fn fee_rate(&self) -> FeeRate {
        FeeRate::of(self.fee, self.transaction_bytes())
    }

    /// What is paid to others; of a payment that only goes back, all of it.
    #[must_use]
    pub fn paid(&self) -> Amount {
        let comes_back = |place: u32| self.change.iter().any(|change| change.output == place);
        let outputs = (0..).zip(self.body.outputs());
        let others = outputs.filter(|(place, _)| !comes_back(*place)).map(|(_, output)| output.amount);
        match sum(others) {
            Amount::ZERO => sum(self.body.outputs().iter().map(|output| output.amount)),
            paid => paid,
        }
    }

    /// Whether the fee looks like a mistake.
    #[must_use]
    pub fn fee_is_high(&self) -> bool {
        fee_is_high(self.fee, self.paid())
    }

    /// Whether every input has all that it needs.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.signing.iter().all(|signing| match signing {
            Signing::Single { signature, .. } => signature.is_some(),
            Signing::Shared { shares, .. } => shares.iter().all(|share| matches!(share, Share::Signed(..))),
        })
    }

    /// What input `position`'s key signs.
    pub(crate) fn digest(&self, position: u32) -> [u8; 32] {
        check::digests(&self.network, &self.body, &self.spent)(position)
    }

    /// The same proposal with other progress, checked anew.
    pub(crate) fn with_signing(&self, params: &Params, signing: Vec<Signing>) -> Result<Self, ProposalError> {
        let Self { network, body, sources, change, .. } = self.clone();
        check::check(params, check::Parts { network, body, sources, signing, change })
    }
}
