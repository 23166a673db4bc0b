//! MuSig2 (BIP-327) for one input: nonces, partial signatures, the signature that they add up to.
//!
//! A secret nonce that signs twice with different nonces of others gives the secret key away. The functions here make
//! nonces again from a seed; [`crate::session`] sees to it that a seed is used once.

use secp256k1::musig::{
    AggregatedNonce, KeyAggCache, PartialSignature, PublicNonce, SecretNonce, Session, SessionSecretRand,
    new_nonce_pair,
};
use secp256k1::{Keypair, PublicKey, SecretKey};
use zeroize::Zeroizing;

use crate::shared::Cosigners;

/// The secret from which the nonces of one session come, one pair for each input. From the system's randomness.
pub(crate) type NonceSeed = Zeroizing<[u8; 32]>;

/// The nonce pair of one input. It depends on everything that it may be used for: a seed that comes back for another
/// message, other cosigners or another key yields other nonces. (What it cannot depend on are the others' nonces.)
pub(crate) fn nonce_pair(
    seed: &NonceSeed,
    input: u32,
    cosigners: &Cosigners,
    keypair: &Keypair,
    digest: &[u8; 32],
) -> (SecretNonce, PublicNonce) {
    let part = |context: &str| {
        let mut hasher = blake3::Hasher::new_derive_key(context);
        hasher.update(&seed[..]).update(&input.to_le_bytes());
        Zeroizing::new(*hasher.finalize().as_bytes())
    };
    let random = part("bloomcoin v1 musig nonce");
    let mut secret = SecretKey::from_keypair(keypair);
    let pair = new_nonce_pair(
        SessionSecretRand::assume_uniformly_random(*random),
        Some(&cosigners.aggregate()),
        Some(secret),
        keypair.public_key(),
        Some(digest),
        Some(*part("bloomcoin v1 musig extra")),
    );
    secret.non_secure_erase();
    pair
}

/// The second round of one input: all nonces are known.
pub(crate) struct Round {
    aggregate: KeyAggCache,
    keys: Vec<PublicKey>,
    nonces: Vec<PublicNonce>,
    session: Session,
    digest: [u8; 32],
}

impl Round {
    /// One nonce for each cosigner, in their order.
    pub(crate) fn new(cosigners: &Cosigners, nonces: Vec<PublicNonce>, digest: [u8; 32]) -> Self {
        let aggregate = cosigners.aggregate();
        let sum = AggregatedNonce::new(&nonces.iter().collect::<Vec<_>>());
        let session = Session::new(&aggregate, sum, &digest);
        Self { aggregate, keys: cosigners.keys().to_vec(), nonces, session, digest }
    }

    /// Uses a secret nonce up. `keypair` is the one that it was made for.
    pub(crate) fn sign(&self, nonce: SecretNonce, keypair: &Keypair) -> PartialSignature {
        self.session.partial_sign(nonce, keypair, &self.aggregate)
    }

    /// Whether a partial signature is that of the holder of `key`, whose nonce is known.
    pub(crate) fn is_good(&self, key: &PublicKey, partial: &PartialSignature) -> bool {
        let nonce = self.keys.iter().zip(&self.nonces).find(|(own, _)| *own == key);
        nonce.is_some_and(|(_, nonce)| self.session.partial_verify(&self.aggregate, partial, nonce, *key))
    }

    /// The signature that good partial signatures of all add up to; `None` if it is not good itself.
    pub(crate) fn signature(&self, partials: &[PartialSignature]) -> Option<[u8; 64]> {
        let sum = self.session.partial_sig_agg(&partials.iter().collect::<Vec<_>>());
        let signature = sum.verify(&self.aggregate.agg_pk(), &self.digest).ok()?;
        Some(signature.to_byte_array())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes<const N: usize>(hex: &str) -> [u8; N] {
        hex::decode(hex).unwrap().try_into().unwrap()
    }

    /// BIP-327, sig_agg_vectors.json: the valid cases without a tweak.
    #[test]
    fn partial_signatures_add_up_as_in_bip_327() {
        let message = bytes("599c67ea410d005b9da90817cf03ed3b1c868e4da4edf00a5880b0082c237869");
        let first = "03935f972da013f80ae011890fa89b67a27b7be6ccb24d3274d18b2d4067f261a9";
        for (second, nonce, partials, expected) in [
            (
                "02d2dc6f5df7c56acf38c7fa0ae7a759ae30e19b37359dfde015872324c7ef6e05",
                "0341432722c5cd0268d829c702cf0d1cbce57033eed201fd335191385227c3210c\
                 03d377f2d258b64aadc0e16f26462323d701d286046a2ea93365656afd9875982b",
                [
                    "b15d2cd3c3d22b04dae438ce653f6b4ecf042f42cfded7c41b64aaf9b4af53fb",
                    "6193d6ac61b354e9105bbdc8937a3454a6d705b6d57322a5a472a02ce99fcb64",
                ],
                "041da22223ce65c92c9a0d6c2cac828aaf1eee56304fec371ddf91ebb2b9ef09\
                 12f1038025857fedeb3ff696f8b99fa4bb2c5812f6095a2e0004ec99ce18de1e",
            ),
            (
                "03c7fb101d97ff930acd0c6760852ef64e69083de0b06ac6335724754bb4b0522c",
                "0224afd36c902084058b51b5d36676bba4dc97c775873768e58822f87fe437d792\
                 028cb15929099eee2f5dae404cd39357591ba32e9af4e162b8d3e7cb5efe31cb20",
                [
                    "9a87d3b79ec67228cb97878b76049b15dbd05b8158d17b5b9114d3c226887505",
                    "66f82ea90923689b855d36c6b7e032fb9970301481b99e01cdb4d6ac7c347a15",
                ],
                "1069b67ec3d2f3c7c08291accb17a9c9b8f2819a52eb5df8726e17e7d6b52e9f\
                 01800260a7e9dac450f4be522de4ce12ba91aeaf2b4279219ef74be1d286add9",
            ),
        ] {
            let keys = [first, second].map(|key| PublicKey::from_byte_array_compressed(bytes(key)).unwrap());
            let aggregate = KeyAggCache::new(&keys.iter().collect::<Vec<_>>());
            let sum = AggregatedNonce::from_byte_array(&bytes(nonce)).unwrap();
            let session = Session::new(&aggregate, sum, &message);
            let round = Round { aggregate, keys: keys.to_vec(), nonces: Vec::new(), session, digest: message };
            let partials = partials.map(|partial| PartialSignature::from_byte_array(&bytes(partial)).unwrap());
            assert_eq!(round.signature(&partials), Some(bytes(expected)));
            let [one, _] = partials;
            assert_eq!(round.signature(&[one, one]), None);
        }
    }

    #[test]
    fn nonces_depend_on_everything_that_they_may_be_used_for() {
        let pair = |secret: u8| Keypair::from_secret_bytes([secret; 32]).unwrap();
        let shared =
            |others: &[u8]| Cosigners::new(others.iter().map(|&secret| pair(secret).public_key()).collect()).unwrap();
        let seed = |byte: u8| NonceSeed::new([byte; 32]);
        let nonce = |byte: u8, input: u32, cosigners: &Cosigners, secret: u8, digest: u8| {
            nonce_pair(&seed(byte), input, cosigners, &pair(secret), &[digest; 32]).1
        };
        let base = nonce(1, 0, &shared(&[5, 6]), 5, 9);
        assert_eq!(nonce(1, 0, &shared(&[5, 6]), 5, 9), base);
        for other in [
            nonce(2, 0, &shared(&[5, 6]), 5, 9),
            nonce(1, 1, &shared(&[5, 6]), 5, 9),
            nonce(1, 0, &shared(&[5, 7]), 5, 9),
            nonce(1, 0, &shared(&[5, 6]), 6, 9),
            nonce(1, 0, &shared(&[5, 6]), 5, 8),
        ] {
            assert_ne!(other, base);
        }
    }
}
