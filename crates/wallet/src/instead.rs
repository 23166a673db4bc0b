//! A payment in place of one that was given up and may be signed and sent all the same: both spend a coin, so that one of
//! them alone is ever paid.

use bloom_consensus::constants::OUTPUT_BYTES;
use bloom_consensus::{Height, Outpoint};
use secp256k1::rand::Rng;

use crate::book::OwnCoin;
use crate::build::{Order, Purse, Share, Unsigned, add, assemble};
use crate::error::BuildError;
use crate::size::{DUST, INPUT_BYTES, most_inputs};

impl Purse<'_> {
    /// Builds a payment that spends a coin of `old`'s, if any of those is there to be spent.
    ///
    /// # Errors
    /// [`BuildError`].
    pub fn pay_instead(&self, order: &Order, old: &[Outpoint], rng: &mut impl Rng) -> Result<Unsigned, BuildError> {
        if order.recipients.iter().all(|recipient| recipient.share != Share::Rest) {
            let mut of_old = self.clone();
            let others = self.view.coins().map(|coin| coin.outpoint).filter(|outpoint| !old.contains(outpoint));
            of_old.reserved.extend(others.map(|outpoint| (outpoint, Height(u64::MAX))));
            match of_old.pay(order, rng) {
                Err(BuildError::Insufficient { .. } | BuildError::TooManyInputs { .. }) => {}
                built => return built,
            }
        }
        let built = self.pay(order, rng)?;
        let coins = self.confirmed_coins();
        let largest = coins.iter().filter(|coin| old.contains(&coin.outpoint)).max_by_key(|coin| coin.amount);
        match largest {
            Some(coin) if !built.body.inputs().iter().any(|input| old.contains(input)) => self.with(built, coin, order),
            _ => Ok(built),
        }
    }

    /// The same with one more coin, which comes back as change.
    fn with(&self, built: Unsigned, coin: &OwnCoin, order: &Order) -> Result<Unsigned, BuildError> {
        let (mut outputs, mut change) = (built.body.outputs().to_vec(), built.change);
        let left = coin.amount.checked_sub(order.rate.fee(INPUT_BYTES));
        let left = left.ok_or_else(|| self.insufficient(coin.amount, order.rate.fee(INPUT_BYTES)))?;
        match change.and_then(|at| outputs.get_mut(at as usize)) {
            Some(output) => output.amount = add(output.amount, left),
            None => {
                let amount = left.checked_sub(order.rate.fee(OUTPUT_BYTES)).filter(|amount| *amount >= DUST);
                if let Some(amount) = amount {
                    change = Some(outputs.len() as u32);
                    outputs.push(self.change_output(amount, 0));
                }
            }
        }
        let mut spent = built.spent;
        spent.push(self.spent(coin));
        let most = most_inputs(outputs.len());
        if spent.len() > most {
            return Err(BuildError::TooManyInputs { most });
        }
        assemble(order.not_before, spent, outputs, change)
    }
}
