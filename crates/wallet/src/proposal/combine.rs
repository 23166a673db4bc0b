//! Copies of one proposal come together again, and become a transaction.

use bloom_consensus::{Params, Transaction, signing};
use secp256k1::PublicKey;

use super::{Proposal, ProposalError, Share, Signing};
use crate::musig::Round;

/// Why copies do not go together, or are no transaction yet.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CombineError {
    /// Other inputs, outputs, origins, signers or change.
    #[error("not a copy of the same proposal: it pays, spends or says something else")]
    Different,
    /// A cosigner began twice.
    #[error(
        "input {input}: cosigner {culprit} has given two different nonces; leave out the file with the older one, and let \
         whoever has signed with that run `bloom wallet sign --start-over` on the newer"
    )]
    TwoNonces {
        /// Position of the input.
        input: u32,
        /// Who.
        culprit: PublicKey,
    },
    /// Together they are not good, though each was.
    #[error(transparent)]
    Proposal(#[from] ProposalError),
    /// Not all have signed.
    #[error("not signed by all: {missing} of {inputs} inputs wait; run `bloom wallet sign` where their keys are")]
    Incomplete {
        /// Inputs that wait.
        missing: usize,
        /// All inputs.
        inputs: usize,
    },
}

impl Proposal {
    /// The union of what two copies have gathered.
    ///
    /// # Errors
    /// [`CombineError::Different`] unless they are copies of one, [`CombineError::TwoNonces`] when a cosigner's nonces differ.
    pub fn combine(&self, params: &Params, other: &Self) -> Result<Self, CombineError> {
        if (self.network, &self.body, &self.sources, &self.change)
            != (other.network, &other.body, &other.sources, &other.change)
        {
            return Err(CombineError::Different);
        }
        let pairs = (0..).zip(self.signing.iter().zip(&other.signing));
        let signing = pairs.map(|(input, (one, other))| join(input, one, other)).collect::<Result<_, _>>()?;
        Ok(self.with_signing(params, signing)?)
    }

    /// The same as if a cosigner had given nothing: what others signed with its nonces is void, and their nonces are spent.
    /// Nonces that nobody has signed with stay.
    #[must_use]
    pub fn started_over(&self, own: &PublicKey) -> Self {
        let over = |signing: &Signing| match signing {
            Signing::Shared { cosigners, shares } if cosigners.position(own).is_some() => {
                let stays = |(key, share): (&PublicKey, &Share)| match share {
                    Share::Nonce(nonce) if key != own => Share::Nonce(*nonce),
                    Share::Nonce(_) | Share::Signed(..) | Share::Absent => Share::Absent,
                };
                let shares = cosigners.keys().iter().zip(shares).map(stays).collect();
                Signing::Shared { cosigners: cosigners.clone(), shares }
            }
            other => other.clone(),
        };
        Self { signing: self.signing.iter().map(over).collect(), ..self.clone() }
    }

    /// The signed transaction.
    ///
    /// # Errors
    /// [`CombineError::Incomplete`] unless every input has all that it needs.
    pub fn transaction(&self) -> Result<Transaction, CombineError> {
        let inputs = self.signing.len();
        let signatures: Vec<_> =
            (0..).zip(&self.signing).filter_map(|(at, signing)| self.signature(at, signing)).collect();
        if signatures.len() != inputs {
            return Err(CombineError::Incomplete { missing: inputs - signatures.len(), inputs });
        }
        let transaction =
            Transaction::new(self.body.clone(), signatures).expect("there is one signature for each input");
        signing::check_signatures(&self.network, &transaction, &self.spent).map_err(ProposalError::Rule)?;
        Ok(transaction)
    }

    fn signature(&self, input: u32, signing: &Signing) -> Option<[u8; 64]> {
        match signing {
            Signing::Single { signature, .. } => *signature,
            Signing::Shared { cosigners, shares } => {
                let signed = |share: &Share| match share {
                    Share::Signed(nonce, partial) => Some((*nonce, *partial)),
                    Share::Nonce(_) | Share::Absent => None,
                };
                let (nonces, partials): (_, Vec<_>) = shares.iter().map(signed).collect::<Option<_>>()?;
                Round::new(cosigners, nonces, self.digest(input)).signature(&partials)
            }
        }
    }
}

fn join(input: u32, one: &Signing, other: &Signing) -> Result<Signing, CombineError> {
    match (one, other) {
        (Signing::Single { path, signature }, Signing::Single { path: other_path, signature: other }) => {
            if path != other_path {
                return Err(CombineError::Different);
            }
            // Two signatures over the same by the same key are as good as each other.
            Ok(Signing::Single { path: *path, signature: signature.or(*other) })
        }
        (
            Signing::Shared { cosigners, shares },
            Signing::Shared { cosigners: other_cosigners, shares: other_shares },
        ) if cosigners == other_cosigners => {
            let all = cosigners.keys().iter().zip(shares.iter().zip(other_shares));
            let shares = all.map(|(key, (one, other))| join_share(input, key, one, other)).collect::<Result<_, _>>()?;
            Ok(Signing::Shared { cosigners: cosigners.clone(), shares })
        }
        _ => Err(CombineError::Different),
    }
}

fn join_share(input: u32, key: &PublicKey, one: &Share, other: &Share) -> Result<Share, CombineError> {
    if let (Some(nonce), Some(other)) = (one.nonce(), other.nonce())
        && nonce != other
    {
        return Err(CombineError::TwoNonces { input, culprit: *key });
    }
    // Of two rounds the later holds all of the earlier.
    Ok(match (one, other) {
        (Share::Signed(..), _) | (Share::Nonce(_), Share::Absent | Share::Nonce(_)) => one.clone(),
        _ => other.clone(),
    })
}
