//! The streams of one connection: which may run, which wait, and what is told of those that came to nothing.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use libp2p::core::UpgradeInfo;
use libp2p::core::upgrade::{InboundUpgrade, OutboundUpgrade};
use libp2p::swarm::handler::{
    ConnectionEvent, DialUpgradeError, FullyNegotiatedInbound, FullyNegotiatedOutbound, StreamUpgradeError,
};
use libp2p::swarm::{ConnectionHandler, ConnectionHandlerEvent, SubstreamProtocol};
use libp2p::{Stream, StreamProtocol};
use tokio::sync::mpsc;
use tokio::time::{Instant, Sleep, sleep, sleep_until};

use super::names::Names;
use super::post::{Asking, Order};
use super::streams::{ARRIVAL, Desk, Served};
use crate::event::{Event, Failure};
use crate::wire::{Note, Request, WireError};

/// Streams of a peer's at a time; one beyond it is closed.
const THEIRS: usize = 16;
/// Streams of this node's at a time that ask, and that tell: no more than a peer takes.
const ASKS: usize = 8;
const NOTES: usize = 4;
/// Messages that wait for a stream beside those that wait for this handler.
const WAITING: usize = 64;
/// Streams that broke off beyond those that brought something: more is a flood of what costs its sender nothing.
const MOST_BROKEN: u32 = 16;
/// How long a connection stays for what was said last.
const LINGER: Duration = Duration::from_millis(500);

/// The end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Over;

/// What a handler has of its [`Line`].
///
/// [`Line`]: super::post::Line
pub(super) struct Ends {
    pub(super) orders: mpsc::Receiver<Order>,
    pub(super) close: mpsc::Receiver<()>,
    pub(super) unsent: Arc<AtomicUsize>,
}

/// One connection's streams.
pub(super) struct Handler {
    desk: Desk,
    names: Arc<Names>,
    orders: mpsc::Receiver<Order>,
    /// Closing goes beside the orders: it does not wait for what the peer does not take.
    close: mpsc::Receiver<()>,
    has_begun: bool,
    theirs: FuturesUnordered<BoxFuture<'static, Served>>,
    broken: u32,
    asks: VecDeque<Asking>,
    notes: VecDeque<Arc<Note>>,
    /// Streams of this node's, from the moment that they are wanted.
    asking: usize,
    telling: usize,
    ours: FuturesUnordered<BoxFuture<'static, Kind>>,
    /// When the first of the requests that wait is too late.
    too_late: Option<(Instant, Pin<Box<Sleep>>)>,
    unsent: Arc<AtomicUsize>,
    closing: Option<Pin<Box<Sleep>>>,
    is_over: bool,
    is_cut: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Ask,
    Note,
}

/// What a stream of this node's is for.
#[derive(Debug)]
pub(super) enum Errand {
    Ask(Asking),
    Note(Arc<Note>),
}

impl Handler {
    pub(super) fn new(desk: Desk, names: Arc<Names>, ends: Ends) -> Self {
        let Ends { orders, close, unsent } = ends;
        Self {
            desk,
            names,
            orders,
            close,
            has_begun: false,
            theirs: FuturesUnordered::new(),
            broken: 0,
            asks: VecDeque::new(),
            notes: VecDeque::new(),
            asking: 0,
            telling: 0,
            ours: FuturesUnordered::new(),
            too_late: None,
            unsent,
            closing: None,
            is_over: false,
            is_cut: false,
        }
    }

    /// Begins to close when that was ordered: what waits is dropped, what is on its way has its time.
    fn heed_close(&mut self, cx: &mut Context<'_>) {
        if self.closing.is_none() && self.close.poll_recv(cx).is_ready() {
            self.closing = Some(Box::pin(sleep(LINGER)));
            self.orders.close();
            while self.orders.try_recv().is_ok() {}
            self.notes.clear();
            self.asks.clear();
        }
    }

    /// Takes orders while there is room for what they bring.
    fn take_orders(&mut self, cx: &mut Context<'_>) {
        while self.closing.is_none() && self.asks.len() + self.notes.len() < WAITING {
            match self.orders.poll_recv(cx) {
                Poll::Ready(Some(Order::Begin)) => self.has_begun = true,
                Poll::Ready(Some(Order::Ask(asking))) => self.asks.push_back(asking),
                Poll::Ready(Some(Order::Send(note))) => self.notes.push_back(note),
                // Whoever gives orders closes, too.
                Poll::Ready(None) | Poll::Pending => return,
            }
        }
    }

    /// Runs the streams that there are.
    fn run(&mut self, cx: &mut Context<'_>) {
        while self.has_begun {
            match self.theirs.poll_next_unpin(cx) {
                Poll::Ready(Some(served)) => self.served(served),
                Poll::Ready(None) | Poll::Pending => break,
            }
        }
        while let Poll::Ready(Some(kind)) = self.ours.poll_next_unpin(cx) {
            self.finished(kind);
        }
    }

    fn served(&mut self, served: Served) {
        match served {
            Served::Whole => self.broken = self.broken.saturating_sub(1),
            Served::Told => {}
            Served::Broken => self.broken += 1,
        }
        if self.broken > MOST_BROKEN {
            self.broken = 0;
            let error = WireError::Value { what: "streams", why: "one after the other ends before its message" };
            let event = Event::Malformed { peer: self.desk.peer, error };
            self.desk.post.deliver(event, super::budget::Held::default());
        }
    }

    fn finished(&mut self, kind: Kind) {
        match kind {
            Kind::Ask => self.asking -= 1,
            Kind::Note => self.telling -= 1,
        }
    }

    /// Gives up requests whose time has passed while they waited.
    fn give_up(&mut self, cx: &mut Context<'_>) {
        loop {
            let Some(first) = self.asks.iter().map(|asking| asking.deadline).min() else {
                self.too_late = None;
                return;
            };
            if self.too_late.as_ref().is_none_or(|(at, _)| *at != first) {
                self.too_late = Some((first, Box::pin(sleep_until(first))));
            }
            let is_late = self.too_late.as_mut().is_some_and(|(_, sleep)| sleep.poll_unpin(cx).is_ready());
            if !is_late {
                return;
            }
            let (late, rest): (VecDeque<_>, _) =
                std::mem::take(&mut self.asks).into_iter().partition(|asking| asking.deadline <= first);
            self.asks = rest;
            late.into_iter().for_each(|asking| asking.failed(Failure::Timeout));
        }
    }

    /// The next stream to open, if one may be.
    fn next_errand(&mut self) -> Option<SubstreamProtocol<Named, Errand>> {
        if self.telling < NOTES
            && let Some(note) = self.notes.pop_front()
        {
            self.telling += 1;
            let name = self.names.note.clone();
            return Some(SubstreamProtocol::new(Named(vec![name]), Errand::Note(note)).with_timeout(ARRIVAL));
        }
        if self.asking < ASKS
            && let Some(asking) = self.asks.pop_front()
        {
            self.asking += 1;
            let name = match asking.request {
                Request::Hello(_) => self.names.hello.clone(),
                _ => self.names.ask.clone(),
            };
            let time = asking.deadline.saturating_duration_since(Instant::now());
            return Some(SubstreamProtocol::new(Named(vec![name]), Errand::Ask(asking)).with_timeout(time));
        }
        None
    }

    /// Whether all that was said last is on its way, or has had its time.
    fn has_closed(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(linger) = &mut self.closing else { return false };
        let is_late = linger.poll_unpin(cx).is_ready();
        let is_quiet = self.unsent.load(Ordering::Acquire) == 0 && self.telling == 0;
        is_late || is_quiet
    }
}

impl ConnectionHandler for Handler {
    type FromBehaviour = Infallible;
    type ToBehaviour = Over;
    type InboundProtocol = Named;
    type OutboundProtocol = Named;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = Errand;

    fn listen_protocol(&self) -> SubstreamProtocol<Named> {
        let names = vec![self.names.note.clone(), self.names.ask.clone(), self.names.hello.clone()];
        SubstreamProtocol::new(Named(names), ()).with_timeout(ARRIVAL)
    }

    /// The engine says when a connection ends.
    fn connection_keep_alive(&self) -> bool {
        true
    }

    fn on_behaviour_event(&mut self, event: Infallible) {
        match event {}
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ConnectionHandlerEvent<Named, Errand, Over>> {
        if self.is_over {
            return Poll::Pending;
        }
        self.run(cx);
        self.heed_close(cx);
        self.take_orders(cx);
        self.give_up(cx);
        if self.has_closed(cx) {
            self.is_over = true;
            return Poll::Ready(ConnectionHandlerEvent::NotifyBehaviour(Over));
        }
        match self.next_errand() {
            Some(protocol) => Poll::Ready(ConnectionHandlerEvent::OutboundSubstreamRequest { protocol }),
            None => Poll::Pending,
        }
    }

    /// What came together with the end of the connection is read all the same: a goodbye does. Whoever does not take the
    /// last bytes does not keep the socket.
    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<Option<Over>> {
        if !std::mem::replace(&mut self.is_cut, true) {
            let meter = Arc::clone(&self.desk.meter);
            tokio::spawn(async move {
                sleep(LINGER).await;
                meter.cut();
            });
        }
        self.run(cx);
        Poll::Ready(None)
    }

    fn on_connection_event(&mut self, event: ConnectionEvent<'_, Named, Named, (), Errand>) {
        match event {
            ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound { protocol: (stream, name), .. }) => {
                if self.closing.is_some() {
                    return;
                }
                if self.theirs.len() >= THEIRS {
                    return self.served(Served::Broken);
                }
                let protocol = self.names.protocol(&name);
                self.theirs.push(self.desk.clone().serve(stream, protocol).boxed());
            }
            ConnectionEvent::FullyNegotiatedOutbound(FullyNegotiatedOutbound { protocol: (stream, _), info }) => {
                let desk = self.desk.clone();
                self.ours.push(match info {
                    Errand::Ask(asking) => desk.ask(stream, asking).map(|()| Kind::Ask).boxed(),
                    Errand::Note(note) => desk.tell(stream, note).map(|()| Kind::Note).boxed(),
                });
            }
            ConnectionEvent::DialUpgradeError(DialUpgradeError { info, error }) => match info {
                Errand::Ask(asking) => {
                    self.finished(Kind::Ask);
                    asking.failed(match error {
                        StreamUpgradeError::Timeout => Failure::Timeout,
                        _ => Failure::Closed,
                    });
                }
                Errand::Note(_) => self.finished(Kind::Note),
            },
            _ => {}
        }
    }
}

/// Streams by name; the name is all there is to agree on.
#[derive(Clone, Debug)]
pub(super) struct Named(Vec<StreamProtocol>);

impl UpgradeInfo for Named {
    type Info = StreamProtocol;
    type InfoIter = std::vec::IntoIter<StreamProtocol>;

    fn protocol_info(&self) -> Self::InfoIter {
        self.0.clone().into_iter()
    }
}

impl InboundUpgrade<Stream> for Named {
    type Output = (Stream, StreamProtocol);
    type Error = Infallible;
    type Future = Ready<Result<Self::Output, Infallible>>;

    fn upgrade_inbound(self, stream: Stream, name: StreamProtocol) -> Self::Future {
        ready(Ok((stream, name)))
    }
}

impl OutboundUpgrade<Stream> for Named {
    type Output = (Stream, StreamProtocol);
    type Error = Infallible;
    type Future = Ready<Result<Self::Output, Infallible>>;

    fn upgrade_outbound(self, stream: Stream, name: StreamProtocol) -> Self::Future {
        ready(Ok((stream, name)))
    }
}
