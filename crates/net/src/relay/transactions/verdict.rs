//! What a refused transaction says about who sent it.

use bloom_chain::AdmitError;
use bloom_consensus::TransactionViolation;

/// What becomes of a transaction that was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// No chain could ever hold it: who sent it did not look at it.
    Invalid,
    /// What it spends is not known here: it may be on its way.
    Orphan,
    /// This node does not want it, or not now; the next one may.
    Unwanted,
}

/// A transaction's inputs commit to what they spend, so that its sums and signatures are as good or bad on every chain;
/// whether what it spends is there, and ripe, is not.
pub(crate) fn of_violation(violation: &TransactionViolation) -> Verdict {
    match violation {
        TransactionViolation::InputsOutOfOrder { .. }
        | TransactionViolation::DuplicateInput { .. }
        | TransactionViolation::ZeroOutput { .. }
        | TransactionViolation::KeyNotOnCurve { .. }
        | TransactionViolation::OutputSum
        | TransactionViolation::InputSum
        | TransactionViolation::Overspend { .. }
        | TransactionViolation::Signature { .. } => Verdict::Invalid,
        TransactionViolation::MissingInput { .. } => Verdict::Orphan,
        TransactionViolation::NotBefore { .. }
        | TransactionViolation::Immature { .. }
        // Said of a caller that does not give what is spent, never of a transaction.
        | TransactionViolation::SpentCount { .. } => Verdict::Unwanted,
    }
}

/// All but what the law forbids for good is this node's own policy, and nobody's fault.
pub(crate) fn of_error(error: &AdmitError) -> Verdict {
    match error {
        AdmitError::Invalid(violation) => of_violation(violation),
        AdmitError::OtherSignatures { .. }
        | AdmitError::TooLong { .. }
        | AdmitError::Dust { .. }
        | AdmitError::FeeRate { .. }
        | AdmitError::TooManyAncestors
        | AdmitError::AncestorBytes { .. }
        | AdmitError::TooManyDescendants { .. }
        | AdmitError::DescendantBytes { .. }
        | AdmitError::ReplacesTooMany
        | AdmitError::SpendsReplaced { .. }
        | AdmitError::NewUnconfirmedInput { .. }
        | AdmitError::ReplacementFee { .. }
        | AdmitError::ReplacementRate { .. }
        | AdmitError::Conflict { .. }
        | AdmitError::Full { .. }
        | AdmitError::Store(_) => Verdict::Unwanted,
    }
}
