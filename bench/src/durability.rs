//! Acknowledged and kept: programs that take events are killed at random moments under load, started again, and asked
//! for what they have. The oracle is the sender's own list.
//!
//! A kill takes the process, not the machine: what an operating system was given and had not yet written survives it.
//! What a power cut takes beside that is seen on the simulated disk of the tests, not here; the table says which of the
//! two an acknowledgement is proof against.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::events;
use crate::latency::Latency;
use crate::table::Table;

/// Where the scripts lie in the repository.
const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/peers");

/// Senders at a time, each on a connection of its own, one event a request.
const SENDERS: usize = 8;

/// A life under load lasts between these.
const LIFE: (Duration, Duration) = (Duration::from_millis(30), Duration::from_millis(700));

/// A program that is not ready by then never will be.
const START_TIME_MAX: Duration = Duration::from_secs(60);

/// No single answer takes longer.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(10);

/// A program that takes events over HTTP. Its commands are run by `sh`, with the variables `DATA` (a folder) and
/// `PORT`.
#[derive(Clone, Debug)]
pub(crate) struct Collector {
    pub(crate) name: String,
    /// Starts it in the foreground; best with `exec`.
    pub(crate) start: String,
    /// Where an event is posted, as JSON.
    pub(crate) path: String,
    /// Prints what it has kept while it runs: any text in which each event is found as it was sent.
    pub(crate) read: String,
    /// What its answer of 2xx promises, in its own words.
    pub(crate) promise: String,
}

impl Collector {
    /// `NAME|START|PATH|READ|PROMISE`.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let parts: Vec<&str> = text.split('|').map(str::trim).collect();
        let [name, start, path, read, promise] = parts.as_slice() else {
            bail!("a collector is given as 'NAME|START|PATH|READ|PROMISE', not '{text}'");
        };
        let owned = |text: &&str| (*text).to_owned();
        Ok(Self {
            name: owned(name),
            start: owned(start),
            path: owned(path),
            read: owned(read),
            promise: owned(promise),
        })
    }

    fn hubscope(program: &Path) -> Self {
        let program = program.display();
        Self {
            name: "hubscope".into(),
            start: format!(
                "HUBSCOPE_LOG=error HUBSCOPE_ARCHIVE__ENABLED=false HUBSCOPE_STORE__FLUSH_INTERVAL='200 ms' \
                 HUBSCOPE_STORE__COMMIT_INTERVAL='50 ms' HUBSCOPE_JOURNAL__SEGMENT_SIZE='1 MiB' exec {program} serve \
                 --data \"$DATA\" --listen 127.0.0.1:$PORT"
            ),
            path: "/api/v1/events".into(),
            read: format!("{program} query --data \"$DATA\" --format csv --limit 1000000 'SELECT text FROM events'"),
            promise: "synced to disk: proof against kill and power cut".into(),
        }
    }
}

/// What came of it.
#[derive(Debug, Default)]
struct Outcome {
    acknowledged: usize,
    lost: usize,
    doubled: usize,
    /// Kept although nobody was told so.
    unanswered: usize,
    starts: Latency,
}

/// Kills each program so often, and adds a row for each.
pub(crate) fn measure(
    program: &Path,
    python: &Path,
    others: &[Collector],
    folder: &Path,
    kills: usize,
    table: &mut Table,
) -> Result<()> {
    let ours = Collector::hubscope(program);
    for collector in [&ours].into_iter().chain(others) {
        let outcome = trial(collector, folder, kills).with_context(|| collector.name.clone())?;
        table.add(
            format!("{}: killed {kills} times under load", collector.name),
            outcome.told(),
            format!("an answer means: {}; restart to ready {}", collector.promise, outcome.starts),
        );
    }
    let outcome = file_handler(python, folder, kills).context("FileHandler")?;
    table.add(
        format!("Python FileHandler: killed {kills} times under load"),
        outcome.told(),
        "a return from the logger means: given to the operating system, not synced; a power cut takes the last seconds",
    );
    let (emitted, kept) = http_handler(python, &ours, folder, kills).context("HTTPHandler")?;
    table.add(
        format!("Python HTTPHandler: hubscope behind it killed {kills} times"),
        format!("{emitted} emitted, {} never arrived", emitted.saturating_sub(kept)),
        "the handler neither waits nor sends again while nobody answers",
    );
    Ok(())
}

impl Outcome {
    fn told(&self) -> String {
        let Self { acknowledged, lost, doubled, unanswered, .. } = self;
        format!("{acknowledged} acknowledged, {lost} lost, {doubled} doubled ({unanswered} kept without an answer)")
    }

    /// Compares what senders were told with what is found.
    fn of(acknowledged: &BTreeSet<u64>, found: &BTreeMap<u64, usize>) -> Self {
        Self {
            acknowledged: acknowledged.len(),
            lost: acknowledged.iter().filter(|number| !found.contains_key(number)).count(),
            doubled: found.values().filter(|count| **count > 1).count(),
            unanswered: found.keys().filter(|number| !acknowledged.contains(number)).count(),
            starts: Latency::default(),
        }
    }
}

/// A program of ours; killed when dropped.
struct Running(Child);

impl Running {
    fn kill(mut self) {
        self.end();
    }

    fn end(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}

fn trial(collector: &Collector, folder: &Path, kills: usize) -> Result<Outcome> {
    let place = Place::new(collector, folder)?;
    let (next, acknowledged) = (Arc::new(AtomicU64::new(0)), Arc::new(Mutex::new(BTreeSet::new())));
    let mut random = Random(0x9e37_79b9);
    let mut starts = Latency::default();
    for _ in 0..kills {
        let (running, took) = place.start()?;
        starts.add(took);
        let sender = || {
            let (next, acknowledged) = (Arc::clone(&next), Arc::clone(&acknowledged));
            let (address, path) = (place.address, collector.path.clone());
            thread::spawn(move || send(address, &path, &next, &acknowledged))
        };
        let senders: Vec<_> = (0..SENDERS).map(|_| sender()).collect();
        thread::park_timeout(random.between(LIFE.0, LIFE.1));
        running.kill();
        for sender in senders {
            sender.join().map_err(|_| anyhow::anyhow!("a sender panicked"))?;
        }
    }
    let (running, took) = place.start()?;
    starts.add(took);
    let found = numbers(&place.shell(&collector.read)?);
    running.kill();
    let acknowledged = acknowledged.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(Outcome { starts, ..Outcome::of(&acknowledged, &found) })
}

/// Where a collector's data lie and where it listens.
struct Place {
    data: PathBuf,
    address: SocketAddr,
    start: String,
}

impl Place {
    fn new(collector: &Collector, folder: &Path) -> Result<Self> {
        let data = folder.join(format!("durability-{}", collector.name.replace(|c: char| !c.is_alphanumeric(), "-")));
        std::fs::create_dir_all(&data)?;
        // The port is free now; nothing else on this machine is likely to take it before the collector does.
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        Ok(Self { data, address, start: collector.start.clone() })
    }

    fn command(&self, script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]).env("DATA", &self.data).env("PORT", self.address.port().to_string());
        command.stdin(Stdio::null()).stderr(Stdio::inherit());
        command
    }

    /// Starts it; returns once it answers, whatever it answers, and how long that took.
    fn start(&self) -> Result<(Running, Duration)> {
        let began = Instant::now();
        let running = Running(self.command(&self.start).stdout(Stdio::null()).spawn().context("cannot start sh")?);
        while began.elapsed() < START_TIME_MAX {
            let answer = Connection::open(self.address).and_then(|mut to| to.exchange("GET / HTTP/1.1\r\n", ""));
            if answer.is_ok() {
                return Ok((running, began.elapsed()));
            }
            // The condition lies in another process, which can only be asked.
            thread::park_timeout(Duration::from_millis(1));
        }
        bail!("it does not answer {START_TIME_MAX:?} after its start")
    }

    fn shell(&self, script: &str) -> Result<String> {
        let output = self.command(script).output().context("cannot start sh")?;
        if !output.status.success() {
            bail!("'{script}' ended with {}", output.status);
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

/// Posts one event after the other until the connection breaks or something else than success is answered.
fn send(address: SocketAddr, path: &str, next: &AtomicU64, acknowledged: &Mutex<BTreeSet<u64>>) {
    let Ok(mut connection) = Connection::open(address) else { return };
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        let head = format!("POST {path} HTTP/1.1\r\nContent-Type: application/json\r\n");
        match connection.exchange(&head, &marked(number)) {
            Ok(200..=299) => _ = acknowledged.lock().unwrap_or_else(PoisonError::into_inner).insert(number),
            _ => return,
        }
    }
}

/// An event of which [`numbers`] finds the number again, however its quotes are escaped.
fn marked(number: u64) -> String {
    events::launch(0, "2026-03-05", 0).replacen("organisation-0/", &format!("mark.{number}.end/"), 1)
}

/// How often each number is found.
fn numbers(text: &str) -> BTreeMap<u64, usize> {
    let mut found = BTreeMap::new();
    for rest in text.split("mark.").skip(1) {
        if let Some(number) = rest.split(".end").next().and_then(|number| number.parse().ok()) {
            *found.entry(number).or_default() += 1;
        }
    }
    found
}

/// HTTP/1.1, as much as this needs of it.
struct Connection(BufReader<TcpStream>);

impl Connection {
    fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect_timeout(&address, ANSWER_TIME_MAX)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(ANSWER_TIME_MAX))?;
        Ok(Self(BufReader::new(stream)))
    }

    /// Sends a request, of which the head lacks host and length; returns the status once the answer is here whole.
    fn exchange(&mut self, head: &str, body: &str) -> Result<u16> {
        let request = format!("{head}Host: bench\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        self.0.get_mut().write_all(request.as_bytes())?;
        let mut line = String::new();
        self.0.read_line(&mut line)?;
        let status = line.split(' ').nth(1).and_then(|status| status.parse().ok()).context("no status")?;
        let (mut length, mut is_chunked) = (0, false);
        loop {
            line.clear();
            if self.0.read_line(&mut line)? == 0 {
                bail!("the answer ends amid its head");
            }
            let Some((name, value)) = line.trim_end().split_once(':') else { break };
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.trim().parse()?,
                "transfer-encoding" => is_chunked = value.contains("chunked"),
                _ => {}
            }
        }
        if !is_chunked {
            std::io::copy(&mut (&mut self.0).take(length), &mut std::io::sink())?;
            return Ok(status);
        }
        loop {
            line.clear();
            self.0.read_line(&mut line)?;
            let length = u64::from_str_radix(line.trim(), 16)?;
            std::io::copy(&mut (&mut self.0).take(length + 2), &mut std::io::sink())?;
            if length == 0 {
                return Ok(status);
            }
        }
    }
}

/// A process that logs through `logging.FileHandler`, and says each number when the logger has returned.
fn file_handler(python: &Path, folder: &Path, kills: usize) -> Result<Outcome> {
    let file = folder.join("durability-file-handler.log");
    let mut random = Random(0x1234_5678);
    let mut acknowledged = BTreeSet::new();
    for life in 0..kills {
        let first = life as u64 * 1_000_000;
        let mut command = Command::new(python);
        command.arg(Path::new(SCRIPTS).join("log_to_file.py")).arg(&file).arg(first.to_string());
        acknowledged.extend(said_until_killed(command, random.between(LIFE.0, LIFE.1))?);
    }
    let text = std::fs::read(&file)?;
    Ok(Outcome::of(&acknowledged, &numbers(&String::from_utf8_lossy(&text))))
}

/// Lets a program run for a while, kills it, and returns the numbers that it printed, one a line.
fn said_until_killed(mut command: Command, life: Duration) -> Result<BTreeSet<u64>> {
    let mut running = Running(command.stdout(Stdio::piped()).stdin(Stdio::null()).spawn().context("cannot start")?);
    let output = running.0.stdout.take().context("standard output was piped")?;
    let mut lines = BufReader::new(output).lines();
    // The life begins with the first event, not with the start of Python.
    let mut said: BTreeSet<u64> = lines.next().transpose()?.iter().filter_map(|line| line.parse().ok()).collect();
    let reader =
        thread::spawn(move || lines.map_while(Result::ok).filter_map(|line| line.parse().ok()).collect::<Vec<u64>>());
    thread::park_timeout(life);
    running.kill();
    said.extend(reader.join().map_err(|_| anyhow::anyhow!("the reader panicked"))?);
    Ok(said)
}

/// A hub that logs through `logging.handlers.HTTPHandler` while the collector behind it dies and comes back. Returns
/// how many events it emitted, and how many of them are kept.
fn http_handler(python: &Path, collector: &Collector, folder: &Path, kills: usize) -> Result<(usize, usize)> {
    let collector = Collector { name: "behind-http-handler".into(), ..collector.clone() };
    let place = Place::new(&collector, folder)?;
    let mut random = Random(0x0bad_cafe);
    let (mut running, _) = place.start()?;
    let mut command = Command::new(python);
    command.arg(Path::new(SCRIPTS).join("log_to_http.py")).arg(place.address.to_string()).arg(&collector.path);
    command.stdout(Stdio::piped()).stdin(Stdio::piped()).stderr(Stdio::null());
    let mut hub = Running(command.spawn().context("cannot start Python")?);
    let output = hub.0.stdout.take().context("standard output was piped")?;
    let reader = thread::spawn(move || numbers_in_lines(output));
    for _ in 0..kills {
        thread::park_timeout(random.between(LIFE.0, LIFE.1));
        running.kill();
        (running, _) = place.start()?;
    }
    // It stops when its input ends.
    drop(hub.0.stdin.take());
    let emitted = reader.join().map_err(|_| anyhow::anyhow!("the reader panicked"))?;
    hub.0.wait()?;
    let found = numbers(&place.shell(&collector.read)?);
    running.kill();
    Ok((emitted.len(), emitted.iter().filter(|number| found.contains_key(number)).count()))
}

fn numbers_in_lines(output: impl Read) -> BTreeSet<u64> {
    BufReader::new(output).lines().map_while(Result::ok).filter_map(|line| line.parse().ok()).collect()
}

/// Numbers of which nothing depends but moments. After Marsaglia, "Xorshift RNGs", 2003.
struct Random(u64);

impl Random {
    fn between(&mut self, least: Duration, most: Duration) -> Duration {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        let span = u64::try_from((most - least).as_micros()).unwrap_or(u64::MAX).max(1);
        least + Duration::from_micros(self.0 % span)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_told_is_compared_with_what_is_found() {
        let text = format!("{}\n\"{}\"\n{}", marked(3), marked(4).replace('"', "\"\""), marked(4));
        let found = numbers(&text);
        assert_eq!(found, BTreeMap::from([(3, 1), (4, 2)]));
        let outcome = Outcome::of(&BTreeSet::from([4, 5, 6]), &found);
        assert_eq!((outcome.acknowledged, outcome.lost, outcome.doubled, outcome.unanswered), (3, 2, 1, 1));
    }

    #[test]
    fn a_collector_is_given_in_five_parts() {
        let collector = Collector::parse("x | exec x --port $PORT | /in | cat $DATA/log | written").unwrap();
        assert_eq!((collector.path.as_str(), collector.promise.as_str()), ("/in", "written"));
        assert!(Collector::parse("x|y").is_err());
    }
}
