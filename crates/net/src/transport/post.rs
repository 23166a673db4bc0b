//! Where messages go: from the streams to the engine, and from the engine to the streams.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crossbeam_channel::Sender;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::Instant;

use super::budget::{
    ANSWERS_BYTES, GIVEN_BYTES, GIVEN_BYTES_PER_PEER, Held, Purse, SMALL_BYTES, UNASKED_BYTES, UNASKED_BYTES_PER_PEER,
    pocket,
};
use super::handler::Ends;
use super::traffic::Meter;
use crate::event::{AnswerId, ConnId, Event, Failure, RequestId};
use crate::wire::{Request, Response, WireError};

/// Messages to one connection that wait for a stream. Whoever does not take them is let go.
const ORDERS: usize = 1_024;
/// Comings, goings, round trips and finds that the engine has not taken. Above it nobody is let in.
const BACKLOG: usize = 4_096;

/// An event for the engine. What it takes of the transport's budgets is given back when it is dropped.
#[derive(Debug)]
pub struct Delivery {
    /// What happened.
    pub event: Event,
    _held: Held,
    _count: Option<Count>,
}

/// One more of something, until it is dropped.
#[derive(Debug)]
struct Count(Arc<AtomicUsize>);

impl Count {
    fn of(counter: &Arc<AtomicUsize>) -> Self {
        counter.fetch_add(1, Ordering::AcqRel);
        Self(Arc::clone(counter))
    }
}

impl Drop for Count {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// What a connection is to do.
#[derive(Debug)]
pub(super) enum Order {
    /// The engine knows of the connection: what comes may be handed on.
    Begin,
    Send(Arc<crate::wire::Note>),
    Ask(Asking),
}

/// A connection, from outside of it.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) orders: mpsc::Sender<Order>,
    pub(super) close: mpsc::Sender<()>,
    pub(super) meter: Arc<Meter>,
    given: Purse,
    /// Its answers under way.
    unsent: Arc<AtomicUsize>,
}

/// What all connections share.
#[derive(Debug)]
pub(super) struct Post {
    sink: Sender<Delivery>,
    unasked: Arc<Semaphore>,
    answers: Arc<Semaphore>,
    given: Arc<Semaphore>,
    backlog: Arc<AtomicUsize>,
    lines: Mutex<BTreeMap<ConnId, Line>>,
    unanswered: Mutex<BTreeMap<AnswerId, (ConnId, oneshot::Sender<Given>)>>,
    connections: AtomicU64,
    requests: AtomicU64,
}

impl Post {
    pub(super) fn new(sink: Sender<Delivery>) -> Self {
        Self {
            sink,
            unasked: pocket(UNASKED_BYTES),
            answers: pocket(ANSWERS_BYTES),
            given: pocket(GIVEN_BYTES),
            backlog: Arc::default(),
            lines: Mutex::default(),
            unanswered: Mutex::default(),
            connections: AtomicU64::new(0),
            requests: AtomicU64::new(0),
        }
    }

    pub(super) fn number_connection(&self) -> ConnId {
        ConnId(self.connections.fetch_add(1, Ordering::Relaxed))
    }

    /// What a connection's notes and requests are paid from.
    pub(super) fn unasked_purse(&self) -> Purse {
        let own = pocket(UNASKED_BYTES_PER_PEER);
        Purse::new(vec![(own, UNASKED_BYTES_PER_PEER), (Arc::clone(&self.unasked), UNASKED_BYTES)])
    }

    /// What answers to this node are paid from: nobody can send one unasked.
    pub(super) fn answers_purse(&self) -> Purse {
        Purse::new(vec![(Arc::clone(&self.answers), ANSWERS_BYTES)])
    }

    /// A connection's two ends: one to be given to [`Post::connected`], one to its handler.
    pub(super) fn line(&self, meter: Arc<Meter>) -> (Line, Ends) {
        let given = vec![(pocket(GIVEN_BYTES_PER_PEER), GIVEN_BYTES_PER_PEER), (Arc::clone(&self.given), GIVEN_BYTES)];
        let (orders, ordered) = mpsc::channel(ORDERS);
        let (close, closed) = mpsc::channel(1);
        let unsent = Arc::<AtomicUsize>::default();
        let line = Line { orders, close, meter, given: Purse::new(given), unsent: Arc::clone(&unsent) };
        (line, Ends { orders: ordered, close: closed, unsent })
    }

    /// Hands an event on. The sink is never full: the budgets bound what is in it. Nobody listens any more when the node
    /// stops, and then nothing is lost by it.
    pub(super) fn deliver(&self, event: Event, held: Held) {
        if self.sink.send(Delivery { event, _held: held, _count: None }).is_err() {
            tracing::debug!("an event came after the node had stopped listening");
        }
    }

    /// Hands on what no message pays for.
    pub(super) fn remark(&self, event: Event) {
        let count = Some(Count::of(&self.backlog));
        if self.sink.send(Delivery { event, _held: Held::default(), _count: count }).is_err() {
            tracing::debug!("an event came after the node had stopped listening");
        }
    }

    /// Whether the engine is so far behind that nobody else may come, and what can be spared is spared.
    pub(super) fn is_behind(&self) -> bool {
        self.backlog.load(Ordering::Acquire) >= BACKLOG
    }

    pub(super) fn connected(&self, peer: ConnId, line: Line, event: Event) {
        let orders = line.orders.clone();
        lock(&self.lines).insert(peer, line);
        self.remark(event);
        // The queue is new: there is room for the first order.
        if orders.try_send(Order::Begin).is_err() {
            tracing::debug!(%peer, "the connection was gone before it began");
        }
    }

    pub(super) fn disconnected(&self, peer: ConnId) {
        let Some(line) = lock(&self.lines).remove(&peer) else { return };
        if line.meter.is_flooded() {
            let error = WireError::Value { what: "connection", why: "it brought too much that was of no message" };
            self.remark(Event::Malformed { peer, error });
        }
        self.remark(Event::Disconnected { peer });
    }

    /// Gives a connection an order. False if it is gone or does not take what it is given; then the order comes to nothing.
    pub(super) fn order(&self, peer: ConnId, order: Order) -> bool {
        let orders = lock(&self.lines).get(&peer).map(|line| line.orders.clone());
        orders.is_some_and(|orders| orders.try_send(order).is_ok())
    }

    /// Ends a connection, when what was said last is on its way. What waits for a stream is dropped.
    pub(super) fn close(&self, peer: ConnId) {
        let close = lock(&self.lines).get(&peer).map(|line| line.close.clone());
        // One that is gone, or told already, is told nothing.
        if close.is_some_and(|close| close.try_send(()).is_err()) {
            tracing::trace!(%peer, "it closes already");
        }
    }

    pub(super) fn is_open(&self, peer: ConnId) -> bool {
        lock(&self.lines).contains_key(&peer)
    }

    pub(super) fn traffic(&self) -> Vec<(ConnId, u64, u64)> {
        let lines = lock(&self.lines);
        lines.iter().map(|(peer, line)| (*peer, line.meter.read(), line.meter.written())).collect()
    }

    /// Hands a request to the engine; what is returned brings its answer.
    pub(super) fn request(self: &Arc<Self>, peer: ConnId, request: Request, held: Held) -> Awaiting {
        let id = AnswerId(self.requests.fetch_add(1, Ordering::Relaxed));
        let (sender, answer) = oneshot::channel();
        lock(&self.unanswered).insert(id, (peer, sender));
        let awaiting = Awaiting { id, answer, post: Arc::clone(self) };
        self.deliver(Event::Request { peer, id, request }, held);
        awaiting
    }

    /// Gives a stream its answer; *busy* if more is on its way already than may be. Of a stream that is gone, nothing.
    pub(super) fn answer(&self, peer: ConnId, id: AnswerId, response: Response) {
        let Some((asker, stream)) = lock(&self.unanswered).remove(&id) else { return };
        if asker != peer {
            tracing::debug!(%peer, %asker, "an answer to a request of another's");
            return;
        }
        let (room, unsent) = match lock(&self.lines).get(&peer) {
            Some(line) => (line.given.clone(), Arc::clone(&line.unsent)),
            None => return,
        };
        let bytes = response.encoded_len();
        let (response, held) = match room.try_take(bytes) {
            Some(held) => (response, held),
            None if bytes <= SMALL_BYTES => (response, Held::default()),
            None => (Response::Busy, Held::default()),
        };
        let given = Given { response, _held: held, _unsent: Count::of(&unsent) };
        if stream.send(given).is_err() {
            tracing::debug!(%peer, "the stream was gone before its answer");
        }
    }

    pub(super) fn asking(self: &Arc<Self>, peer: ConnId, id: RequestId, request: Request, deadline: Instant) -> Asking {
        Asking { request, deadline, peer, id, post: Arc::clone(self), is_settled: false }
    }
}

/// A request that the engine was handed, until it is answered or its stream is gone.
#[derive(Debug)]
pub(super) struct Awaiting {
    id: AnswerId,
    answer: oneshot::Receiver<Given>,
    post: Arc<Post>,
}

impl Awaiting {
    /// The answer; none if the engine gives none.
    pub(super) async fn answer(&mut self) -> Option<Given> {
        (&mut self.answer).await.ok()
    }
}

impl Drop for Awaiting {
    fn drop(&mut self) {
        lock(&self.post.unanswered).remove(&self.id);
    }
}

/// An answer on its way to its stream.
#[derive(Debug)]
pub(super) struct Given {
    pub(super) response: Response,
    _held: Held,
    _unsent: Count,
}

/// A request of the engine's, which is told exactly once what came of it: whoever drops this tells.
#[derive(Debug)]
pub(super) struct Asking {
    pub(super) request: Request,
    pub(super) deadline: Instant,
    pub(super) peer: ConnId,
    id: RequestId,
    post: Arc<Post>,
    is_settled: bool,
}

impl Asking {
    pub(super) fn answered(mut self, response: Response, held: Held) {
        self.is_settled = true;
        self.post.deliver(Event::Response { peer: self.peer, id: self.id, response }, held);
    }

    pub(super) fn failed(mut self, failure: Failure) {
        self.settle(failure);
    }

    fn settle(&mut self, failure: Failure) {
        if !std::mem::replace(&mut self.is_settled, true) {
            self.post.deliver(Event::Failed { peer: self.peer, id: self.id, failure }, Held::default());
        }
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        self.settle(Failure::Closed);
    }
}

/// A lock whose holder never leaves what it guards half changed, so that another's panic does not matter.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
