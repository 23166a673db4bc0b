//! Signing a proposal with a wallet's keys, away from any chain: what is claimed to be the wallet's is derived again and
//! compared before anything is signed.

use bloom_consensus::{OutputKey, Params, signing};
use secp256k1::musig::{PartialSignature, PublicNonce};
use secp256k1::{Keypair, PublicKey, schnorr};
use zeroize::Zeroizing;

use crate::keys::{INDEX_END, KeyChain, KeyPath, Seed};
use crate::musig::{NonceSeed, Round, nonce_pair};
use crate::proposal::{Owner, Proposal, ProposalError, Share, Signing};
use crate::random::{self, NoRandomness};
use crate::session::{SessionError, SessionId, Sessions};
use crate::shared::Cosigners;
use crate::{AccountPublic, WalletKeys};

/// Accounts from here on hold cosigner keys: that of account a is m/86'/7618'/(2³⁰ + a)'/0/0. It has a hardened step of its
/// own because a cosigner key that leaks, with the account's public key, would give the whole account away.
pub const COSIGNER_ACCOUNTS: u32 = 1 << 30;

/// Change beyond this index would not be found again by a scan from the words alone, whoever owns it.
pub const MOST_CHANGE_INDEX: u32 = 100_000;

/// The keys of one account.
pub struct SigningKeys {
    seed: Seed,
    account: AccountPublic,
}

impl SigningKeys {
    /// The keys of an account below [`COSIGNER_ACCOUNTS`].
    #[must_use]
    pub fn new(seed: Seed, account: u32) -> Self {
        let account = seed.account(account);
        Self { seed, account }
    }

    /// The keys of a wallet; `None` if it only watches.
    #[must_use]
    pub fn of(keys: &WalletKeys) -> Option<Self> {
        keys.seed().map(|seed| Self::new(seed, keys.account().account()))
    }

    /// The public key by which this account takes part in shared keys.
    #[must_use]
    pub fn cosigner(&self) -> PublicKey {
        erased(self.cosigner_pair(), Keypair::public_key)
    }

    fn key(&self, path: &KeyPath) -> OutputKey {
        self.account.key(path.chain, path.index)
    }

    fn cosigner_pair(&self) -> Keypair {
        let account = (self.account.account() | COSIGNER_ACCOUNTS) & (INDEX_END - 1);
        self.seed.keypair(&KeyPath { account, chain: KeyChain::Receive, index: 0 })
    }
}

/// Uses a secret and erases it.
fn erased<T>(mut pair: Keypair, using: impl FnOnce(&Keypair) -> T) -> T {
    let result = using(&pair);
    pair.non_secure_erase();
    result
}

/// What signing has added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    /// With what was added.
    pub proposal: Proposal,
    /// Inputs that got their signature.
    pub signatures: usize,
    /// Inputs that got this wallet's public nonce: the first round.
    pub nonces: usize,
    /// Inputs that got this wallet's partial signature: the second round.
    pub partials: usize,
    /// Whether nonces that were given for this payment before are void now.
    pub replaced: bool,
}

/// Why nothing was signed.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// An input of somebody else.
    #[error(
        "input {input} spends from {expected}, but this wallet's key at {path} is {got}: it is another wallet's payment"
    )]
    NotOurs {
        /// Position of the input.
        input: u32,
        /// The claimed path.
        path: KeyPath,
        /// The key there.
        got: OutputKey,
        /// The key spent.
        expected: OutputKey,
    },
    /// A shared key of others.
    #[error("input {input} spends from a shared key that this wallet's cosigner key {own} has no part in")]
    NotACosigner {
        /// Position of the input.
        input: u32,
        /// This wallet's cosigner key.
        own: PublicKey,
    },
    /// Change that goes elsewhere.
    #[error(
        "output {output} is claimed to be change to this wallet's key at {path}, which is {expected}, but goes to {got}: \
         do not sign this, and distrust where it comes from"
    )]
    ChangeNotOurs {
        /// The output.
        output: u32,
        /// The claimed path.
        path: KeyPath,
        /// Where it goes.
        got: OutputKey,
        /// The key at the path.
        expected: OutputKey,
    },
    /// Change, or an input, in another account or beyond where it would be found again.
    #[error(
        "path {path} is not in this wallet's account {account} below index {MOST_CHANGE_INDEX}: a scan would not find it"
    )]
    PathOutOfReach {
        /// The claimed path.
        path: KeyPath,
        /// The wallet's account.
        account: u32,
    },
    /// The second round has to wait.
    #[error("not all nonces are there: {} have not run `bloom wallet sign` on this payment; combine what they send", list(.missing))]
    NoncesMissing {
        /// Whose.
        missing: Vec<PublicKey>,
    },
    /// Some inputs have this wallet's share and some don't.
    #[error(
        "a proposal with this wallet's share in some inputs only: run `bloom wallet sign` on the file as it was prepared"
    )]
    Uneven,
    /// Nonces that the session on this machine did not make.
    #[error(
        "this wallet's nonces in the proposal are not those of its open session: use the newest file that it has signed"
    )]
    OtherNonces,
    /// There is no session to go on with.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// What was signed does not verify.
    #[error(transparent)]
    Proposal(#[from] ProposalError),
    /// No random bytes.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
}

fn list(keys: &[PublicKey]) -> String {
    keys.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// Checks by the keys what a proposal claims to be theirs: every input, and everything called change.
///
/// # Errors
/// [`SignError`], for each false claim its own.
pub fn review(proposal: &Proposal, keys: &SigningKeys) -> Result<(), SignError> {
    let own = keys.cosigner();
    for (input, (signing, spent)) in (0..).zip(proposal.signing().iter().zip(proposal.spent())) {
        match signing {
            Signing::Single { path, .. } => {
                in_reach(path, keys)?;
                let (got, expected) = (keys.key(path), spent.key);
                if got != expected {
                    return Err(SignError::NotOurs { input, path: *path, got, expected });
                }
            }
            Signing::Shared { cosigners, .. } => {
                cosigners.position(&own).ok_or(SignError::NotACosigner { input, own })?;
            }
        }
    }
    for change in proposal.change() {
        let Owner::Path(path) = &change.owner else { continue };
        in_reach(path, keys)?;
        let got = proposal.body().outputs()[change.output as usize].key;
        let expected = keys.key(path);
        if got != expected {
            return Err(SignError::ChangeNotOurs { output: change.output, path: *path, got, expected });
        }
    }
    Ok(())
}

/// Signs what can be signed: all inputs of single keys; of shared keys the first round, or the second when all nonces are
/// there. Nonces last until this machine is restarted, or with `across_restarts` until they are used.
///
/// # Errors
/// [`SignError`]; nothing has left then. If a session is over it says so.
pub fn sign(
    params: &Params,
    proposal: &Proposal,
    keys: &SigningKeys,
    sessions: &mut Sessions<'_>,
    across_restarts: bool,
) -> Result<Signed, SignError> {
    review(proposal, keys)?;
    let mut signing = proposal.signing().to_vec();
    let signatures = sign_singles(proposal, keys, &mut signing)?;
    let mut signed = Signed { proposal: proposal.clone(), signatures, nonces: 0, partials: 0, replaced: false };
    let own = keys.cosigner();
    let shares = own_shares(proposal, &own);
    let rounds = shares.iter().map(OwnShare::state);
    match (rounds.clone().min(), rounds.max()) {
        (None, _) | (Some(2), _) => {}
        (Some(0), Some(0)) => {
            let id = session_id(proposal, &own);
            signed.replaced = sessions.is_open(id);
            let seed = sessions.begin(id, across_restarts)?;
            for (share, nonce) in shares.iter().zip(nonces(&seed, &shares, keys)) {
                set(&mut signing, share, Share::Nonce(nonce));
            }
            signed.nonces = shares.len();
        }
        (Some(1), Some(1)) => {
            for (share, (nonce, partial)) in shares.iter().zip(second_round(proposal, keys, &shares, sessions)?) {
                set(&mut signing, share, Share::Signed(nonce, partial));
            }
            signed.partials = shares.len();
        }
        _ => return Err(SignError::Uneven),
    }
    signed.proposal = proposal.with_signing(params, signing)?;
    Ok(signed)
}

/// This wallet's part in one input.
struct OwnShare<'a> {
    input: u32,
    place: usize,
    cosigners: &'a Cosigners,
    shares: &'a [Share],
    digest: [u8; 32],
}

impl OwnShare<'_> {
    fn own(&self) -> &Share {
        &self.shares[self.place]
    }

    /// Rounds done.
    fn state(&self) -> u8 {
        match self.own() {
            Share::Absent => 0,
            Share::Nonce(_) => 1,
            Share::Signed(..) => 2,
        }
    }
}

fn own_shares<'a>(proposal: &'a Proposal, own: &PublicKey) -> Vec<OwnShare<'a>> {
    let share = |(input, signing): (u32, &'a Signing)| match signing {
        Signing::Single { .. } => None,
        Signing::Shared { cosigners, shares } => {
            let place = cosigners.position(own)?;
            Some(OwnShare { input, place, cosigners, shares, digest: proposal.digest(input) })
        }
    };
    (0..).zip(proposal.signing()).filter_map(share).collect()
}

fn set(signing: &mut [Signing], own: &OwnShare<'_>, share: Share) {
    if let Signing::Shared { shares, .. } = &mut signing[own.input as usize] {
        shares[own.place] = share;
    }
}

fn in_reach(path: &KeyPath, keys: &SigningKeys) -> Result<(), SignError> {
    let account = keys.account.account();
    if path.account != account || path.index > MOST_CHANGE_INDEX {
        return Err(SignError::PathOutOfReach { path: *path, account });
    }
    Ok(())
}

fn sign_singles(proposal: &Proposal, keys: &SigningKeys, signing: &mut [Signing]) -> Result<usize, SignError> {
    let mut signed = 0;
    for (input, signing) in (0..).zip(signing) {
        if let Signing::Single { path, signature: signature @ None } = signing {
            let mut auxiliary = Zeroizing::new([0; 32]);
            random::fill(&mut auxiliary[..])?;
            let digest = proposal.digest(input);
            let sign = |pair: &Keypair| schnorr::sign_with_aux_rand(&digest, pair, &auxiliary);
            *signature = Some(erased(keys.seed.keypair(path), sign).to_byte_array());
            signed += 1;
        }
    }
    Ok(signed)
}

fn session_id(proposal: &Proposal, own: &PublicKey) -> SessionId {
    let common = signing::common(&proposal.network(), proposal.body(), proposal.spent());
    let common = common.expect("a proposal has one spent output for each input");
    let mut hasher = blake3::Hasher::new_derive_key("bloomcoin v1 musig session");
    hasher.update(&common).update(&own.serialize());
    for share in own_shares(proposal, own) {
        hasher.update(&share.input.to_le_bytes());
        for key in share.cosigners.keys() {
            hasher.update(&key.serialize());
        }
    }
    SessionId(*hasher.finalize().as_bytes())
}

fn nonces(seed: &NonceSeed, shares: &[OwnShare<'_>], keys: &SigningKeys) -> Vec<PublicNonce> {
    erased(keys.cosigner_pair(), |pair| {
        let public = |share: &OwnShare<'_>| {
            let (mut secret, public) = nonce_pair(seed, share.input, share.cosigners, pair, &share.digest);
            secret.non_secure_erase();
            public
        };
        shares.iter().map(public).collect()
    })
}

/// The partial signatures of all inputs, handed out when the nonces are gone.
fn second_round(
    proposal: &Proposal,
    keys: &SigningKeys,
    shares: &[OwnShare<'_>],
    sessions: &mut Sessions<'_>,
) -> Result<Vec<(PublicNonce, PartialSignature)>, SignError> {
    let mut rounds = Vec::new();
    for share in shares {
        let all: Option<Vec<_>> = share.shares.iter().map(Share::nonce).collect();
        let Some(all) = all else {
            let without = share.cosigners.keys().iter().zip(share.shares).filter(|(_, share)| share.nonce().is_none());
            return Err(SignError::NoncesMissing { missing: without.map(|(key, _)| *key).collect() });
        };
        rounds.push(Round::new(share.cosigners, all, share.digest));
    }
    sessions.spend(session_id(proposal, &keys.cosigner()), |seed| {
        erased(keys.cosigner_pair(), |pair| {
            let mut partials = Vec::new();
            for (share, round) in shares.iter().zip(&rounds) {
                let (mut secret, public) = nonce_pair(seed, share.input, share.cosigners, pair, &share.digest);
                if share.own().nonce() != Some(public) {
                    secret.non_secure_erase();
                    return Err(SignError::OtherNonces);
                }
                partials.push((public, round.sign(secret, pair)));
            }
            Ok(partials)
        })
    })
}
