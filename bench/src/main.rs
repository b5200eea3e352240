//! How fast the built program is, beside its peers on the same machine in the same run: `cargo xtask bench`.
//!
//! ```text
//! disk: fdatasync ─▶ load: bursts, sustained, single events ─▶ many connections ─▶ soak, overload ─▶ files: import,
//! publish ─▶ peers on the same work ─▶ one table
//! ```
//!
//! The generator shares the machine's cores with the program, as a hub does. Absolute figures are the machine's; what
//! counts are the ratios, which is why everything is measured in one run, this disk's fdatasync first.

mod catalogue;
mod client;
mod disk;
mod durability;
mod events;
mod files;
mod hub;
mod kpi;
mod latency;
mod load;
mod many;
mod peers;
mod program;
mod soak;
mod table;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::durability::Collector;
use crate::program::Program;
use crate::table::Table;

const HELP: &str = "\
usage: bench PROGRAM [--python PYTHON] [--quick] [--soak] [--only PART]
       bench PROGRAM --kpi [--python PYTHON] [--quick] [--large]
       bench PROGRAM --hub [--quick]
       bench PROGRAM --durability [--python PYTHON] [--quick] [--collector COLLECTOR]...

  PROGRAM    the hubscope to measure, built for release
  --python   an interpreter with the packages of bench/peers/requirements.txt; without it no peer is measured
  --quick    a second or two of each, to see that it works; its figures mean nothing
  --soak     ten minutes at half load and one of tenfold overload beside the rest
  --only     one of batches, singles, many, soak, files: for whoever mends that part
  --kpi      nothing of that: questions over eight years of ten million launches, with --large of seventy million
  --hub      nothing of that: questions about sessions of a hub of 20,000 users over five years
  --durability  nothing of that: what was acknowledged is counted after kills at random moments, beside Python's
                handlers
  --collector   another program that takes events over HTTP, killed like ours: 'NAME|START|PATH|READ|PROMISE', where
                START and READ are run by sh with the variables DATA (a folder) and PORT; READ prints what was kept
";

/// How long each part takes.
#[derive(Clone, Copy, Debug)]
struct Lengths {
    burst: Duration,
    sustained: Duration,
    singles: Duration,
    soak: Duration,
    overload: Duration,
    idle_connections: usize,
    slow_senders: usize,
    events_of_a_day: usize,
    events_of_peer: usize,
    kills: usize,
    launches: usize,
    users: u64,
    rounds: usize,
}

const FULL: Lengths = Lengths {
    burst: Duration::from_secs(10),
    sustained: Duration::from_secs(60),
    singles: Duration::from_secs(10),
    soak: Duration::from_secs(600),
    overload: Duration::from_secs(60),
    idle_connections: 10_000,
    slow_senders: 2_000,
    events_of_a_day: 1_000_000,
    events_of_peer: 100_000,
    kills: 100,
    launches: 10_000_000,
    users: 20_000,
    rounds: 100,
};

const QUICK: Lengths = Lengths {
    burst: Duration::from_secs(1),
    sustained: Duration::from_secs(2),
    singles: Duration::from_secs(1),
    soak: Duration::from_secs(3),
    overload: Duration::from_secs(2),
    idle_connections: 500,
    slow_senders: 100,
    events_of_a_day: 20_000,
    events_of_peer: 5_000,
    kills: 5,
    launches: 30_000,
    users: 50,
    rounds: 5,
};

/// Launches of mybinder.org in eight years, about.
const LAUNCHES_LARGE: usize = 70_000_000;

/// Connections of single events.
const SINGLES: [usize; 3] = [64, 512, 2_048];

struct Wishes {
    program: PathBuf,
    python: Option<PathBuf>,
    lengths: Lengths,
    soak: bool,
    only: Option<String>,
    durability: bool,
    kpi: bool,
    hub: bool,
    collectors: Vec<Collector>,
}

/// What can be measured alone.
const PARTS: [&str; 5] = ["batches", "singles", "many", "soak", "files"];

impl Wishes {
    fn wants(&self, part: &str) -> bool {
        self.only.as_ref().map_or(part != "soak" || self.soak, |only| only == part)
    }
}

fn main() -> Result<()> {
    let wishes = wishes(std::env::args().skip(1))?;
    program::raise_file_limit()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("no runtime")?;
    let mut table = Table::default();
    let outcome = runtime.block_on(measure(&wishes, &mut table));
    println!("\n{table}");
    outcome
}

fn wishes(arguments: impl Iterator<Item = String>) -> Result<Wishes> {
    let mut arguments = arguments.peekable();
    let (mut program, mut python, mut lengths, mut soak, mut only) = (None, None, FULL, false, None);
    let (mut durability, mut kpi, mut hub, mut large, mut collectors) = (false, false, false, false, Vec::new());
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--python" => python = Some(PathBuf::from(arguments.next().context("--python needs a path")?)),
            "--quick" => lengths = QUICK,
            "--soak" => soak = true,
            "--only" => {
                let part = arguments.next().filter(|part| PARTS.contains(&part.as_str()));
                only = Some(part.with_context(|| format!("--only needs one of {}", PARTS.join(", ")))?);
            }
            "--durability" => durability = true,
            "--kpi" => kpi = true,
            "--hub" => hub = true,
            "--large" => large = true,
            "--collector" => collectors.push(Collector::parse(&arguments.next().context("--collector needs a text")?)?),
            _ if argument.starts_with('-') || program.is_some() => bail!("{argument}: not understood\n\n{HELP}"),
            _ => program = Some(PathBuf::from(argument)),
        }
    }
    let program = program.with_context(|| HELP.to_owned())?;
    if large {
        lengths.launches = LAUNCHES_LARGE;
    }
    Ok(Wishes { program, python, lengths, soak, only, durability, kpi, hub, collectors })
}

async fn measure(wishes: &Wishes, table: &mut Table) -> Result<()> {
    let folder = tempfile::Builder::new().prefix("bench").tempdir().context("no temporary folder")?;
    let Wishes { program, python, lengths, .. } = wishes;
    let python = python.as_deref();
    if wishes.durability {
        let python = python.unwrap_or(Path::new("python3"));
        let program = program.canonicalize().with_context(|| format!("there is no {}", program.display()))?;
        return durability::measure(&program, python, &wishes.collectors, folder.path(), lengths.kills, table);
    }
    if wishes.kpi {
        return kpi::measure(program, python, folder.path(), lengths.launches, lengths.rounds, table);
    }
    if wishes.hub {
        return hub::measure(program, folder.path(), lengths.users, lengths.rounds, table);
    }
    let fdatasync = disk::measure(folder.path(), table)?;
    if wishes.wants("batches") {
        let baseline = python.map(|python| peers::jupyter_events(python, lengths.events_of_peer, table)).transpose()?;
        batches(program, folder.path(), lengths, baseline, table).await?;
    }
    for connections in SINGLES.into_iter().filter(|_| wishes.wants("singles")) {
        let server = Program::start(program, &folder.path().join(format!("singles-{connections}")), &[])?;
        load::singles(&server, connections, lengths.singles, &fdatasync, table).await?;
        server.stop()?;
    }
    if wishes.wants("many") {
        many::measure(program, folder.path(), lengths.idle_connections, lengths.slow_senders, table).await?;
    }
    if wishes.wants("soak") {
        soak::measure(program, folder.path(), lengths.soak, lengths.overload, table).await?;
    }
    if wishes.wants("files") {
        files::measure(program, python, folder.path(), lengths.events_of_a_day, table)?;
    }
    Ok(())
}

async fn batches(
    program: &Path,
    folder: &Path,
    lengths: &Lengths,
    baseline: Option<f64>,
    table: &mut Table,
) -> Result<()> {
    for (name, length) in [("burst", lengths.burst), ("sustained", lengths.sustained)] {
        let server = Program::start(program, &folder.join(name), &[])?;
        load::batches(&server, name, length, baseline, table).await?;
        server.stop()?;
    }
    Ok(())
}
