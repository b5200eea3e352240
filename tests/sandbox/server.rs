//! The running program.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::program::{Ended, TIME_LIMIT, rows, wait};
use crate::{Client, Response};

/// What the program prints before the address on which it listens.
const ANNOUNCED: &str = "http://";

/// A program that was started to serve; killed when dropped.
#[derive(Debug)]
pub struct Server {
    child: Child,
    address: SocketAddr,
    output: Output,
}

/// What came of starting it.
#[derive(Debug)]
pub enum Listening {
    /// It listens.
    Yes(Server),
    /// It ended before.
    No(Ended, Option<i32>),
}

/// What the program prints, gathered by threads of ours so that it never waits for a reader.
#[derive(Debug)]
struct Output {
    stdout: Arc<Mutex<String>>,
    stderr: Arc<Mutex<String>>,
    readers: Vec<thread::JoinHandle<()>>,
}

impl Server {
    /// Starts `command` and waits until it says on which address it listens.
    ///
    /// # Panics
    /// When it ends instead, or says nothing for [`TIME_LIMIT`].
    pub fn started(command: Command) -> Self {
        match Self::start(command) {
            Listening::Yes(server) => server,
            Listening::No(ended, signal) => panic!("did not come to listen (signal {signal:?}): {ended:#?}"),
        }
    }

    /// Starts `command` and waits until it listens or ends.
    ///
    /// # Panics
    /// When it cannot be started, or does neither for [`TIME_LIMIT`].
    pub fn start(mut command: Command) -> Listening {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
        let (output, addresses) = Output::gather(&mut child);
        match addresses.recv_timeout(TIME_LIMIT) {
            Ok(address) => Listening::Yes(Self { child, address, output }),
            Err(mpsc::RecvTimeoutError::Timeout) => {
                child.kill().expect("our own child can be killed");
                panic!("{command:?} said no address within {TIME_LIMIT:?}: {:#?}", output.ended(None));
            }
            // Standard output was closed without an address: it is ending.
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                let status = wait(&mut child, TIME_LIMIT).expect("it ends once its output is closed");
                Listening::No(output.ended(status.code()), status.signal())
            }
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A connection to it.
    ///
    /// # Panics
    /// When it refuses.
    pub fn client(&self) -> Client {
        Client::connect(self.address).expect("the program listens")
    }

    /// Sends one request on a connection of its own.
    ///
    /// # Panics
    /// When the answer does not come whole.
    pub fn get(&self, path: &str) -> Response {
        self.client().get(path).expect("an answer")
    }

    /// Sends one event or several as JSON, on a connection of its own.
    ///
    /// # Panics
    /// When the answer does not come whole.
    pub fn post_events(&self, body: &[u8]) -> Response {
        self.client().post("/api/v1/events", "application/json", body).expect("an answer")
    }

    /// The rows that its query door answers.
    ///
    /// # Panics
    /// When it does not answer 200, or the answer was cut.
    #[track_caller]
    pub fn query(&self, sql: &str) -> Vec<Value> {
        let body = json!({ "sql": sql, "limit": 1_000_000 }).to_string();
        let answer = self.client().post("/api/v1/query", "application/json", body.as_bytes()).expect("an answer");
        assert_eq!(answer.status, 200, "{}", answer.text());
        rows(&answer.text())
    }

    /// Waits until it says that it is ready.
    ///
    /// # Panics
    /// When it does not within `limit`.
    pub fn wait_until_ready(&self, limit: Duration) {
        self.wait_until(limit, || self.get("/readyz").status == 200);
    }

    /// Waits until `holds`, which asks the program.
    ///
    /// # Panics
    /// When it does not within `limit`.
    pub fn wait_until(&self, limit: Duration, holds: impl Fn() -> bool) {
        let end = std::time::Instant::now() + limit;
        while !holds() {
            assert!(std::time::Instant::now() < end, "not within {limit:?}: {}", self.get("/readyz").text());
            // The condition lies in another process, which can only be asked.
            thread::park_timeout(Duration::from_millis(20));
        }
    }

    /// The most memory that it has held so far, in bytes, as the system counts what is really there (`VmHWM`).
    ///
    /// # Panics
    /// When the system does not say, or the program has ended.
    pub fn memory_peak(&self) -> u64 {
        self.memory("VmHWM:")
    }

    /// The memory that it holds at this moment, in bytes (`VmRSS`).
    ///
    /// # Panics
    /// As [`Server::memory_peak`].
    pub fn memory_now(&self) -> u64 {
        self.memory("VmRSS:")
    }

    fn memory(&self, name: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("the system counts memory");
        let kibibytes = line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number of kB");
        kibibytes << 10
    }

    /// Ends it at once, as a power cut does to a process: nothing of its own runs any more.
    ///
    /// # Panics
    /// When the system refuses.
    pub fn kill(&mut self) {
        self.child.kill().expect("our own child can be killed");
    }

    /// Asks it to stop, as a service manager does.
    ///
    /// # Panics
    /// When the system refuses.
    pub fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// Asks it to stop, as Ctrl-C does.
    ///
    /// # Panics
    /// When the system refuses.
    pub fn interrupt(&self) {
        self.signal(Signal::INT);
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("our own child can be signalled");
    }

    /// Waits for its end: how it ended, and by which signal if one ended it.
    ///
    /// # Panics
    /// When it lasts longer than `limit`.
    pub fn ended_within(mut self, limit: Duration) -> (Ended, Option<i32>) {
        let Some(status) = wait(&mut self.child, limit) else {
            self.kill();
            panic!("did not end within {limit:?}");
        };
        let output = std::mem::replace(&mut self.output, Output::none());
        (output.ended(status.code()), status.signal())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Fails only if it has ended already, which is as well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Output {
    fn none() -> Self {
        Self { stdout: Arc::default(), stderr: Arc::default(), readers: Vec::new() }
    }

    /// Reads both outputs; the channel gives the address, and closes when standard output does.
    fn gather(child: &mut Child) -> (Self, Receiver<SocketAddr>) {
        let stdout = child.stdout.take().expect("standard output was piped");
        let stderr = child.stderr.take().expect("standard error was piped");
        let (sender, addresses) = mpsc::channel();
        let mut output = Self::none();
        let kept = Arc::clone(&output.stdout);
        output.readers.push(thread::spawn(move || {
            read_lines(stdout, &kept, |line| {
                if let Some(address) = announced(line) {
                    // The test may have ended before; then nobody wants to know.
                    let _ = sender.send(address);
                }
            });
        }));
        let kept = Arc::clone(&output.stderr);
        output.readers.push(thread::spawn(move || read_lines(stderr, &kept, |_| {})));
        (output, addresses)
    }

    /// All of it; waits until the program has ended, which closes both.
    fn ended(self, code: Option<i32>) -> Ended {
        for reader in self.readers {
            reader.join().expect("readers do not panic");
        }
        let text = |kept: &Mutex<String>| kept.lock().expect("readers do not panic").clone();
        Ended { code, stdout: text(&self.stdout), stderr: text(&self.stderr) }
    }
}

fn read_lines(stream: impl Read, kept: &Mutex<String>, mut each: impl FnMut(&str)) {
    for line in BufReader::new(stream).split(b'\n') {
        // The pipe breaks when the program is killed; what came until then is kept.
        let Ok(line) = line else { return };
        let line = String::from_utf8_lossy(&line);
        let mut kept = kept.lock().expect("the test does not panic with it");
        kept.push_str(&line);
        kept.push('\n');
        drop(kept);
        each(&line);
    }
}

/// The address in a line such as `listening on http://127.0.0.1:8080`.
fn announced(line: &str) -> Option<SocketAddr> {
    let (_, rest) = line.split_once(ANNOUNCED)?;
    let end = rest.find(|c: char| c.is_whitespace() || c == '/').unwrap_or(rest.len());
    rest.get(..end)?.parse().ok()
}
