//! The HTTP doors, with exact bytes: what real emitters sent, and what no one should send.

mod bad_input;
mod captures;
mod encodings;
mod erasures;
mod idempotency;
mod limits;
mod metrics;
mod outage;
mod questions;
mod two_numbers;
