//! Payments before they are signed: which coins they spend, what they pay, what comes back.

use std::collections::BTreeMap;

use bloom_chain::FeeRate;
use bloom_chain::mempool::policy::MIN_RELAY_RATE;
use bloom_consensus::{Amount, Body, Coin, Height, Outpoint, Output, OutputKey};
use secp256k1::rand::Rng;

use crate::book::{Book, OwnCoin, View};
use crate::error::BuildError;
use crate::select::{Candidate, Target, select};
use crate::size::{DUST, INPUT_BYTES, most_inputs, transaction_bytes};
use crate::watch::Watch;
use crate::{KeyChain, KeyPath};

/// Whom to pay how much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recipient {
    /// The key of the address.
    pub key: OutputKey,
    /// How much.
    pub share: Share,
}

/// How much a recipient gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Share {
    /// This.
    Exactly(Amount),
    /// All that is there but the fee and the others' shares.
    Rest,
}

/// A payment as it is asked for.
#[derive(Clone, Debug)]
pub struct Order {
    /// At least one, at most one of them for the rest.
    pub recipients: Vec<Recipient>,
    /// What it pays for its bytes.
    pub rate: FeeRate,
    /// The first height at which a block may hold it.
    pub not_before: Height,
    /// Whether a fee that looks like a slip is meant.
    pub allow_high_fee: bool,
}

/// A coin that a transaction spends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spent {
    /// Where it is.
    pub outpoint: Outpoint,
    /// What it holds, and from which height on it may be spent.
    pub coin: Coin,
    /// Whose key.
    pub path: KeyPath,
}

/// A transaction without signatures, and what its signers must know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsigned {
    /// All of it but the signatures.
    pub body: Body,
    /// What it spends, one for each input in their order.
    pub spent: Vec<Spent>,
    /// Which of its outputs is change.
    pub change: Option<u32>,
    /// Inputs less outputs.
    pub fee: Amount,
}

impl Unsigned {
    /// Bytes of the signed transaction.
    #[must_use]
    pub fn bytes(&self) -> usize {
        transaction_bytes(self.body.inputs().len(), self.body.outputs().len())
    }

    /// What it pays for its bytes.
    #[must_use]
    pub fn rate(&self) -> FeeRate {
        FeeRate::of(self.fee, self.bytes())
    }
}

/// What payments are made from: a book, and all that follows from it at a tip.
#[derive(Clone)]
pub struct Purse<'a> {
    /// The facts.
    pub book: &'a Book,
    /// What follows.
    pub view: &'a View,
    /// The keys.
    pub watch: &'a Watch,
    /// The tip's height.
    pub tip: Height,
    /// Coins that are spoken for by payments on their way to be signed, and the height at which each is free again.
    pub reserved: BTreeMap<Outpoint, Height>,
}

impl Purse<'_> {
    /// Builds a payment. Confirmed coins are spent first, then change of the wallet's own that waits.
    ///
    /// # Errors
    /// [`BuildError`].
    pub fn pay(&self, order: &Order, rng: &mut impl Rng) -> Result<Unsigned, BuildError> {
        let paid = check_order(order)?;
        let unsigned = if order.recipients.iter().any(|recipient| recipient.share == Share::Rest) {
            self.pay_rest(order, paid)?
        } else {
            self.pay_exactly(order, paid, rng)?
        };
        if !order.allow_high_fee {
            check_fee(&unsigned)?;
        }
        Ok(unsigned)
    }

    fn pay_exactly(&self, order: &Order, paid: Amount, rng: &mut impl Rng) -> Result<Unsigned, BuildError> {
        let mut coins = self.confirmed_coins();
        let chosen = match choose(&coins, order, paid, rng) {
            Some(chosen) => chosen,
            None => {
                coins.extend(self.own_change_coins());
                choose(&coins, order, paid, rng).ok_or_else(|| self.too_little(&coins, order, paid))?
            }
        };
        let spent: Vec<Spent> = chosen.positions.iter().map(|&at| self.spent(&coins[at])).collect();
        let mut outputs = exact_outputs(order);
        let mut change = None;
        if !chosen.changeless
            && let Some(amount) =
                left_over(&spent, paid, order.rate, outputs.len() + 1).filter(|amount| *amount >= DUST)
        {
            // Where change stands tells nothing.
            let at = rng.random_range(0..=outputs.len());
            outputs.insert(at, self.change_output(amount, 0));
            change = Some(at as u32);
        }
        assemble(order.not_before, spent, outputs, change)
    }

    fn pay_rest(&self, order: &Order, paid: Amount) -> Result<Unsigned, BuildError> {
        let mut coins = self.confirmed_coins();
        coins.extend(self.own_change_coins());
        coins.retain(|coin| coin.amount > order.rate.fee(INPUT_BYTES));
        let most = most_inputs(order.recipients.len());
        if coins.len() > most {
            return Err(BuildError::TooManyInputs { most });
        }
        let spent: Vec<Spent> = coins.iter().map(|coin| self.spent(coin)).collect();
        let rest = left_over(&spent, paid, order.rate, order.recipients.len()).filter(|rest| *rest >= DUST);
        let rest = rest.ok_or_else(|| self.too_little(&coins, order, add(paid, DUST)))?;
        let output = |recipient: &Recipient| match recipient.share {
            Share::Exactly(amount) => Output { amount, key: recipient.key },
            Share::Rest => Output { amount: rest, key: recipient.key },
        };
        assemble(order.not_before, spent, order.recipients.iter().map(output).collect(), None)
    }

    /// Gathers small coins: as many transactions as it takes, each with one output to the wallet itself.
    ///
    /// # Errors
    /// [`BuildError::NothingToGather`] with fewer than two coins that are worth their input.
    pub fn consolidate(&self, rate: FeeRate, below: Option<Amount>) -> Result<Vec<Unsigned>, BuildError> {
        check_rate(rate)?;
        let mut coins = self.confirmed_coins();
        coins.retain(|coin| coin.amount > rate.fee(INPUT_BYTES) && below.is_none_or(|below| coin.amount < below));
        coins.sort_by_key(|coin| coin.amount);
        let mut all = Vec::new();
        for coins in coins.chunks(most_inputs(1)).filter(|coins| coins.len() > 1) {
            let spent: Vec<Spent> = coins.iter().map(|coin| self.spent(coin)).collect();
            if let Some(amount) = left_over(&spent, Amount::ZERO, rate, 1).filter(|amount| *amount >= DUST) {
                let output = self.change_output(amount, all.len() as u32);
                all.push(assemble(Height(0), spent, vec![output], Some(0))?);
            }
        }
        if all.is_empty() { Err(BuildError::NothingToGather) } else { Ok(all) }
    }

    /// Confirmed coins that the next block may spend.
    pub(crate) fn confirmed_coins(&self) -> Vec<OwnCoin> {
        self.free_coins().filter(|coin| coin.is_spendable(self.tip)).copied().collect()
    }

    /// Coins that are spoken for by nothing.
    fn free_coins(&self) -> impl Iterator<Item = &OwnCoin> {
        self.view.coins().filter(|coin| !self.reserved.contains_key(&coin.outpoint))
    }

    /// How much could be spent but for what it is reserved for, and the height at which all of it is free again.
    pub(crate) fn reserved(&self) -> Option<(Amount, Height)> {
        let could_be = |coin: &&OwnCoin| coin.is_spendable(self.tip) || coin.own_pending;
        let coins = self.view.coins().filter(could_be);
        let reserved = coins.filter_map(|coin| Some((coin.amount, *self.reserved.get(&coin.outpoint)?)));
        reserved.reduce(|(amount, until), (more, later)| (add(amount, more), until.max(later)))
    }

    /// Change of the wallet's own transactions that wait in the mempool.
    fn own_change_coins(&self) -> impl Iterator<Item = OwnCoin> {
        self.free_coins().filter(|coin| coin.own_pending).copied()
    }

    pub(crate) fn spent(&self, coin: &OwnCoin) -> Spent {
        let output = Output { amount: coin.amount, key: self.watch.key(&coin.path) };
        // What waits is spent in the next block at the earliest.
        let height = coin.height.unwrap_or(Height(self.tip.0.saturating_add(1)));
        Spent { outpoint: coin.outpoint, coin: Coin { output, height, is_coinbase: coin.coinbase }, path: coin.path }
    }

    /// Change to a key of the wallet's own, the next or one `ahead` of it.
    pub(crate) fn change_output(&self, amount: Amount, ahead: u32) -> Output {
        let path = self.watch.path_of(KeyChain::Change, self.book.change_index(ahead));
        Output { amount, key: self.watch.key(&path) }
    }

    fn too_little(&self, coins: &[OwnCoin], order: &Order, paid: Amount) -> BuildError {
        let most = most_inputs(order.recipients.len());
        let available = sum(coins.iter().map(|coin| coin.amount));
        let fee = order.rate.fee(transaction_bytes(coins.len().min(most), order.recipients.len()));
        let needed = add(paid, fee);
        if coins.len() > most && available >= needed {
            return BuildError::TooManyInputs { most };
        }
        self.insufficient(available, needed)
    }

    pub(crate) fn insufficient(&self, available: Amount, needed: Amount) -> BuildError {
        let immature = self.view.coins().filter(|coin| coin.height.is_some() && !coin.is_spendable(self.tip));
        let pending = self.view.coins().filter(|coin| coin.height.is_none() && !coin.own_pending);
        BuildError::Insufficient {
            available,
            needed,
            missing: needed.checked_sub(available).unwrap_or(Amount::ZERO),
            immature: sum(immature.map(|coin| coin.amount)),
            pending: sum(pending.map(|coin| coin.amount)),
            reserved: self.reserved(),
        }
    }
}

struct Chosen {
    positions: Vec<usize>,
    changeless: bool,
}

fn choose(coins: &[OwnCoin], order: &Order, paid: Amount, rng: &mut impl Rng) -> Option<Chosen> {
    let rate = order.rate;
    let outputs = order.recipients.len();
    let input_fee = rate.fee(INPUT_BYTES);
    let worth = |(at, coin): (usize, &OwnCoin)| {
        let effective = coin.amount.checked_sub(input_fee)?.units();
        (effective > 0).then_some((at, Candidate { effective }))
    };
    let (positions, candidates): (Vec<usize>, Vec<Candidate>) = coins.iter().enumerate().filter_map(worth).unzip();
    let output_bytes = transaction_bytes(0, 1) - transaction_bytes(0, 0);
    let target = Target {
        needed: paid.checked_add(rate.fee(transaction_bytes(0, outputs)))?.units(),
        cost_of_change: rate.fee(output_bytes + INPUT_BYTES).units(),
        least_change: rate.fee(output_bytes).checked_add(DUST)?.units(),
        most_inputs: most_inputs(outputs + 1),
    };
    let selection = select(&candidates, &target, rng)?;
    let positions = selection.chosen.into_iter().map(|at| positions[at]).collect();
    Some(Chosen { positions, changeless: selection.changeless })
}

fn check_order(order: &Order) -> Result<Amount, BuildError> {
    check_rate(order.rate)?;
    if order.recipients.is_empty() {
        return Err(BuildError::NoRecipient);
    }
    if order.recipients.iter().filter(|recipient| recipient.share == Share::Rest).count() > 1 {
        return Err(BuildError::SeveralRests);
    }
    let outputs = order.recipients.len();
    if most_inputs(outputs + 1) == 0 {
        return Err(BuildError::TooManyRecipients { got: outputs });
    }
    let exact = exact_outputs(order);
    if let Some(dust) = exact.iter().find(|output| output.amount < DUST) {
        return Err(BuildError::Dust { got: dust.amount });
    }
    Amount::checked_sum(exact.iter().map(|output| output.amount)).ok_or(BuildError::AmountSum)
}

pub(crate) fn check_rate(rate: FeeRate) -> Result<(), BuildError> {
    if rate < MIN_RELAY_RATE {
        return Err(BuildError::RateTooLow { got: rate, least: MIN_RELAY_RATE });
    }
    Ok(())
}

/// A fee above this that is more than a tenth of what is paid is asked about again.
const HIGH_FEE: Amount = Amount::from_units(100_000);

/// Whether a fee looks meant: no more than a tenth of what is paid, or little.
///
/// # Errors
/// [`BuildError::HighFee`].
pub fn check_fee(unsigned: &Unsigned) -> Result<(), BuildError> {
    let outputs = (0..).zip(unsigned.body.outputs()).filter(|(at, _)| Some(*at) != unsigned.change);
    let paid = sum(outputs.map(|(_, output)| output.amount));
    // A transaction to oneself alone pays what comes back.
    let paid =
        if paid == Amount::ZERO { sum(unsigned.body.outputs().iter().map(|output| output.amount)) } else { paid };
    check_fee_for(unsigned.fee, paid)
}

/// The same of a fee and what it is paid for.
pub(crate) fn check_fee_for(fee: Amount, paid: Amount) -> Result<(), BuildError> {
    if fee_is_high(fee, paid) {
        return Err(BuildError::HighFee { fee, paid });
    }
    Ok(())
}

pub(crate) fn fee_is_high(fee: Amount, paid: Amount) -> bool {
    fee > HIGH_FEE && fee.units() > paid.units() / 10
}

fn exact_outputs(order: &Order) -> Vec<Output> {
    let exact = |recipient: &Recipient| match recipient.share {
        Share::Exactly(amount) => Some(Output { amount, key: recipient.key }),
        Share::Rest => None,
    };
    order.recipients.iter().filter_map(exact).collect()
}

/// What is left of the coins after what is paid and the fee of so many outputs.
pub(crate) fn left_over(spent: &[Spent], paid: Amount, rate: FeeRate, outputs: usize) -> Option<Amount> {
    let fee = rate.fee(transaction_bytes(spent.len(), outputs));
    Amount::checked_sum(spent.iter().map(|spent| spent.coin.output.amount))?.checked_sub(paid)?.checked_sub(fee)
}

/// Puts inputs in order; the fee is what is not paid out.
pub(crate) fn assemble(
    not_before: Height,
    mut spent: Vec<Spent>,
    outputs: Vec<Output>,
    change: Option<u32>,
) -> Result<Unsigned, BuildError> {
    // "Inputs stand in strictly ascending order" (law §7).
    spent.sort_by_key(|spent| spent.outpoint);
    let inputs = Amount::checked_sum(spent.iter().map(|spent| spent.coin.output.amount));
    let paid = Amount::checked_sum(outputs.iter().map(|output| output.amount));
    let fee = inputs.zip(paid).and_then(|(inputs, paid)| inputs.checked_sub(paid)).ok_or(BuildError::AmountSum)?;
    let body = Body::new(not_before, spent.iter().map(|spent| spent.outpoint).collect(), outputs)?;
    Ok(Unsigned { body, spent, change, fee })
}

/// Coins of one ledger: their sum is below 2⁶⁴ by the law. What would pass it, a sum of lies, is the most there is.
pub(crate) fn sum(amounts: impl IntoIterator<Item = Amount>) -> Amount {
    amounts.into_iter().fold(Amount::ZERO, add)
}

pub(crate) fn add(a: Amount, b: Amount) -> Amount {
    a.checked_add(b).unwrap_or(Amount::from_units(u64::MAX))
}
