//! A network of honest nodes and others, run through virtual time by a plan.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::time::Duration;

use bloom_consensus::{Block, BlockHash, Params, Timestamp, genesis};
use bloom_kernel::Batch;
use bloom_net::{Config, PeerAddr};
use thiserror::Error;

use crate::blocks::Blocks;
use crate::citizen::{Citizen, empty_chain};
use crate::dice::Dice;
use crate::figures::Figures;
use crate::mask::{Mask, Vice};
use crate::money::{Purse, history, history_secs};
use crate::plan::{Plan, PlanError, SEEDS};
use crate::record::Record;
use crate::terrain::{PORT, Terrain, address};
use crate::time::Moment;
use crate::world::{Cue, World};

/// In which all nodes are started, seeds first.
const START_WITHIN: Duration = Duration::from_secs(60);
/// How long who churns stays, and stays away, on average.
const STAY: Duration = Duration::from_secs(2 * 3_600);
const AWAY: Duration = Duration::from_secs(20 * 60);
/// When all but one have stopped mining, it finds one more block after this; it has no rival left, so a tie ends.
const LAST_AFTER: Duration = Duration::from_secs(60);
/// Then all have this long to agree.
const SETTLE: Duration = Duration::from_secs(600);
/// How often it is told how far it is.
const LOOK_EVERY: Duration = Duration::from_secs(600);
/// Honest clocks are off by so many seconds at most.
const MOST_SKEW: u64 = 3;
/// Nodes in one network group, in hundredths.
const NODES_A_GROUP: usize = 133;

/// Streams of chance; those of nodes follow.
const STREAM_PARTS: u64 = 2;
const STREAM_MINING: u64 = 3;
const STREAM_PAYING: u64 = 4;
const STREAM_CHURN: u64 = 5;
const STREAM_NODES: u64 = 1_000;

/// How far a simulation is.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Virtual time.
    pub at: Moment,
    /// Of so much.
    pub of: Duration,
    /// Blocks found.
    pub blocks: usize,
    /// Things that happened.
    pub events: u64,
}

/// Why a simulation has no result.
#[derive(Debug, Error)]
pub enum LabError {
    /// It cannot be as it was planned.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The log could not be written.
    #[error("the log could not be written to its end: {0}; free some space or give --log another place")]
    Log(#[from] io::Error),
    /// It was stopped.
    #[error("stopped after {} s of virtual time: no figures", .at.secs())]
    Stopped {
        /// When.
        at: Moment,
    },
}

/// Runs a network to its end; `go_on` is asked now and then and told how far it is.
///
/// # Errors
/// [`LabError`].
pub fn run(
    plan: &Plan,
    log: Option<Box<dyn Write>>,
    go_on: &mut dyn FnMut(Progress) -> bool,
) -> Result<Figures, LabError> {
    plan.check()?;
    let mut network = Network::new(plan, Record::with_log(log));
    network.begin();
    let until = Moment(0).plus(hours(plan) + LAST_AFTER + SETTLE);
    while let Some(cue) = network.world.run(until) {
        network.note_tips();
        if cue == Cue::Look {
            let now = network.world.now();
            let of = hours(plan);
            let (blocks, events) = (network.blocks.found(), network.world.record.events);
            if !go_on(Progress { at: now, of, blocks, events }) {
                network.world.record.finish_log()?;
                return Err(LabError::Stopped { at: now });
            }
            network.world.plan(now.plus(LOOK_EVERY), Cue::Look);
        } else {
            network.act(cue);
        }
    }
    network.note_tips();
    network.world.close_books();
    let figures = Figures::new(plan, &mut network.world, &network.blocks, network.paid);
    network.world.record.finish_log()?;
    Ok(figures)
}

fn hours(plan: &Plan) -> Duration {
    Duration::from_secs(u64::from(plan.hours) * 3_600)
}

struct Network<'a> {
    plan: &'a Plan,
    world: World,
    blocks: Blocks,
    purse: Purse,
    batch: Box<Batch>,
    mining: Dice,
    paying: Dice,
    churn: Dice,
    /// Payments that a node took.
    paid: u64,
}

impl<'a> Network<'a> {
    fn new(plan: &'a Plan, record: Record) -> Self {
        let params = Params::dev();
        let genesis = params.genesis.header.template;
        let pays = plan.transactions > 0;
        let before = if pays { history_secs() } else { 600 };
        let epoch = Timestamp(genesis.timestamp.0 + before);
        let mut purse = Purse::new(Dice::new(plan.seed, STREAM_PAYING).bytes(), &params);
        let past = if pays { history(&params, &mut purse, epoch, plan.backend) } else { Vec::new() };
        let mut blocks = Blocks::default();
        blocks.add(params.genesis.hash(), &BlockHash::ZERO, 0, Moment(0), 0);
        for block in &past {
            let template = block.header.template;
            blocks.add(block.hash(), &template.prev_hash, template.height.0, Moment(0), block.transactions.len());
        }
        blocks.begin();
        let terrain = Terrain { latency: plan.latency, bandwidth: plan.bandwidth, seed: plan.seed };
        let mut world = World::new(terrain, epoch, plan.backend, plan.seed, record);
        settle(plan, &params, &past, epoch, &mut world);
        Self {
            plan,
            world,
            blocks,
            purse,
            batch: Box::new(Batch::new(plan.backend)),
            mining: Dice::new(plan.seed, STREAM_MINING),
            paying: Dice::new(plan.seed, STREAM_PAYING + STREAM_NODES / 2),
            churn: Dice::new(plan.seed, STREAM_CHURN),
            paid: 0,
        }
    }

    /// Plans all that is known beforehand.
    fn begin(&mut self) {
        let plan = self.plan;
        let within = START_WITHIN.as_nanos() as u64;
        for node in 0..plan.nodes {
            let at = if node < SEEDS { Moment(0) } else { Moment(self.churn.below(within)) };
            self.world.plan(at, Cue::Start(node));
        }
        for node in plan.honest_count()..plan.nodes {
            if self.world.is_honest(node) && self.churn.chance(plan.churn) {
                let at = Moment(0).plus(START_WITHIN + self.churn.exponential(STAY));
                self.world.plan(at, Cue::Leave(node));
            }
        }
        if let Some(partition) = plan.partition {
            self.world.plan(Moment(0).plus(partition.start), Cue::Break);
            self.world.plan(Moment(0).plus(partition.start + partition.length), Cue::Mend);
        }
        self.plan_next(plan.interval, Cue::Block);
        if let Some(mean) = self.payment_interval() {
            self.plan_next(mean, Cue::Payment);
        }
        self.world.plan(Moment(0).plus(hours(plan) + LAST_AFTER), Cue::Last);
        self.world.plan(Moment(0), Cue::Look);
    }

    fn payment_interval(&self) -> Option<Duration> {
        Duration::from_secs(3_600).checked_div(self.plan.transactions)
    }

    /// Plans what has no memory, unless it would be after the end.
    fn plan_next(&mut self, mean: Duration, cue: Cue) {
        let dice = if cue == Cue::Payment { &mut self.paying } else { &mut self.mining };
        let at = self.world.now().plus(dice.exponential(mean));
        if at < Moment(0).plus(hours(self.plan)) {
            self.world.plan(at, cue);
        }
    }

    fn act(&mut self, cue: Cue) {
        match cue {
            Cue::Start(node) => self.world.start(node),
            Cue::Leave(node) => self.leave(node),
            Cue::Block => {
                let miner = self.mining.index(self.plan.miners);
                self.mine(miner);
                self.plan_next(self.plan.interval, Cue::Block);
            }
            Cue::Last => {
                if let Some(miner) = (0..self.plan.miners).find(|miner| self.mines(*miner)) {
                    self.mine(miner);
                }
            }
            Cue::Payment => {
                self.pay();
                if let Some(mean) = self.payment_interval() {
                    self.plan_next(mean, Cue::Payment);
                }
            }
            Cue::Break => self.split(),
            Cue::Mend => self.world.heal(),
            Cue::Look => {}
        }
        self.note_tips();
    }

    fn note_tips(&mut self) {
        while let Some(tip) = self.world.record.tips.pop_front() {
            self.blocks.reached(tip, self.world.runs_since(tip.node));
            let height = self.blocks.height(&tip.hash);
            let text = height.map_or_else(|| "?".to_owned(), |height| height.to_string());
            self.world.record.say(tip.at, format_args!("n{} is at {text} {}", tip.node, tip.hash));
        }
    }

    /// Whether a node would mine now: it runs and has caught up.
    fn mines(&mut self, node: usize) -> bool {
        self.world.engine(node).is_some_and(|engine| !engine.status().is_behind)
    }

    /// A miner finds a block: the moment is chance's, all else is real.
    fn mine(&mut self, node: usize) {
        if !self.mines(node) {
            return;
        }
        let (key, batch, blocks) = (self.purse.key(), &mut self.batch, &mut self.blocks);
        let at = self.world.now();
        let made = self.world.with(node, |engine, now| {
            let chain = engine.chain_mut();
            let facts = chain.chain().template_facts().expect("a store in memory does not fail");
            let time = now.unix.max(facts.min_timestamp);
            let draft = chain.draft(key, time).expect("a draft on a chain's own tip is good");
            let block = genesis::forge(draft, batch);
            let template = block.header.template;
            blocks.add(block.hash(), &template.prev_hash, template.height.0, at, block.transactions.len());
            let (accepted, actions) = engine.submit_block(&block, now);
            (accepted.map(|_| block.hash()), actions)
        });
        match made {
            Some(Ok(hash)) => self.world.record.say(at, format_args!("n{node} finds {hash}")),
            Some(Err(error)) => self.world.record.say(at, format_args!("n{node} refuses its own block: {error}")),
            None => {}
        }
    }

    /// Somebody pays through some honest node.
    fn pay(&mut self) {
        let node = self.paying.index(self.plan.nodes);
        let Some(coin) = self.purse.take() else { return };
        let is_there = self.world.is_honest(node) && self.world.engine(node).is_some();
        let Some(transaction) = self.purse.pay(coin).filter(|_| is_there) else { return self.purse.put_back(coin) };
        let at = self.world.now();
        let submitted = transaction.clone();
        let admitted = self.world.with(node, |engine, now| engine.submit(submitted, now));
        if let Some(Ok(_)) = admitted {
            self.paid += 1;
            self.world.record.say(at, format_args!("n{node} takes payment {}", transaction.txid()));
            self.purse.paid(&transaction);
        } else {
            self.world.record.say(at, format_args!("n{node} refuses payment {}: {admitted:?}", transaction.txid()));
            self.purse.put_back(coin);
        }
    }

    fn leave(&mut self, node: usize) {
        self.world.stop(node);
        let end = Moment(0).plus(hours(self.plan));
        let back = self.world.now().plus(self.churn.exponential(AWAY));
        self.world.plan(back.min(end), Cue::Start(node));
        let leave = back.plus(self.churn.exponential(STAY));
        if leave < end {
            self.world.plan(leave, Cue::Leave(node));
        }
    }

    fn split(&mut self) {
        let Some(partition) = self.plan.partition else { return };
        let mut nodes: Vec<usize> = (0..self.plan.nodes).collect();
        self.churn.shuffle(&mut nodes);
        let count = usize::try_from(self.plan.nodes as u64 * partition.share / crate::dice::MILLION).unwrap_or(0);
        let cut_off: BTreeSet<usize> = nodes.into_iter().take(count.max(1)).collect();
        self.world.split(&cut_off);
    }
}

/// Puts all nodes into the world: seeds and miners first, then the others in an order of chance.
fn settle(plan: &Plan, params: &Params, past: &[Block], now: Timestamp, world: &mut World) {
    let mut dice = Dice::new(plan.seed, STREAM_PARTS);
    let honest = plan.honest_count();
    let mut vices = vec![None; plan.nodes - honest];
    let stallers = std::iter::repeat_n(Vice::Stalls, plan.staller_count());
    let liars = Vice::LIES.into_iter().cycle().take(plan.liar_count());
    for (slot, vice) in vices.iter_mut().zip(stallers.chain(liars)) {
        *slot = Some(vice);
    }
    dice.shuffle(&mut vices);
    let groups = (plan.nodes * 100).div_ceil(NODES_A_GROUP).max(1);
    let seeds: Vec<PeerAddr> = (0..SEEDS).map(|node| place(node, groups)).collect();
    let roles = std::iter::repeat_n(None, honest).chain(vices);
    for (node, vice) in roles.enumerate() {
        let mut chain = empty_chain(params, plan.backend);
        // Every other node that is no miner has the history still before it.
        if node < honest || node.is_multiple_of(2) {
            for block in past {
                chain.accept_proven(block, 0, now).expect("a history that was judged good is taken");
            }
        }
        let config = Config { listen_port: Some(PORT), ..Config::default() };
        let own = Dice::new(plan.seed, STREAM_NODES + 2 * node as u64);
        let citizen = Citizen::new(chain, config, seeds.clone(), plan.backend, own);
        let skew = i64::try_from(dice.below(2 * MOST_SKEW + 1)).unwrap_or(0) - MOST_SKEW.cast_signed();
        let actor = match vice {
            Some(vice) => citizen.behind(Mask::new(vice, Dice::new(plan.seed, STREAM_NODES + 2 * node as u64 + 1))),
            None => citizen,
        };
        let _ = world.add(Box::new(actor), place(node, groups), vice.is_none(), skew);
    }
}

/// Where the node of that number is: in one of so many network groups.
fn place(node: usize, groups: usize) -> PeerAddr {
    address(node % groups, node / groups)
}
