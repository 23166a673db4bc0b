//! `bloom`: BloomCoin in one program. A node, a miner, a wallet, and what looks at a chain.
//!
//! This crate parses, prints and chooses exit codes; what it prints is computed by the crates below it.

mod cli;
mod commands;
mod context;
mod key;
mod live;
mod output;
mod portrait;
mod secret_input;
mod vectors;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::{Cli, Command};
use crate::output::Failure;

fn main() -> ExitCode {
    #[cfg(feature = "failpoints")]
    bloom_chain::failpoints::setup();
    let cli = Cli::parse();
    let done = match &cli.command {
        Command::Node(args) => commands::node::run(args),
        Command::Peers(args) => commands::peers::run(args),
        Command::Mine(args) => commands::mine::run(args),
        Command::Verify(args) => commands::verify::run(args),
        Command::Chain(args) => commands::chain::run(args),
        Command::Wallet(args) => commands::wallet::run(args),
        Command::Tx(args) => commands::tx::run(args),
        Command::Mempool(args) => commands::mempool::run(args),
        Command::Bench(args) => commands::bench::run(args),
        Command::Vectors(args) => commands::vectors::run(args),
        Command::Attempt(args) => commands::attempt::run(args),
        Command::Estimate(args) => commands::estimate::run(args),
        Command::Lab(args) => commands::lab::run(args),
        Command::Genesis(args) => commands::genesis::run(args),
        Command::Completions(args) => commands::shell::completions(args),
        Command::Man(args) => commands::shell::man(args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => Failure::from_error(&error).report(&error),
    }
}
