//! Files of known answers in the format of `tests/vectors/vectors.json`: checked, and made.
//!
//! A file is an object of sections. Every section is read by one module here, every field of every row is held against
//! what this program computes, and a field or section that nobody reads is a failure: no vector passes unread.

mod attempts;
mod check;
mod constants;
mod coupling;
mod document;
mod dynamics;
mod engines;
mod fault;
mod fields;
mod fixed;
mod genesis;
mod ledger;
mod make;
mod random;
mod retarget;
mod rows;
mod tally;
mod tickets;

pub(crate) use check::{Report, check};
pub(crate) use fault::Fault;
pub(crate) use make::{MOST_ROWS, make};
pub(crate) use tally::Tally;
