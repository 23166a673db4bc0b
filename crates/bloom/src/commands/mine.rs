//! `bloom mine`: blocks on the chain in the data directory, with a live line while they grow.

use std::time::{Duration, Instant};

use anyhow::Result;
use bloom_chain::{Chain, Keep, Options};
use bloom_consensus::{Amount, Block, Difficulty, Height, OutputKey, Params, address};
use bloom_miner::energy::{EnergyMeter, Source};
use bloom_miner::{MinerConfig, MiningEvent, OnChain, Pace, Snapshot, Summary, estimate, mining_loop};
use serde_json::json;

use crate::cli::MineArgs;
use crate::context::{backend, open_live_with, stop_on_interrupt, threads, usage};
use crate::key::own_key;
use crate::live::{LiveLine, count, seconds, si};
use crate::output::{counted, note, plural, result};

pub(crate) fn run(args: &MineArgs) -> Result<()> {
    let (params, directory) = args.place.resolve()?;
    let address_key = args.address.as_deref().map(|text| address::decode(&params.address_prefix, text));
    let address_key = address_key.transpose().map_err(|error| usage(format!("--address: {error}")))?;
    let config =
        MinerConfig { threads: threads(args.threads), backend: backend(args.backend)?, ..MinerConfig::default() };
    let prune = args.prune.then_some(Keep::LEAST);
    let options = Options { backend: config.backend, prune, ..Options::default() };
    let mut chain = open_live_with(&directory, &params, options)?;
    let payout = match address_key {
        Some(key) => key,
        None => own_key(&directory)?,
    };
    let stop = stop_on_interrupt()?;
    let mut report = Report::new(args, &params, chain.chain(), payout)?;
    report.begin(&config, &directory.display().to_string())?;
    let mut broken = Ok(());
    let on_chain = OnChain::new(&mut chain, payout);
    let mut on_chain = on_chain.with_fault(|violation| {
        note(format_args!("what waits was refused, mining an empty block and judging all of it anew: {violation}"));
    });
    let done = mining_loop(&config, &mut on_chain, Pace::of(&params, args.pace), args.blocks, &stop, |event| {
        if let Err(error) = report.event(&event)
            && broken.is_ok()
        {
            broken = Err(error); // nobody reads any more: finish as if asked to
            stop.stop();
        }
    });
    drop(on_chain);
    let saved = chain.save();
    let summary = done?;
    saved?;
    broken?;
    report.end(&summary, chain.chain())
}

/// Below 64 the attempts in flight are a fair part of those that a block takes.
const LEAST_DIFFICULTY_OF_LUCK: u128 = 64 << 24;

/// What mining looks like from outside.
struct Report {
    json: bool,
    live: LiveLine,
    address: String,
    network: String,
    energy: EnergyMeter,
    began: Instant,
    /// How long there was something to mine: the pace's pauses are not counted.
    active: Duration,
    job_began: Option<Instant>,
    /// Since when the present block is being looked for.
    block_began: Instant,
    height: Height,
    difficulty: Difficulty,
    /// Rounds that the blocks so far would have taken on average.
    expected_rounds: f64,
    /// Rounds done by the last block.
    rounds_at_last_block: u64,
    earned: Amount,
}

impl Report {
    fn new(args: &MineArgs, params: &Params, chain: &Chain, payout: OutputKey) -> Result<Self> {
        let facts = chain.template_facts()?;
        Ok(Self {
            json: args.json,
            live: LiveLine::new(!args.json),
            address: address::encode(&params.address_prefix, &payout)?,
            network: params.name.clone(),
            energy: EnergyMeter::start(args.watts),
            began: Instant::now(),
            active: Duration::ZERO,
            job_began: None,
            block_began: Instant::now(),
            height: facts.height,
            difficulty: facts.difficulty,
            expected_rounds: 0.0,
            rounds_at_last_block: 0,
            earned: Amount::ZERO,
        })
    }

    fn begin(&self, config: &MinerConfig, directory: &str) -> Result<()> {
        let Self { network, address, .. } = self;
        let (threads, backend) = (config.threads.get(), config.backend);
        let last = self.height.0 - 1;
        if self.json {
            let start = json!({"event": "start", "network": network, "height": last, "address": address,
                "threads": threads, "backend": backend.name(), "data_dir": directory});
            return Ok(result(start)?);
        }
        note(format_args!("{network} at height {last} in {directory}"));
        note(format_args!("paying {address}, {}, {backend}; Ctrl-C ends", counted(threads, "thread")));
        Ok(())
    }

    fn event(&mut self, event: &MiningEvent<'_>) -> Result<()> {
        match *event {
            MiningEvent::Started { height, difficulty } => {
                self.pause();
                self.job_began = Some(Instant::now());
                if height != self.height {
                    self.block_began = Instant::now();
                }
                (self.height, self.difficulty) = (height, difficulty);
            }
            MiningEvent::Progress(total) => self.live.show(|| self.line(total)),
            MiningEvent::Ahead { secs } => {
                self.say(&json!({"event": "ahead", "wait_secs": secs}), || {
                    format!("the next block would be more than 840 s ahead of the clock: waiting {secs} s")
                })?;
            }
            MiningEvent::NewTip => self.say(&json!({"event": "new_tip"}), || "a new tip: starting over".to_owned())?,
            MiningEvent::Mined { block, total } => self.mined(block, total)?,
        }
        Ok(())
    }

    /// The work on a job is over.
    fn pause(&mut self) {
        self.active += self.job_began.take().map_or(Duration::ZERO, |began| began.elapsed());
    }

    fn mined(&mut self, block: &Block, total: &Snapshot) -> Result<()> {
        self.pause();
        let template = block.header.template;
        let rounds = total.rounds - self.rounds_at_last_block;
        self.rounds_at_last_block = total.rounds;
        self.expected_rounds += estimate::rounds_per_block(template.difficulty);
        let outputs = block.coinbase.outputs().iter().map(|output| output.amount);
        self.earned = Amount::checked_sum(outputs.chain([self.earned])).unwrap_or(self.earned);
        self.live.clear();
        let (hash, seal) = (block.hash(), block.header.seal);
        if self.json {
            return Ok(result(json!({"event": "block", "height": template.height.0, "hash": hash.to_string(),
                "timestamp": template.timestamp.0, "difficulty_q24": template.difficulty.q24().to_string(),
                "bloom_end": seal.bloom_end, "nonce": seal.nonce, "extra_nonce": seal.extra_nonce.to_string(),
                "rounds": rounds}))?);
        }
        Ok(result(format_args!(
            "block {:>6}  {hash}  bloomed at round {}, {} {} in all",
            template.height,
            seal.bloom_end,
            count(rounds),
            plural(rounds, "round")
        ))?)
    }

    /// Height, time to the next block elapsed and expected, r of an attempt in flight, rates, luck: in 80 columns all but
    /// the last.
    fn line(&self, total: &Snapshot) -> String {
        let job = self.job_began.map_or(Duration::ZERO, |began| began.elapsed());
        let elapsed = (self.active + job).as_secs_f64();
        let rate = total.rounds as f64 / elapsed;
        let expected = estimate::rounds_per_block(self.difficulty) / rate;
        let r = total.in_flight.map_or("-".to_owned(), |(_, r)| format!("{r:.3}"));
        format!(
            "height {} · {} of ~{} · r {r} · {} rounds/s · {} blooms/s · luck {}",
            self.height,
            seconds(self.block_began.elapsed().as_secs_f64()),
            seconds(expected),
            si(rate),
            si(total.blooms as f64 / elapsed),
            self.luck(),
        )
    }

    /// Rounds that the blocks were worth on average, over the rounds that they took: above 100 % is lucky. Nothing is
    /// said where a block is so easy that most rounds are those of attempts that it cut off.
    fn luck(&self) -> String {
        match self.rounds_at_last_block {
            0 => "-".to_owned(),
            _ if self.difficulty.q24() < LEAST_DIFFICULTY_OF_LUCK => "-".to_owned(),
            rounds => format!("{:.0} %", 100.0 * self.expected_rounds / rounds as f64),
        }
    }

    fn end(&mut self, summary: &Summary, chain: &Chain) -> Result<()> {
        self.live.clear();
        let tip = chain.tip();
        let elapsed = self.began.elapsed().as_secs_f64();
        let Snapshot { rounds, blooms, .. } = summary.total;
        let joules = self.energy.joules();
        if self.json {
            return Ok(result(json!({"event": "end", "blocks": summary.blocks, "height": tip.height.0,
                "tip": tip.hash.to_string(), "rounds": rounds, "blooms": blooms, "seconds": elapsed,
                "joules": joules.map(|(joules, _)| joules),
                "joules_source": joules.map(|(_, source)| source_name(source))}))?);
        }
        note(format_args!(
            "{} in {}, {} {}, {} {}, luck {}; {} BLOOM to {}; the tip is {} at height {}",
            counted(summary.blocks, "block"),
            seconds(elapsed),
            count(rounds),
            plural(rounds, "round"),
            count(blooms),
            plural(blooms, "bloom"),
            self.luck(),
            self.earned,
            self.address,
            tip.hash,
            tip.height
        ));
        if let Some((joules, source)) = joules {
            let each = if rounds == 0 { 0.0 } else { joules / rounds as f64 };
            note(format_args!("{} ({}), {} a round", joule(joules), source_name(source), joule(each)));
        }
        Ok(())
    }

    fn say(&mut self, event: &serde_json::Value, text: impl FnOnce() -> String) -> Result<()> {
        if self.json {
            return Ok(result(event)?);
        }
        self.live.clear();
        note(text());
        Ok(())
    }
}

fn joule(joules: f64) -> String {
    format!("{}J", si(joules))
}

fn source_name(source: Source) -> &'static str {
    match source {
        Source::Rapl => "measured by RAPL",
        Source::Estimate => "estimated from the watts given",
    }
}
