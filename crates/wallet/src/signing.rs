//! Signatures of the wallet's own keys, and a last look by the law before anything leaves.

use bloom_consensus::rules::isolation::check_transaction;
use bloom_consensus::rules::utxo::check_spend;
use bloom_consensus::{Body, Coin, Height, NetworkId, Output, Transaction, signing};
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
        let transaction = sign_inputs(network, &self.body, &outputs, |position, digest| {
            let mut keypair = seed.keypair(&self.spent[position].path);
            let signature = schnorr::sign_with_rng(digest, &keypair, rng);
            keypair.non_secure_erase();
            signature
        })?;
        self.check(network, &transaction, tip)?;
        Ok(transaction)
    }

    /// Judges a signed transaction as the next block that may hold it would.
    ///
    /// # Errors
    /// [`BuildError::Rule`].
    pub fn check(&self, network: &NetworkId, transaction: &Transaction, tip: Height) -> Result<(), BuildError> {
        let coins: Vec<Coin> = self.spent.iter().map(|spent| spent.coin).collect();
        check(network, transaction, &coins, tip)
    }
}

/// A transaction with the signatures that `sign` makes, of an input's position and digest.
pub(crate) fn sign_inputs(
    network: &NetworkId,
    body: &Body,
    spent: &[Output],
    mut sign: impl FnMut(usize, &[u8; 32]) -> schnorr::Signature,
) -> Result<Transaction, BuildError> {
    let common = signing::common(network, body, spent)?;
    let signatures = (0..).zip(0..spent.len()).map(|(input, position)| {
        let digest = signing::digest(&common, input);
        sign(position, &digest).to_byte_array()
    });
    Ok(Transaction::new(body.clone(), signatures.collect())?)
}

/// Judges a signed transaction against the coins that it spends, as the next block that may hold it would.
pub(crate) fn check(
    network: &NetworkId,
    transaction: &Transaction,
    coins: &[Coin],
    tip: Height,
) -> Result<(), BuildError> {
    let body = transaction.body();
    let outputs: Vec<Output> = coins.iter().map(|coin| coin.output).collect();
    let height = Height(tip.0.saturating_add(1)).max(body.not_before());
    check_transaction(transaction)?;
    check_spend(body, height, coins)?;
    signing::check_signatures(network, transaction, &outputs)?;
    Ok(())
}
