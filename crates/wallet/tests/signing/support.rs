//! Machines with keys and a directory, and payments for them to sign.

use std::error::Error;
use std::path::PathBuf;

use bloom_consensus::{Amount, Body, Coinbase, Height, Outpoint, Output, OutputKey, Params};
use bloom_wallet::proposal::{Change, Owner, Proposal, Source};
use bloom_wallet::session::{SessionBook, SessionKeeper, Sessions};
use bloom_wallet::shared::Cosigners;
use bloom_wallet::sign::{SignError, Signed, SigningKeys, sign};
use bloom_wallet::{KeyChain, KeyPath, Seed, Words};
use tempfile::TempDir;

pub(crate) fn dev() -> Params {
    Params::by_name("dev").unwrap()
}

pub(crate) fn path(chain: KeyChain, index: u32) -> KeyPath {
    KeyPath { account: 0, chain, index }
}

fn seed(number: u8) -> Seed {
    Seed::from_words(&Words::from_entropy(&[number; 16]).unwrap(), "")
}

/// The key of a wallet's path.
pub(crate) fn key(number: u8, path: &KeyPath) -> OutputKey {
    seed(number).account(path.account).key(path.chain, path.index)
}

type OnKeep = Box<dyn Fn(&SessionBook)>;

/// A wallet file that lives in memory; what was kept is durable, for it survives the machine's `Sessions`.
#[derive(Default)]
pub(crate) struct Wallet {
    pub(crate) book: SessionBook,
    /// Refuses to be written.
    pub(crate) full: bool,
    /// What must hold whenever it is written.
    pub(crate) on_keep: Option<OnKeep>,
}

impl SessionKeeper for Wallet {
    fn sessions(&self) -> &SessionBook {
        &self.book
    }

    fn keep(&mut self, book: SessionBook) -> Result<(), Box<dyn Error + Send + Sync>> {
        if self.full {
            return Err("no space left".into());
        }
        if let Some(on_keep) = &self.on_keep {
            on_keep(&book);
        }
        self.book = book;
        Ok(())
    }
}

pub(crate) struct Machine {
    pub(crate) keys: SigningKeys,
    pub(crate) wallet: Wallet,
    directory: TempDir,
}

impl Machine {
    pub(crate) fn new(number: u8) -> Self {
        let directory = tempfile::tempdir().unwrap();
        Self { keys: SigningKeys::new(seed(number), 0), wallet: Wallet::default(), directory }
    }

    pub(crate) fn nonces(&self) -> PathBuf {
        self.directory.path().join("own.nonces")
    }

    /// The one nonce file there is.
    pub(crate) fn nonce_file(&self) -> Option<PathBuf> {
        let mut files = std::fs::read_dir(self.nonces()).ok()?.map(|entry| entry.unwrap().path());
        let file = files.next();
        assert_eq!(files.next(), None);
        file
    }

    pub(crate) fn sign(&mut self, proposal: &Proposal) -> Result<Signed, SignError> {
        self.sign_with(proposal, false)
    }

    pub(crate) fn sign_with(&mut self, proposal: &Proposal, across_restarts: bool) -> Result<Signed, SignError> {
        let mut sessions = Sessions::new(self.nonces(), &mut self.wallet);
        sign(&dev(), proposal, &self.keys, &mut sessions, across_restarts)
    }
}

pub(crate) fn shared(machines: &[Machine]) -> Cosigners {
    Cosigners::new(machines.iter().map(|machine| machine.keys.cosigner()).collect()).unwrap()
}

pub(crate) fn output(amount: u64, key: OutputKey) -> Output {
    Output { amount: Amount::from_units(amount), key }
}

/// Whatever a proposal is made of.
pub(crate) struct Made {
    pub(crate) outputs: Vec<Output>,
    pub(crate) sources: Vec<Source>,
    pub(crate) owners: Vec<Owner>,
    pub(crate) change: Vec<Change>,
    pub(crate) inputs: Vec<Outpoint>,
    pub(crate) not_before: Height,
}

impl Made {
    /// A payment that spends one coin of each owner, in this order, from coinbases.
    pub(crate) fn new(owners: Vec<(Owner, OutputKey)>, amount: u64) -> Self {
        let coin = |(at, (owner, key)): (u64, (Owner, OutputKey))| {
            let rewards = vec![output(1, key), output(amount, key)];
            (Coinbase::new(Height(at), b"origin".to_vec(), rewards).unwrap(), owner)
        };
        let mut coins: Vec<_> = (1..).zip(owners).map(coin).collect();
        coins.sort_by_key(|(coinbase, _)| coinbase.id());
        Self {
            outputs: vec![output(amount - 1_000, key(99, &path(KeyChain::Receive, 0)))],
            inputs: coins.iter().map(|(coinbase, _)| Outpoint { txid: coinbase.id(), index: 1 }).collect(),
            owners: coins.iter().map(|(_, owner)| owner.clone()).collect(),
            sources: coins.into_iter().map(|(coinbase, _)| Source::Coinbase(coinbase)).collect(),
            change: Vec::new(),
            not_before: Height(0),
        }
    }

    pub(crate) fn proposal(self) -> Result<Proposal, bloom_wallet::proposal::ProposalError> {
        let body = Body::new(self.not_before, self.inputs, self.outputs).unwrap();
        Proposal::new(&dev(), body, self.sources, self.owners, self.change)
    }
}

/// A payment from a key that the machines share, of one coin.
pub(crate) fn shared_payment(machines: &[Machine]) -> Proposal {
    let cosigners = shared(machines);
    let key = cosigners.output_key();
    Made::new(vec![(Owner::Shared(cosigners), key)], 50_000).proposal().unwrap()
}

/// A payment from wallet 1 with change: output 0 to somebody, output 1 back.
pub(crate) fn single_payment() -> Made {
    let from = path(KeyChain::Receive, 4);
    let mut made = Made::new(vec![(Owner::Path(from), key(1, &from))], 50_000);
    let back = path(KeyChain::Change, 2);
    made.outputs = vec![made.outputs[0], output(700, key(1, &back))];
    made.outputs[0].amount = Amount::from_units(49_000);
    made.change = vec![Change { output: 1, owner: Owner::Path(back) }];
    made
}

/// Every machine's signature of the same proposal, combined.
pub(crate) fn all_sign(machines: &mut [Machine], proposal: &Proposal) -> Proposal {
    let copies: Vec<_> = machines.iter_mut().map(|machine| machine.sign(proposal).unwrap().proposal).collect();
    combine(&copies)
}

pub(crate) fn combine(copies: &[Proposal]) -> Proposal {
    copies[1..].iter().fold(copies[0].clone(), |all, copy| all.combine(&dev(), copy).unwrap())
}
