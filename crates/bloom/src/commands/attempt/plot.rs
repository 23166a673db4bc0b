//! The order parameter round by round, in Braille dots: two columns and four rows of dots a character.

use std::f64::consts::FRAC_PI_6;

use bloom_kernel::params::AMPLITUDE;
use bloom_kernel::{OSCILLATORS, Order};

/// Rows of characters.
const ROWS: usize = 12;
/// Rows of dots.
const DOTS: usize = 4 * ROWS;
/// Characters to the left of the plot.
const MARGIN: usize = 6;
/// Where nothing says how wide the terminal is.
const USUAL_COLUMNS: usize = 80;
/// Bits of U+2800 by the dot's row, left column and right.
const BRAILLE: [[u32; 2]; 4] = [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]];

/// r of a round, from 0 to 1.
pub(super) fn r(order: Order) -> f64 {
    (order.r2() as f64).sqrt() / (OSCILLATORS as u64 * AMPLITUDE) as f64
}

/// The terminal's columns as the shell tells them in COLUMNS, within reason.
pub(super) fn columns() -> usize {
    let told = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    told.unwrap_or(USUAL_COLUMNS).clamp(40, 400)
}

/// Plots r over rounds in lines of at most `columns` characters, with the threshold √3/2 and the bloom marked.
pub(super) fn plot(rs: &[f64], bloom: Option<(u32, u32)>, columns: usize) -> Vec<String> {
    let width = columns - MARGIN;
    let mut canvas = vec![[0_u32; ROWS]; width];
    let mut previous = rs.first().copied().unwrap_or(0.0);
    for dot in 0..2 * width {
        let (low, high) = bounds(rs, dot, 2 * width, &mut previous);
        for row in row_of(high)..=row_of(low) {
            canvas[dot / 2][row / 4] |= BRAILLE[row % 4][dot % 2];
        }
    }
    let threshold = row_of(FRAC_PI_6.cos()) / 4; // cos 30° = √3/2
    let mut lines: Vec<String> = (0..ROWS).map(|row| line(&canvas, row, threshold)).collect();
    lines.push(format!("{:>MARGIN$}{}", "└", "─".repeat(width)));
    let last = rs.len().saturating_sub(1);
    let caption = match bloom {
        Some((start, end)) => format!("bloom, rounds {start} to {end} ▲"),
        None => format!("no bloom by round {last}"),
    };
    lines.push(format!("{:>1$}{caption:>2$}", 0, MARGIN + 1, width - 1));
    lines
}

/// Least and greatest r of the rounds under a column of dots, and the last r before them, so that the line is one.
fn bounds(rs: &[f64], dot: usize, dots: usize, previous: &mut f64) -> (f64, f64) {
    let start = dot * rs.len() / dots;
    let end = ((dot + 1) * rs.len() / dots).max(start + 1).min(rs.len());
    let (mut low, mut high) = (*previous, *previous);
    for r in rs.get(start..end).unwrap_or_default() {
        (low, high, *previous) = (low.min(*r), high.max(*r), *r);
    }
    (low, high)
}

/// The row of dots of an r, 0 at the top.
fn row_of(r: f64) -> usize {
    ((1.0 - r.clamp(0.0, 1.0)) * (DOTS - 1) as f64).round() as usize
}

fn line(canvas: &[[u32; ROWS]], row: usize, threshold: usize) -> String {
    let (label, axis) = match row {
        0 => ("1", '┤'),
        _ if row == threshold => ("√3/2", '┤'),
        _ if row == ROWS - 1 => ("0", '┤'),
        _ => ("", '│'),
    };
    let empty = if row == threshold { '┄' } else { ' ' };
    let cell = |dots: u32| if dots == 0 { empty } else { char::from_u32(0x2800 | dots).unwrap_or(empty) };
    let cells: String = canvas.iter().map(|column| cell(column[row])).collect();
    format!("{label:>0$}{axis}{cells}", MARGIN - 1).trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::{ROWS, plot};

    #[test]
    fn plots_are_as_wide_as_they_may_be_and_mark_threshold_and_bloom() {
        for rounds in [1, 7, 73, 5778] {
            let rs: Vec<f64> = (1..=rounds).map(|t| f64::from(t) / f64::from(rounds)).collect();
            for columns in [40, 80, 400] {
                let lines = plot(&rs, Some((0, 6)), columns);
                assert_eq!(lines.len(), ROWS + 2);
                assert_eq!(lines.iter().map(|line| line.chars().count()).max(), Some(columns));
                assert!(lines[1].starts_with(" √3/2┤") && lines.last().unwrap().ends_with("bloom, rounds 0 to 6 ▲"));
            }
        }
    }

    #[test]
    fn a_rising_r_is_low_on_the_left_and_high_on_the_right() {
        let rs: Vec<f64> = (0..100).map(|t| f64::from(t) / 99.0).collect();
        let lines = plot(&rs, None, 40);
        assert!(lines[0].ends_with('⠉') || lines[0].chars().last().is_some_and(|dots| dots > '\u{2800}'));
        assert!(lines[ROWS - 1].chars().nth(6).is_some_and(|dots| dots > '\u{2800}'));
        assert!(lines.last().unwrap().ends_with("no bloom by round 99"));
    }
}
