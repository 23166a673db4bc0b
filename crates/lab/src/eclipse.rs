//! An attempt to surround a node: an attacker with many addresses in few network groups against one real engine.
//!
//! The victim finds its peers among honest nodes. Then the attacker comes with all its addresses, again and again, tells of
//! them asked and unasked, for two hours. Then the victim restarts, while a third of the honest nodes that it knew are gone,
//! its anchors among them, and all of the attacker's are there. What counts is who is in its outbound slots after that.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use bloom_consensus::{Params, Timestamp};
use bloom_kernel::Backend;
use bloom_net::event::Direction;
use bloom_net::{Config, PeerAddr};
use serde::Serialize;

use crate::citizen::{Citizen, empty_chain};
use crate::dice::Dice;
use crate::plan::SEEDS;
use crate::puppet::{Hand, Puppet};
use crate::record::Record;
use crate::terrain::{PORT, Terrain, address};
use crate::time::Moment;
use crate::world::World;

/// Honest nodes, each in a network group of its own; as many of them as this come to the victim by themselves.
const HONEST: usize = 200;
const COMING: usize = 20;
/// The attacker's network groups are those from here on.
const ATTACKED_GROUPS: usize = 1_000;
/// When the attacker comes, how often each of its addresses does, and until when.
const FLOOD_FROM: Duration = Duration::from_secs(1_800);
const FLOOD_EVERY: Duration = Duration::from_secs(3_600);
const RESTART_AT: Duration = Duration::from_secs(1_800 + 7_200);
/// How long the victim then has to find peers.
const SETTLE: Duration = Duration::from_secs(900);
/// Slots that must stay honest, of 8.
pub const MUST_STAY: usize = 4;

/// An attacker.
#[derive(Clone, Copy, Debug)]
pub struct Attack {
    /// Times it is tried, each with another seed.
    pub seeds: u32,
    /// The first of them.
    pub first_seed: u64,
    /// Its addresses.
    pub addresses: usize,
    /// The network groups that they are in.
    pub groups: usize,
    /// What the victim's engine runs on.
    pub backend: Backend,
    /// Attempts side by side.
    pub threads: NonZeroUsize,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Siege {
    /// Attempts.
    pub seeds: u32,
    /// Addresses of the attacker.
    pub addresses: usize,
    /// Their groups.
    pub groups: usize,
    /// How often so many outbound slots were honest in the end.
    pub honest_slots: BTreeMap<usize, u32>,
    /// How often so many were the attacker's.
    pub attacked_slots: BTreeMap<usize, u32>,
    /// Percent of attempts in which at least [`MUST_STAY`] were honest.
    pub held_percent: f64,
}

/// Tries it with every seed; None if it was stopped, which `go_on` decides, told how many are done.
pub fn besiege(attack: &Attack, go_on: &(dyn Fn(u64) -> bool + Sync)) -> Option<Siege> {
    let (next, is_stopped) = (AtomicU64::new(0), AtomicBool::new(false));
    let work = || {
        let mut slots = Vec::new();
        loop {
            let done = next.fetch_add(1, Ordering::Relaxed);
            if done >= u64::from(attack.seeds) || is_stopped.load(Ordering::Relaxed) {
                return slots;
            }
            if !go_on(done) {
                is_stopped.store(true, Ordering::Relaxed);
            }
            slots.push(attempt(attack, attack.first_seed.wrapping_add(done)));
        }
    };
    let slots: Vec<(usize, usize)> = thread::scope(|scope| {
        let threads: Vec<_> = (0..attack.threads.get()).map(|_| scope.spawn(work)).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("an attempt does not panic")).collect()
    });
    if is_stopped.load(Ordering::Relaxed) {
        return None;
    }
    let (mut honest_slots, mut attacked_slots) = (BTreeMap::new(), BTreeMap::new());
    for (honest, attacked) in &slots {
        *honest_slots.entry(*honest).or_default() += 1;
        *attacked_slots.entry(*attacked).or_default() += 1;
    }
    let held = slots.iter().filter(|(honest, _)| *honest >= MUST_STAY).count();
    let held_percent = 100.0 * held as f64 / slots.len().max(1) as f64;
    let Attack { seeds, addresses, groups, .. } = *attack;
    Some(Siege { seeds, addresses, groups, honest_slots, attacked_slots, held_percent })
}

/// Outbound slots that are honest and that are the attacker's in the end, with one seed.
fn attempt(attack: &Attack, seed: u64) -> (usize, usize) {
    let params = Params::dev();
    let terrain = Terrain { latency: Duration::from_millis(50), bandwidth: 20_000_000, seed };
    let epoch = Timestamp(params.genesis.header.template.timestamp.0 + 600);
    let mut world = World::new(terrain, epoch, attack.backend, seed, Record::default());
    let honest: Rc<Vec<PeerAddr>> = Rc::new((1..=HONEST).map(|group| address(group, 0)).collect());
    let attacked = |number: usize| address(ATTACKED_GROUPS + number % attack.groups, number / attack.groups);
    let attacking: Rc<Vec<PeerAddr>> = Rc::new((0..attack.addresses).map(attacked).collect());
    let seeds = honest.iter().take(SEEDS).copied().collect();
    let config = Config { listen_port: Some(PORT), ..Config::default() };
    let chain = empty_chain(&params, attack.backend);
    let victim = Citizen::new(chain, config, seeds, attack.backend, Dice::new(seed, 10));
    let here = address(0, 0);
    let victim = world.add(Box::new(victim), here, true, 0);
    for (number, there) in honest.iter().enumerate() {
        let own = Dice::new(seed, 1_000 + number as u64);
        let puppet = Puppet::new(Hand::Bystander, &params, Rc::clone(&honest), own);
        let puppet = if number < COMING { puppet.dialling(here, Duration::ZERO, FLOOD_FROM) } else { puppet };
        let _ = world.add(Box::new(puppet), *there, false, 0);
    }
    for (number, there) in attacking.iter().enumerate() {
        let own = Dice::new(seed, 100_000 + number as u64);
        let puppet = Puppet::new(Hand::Attacker, &params, Rc::clone(&attacking), own);
        let _ = world.add(Box::new(puppet.dialling(here, FLOOD_FROM, FLOOD_EVERY)), *there, false, 0);
    }
    for node in (0..world.len()).rev() {
        world.start(node);
    }
    let _ = world.run(Moment(0).plus(RESTART_AT));
    restart(&mut world, victim, seed);
    let _ = world.run(Moment(0).plus(RESTART_AT + SETTLE));
    slots(&mut world, victim, &honest)
}

/// The victim ends, its anchors and a third of the honest nodes go, and it starts again.
fn restart(world: &mut World, victim: usize, seed: u64) {
    let outbound: BTreeSet<usize> = world
        .connected(victim)
        .into_iter()
        .filter(|(_, made)| *made == Direction::Outbound)
        .map(|(node, _)| node)
        .collect();
    let mut others: Vec<usize> = (1..=HONEST).filter(|node| !outbound.contains(node)).collect();
    Dice::new(seed, 11).shuffle(&mut others);
    world.stop(victim);
    let gone = outbound.into_iter().filter(|node| *node <= HONEST).chain(others).take(HONEST / 3);
    for node in gone.collect::<Vec<_>>() {
        world.stop(node);
    }
    world.start(victim);
}

fn slots(world: &mut World, victim: usize, honest: &[PeerAddr]) -> (usize, usize) {
    let (Some(now), Some(engine)) = (world.time_of(victim), world.engine(victim)) else { return (0, 0) };
    let outbound: Vec<PeerAddr> = engine
        .peers(now)
        .iter()
        .filter(|peer| peer.direction == Direction::Outbound)
        .map(|peer| peer.address)
        .collect();
    let good = outbound.iter().filter(|address| honest.contains(address)).count();
    (good, outbound.len() - good)
}
