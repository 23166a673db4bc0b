//! The command line of what `bloom wallet` does with coins.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use bloom_chain::FeeRate;
use bloom_consensus::{Amount, Txid};
use clap::Args;

#[derive(Debug, Args)]
pub(crate) struct AddressArgs {
    /// List the addresses given so far, instead of giving another
    #[arg(long, conflicts_with = "label")]
    pub(crate) list: bool,
    /// What it is for, for yourself
    #[arg(long, value_name = "TEXT")]
    pub(crate) label: Option<String>,
    /// Show the key by which this wallet takes part in shared addresses
    #[arg(long, conflicts_with_all = ["list", "label", "shared"])]
    pub(crate) cosigner: bool,
    /// Make an address that this wallet shares with the holders of these cosigner keys: all must sign to spend from it
    #[arg(long, value_name = "KEY", num_args = 1.., conflicts_with_all = ["list", "label"])]
    pub(crate) shared: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct LabelArgs {
    /// An address, your own or another's
    #[arg(value_name = "ADDRESS")]
    pub(crate) address: String,
    /// What to call it; "" takes the label away
    #[arg(value_name = "TEXT")]
    pub(crate) text: String,
}

#[derive(Debug, Args)]
pub(crate) struct HistoryArgs {
    /// How many, from the latest back [default: all]
    #[arg(long, value_name = "N")]
    pub(crate) count: Option<NonZeroUsize>,
}

#[derive(Debug, Args)]
pub(crate) struct PayArgs {
    /// Whom to pay how much, in BLOOM; a payment URI stands for both. With --all one address has no amount
    #[arg(required = true, num_args = 1.., value_name = "ADDRESS AMOUNT|URI", allow_negative_numbers = true)]
    pub(crate) to: Vec<String>,
    /// Pay all that is there, less the fee, to the address without an amount
    #[arg(long)]
    pub(crate) all: bool,
    /// The first height at which the payment may be in a block
    #[arg(long, value_name = "HEIGHT")]
    pub(crate) not_before: Option<u64>,
    /// A name for this payment: asked for again under the same name, it is not made twice
    #[arg(long, value_name = "TEXT")]
    pub(crate) id: Option<String>,
    #[command(flatten)]
    pub(crate) fee: FeeArgs,
}

#[derive(Debug, Args)]
pub(crate) struct PrepareArgs {
    /// Whom to pay how much, in BLOOM; a payment URI stands for both. With --all one address has no amount
    #[arg(required = true, num_args = 1.., value_name = "ADDRESS AMOUNT|URI", allow_negative_numbers = true)]
    pub(crate) to: Vec<String>,
    /// Where to write the payment
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// Give up another prepared payment: this one spends a coin of it, so that only one of them can be paid
    #[arg(long, value_name = "FILE")]
    pub(crate) instead_of: Option<PathBuf>,
    /// Spend from this shared address
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) from: Option<String>,
    /// Pay all that is there, less the fee, to the address without an amount
    #[arg(long)]
    pub(crate) all: bool,
    /// The first height at which the payment may be in a block
    #[arg(long, value_name = "HEIGHT")]
    pub(crate) not_before: Option<u64>,
    /// Units to pay for each byte, at least 1 [default: what should bring it into a block soon]
    #[arg(long, value_name = "RATE")]
    pub(crate) fee_rate: Option<FeeRate>,
    /// Mean a fee of more than a tenth of what is paid
    #[arg(long)]
    pub(crate) allow_high_fee: bool,
}

/// What every command that sends something has.
#[derive(Debug, Args)]
pub(crate) struct FeeArgs {
    /// Units to pay for each byte, at least 1 [default: what should bring it into a block soon]
    #[arg(long, value_name = "RATE")]
    pub(crate) fee_rate: Option<FeeRate>,
    /// Mean a fee of more than a tenth of what is paid
    #[arg(long)]
    pub(crate) allow_high_fee: bool,
    /// Say what would be sent, and send nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Send without asking; needed where there is no terminal to ask on
    #[arg(long, short)]
    pub(crate) yes: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RaiseArgs {
    /// A transaction that waits
    #[arg(value_name = "TXID")]
    pub(crate) txid: Txid,
    #[command(flatten)]
    pub(crate) fee: FeeArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ConsolidateArgs {
    /// Only coins of less than this, in BLOOM
    #[arg(long, value_name = "AMOUNT")]
    pub(crate) below: Option<Amount>,
    #[command(flatten)]
    pub(crate) fee: FeeArgs,
}

#[derive(Debug, Args)]
pub(crate) struct SweepArgs {
    /// The key, as `bloom mine` made it [default: miner.key in the data directory]
    #[arg(value_name = "KEYFILE")]
    pub(crate) file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) fee: FeeArgs,
}
