//! Transactions whose rules were checked before, so that the block that brings them need not check them again.

use bloom_consensus::{Output, Wtxid};

use crate::recent::Recent;

/// A hash of the outputs that a transaction spends.
type Fingerprint = [u8; 16];

/// A bounded memory of wtxids: of the latest 229 376 at least, in 2¹⁹ · 49 bytes, 26 MB, at most.
///
/// Why a wtxid is enough: it commits to the txid and to the signatures, and the txid to all the rest of the transaction.
/// The rules of isolation depend on nothing else. Signatures depend on the network, of which a chain has one, and on the
/// outputs spent, which the outpoints commit to: each names its maker by a hash of all that it made. So what is true of a
/// wtxid once is true on every branch and at every height. What depends on either (that the outputs exist and are
/// unspent, maturity, `not_before`) is not remembered and always judged. A txid would not do: it is the same
/// whatever the signatures (attack 31).
///
/// The outputs spent are kept too, as a hash: should anybody ever remember a transaction under outputs that are not the
/// ones that it names, its signatures are checked again.
#[derive(Default)]
pub(crate) struct VerifiedTransactions(Recent<Wtxid, Fingerprint>);

impl VerifiedTransactions {
    /// Whether the rules that it alone can break were checked.
    pub(crate) fn is_sound(&self, wtxid: &Wtxid) -> bool {
        self.0.get(wtxid).is_some()
    }

    /// Whether its signatures were checked too, against these outputs.
    pub(crate) fn is_signed(&self, wtxid: &Wtxid, spent: &[Output]) -> bool {
        self.0.get(wtxid).is_some_and(|known| known == fingerprint(spent))
    }

    /// Remembers a transaction that passed, with the outputs that it spends.
    pub(crate) fn remember(&mut self, wtxid: Wtxid, spent: &[Output]) {
        self.0.put(wtxid, fingerprint(spent));
    }
}

fn fingerprint(spent: &[Output]) -> Fingerprint {
    let hash = match spent {
        [output] => blake3::hash(&output.to_bytes()), // most spend one, and there are thousands in a block
        _ => blake3::hash(&spent.iter().flat_map(Output::to_bytes).collect::<Vec<_>>()),
    };
    *hash.as_bytes().first_chunk().expect("16 of 32 bytes")
}

#[cfg(test)]
mod tests {
    use bloom_consensus::{Amount, OutputKey};

    use super::*;

    fn wtxid(n: u8) -> Wtxid {
        Wtxid([n; 32])
    }

    fn output(units: u64) -> Output {
        Output { amount: Amount::from_units(units), key: OutputKey([7; 32]) }
    }

    #[test]
    fn a_wtxid_is_known_under_its_own_outputs_alone() {
        let mut verified = VerifiedTransactions::default();
        verified.remember(wtxid(1), &[output(1), output(2)]);
        assert!(verified.is_sound(&wtxid(1)) && !verified.is_sound(&wtxid(2)));
        assert!(verified.is_signed(&wtxid(1), &[output(1), output(2)]));
        assert!(!verified.is_signed(&wtxid(1), &[output(2), output(1)]));
        assert!(!verified.is_signed(&wtxid(1), &[output(1)]));
        assert!(!verified.is_signed(&wtxid(2), &[output(1), output(2)]));
    }
}
