//! The picture of an attempt as SVG: its phases on the circle at the start and at the end, and r round by round.

use std::f64::consts::TAU;
use std::fmt::Write;

use bloom_kernel::{Bloom, OSCILLATORS};

const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 300.0;
/// Of the two circles.
const RADIUS: f64 = 105.0;
/// Where r(t) is drawn: left, right, r = 0 and r = 1.
const PLOT: [f64; 4] = [545.0, 935.0, 255.0, 35.0];
const Z_C: f64 = 0.866_025_403_784_438_6;

/// Draws an attempt that bloomed; `r` has the order parameter of every round up to the bloom's end.
pub(crate) fn svg(initial: &[u32; OSCILLATORS], bloom: &Bloom, r: &[f64]) -> String {
    let mut svg = format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="13">
<rect width="{WIDTH}" height="{HEIGHT}" rx="8" fill="#fbfaf7"/>
"##
    );
    wheel(&mut svg, 135.0, initial, "round 0");
    wheel(&mut svg, 385.0, &bloom.phases, &format!("round {}: bloomed", bloom.end));
    plot(&mut svg, r);
    svg.push_str("</svg>\n");
    svg
}

/// The 63 phases on a circle, coloured by natural frequency, with the mean field as an arrow.
fn wheel(svg: &mut String, x: f64, phases: &[u32; OSCILLATORS], caption: &str) {
    let y = 145.0;
    put(svg, format_args!(r##"<circle cx="{x}" cy="{y}" r="{RADIUS}" fill="none" stroke="#d8d4c8"/>"##));
    let (mut cos, mut sin) = (0.0, 0.0);
    for (i, phase) in phases.iter().enumerate() {
        let angle = f64::from(*phase) / 4_294_967_296.0 * TAU;
        cos += angle.cos();
        sin += angle.sin();
        let (px, py) = (x + RADIUS * angle.cos(), y - RADIUS * angle.sin());
        let hue = 250.0 + 140.0 * i as f64 / (OSCILLATORS - 1) as f64;
        put(
            svg,
            format_args!(
                r#"<circle cx="{px:.1}" cy="{py:.1}" r="5" fill="hsl({hue:.0} 70% 55%)" fill-opacity="0.75"/>"#
            ),
        );
    }
    let scale = RADIUS / OSCILLATORS as f64;
    let (px, py) = (x + scale * cos, y - scale * sin);
    put(
        svg,
        format_args!(
            r##"<line x1="{x}" y1="{y}" x2="{px:.1}" y2="{py:.1}" stroke="#33312c" stroke-width="3" stroke-linecap="round"/>"##
        ),
    );
    put(svg, format_args!(r##"<text x="{x}" y="282" text-anchor="middle" fill="#33312c">{caption}</text>"##));
}

/// r(t) with the threshold.
fn plot(svg: &mut String, r: &[f64]) {
    let [left, right, bottom, top] = PLOT;
    let height = |r: f64| bottom + (top - bottom) * r;
    let last = r.len().saturating_sub(1).max(1) as f64;
    let mut path = String::new();
    for (round, r) in r.iter().enumerate() {
        let x = left + (right - left) * round as f64 / last;
        let command = if round == 0 { 'M' } else { 'L' };
        let _ = write!(path, "{command}{x:.1} {:.1}", height(*r)); // a string takes all that is written
    }
    let threshold = height(Z_C);
    put(svg, format_args!(r##"<path d="M{left} {top}V{bottom}H{right}" fill="none" stroke="#d8d4c8"/>"##));
    put(svg, format_args!(r##"<path d="M{left} {threshold:.1}H{right}" stroke="#c0392b" stroke-dasharray="5 4"/>"##));
    put(svg, format_args!(r##"<path d="{path}" fill="none" stroke="#6c3fb4" stroke-width="2"/>"##));
    put(svg, format_args!(r##"<text x="{left}" y="{:.1}" dx="6" fill="#c0392b">√3/2</text>"##, threshold - 6.0));
    put(svg, format_args!(r##"<text x="{left}" y="282" fill="#33312c">order parameter r, round by round</text>"##));
    put(
        svg,
        format_args!(
            r##"<text x="{right}" y="282" text-anchor="end" fill="#33312c">{}</text>"##,
            r.len().saturating_sub(1)
        ),
    );
}

fn put(svg: &mut String, line: std::fmt::Arguments<'_>) {
    let _ = writeln!(svg, "{line}"); // a string takes all that is written
}
