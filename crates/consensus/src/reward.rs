//! The coins a block may make (law §7).

use crate::constants::{HALVING_INTERVAL, INITIAL_REWARD};
use crate::{Amount, Height};

/// INITIAL_REWARD halved every 271 443 blocks, floored; nothing at genesis and from 64 halvings on.
#[must_use]
pub fn reward(height: Height) -> Amount {
    if height == Height::GENESIS {
        return Amount::ZERO;
    }
    let halvings = u32::try_from(height.0 / HALVING_INTERVAL).unwrap_or(u32::MAX);
    Amount::from_units(INITIAL_REWARD.checked_shr(halvings).unwrap_or(0))
}
