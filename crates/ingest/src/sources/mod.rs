//! Where events come from other than a request: sources that are durable themselves.

pub mod import;
