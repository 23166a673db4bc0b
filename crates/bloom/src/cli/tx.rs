//! `bloom tx`: transactions by themselves, and proofs that they are in a block.

use std::path::PathBuf;

use clap::{Args, Subcommand, value_parser};

use super::Place;

#[derive(Debug, Args)]
pub(crate) struct TxArgs {
    #[command(flatten)]
    pub(crate) place: Place,
    /// Print JSON
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) action: TxAction,
}

#[derive(Debug, Subcommand)]
pub(crate) enum TxAction {
    /// Print what a transaction says
    Decode {
        /// The transaction in hexadecimal digits, or a file that holds them or the bytes themselves
        #[arg(value_name = "FILE|HEX")]
        transaction: String,
    },
    /// Hand a signed transaction to the node that runs in the data directory
    Send {
        /// The transaction in hexadecimal digits, a file that holds them or the bytes, or a payment file that all have signed
        #[arg(value_name = "FILE|HEX")]
        transaction: String,
    },
    /// Prove that a transaction or a coinbase is on the chain, to somebody who has none
    Prove {
        /// Its id
        #[arg(value_name = "TXID")]
        txid: String,
        /// Where to write the proof, which must not exist [default: stdout]
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        /// The height of its block, which spares the search
        #[arg(long, value_name = "HEIGHT")]
        height: Option<u64>,
        /// How many blocks to prove, its own included, or as many as there are
        #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = value_parser!(u64).range(1..=10_000))]
        confirmations: u64,
    },
    /// Check a proof; no chain is needed or looked at
    Verify {
        /// What `bloom tx prove` wrote
        #[arg(value_name = "PROOF")]
        proof: PathBuf,
    },
}
