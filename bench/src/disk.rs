//! What this disk's fdatasync costs in this run: the yardstick of every acknowledgement.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::Instant;

use anyhow::Result;

use crate::latency::Latency;
use crate::table::Table;

/// How often, and how much is written before each: about what a group of single events is.
const ROUNDS: usize = 1_000;
const BYTES: usize = 16 * 1024;

/// Appends and syncs.
pub(crate) fn measure(folder: &Path, table: &mut Table) -> Result<Latency> {
    let mut file = File::create(folder.join("fdatasync"))?;
    let block = vec![b'x'; BYTES];
    let mut latency = Latency::default();
    for _ in 0..ROUNDS {
        file.write_all(&block)?;
        let began = Instant::now();
        file.sync_data()?;
        latency.add(began.elapsed());
    }
    table.add("fdatasync after 16 KiB", latency.to_string(), "");
    Ok(latency)
}
