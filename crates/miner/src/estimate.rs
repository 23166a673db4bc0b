//! What to expect of a difficulty: rounds to bloom, in floating point, for display and planning alone.
//!
//! The mean-field theory of Ott and Antonsen for the law's finite spectrum. While coherence is small it grows at the
//! rate K/2 − Γ_eff, where s = K/2 − Γ_eff > 0 solves Σ s/(s²+ω_i²) = 2N/K; the start r₀ is the geometric mean of what
//! 63 random phases leave on the growing mode.

use std::f64::consts::PI;

use bloom_consensus::Difficulty;
use bloom_kernel::{OSCILLATORS, ROUNDS_MAX, coupling_q32};

const N: f64 = OSCILLATORS as f64;
const DT: f64 = 0.01;
/// φ⁻⁵, the half-width of the natural frequencies.
const GAMMA: f64 = 0.090_169_943_749_474_24;
/// φ⁻² and 1/(1−z_c)², gain and sharpness of the adaptive coupling.
const LAMBDA: f64 = 0.381_966_011_250_105_15;
const SIGMA: f64 = 55.712_812_921_102_04;
/// √3/2.
const Z_C: f64 = 0.866_025_403_784_438_6;
/// The bloom is entered a little below z_c: fluctuations of 63 oscillators carry r over.
const ENTRY: f64 = Z_C - 0.025;
/// E ln of the first modulus of random phases on the growing mode: −γ/2, γ Euler's constant.
const LOG_START: f64 = -0.2886;

/// The coupling K(D) as a real number.
#[must_use]
pub fn coupling(difficulty: Difficulty) -> f64 {
    coupling_q32(difficulty) as f64 / 4_294_967_296.0
}

/// D as a real number.
#[must_use]
pub fn difficulty(difficulty: Difficulty) -> f64 {
    difficulty.q24() as f64 / f64::from(1 << 24)
}

/// r of a round with this R2 = C² + S²: 1 where all phases agree.
#[must_use]
pub fn order_parameter(r2: u64) -> f64 {
    (r2 as f64).sqrt() / (N * 32_767.0)
}

/// Mean rounds of an attempt until it blooms, bloom_end + 1, from theory: within 1 % of what the kernel does.
#[must_use]
pub fn estimate_bloom_time(difficulty: Difficulty) -> f64 {
    let k = coupling(difficulty);
    let gamma_eff = k / 2.0 - growth_rate(k);
    let start = LOG_START - (N * (1.0 - 2.0 * gamma_eff / k)).sqrt().ln();
    let speed = |u: f64| {
        let r = u.exp();
        let gain = 1.0 + LAMBDA * (-SIGMA * (r - Z_C).powi(2)).exp();
        k / 2.0 * gain * (1.0 - r * r) - gamma_eff
    };
    simpson(|u| 1.0 / speed(u), start, ENTRY.ln()) / DT + 6.0
}

/// Rounds until a block, on average: 5778·D where an attempt cannot win with certainty; below that at least one bloom.
#[must_use]
pub fn rounds_per_block(difficulty: Difficulty) -> f64 {
    let full = f64::from(ROUNDS_MAX) * self::difficulty(difficulty);
    full.max(estimate_bloom_time(difficulty))
}

/// s > 0 with Σ s/(s²+ω_i²) = 2N/K, by bisection: the left side falls from +∞ (through ω = 0) as s grows.
fn growth_rate(k: f64) -> f64 {
    let frequencies: Vec<f64> =
        (1..=OSCILLATORS).map(|i| GAMMA * (PI * (2.0 * i as f64 - N - 1.0) / (2.0 * (N + 1.0))).tan()).collect();
    let excess = |s: f64| frequencies.iter().map(|w| s / (s * s + w * w)).sum::<f64>() - 2.0 * N / k;
    let (mut low, mut high) = (0.1 * k / 2.0, k / 2.0); // at s = K/2 even ω = 0 alone would give too little
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if excess(middle) > 0.0 { low = middle } else { high = middle }
    }
    f64::midpoint(low, high)
}

fn simpson(f: impl Fn(f64) -> f64, from: f64, to: f64) -> f64 {
    const PANELS: u32 = 2_000;
    let h = (to - from) / f64::from(2 * PANELS);
    let inner: f64 = (1..2 * PANELS).map(|i| f64::from(2 + 2 * (i % 2)) * f(from + h * f64::from(i))).sum();
    (f(from) + inner + f(to)) * h / 3.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use bloom_kernel::{Backend, Solo, initial_phases, lucas};

    /// (5.45 + 5.14/(x − 1.65))/(K·dt), x = K/K_c: a fit to the measured means.
    fn closed_form(difficulty: Difficulty) -> f64 {
        let k = coupling(difficulty);
        (5.45 + 5.14 / (k / (2.0 * GAMMA) - 1.65)) / (k * DT)
    }

    #[test]
    fn agrees_with_the_closed_form_from_a_quarter_to_2_20() {
        for exponent in 22..=44 {
            let d = Difficulty::from_q24(1 << exponent).unwrap();
            let (theory, fit) = (estimate_bloom_time(d), closed_form(d));
            assert!((theory / fit - 1.0).abs() < 0.012, "2^{}: {theory} against {fit}", exponent - 24);
        }
    }

    /// 2 000 attempts: the mean of bloom times with a coefficient of variation of 0.2 is known to 0.5 %.
    #[test]
    fn agrees_with_the_kernel() {
        let mut solo = Solo::new(Backend::detect());
        for exponent in [22, 24, 32] {
            let d = Difficulty::from_q24(1 << exponent).unwrap();
            let rounds: u64 = (0..2_000)
                .map(|i| {
                    let (extra_nonce, nonce) = lucas::attempt(i).unwrap();
                    let phases = initial_phases(&[exponent as u8; 32], extra_nonce, nonce);
                    u64::from(solo.run(&phases, d, ROUNDS_MAX - 1).unwrap().rounds())
                })
                .sum();
            let (measured, theory) = (rounds as f64 / 2_000.0, estimate_bloom_time(d));
            assert!((theory / measured - 1.0).abs() < 0.02, "2^{}: {theory} against {measured}", exponent - 24);
        }
    }

    #[test]
    fn higher_difficulty_takes_longer() {
        let times: Vec<f64> = (22..=88).map(|e| estimate_bloom_time(Difficulty::from_q24(1 << e).unwrap())).collect();
        assert!(times.windows(2).all(|pair| pair[0] <= pair[1]), "{times:?}");
        assert!((times[66] / 1_352.0 - 1.0).abs() < 0.02);
    }
}
