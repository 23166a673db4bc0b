//! `bloom wallet`: which wallet is meant, its password, and what to do with it.

mod addresses;
mod create;
mod keep;
mod message;
mod pay;
mod prepare;
mod proposal_file;
mod raise;
mod ready;
mod sending;
mod sharing;
mod show;
mod signing;
mod sweep;
mod uri;

use std::fs;
use std::io;
use std::path::PathBuf;

use anyhow::{Context, Result};
use bloom_consensus::{OutputKey, Params, address};
use bloom_wallet::{VaultError, WalletFile};
use rustix::process::{Resource, Rlimit, setrlimit};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::cli::wallet::{WalletArgs, WalletCommand};
use crate::context::usage;
use crate::output::DataError;
use crate::secret_input::Source;

pub(crate) fn run(args: &WalletArgs) -> Result<()> {
    no_core_dumps()?;
    match &args.command {
        WalletCommand::Create(create) => create::create(&Session::new(args)?, create),
        WalletCommand::Restore(restore) => create::restore(&Session::new(args)?, restore),
        WalletCommand::List => keep::list(&Session::new(args)?),
        WalletCommand::Password(password) => keep::password(&Session::new(args)?, password),
        WalletCommand::Backup(backup) => keep::backup(&Session::new(args)?, backup),
        WalletCommand::Address(address) => addresses::address(&Session::new(args)?, address),
        WalletCommand::Balance => show::balance(&Session::new(args)?),
        WalletCommand::History(history) => show::history(&Session::new(args)?, history),
        WalletCommand::Coins => show::coins(&Session::new(args)?),
        WalletCommand::Label(label) => addresses::label(&Session::new(args)?, label),
        WalletCommand::Pay(pay) => pay::run(&Session::new(args)?, pay),
        WalletCommand::Bump(bump) => raise::bump(&Session::new(args)?, bump),
        WalletCommand::Cancel(cancel) => raise::cancel(&Session::new(args)?, cancel),
        WalletCommand::Consolidate(consolidate) => raise::consolidate(&Session::new(args)?, consolidate),
        WalletCommand::Sweep(sweep) => sweep::run(&Session::new(args)?, sweep),
        WalletCommand::SignMessage(sign) => message::sign(&Session::new(args)?, sign),
        WalletCommand::VerifyMessage(verify) => message::verify(args, verify),
        WalletCommand::Prepare(prepare) => prepare::prepare(&Session::new(args)?, prepare),
        WalletCommand::Sign(sign) => signing::sign(&Session::new(args)?, sign),
        WalletCommand::Combine(combine) => signing::combine(&Session::new(args)?, combine),
        WalletCommand::Submit(submit) => prepare::submit(&Session::new(args)?, submit),
        WalletCommand::Uri(uri) => uri::run(args, uri),
    }
}

/// A process that dies with a wallet open leaves no copy of its memory on the disk.
fn no_core_dumps() -> Result<()> {
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    setrlimit(Resource::Core, none).context("this system does not let a program forgo core dumps")
}

/// What a wallet remembers, to the byte, for commands that leave it as it is.
type Untouched = Box<RawValue>;

/// What every command on a wallet begins with.
pub(crate) struct Session<'a> {
    pub(crate) args: &'a WalletArgs,
    pub(crate) params: Params,
    pub(crate) directory: PathBuf,
}

impl<'a> Session<'a> {
    pub(crate) fn new(args: &'a WalletArgs) -> Result<Self> {
        let (params, directory) = args.place.resolve()?;
        Ok(Self { args, params, directory })
    }

    /// The wallet's file, whether or not there is one.
    pub(crate) fn path(&self) -> PathBuf {
        self.args.wallet.path(&self.directory)
    }

    /// Opens the wallet, once its password is known.
    pub(crate) fn open<S: Serialize + DeserializeOwned>(&self) -> Result<WalletFile<S>> {
        let path = self.path();
        if !self.is_there()? {
            return Err(VaultError::Missing { path }.into()); // before anybody is asked for a password
        }
        let password = self.password().read("password", "password")?;
        Ok(WalletFile::open(&path, password.as_bytes(), &self.params.network_id)?)
    }

    pub(crate) fn is_there(&self) -> Result<bool> {
        let path = self.path();
        match fs::symlink_metadata(&path) {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error).with_context(|| DataError(format!("{}: cannot be looked for", path.display()))),
        }
    }

    /// Where the password comes from.
    pub(crate) fn password(&self) -> Source<'a> {
        Source::new(self.args.password_file.as_ref(), self.args.password_fd)
    }

    pub(crate) fn address(&self, key: &OutputKey) -> String {
        address_of(&self.params, key)
    }

    /// The key of an address of this network.
    pub(crate) fn key(&self, address: &str) -> Result<OutputKey> {
        key_of(&self.params, address)
    }
}

fn address_of(params: &Params, key: &OutputKey) -> String {
    address::encode(&params.address_prefix, key).expect("a network's prefix is bech32's")
}

fn key_of(params: &Params, address: &str) -> Result<OutputKey> {
    address::decode(&params.address_prefix, address).map_err(|error| usage(error.to_string()))
}
