//! Load from many connections: single events and batches, launches and what belongs in quarantine.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use acceptance::{Client, Random};
use serde_json::json;

use crate::ledger::Ledger;

/// Connections at a time: enough that a group commit covers several requests.
const CONNECTIONS: u64 = 12;
/// Longest batch. With twelve connections a group then holds some hundred events, a few times per segment.
const BATCH_EVENTS_MAX: u64 = 24;

/// Senders that go on until the connection breaks, the program refuses, or the test says so.
#[derive(Debug)]
pub(crate) struct Load {
    enough: Arc<AtomicBool>,
    senders: Vec<JoinHandle<()>>,
}

impl Load {
    /// Starts sending. `name` makes the ids of this load unlike those of every other.
    pub(crate) fn start(address: SocketAddr, ledger: &Arc<Ledger>, name: &str, random: &mut Random) -> Self {
        let enough = Arc::new(AtomicBool::new(false));
        let sender = |number: u64| {
            let (ledger, enough) = (Arc::clone(ledger), Arc::clone(&enough));
            let random = Random::new(random.number());
            let events = Events { name: format!("{name}-{number}"), next: 0, random };
            thread::spawn(move || send(address, &ledger, events, &enough))
        };
        let senders = (0..CONNECTIONS).map(sender).collect();
        Self { enough, senders }
    }

    /// Stops sending after the requests under way.
    pub(crate) fn enough(&self) {
        self.enough.store(true, Ordering::SeqCst);
    }

    /// Waits until the last sender has stopped.
    pub(crate) fn ended(self) {
        for sender in self.senders {
            sender.join().expect("senders do not panic");
        }
    }
}

fn send(address: SocketAddr, ledger: &Ledger, mut events: Events, enough: &AtomicBool) {
    // The program may be dead already: then there is nothing to send.
    let Ok(mut client) = Client::connect(address) else { return };
    while !enough.load(Ordering::SeqCst) {
        let request = events.request();
        ledger.sending(&request.events);
        match request.send(&mut client) {
            Ok(200) => ledger.answered(&request.events, 200),
            Ok(status) => return ledger.answered(&request.events, status),
            // Killed amid it: nobody knows what became of the request, and the ledger says so.
            Err(_) => return,
        }
    }
}

/// The events of one sender, each with an id of its own.
#[derive(Debug)]
struct Events {
    name: String,
    next: u64,
    random: Random,
}

#[derive(Debug)]
struct Request {
    /// Id, and whether it is a launch.
    events: Vec<(String, bool)>,
    content_type: &'static str,
    body: Vec<u8>,
}

impl Events {
    /// One event, an array or lines.
    fn request(&mut self) -> Request {
        let count = match self.random.between(0, 2) {
            0 => 1,
            _ => self.random.between(1, BATCH_EVENTS_MAX + 1),
        };
        let (mut events, mut texts) = (Vec::new(), Vec::new());
        for _ in 0..count {
            let (id, is_launch, text) = self.event();
            events.push((id, is_launch));
            texts.push(text);
        }
        let (content_type, body) = match self.random.between(0, 2) {
            _ if count == 1 => ("application/json", texts.concat()),
            0 => ("application/json", format!("[{}]", texts.join(", "))),
            _ => ("application/x-ndjson", texts.join("\n")),
        };
        Request { events, content_type, body: body.into_bytes() }
    }

    /// A launch, or in one of seven cases an event of a schema that nobody registered. The id stands in `spec` of both.
    fn event(&mut self) -> (String, bool, String) {
        let id = format!("load/{}-{}/HEAD", self.name, self.next);
        self.next += 1;
        let is_launch = self.random.between(0, 7) > 0;
        let schema = if is_launch { "binderhub.jupyter.org/launch" } else { "example.org/nobody-registered-this" };
        let (day, minute) = (self.random.between(1, 4), self.random.between(0, 60));
        let event = json!({
            "timestamp": format!("2024-03-{day:02}T12:{minute:02}:07.000042Z"),
            "schema": schema,
            "version": 3,
            "provider": "GitHub",
            "spec": id,
            "status": "success",
            "origin": "load.example.org",
        });
        (id, is_launch, event.to_string())
    }
}

impl Request {
    fn send(&self, client: &mut Client) -> io::Result<u16> {
        Ok(client.post("/api/v1/events", self.content_type, &self.body)?.status)
    }
}
