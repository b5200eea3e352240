//! The bounded queue before the writer: callers never wait in it, the writer takes whole groups.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, mpsc};

use crate::options::ENTRY_OVERHEAD_BYTES;
use crate::shared::locked;
use crate::{AppendError, Done, Options};

/// A record with whom to tell.
pub(crate) struct Entry {
    pub(crate) payload: Vec<u8>,
    pub(crate) count: u32,
    pub(crate) done: Done,
}

impl Entry {
    fn cost(&self) -> u64 {
        self.payload.len() as u64 + ENTRY_OVERHEAD_BYTES
    }
}

/// What the writer does beside writing. The answer goes through the channel.
#[derive(Debug)]
pub(crate) enum Task {
    /// Begin a new segment if everything is below this position.
    Roll(u64, mpsc::Sender<Result<bool, AppendError>>),
    /// Find out whether there is room again.
    Probe(mpsc::Sender<Result<(), AppendError>>),
    /// Begin a new journal.
    Renew(mpsc::Sender<Result<u128, AppendError>>),
}

enum Item {
    Record(Entry),
    Task(Task),
}

/// What the writer has to do next.
pub(crate) enum Work {
    /// Write these together, then call [`Queue::release`] with the number.
    Group(Vec<Entry>, u64),
    Task(Task),
    /// Closed, and nothing waits any more.
    End,
}

#[derive(Default)]
struct Waiting {
    items: VecDeque<Item>,
    /// Bytes and records in `items` and in the group being written.
    bytes: u64,
    records: u64,
    closed: bool,
}

pub(crate) struct Queue {
    waiting: Mutex<Waiting>,
    filled: Condvar,
    options: Options,
}

impl std::fmt::Debug for Queue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Queue").field("load", &self.load()).finish_non_exhaustive()
    }
}

impl Queue {
    pub(crate) fn new(options: Options) -> Self {
        Self { waiting: Mutex::default(), filled: Condvar::new(), options }
    }

    /// Adds a record, or gives it back with the reason, at once.
    pub(crate) fn push(&self, entry: Entry) -> Result<(), (Entry, AppendError)> {
        let bytes = entry.payload.len() as u64;
        if bytes > self.options.record_bytes_max {
            return Err((entry, AppendError::TooLarge { bytes, limit: self.options.record_bytes_max }));
        }
        if entry.count == 0 {
            return Err((entry, AppendError::Empty));
        }
        let mut waiting = locked(&self.waiting);
        if waiting.closed {
            return Err((entry, AppendError::Closed));
        }
        // A record alone always fits, however the overhead and the limits are set.
        if waiting.records > 0 && waiting.bytes.saturating_add(entry.cost()) > self.options.queue_bytes_max {
            return Err((entry, AppendError::Overloaded));
        }
        waiting.bytes += entry.cost();
        waiting.records += 1;
        waiting.items.push_back(Item::Record(entry));
        drop(waiting);
        self.filled.notify_one();
        Ok(())
    }

    /// Adds records in one go, so that a test knows which of them make a group.
    #[cfg(test)]
    pub(crate) fn push_together(&self, entries: Vec<Entry>) {
        let mut waiting = locked(&self.waiting);
        waiting.bytes += entries.iter().map(Entry::cost).sum::<u64>();
        waiting.records += entries.len() as u64;
        waiting.items.extend(entries.into_iter().map(Item::Record));
        drop(waiting);
        self.filled.notify_one();
    }

    /// Adds a task behind the records that wait; `false` when the queue is closed.
    pub(crate) fn push_task(&self, task: Task) -> bool {
        let mut waiting = locked(&self.waiting);
        if waiting.closed {
            return false;
        }
        waiting.items.push_back(Item::Task(task));
        drop(waiting);
        self.filled.notify_one();
        true
    }

    /// Waits for work. A group is everything that waits, in order, up to `group_bytes_max` and at least one record.
    pub(crate) fn take(&self) -> Work {
        let mut waiting = locked(&self.waiting);
        loop {
            match waiting.items.pop_front() {
                Some(Item::Task(task)) => return Work::Task(task),
                Some(Item::Record(first)) => return self.group(&mut waiting, first),
                None if waiting.closed => return Work::End,
                None => waiting = self.filled.wait(waiting).unwrap_or_else(std::sync::PoisonError::into_inner),
            }
        }
    }

    fn group(&self, waiting: &mut Waiting, first: Entry) -> Work {
        let mut bytes = first.cost();
        let mut group = vec![first];
        while let Some(Item::Record(next)) = waiting.items.front() {
            if bytes + next.cost() > self.options.group_bytes_max {
                break;
            }
            bytes += next.cost();
            if let Some(Item::Record(entry)) = waiting.items.pop_front() {
                group.push(entry);
            }
        }
        Work::Group(group, bytes)
    }

    /// Makes room for others once a group's payloads are freed.
    pub(crate) fn release(&self, bytes: u64, records: u64) {
        let mut waiting = locked(&self.waiting);
        waiting.bytes = waiting.bytes.saturating_sub(bytes);
        waiting.records = waiting.records.saturating_sub(records);
    }

    /// Takes nothing more in; what waits is still handed out.
    pub(crate) fn close(&self) {
        locked(&self.waiting).closed = true;
        self.filled.notify_all();
    }

    /// Bytes and records waiting or being written.
    pub(crate) fn load(&self) -> (u64, u64) {
        let waiting = locked(&self.waiting);
        (waiting.bytes, waiting.records)
    }

    pub(crate) fn is_closed(&self) -> bool {
        locked(&self.waiting).closed
    }
}
