//! Blocks really mined on the dev network's genesis.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::num::NonZeroUsize;
use std::thread;
use std::time::Duration;

use bloom_consensus::{Block, Coinbase, Difficulty, Draft, Height, Timestamp, proof};
use bloom_kernel::{Backend, Solo};
use bloom_miner::{MineError, MinerConfig, StopSignal, mine_block};

fn draft(difficulty: Difficulty) -> Draft {
    Draft::genesis(b"a test's own genesis".to_vec(), Timestamp(1_600_000_000), difficulty).unwrap()
}

#[test]
fn a_mined_block_is_valid_by_every_backend() {
    for backend in Backend::available() {
        let config = MinerConfig { backend, ..MinerConfig::default() };
        let mut shown = 0;
        let result = mine_block(&config, draft(Difficulty::ONE), &StopSignal::new(), |_| shown += 1).unwrap();
        assert!(shown > 0 && result.rounds >= u64::from(result.bloom.rounds()) && result.blooms > 0);
        for verifier in Backend::available() {
            assert_eq!(proof::verify(&result.block.header, &mut Solo::new(verifier)).unwrap(), result.bloom);
        }
        assert_eq!(Block::decode(&result.block.encode()).unwrap(), result.block);
        assert_eq!(result.block.coinbase, Coinbase::new(Height(0), b"a test's own genesis".to_vec(), vec![]).unwrap());
    }
}

#[test]
fn a_stop_signal_ends_a_search_that_would_take_for_ever() {
    let stop = StopSignal::new();
    let signal = stop.clone();
    let stopper = thread::spawn(move || {
        thread::sleep(Duration::from_millis(200));
        signal.stop();
    });
    let config = MinerConfig { threads: NonZeroUsize::new(3).unwrap(), ..MinerConfig::default() };
    let error = mine_block(&config, draft(Difficulty::MAX), &stop, |_| {}).unwrap_err();
    stopper.join().unwrap();
    assert!(matches!(error, MineError::Stopped), "{error}");
}
