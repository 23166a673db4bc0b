//! The mining loop on a real chain, and on one whose tip changes under it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use bloom_chain::{LiveChain, MempoolLimits, Options};
use bloom_consensus::{
    Amount, Ancestor, Ancestors, Block, BlockHash, Coinbase, Difficulty, Draft, Height, Output, OutputKey, Params,
    Parent, Timestamp, reward,
};
use bloom_miner::{
    Clock, LoopError, MinerConfig, MiningChain, MiningEvent, OnChain, OnChainError, Pace, StopSignal, mining_loop,
};

const AT_ONCE: Pace = Pace { at_least: Duration::ZERO, clock: Clock::AfterParent };

fn key() -> OutputKey {
    // The x of the curve's generator.
    OutputKey(
        hex::decode("79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798").unwrap().try_into().unwrap(),
    )
}

fn chain() -> LiveChain {
    LiveChain::in_memory(&Params::dev(), Options::default(), MempoolLimits::default()).unwrap()
}

#[test]
fn mines_block_after_block_and_pays_the_key() {
    let mut chain = chain();
    let mut mined = Vec::new();
    let summary = mining_loop(
        &MinerConfig::default(),
        &mut OnChain::new(&mut chain, key()),
        AT_ONCE,
        Some(25),
        &StopSignal::new(),
        |event| {
            if let MiningEvent::Mined { block, .. } = event {
                mined.push(block.clone());
            }
        },
    )
    .unwrap();
    assert_eq!((summary.blocks, mined.len(), chain.chain().tip().height), (25, 25, Height(25)));
    assert!(summary.total.blooms >= 25 && summary.total.rounds > summary.total.blooms);
    let mut parent = Params::dev().genesis;
    for block in mined {
        let template = block.header.template;
        assert_eq!(template.prev_hash, parent.hash());
        assert_eq!(template.timestamp.0, parent.header.template.timestamp.0 + 1);
        assert_eq!(chain.chain().hash_at(template.height).unwrap(), Some(block.hash()));
        let [output] = block.coinbase.outputs() else { panic!("one output") };
        assert_eq!((output.key, output.amount), (key(), reward::reward(template.height)));
        parent = block;
    }
}

/// Offers a block that cannot be found in a lifetime, until it has been asked for the tip a few times; then the chain.
struct Overtaken<'a> {
    chain: OnChain<'a>,
    asked: u32,
}

impl MiningChain for Overtaken<'_> {
    type Error = OnChainError;

    fn tip(&mut self) -> Result<(BlockHash, Timestamp), OnChainError> {
        self.asked += 1;
        if self.asked < 4 { Ok((BlockHash::ZERO, Timestamp(0))) } else { self.chain.tip() }
    }

    fn draft(&mut self, timestamp: Timestamp) -> Result<Draft, OnChainError> {
        if self.asked < 4 {
            return Ok(Draft::genesis(Vec::new(), timestamp, Difficulty::MAX).unwrap());
        }
        self.chain.draft(timestamp)
    }

    fn submit(&mut self, block: &Block) -> Result<(), OnChainError> {
        self.chain.submit(block)
    }
}

#[test]
fn a_new_tip_ends_the_old_job() {
    let mut chain = chain();
    let mut seen = Vec::new();
    let mut overtaken = Overtaken { chain: OnChain::new(&mut chain, key()), asked: 0 };
    mining_loop(&MinerConfig::default(), &mut overtaken, AT_ONCE, Some(1), &StopSignal::new(), |event| match event {
        MiningEvent::Started { height, .. } => seen.push(format!("started {height}")),
        MiningEvent::NewTip => seen.push("new tip".to_owned()),
        MiningEvent::Mined { block, .. } => seen.push(format!("mined {}", block.header.template.height)),
        MiningEvent::Progress(_) | MiningEvent::Ahead { .. } => {}
    })
    .unwrap();
    assert_eq!(seen, ["started 0", "new tip", "started 1", "mined 1"]);
}

#[test]
fn the_stop_signal_ends_the_loop_between_and_within_blocks() {
    let mut chain = chain();
    let stop = StopSignal::new();
    let mut overtaken = Overtaken { chain: OnChain::new(&mut chain, key()), asked: 0 };
    let summary = mining_loop(&MinerConfig::default(), &mut overtaken, AT_ONCE, None, &stop, |event| {
        if matches!(event, MiningEvent::Started { .. }) {
            stop.stop(); // the job that has begun cannot end otherwise
        }
    })
    .unwrap();
    assert_eq!(summary.blocks, 0);
}

/// A chain that refuses what was mined.
struct Refusing<'a>(OnChain<'a>);

impl MiningChain for Refusing<'_> {
    type Error = &'static str;

    fn tip(&mut self) -> Result<(BlockHash, Timestamp), &'static str> {
        self.0.tip().map_err(|_| "tip")
    }

    fn draft(&mut self, timestamp: Timestamp) -> Result<Draft, &'static str> {
        self.0.draft(timestamp).map_err(|_| "draft")
    }

    fn submit(&mut self, _: &Block) -> Result<(), &'static str> {
        Err("the disk is full")
    }
}

#[test]
fn a_chain_that_fails_ends_the_loop_with_its_error() {
    let mut chain = chain();
    let mut refusing = Refusing(OnChain::new(&mut chain, key()));
    let error = mining_loop(&MinerConfig::default(), &mut refusing, AT_ONCE, None, &StopSignal::new(), |_| {});
    match error.unwrap_err() {
        LoopError::Chain(error) => assert_eq!(error, "the disk is full"),
        LoopError::Mine(_) => panic!("the chain's own error"),
    }
}

/// Its first drafts cannot be found in a lifetime; once the revision has moved on they can, and pay one unit more.
struct Improving {
    empty: u32,
    full: u32,
    submitted: Vec<Block>,
}

impl Improving {
    fn paying(timestamp: Timestamp, income: u64) -> Draft {
        let difficulty = if income > 1 { Difficulty::MIN } else { Difficulty::MAX };
        let key = Output { amount: Amount::from_units(income), key: key() };
        let coinbase = Coinbase::new(Height(1), Vec::new(), vec![key]).unwrap();
        let mut params = Params::dev();
        params.genesis.header.template.difficulty = difficulty;
        let parent = Parent { hash: BlockHash::ZERO, height: Height::GENESIS };
        let Ok(draft) = Draft::child(&params, &parent, &Genesis(difficulty), timestamp, coinbase, Vec::new());
        draft
    }
}

/// Only genesis, of some difficulty.
struct Genesis(Difficulty);

impl Ancestors for Genesis {
    type Error = std::convert::Infallible;

    fn at(&self, _: Height) -> Result<Ancestor, Self::Error> {
        Ok(Ancestor { timestamp: Timestamp(0), difficulty: self.0 })
    }
}

impl MiningChain for Improving {
    type Error = std::convert::Infallible;

    fn tip(&mut self) -> Result<(BlockHash, Timestamp), Self::Error> {
        Ok((BlockHash::ZERO, Timestamp(0)))
    }

    fn draft(&mut self, timestamp: Timestamp) -> Result<Draft, Self::Error> {
        self.full += 1;
        assert_eq!(self.empty, 1, "an empty block was there before it");
        Ok(Self::paying(timestamp, u64::from(self.full)))
    }

    fn empty_draft(&mut self, timestamp: Timestamp) -> Result<Option<Draft>, Self::Error> {
        self.empty += 1;
        Ok(Some(Self::paying(timestamp, 0)))
    }

    fn revision(&mut self) -> u64 {
        u64::from(self.full)
    }

    fn submit(&mut self, block: &Block) -> Result<(), Self::Error> {
        self.submitted.push(block.clone());
        Ok(())
    }
}

#[test]
fn better_fees_are_taken_up_while_a_block_is_looked_for() {
    let mut chain = Improving { empty: 0, full: 0, submitted: Vec::new() };
    mining_loop(&MinerConfig::default(), &mut chain, AT_ONCE, Some(1), &StopSignal::new(), |_| {}).unwrap();
    assert_eq!((chain.empty, chain.full), (1, 2));
    assert_eq!(chain.submitted[0].coinbase.outputs()[0].amount, Amount::from_units(2));
}
