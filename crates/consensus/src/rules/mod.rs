//! The rules, split by what they may know. A block is judged in this order, cheap before dear (law §5):
//!
//! 1. [`header::check`]: the header by itself and in its ancestors' context, ticket last;
//! 2. [`crate::proof::verify`]: the attempt, again;
//! 3. [`isolation::check_body`]: the body by itself and against its header's root;
//! 4. [`utxo::connect`]: the body against the unspent outputs of its branch, signatures last;
//! 5. [`clock::judge`]: whether its time has come.

pub mod clock;
pub mod header;
pub mod isolation;
pub mod utxo;
