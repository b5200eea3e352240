//! One history: a few lives of the program on one disk, each ended by a crash somewhere.

use std::sync::{Arc, LazyLock};

use event::{RequestKey, SystemClock};
use ingest::{Admission, Collect as _, Limits, Method, Request};
use journal::simulation::Random;
use schema::Registry;

use super::machine::Machine;
use super::model::{Check, Model, Sent, Told, Totals, ensure};
use crate::config::{Config, Layers};
use crate::pipeline::{Pipeline, Shortage};

/// Lives before the last, in which nothing fails.
const LIVES: u64 = 3;

/// Steps of a life at most.
const STEPS_MAX: u64 = 10;

static ADMISSION: LazyLock<Arc<Admission>> =
    LazyLock::new(|| Arc::new(Admission::new(Registry::builtin(), Limits::default(), Arc::new(SystemClock))));

/// Limits so small that segments end and flushes come all the time.
static CONFIG: LazyLock<Config> = LazyLock::new(|| {
    let environment = [
        ("HUBSCOPE_JOURNAL__SEGMENT_SIZE", "1 KiB"),
        ("HUBSCOPE_JOURNAL__QUOTA", "12 KiB"),
        ("HUBSCOPE_HTTP__BODY_SIZE_MAX", "4 KiB"),
        ("HUBSCOPE_STORE__FLUSH_SIZE", "2 KiB"),
        ("HUBSCOPE_STORE__RESERVE", "64 KiB"),
    ];
    let mut layers = Layers::default();
    layers.environment(&environment.map(|(name, value)| (name.to_owned(), value.to_owned())).into()).unwrap();
    layers.config().unwrap()
});

pub(super) struct History {
    machine: Machine,
    random: Random,
    model: Model,
    serial: u64,
}

impl History {
    /// Runs the history of this seed, on a disk that says of some syncs that they were done and does nothing.
    pub(super) async fn run_on_liar(seed: u64, below: &str, folders: bool) -> Result<Totals, String> {
        let history = Self::new(seed);
        history.machine.disk.ignore_syncs(&history.machine.root.join(below), folders);
        history.whole().await
    }

    /// Runs the history of this seed.
    pub(super) async fn run(seed: u64) -> Result<Totals, String> {
        Self::new(seed).whole().await
    }

    fn new(seed: u64) -> Self {
        let random = Random::new(seed ^ 0x9177);
        Self { machine: Machine::new(seed), random, model: Model::default(), serial: 0 }
    }

    async fn whole(self) -> Result<Totals, String> {
        let mut history = self;
        for life in 0..LIVES {
            history.live(life).await.map_err(|complaint| format!("life {life}: {complaint}"))?;
        }
        let pipeline = history.start().await.map_err(|error| format!("the last start failed: {error:#}"))?;
        history.model.check(&pipeline)?;
        // Whatever the disk has been through: with room and without faults, everything goes on.
        history.send(&pipeline).await?;
        pipeline.flush().await.map_err(|error| format!("the last flush failed: {error:#}"))?;
        history.model.check(&pipeline)?;
        let last = history.model.sent.last().map(|sent| sent.told.clone());
        ensure(matches!(last, Some(Told::Kept(..))), || format!("the last request was told {last:?}"))?;
        pipeline.close().await.map_err(|error| format!("the last stop failed: {error:#}"))?;
        Ok(history.model.totals)
    }

    async fn start(&self) -> anyhow::Result<Pipeline> {
        Pipeline::open(&self.machine.folder, self.machine.disks(), &CONFIG, Arc::clone(&ADMISSION)).await
    }

    /// A start, some steps, and a crash.
    async fn live(&mut self, life: u64) -> Check {
        self.injure(life);
        match self.start().await {
            Ok(pipeline) => {
                if self.machine.disk.stopped() {
                    self.model.totals.starts_cut_off += 1;
                } else {
                    self.model.check(&pipeline).map_err(|complaint| format!("at the start: {complaint}"))?;
                    pipeline.hold_reserve();
                }
                for step in 0..self.random.below(STEPS_MAX) {
                    self.step(&pipeline).await.map_err(|complaint| format!("step {step}: {complaint}"))?;
                }
                // Whatever has failed: what was acknowledged can be read.
                self.model.check(&pipeline).map_err(|complaint| format!("before the end: {complaint}"))?;
                if self.random.one_in(4) {
                    // A clean stop; it may fail, as the disk may.
                    let _ = pipeline.close().await;
                }
            }
            Err(error) => {
                self.model.totals.starts_cut_off += 1;
                self.excused(format!("a start failed: {error:#}"))?;
            }
        }
        let takes_power = !self.random.one_in(3);
        let count = if takes_power { &mut self.model.totals.power_cuts } else { &mut self.model.totals.process_ends };
        *count += 1;
        self.machine.crash(takes_power);
        Ok(())
    }

    /// Errors of a disk that was told to fail are none of ours.
    fn excused(&self, error: String) -> Check {
        let injected = ["simulated", "Input/output error", "os error 5", "storage"];
        ensure(injected.iter().any(|cause| error.contains(cause)), || error)
    }

    /// Decides what will go wrong in this life.
    fn injure(&mut self, life: u64) {
        let disk = self.machine.disk.clone();
        // The first start makes tables and journal, which is most of what it does.
        let reach = if life == 0 { 160 } else { 60 };
        if self.random.one_in(2) {
            disk.stop_after(1 + self.random.below(reach));
        }
        if self.random.one_in(6) {
            disk.fail_sync_after(self.random.below(12));
        }
        if self.random.one_in(10) {
            disk.fail_dir_sync_after(self.random.below(20));
        }
        if self.random.one_in(10) {
            disk.fail_rename_after(self.random.below(8));
        }
    }

    async fn step(&mut self, pipeline: &Pipeline) -> Check {
        match self.random.below(20) {
            0..=9 => self.send(pipeline).await?,
            10 => self.retry(pipeline).await?,
            11..=13 => {
                self.model.totals.flushes += 1;
                self.model.totals.flushes_failed += u64::from(pipeline.flush().await.is_err());
            }
            14 | 15 => self.model.totals.compactions += u64::from(pipeline.store.compact().await.is_ok()),
            16 | 17 => {
                let room = self.random.below(6_000);
                self.machine.disk.set_capacity(Some(self.machine.used() + room));
            }
            _ => self.make_room(pipeline).await?,
        }
        if self.random.one_in(3) { self.model.check(pipeline) } else { Ok(()) }
    }

    /// Somebody tidies the disk up: what was refused for want of room is taken again, without a request having to try.
    async fn make_room(&mut self, pipeline: &Pipeline) -> Check {
        self.machine.disk.set_capacity(None);
        let before = pipeline.shortage();
        let is_sound = || !self.machine.disk.stopped() && pipeline.journal_status().poisoned.is_none();
        let found = pipeline.look_for_room();
        if before == Some(Shortage::Disk) && is_sound() {
            let again = found.is_ok_and(|again| again) && pipeline.shortage().is_none();
            if again {
                self.model.totals.room_found_again += 1;
            }
            // A quota may stand in the way, which only a flush removes.
            let quota = pipeline.journal_status().quota_reached;
            ensure(again || quota || !is_sound(), || "there is room, and it was not found".into())?;
        }
        Ok(())
    }

    async fn send(&mut self, pipeline: &Pipeline) -> Check {
        let mut events = Vec::new();
        for _ in 0..=self.random.below(4) {
            self.serial += 1;
            events.push((self.serial, !self.random.one_in(4)));
        }
        let key = self.random.one_in(3).then(|| format!("key of {}", self.serial));
        self.model.sent.push(Sent { events, key, told: Told::Refused });
        self.deliver(pipeline, self.model.sent.len() - 1).await
    }

    /// Sends a request with a key once more.
    async fn retry(&mut self, pipeline: &Pipeline) -> Check {
        let keyed: Vec<usize> = (0..self.model.sent.len()).filter(|at| self.model.sent[*at].key.is_some()).collect();
        let Some(choice) = keyed.get(usize::try_from(self.random.below(keyed.len() as u64)).unwrap()) else {
            return Ok(());
        };
        self.deliver(pipeline, *choice).await
    }

    async fn deliver(&mut self, pipeline: &Pipeline, index: usize) -> Check {
        let sent = &self.model.sent[index];
        let mut batch = ADMISSION.admit(request(&sent.events), "default".into()).map_err(|refusal| refusal.detail)?;
        batch.key = sent.key.as_ref().map(|key| RequestKey { name: key.as_str().into(), digest: [7; 32] });
        let answer = pipeline.collect(batch).await;
        let is_kept = answer.is_ok();
        self.model.answered(index, answer)?;
        // S3: whoever was told may ask.
        if is_kept { self.model.check(pipeline) } else { Ok(()) }
    }
}

/// Launches, and events of a schema that nobody registered.
fn request(events: &[(u64, bool)]) -> Request {
    let line = |(serial, is_launch): &(u64, bool)| {
        let schema = if *is_launch { "binderhub.jupyter.org/launch" } else { "example.org/nobody-registered-this" };
        format!(
            r#"{{"spec": "o/{serial}/HEAD", "timestamp": "2026-03-01T12:00:00Z", "schema": "{schema}", "version": 3, "provider": "GitHub", "status": "success"}}"#
        )
    };
    let body: Vec<String> = events.iter().map(line).collect();
    Request {
        method: Method::Post,
        content_type: Some("application/x-ndjson".into()),
        content_encoding: None,
        query: None,
        body: body.join("\n").into(),
    }
}
