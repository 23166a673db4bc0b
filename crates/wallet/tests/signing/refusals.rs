//! What contradicts itself is no proposal, and what lies about a wallet is not signed by it.

use bloom_consensus::{Amount, Body, Coinbase, DecodeError, Height, Outpoint, Params, TransactionViolation, Txid};
use bloom_wallet::KeyChain;
use bloom_wallet::proposal::{Change, CombineError, Owner, Proposal, ProposalError, Source};
use bloom_wallet::session::SessionError;
use bloom_wallet::shared::{Cosigners, CosignersError};
use bloom_wallet::sign::{COSIGNER_ACCOUNTS, MOST_CHANGE_INDEX, SignError, review};

use super::support::{Machine, Made, all_sign, dev, key, output, path, shared, shared_payment, single_payment};

#[test]
fn a_proposal_of_another_network_is_refused() {
    let bytes = single_payment().proposal().unwrap().encode();
    let other = Params::by_name("test").unwrap();
    let (got, expected) = (dev().network_id, other.network_id);
    assert_eq!(Proposal::decode(&other, &bytes), Err(ProposalError::OtherNetwork { got, expected }));
}

/// A signer that believed an amount would be shown a wrong fee: the origin is there, and its hash is what the input names.
#[test]
fn a_lie_about_the_amount_of_a_coin_is_noticed() {
    let mut made = single_payment();
    let Source::Coinbase(honest) = made.sources[0].clone() else { panic!("made of coinbases") };
    let mut outputs = honest.outputs().to_vec();
    outputs[1].amount = Amount::from_units(5_000_000);
    let lie = Coinbase::new(honest.height(), honest.data().to_vec(), outputs).unwrap();
    made.sources = vec![Source::Coinbase(lie.clone())];
    let refused = ProposalError::Source { got: Some(lie.id()), expected: Some(honest.id()) };
    assert_eq!(made.proposal(), Err(refused));
}

#[test]
fn origins_are_those_of_the_inputs() {
    let id = |source: &Source| source.id();
    let mut none = single_payment();
    let expected = id(&none.sources[0]);
    let sources = std::mem::take(&mut none.sources);
    assert_eq!(none.proposal(), Err(ProposalError::Source { got: None, expected: Some(expected) }));

    let mut more = single_payment();
    let body = Body::new(Height(0), vec![Outpoint { txid: Txid([0xff; 32]), index: 0 }], more.outputs.clone()).unwrap();
    more.sources.push(Source::Transaction(body));
    assert!(matches!(more.proposal(), Err(ProposalError::Source { .. })));

    let mut beyond = single_payment();
    beyond.inputs[0].index = 2;
    let outpoint = beyond.inputs[0];
    assert_eq!(sources.len(), 1);
    assert_eq!(beyond.proposal(), Err(ProposalError::NoSuchOutput { outpoint, outputs: 2 }));
}

#[test]
fn sums_and_fees_are_exact() {
    let pays = |amount: u64| {
        let mut made = single_payment();
        made.outputs[0].amount = Amount::from_units(amount);
        made.proposal()
    };
    assert_eq!(pays(49_299).unwrap().fee(), Amount::from_units(1));
    assert_eq!(pays(49_300), Err(ProposalError::NoFee));
    let [inputs, outputs] = [50_000, 50_001].map(Amount::from_units);
    assert_eq!(pays(49_301), Err(ProposalError::Overspend { inputs, outputs }));
    assert_eq!(pays(u64::MAX), Err(ProposalError::Rule(TransactionViolation::OutputSum)));
    assert_eq!(pays(0), Err(ProposalError::Rule(TransactionViolation::ZeroOutput { position: 0 })));
}

#[test]
fn a_fee_that_looks_like_a_mistake_is_said_to() {
    let pays = |coin: u64, fee: u64| {
        let from = path(KeyChain::Receive, 4);
        let mut made = Made::new(vec![(Owner::Path(from), key(1, &from))], coin);
        made.outputs = vec![made.outputs[0], output(500_000, made.outputs[0].key)];
        made.outputs[0].amount = Amount::from_units(coin - 500_000 - fee);
        made.change = vec![Change { output: 1, owner: Owner::Path(from) }];
        made.outputs[1].key = key(1, &from);
        made.proposal().unwrap().fee_is_high()
    };
    // A tenth of what is paid to others, and never below 0.001 BLOOM.
    assert!(!pays(500_000 + 11_000_000, 1_000_000));
    assert!(pays(500_000 + 11_000_000, 1_000_001));
    assert!(!pays(500_000 + 100_001, 100_000));
    assert!(pays(500_000 + 200_001, 100_001));
}

#[test]
fn inputs_ascend_and_a_payment_fits_a_relayed_transaction() {
    let from = path(KeyChain::Receive, 0);
    let coins = |count: usize| Made::new(vec![(Owner::Path(from), key(1, &from)); count], 50_000);
    let mut swapped = coins(2);
    swapped.inputs.reverse();
    swapped.owners.reverse();
    assert!(matches!(
        swapped.proposal(),
        Err(ProposalError::Rule(TransactionViolation::InputsOutOfOrder { position: 1, .. }))
    ));
    assert!(coins(999).proposal().is_ok());
    assert_eq!(coins(1_000).proposal(), Err(ProposalError::TransactionSize { got: 100_060, most: 100_000 }));
    let mut short = coins(2);
    short.owners.pop();
    assert_eq!(short.proposal(), Err(ProposalError::SigningCount { got: 1, expected: 2 }));
}

#[test]
fn a_shared_coin_is_its_cosigners() {
    let (one, other) = ([Machine::new(1), Machine::new(2)], [Machine::new(1), Machine::new(3)]);
    let (got, expected) = (shared(&one).output_key(), shared(&other).output_key());
    let made = Made::new(vec![(Owner::Shared(shared(&one)), expected)], 50_000);
    assert_eq!(made.proposal(), Err(ProposalError::SharedKey { input: 0, got, expected }));
    let key = one[0].keys.cosigner();
    assert_eq!(Cosigners::new(vec![key, key]), Err(CosignersError::Twice { key }));
    let stranger = review(&shared_payment(&one), &Machine::new(3).keys);
    assert!(matches!(stranger, Err(SignError::NotACosigner { input: 0, .. })));
}

#[test]
fn change_to_a_shared_key_is_to_those_who_pay() {
    let (payers, others) = ([Machine::new(1), Machine::new(2)], [Machine::new(1), Machine::new(3)]);
    let pays = |to: &Cosigners, claimed: &Cosigners, place: u32| {
        let mut made = Made::new(vec![(Owner::Shared(shared(&payers)), shared(&payers).output_key())], 50_000);
        made.outputs.push(output(500, to.output_key()));
        made.change.push(Change { output: place, owner: Owner::Shared(claimed.clone()) });
        made.proposal()
    };
    let (payers, others) = (shared(&payers), shared(&others));
    assert!(pays(&payers, &payers, 1).is_ok());
    let (got, expected) = (others.output_key(), payers.output_key());
    assert_eq!(pays(&others, &payers, 1), Err(ProposalError::ChangeKey { output: 1, got, expected }));
    assert_eq!(pays(&others, &others, 1), Err(ProposalError::ChangeStranger { output: 1 }));
    assert_eq!(pays(&payers, &payers, 2), Err(ProposalError::ChangeOutput { output: 2, outputs: 2 }));
    let mut twice = single_payment();
    twice.change.push(twice.change[0].clone());
    assert_eq!(twice.proposal(), Err(ProposalError::ChangeOutput { output: 1, outputs: 2 }));
}

/// Whoever prepares adds a coin of a key shared with the signer, and claims that key as the owner of the signer's change.
#[test]
fn what_one_pays_is_no_change_of_a_key_shared_with_another() {
    let (victim, preparer) = (Machine::new(1), Machine::new(66));
    let (both, from) = (shared(&[victim, preparer]), path(KeyChain::Receive, 4));
    let made = |change| {
        let own = (Owner::Path(from), key(1, &from));
        let mut made = Made::new(vec![own, (Owner::Shared(both.clone()), both.output_key())], 5_000_000);
        made.outputs = vec![output(1_000, key(99, &from)), output(9_990_000, both.output_key())];
        made.change = change;
        made.proposal()
    };
    let claim = Change { output: 1, owner: Owner::Shared(both.clone()) };
    assert_eq!(made(vec![claim]), Err(ProposalError::ChangeStranger { output: 1 }));
    let as_payment = made(Vec::new()).unwrap();
    assert_eq!(as_payment.paid(), Amount::from_units(9_991_000), "unclaimed, it is shown as paid to somebody");
    assert_eq!(review(&as_payment, &Machine::new(1).keys).map_err(|error| error.to_string()), Ok(()));
}

/// Each of these files is whole; that it lies shows when the wallet derives its own keys.
#[test]
fn what_is_not_this_wallets_is_not_signed() {
    let mut machine = Machine::new(1);
    let (from, back) = (path(KeyChain::Receive, 4), path(KeyChain::Change, 2));
    let stranger = key(99, &back);

    let mut stolen = single_payment();
    stolen.outputs[1].key = stranger;
    match machine.sign(&stolen.proposal().unwrap()) {
        Err(SignError::ChangeNotOurs { output: 1, got, expected, .. }) => {
            assert_eq!((got, expected), (stranger, key(1, &back)));
        }
        other => panic!("{other:?}"),
    }

    let foreign = Made::new(vec![(Owner::Path(from), stranger)], 50_000).proposal().unwrap();
    assert!(matches!(machine.sign(&foreign), Err(SignError::NotOurs { input: 0, .. })));

    // Ours, but where no scan would look for it: a way to hold change to ransom.
    let far = path(KeyChain::Change, MOST_CHANGE_INDEX + 1);
    let mut hidden = single_payment();
    hidden.outputs[1].key = key(1, &far);
    hidden.change[0].owner = Owner::Path(far);
    assert!(matches!(machine.sign(&hidden.proposal().unwrap()), Err(SignError::PathOutOfReach { .. })));

    let mut cosigner = path(KeyChain::Receive, 0);
    cosigner.account = COSIGNER_ACCOUNTS;
    let disguised = Made::new(vec![(Owner::Path(cosigner), key(1, &cosigner))], 50_000).proposal().unwrap();
    assert!(matches!(machine.sign(&disguised), Err(SignError::PathOutOfReach { .. })));
    assert!(machine.nonce_file().is_none());
}

/// The other cosigner's copy with an output replaced is another payment: it neither combines nor goes on with the
/// nonces given for the first.
#[test]
fn an_output_replaced_between_the_rounds_is_another_payment() {
    let mut machines = [Machine::new(1), Machine::new(2)];
    let replaced = |machines: &[Machine]| {
        let cosigners = shared(machines);
        let aggregate = cosigners.output_key();
        let mut made = Made::new(vec![(Owner::Shared(cosigners), aggregate)], 50_000);
        made.outputs[0].key = key(77, &path(KeyChain::Receive, 0));
        made.proposal().unwrap()
    };
    let honest = shared_payment(&machines);
    let other = replaced(&machines);
    assert_eq!(honest.combine(&dev(), &other), Err(CombineError::Different));

    let nonces = all_sign(&mut machines, &honest).encode();
    let bodies = [honest.body().encode(), other.body().encode()];
    let at = nonces.windows(bodies[0].len()).position(|window| window == bodies[0]).unwrap();
    let mut changed = nonces[..nonces.len() - 32].to_vec();
    changed[at..at + bodies[1].len()].copy_from_slice(&bodies[1]);
    let checksum = blake3::derive_key("bloomcoin v1 proposal", &changed);
    changed.extend(checksum);
    let grafted = Proposal::decode(&dev(), &changed).unwrap();
    let error = machines[0].sign(&grafted).unwrap_err();
    assert!(matches!(error, SignError::Session(SessionError::Unknown)), "{error}");
    assert!(machines[0].nonce_file().is_some(), "the honest payment's nonces are untouched");
}

#[test]
fn a_wrong_partial_signature_names_its_maker() {
    let mut machines = [Machine::new(1), Machine::new(2), Machine::new(3)];
    let nonces = {
        let proposal = shared_payment(&machines);
        all_sign(&mut machines, &proposal)
    };
    let culprit = machines[1].keys.cosigner();
    let bytes = machines[1].sign(&nonces).unwrap().proposal.encode();
    let place = nonces.encode().iter().zip(&bytes).position(|(one, other)| one != other).unwrap();
    // rounds u8 ‖ nonce 66 ‖ partial signature
    let mut changed = bytes[..bytes.len() - 32].to_vec();
    changed[place + 1 + 66 + 31] ^= 1;
    let checksum = blake3::derive_key("bloomcoin v1 proposal", &changed);
    changed.extend(checksum);
    assert_eq!(Proposal::decode(&dev(), &changed), Err(ProposalError::Partial { input: 0, culprit }));
}

#[test]
fn a_spoiled_signature_is_refused() {
    let mut machine = Machine::new(1);
    let proposal = single_payment().proposal().unwrap();
    let bytes = machine.sign(&proposal).unwrap().proposal.encode();
    let place = proposal.encode().iter().zip(&bytes).position(|(one, other)| one != other).unwrap();
    let mut changed = bytes[..bytes.len() - 32].to_vec();
    changed[place + 1] ^= 1;
    let checksum = blake3::derive_key("bloomcoin v1 proposal", &changed);
    changed.extend(checksum);
    let key = key(1, &path(KeyChain::Receive, 4));
    assert_eq!(Proposal::decode(&dev(), &changed), Err(ProposalError::Signature { input: 0, key }));
}

#[test]
fn counts_that_lie_are_refused_before_anything_is_allocated() {
    let bytes = single_payment().proposal().unwrap().encode();
    // The count of origins follows magic, version, network and the body with its length.
    let body = u32::from_le_bytes(bytes[44..48].try_into().unwrap()) as usize;
    for (place, what) in [(44, "body"), (48 + body, "origin")] {
        let mut changed = bytes[..bytes.len() - 32].to_vec();
        changed[place..place + 4].copy_from_slice(&u32::MAX.to_le_bytes());
        let checksum = blake3::derive_key("bloomcoin v1 proposal", &changed);
        changed.extend(checksum);
        match Proposal::decode(&dev(), &changed) {
            Err(ProposalError::Count { what: got, got: u32::MAX, .. }) => assert_eq!(got, what),
            other => panic!("{other:?}"),
        }
    }
    let mut changed = bytes[..bytes.len() - 32].to_vec();
    changed[60..64].copy_from_slice(&u32::MAX.to_le_bytes());
    let checksum = blake3::derive_key("bloomcoin v1 proposal", &changed);
    changed.extend(checksum);
    match Proposal::decode(&dev(), &changed) {
        Err(ProposalError::Decode { what: "body", error: DecodeError::CountBeyondBytes { .. } }) => {}
        other => panic!("{other:?}"),
    }
}
