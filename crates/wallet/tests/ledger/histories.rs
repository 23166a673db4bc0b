//! Random histories of two wallets: payments both ways and from a stranger, replacements, reorganisations with double
//! spends, evictions, crashes. At any moment a wallet knows what its keys own on the chain, and what a wallet restored from
//! the words alone finds.

use std::collections::{BTreeMap, BTreeSet};

use bloom_consensus::{Amount, Height, Outpoint, OutputKey, Transaction};
use bloom_wallet::book::Status;
use bloom_wallet::{Balance, KeyChain, Note, Wallet, WalletError};
use secp256k1::rand::Rng;
use secp256k1::rand::rngs::StdRng;

use crate::keeping::{ALICE, BOB, Disk, Memory, NOW, exactly, fresh, order, rate, rng, update};
use crate::memory_node::{MemoryError, MemoryNode, stranger_key};

struct World {
    node: MemoryNode,
    disks: [Disk; 2],
    wallets: [Wallet<Memory>; 2],
    rng: StdRng,
}

/// As many as BLOOM_HISTORIES says, or a few.
#[test]
fn balance_is_what_a_scan_from_nothing_finds() {
    let histories: u64 = std::env::var("BLOOM_HISTORIES").map_or(40, |text| text.parse().unwrap());
    let mut seen = BTreeSet::new();
    for seed in 0..histories {
        let mut world = World::new(seed);
        for step in 0..14 {
            world.step(&mut seen);
            if step % 5 == 4 {
                world.check(seed);
            }
        }
        world.check(seed);
    }
    let expected =
        ["paid", "refused", "bumped", "cancelled", "gathered", "rescinded", "conflicted", "replaced", "crashed"];
    for what in expected {
        assert!(seen.contains(what), "no history had a transaction {what}");
    }
}

impl World {
    fn new(seed: u64) -> Self {
        let disks = [ALICE, BOB].map(Disk::of);
        let mut node = MemoryNode::new();
        let mut wallets = disks.each_ref().map(Disk::open);
        for wallet in &mut wallets {
            update(wallet, &mut node);
            let key = fresh(wallet);
            node.fund(key, 300_000_000);
        }
        node.mine_all();
        Self { node, disks, wallets, rng: rng(seed) }
    }

    fn step(&mut self, seen: &mut BTreeSet<&'static str>) {
        let who = self.rng.random_range(0..2);
        let mut update_first = |world: &mut Self| {
            for remark in update(&mut world.wallets[who], &mut world.node) {
                if matches!(remark, bloom_wallet::Remark::Rescinded { .. }) {
                    seen.insert("rescinded");
                }
            }
        };
        match self.rng.random_range(0..13) {
            0 | 1 => self.stranger_pays(who),
            2..=4 => {
                update_first(self);
                let done = self.pay(who);
                seen.insert(if done { "paid" } else { "refused" });
            }
            5 => {
                update_first(self);
                let seen_so = self.raise(who);
                seen.extend(seen_so);
            }
            6 => {
                update_first(self);
                seen.extend(self.gather(who));
            }
            7 | 8 => self.mine(),
            9 | 10 => self.reorganise(),
            11 => self.evict(),
            _ => {
                self.wallets[who] = self.disks[who].open();
                seen.insert("crashed");
            }
        }
        for wallet in &self.wallets {
            for record in wallet.book().records().values() {
                match wallet.view().status(&record.txid) {
                    Status::Conflicted { .. } => drop(seen.insert("conflicted")),
                    Status::Replaced { .. } => drop(seen.insert("replaced")),
                    _ => {}
                }
            }
        }
    }

    fn key(&mut self, who: usize) -> OutputKey {
        match self.wallets[who].fresh_key::<MemoryError>() {
            Ok((_, key)) => key,
            Err(WalletError::NoFreshAddress { .. }) => {
                let path = self.wallets[who].watch().path_of(KeyChain::Receive, 0);
                self.wallets[who].watch().key(&path)
            }
            Err(error) => panic!("{error}"),
        }
    }

    fn stranger_pays(&mut self, who: usize) {
        let key = self.key(who);
        let nth = self.rng.random_range(0..4);
        let Some(coin) = self.node.stranger_coin(nth) else { return };
        let units = self.rng.random_range(420..coin.1.output.amount.units() / 2 + 421);
        if coin.1.output.amount.units() > units + 2_000 {
            let transaction = MemoryNode::stranger_pays(coin, &[(key, units)], self.rng.random_range(200..2_000));
            let _ = self.node.admit(&transaction); // a double spend of a reorganisation may be in its way
        }
    }

    fn pay(&mut self, who: usize) -> bool {
        let mut recipients = Vec::new();
        for _ in 0..self.rng.random_range(1..3) {
            let key = if self.rng.random() { self.key(1 - who) } else { stranger_key() };
            recipients.push(exactly(key, self.rng.random_range(420..400_000_000)));
        }
        let mut order = order(&recipients, self.rng.random_range(1..30));
        if self.rng.random_ratio(1, 8) {
            order.not_before = Height(self.node.height() + self.rng.random_range(0..4));
        }
        let seed = self.rng.random();
        let wallet = &mut self.wallets[who];
        let Ok(unsigned) = wallet.prepare(&order, &mut rng(seed)) else { return false };
        let transaction = wallet.sign(&unsigned, &mut rng(seed)).unwrap();
        wallet.record::<MemoryError>(&transaction, Note::default(), NOW).unwrap();
        if self.rng.random_ratio(1, 6) {
            self.wallets[who] = self.disks[who].open(); // the process dies before it sends
            return true;
        }
        wallet.send(&mut self.node, &transaction.txid()).unwrap();
        if self.rng.random_ratio(1, 6) {
            self.wallets[who] = self.disks[who].open(); // or before it says so
        }
        true
    }

    fn raise(&mut self, who: usize) -> Vec<&'static str> {
        let wallet = &mut self.wallets[who];
        let mut records: Vec<_> =
            wallet.book().records().values().filter(|record| record.confirmed.is_none()).collect();
        if records.is_empty() {
            return vec![];
        }
        let txid = records.swap_remove(self.rng.random_range(0..records.len())).txid;
        let (raise, done) = if self.rng.random() {
            (wallet.bump(&txid, None, rate(2)).map(Some), "bumped")
        } else {
            match wallet.cancel::<MemoryError>(&txid, None, rate(2)) {
                Ok(raise) => (Ok(raise), "cancelled"),
                Err(WalletError::Build(error)) => (Err(error), ""),
                Err(error) => panic!("{error}"),
            }
        };
        let Ok(Some(raise)) = raise else { return vec![] };
        let transaction = wallet.sign(&raise.unsigned, &mut self.rng).unwrap();
        wallet.record::<MemoryError>(&transaction, Note { replaces: raise.replaces, ..Note::default() }, NOW).unwrap();
        match wallet.send(&mut self.node, &transaction.txid()) {
            Ok(_) => vec![done],
            Err(WalletError::Refused { .. }) => vec![], // its recipient has spent it on
            Err(error) => panic!("{error}"),
        }
    }

    fn gather(&mut self, who: usize) -> Option<&'static str> {
        let wallet = &mut self.wallets[who];
        let all = wallet.consolidate(rate(1), None).ok()?;
        for unsigned in all {
            let transaction = wallet.sign(&unsigned, &mut self.rng).unwrap();
            wallet.record::<MemoryError>(&transaction, Note::default(), NOW).unwrap();
            wallet.send(&mut self.node, &transaction.txid()).unwrap();
        }
        Some("gathered")
    }

    /// Some of what waits, each after what it spends from.
    fn some_waiting(&mut self) -> Vec<Transaction> {
        let mut left_out = BTreeSet::new();
        let mut some = Vec::new();
        let next = Height(self.node.height() + 1);
        for waiting in &self.node.mempool {
            let body = waiting.transaction.body();
            let stands = body.inputs().iter().any(|input| left_out.contains(&input.txid));
            if stands || body.not_before() > next || self.rng.random_ratio(1, 3) {
                left_out.insert(waiting.transaction.txid());
            } else {
                some.push(waiting.transaction.clone());
            }
        }
        some
    }

    fn mine(&mut self) {
        let transactions = self.some_waiting();
        let payee = match self.rng.random_range(0..4) {
            who @ 0..2 => self.key(who),
            _ => stranger_key(),
        };
        self.node.mine(payee, &transactions);
    }

    /// Another branch, with other blocks, perhaps with a double spend of the stranger's.
    fn reorganise(&mut self) {
        let depth = self.rng.random_range(1..4);
        self.node.disconnect(depth);
        let mut double_spend = Vec::new();
        let of_stranger = self.node.mempool.iter().find_map(|waiting| {
            let input = waiting.transaction.body().inputs()[0];
            let coin = *self.node.coins.get(&input)?;
            (coin.output.key == stranger_key()).then_some((input, coin))
        });
        if self.rng.random()
            && let Some(coin) = of_stranger
        {
            double_spend.push(MemoryNode::stranger_pays(coin, &[(stranger_key(), 1_000)], 500));
        }
        self.node.mine(stranger_key(), &double_spend);
        for _ in 0..depth {
            self.mine();
        }
    }

    fn evict(&mut self) {
        if !self.node.mempool.is_empty() {
            let at = self.rng.random_range(0..self.node.mempool.len());
            let txid = self.node.mempool[at].transaction.txid();
            self.node.evict(&txid);
        }
    }

    fn check(&mut self, seed: u64) {
        for who in 0..2 {
            update(&mut self.wallets[who], &mut self.node);
            let wallet = &self.wallets[who];
            let mut restored = self.disks[who].restored().open();
            update(&mut restored, &mut self.node);
            assert_eq!(confirmed(&restored), self.owned(wallet), "seed {seed}: a scan finds all that there is");
            let own_spends_recorded = |status: Status| status == Status::Recorded;
            let records = wallet.book().records();
            let is_recorded = records.keys().any(|txid| own_spends_recorded(wallet.view().status(txid)));
            if is_recorded {
                continue; // what no node has, only its maker knows of
            }
            assert_eq!(confirmed(wallet), confirmed(&restored), "seed {seed}");
            let balances = [wallet, &restored].map(|wallet| Balance { reserved: Amount::ZERO, ..wallet.balance() });
            assert_eq!(balances[0], balances[1], "seed {seed}");
            assert_eq!(wallet.coins().len(), restored.coins().len(), "seed {seed}");
        }
    }

    /// What the wallet's keys own on the chain and nothing that waits spends, found without any scan.
    fn owned(&self, wallet: &Wallet<Memory>) -> BTreeMap<Outpoint, Amount> {
        let keys: BTreeSet<OutputKey> = KeyChain::ALL
            .into_iter()
            .flat_map(|chain| (0..60).map(move |index| (chain, index)))
            .map(|(chain, index)| wallet.watch().key(&wallet.watch().path_of(chain, index)))
            .collect();
        let is_spent = |outpoint: &Outpoint| {
            self.node.mempool.iter().any(|waiting| waiting.transaction.body().inputs().contains(outpoint))
        };
        let coins =
            self.node.coins.iter().filter(|(outpoint, coin)| keys.contains(&coin.output.key) && !is_spent(outpoint));
        coins.map(|(outpoint, coin)| (*outpoint, coin.output.amount)).collect()
    }
}

fn confirmed(wallet: &Wallet<Memory>) -> BTreeMap<Outpoint, Amount> {
    let coins = wallet.coins().into_iter().filter(|coin| coin.height.is_some());
    coins.map(|coin| (coin.outpoint, coin.amount)).collect()
}
