//! `bloom estimate`: what a difficulty means on this machine.

use std::time::Duration;

use anyhow::Result;
use bloom_consensus::{Amount, Difficulty, Draft, Height, Params, Timestamp};
use bloom_miner::energy::{self, EnergyMeter, Source};
use bloom_miner::{Job, MinerConfig, Search, estimate};
use bloom_node::confirmations;
use serde_json::json;

use crate::cli::EstimateArgs;
use crate::context::{backend, difficulty, threads};
use crate::live::{seconds, si};
use crate::output::{counted, note, result};

/// How long the speed of this machine is measured.
const MEASURE: Duration = Duration::from_secs(1);
/// What Landauer's bound is reckoned with: room temperature, and phases as precise as they are kept.
const KELVIN: f64 = 300.0;
const PRECISION_TURNS: f64 = 1.0 / 4_294_967_296.0;

pub(crate) fn run(args: &EstimateArgs) -> Result<()> {
    if let Some(amount) = args.amount {
        return advise(amount, Height(args.height), args.json);
    }
    let difficulties = match &args.difficulty {
        Some(text) => vec![("given".to_owned(), difficulty(text)?)],
        None => Params::well_known().iter().rev().map(|p| (p.name.clone(), p.genesis_difficulty())).collect(),
    };
    let config = MinerConfig { threads: threads(args.threads), backend: backend(None)?, ..MinerConfig::default() };
    let speed = measure(&config, args.watts)?;
    for (name, difficulty) in difficulties {
        print(args.json, &name, difficulty, &speed)?;
    }
    let landauer = energy::landauer_joules(KELVIN, PRECISION_TURNS);
    if !args.json {
        note(format_args!(
            "at {} rounds/s with {} threads on {}; Landauer's bound on erasing 63 phases of 32 bits at 300 K: {}J",
            si(speed.rounds_per_sec),
            config.threads,
            config.backend,
            si(landauer)
        ));
        if speed.joules_per_round.is_none() {
            note("no energy counter can be read here: say --watts W for an estimate of energy");
        }
    }
    Ok(())
}

/// How many confirmations a payment deserves.
fn advise(amount: Amount, height: Height, json: bool) -> Result<()> {
    let advised = confirmations(amount, height);
    if json {
        return Ok(result(
            json!({"amount": amount.units().to_string(), "height": height.0, "confirmations": advised}),
        )?);
    }
    let advice = match advised {
        Some(blocks) => {
            format!(
                "{}, so that rewriting them forgoes more in rewards than it brings",
                counted(blocks, "confirmation")
            )
        }
        None => {
            "no number of rewards covers that: no wait makes it safe, nor do parts that are paid at once, which add up"
                .to_owned()
        }
    };
    result(format_args!("{amount} BLOOM at height {height}: {advice}"))?;
    note("the payment's own block counts; see docs/node.md for what this weighs and what it does not");
    Ok(())
}

struct Speed {
    rounds_per_sec: f64,
    joules_per_round: Option<(f64, Source)>,
}

/// Searches for a block that nobody can find, and looks how fast.
fn measure(config: &MinerConfig, watts: Option<f64>) -> Result<Speed> {
    let draft = Draft::genesis(Vec::new(), Timestamp(0), Difficulty::MAX)?;
    let search = Search::start(config)?;
    let mut meter = EnergyMeter::start(watts);
    search.assign(Job::new(0, draft.challenge(), Difficulty::MAX));
    let found = search.wait(MEASURE);
    debug_assert!(found.is_none(), "a ticket at 2^64 within a second");
    let rounds = search.snapshot().rounds as f64;
    let joules_per_round = meter.joules().map(|(joules, source)| (joules / rounds, source));
    Ok(Speed { rounds_per_sec: rounds / MEASURE.as_secs_f64(), joules_per_round })
}

fn print(as_json: bool, name: &str, difficulty: Difficulty, speed: &Speed) -> Result<()> {
    let (coupling, bloom) = (estimate::coupling(difficulty), estimate::estimate_bloom_time(difficulty));
    let rounds = estimate::rounds_per_block(difficulty);
    let secs = rounds / speed.rounds_per_sec;
    let joules = speed.joules_per_round.map(|(joules, _)| joules * rounds);
    let label = speed.joules_per_round.map(|(_, source)| match source {
        Source::Rapl => "measured",
        Source::Estimate => "estimated from the watts given",
    });
    if as_json {
        return Ok(result(json!({"name": name, "difficulty_q24": difficulty.q24().to_string(), "coupling": coupling,
            "rounds_per_bloom": bloom, "rounds_per_block": rounds, "rounds_per_second": speed.rounds_per_sec,
            "seconds_per_block": secs, "joules_per_block": joules, "joules_source": label,
            "landauer_joules_per_bloom": energy::landauer_joules(KELVIN, PRECISION_TURNS)}))?);
    }
    let energy =
        joules.map_or("unknown".to_owned(), |joules| format!("{}J, {}", si(joules), label.unwrap_or_default()));
    Ok(result(format_args!(
        "{name:<6} difficulty {difficulty}: coupling {coupling:.5}, {bloom:.0} rounds to a bloom, {} rounds to a block; here {}, energy {energy}",
        si(rounds),
        seconds(secs)
    ))?)
}
