//! Random histories (bar 3): after every step of whatever happens, the mempool agrees with the tip and with itself, and
//! its draft is a valid block. `BLOOM_HISTORIES` says how many (100).
#![expect(clippy::unwrap_used, reason = "a helper that cannot go on fails its test")]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::LazyLock;

use bloom_chain::{AdmitError, Chain, LiveChain, MempoolLimits, Options, Outcome};
use bloom_consensus::{
    Amount, Block, Body, Coin, Coinbase, Draft, Height, Outpoint, Output, Timestamp, Transaction, Txid, genesis,
    reward, signing,
};
use bloom_kernel::{Backend, Batch};
use common::*;
use secp256k1::schnorr;

/// The first 18 coins are mature at its tip.
static TRUNK: LazyLock<Line> = LazyLock::new(|| Line::dev().grow(140, 1));
const STEPS: u64 = 40;

/// splitmix64.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (x ^ (x >> 31)) % bound
    }

    fn pick<'a, T>(&mut self, all: &'a [T]) -> Option<&'a T> {
        all.get(usize::try_from(self.below(all.len().max(1) as u64)).unwrap())
    }
}

/// A chain with its mempool, and what the outside knows of both.
struct World<'a> {
    live: LiveChain,
    /// The active branch.
    line: Line,
    /// Every valid transaction that was ever made, and the outputs that it makes.
    known: Vec<Transaction>,
    outputs: BTreeMap<Outpoint, Output>,
    now: Timestamp,
    limits: MempoolLimits,
    dir: Option<&'a Path>,
    batch: Box<Batch>,
    random: Random,
    /// How often what happened.
    tally: BTreeMap<&'static str, u32>,
}

impl<'a> World<'a> {
    fn new(seed: u64, dir: Option<&'a Path>) -> Self {
        let mut random = Random(seed);
        // Some pools are so small that a dozen transactions fill them.
        let max_bytes = [64_000_000, 5_000, 10_000][usize::try_from(random.below(3)).unwrap()];
        let limits = MempoolLimits { max_bytes, expiry_secs: 86_400 };
        let mut live = match dir {
            Some(dir) => {
                feed(&mut Chain::open(dir, &DEV, bulk()).unwrap(), &TRUNK.blocks[1..=128]);
                LiveChain::open(dir, &DEV, Options::default(), limits, NOW).unwrap()
            }
            None => LiveChain::in_memory(&DEV, bulk(), limits).unwrap(),
        };
        for block in &TRUNK.blocks[1..] {
            live.accept(block, 0, NOW).unwrap();
        }
        let line = TRUNK.clone();
        let outputs = (1..=line.height()).map(|height| line.reward_at(height)).collect();
        let batch = Box::new(Batch::new(Backend::detect()));
        Self { live, line, known: Vec::new(), outputs, now: NOW, limits, dir, batch, random, tally: BTreeMap::new() }
    }

    fn step(&mut self) {
        match self.random.below(24) {
            0..=8 | 20..=23 => self.submit_payment(),
            9 => self.submit_spoiled(),
            10 => self.submit_again(),
            11 | 12 => self.mine_draft(),
            13 | 14 => self.mine_foreign(1, 0),
            15 | 16 => {
                let depth = 1 + self.random.below(4);
                self.mine_foreign(depth + 1, depth);
            }
            17 => self.invalidate(),
            18 => {
                self.now = Timestamp(self.now.0 + self.random.below(40_000));
                self.live.retry(self.now).unwrap();
            }
            19 => self.restart(),
            _ => unreachable!("below 24"),
        }
        self.check();
    }

    /// The mempool is what it should be, and what it would mine is a block.
    fn check(&mut self) {
        let pool = self.live.mempool();
        pool.audit(self.live.chain()).unwrap();
        assert_eq!(self.live.chain().tip().hash, self.line.tip().hash());
        let waiting = pool.len();
        let time = Timestamp(self.live.chain().tip().timestamp.0 + 1);
        let checked = self.live.checked_draft(output_key(2), time).unwrap();
        assert!(checked.fault.is_none(), "{:?}", checked.fault);
        assert_eq!(checked.draft.contents().transactions.len(), waiting, "all of it fits one block");
    }

    /// Spends one to three outputs of which nobody knows whether they are still there.
    fn submit_payment(&mut self) {
        let all: Vec<Outpoint> = self.outputs.keys().copied().collect();
        let next = self.line.height() + 1;
        let is_mature = |coin: &Coin| !coin.is_coinbase || coin.height.0 + 123 <= next;
        // What is there at the tip, spent by what waits or not, and what that makes.
        let mut likely: Vec<_> =
            coins(&self.line).into_iter().filter(|(_, coin)| is_mature(coin)).map(|(at, _)| at).collect();
        let waiting = self.live.mempool().iter().flat_map(|entry| made(entry.transaction()));
        likely.extend(waiting.map(|(outpoint, _)| outpoint));
        let from = if self.random.below(8) == 0 { &all } else { &likely };
        let mut inputs = BTreeSet::new();
        for _ in 0..=self.random.below(5) / 2 {
            inputs.extend(self.random.pick(from));
        }
        let sum: u64 = inputs.iter().map(|input| self.outputs[input].amount.units()).sum();
        let fee = [0, 200, 500, 2_000, 10_000, 60_000][usize::try_from(self.random.below(6)).unwrap()];
        let fee = (fee + self.random.below(300)).min(sum / 2);
        let count = 1 + self.random.below(3);
        let share = ((sum - fee) / count).max(1);
        let not_before = if self.random.below(8) == 0 { self.line.height() + self.random.below(4) } else { 0 };
        let transaction = self.sign(&inputs.into_iter().collect::<Vec<_>>(), &vec![share; count as usize], not_before);
        self.outputs.extend(made(&transaction));
        self.known.push(transaction.clone());
        self.submit(transaction);
    }

    fn submit(&mut self, transaction: Transaction) {
        let (txid, before) = (transaction.txid(), self.live.mempool().contains(&transaction.txid()));
        let admitted = self.live.submit(transaction, self.now);
        if let Err(AdmitError::Store(error)) = &admitted {
            panic!("{error}");
        }
        let replaced = admitted.as_ref().is_ok_and(|admitted| !admitted.replaced.is_empty());
        let evicted = admitted.as_ref().is_ok_and(|admitted| !admitted.evicted.is_empty());
        for (what, happened) in [
            ("replaced", replaced),
            ("evicted", evicted),
            ("full", matches!(admitted, Err(AdmitError::Full { .. }))),
            ("refused by the law", matches!(admitted, Err(AdmitError::Invalid(_)))),
            ("refused for its fee", matches!(admitted, Err(AdmitError::FeeRate { .. }))),
            ("no replacement", matches!(admitted, Err(AdmitError::ReplacementFee { .. }))),
        ] {
            self.tally(what, happened);
        }
        let waits = admitted.is_ok() || before;
        assert_eq!(self.live.mempool().contains(&txid), waits, "{admitted:?}");
    }

    /// A copy of a valid transaction with another signature.
    fn submit_spoiled(&mut self) {
        let Some(honest) = self.random.pick(&self.known).cloned() else { return };
        let mut signatures = honest.signatures().to_vec();
        signatures[0][usize::try_from(self.random.below(64)).unwrap()] ^= 1;
        let spoiled = Transaction::new(honest.body().clone(), signatures).unwrap();
        self.live.submit(spoiled, self.now).unwrap_err();
        self.submit(honest);
    }

    fn submit_again(&mut self) {
        if let Some(transaction) = self.random.pick(&self.known).cloned() {
            self.submit(transaction);
        }
    }

    fn mine_draft(&mut self) {
        // At any second, so that no block is one that was mined and invalidated before.
        let wait = 1 + self.random.below(1_000_000);
        let time = Timestamp(self.line.tip().header.template.timestamp.0 + wait);
        let draft = self.live.draft(output_key(1), time).unwrap();
        let block = genesis::forge(draft, &mut self.batch);
        assert_eq!(self.live.accept(&block, 0, self.now).unwrap().outcome, Outcome::Extended);
        self.extend(block);
    }

    /// Blocks on an ancestor of the tip, with whatever of all that was ever made is valid there.
    fn mine_foreign(&mut self, count: u64, depth: u64) {
        let mut line = self.line.cut(self.line.height() - depth);
        let mut blocks = Vec::new();
        for _ in 0..count {
            let transactions = self.any_valid(&line);
            let time = Timestamp(line.tip().header.template.timestamp.0 + 1);
            let height = Height(line.height() + 1);
            let outputs = vec![Output { amount: reward::reward(height), key: output_key(1) }];
            // Random data, so that no block is one that was mined before.
            let data = self.random.below(u64::MAX).to_le_bytes().to_vec();
            let coinbase = Coinbase::new(height, data, outputs).unwrap();
            let parent = line.tip().header.as_parent();
            let Ok(draft) = Draft::child(&DEV, &parent, &line, time, coinbase, transactions);
            let block = genesis::forge(draft, &mut self.batch);
            line.blocks.push(block.clone());
            blocks.push(block);
        }
        let before = self.live.mempool().len();
        for block in &blocks {
            self.live.accept(block, 0, self.now).unwrap();
        }
        let after = self.live.mempool().len();
        self.tally("came back", after > before);
        self.tally("left with a block", after < before);
        self.line = line;
        blocks.into_iter().for_each(|block| self.learn(&block));
    }

    /// Takes off up to three blocks, and now and then lets them compete again.
    fn invalidate(&mut self) {
        let depth = self.random.below(3);
        let height = self.line.height() - depth;
        if height <= TRUNK.height() {
            return;
        }
        let hash = self.line.hash_at(height);
        self.live.invalidate(&hash, self.now).unwrap();
        self.live.mempool().audit(self.live.chain()).unwrap();
        if self.random.below(2) == 0 {
            self.live.reconsider(&hash, self.now).unwrap();
        }
        let tip = self.live.chain().tip();
        let mut line = Line::dev();
        for height in 1..=tip.height.0 {
            let hash = self.live.chain().hash_at(Height(height)).unwrap().unwrap();
            line.blocks.push(self.live.chain().block(&hash).unwrap().unwrap());
        }
        self.line = line;
    }

    /// What waits is there again after a restart, unless it has expired.
    fn restart(&mut self) {
        let Some(dir) = self.dir else { return };
        self.live.save().unwrap();
        let ids =
            |live: &LiveChain| live.mempool().iter().map(|entry| entry.transaction().txid()).collect::<Vec<Txid>>();
        let before = ids(&self.live);
        // The file is locked as long as the chain is open.
        self.live = LiveChain::in_memory(&DEV, bulk(), self.limits).unwrap();
        self.live = LiveChain::open(dir, &DEV, Options::default(), self.limits, self.now).unwrap();
        assert!(self.live.loaded().fault.is_none());
        let after = ids(&self.live);
        assert_eq!(after.len() + self.live.loaded().dropped, before.len());
        assert!(before.iter().filter(|txid| after.contains(txid)).eq(&after), "in their order");
    }

    fn tally(&mut self, what: &'static str, happened: bool) {
        *self.tally.entry(what).or_default() += u32::from(happened);
    }

    fn extend(&mut self, block: Block) {
        self.learn(&block);
        self.line.blocks.push(block);
    }

    fn learn(&mut self, block: &Block) {
        let txid = block.coinbase.id();
        self.outputs.insert(Outpoint { txid, index: 0 }, block.coinbase.outputs()[0]);
    }

    /// A random choice of known transactions that the next block of a line may hold.
    fn any_valid(&mut self, line: &Line) -> Vec<Transaction> {
        let mut coins = coins(line);
        let height = line.height() + 1;
        let start = usize::try_from(self.random.below(self.known.len().max(1) as u64)).unwrap();
        let (first, last) = self.known.split_at(start);
        let share = self.random.below(4);
        let mut chosen = Vec::new();
        // Twice, so that what was passed over for want of its parents has another chance.
        let order: Vec<_> = last.iter().chain(first).chain(last).cloned().collect();
        for transaction in order {
            let body = transaction.body();
            let spent: Option<Vec<Coin>> = body.inputs().iter().map(|input| coins.get(input).copied()).collect();
            let fits = spent
                .is_some_and(|spent| bloom_consensus::rules::utxo::check_spend(body, Height(height), &spent).is_ok());
            if fits && body.not_before().0 <= height && self.random.below(4) < share {
                apply(&mut coins, &transaction, height);
                chosen.push(transaction);
            }
        }
        chosen
    }

    fn sign(&self, inputs: &[Outpoint], amounts: &[u64], not_before: u64) -> Transaction {
        let outputs = amounts.iter().map(|units| Output { amount: Amount::from_units(*units), key: output_key(1) });
        let body = Body::new(Height(not_before), inputs.to_vec(), outputs.collect()).unwrap();
        let spent: Vec<_> = inputs.iter().map(|input| self.outputs[input]).collect();
        let common = signing::common(&DEV.network_id, &body, &spent).unwrap();
        let owner = keypair(1);
        let sign = |input| schnorr::sign_no_aux_rand(&signing::digest(&common, input), &owner).to_byte_array();
        let signatures = (0..).take(spent.len()).map(sign).collect();
        Transaction::new(body, signatures).unwrap()
    }

    /// The last draft, as a block, before a validator that has seen nothing of all this.
    fn end(mut self) -> BTreeMap<&'static str, u32> {
        self.mine_draft();
        self.check();
        let mut fresh = Chain::in_memory(&DEV, bulk()).unwrap();
        feed(&mut fresh, &self.line.blocks[1..]);
        assert_eq!(state(&fresh), state(self.live.chain()));
        self.tally
    }
}

fn made(transaction: &Transaction) -> Vec<(Outpoint, Output)> {
    let txid = transaction.txid();
    (0..).zip(transaction.body().outputs()).map(|(index, output)| (Outpoint { txid, index }, *output)).collect()
}

/// What is unspent at the end of a line.
fn coins(line: &Line) -> BTreeMap<Outpoint, Coin> {
    let mut coins = BTreeMap::new();
    for (height, block) in (0..).zip(&line.blocks) {
        block.transactions.iter().for_each(|transaction| apply(&mut coins, transaction, height));
        let txid = block.coinbase.id();
        for (index, output) in (0..).zip(block.coinbase.outputs()) {
            coins.insert(Outpoint { txid, index }, Coin { output: *output, height: Height(height), is_coinbase: true });
        }
    }
    coins
}

fn apply(coins: &mut BTreeMap<Outpoint, Coin>, transaction: &Transaction, height: u64) {
    for input in transaction.body().inputs() {
        coins.remove(input).unwrap();
    }
    for (outpoint, output) in made(transaction) {
        coins.insert(outpoint, Coin { output, height: Height(height), is_coinbase: false });
    }
}

#[test]
fn the_mempool_agrees_with_the_tip_after_every_step_of_random_histories() {
    let count: u64 = std::env::var("BLOOM_HISTORIES").ok().map_or(100, |text| text.parse().unwrap());
    let first: u64 = std::env::var("BLOOM_HISTORIES_FROM").ok().map_or(0, |text| text.parse().unwrap());
    let mut tally: BTreeMap<&str, u32> = BTreeMap::new();
    for seed in first..first + count {
        let dir = (seed % 10 == 0).then(|| tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap());
        let mut world = World::new(seed, dir.as_ref().map(tempfile::TempDir::path));
        for step in 0..STEPS {
            let what = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| world.step()));
            assert!(what.is_ok(), "history {seed}, step {step}");
        }
        world.end().into_iter().for_each(|(what, times)| *tally.entry(what).or_default() += times);
    }
    println!("{count} histories: {tally:?}");
    // What never happens is not tested.
    assert!(count < 50 || tally.values().all(|times| *times > 0), "{tally:?}");
}
