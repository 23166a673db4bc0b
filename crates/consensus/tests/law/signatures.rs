//! Signatures: each bound to its network, transaction, amounts and input (attacks 18).

use bloom_consensus::error::TransactionViolation as V;
use bloom_consensus::rules::utxo::connect;
use bloom_consensus::signing::{check_signatures, common, digest};
use bloom_consensus::{
    Amount, Body, CheckError, Coin, Height, Outpoint, Output, OutputKey, Params, RuleViolation, Transaction, Txid,
};

use crate::common::{Coins, block_paying, body, coin, key, keypair, outpoint, output, signed};

/// Two inputs of different keys and amounts, with the outputs they spend.
fn good() -> (Transaction, [Output; 2]) {
    let spent = [coin(100, 2), coin(70, 3)];
    let inputs = [(outpoint(1, 0), spent[0], 2), (outpoint(1, 1), spent[1], 3)];
    let transaction = signed(&Params::dev().network_id, &inputs, &[output(150, 4)]).expect("inputs and outputs");
    (transaction, spent.map(|coin| coin.output))
}

fn check(transaction: &Transaction, spent: &[Output]) -> Result<(), V> {
    check_signatures(&Params::dev().network_id, transaction, spent)
}

fn with(body: Body, signatures: &[[u8; 64]]) -> Transaction {
    Transaction::new(body, signatures.to_vec()).expect("one signature for each input")
}

#[test]
fn good_signatures_are_accepted() {
    let (transaction, spent) = good();
    assert_eq!(check(&transaction, &spent), Ok(()));
}

#[test]
fn missing_or_forged_signature_is_refused() {
    let (transaction, spent) = good();
    let [first, second] = [0, 1].map(|i| transaction.signatures()[i]);
    for bit in [0, 255, 256, 511] {
        let mut forged = second;
        forged[bit / 8] ^= 1 << (bit % 8);
        let refused = Err(V::Signature { position: 1, key: key(3) });
        assert_eq!(check(&with(transaction.body().clone(), &[first, forged]), &spent), refused);
    }
    for nothing in [[0; 64], [0xff; 64]] {
        let refused = Err(V::Signature { position: 0, key: key(2) });
        assert_eq!(check(&with(transaction.body().clone(), &[nothing, second]), &spent), refused);
    }
}

#[test]
fn signature_by_another_key_is_refused() {
    let inputs = [(outpoint(1, 0), coin(100, 2), 9)];
    let stolen = signed(&Params::dev().network_id, &inputs, &[output(99, 9)]).expect("one and one");
    assert_eq!(check(&stolen, &[output(100, 2)]), Err(V::Signature { position: 0, key: key(2) }));
}

#[test]
fn signature_of_another_network_is_refused() {
    let (transaction, spent) = good();
    for params in [Params::main(), Params::test()] {
        let replayed = check_signatures(&params.network_id, &transaction, &spent);
        assert_eq!(replayed, Err(V::Signature { position: 0, key: key(2) }));
    }
}

#[test]
fn signature_of_another_input_is_refused() {
    // Both inputs of one key and amount, so that nothing but the position tells them apart.
    let inputs = [(outpoint(1, 0), coin(100, 2), 2), (outpoint(1, 1), coin(100, 2), 2)];
    let transaction = signed(&Params::dev().network_id, &inputs, &[output(150, 4)]).expect("inputs and outputs");
    let spent = [output(100, 2); 2];
    assert_eq!(check(&transaction, &spent), Ok(()));
    let [first, second] = [0, 1].map(|i| transaction.signatures()[i]);
    for (signatures, position) in [([second, first], 0), ([first, first], 1)] {
        let swapped = with(transaction.body().clone(), &signatures);
        assert_eq!(check(&swapped, &spent), Err(V::Signature { position, key: key(2) }));
    }
}

#[test]
fn signature_of_another_amount_or_output_spent_is_refused() {
    let (transaction, spent) = good();
    for (changed, position) in [([output(101, 2), spent[1]], 0), ([spent[0], output(71, 3)], 0)] {
        let refused = check(&transaction, &changed).expect_err("another digest");
        assert!(matches!(refused, V::Signature { position: at, .. } if at == position));
    }
    assert!(check(&transaction, &[spent[1], spent[0]]).is_err());
}

#[test]
fn signature_of_another_transaction_is_refused() {
    let (transaction, spent) = good();
    let original = transaction.body();
    let (inputs, outputs) = (original.inputs().to_vec(), original.outputs().to_vec());
    let later = Outpoint { index: 2, ..inputs[1] };
    let elsewhere = Outpoint { txid: Txid([2; 32]), ..inputs[1] };
    let changed = |not_before: u64, inputs: &[Outpoint], outputs: &[Output]| {
        Body::new(Height(not_before), inputs.to_vec(), outputs.to_vec()).expect("inputs and outputs")
    };
    for body in [
        changed(1, &inputs, &outputs),
        changed(0, &[inputs[0], later], &outputs),
        changed(0, &[inputs[0], elsewhere], &outputs),
        changed(0, &inputs, &[output(149, 4)]),
        changed(0, &inputs, &[output(150, 5)]),
        changed(0, &inputs, &[output(150, 4), output(1, 5)]),
    ] {
        let forged = with(body, transaction.signatures());
        assert_eq!(check(&forged, &spent), Err(V::Signature { position: 0, key: key(2) }));
    }
    assert_eq!(check(&with(changed(0, &inputs, &outputs), transaction.signatures()), &spent), Ok(()));
}

#[test]
fn spent_outputs_are_one_for_each_input() {
    let (transaction, spent) = good();
    for list in [&spent[..0], &spent[..1], &[spent[0], spent[1], spent[1]]] {
        let (got, expected) = (list.len(), 2);
        assert_eq!(check(&transaction, list), Err(V::SpentCount { got, expected }));
    }
}

#[test]
fn spent_output_of_a_key_off_the_curve_is_refused() {
    let got = OutputKey([0xff; 32]);
    let spent = Output { amount: Amount::from_units(5), key: got };
    let transaction = with(body(&[outpoint(1, 0)], &[output(1, 2)]), &[[1; 64]]);
    assert_eq!(check(&transaction, &[spent]), Err(V::KeyNotOnCurve { position: 0, got }));
}

#[test]
fn replay_of_another_networks_block_transaction_is_refused_on_connection() {
    let coins = [(outpoint(1, 0), coin(100, 2))];
    let inputs = [(outpoint(1, 0), coin(100, 2), 2)];
    let transaction = signed(&Params::test().network_id, &inputs, &[output(99, 3)]).expect("one and one");
    let block = block_paying(7, 0, vec![transaction]);
    assert!(connect(&Params::test().network_id, &block, &Coins::of(&coins)).is_ok());
    let violation = V::Signature { position: 0, key: key(2) };
    let refused = CheckError::Rule(RuleViolation::Transaction { position: 0, violation });
    assert_eq!(connect(&Params::dev().network_id, &block, &Coins::of(&coins)), Err(refused));
}

#[test]
fn every_signature_of_a_block_is_checked_against_its_own_coin() {
    // The second of two transactions forged; and the coin's key, not the transaction's word, decides.
    let network = Params::dev().network_id;
    let one = signed(&network, &[(outpoint(1, 0), coin(100, 2), 2)], &[output(99, 3)]).expect("one and one");
    let two = signed(&network, &[(outpoint(2, 0), coin(100, 9), 9)], &[output(99, 9)]).expect("one and one");
    let coins = Coins::of(&[(outpoint(1, 0), coin(100, 2)), (outpoint(2, 0), coin(100, 3))]);
    let violation = V::Signature { position: 0, key: key(3) };
    let refused = CheckError::Rule(RuleViolation::Transaction { position: 1, violation });
    assert_eq!(connect(&network, &block_paying(7, 0, vec![one, two]), &coins), Err(refused));
}

#[test]
fn shared_key_has_a_way_back_through_not_before() {
    // not_before is signed: nobody can bring the refund forward.
    let network = Params::dev().network_id;
    let spent = Coin { height: Height(1), ..coin(100, 2) };
    let refund = Body::new(Height(50), vec![outpoint(1, 0)], vec![output(99, 3)]).expect("one and one");
    let digest = digest(&common(&network, &refund, &[spent.output]).expect("one for one"), 0);
    let signature = secp256k1::schnorr::sign_no_aux_rand(&digest, &keypair(2)).to_byte_array();
    assert_eq!(check(&with(refund, &[signature]), &[spent.output]), Ok(()));
    let earlier = Body::new(Height(49), vec![outpoint(1, 0)], vec![output(99, 3)]).expect("one and one");
    assert!(check(&with(earlier, &[signature]), &[spent.output]).is_err());
}
