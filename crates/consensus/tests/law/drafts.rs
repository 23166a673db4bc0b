//! Blocks from drafts, as miners build them, through every rule.

use bloom_consensus::rules::{header, isolation, utxo};
use bloom_consensus::{
    Amount, Block, Coinbase, Difficulty, Draft, Height, Params, Parent, Timestamp, genesis, proof, reward::reward,
};
use bloom_kernel::{Backend, Batch, Solo};

use crate::common::{Branch, Coins, output};

#[test]
fn ten_dev_blocks_mined_from_drafts_pass_every_rule() {
    let params = Params::dev();
    let mut batch = Box::new(Batch::new(Backend::Portable));
    let mut branch = Branch::default();
    let mut coins = Coins::default();
    let mut tip = params.genesis.clone();
    for height in 1..=10 {
        let Parent { hash, height: below } = tip.header.as_parent();
        assert_eq!((hash, below), (tip.hash(), Height(height - 1)));
        branch.push(tip.header.template.timestamp.0, tip.header.template.difficulty);
        let mine = vec![output(reward(Height(height)).units(), 1)];
        let coinbase = Coinbase::new(Height(height), b"mine".to_vec(), mine).expect("4 bytes");
        let time = Timestamp(tip.header.template.timestamp.0 + 1);
        let parent = tip.header.as_parent();
        let draft = Draft::child(&params, &parent, &branch, time, coinbase, vec![]).expect("in memory");
        assert_eq!(draft.template().difficulty, Difficulty::MIN);
        assert_eq!(draft.challenge(), draft.template().challenge());
        let block = genesis::forge(draft, &mut batch);
        assert_eq!(header::check(&params, &block.header, &parent, &branch), Ok(block.hash()));
        assert!(proof::verify(&block.header, &mut Solo::new(Backend::Portable)).is_ok());
        assert_eq!(isolation::check_body(&block), Ok(()));
        let effect = utxo::connect(&params.network_id, &block, &coins).expect("a valid block");
        assert_eq!((effect.spent.len(), effect.created.len(), effect.fees), (0, 1, Amount::ZERO));
        coins.0.extend(effect.created);
        assert_eq!(Block::decode(&block.encode()).as_ref(), Ok(&block));
        tip = block;
    }
}

#[test]
fn draft_at_another_second_is_another_challenge_of_the_same_body() {
    let draft = Draft::genesis(b"text".to_vec(), Timestamp(5), Difficulty::ONE).expect("4 bytes");
    let later = draft.clone().at(Timestamp(6));
    assert_ne!(later.challenge(), draft.challenge());
    assert_eq!(later.template().merkle_root, draft.template().merkle_root);
    assert_eq!(later.template().timestamp, Timestamp(6));
}

#[test]
fn genesis_of_any_network_connects_to_nothing() {
    for params in Params::well_known() {
        let effect = utxo::connect(&params.network_id, &params.genesis, &Coins::default());
        assert_eq!(effect, Ok(Default::default()));
    }
}
