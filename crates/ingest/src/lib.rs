//! ingest

pub mod sources;
