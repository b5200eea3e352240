use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::{self, JoinHandle};

use crate::fs::Fs;
use crate::queue::{Entry, Queue, Task, Work};
use crate::recovery::{self, Recovery};
use crate::shared::{Shared, State, locked};
use crate::writer::{Pending, Writer};
use crate::{AppendError, MaintainError, OpenError, Options, Status};

/// Whom to tell what became of a record: its first position, or why it was not kept.
pub type Done = Box<dyn FnOnce(Result<u64, AppendError>) + Send>;

/// An open journal. Shared between threads by reference; dropping it closes it.
#[derive(Debug)]
pub struct Journal {
    pub(crate) fs: Arc<dyn Fs>,
    pub(crate) dir: PathBuf,
    pub(crate) shared: Arc<Shared>,
    pub(crate) queue: Arc<Queue>,
    writer: Mutex<Option<JoinHandle<()>>>,
    /// Held while segments are removed: one at a time, oldest first.
    pub(crate) trimming: Mutex<()>,
}

impl Journal {
    /// Opens the journal in `dir`, or creates it, with the folder. Reads every segment through; memory is bounded by
    /// one record. The caller makes sure that no other process uses the folder.
    ///
    /// # Errors
    /// [`OpenError`]; never because of damaged records, those are in the [`Recovery`].
    pub fn open(dir: &Path, fs: Arc<dyn Fs>, options: Options) -> Result<(Self, Recovery), OpenError> {
        options.check()?;
        let mut opened = recovery::open(&fs, dir)?;
        let recovery = opened.recovery.clone();
        let segments = std::mem::take(&mut opened.segments).into();
        let (damaged, former) = (opened.damaged, opened.former);
        let state = State { id: opened.id, next: recovery.next, segments, damaged, former, ..State::default() };
        let shared = Arc::new(Shared { state: Mutex::new(state) });
        if !recovery.accounts_for(opened.held) {
            shared.broken("J2", "a start found positions that are neither in a record nor reported as missing");
        }
        let queue = Arc::new(Queue::new(options));
        let writer = Writer::new(Arc::clone(&fs), dir.to_owned(), options, Arc::clone(&shared), opened);
        let handle = spawn(writer, Arc::clone(&queue), Arc::clone(&shared))
            .map_err(OpenError::io("start the writer's thread for", dir))?;
        let writer = Mutex::new(Some(handle));
        let journal = Self { fs, dir: dir.to_owned(), shared, queue, writer, trimming: Mutex::default() };
        Ok((journal, recovery))
    }

    /// The id that this journal was given at random when it was created (or renewed).
    pub fn id(&self) -> u128 {
        locked(&self.shared.state).id
    }

    /// Hands a record over: `payload` is kept as it is, and takes `count` positions (one at least). Never blocks.
    ///
    /// `done` is called once: on the writer's thread, in the order of positions, after the fsync that covers the record
    /// (it should be quick, for the next group waits for it, and must not wait for [`Journal::trim`] or
    /// [`Journal::renew`], which wait for the writer); or, when the record is refused at once (overloaded, too large,
    /// closed, poisoned), on this thread before this returns.
    pub fn append(&self, payload: Vec<u8>, count: u32, done: Done) {
        if locked(&self.shared.state).poisoned.is_some() {
            return done(Err(AppendError::Poisoned));
        }
        if let Err((entry, error)) = self.queue.push(Entry { payload, count, done }) {
            (entry.done)(Err(error));
        }
    }

    /// Begins a new journal in the same folder: a new id, positions from 0. What the old one held is moved to the
    /// subfolder `former/` and no longer replayed. For a table that is ahead of its journal (one of them was restored
    /// from a copy): its positions must not be given out a second time.
    ///
    /// Waits for the records appended before it; blocks for a few fsyncs.
    ///
    /// # Errors
    /// [`MaintainError`]; on `DiskFull` nothing has changed.
    pub fn renew(&self) -> Result<u128, MaintainError> {
        let _alone = locked(&self.trimming);
        self.ask(Task::Renew)
    }

    /// Finds out whether there is room for writing again, after [`AppendError::DiskFull`] or
    /// [`AppendError::QuotaReached`], without keeping anything. Waits for its turn, and for an fsync.
    ///
    /// # Errors
    /// [`MaintainError::DiskFull`]: not yet.
    pub fn probe(&self) -> Result<(), MaintainError> {
        self.ask(Task::Probe)
    }

    /// Begins a new segment, unless the last one holds nothing yet, so that everything before can go when it is
    /// committed elsewhere. Waits for the records appended before it.
    ///
    /// # Errors
    /// [`MaintainError`]; on `DiskFull` nothing has changed.
    pub fn rotate(&self) -> Result<(), MaintainError> {
        self.ask(|answer| Task::Roll(u64::MAX, answer)).map(drop)
    }

    /// A picture of the journal as it is now.
    pub fn status(&self) -> Status {
        let (queue_bytes, queue_records) = self.queue.load();
        let state = locked(&self.shared.state);
        Status {
            id: state.id,
            first: state.segments.front().map_or(state.next, |segment| segment.first),
            next: state.next,
            segments: state.segments.len() as u64,
            bytes: state.segments.iter().map(|segment| segment.bytes).sum(),
            queue_bytes,
            queue_records,
            poisoned: state.poisoned.clone(),
            disk_full: state.disk_full,
            quota_reached: state.quota_reached,
            damaged: state.damaged,
            former: state.former,
            invariants_broken: state.invariants_broken,
            closed: self.queue.is_closed(),
            groups: state.groups,
            records: state.records,
            fsync: state.fsync.clone(),
        }
    }

    /// Takes nothing more in, writes what waits, and returns when the writer has ended (at once when called by a
    /// `done`). May be called more than once.
    pub fn close(&self) {
        self.queue.close();
        let handle = locked(&self.writer).take();
        if let Some(handle) = handle.filter(|handle| handle.thread().id() != thread::current().id()) {
            // The writer catches its panics; should one escape, it has been reported by the panic hook.
            let _ = handle.join();
        }
    }

    /// Has the writer do something, in its turn, and waits for the answer.
    pub(crate) fn ask<T>(
        &self,
        task: impl FnOnce(mpsc::Sender<Result<T, AppendError>>) -> Task,
    ) -> Result<T, MaintainError> {
        let (answer, answered) = mpsc::channel();
        if !self.queue.push_task(task(answer)) {
            return Err(MaintainError::Closed);
        }
        match answered.recv() {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(AppendError::DiskFull | AppendError::QuotaReached)) => Err(MaintainError::DiskFull),
            Ok(Err(AppendError::Poisoned)) => Err(MaintainError::Poisoned),
            Ok(Err(_)) | Err(_) => Err(MaintainError::Closed),
        }
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.close();
    }
}

fn spawn(writer: Writer, queue: Arc<Queue>, shared: Arc<Shared>) -> std::io::Result<JoinHandle<()>> {
    thread::Builder::new().name("journal-writer".into()).spawn(move || {
        let mut writer = writer;
        // A panic (of a `done`, most likely) must not leave callers waiting: the journal goes on refusing.
        while catch_unwind(AssertUnwindSafe(|| run(&mut writer, &queue))).is_err() {
            shared.poison("the journal's writer panicked".into());
        }
    })
}

fn run(writer: &mut Writer, queue: &Queue) {
    loop {
        match queue.take() {
            Work::Group(group, bytes) => {
                let records = group.len() as u64;
                let _release = Release { queue, bytes, records };
                write_group(writer, group);
            }
            // Whoever asked may have gone; the work is done all the same.
            Work::Task(Task::Roll(through, answer)) => _ = answer.send(writer.roll(through)),
            Work::Task(Task::Probe(answer)) => _ = answer.send(writer.probe()),
            Work::Task(Task::Renew(answer)) => _ = answer.send(writer.renew()),
            Work::End => return,
        }
    }
}

fn write_group(writer: &mut Writer, group: Vec<Entry>) {
    let pending: Vec<_> = group.iter().map(|entry| Pending { payload: &entry.payload, count: entry.count }).collect();
    let outcome = writer.commit(&pending);
    let mut next = outcome.unwrap_or_default();
    for entry in group {
        let first = next;
        next += u64::from(entry.count);
        (entry.done)(outcome.map(|_| first));
    }
}

/// Gives a group's bytes back to the queue, also when a `done` panics.
struct Release<'a> {
    queue: &'a Queue,
    bytes: u64,
    records: u64,
}

impl Drop for Release<'_> {
    fn drop(&mut self) {
        self.queue.release(self.bytes, self.records);
    }
}
