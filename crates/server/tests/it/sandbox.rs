//! A server on a port of its own, over a real store, engine and door; only the journal is played.

use std::fmt::Debug;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use event::{Batch, CollectorId, Day, EventTime, ManualClock, Position};
use ingest::{Admission, Collect, CollectError, Outcomes, Receipt};
use prometheus_client::registry::Registry as MetricsRegistry;
use query::{Catalogue, Engine};
use schema::Registry;
use server::{
    Access, App, Control, ControlLines, Erasure, ErasureError, Erasures, Grant, Limits, Metrics, Note, Status, Unready,
    Verb, Vitals, Waiting,
};
use store::{Rows, Store};
use tempfile::TempDir;
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::http::{self, Answer};

/// Makes the error with which the journal fails.
pub(crate) type Failure = fn() -> CollectError;

pub(crate) const COLLECTOR: &str = "00000000000000000000000000000001";

/// The server, and what stands behind it.
#[derive(Debug)]
pub(crate) struct Sandbox {
    pub(crate) address: SocketAddr,
    pub(crate) dir: TempDir,
    pub(crate) journal: Arc<Journal>,
    pub(crate) health: Arc<Health>,
    pub(crate) erasures: Arc<Requests>,
    pub(crate) stop: CancellationToken,
    pub(crate) served: JoinHandle<()>,
}

/// How a sandbox differs from the usual.
#[derive(Debug, Default)]
pub(crate) struct Wishes {
    pub(crate) limits: Limits,
    pub(crate) notes: Vec<Note>,
    pub(crate) tokens: Tokens,
}

impl Sandbox {
    pub(crate) async fn new() -> Self {
        Self::with(Wishes::default()).await
    }

    pub(crate) async fn with(wishes: Wishes) -> Self {
        let dir = TempDir::new().unwrap();
        let registry = Registry::builtin();
        let store = Store::open(dir.path(), store::Options::default(), &registry.columns()).await.unwrap();
        let store = Arc::new(store);
        store.attach(CollectorId::from(COLLECTOR));
        let clock = Arc::new(ManualClock::new(now()));
        let journal = Arc::new(Journal::new(Arc::clone(&store)));
        let health = Arc::new(Health { journal: Arc::clone(&journal), unready: Mutex::default() });
        let erasures = Arc::new(Requests::default());
        let archive = dir.path().join("archive");
        std::fs::create_dir(&archive).unwrap();
        let engine = Engine::with_clock(store, query::Limits::default(), Arc::clone(&clock) as _).unwrap();
        let mut shown_metrics = MetricsRegistry::default();
        let metrics = Metrics::new(&mut shown_metrics);
        let app = App {
            admission: Arc::new(Admission::new(registry, ingest::Limits::default(), Arc::clone(&clock) as _)),
            collect: Arc::clone(&journal) as _,
            engine: Arc::new(engine),
            catalogue: Arc::new(Catalogue::builtin()),
            archive: Some(archive),
            status: Arc::clone(&health) as _,
            access: Arc::new(wishes.tokens),
            erasures: Arc::clone(&erasures) as _,
            metrics,
            shown_metrics,
            hub: "default".into(),
            opening_range: None,
            notes: wishes.notes,
            clock,
            limits: wishes.limits,
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let control = UnixListener::bind(dir.path().join("control.sock")).unwrap();
        let stop = CancellationToken::new();
        let serving = server::serve(listener, Some((control, Arc::new(Echo) as _)), Arc::new(app), stop.clone());
        let served = tokio::spawn(serving);
        Self { address, dir, journal, health, erasures, stop, served }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        http::exchange(self.address, &http::request("GET", path, &[], b"")).await
    }

    pub(crate) async fn post(&self, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        http::exchange(self.address, &http::request("POST", path, headers, body)).await
    }

    pub(crate) async fn post_json(&self, path: &str, body: &str) -> Answer {
        self.post(path, &[("content-type", "application/json")], body.as_bytes()).await
    }

    /// Sends events and expects that they are kept.
    pub(crate) async fn keep(&self, events: &[String]) {
        let answer = self.post_json("/api/v1/events", &format!("[{}]", events.join(","))).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
}

/// The moment at which every test happens.
pub(crate) fn now() -> EventTime {
    let noon = 12 * 3_600_000_000;
    EventTime::from_micros(Day::from_ymd(2026, 11, 21).unwrap().start().micros() + noon)
}

/// A launch of `spec`, `hours_ago` hours before now.
pub(crate) fn launch(spec: &str, hours_ago: i64) -> String {
    let time = EventTime::from_micros(now().micros() - hours_ago * 3_600_000_000);
    serde_json::json!({
        "timestamp": time.to_string(), "schema": "binderhub.jupyter.org/launch", "version": 1,
        "provider": "GitHub", "spec": spec, "status": "success",
    })
    .to_string()
}

/// Stands in for journal and pipeline: gives positions, puts rows into the store's tail, and fails when told to.
#[derive(Debug)]
pub(crate) struct Journal {
    store: Arc<Store>,
    next: Mutex<u64>,
    failure: Mutex<Option<Failure>>,
    /// While there is one, batches wait for it.
    gate: Mutex<Option<Arc<Gate>>>,
}

/// Tells that a batch waits, and lets it go on.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    pub(crate) reached: Notify,
    pub(crate) open: Notify,
}

impl Journal {
    fn new(store: Arc<Store>) -> Self {
        Self { store, next: Mutex::new(0), failure: Mutex::default(), gate: Mutex::default() }
    }

    pub(crate) fn fail(&self, with: Failure) {
        *self.failure.lock().unwrap() = Some(with);
    }

    pub(crate) fn hold(&self) -> Arc<Gate> {
        let gate = Arc::new(Gate::default());
        *self.gate.lock().unwrap() = Some(Arc::clone(&gate));
        gate
    }

    pub(crate) fn kept(&self) -> u64 {
        *self.next.lock().unwrap()
    }

    fn acknowledge(&self, batch: &Batch) -> Receipt {
        let mut next = self.next.lock().unwrap();
        let first = Position(*next);
        *next += batch.rows.len() as u64;
        self.store.acknowledge(first, Rows::build(batch));
        let outcomes = Outcomes::of(&batch.rows);
        Receipt { collector: CollectorId::from(COLLECTOR), first, outcomes, is_repeated: false }
    }
}

impl Collect for Journal {
    fn is_overloaded(&self) -> bool {
        false
    }

    fn collect(&self, batch: Batch) -> Pin<Box<dyn Future<Output = Result<Receipt, CollectError>> + Send + '_>> {
        Box::pin(async move {
            let gate = self.gate.lock().unwrap().clone();
            if let Some(gate) = gate {
                gate.reached.notify_one();
                gate.open.notified().await;
            }
            if let Some(failure) = *self.failure.lock().unwrap() {
                return Err(failure());
            }
            Ok(self.acknowledge(&batch))
        })
    }
}

/// Counts what the store holds; ready unless told otherwise.
#[derive(Debug)]
pub(crate) struct Health {
    journal: Arc<Journal>,
    pub(crate) unready: Mutex<Vec<Unready>>,
}

impl Status for Health {
    fn unready(&self) -> Vec<Unready> {
        self.unready.lock().unwrap().clone()
    }

    fn vitals(&self) -> Vitals {
        let snapshot = self.journal.store.snapshot();
        let events = snapshot.events.rows();
        Vitals {
            events,
            quarantined: snapshot.quarantine.rows(),
            newest: (self.journal.kept() > 0).then(now),
            waiting: events,
            published: None,
        }
    }
}

/// Tokens that a test made up: each secret with what it grants.
#[derive(Debug, Default)]
pub(crate) struct Tokens(pub(crate) Vec<(&'static str, Grant)>);

impl Access for Tokens {
    fn grant(&self, secret: &str) -> Option<Grant> {
        self.0.iter().find(|(known, _)| *known == secret).map(|(_, grant)| grant.clone())
    }

    fn has_tokens(&self) -> bool {
        !self.0.is_empty()
    }

    fn has_reading_tokens(&self) -> bool {
        self.0.iter().any(|(_, grant)| grant.may.allows(Verb::Query))
    }
}

/// Requests to forget somebody, which are finished when a test says so.
#[derive(Debug)]
pub(crate) struct Requests {
    /// Whom, and where; the id is the place in the list.
    pub(crate) asked: Mutex<Vec<(String, Option<String>)>>,
    pub(crate) are_finished: watch::Sender<bool>,
}

impl Default for Requests {
    fn default() -> Self {
        Self { asked: Mutex::default(), are_finished: watch::Sender::new(true) }
    }
}

impl Erasures for Requests {
    fn ask(&self, user: String, hub: Option<Arc<str>>) -> Waiting<'_, Result<String, ErasureError>> {
        Box::pin(async move {
            let mut asked = self.asked.lock().unwrap();
            match user.as_str() {
                "" => return Err(ErasureError::Impossible("a name has letters".to_owned())),
                "one too many" => return Err(ErasureError::Full("that was the last".to_owned())),
                "unlucky" => return Err(ErasureError::Internal("no disk".to_owned())),
                _ => asked.push((user, hub.map(|hub| hub.to_string()))),
            }
            Ok((asked.len() - 1).to_string())
        })
    }

    fn done<'a>(&'a self, id: &'a str) -> Waiting<'a, Result<serde_json::Value, ErasureError>> {
        Box::pin(async move {
            self.are_finished.subscribe().wait_for(|are| *are).await.unwrap();
            Ok(serde_json::json!({"certificate of": id}))
        })
    }

    fn list(&self) -> Waiting<'_, Result<Vec<Erasure>, ErasureError>> {
        Box::pin(async move {
            let asked = self.asked.lock().unwrap();
            let is_finished = *self.are_finished.borrow();
            let erasure = |(id, (_, hub)): (usize, &(String, Option<String>))| Erasure {
                id: id.to_string(),
                hub: hub.clone(),
                asked: now().to_string(),
                is_finished,
            };
            Ok(asked.iter().enumerate().map(erasure).collect())
        })
    }
}

/// A control that says what it was asked, in two lines.
#[derive(Debug)]
struct Echo;

impl Control for Echo {
    fn call(&self, verb: &str, argument: serde_json::Value) -> Option<ControlLines> {
        let lines = [serde_json::json!({"progress": 0.5}), serde_json::json!({"verb": verb, "argument": argument})];
        (verb == "echo").then(|| Box::pin(futures::stream::iter(lines)) as ControlLines)
    }
}
