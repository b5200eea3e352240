//! The order of things on disk, over the whole way of an event: what is answered, linked and removed, and what was
//! synced before.

#[cfg(feature = "failpoints")]
mod simulation;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use event::{Clock, SystemClock};
use ingest::{Limits, Method, Request};
use journal::{Fs, FsFile, RealFs};
use schema::Registry;
use store::disk::{Disk, DiskFile, RealDisk};

use super::*;
use crate::config::Layers;

/// One thing that happened, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    JournalWritten(PathBuf),
    JournalSynced(PathBuf),
    SegmentRemoved(PathBuf),
    FileWritten(PathBuf),
    FileSynced(PathBuf),
    FolderSynced(PathBuf),
    Linked { from: PathBuf, to: PathBuf },
    Answered,
}

#[derive(Clone, Debug, Default)]
struct Trace(Arc<Mutex<Vec<Step>>>);

impl Trace {
    fn add(&self, step: Step) {
        self.0.lock().unwrap().push(step);
    }

    fn steps(&self) -> Vec<Step> {
        self.0.lock().unwrap().clone()
    }
}

#[derive(Debug)]
struct RecordingFs(Trace);

#[derive(Debug)]
struct RecordingSegment(Trace, PathBuf, Box<dyn FsFile>);

impl Fs for RecordingFs {
    fn create_dir(&self, dir: &Path) -> io::Result<bool> {
        RealFs.create_dir(dir)
    }
    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        RealFs.list(dir)
    }
    fn create(&self, path: &Path) -> io::Result<Box<dyn FsFile>> {
        Ok(Box::new(RecordingSegment(self.0.clone(), path.into(), RealFs.create(path)?)))
    }
    fn open(&self, path: &Path) -> io::Result<Box<dyn FsFile>> {
        RealFs.open(path)
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        RealFs.rename(from, to)
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        self.0.add(Step::SegmentRemoved(path.into()));
        RealFs.remove(path)
    }
    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        RealFs.sync_dir(dir)
    }
    fn random(&self) -> io::Result<u128> {
        RealFs.random()
    }
}

impl FsFile for RecordingSegment {
    fn len(&self) -> io::Result<u64> {
        self.2.len()
    }
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.2.read_at(offset, buffer)
    }
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<usize> {
        self.0.add(Step::JournalWritten(self.1.clone()));
        self.2.write_at(offset, bytes)
    }
    fn set_len(&self, len: u64) -> io::Result<()> {
        self.2.set_len(len)
    }
    fn sync_data(&self) -> io::Result<()> {
        self.2.sync_data()?;
        self.0.add(Step::JournalSynced(self.1.clone()));
        Ok(())
    }
}

#[derive(Debug)]
struct RecordingDisk(Trace);

#[derive(Debug)]
struct RecordingFile(Trace, PathBuf, Box<dyn DiskFile>);

impl Write for RecordingFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.add(Step::FileWritten(self.1.clone()));
        self.2.write(bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        self.2.flush()
    }
}

impl DiskFile for RecordingFile {
    fn sync(&mut self) -> io::Result<()> {
        self.2.sync()?;
        self.0.add(Step::FileSynced(self.1.clone()));
        Ok(())
    }
}

impl Disk for RecordingDisk {
    fn create_dir(&self, path: &Path) -> io::Result<()> {
        RealDisk.create_dir(path)
    }
    fn create_file(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(RecordingFile(self.0.clone(), path.into(), RealDisk.create_file(path)?)))
    }
    fn append_file(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(RecordingFile(self.0.clone(), path.into(), RealDisk.append_file(path)?)))
    }
    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        RealDisk.sync_dir(path)?;
        self.0.add(Step::FolderSynced(path.into()));
        Ok(())
    }
    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        RealDisk.link(from, to)?;
        self.0.add(Step::Linked { from: from.into(), to: to.into() });
        Ok(())
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        RealDisk.rename(from, to)
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        RealDisk.remove(path)
    }
}

/// Says what is wrong with the order of `steps`, if anything is.
fn fault_in(steps: &[Step]) -> Option<String> {
    let last = |before: usize, wanted: &dyn Fn(&Step) -> bool| steps[..before].iter().rposition(wanted);
    for (index, step) in steps.iter().enumerate() {
        match step {
            Step::Answered => {
                let written = last(index, &|step| matches!(step, Step::JournalWritten(_)));
                let synced = last(index, &|step| matches!(step, Step::JournalSynced(_)));
                if synced <= written {
                    return Some(format!("step {index}: answered before the fsync"));
                }
            }
            Step::Linked { from, to } => {
                let written = last(index, &|step| *step == Step::FileWritten(from.clone()));
                let synced = last(index, &|step| *step == Step::FileSynced(from.clone()));
                if synced <= written {
                    return Some(format!("step {index}: {} linked before its bytes were synced", to.display()));
                }
            }
            Step::SegmentRemoved(segment) => {
                let written = last(index, &|step| *step == Step::JournalWritten(segment.clone()));
                let committed = last(index, &is_commit_of_events);
                let durable =
                    last(index, &|step| matches!(step, Step::FolderSynced(dir) if dir.ends_with("events/_delta_log")));
                if committed <= written || durable <= committed {
                    return Some(format!("step {index}: a segment went before the commit that covers it was durable"));
                }
            }
            _ => {}
        }
    }
    None
}

fn is_commit_of_events(step: &Step) -> bool {
    matches!(step, Step::Linked { to, .. } if to.parent().is_some_and(|dir| dir.ends_with("events/_delta_log")))
}

fn launch(number: u32) -> Request {
    let body = format!(
        r#"{{"timestamp": "{}", "schema": "binderhub.jupyter.org/launch", "version": 1, "provider": "GitHub", "spec": "o/r/{number}", "status": "success"}}"#,
        SystemClock.now()
    );
    Request { method: Method::Post, content_type: None, content_encoding: None, query: None, body: body.into() }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_answered_linked_or_removed_before_what_it_stands_on_is_durable() {
    let folder = tempfile::tempdir().unwrap();
    let folder = Folder::create(folder.path()).unwrap();
    let trace = Trace::default();
    let disks = Disks {
        journal: Arc::new(RecordingFs(trace.clone())),
        table: DurableFs::new(Arc::new(RecordingDisk(trace.clone()))),
    };
    let environment = [("HUBSCOPE_JOURNAL__SEGMENT_SIZE".to_owned(), "2 KiB".to_owned())];
    let mut layers = Layers::default();
    layers.environment(&environment.into()).unwrap();
    let config = layers.config().unwrap();
    let admission = Arc::new(Admission::new(Registry::builtin(), Limits::default(), Arc::new(SystemClock)));
    let pipeline = Pipeline::open(&folder, disks, &config, Arc::clone(&admission)).await.unwrap();
    for number in 0..60 {
        let batch = admission.admit(launch(number), "default".into()).unwrap();
        pipeline.collect(batch).await.unwrap();
        trace.add(Step::Answered);
        if number % 20 == 10 {
            pipeline.flush().await.unwrap();
        }
    }
    pipeline.close().await.unwrap();

    let steps = trace.steps();
    assert_eq!(fault_in(&steps), None);
    assert_eq!(steps.iter().filter(|step| **step == Step::Answered).count(), 60);
    assert!(steps.iter().filter(|step| matches!(step, Step::SegmentRemoved(_))).count() >= 3, "segments went");
    assert!(steps.iter().filter(|step| is_commit_of_events(step)).count() >= 4, "commits came");
    the_check_sees_each_fault(&steps);
}

/// A check that cannot fail proves nothing: without any one kind of sync it must complain.
fn the_check_sees_each_fault(steps: &[Step]) {
    let kinds: [fn(&Step) -> bool; 4] = [
        |step| matches!(step, Step::JournalSynced(_)),
        |step| matches!(step, Step::FileSynced(_)),
        |step| matches!(step, Step::FolderSynced(_)),
        is_commit_of_events,
    ];
    for left_out in kinds {
        let faulty: Vec<Step> = steps.iter().filter(|step| !left_out(step)).cloned().collect();
        assert!(fault_in(&faulty).is_some());
    }
}
