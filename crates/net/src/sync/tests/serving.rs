//! What others are served: as much as an answer holds, and no more work than that.

use std::time::Duration;

use bloom_chain::StoreError;
use bloom_consensus::{Block, BlockHash};

use super::cast::{Cast, Manner, beginning, long};
use super::cut;
use crate::event::Event;
use crate::wire::{Request, Response};

/// What an engine answers a puppet.
fn ask(cast: &mut Cast, puppet: usize, request: Request) -> Response {
    let end = cast.players[&puppet].end;
    cast.wire.ask(end, request);
    cast.wire.run(Duration::from_secs(1));
    let answers = cast.wire.heard(puppet).into_iter().filter_map(|event| match event {
        Event::Response { response, .. } if !matches!(response, Response::Hello(_)) => Some(response),
        _ => None,
    });
    answers.last().expect("every request is answered")
}

#[test]
fn headers_follow_the_first_hash_of_the_locator_that_is_on_the_chain() {
    let line = cut(&long(), 100);
    let mut cast = Cast::new(&line);
    let peer = cast.join(beginning(), Manner::Honest);
    cast.wire.run(Duration::from_secs(1));
    let hashes: Vec<_> = line.iter().map(Block::hash).collect();
    for (locator, first) in
        [(vec![hashes[90]], 91), (vec![BlockHash([1; 32]), hashes[40], hashes[90]], 41), (vec![hashes[100]], 101)]
    {
        let Response::Headers(headers) = ask(&mut cast, peer, Request::Headers { locator }) else { panic!() };
        let expected: Vec<_> = line.iter().skip(first).map(|block| block.header).collect();
        assert_eq!(headers, expected);
    }
    let unknown = Request::Headers { locator: vec![BlockHash([1; 32]); 80] };
    assert_eq!(ask(&mut cast, peer, unknown), Response::Headers(Vec::new()));
}

#[test]
fn blocks_are_a_beginning_of_what_was_asked_for() {
    let line = cut(&long(), 20);
    let mut cast = Cast::new(&line);
    let peer = cast.join(beginning(), Manner::Honest);
    cast.wire.run(Duration::from_secs(1));
    let (known, unknown) = (|at: usize| line[at].hash(), BlockHash([1; 32]));
    let hashes = vec![known(7), known(3), unknown, known(4)];
    let expected = Response::Blocks(vec![line[7].clone(), line[3].clone()]);
    assert_eq!(ask(&mut cast, peer, Request::Blocks { hashes }), expected);
    let hashes = vec![unknown, known(4)];
    assert_eq!(ask(&mut cast, peer, Request::Blocks { hashes }), Response::NotFound);
}

#[test]
fn an_engine_whose_store_failed_does_nothing_more_and_says_why() {
    let mut cast = Cast::new(&beginning());
    let engine = cast.engine;
    cast.join(cut(&long(), 50), Manner::Honest);
    assert!(cast.wire.at(engine).fault().is_none());
    cast.wire.at_mut(engine).parts().0.fail(StoreError::Closed);
    cast.until(10, |_| false);
    assert!(cast.has(&beginning()));
    assert!(matches!(cast.wire.at(engine).fault(), Some(StoreError::Closed)));
    assert_eq!(cast.wire.at(engine).next_wake(), None);
}
