//! The measure of all the rest: the law's dynamics in doubles, one oscillator after the other, plainly.

use bloom_kernel::{BLOOM_ROUNDS, OMEGA, OSCILLATORS, ROUNDS_MAX};

/// Euler's step.
const DT: f64 = 0.01;
/// √3/2, the threshold of coherence.
const THRESHOLD: f64 = 0.866_025_403_784_438_6;
/// 1/φ.
const TAU: f64 = 0.618_033_988_749_894_9;

/// 63 oscillators with their natural frequencies, at difficulty 1.
pub(super) struct MeanField {
    /// Radians a round.
    omega: [f64; OSCILLATORS],
    coupling: f64,
    gain: f64,
    sharpness: f64,
}

impl MeanField {
    pub(super) fn new() -> Self {
        Self {
            omega: OMEGA.map(|turns| radians(f64::from(turns))),
            coupling: (1.0 - TAU.powi(4)).sqrt(),
            gain: TAU.powi(2),
            sharpness: (1.0 - THRESHOLD).powi(-2),
        }
    }

    /// Evolves an attempt until it blooms, and yields the rounds that took: all of them if it does not.
    pub(super) fn run(&self, phases: &[u32; OSCILLATORS]) -> u32 {
        let n = OSCILLATORS as f64;
        let mut phases = phases.map(|phase| radians(f64::from(phase)));
        let mut waves = [(0.0, 0.0); OSCILLATORS];
        let mut streak = 0;
        for round in 0..ROUNDS_MAX {
            let (mut sum_sin, mut sum_cos) = (0.0, 0.0);
            for (wave, phase) in waves.iter_mut().zip(&phases) {
                *wave = phase.sin_cos();
                sum_sin += wave.0;
                sum_cos += wave.1;
            }
            let r = (sum_sin * sum_sin + sum_cos * sum_cos).sqrt() / n;
            streak = if r >= THRESHOLD { streak + 1 } else { 0 };
            if streak == BLOOM_ROUNDS {
                return round + 1;
            }
            let off = r - THRESHOLD;
            let adaptive = self.coupling * (1.0 + self.gain * (-self.sharpness * off * off).exp());
            let step = adaptive * DT / n;
            for ((phase, (sin, cos)), omega) in phases.iter_mut().zip(&waves).zip(&self.omega) {
                *phase += omega + step * (sum_sin * cos - sum_cos * sin);
            }
        }
        ROUNDS_MAX
    }
}

/// Units of 2⁻³² turn as an angle.
fn radians(turns: f64) -> f64 {
    turns * (std::f64::consts::TAU / 2_f64.powi(32))
}

#[cfg(test)]
mod tests {
    use bloom_consensus::Difficulty;
    use bloom_kernel::{CouplingTable, ROUNDS_MAX, initial_phases, lucas, reference};

    use super::MeanField;

    /// What is compared must be the same dynamics: the doubles bloom when the integers do, to a few rounds.
    #[test]
    fn doubles_follow_the_integers() {
        let (field, table) = (MeanField::new(), CouplingTable::new(Difficulty::ONE));
        for nonce in lucas::NONCES {
            let phases = initial_phases(b"bloomcoin bench against doubles.", 0, nonce);
            let exact = reference::run(&phases, &table, ROUNDS_MAX - 1).unwrap().rounds();
            let doubles = field.run(&phases);
            assert!(doubles.abs_diff(exact) <= 2, "nonce {nonce}: {doubles} rounds in doubles, {exact} in integers");
        }
    }
}
