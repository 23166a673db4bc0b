//! One line on stderr that is rewritten while work goes on, and figures short enough for it.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A line that is drawn at most ten times a second, on a terminal alone.
pub(crate) struct LiveLine(ProgressBar);

impl LiveLine {
    pub(crate) fn new(wanted: bool) -> Self {
        let target = if wanted { ProgressDrawTarget::stderr_with_hz(10) } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(None, target);
        bar.set_style(ProgressStyle::with_template("{spinner} {wide_msg}").expect("the template is well-formed"));
        Self(bar)
    }

    /// Shows what `line` says, if anybody can see it.
    pub(crate) fn show(&self, line: impl FnOnce() -> String) {
        if !self.0.is_hidden() {
            if self.0.is_finished() {
                self.0.reset();
            }
            self.0.set_message(line());
            self.0.tick();
        }
    }

    /// Says what `line` says once, where the line itself cannot be seen.
    pub(crate) fn remark(&self, line: impl FnOnce() -> String) {
        if self.0.is_hidden() {
            crate::output::note(line());
        }
    }

    /// Takes the line away, so that something else can be printed; it comes back when it is next shown.
    pub(crate) fn clear(&self) {
        self.0.finish_and_clear();
    }
}

impl Drop for LiveLine {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// Three digits and a prefix of the SI: 41.2 M, 735, 2.87 n.
pub(crate) fn si(value: f64) -> String {
    const PREFIXES: [(f64, &str); 9] = [
        (1e15, " P"),
        (1e12, " T"),
        (1e9, " G"),
        (1e6, " M"),
        (1e3, " k"),
        (1.0, " "),
        (1e-3, " m"),
        (1e-6, " µ"),
        (1e-9, " n"),
    ];
    let size = value.abs();
    let (unit, prefix) = match PREFIXES.iter().find(|(unit, _)| size >= *unit) {
        Some(prefix) => *prefix,
        None if size == 0.0 => (1.0, " "),
        None => return format!("{value:.2e} "),
    };
    let scaled = value / unit;
    let decimals = if scaled.abs() >= 100.0 {
        0
    } else if scaled.abs() >= 10.0 {
        1
    } else {
        2
    };
    format!("{scaled:.decimals$}{prefix}").trim_end().to_owned()
}

/// A number of things: as it is below a thousand, else as [`si`] has it.
pub(crate) fn count(number: u64) -> String {
    if number < 1_000 { number.to_string() } else { si(number as f64) }
}

/// A time for people: 0.8 s, 42 s, 3 min 10 s, 5 h 12 min, 12 d 3 h.
pub(crate) fn seconds(secs: f64) -> String {
    if !secs.is_finite() {
        return "unknown".to_owned();
    }
    if secs < 10.0 {
        return format!("{secs:.1} s");
    }
    let whole = Duration::from_secs_f64(secs.min(1e15)).as_secs();
    match whole {
        0..60 => format!("{whole} s"),
        60..3_600 => format!("{} min {} s", whole / 60, whole % 60),
        3_600..86_400 => format!("{} h {} min", whole / 3_600, whole / 60 % 60),
        _ => format!("{} d {} h", whole / 86_400, whole / 3_600 % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::{seconds, si};

    #[test]
    fn figures_are_short() {
        let cases = [
            (0.0, "0.00"),
            (7.0, "7.00"),
            (735.4, "735"),
            (41_230_000.0, "41.2 M"),
            (2.87e-9, "2.87 n"),
            (5.8e-18, "5.80e-18"),
        ];
        for (value, text) in cases {
            assert_eq!(si(value).trim_end(), text);
        }
        let cases = [
            (0.84, "0.8 s"),
            (42.0, "42 s"),
            (190.0, "3 min 10 s"),
            (18_720.0, "5 h 12 min"),
            (1_047_600.0, "12 d 3 h"),
        ];
        for (secs, text) in cases {
            assert_eq!(seconds(secs), text);
        }
        assert_eq!(seconds(f64::INFINITY), "unknown");
    }
}
