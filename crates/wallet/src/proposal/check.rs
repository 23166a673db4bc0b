//! Every check of a proposal that needs no key: what it carries is held against everything else that it carries.

use std::collections::BTreeMap;

use bloom_chain::mempool::policy::MAX_TRANSACTION_BYTES;
use bloom_consensus::constants::SIGNATURE_BYTES;
use bloom_consensus::rules::isolation::check_transaction;
use bloom_consensus::{Amount, Body, NetworkId, Output, OutputKey, Params, Transaction, signing};
use secp256k1::{PublicKey, schnorr};

use super::{Change, Owner, Proposal, ProposalError, Share, Signing, Source};
use crate::musig::Round;
use crate::shared::Cosigners;

/// A proposal as read or put together, unchecked.
pub(super) struct Parts {
    pub(super) network: NetworkId,
    pub(super) body: Body,
    pub(super) sources: Vec<Source>,
    pub(super) signing: Vec<Signing>,
    pub(super) change: Vec<Change>,
}

/// Makes a proposal of what fits together.
pub(super) fn check(params: &Params, parts: Parts) -> Result<Proposal, ProposalError> {
    let Parts { network, body, sources, signing, change } = parts;
    if network != params.network_id {
        return Err(ProposalError::OtherNetwork { got: network, expected: params.network_id });
    }
    rules(&body)?;
    sources_are_the_inputs(&body, &sources)?;
    let spent = spent(&body, &sources)?;
    let fee = fee(&body, &spent)?;
    if signing.len() != spent.len() {
        return Err(ProposalError::SigningCount { got: signing.len(), expected: spent.len() });
    }
    let digest = digests(&network, &body, &spent);
    let mut known = Aggregates::default();
    for (input, (signing, output)) in (0..).zip(signing.iter().zip(&spent)) {
        progress(input, signing, output, &digest, &mut known)?;
    }
    change_goes_back(&body, &signing, &change, &mut known)?;
    Ok(Proposal { network, body, sources, signing, change, spent, fee })
}

/// What each input's key signs, by the input's position.
pub(super) fn digests(network: &NetworkId, body: &Body, spent: &[Output]) -> impl Fn(u32) -> [u8; 32] + use<> {
    let common = signing::common(network, body, spent).expect("a proposal has one spent output for each input");
    move |input| signing::digest(&common, input)
}

/// The bytes of a body once it is signed.
pub(super) fn transaction_bytes(body: &Body) -> usize {
    unsigned(body).encoded_len()
}

/// Aggregates computed so far: most inputs of a payment share one.
#[derive(Default)]
struct Aggregates(BTreeMap<Vec<[u8; 33]>, OutputKey>);

impl Aggregates {
    fn key(&mut self, cosigners: &Cosigners) -> OutputKey {
        let name = cosigners.keys().iter().map(PublicKey::serialize).collect();
        *self.0.entry(name).or_insert_with(|| cosigners.output_key())
    }
}

fn unsigned(body: &Body) -> Transaction {
    let none = vec![[0; SIGNATURE_BYTES]; body.inputs().len()];
    Transaction::new(body.clone(), none).expect("there is one signature for each input")
}

/// Size and the law's rules on a transaction by itself: inputs ascend, outputs are positive, sums exact, keys on the curve.
fn rules(body: &Body) -> Result<(), ProposalError> {
    let transaction = unsigned(body);
    let got = transaction.encoded_len();
    // What a mempool takes; it also bounds the time that the checks take.
    if got > MAX_TRANSACTION_BYTES {
        return Err(ProposalError::TransactionSize { got, most: MAX_TRANSACTION_BYTES });
    }
    Ok(check_transaction(&transaction)?)
}

/// Inputs ascend by txid, so their different txids in order are exactly the ids of the sources.
fn sources_are_the_inputs(body: &Body, sources: &[Source]) -> Result<(), ProposalError> {
    let mut named: Vec<_> = body.inputs().iter().map(|input| input.txid).collect();
    named.dedup();
    let ids: Vec<_> = sources.iter().map(Source::id).collect();
    let most = named.len().max(ids.len());
    match (0..most).map(|i| (ids.get(i), named.get(i))).find(|(got, expected)| got != expected) {
        Some((got, expected)) => Err(ProposalError::Source { got: got.copied(), expected: expected.copied() }),
        None => Ok(()),
    }
}

fn spent(body: &Body, sources: &[Source]) -> Result<Vec<Output>, ProposalError> {
    let by_id: BTreeMap<_, _> = sources.iter().map(|source| (source.id(), source.outputs())).collect();
    let mut spent = Vec::new();
    for outpoint in body.inputs() {
        let outputs = by_id.get(&outpoint.txid).copied().unwrap_or_default();
        let output = usize::try_from(outpoint.index).ok().and_then(|index| outputs.get(index));
        let missing = ProposalError::NoSuchOutput { outpoint: *outpoint, outputs: outputs.len() };
        spent.push(*output.ok_or(missing)?);
    }
    Ok(spent)
}

fn fee(body: &Body, spent: &[Output]) -> Result<Amount, ProposalError> {
    let sum = |outputs: &[Output]| Amount::checked_sum(outputs.iter().map(|output| output.amount));
    let outputs = sum(body.outputs()).ok_or(bloom_consensus::TransactionViolation::OutputSum)?;
    let inputs = sum(spent).ok_or(bloom_consensus::TransactionViolation::InputSum)?;
    match inputs.checked_sub(outputs) {
        None => Err(ProposalError::Overspend { inputs, outputs }),
        Some(Amount::ZERO) => Err(ProposalError::NoFee),
        Some(fee) => Ok(fee),
    }
}

/// Whatever has been gathered for one input is good.
fn progress(
    input: u32,
    signing: &Signing,
    output: &Output,
    digest: &impl Fn(u32) -> [u8; 32],
    known: &mut Aggregates,
) -> Result<(), ProposalError> {
    match signing {
        Signing::Single { signature: None, .. } => Ok(()),
        Signing::Single { signature: Some(signature), .. } => {
            let bad = ProposalError::Signature { input, key: output.key };
            let key = output.key.point().ok_or(bad.clone())?;
            let signature = schnorr::Signature::from_byte_array(*signature);
            schnorr::verify(&signature, &digest(input), &key).map_err(|_| bad)
        }
        Signing::Shared { cosigners, shares } => {
            let got = known.key(cosigners);
            if got != output.key {
                return Err(ProposalError::SharedKey { input, got, expected: output.key });
            }
            partials(input, cosigners, shares, &digest(input))
        }
    }
}

/// Partial signatures come after all nonces, and each is its maker's.
fn partials(input: u32, cosigners: &Cosigners, shares: &[Share], digest: &[u8; 32]) -> Result<(), ProposalError> {
    let signed = |(key, share)| match share {
        &Share::Signed(_, partial) => Some((key, partial)),
        Share::Nonce(_) | Share::Absent => None,
    };
    let mut signed = cosigners.keys().iter().zip(shares).filter_map(signed).peekable();
    let Some((first, _)) = signed.peek() else { return Ok(()) };
    let nonces: Option<Vec<_>> = shares.iter().map(Share::nonce).collect();
    let Some(nonces) = nonces else {
        return Err(ProposalError::Early { input, culprit: **first });
    };
    let round = Round::new(cosigners, nonces, *digest);
    match signed.find(|(key, partial)| !round.is_good(key, partial)) {
        Some((culprit, _)) => Err(ProposalError::Partial { input, culprit: *culprit }),
        None => Ok(()),
    }
}

/// Claims of change name outputs in order; that to a shared key is to the aggregate of those who pay, and they pay all of
/// it: what a signer adds from a key of its own is not its own any more where others must sign. Change to a path needs the
/// signer's key to be checked.
fn change_goes_back(
    body: &Body,
    signing: &[Signing],
    change: &[Change],
    known: &mut Aggregates,
) -> Result<(), ProposalError> {
    let mut next = 0;
    for Change { output, owner } in change {
        let place = usize::try_from(*output).ok().and_then(|index| body.outputs().get(index));
        let (Some(place), true) = (place, *output >= next) else {
            return Err(ProposalError::ChangeOutput { output: *output, outputs: body.outputs().len() });
        };
        next = output.saturating_add(1);
        let Owner::Shared(claimed) = owner else { continue };
        let expected = known.key(claimed);
        if place.key != expected {
            return Err(ProposalError::ChangeKey { output: *output, got: place.key, expected });
        }
        let pays = |signing: &Signing| matches!(signing, Signing::Shared { cosigners, .. } if cosigners == claimed);
        if !signing.iter().all(pays) {
            return Err(ProposalError::ChangeStranger { output: *output });
        }
    }
    Ok(())
}
