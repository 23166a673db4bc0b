//! A node in memory: blocks that nobody sealed, a plain mempool, and reorganisations at will.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::LazyLock;

use bloom_chain::FeeRate;
use bloom_consensus::reward::reward;
use bloom_consensus::rules::isolation::{check_not_before, check_transaction};
use bloom_consensus::rules::utxo::check_spend;
use bloom_consensus::{
    Amount, Ancestor, Ancestors, Block, BlockHash, Body, Coin, Coinbase, Difficulty, Draft, Height, Outpoint, Output,
    OutputKey, Params, Parent, Seal, Timestamp, Transaction, Txid, signing,
};
use bloom_kernel::Order;
use bloom_wallet::{Node, Place, Waiting};
use secp256k1::{Keypair, schnorr};

pub(crate) static DEV: LazyLock<Params> = LazyLock::new(Params::dev);

/// A chain of 130 blocks whose coinbases pay a stranger, the first of them mature.
static GROWN: LazyLock<MemoryNode> = LazyLock::new(|| {
    let mut node = MemoryNode::genesis();
    for _ in 0..130 {
        node.mine(stranger_key(), &[]);
    }
    node
});

/// What a block spent and what it made.
type Effect = (Vec<(Outpoint, Coin)>, Vec<Outpoint>);

#[derive(Clone)]
pub(crate) struct MemoryNode {
    pub(crate) blocks: Vec<(BlockHash, Block)>,
    effects: Vec<Effect>,
    pub(crate) coins: BTreeMap<Outpoint, Coin>,
    pub(crate) mempool: Vec<Waiting>,
    /// Bodies below this height are gone.
    pub(crate) pruned_below: u64,
    /// Makes blocks of the same height differ.
    salt: u64,
    pub(crate) submitted: Vec<Txid>,
    /// Answers nothing more.
    pub(crate) broken: bool,
    /// Refuses what waits already.
    pub(crate) fussy: bool,
    /// Does not answer for the last block's body.
    pub(crate) stuck: bool,
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum MemoryError {
    #[error("refused: {0}")]
    Refused(String),
    #[error("broken")]
    Broken,
}

pub(crate) fn stranger() -> Keypair {
    Keypair::from_secret_bytes([7; 32]).unwrap()
}

pub(crate) fn key_of(pair: &Keypair) -> OutputKey {
    OutputKey(pair.x_only_public_key().0.to_byte_array())
}

pub(crate) fn stranger_key() -> OutputKey {
    key_of(&stranger())
}

struct Always;

impl Ancestors for Always {
    type Error = Infallible;

    fn at(&self, height: Height) -> Result<Ancestor, Infallible> {
        Ok(Ancestor { timestamp: Timestamp(height.0), difficulty: Difficulty::MIN })
    }
}

impl MemoryNode {
    fn genesis() -> Self {
        let genesis = DEV.genesis.clone();
        Self {
            blocks: vec![(genesis.hash(), genesis)],
            effects: vec![(vec![], vec![])],
            coins: BTreeMap::new(),
            mempool: Vec::new(),
            pruned_below: 0,
            salt: 0,
            submitted: Vec::new(),
            broken: false,
            fussy: false,
            stuck: false,
        }
    }

    pub(crate) fn new() -> Self {
        GROWN.clone()
    }

    pub(crate) fn height(&self) -> u64 {
        self.blocks.len() as u64 - 1
    }

    /// Mines a block that pays a key, with these transactions.
    pub(crate) fn mine(&mut self, key: OutputKey, transactions: &[Transaction]) {
        let height = Height(self.height() + 1);
        let parent = Parent { hash: self.blocks.last().unwrap().0, height: Height(self.height()) };
        self.salt += 1;
        let outputs = vec![Output { amount: reward(height), key }];
        let coinbase = Coinbase::new(height, self.salt.to_le_bytes().to_vec(), outputs).unwrap();
        let time = Timestamp(1_000_000 + height.0);
        let Ok(draft) = Draft::child(&DEV, &parent, &Always, time, coinbase, transactions.to_vec());
        let seal =
            Seal { extra_nonce: 0, nonce: 3, bloom_end: 9, order: Order { cos: 0, sin: 0 }, certificate_hash: [0; 32] };
        let block = draft.seal(seal);
        let (mut spent, mut created) = (Vec::new(), Vec::new());
        for transaction in transactions {
            for input in transaction.body().inputs() {
                spent.push((*input, self.coins.remove(input).expect("a block of the tests spends what there is")));
            }
            self.create(transaction.txid(), transaction.body().outputs(), height, false, &mut created);
        }
        self.create(block.coinbase.id(), block.coinbase.outputs(), height, true, &mut created);
        self.blocks.push((block.hash(), block));
        self.effects.push((spent, created));
        self.revalidate();
    }

    fn create(
        &mut self,
        txid: Txid,
        outputs: &[Output],
        height: Height,
        is_coinbase: bool,
        created: &mut Vec<Outpoint>,
    ) {
        for (index, output) in (0..).zip(outputs) {
            let outpoint = Outpoint { txid, index };
            self.coins.insert(outpoint, Coin { output: *output, height, is_coinbase });
            created.push(outpoint);
        }
    }

    /// Mines everything that waits and may.
    pub(crate) fn mine_all(&mut self) {
        let all: Vec<Transaction> = self.mempool.iter().map(|waiting| waiting.transaction.clone()).collect();
        self.mine(stranger_key(), &all);
    }

    /// Takes the last blocks away; their transactions wait again if they can.
    pub(crate) fn disconnect(&mut self, depth: usize) {
        let mut returned = Vec::new();
        for _ in 0..depth {
            let (_, block) = self.blocks.pop().unwrap();
            let (spent, created) = self.effects.pop().unwrap();
            for outpoint in created {
                self.coins.remove(&outpoint);
            }
            let mut of_block = block.transactions.clone();
            of_block.extend(std::mem::take(&mut returned));
            returned = of_block;
            for (outpoint, coin) in spent {
                if coin.height.0 <= self.height() {
                    self.coins.insert(outpoint, coin);
                }
            }
        }
        let waiting = std::mem::take(&mut self.mempool);
        for transaction in returned.into_iter().chain(waiting.into_iter().map(|waiting| waiting.transaction)) {
            let _ = self.admit(&transaction); // whatever cannot come back is gone
        }
    }

    /// Drops a transaction and what stands on it, as a full mempool does.
    pub(crate) fn evict(&mut self, txid: &Txid) {
        self.mempool.retain(|waiting| waiting.transaction.txid() != *txid);
        self.revalidate();
    }

    fn revalidate(&mut self) {
        for waiting in std::mem::take(&mut self.mempool) {
            let _ = self.admit(&waiting.transaction); // what a block spent or holds is gone
        }
    }

    pub(crate) fn waits(&self, txid: &Txid) -> bool {
        self.mempool.iter().any(|waiting| waiting.transaction.txid() == *txid)
    }

    fn find(&self, outpoint: &Outpoint) -> Option<Coin> {
        let waiting = self.mempool.iter().find(|waiting| waiting.transaction.txid() == outpoint.txid);
        let height = Height(self.height() + 1);
        let of_waiting = |waiting: &Waiting| {
            let output = waiting.transaction.body().outputs().get(outpoint.index as usize)?;
            Some(Coin { output: *output, height, is_coinbase: false })
        };
        self.coins.get(outpoint).copied().or_else(|| waiting.and_then(of_waiting))
    }

    pub(crate) fn admit(&mut self, transaction: &Transaction) -> Result<(), String> {
        if self.waits(&transaction.txid()) {
            return Ok(());
        }
        let body = transaction.body();
        let coins: Option<Vec<Coin>> = body.inputs().iter().map(|input| self.find(input)).collect();
        let coins = coins.ok_or("an input is missing")?;
        let next = Height(self.height() + 1);
        check_transaction(transaction).map_err(|error| error.to_string())?;
        check_not_before(transaction, next).map_err(|error| error.to_string())?;
        let fee = check_spend(body, next, &coins).map_err(|error| error.to_string())?;
        let outputs: Vec<Output> = coins.iter().map(|coin| coin.output).collect();
        signing::check_signatures(&DEV.network_id, transaction, &outputs).map_err(|error| error.to_string())?;
        if FeeRate::of(fee, transaction.encoded_len()) < FeeRate::per_kilobyte(1_000) {
            return Err("fee rate".to_owned());
        }
        self.replace(transaction, fee)?;
        self.mempool.push(Waiting { transaction: transaction.clone(), fee });
        Ok(())
    }

    /// A replacement pays for all that it removes, for its own bytes, and at a higher rate.
    fn replace(&mut self, transaction: &Transaction, fee: Amount) -> Result<(), String> {
        let inputs = transaction.body().inputs();
        let spends = |waiting: &Waiting, outpoint: &Outpoint| waiting.transaction.body().inputs().contains(outpoint);
        let mut leaving: Vec<Txid> = Vec::new();
        let (mut fees, rate) = (0, FeeRate::of(fee, transaction.encoded_len()));
        for waiting in &self.mempool {
            let direct = inputs.iter().any(|input| spends(waiting, input));
            let stands = waiting.transaction.body().inputs().iter().any(|input| leaving.contains(&input.txid));
            if direct || stands {
                leaving.push(waiting.transaction.txid());
                fees += waiting.fee.units();
            }
            if direct && rate <= FeeRate::of(waiting.fee, waiting.transaction.encoded_len()) {
                return Err("replacement rate".to_owned());
            }
        }
        if leaving.is_empty() {
            return Ok(());
        }
        if fee.units() < fees + transaction.encoded_len() as u64 {
            return Err("replacement fee".to_owned());
        }
        if inputs.iter().any(|input| leaving.contains(&input.txid)) {
            return Err("spends what it replaces".to_owned());
        }
        self.mempool.retain(|waiting| !leaving.contains(&waiting.transaction.txid()));
        Ok(())
    }

    /// A mature coin of the stranger's that nothing spends.
    pub(crate) fn stranger_coin(&self, nth: usize) -> Option<(Outpoint, Coin)> {
        let next = Height(self.height() + 1);
        let is_free = |outpoint: &Outpoint| {
            !self.mempool.iter().any(|waiting| waiting.transaction.body().inputs().contains(outpoint))
        };
        let mature = |coin: &Coin| !coin.is_coinbase || coin.height.0 + 123 <= next.0;
        let mut free = self
            .coins
            .iter()
            .filter(|(outpoint, coin)| coin.output.key == stranger_key() && mature(coin) && is_free(outpoint));
        free.nth(nth).map(|(outpoint, coin)| (*outpoint, *coin))
    }

    /// The stranger pays from a coin, with the rest to themselves less a fee.
    pub(crate) fn stranger_pays(from: (Outpoint, Coin), to: &[(OutputKey, u64)], fee: u64) -> Transaction {
        let (outpoint, coin) = from;
        let paid: u64 = to.iter().map(|(_, units)| units).sum();
        let mut outputs: Vec<Output> =
            to.iter().map(|(key, units)| Output { amount: Amount::from_units(*units), key: *key }).collect();
        let rest = coin.output.amount.units().checked_sub(paid + fee).unwrap();
        if rest > 0 {
            outputs.push(Output { amount: Amount::from_units(rest), key: stranger_key() });
        }
        let body = Body::new(Height(0), vec![outpoint], outputs).unwrap();
        let common = signing::common(&DEV.network_id, &body, &[coin.output]).unwrap();
        let signature = schnorr::sign_no_aux_rand(&signing::digest(&common, 0), &stranger());
        Transaction::new(body, vec![signature.to_byte_array()]).unwrap()
    }

    /// The stranger pays a key; the payment waits.
    pub(crate) fn fund(&mut self, key: OutputKey, units: u64) -> Transaction {
        let coin =
            (0..).map_while(|nth| self.stranger_coin(nth)).find(|(_, coin)| coin.output.amount.units() > units + 1_000);
        let transaction = Self::stranger_pays(coin.unwrap(), &[(key, units)], 1_000);
        self.admit(&transaction).unwrap();
        transaction
    }
}

impl Node for MemoryNode {
    type Error = MemoryError;

    fn params(&self) -> &Params {
        &DEV
    }

    fn tip(&self) -> Result<Place, MemoryError> {
        let (hash, _) = self.blocks.last().unwrap();
        if self.broken { Err(MemoryError::Broken) } else { Ok(Place { hash: *hash, height: Height(self.height()) }) }
    }

    fn hash_at(&self, height: Height) -> Result<Option<BlockHash>, MemoryError> {
        Ok(self.blocks.get(usize::try_from(height.0).unwrap()).map(|(hash, _)| *hash))
    }

    fn block(&self, hash: &BlockHash) -> Result<Option<Block>, MemoryError> {
        if self.stuck && self.blocks.last().is_some_and(|(last, _)| last == hash) {
            return Err(MemoryError::Broken);
        }
        let found = self.blocks.iter().rfind(|(known, _)| known == hash).map(|(_, block)| block.clone());
        Ok(found.filter(|block| block.header.template.height.0 >= self.pruned_below))
    }

    fn coins_of(&self, key: &OutputKey) -> Result<Vec<(Outpoint, Coin)>, MemoryError> {
        let owned = self.coins.iter().filter(|(_, coin)| coin.output.key == *key);
        Ok(owned.map(|(outpoint, coin)| (*outpoint, *coin)).collect())
    }

    fn waiting(&self) -> Result<Vec<Waiting>, MemoryError> {
        Ok(self.mempool.clone())
    }

    fn fee_rate(&self, _blocks: u32) -> Result<FeeRate, MemoryError> {
        Ok(FeeRate::per_kilobyte(1_000))
    }

    fn submit(&mut self, transaction: &Transaction) -> Result<Txid, MemoryError> {
        if self.broken {
            return Err(MemoryError::Broken);
        }
        if self.fussy && self.waits(&transaction.txid()) {
            return Err(MemoryError::Refused("known".to_owned()));
        }
        self.admit(transaction).map_err(MemoryError::Refused)?;
        self.submitted.push(transaction.txid());
        Ok(transaction.txid())
    }

    fn is_refusal(error: &MemoryError) -> bool {
        matches!(error, MemoryError::Refused(_))
    }
}
