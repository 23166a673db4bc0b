//! Signatures of the wallet's own keys, and a last look by the law before anything leaves.

use bloom_consensus::rules::isolation::check_transaction;
use bloom_consensus::rules::utxo::check_spend;
use bloom_consensus::{Coin, Height, NetworkId, Output, Transaction, signing};
use secp256k1::rand::{CryptoRng, Rng};
use secp256k1::schnorr;

use crate::Seed;
use crate::build::Unsigned;
use crate::error::BuildError;

impl Unsigned {
    /// Signs every input. `tip` is the tip's height.
    ///
    /// # Errors
    /// [`BuildError::Rule`] if the law would refuse it.
    pub fn sign(
        &self,
        network: &NetworkId,
        seed: &Seed,
        tip: Height,
        rng: &mut (impl Rng + CryptoRng),
    ) -> Result<Transaction, BuildError> {
        let outputs: Vec<Output> = self.spent.iter().map(|spent| spent.coin.output).collect();
        let common = signing::common(network, &self.body, &outputs)?;
        let mut signatures = Vec::with_capacity(self.spent.len());
        for (position, spent) in (0..).zip(&self.spent) {
            let mut keypair = seed.keypair(&spent.path);
            let signature = schnorr::sign_with_rng(&signing::digest(&common, position), &keypair, rng);
            keypair.non_secure_erase();
            signatures.push(signature.to_byte_array());
        }
        let transaction = Transaction::new(self.body.clone(), signatures)?;
        self.check(network, &transaction, tip)?;
        Ok(transaction)
    }

    /// Judges a signed transaction as the next block that may hold it would.
    ///
    /// # Errors
    /// [`BuildError::Rule`].
    pub fn check(&self, network: &NetworkId, transaction: &Transaction, tip: Height) -> Result<(), BuildError> {
        let coins: Vec<Coin> = self.spent.iter().map(|spent| spent.coin).collect();
        let outputs: Vec<Output> = coins.iter().map(|coin| coin.output).collect();
        let height = Height(tip.0.saturating_add(1)).max(self.body.not_before());
        check_transaction(transaction)?;
        check_spend(transaction.body(), height, &coins)?;
        signing::check_signatures(network, transaction, &outputs)?;
        Ok(())
    }
}
