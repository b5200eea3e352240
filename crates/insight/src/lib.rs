//! The domain, without I/O and without Arrow: what an event means for the questions that people ask.
//!
//! [`spec`] tells which repository a launch was of, [`mention`] whether a text names a person. Everything here is a pure function of values, so that it can be
//! tested by brute force.

pub mod mention;
pub mod spec;
