//! The constants that come from real numbers, computed again from their definitions in φ (law §1 and §2). Doubles are
//! precise enough: `round` refuses a value so close to a half that a double could not tell.

use std::f64::consts::{PI, TAU as TURN};

use bloom_kernel::{GAIN, OMEGA, OSCILLATORS, params};

const TWO_32: f64 = 4_294_967_296.0;
const DT: f64 = 0.01;

fn phi() -> f64 {
    f64::midpoint(1.0, 5.0_f64.sqrt())
}

/// Rounds, and refuses to where a double could not tell.
fn round(x: f64) -> f64 {
    assert!((x - x.floor() - 0.5).abs() > 1e-12 * x.abs().max(1e5), "{x} is too close to a half");
    x.round()
}

#[test]
fn couplings() {
    let tau = 1.0 / phi();
    let k_base = (1.0 - phi().powi(-4)).sqrt();
    assert_eq!((tau * TWO_32).floor(), params::TAU_Q32 as f64);
    assert_eq!((tau * TWO_32).floor(), params::K_FLOOR_Q32 as f64);
    assert_eq!((k_base * TWO_32).floor() - (tau * TWO_32).floor(), params::K_SPAN_Q32 as f64);
    assert_eq!(round(DT / (TURN * OSCILLATORS as f64) * 2.0_f64.powi(48)), params::STEP as f64);
}

#[test]
fn natural_frequencies_are_lorentzian_quantiles() {
    let gamma = phi().powi(-5);
    for (i, omega) in (1_u32..).zip(OMEGA) {
        let n = OSCILLATORS as f64;
        let quantile = gamma * (PI * (2.0 * f64::from(i) - n - 1.0) / (2.0 * (n + 1.0))).tan();
        assert_eq!(round(quantile * DT / TURN * TWO_32), f64::from(omega), "omega_{i}");
    }
    assert!(OMEGA.iter().zip(OMEGA.iter().rev()).all(|(a, b)| a + b == 0));
}

#[test]
fn gains_are_a_bell_about_the_threshold() {
    let lambda = phi().powi(-2);
    let z_c = 3.0_f64.sqrt() / 2.0;
    let sigma = 1.0 / (1.0 - z_c).powi(2);
    for (m, gain) in (0_u32..).zip(GAIN) {
        let r = (((f64::from(m) + 0.5) * TWO_32).sqrt() / (OSCILLATORS as f64 * 32_767.0)).min(1.0);
        let exact = 32_768.0 * (1.0 + lambda * (-sigma * (r - z_c).powi(2)).exp());
        assert_eq!(round(exact), f64::from(gain), "gain[{m}]");
    }
}
