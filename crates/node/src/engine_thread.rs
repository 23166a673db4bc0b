//! The one thread that owns the engine: what happens goes in, what is to be done comes out.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bloom_miner::{StopSignal, unix_time};
use bloom_net::event::Report;
use bloom_net::{Action, Engine, Event, Now, PeerAddr};
use crossbeam_channel::{Receiver, Sender, select};

use crate::carrier::Carrier;
use crate::disk::{DiskLimits, Room, free_bytes};
use crate::event::NodeEvent;
use crate::files::{store_bans, store_book};
use crate::handle::{Errand, View};
use crate::hook::{Hook, News};
use crate::prover::{Proven, Prover};

/// The longest that the thread sleeps: children and a signal that came without waking it are looked after so often.
const LONGEST_SLEEP: Duration = Duration::from_secs(1);
/// An engine that wants to be woken at once, again and again, gets no more than so many turns.
const LEAST_SLEEP: Duration = Duration::from_millis(2);
/// While a notify command runs, so often it is looked whether it has ended.
const HOOK_INTERVAL: Duration = Duration::from_millis(20);
const DISK_INTERVAL: Duration = Duration::from_secs(10);
const MEMPOOL_INTERVAL: Duration = Duration::from_secs(30);
const BOOK_INTERVAL: Duration = Duration::from_secs(180);
/// That an address given by hand cannot be reached is said again after this long.
const UNREACHABLE_INTERVAL: Duration = Duration::from_secs(3_600);

/// How a node ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It was told to.
    Asked,
    /// The directory cannot be worked in any more: what is wrong, and what to do.
    Fault(String),
}

/// What the thread works with.
pub(crate) struct EngineThread<D> {
    pub(crate) engine: Engine,
    pub(crate) carrier: Box<dyn Carrier>,
    pub(crate) deliveries: Receiver<D>,
    /// What happened, out of what was delivered.
    pub(crate) open: fn(D) -> Event,
    pub(crate) errands: Receiver<Errand>,
    pub(crate) prover: Prover,
    pub(crate) proven: Receiver<Proven>,
    pub(crate) events: Sender<NodeEvent>,
    pub(crate) view: Arc<Mutex<View>>,
    pub(crate) stop: StopSignal,
    pub(crate) began: Instant,
    pub(crate) directory: PathBuf,
    pub(crate) disk: DiskLimits,
    pub(crate) hook: Option<Hook>,
    pub(crate) chores: Chores,
}

/// When the next of each kind is due, in time since the thread began.
#[derive(Default)]
pub(crate) struct Chores {
    disk: Duration,
    mempool: Duration,
    book: Duration,
    room_is_narrow: bool,
    /// Of which addresses given by hand it was said that they cannot be reached, and when.
    unreachable: BTreeMap<PeerAddr, Duration>,
}

impl<D> EngineThread<D> {
    /// Works until it is told to end or cannot go on; then saves what there is.
    pub(crate) fn run(mut self) -> Ending {
        let mut ending = loop {
            if self.stop.is_stopped() {
                break Ending::Asked;
            }
            if let Some(fault) = self.engine.fault() {
                break Ending::Fault(format!("the chain cannot be written or read any more: {fault}"));
            }
            if let Err(fault) = self.chores() {
                break Ending::Fault(fault);
            }
            self.turn();
        };
        self.stop.stop();
        if let Err(fault) = self.save_all()
            && ending == Ending::Asked
        {
            ending = Ending::Fault(fault);
        }
        let tip = self.engine.chain().chain().tip();
        let fault = match &ending {
            Ending::Asked => None,
            Ending::Fault(fault) => Some(fault.clone()),
        };
        self.carrier.stop();
        let event = NodeEvent::End { height: tip.height.0, tip: tip.hash.to_string(), fault };
        event.log(false);
        // Whoever reads events may have left.
        let _ = self.events.try_send(event);
        ending
    }

    /// Waits for one thing to happen and does what follows from it.
    fn turn(&mut self) {
        let sleep = self.sleep();
        let began = self.began;
        let now = || Now { elapsed: began.elapsed(), unix: unix_time() };
        let actions = select! {
            recv(self.deliveries) -> delivery => match delivery {
                Ok(delivery) => {
                    let event = (self.open)(delivery);
                    if let Event::DialFailed { address } = &event {
                        self.unreachable(*address);
                    }
                    self.engine.handle(event, now())
                }
                Err(_) => {
                    tracing::error!("the network's threads have ended");
                    self.stop.stop();
                    Vec::new()
                }
            },
            recv(self.errands) -> errand => match errand {
                Ok(errand) => errand(&mut self.engine, now()),
                Err(_) => {
                    self.stop.stop(); // nobody is left who could
                    Vec::new()
                }
            },
            recv(self.proven) -> proven => match proven {
                Ok((job, first_false)) => self.engine.handle(Event::Proven { job, first_false }, now()),
                Err(_) => unreachable!("the prover's threads live as long as the prover"),
            },
            default(sleep) => Vec::new(),
        };
        self.perform(actions);
        if self.engine.next_wake().is_some_and(|wake| wake <= self.began.elapsed()) {
            let actions = self.engine.handle(Event::Wake, now());
            self.perform(actions);
        }
        self.publish();
    }

    fn sleep(&self) -> Duration {
        let wake = self.engine.next_wake().map_or(LONGEST_SLEEP, |wake| wake.saturating_sub(self.began.elapsed()));
        let hook = if self.hook.as_ref().is_some_and(Hook::is_busy) { HOOK_INTERVAL } else { LONGEST_SLEEP };
        wake.min(hook).clamp(LEAST_SLEEP, LONGEST_SLEEP)
    }

    fn perform(&mut self, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Prove { job, headers } => self.prover.prove(job, headers),
                Action::Tell(report) => self.tell(&report),
                action => self.carrier.perform(action),
            }
        }
    }

    /// Says of an address given by hand that it cannot be reached: when that begins, and hourly.
    fn unreachable(&mut self, address: PeerAddr) {
        let (now, given) = (self.began.elapsed(), self.engine.given());
        let said = &mut self.chores.unreachable;
        said.retain(|address, _| given.contains(address));
        let is_said = said.get(&address).is_some_and(|at| now < *at + UNREACHABLE_INTERVAL);
        if given.contains(&address) && !is_said {
            said.insert(address, now);
            self.emit(NodeEvent::Unreachable { address: address.to_string() });
        }
    }

    fn tell(&mut self, report: &Report) {
        if let Report::Joined { address, .. } = report {
            self.chores.unreachable.remove(address);
        }
        self.emit(NodeEvent::of(report));
        if let (Report::Tip { hash, height, reorganised, .. }, Some(hook)) = (report, &mut self.hook) {
            hook.tip(News { hash: *hash, height: *height, reorganised: *reorganised });
        }
    }

    fn emit(&self, event: NodeEvent) {
        event.log(self.engine.is_behind());
        // A reader that is slow or has left misses some: the engine does not wait for it.
        if self.events.try_send(event).is_err() {
            tracing::debug!("nobody takes the events");
        }
    }

    /// Renews what others see without asking.
    fn publish(&self) {
        let view = View::of(&self.engine);
        *self.view.lock().unwrap_or_else(PoisonError::into_inner) = view;
    }

    /// What is done now and then.
    fn chores(&mut self) -> Result<(), String> {
        let now = self.began.elapsed();
        if let Some(hook) = &mut self.hook {
            hook.advance();
        }
        if now >= self.chores.disk {
            self.chores.disk = now + DISK_INTERVAL;
            self.look_at_disk()?;
        }
        if now >= self.chores.mempool {
            self.chores.mempool = now + MEMPOOL_INTERVAL;
            self.engine.chain_mut().save().map_err(|error| format!("what waits cannot be saved: {error}"))?;
        }
        if now >= self.chores.book {
            self.chores.book = now + BOOK_INTERVAL;
            self.save_peers();
        }
        Ok(())
    }

    fn look_at_disk(&mut self) -> Result<(), String> {
        let free_bytes = match free_bytes(&self.directory) {
            Ok(bytes) => bytes,
            Err(error) => {
                tracing::warn!("how much room there is in {} cannot be told: {error}", self.directory.display());
                return Ok(());
            }
        };
        let room = self.disk.judge(free_bytes);
        if room == Room::Full {
            self.emit(NodeEvent::Disk { free_bytes, stops: true });
            return Err(format!(
                "{} MiB are free where {} is, fewer than {}: make room and start again",
                free_bytes >> 20,
                self.directory.display(),
                self.disk.stop_bytes >> 20
            ));
        }
        // Said once each time it gets narrow, not every ten seconds.
        if room == Room::Narrow && !self.chores.room_is_narrow {
            self.emit(NodeEvent::Disk { free_bytes, stops: false });
        }
        self.chores.room_is_narrow = room == Room::Narrow;
        Ok(())
    }

    /// Neither file is needed to go on: what cannot be written is remarked.
    fn save_peers(&self) {
        let saved = [store_book(&self.directory, self.engine.book()), store_bans(&self.directory, &self.engine.bans())];
        for saved in saved {
            if let Err(error) = saved {
                tracing::warn!("{error}");
            }
        }
    }

    fn save_all(&mut self) -> Result<(), String> {
        self.save_peers();
        let chain = self.engine.chain_mut();
        chain.flush().map_err(|error| format!("the last blocks cannot be saved: {error}"))?;
        chain.save().map_err(|error| format!("what waits cannot be saved: {error}"))
    }
}
