//! The command line of `bloom wallet`.

use std::path::PathBuf;

use bloom_consensus::Amount;
use bloom_wallet::WalletName;
use clap::{Args, Subcommand, value_parser};

use super::Place;
use super::spending::{
    AddressArgs, ConsolidateArgs, HistoryArgs, LabelArgs, PayArgs, PrepareArgs, RaiseArgs, SweepArgs,
};

#[derive(Debug, Args)]
pub(crate) struct WalletArgs {
    #[command(flatten)]
    pub(crate) place: Place,
    /// Which wallet
    #[arg(long, global = true, default_value = "default", value_name = "NAME", env = "BLOOM_WALLET")]
    pub(crate) wallet: WalletName,
    /// Read the password from the first line of this file [default: asked for]
    #[arg(long, global = true, value_name = "FILE", conflicts_with = "password_fd")]
    pub(crate) password_file: Option<PathBuf>,
    /// Read the password from the first line of this open descriptor
    #[arg(long, global = true, value_name = "N")]
    pub(crate) password_fd: Option<u32>,
    /// Print JSON
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) command: WalletCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum WalletCommand {
    /// Make a wallet and show its words, once
    Create(CreateArgs),
    /// Make a wallet from words written down earlier
    Restore(RestoreArgs),
    /// Name the wallets there are
    List,
    /// Change the password
    Password(PasswordArgs),
    /// Show the words again, or the key to watch with
    Backup(BackupArgs),
    /// Give an address to be paid at
    Address(AddressArgs),
    /// Say how much there is
    Balance,
    /// List what was received and paid, the latest last
    History(HistoryArgs),
    /// List what is unspent
    Coins,
    /// Label an address
    Label(LabelArgs),
    /// Pay one or several addresses
    Pay(PayArgs),
    /// Raise the fee of what waits
    Bump(RaiseArgs),
    /// Take a payment back that waits
    Cancel(RaiseArgs),
    /// Gather many small coins into few
    Consolidate(ConsolidateArgs),
    /// Bring the coins of a miner's own key into the wallet
    Sweep(SweepArgs),
    /// Sign a text with the key of an address
    SignMessage(SignMessageArgs),
    /// Check who signed a text
    VerifyMessage(VerifyMessageArgs),
    /// Write a payment request
    Uri(UriArgs),
    /// Write a payment to a file, to be signed elsewhere
    Prepare(PrepareArgs),
    /// Sign the payment in a file, after showing it; needs no chain
    Sign(SignArgs),
    /// Bring together what several machines have signed
    Combine(CombineArgs),
    /// Send the payment in a file that all have signed
    Submit(SubmitArgs),
}

/// A passphrase makes another wallet of the same words.
#[derive(Debug, Args)]
pub(crate) struct PassphraseArgs {
    /// Ask for a passphrase to go with the words
    #[arg(long, conflicts_with_all = ["passphrase_file", "passphrase_fd"])]
    pub(crate) passphrase: bool,
    /// Read the passphrase from the first line of this file
    #[arg(long, value_name = "FILE", conflicts_with = "passphrase_fd")]
    pub(crate) passphrase_file: Option<PathBuf>,
    /// Read the passphrase from the first line of this open descriptor
    #[arg(long, value_name = "N")]
    pub(crate) passphrase_fd: Option<u32>,
}

#[derive(Debug, Args)]
pub(crate) struct CreateArgs {
    /// How many words: 12 or 24
    #[arg(long, value_name = "N", default_value = "12", value_parser = ["12", "24"])]
    pub(crate) words: String,
    #[command(flatten)]
    pub(crate) passphrase: PassphraseArgs,
    /// Only watch this account's addresses: no words, nothing to spend with
    #[arg(long, value_name = "XPUB", conflicts_with_all = ["words", "passphrase", "passphrase_file", "passphrase_fd", "account"])]
    pub(crate) watch: Option<String>,
    /// No block below this height pays it [default: 100 blocks before the tip; with --watch 0]
    #[arg(long, value_name = "HEIGHT")]
    pub(crate) birthday: Option<u64>,
    /// Which account of the words
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = account())]
    pub(crate) account: u32,
}

#[derive(Debug, Args)]
pub(crate) struct RestoreArgs {
    /// Read the words from this file [default: asked for]
    #[arg(long, value_name = "FILE", conflicts_with = "words_fd")]
    pub(crate) words_file: Option<PathBuf>,
    /// Read the words from the first line of this open descriptor
    #[arg(long, value_name = "N")]
    pub(crate) words_fd: Option<u32>,
    #[command(flatten)]
    pub(crate) passphrase: PassphraseArgs,
    /// No block below this height pays it
    #[arg(long, value_name = "HEIGHT", default_value_t = 0)]
    pub(crate) birthday: u64,
    /// Which account of the words
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = account())]
    pub(crate) account: u32,
}

#[derive(Debug, Args)]
pub(crate) struct PasswordArgs {
    /// Read the new password from the first line of this file [default: asked for]
    #[arg(long, value_name = "FILE", conflicts_with = "new_password_fd")]
    pub(crate) new_password_file: Option<PathBuf>,
    /// Read the new password from the first line of this open descriptor
    #[arg(long, value_name = "N")]
    pub(crate) new_password_fd: Option<u32>,
}

#[derive(Debug, Args)]
pub(crate) struct BackupArgs {
    /// Show the account's public key, which watches and cannot spend, and no words
    #[arg(long)]
    pub(crate) xpub: bool,
}

/// What is signed.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct MessageArgs {
    /// The text
    #[arg(value_name = "TEXT")]
    pub(crate) text: Option<String>,
    /// A file in place of a text
    #[arg(long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct SignMessageArgs {
    /// An address of this wallet
    #[arg(value_name = "ADDRESS")]
    pub(crate) address: String,
    #[command(flatten)]
    pub(crate) message: MessageArgs,
}

#[derive(Debug, Args)]
pub(crate) struct VerifyMessageArgs {
    /// Who is said to have signed
    #[arg(value_name = "ADDRESS")]
    pub(crate) address: String,
    /// The signature, 128 hexadecimal digits
    #[arg(value_name = "SIGNATURE")]
    pub(crate) signature: String,
    #[command(flatten)]
    pub(crate) message: MessageArgs,
}

#[derive(Debug, Args)]
pub(crate) struct UriArgs {
    /// Whom to pay
    #[arg(value_name = "ADDRESS")]
    pub(crate) address: String,
    /// How much, in BLOOM
    #[arg(long, value_name = "AMOUNT")]
    pub(crate) amount: Option<Amount>,
    /// Who asks for it
    #[arg(long, value_name = "TEXT")]
    pub(crate) label: Option<String>,
    /// What for
    #[arg(long, value_name = "TEXT")]
    pub(crate) message: Option<String>,
    /// The first height at which the payment may be in a block
    #[arg(long, value_name = "HEIGHT")]
    pub(crate) not_before: Option<u64>,
    /// Draw it as a QR code too
    #[arg(long)]
    pub(crate) qr: bool,
}

#[derive(Debug, Args)]
pub(crate) struct SignArgs {
    /// The payment, as `prepare` wrote it; it is replaced by the signed one
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Sign without asking
    #[arg(long)]
    pub(crate) yes: bool,
    /// Sign even if the fee is more than a tenth of what is paid
    #[arg(long)]
    pub(crate) allow_high_fee: bool,
    /// Let the nonces of a shared key outlive a restart of this machine: a disk that is set back is then not noticed
    #[arg(long)]
    pub(crate) across_restarts: bool,
    /// Give up the nonces that this wallet has put into the file, and begin again
    #[arg(long)]
    pub(crate) start_over: bool,
}

#[derive(Debug, Args)]
pub(crate) struct CombineArgs {
    /// Copies of one payment, each signed by somebody
    #[arg(value_name = "FILE", required = true, num_args = 2..)]
    pub(crate) files: Vec<PathBuf>,
    /// Where to write all of it
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct SubmitArgs {
    /// The payment, signed by all
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
}

fn account() -> clap::builder::RangedI64ValueParser<u32> {
    value_parser!(u32).range(0..i64::from(bloom_wallet::sign::COSIGNER_ACCOUNTS))
}
