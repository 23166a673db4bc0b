//! What machines sign together is a transaction by the law, and the file between them has one encoding.

use bloom_consensus::rules::isolation::check_transaction;
use bloom_consensus::signing::check_signatures;
use bloom_consensus::{Height, Transaction};
use bloom_wallet::proposal::{Change, Owner, Proposal, ProposalError};
use bloom_wallet::sign::review;
use bloom_wallet::{KeyChain, KeyPath};
use proptest::prelude::*;

use super::support::{Machine, Made, all_sign, dev, key, output, path, shared, shared_payment, single_payment};

/// Reads back as itself, and is what encodes to these bytes.
fn same_after_encoding(proposal: &Proposal) {
    let bytes = proposal.encode();
    let back = Proposal::decode(&dev(), &bytes).unwrap();
    assert_eq!(&back, proposal);
    assert_eq!(back.encode(), bytes);
}

fn good(transaction: &Transaction, proposal: &Proposal) {
    check_transaction(transaction).unwrap();
    check_signatures(&dev().network_id, transaction, proposal.spent()).unwrap();
    assert_eq!(transaction.body(), proposal.body());
    assert_eq!(transaction.encoded_len(), proposal.transaction_bytes());
}

/// A payment of a first machine's own coins and of coins that all share.
fn payment(
    machines: &[Machine],
    coins: &[Option<KeyPath>],
    paid: &[u64],
    not_before: u64,
    with_change: bool,
) -> Proposal {
    let cosigners = shared(machines);
    let owner = |coin: &Option<KeyPath>| match coin {
        Some(path) => (Owner::Path(*path), key(1, path)),
        None => (Owner::Shared(cosigners.clone()), cosigners.output_key()),
    };
    let mut made = Made::new(coins.iter().map(owner).collect(), 100_000);
    made.not_before = Height(not_before);
    let recipient = |(index, amount): (u32, &u64)| output(*amount, key(99, &path(KeyChain::Receive, index)));
    made.outputs = (0..).zip(paid).map(recipient).collect();
    if with_change && coins.contains(&None) {
        made.outputs.push(output(500, cosigners.output_key()));
        made.change.push(Change { output: paid.len() as u32, owner: Owner::Shared(cosigners) });
    }
    made.proposal().unwrap()
}

/// Amounts that one coin of 100 000 units covers with a fee.
fn recipients() -> impl Strategy<Value = Vec<u64>> {
    prop::collection::vec(1_u64..9_000, 1..10)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn what_all_cosigners_sign_is_good(people in 2_u8..=5, coins in 1_usize..=3, paid in recipients(), not_before: u64, with_change: bool) {
        let mut machines: Vec<_> = (1..=people).map(Machine::new).collect();
        let proposal = payment(&machines, &vec![None; coins], &paid, not_before, with_change);
        same_after_encoding(&proposal);
        let nonces = all_sign(&mut machines, &proposal);
        same_after_encoding(&nonces);
        prop_assert!(!nonces.is_complete() && nonces.transaction().is_err());
        let complete = all_sign(&mut machines, &nonces);
        same_after_encoding(&complete);
        prop_assert!(complete.is_complete());
        good(&complete.transaction().unwrap(), &complete);
        prop_assert!(machines.iter().all(|machine| machine.nonce_file().is_none()));
    }

    #[test]
    fn what_one_wallet_signs_is_good(coins in prop::collection::vec((any::<bool>(), 0_u32..1_000), 1..6), paid in recipients(), not_before: u64) {
        let chain = |change| if change { KeyChain::Change } else { KeyChain::Receive };
        let coins: Vec<_> = coins.into_iter().map(|(change, index)| Some(path(chain(change), index))).collect();
        let mut machines = [Machine::new(1), Machine::new(2)];
        let proposal = payment(&machines, &coins, &paid, not_before, false);
        same_after_encoding(&proposal);
        let signed = machines[0].sign(&proposal).unwrap();
        prop_assert_eq!((signed.signatures, signed.nonces, signed.partials), (coins.len(), 0, 0));
        same_after_encoding(&signed.proposal);
        good(&signed.proposal.transaction().unwrap(), &proposal);
    }
}

/// One wallet's own coins beside shared ones: whoever owns them signs them in its first round.
#[test]
fn own_and_shared_coins_cannot_be_mixed_behind_a_cosigners_back() {
    let mut machines = [Machine::new(1), Machine::new(2)];
    let proposal = payment(&machines, &[None, Some(path(KeyChain::Receive, 0))], &[700], 0, false);
    let first = machines[0].sign(&proposal).unwrap();
    assert_eq!((first.signatures, first.nonces), (1, 1));
    // The other machine cannot tell whose coin that is, so it does not sign.
    let error = machines[1].sign(&proposal).unwrap_err().to_string();
    assert!(error.contains("another wallet's payment"), "{error}");
}

#[test]
fn any_flipped_byte_is_noticed() {
    for proposal in [shared_payment(&[Machine::new(1), Machine::new(2)]), single_payment().proposal().unwrap()] {
        let bytes = proposal.encode();
        for position in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[position] ^= 1 << (position % 8);
            let refused = Proposal::decode(&dev(), &flipped).unwrap_err();
            let expected = match position {
                0..8 => ProposalError::NotAProposal,
                8..12 => ProposalError::Version { got: 1 ^ (1 << (position % 8) << (8 * (position - 8))) },
                _ => ProposalError::Checksum,
            };
            assert_eq!(refused, expected, "{position}");
        }
    }
}

/// Whoever changes a file on purpose makes a new checksum too. Before anybody has signed that makes another payment, which
/// is shown as what it is; from then on the signatures hold it.
#[test]
fn a_signed_proposal_with_any_byte_changed_is_refused_or_means_the_same() {
    let mut machines = [Machine::new(1), Machine::new(2)];
    let prepared = shared_payment(&machines);
    let nonces = all_sign(&mut machines, &prepared);
    let half = machines[0].sign(&nonces).unwrap().proposal;
    let complete = all_sign(&mut machines[1..], &half);
    let single = machines[0].sign(&single_payment().proposal().unwrap()).unwrap().proposal;
    for proposal in [half, complete, single] {
        let bytes = proposal.encode();
        let content = bytes.len() - 32;
        for position in 0..content {
            for bit in [0, 3, 7] {
                let mut changed = bytes[..content].to_vec();
                changed[position] ^= 1 << bit;
                let checksum = blake3::derive_key("bloomcoin v1 proposal", &changed);
                changed.extend(checksum);
                let Ok(read) = Proposal::decode(&dev(), &changed) else { continue };
                if review(&read, &machines[0].keys).is_err() {
                    continue;
                }
                assert_eq!(read.encode(), changed, "{position}");
                assert_eq!((read.body(), read.spent()), (proposal.body(), proposal.spent()), "{position}");
                assert_eq!(read.change(), proposal.change(), "{position}");
            }
        }
    }
}

#[test]
fn a_proposal_cut_or_padded_anywhere_is_refused() {
    let bytes = single_payment().proposal().unwrap().encode();
    for length in 0..bytes.len() {
        assert!(Proposal::decode(&dev(), &bytes[..length]).is_err(), "{length}");
    }
    let padded = [&bytes[..], &[0]].concat();
    assert_eq!(Proposal::decode(&dev(), &padded), Err(ProposalError::Checksum));
    let mut content = bytes[..bytes.len() - 32].to_vec();
    content.push(0);
    let checksum = blake3::derive_key("bloomcoin v1 proposal", &content);
    content.extend(checksum);
    assert_eq!(Proposal::decode(&dev(), &content), Err(ProposalError::Length { what: "end" }));
    let endless = vec![0; bloom_wallet::proposal::MOST_PROPOSAL_BYTES + 1];
    assert!(matches!(Proposal::decode(&dev(), &endless), Err(ProposalError::TooLong { .. })));
}
