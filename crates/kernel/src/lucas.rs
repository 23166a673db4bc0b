//! Lucas nonces: tr(R^{L_j}) mod 2³² with R = `[[0,1],[1,1]]` (law §3).

use crate::params;

/// The 24 nonces L_{L_0} … L_{L_23} mod 2³², in the order in which attempts use them.
pub const NONCES: [u32; params::NONCES] = {
    let mut nonces = [0; params::NONCES];
    let (mut index, mut next) = (2_u64, 1_u64); // L_0, L_1
    let mut j = 0;
    #[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
    while j < params::NONCES {
        nonces[j] = lucas_mod_2_32(index);
        (index, next) = (next, index + next);
        j += 1;
    }
    nonces
};

/// L_n mod 2³² in O(log n) steps by doubling: L_{2k} = L_k² − 2(−1)^k, L_{2k+1} = L_k·L_{k+1} − (−1)^k.
#[must_use]
pub const fn lucas_mod_2_32(n: u64) -> u32 {
    let (mut a, mut b) = (2_u32, 1_u32); // L_k and L_{k+1}, k = the bits of n read so far
    let mut bit = u64::BITS.wrapping_sub(n.leading_zeros());
    let mut odd = false;
    while bit > 0 {
        bit = bit.wrapping_sub(1);
        let sign: u32 = if odd { u32::MAX } else { 1 }; // (−1)^k
        let even = a.wrapping_mul(a).wrapping_sub(sign.wrapping_mul(2));
        let middle = a.wrapping_mul(b).wrapping_sub(sign);
        let after = b.wrapping_mul(b).wrapping_add(sign.wrapping_mul(2));
        odd = n.wrapping_shr(bit) & 1 == 1;
        (a, b) = if odd { (middle, after) } else { (even, middle) };
    }
    a
}

/// Whether a header may carry this nonce.
#[must_use]
pub fn is_nonce(nonce: u32) -> bool {
    NONCES.contains(&nonce)
}

/// Extra nonce and nonce of attempt `i` of a template: i div 24 and the nonce i mod 24. `None` once the extra nonces,
/// 2⁶⁴ of them, are used up.
#[must_use]
pub fn attempt(i: u128) -> Option<(u64, u32)> {
    let cycle = params::NONCES as u128;
    let extra_nonce = u64::try_from(i.checked_div(cycle)?).ok()?;
    let nonce = NONCES.get(usize::try_from(i.checked_rem(cycle)?).ok()?)?;
    Some((extra_nonce, *nonce))
}
