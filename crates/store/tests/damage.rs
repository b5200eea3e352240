//! Damage: any flipped bit is found and its file named; what is read is what was written, or an error.

mod support;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use event::{CollectorId, Position};
use store::{FaultKind, Progress, Rows, Selection, Store, Table, Verified, verify_files};
use support::*;

fn silent() -> Progress {
    Arc::new(|_| {})
}

fn checked(root: &Path) -> Verified {
    verify_files(&root.canonicalize().unwrap(), &silent()).unwrap()
}

/// The files that faults name.
fn named(verified: &Verified) -> Vec<&str> {
    verified.faults.first.iter().filter_map(|fault| fault.file.as_deref()).collect()
}

/// Every file of the tables, relative to the folder of data.
fn files(root: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for table in Table::ALL {
        for folder in [format!("tables/{}", table.name()), format!("tables/{}/_delta_log", table.name())] {
            for entry in std::fs::read_dir(root.join(&folder)).unwrap() {
                let entry = entry.unwrap();
                if entry.file_type().unwrap().is_file() {
                    found.push(format!("{folder}/{}", entry.file_name().to_str().unwrap()));
                }
            }
        }
    }
    found.sort();
    found
}

async fn small(root: &Path) -> Store {
    let store = open(root).await;
    store.acknowledge(Position(0), Rows::build(&batch(vec![admitted("a", NOON), quarantined("b")])));
    store.flush().await.unwrap();
    store
}

/// Flips one bit of a file, and puts it back when dropped.
struct Flipped {
    path: PathBuf,
    right: Vec<u8>,
}

impl Flipped {
    fn new(path: &Path, byte: usize, bit: u8) -> Self {
        let right = std::fs::read(path).unwrap();
        let mut wrong = right.clone();
        wrong[byte] ^= 1 << bit;
        std::fs::write(path, wrong).unwrap();
        Self { path: path.to_owned(), right }
    }
}

impl Drop for Flipped {
    fn drop(&mut self) {
        std::fs::write(&self.path, &self.right).unwrap();
    }
}

/// The texts of both tables, or the error of the first part that could not be read.
fn read(store: &Store) -> Result<Vec<String>, String> {
    read_of(store, &Table::ALL)
}

fn read_of(store: &Store, tables: &[Table]) -> Result<Vec<String>, String> {
    let snapshot = store.snapshot();
    let mut texts = Vec::new();
    for table in tables.iter().copied() {
        for batch in store.scan(table, &snapshot).read() {
            let batch = batch.map_err(|error| format!("{error}: {:?}", std::error::Error::source(&error)))?;
            texts.extend(text_of(&batch, "text").into_iter().flatten());
        }
    }
    texts.sort();
    Ok(texts)
}

/// With `HUBSCOPE_LONG`, everything; else every so-manieth.
fn every(step: usize) -> usize {
    if std::env::var_os("HUBSCOPE_LONG").is_some() { 1 } else { step }
}

#[tokio::test]
async fn every_byte_of_a_small_table_is_watched() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let store = small(root).await;
    assert!(checked(root).is_sound());
    let mut flips = 0;
    for file in files(root) {
        let bytes = std::fs::metadata(root.join(&file)).unwrap().len() as usize;
        // A folder that links to the one file alone, so that a look is short.
        let alone = tempfile::tempdir().unwrap();
        let link = alone.path().join(&file);
        std::fs::create_dir_all(link.parent().unwrap()).unwrap();
        std::fs::hard_link(root.join(&file), link).unwrap();
        std::fs::create_dir(alone.path().join("state")).unwrap();
        std::fs::copy(root.join("state/sums.jsonl"), alone.path().join("state/sums.jsonl")).unwrap();
        for byte in 0..bytes {
            let flipped = Flipped::new(&root.join(&file), byte, (byte % 8) as u8);
            let found = checked(alone.path());
            assert_eq!(named(&found), [file.as_str()], "byte {byte} of {file}");
            assert_eq!(found.faults.first[0].kind, FaultKind::Damaged);
            assert!(found.faults.first[0].bytes.as_ref().unwrap().contains(&(byte as u64)));
            if file.ends_with(".parquet") {
                let table = if file.contains("/events/") { Table::Events } else { Table::Quarantine };
                let error = read_of(&store, &[table]).unwrap_err();
                assert!(error.contains(file.rsplit('/').next().unwrap()), "byte {byte} of {file}: {error}");
            }
            drop(flipped);
            flips += 1;
        }
    }
    assert!(flips > 10_000 && checked(root).is_sound(), "{flips}");
    assert_eq!(read(&store).unwrap(), ["a", "b"]);
}

#[tokio::test]
async fn a_damaged_log_is_not_believed() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let right = read(&small(root).await).unwrap();
    for file in files(root).iter().filter(|file| file.contains("/_delta_log/")) {
        let bytes = std::fs::metadata(root.join(file)).unwrap().len() as usize;
        for byte in (0..bytes).step_by(every(97)) {
            let flipped = Flipped::new(&root.join(file), byte, (byte % 8) as u8);
            let opened = Store::open(root, small_options(), &columns()).await;
            let error = opened.err().map(|error| format!("{error:?}")).unwrap_or_default();
            assert!(error.contains(file.rsplit('/').next().unwrap()), "byte {byte} of {file}: {error}");
            drop(flipped);
        }
    }
    assert_eq!(read(&open(root).await).unwrap(), right);
}

/// Rows of a part of [`larger`].
const ROWS: u64 = 16;

/// Parts of several blocks, each of whose rows hold its number.
async fn larger(root: &Path) -> Store {
    let store = open(root).await;
    let mut random = Random(7);
    for part in 0..3_u64 {
        // Texts that do not compress, so that a part has many blocks.
        let rows = (0..ROWS).map(|_| {
            let noise: String = (0..500).map(|_| format!("{:016x}", random.next())).collect();
            admitted(&format!("part {part} {noise}"), NOON)
        });
        store.acknowledge(Position(part * ROWS), Rows::build(&batch(rows.collect())));
        store.flush().await.unwrap();
    }
    store
}

/// Steele and others' SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

#[tokio::test]
async fn random_bits_in_larger_parts_never_change_an_answer() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let store = larger(root).await;
    let snapshot = store.snapshot();
    let parts: Vec<PathBuf> =
        snapshot.events.parts.iter().map(|part| store.table_dir(Table::Events).join(&*part.path)).collect();
    assert!(snapshot.events.parts.iter().all(|part| part.size > 3 * 32_768), "several blocks each");
    let read_part = |index: usize| -> Result<Vec<String>, String> {
        let mut one = snapshot.events.clone();
        one.parts = vec![snapshot.events.parts[index].clone()].into();
        let mut texts = Vec::new();
        for batch in store::Scan::new(Table::Events, store.table_dir(Table::Events), &one).select(Selection::All).read()
        {
            texts.extend(text_of(&batch.map_err(|error| format!("{error:?}"))?, "text").into_iter().flatten());
        }
        Ok(texts)
    };
    let right: Vec<Vec<String>> = (0..parts.len()).map(|index| read_part(index).unwrap()).collect();
    let mut random = Random(11);
    let flips = if every(2) == 1 { 100_000 } else { 2_000 };
    for flip in 0..flips {
        let part = (random.next() % 3) as usize;
        let bytes = snapshot.events.parts[part].size;
        let (byte, bit) = ((random.next() % bytes) as usize, (random.next() % 8) as u8);
        let flipped = Flipped::new(&parts[part], byte, bit);
        let name = parts[part].file_name().unwrap().to_str().unwrap();
        let error = read_part(part).expect_err("every block of the part is read");
        assert!(error.contains(name), "flip {flip}, byte {byte}: {error}");
        if flip % 50 == 0 {
            // The damage is confined to its part, and the whole file's sum tells of it too.
            for other in (0..parts.len()).filter(|other| *other != part) {
                assert_eq!(read_part(other).unwrap(), right[other]);
            }
            let found = checked(root);
            assert!(named(&found).len() == 1 && named(&found)[0].ends_with(name), "flip {flip}: {found:?}");
        }
        drop(flipped);
    }
    assert_eq!((0..parts.len()).map(|index| read_part(index).unwrap()).collect::<Vec<_>>(), right);
}

#[tokio::test]
async fn the_table_is_compared_with_its_files() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let store = larger(root).await;
    store
        .import(&CollectorId::of_import("x"), vec![unit(day("2021-11-01"), 1, vec![admitted("i", NOON)])])
        .await
        .unwrap();
    let sound = store.verify(silent()).await.unwrap();
    assert!(sound.is_sound(), "{:?}", sound.faults);
    assert_eq!((sound.adopted.count, sound.orphans.count), (0, 0));
    assert_eq!(sound.journals[journal().as_str()].rows, 3 * ROWS);
    assert_eq!(sound.files as usize, files(root).len());
    // A part that nobody wrote: cost only.
    let part = store.table_dir(Table::Events).join(&*store.snapshot().events.parts[0].path);
    let stray = store.table_dir(Table::Events).join("part-00000000000000000000000000000000.parquet");
    std::fs::copy(&part, &stray).unwrap();
    let found = store.verify(silent()).await.unwrap();
    assert!(found.is_sound());
    assert_eq!((found.adopted.count, found.orphans.count), (1, 1));
    std::fs::write(&stray, "not Parquet").unwrap();
    std::fs::remove_file(&stray).unwrap();
    // A part that is gone: named, and its positions are missing.
    std::fs::remove_file(&part).unwrap();
    let found = store.verify(silent()).await.unwrap();
    let kinds: Vec<FaultKind> = found.faults.first.iter().map(|fault| fault.kind).collect();
    assert_eq!(kinds, [FaultKind::Missing, FaultKind::Unreadable], "{:?}", found.faults);
    drop(store);
    // Another program's commit that takes a part out without saying so leaves positions without rows.
    let other = tempfile::tempdir().unwrap();
    let store = larger(other.path()).await;
    let path = store.snapshot().events.parts[1].path.to_string();
    let log = store.table_dir(Table::Events).join("_delta_log");
    let next = (0..).map(|n| log.join(format!("{n:020}.json"))).find(|path| !path.exists()).unwrap();
    let remove = format!("{{\"remove\":{{\"path\":\"{path}\",\"dataChange\":true,\"deletionTimestamp\":1}}}}\n");
    std::fs::write(next, remove).unwrap();
    drop(store);
    let store = open(other.path()).await;
    let found = store.verify(silent()).await.unwrap();
    assert_eq!(found.faults.first.iter().map(|fault| fault.kind).collect::<Vec<_>>(), [FaultKind::Gap]);
    assert!(found.faults.first[0].detail.contains("16 to 32"), "{:?}", found.faults);
    assert_eq!((found.adopted.count, found.orphans.count), (1, 1), "the foreign commit, the part taken out");
    // A commit that is gone.
    let log = store.table_dir(Table::Events).join("_delta_log");
    std::fs::remove_file(log.join("00000000000000000001.json")).unwrap();
    let found = store.verify(silent()).await.unwrap();
    assert!(found.faults.first.iter().any(|fault| fault.kind == FaultKind::LogGap), "{:?}", found.faults);
}

#[tokio::test]
async fn files_without_a_sum_are_decoded_and_get_one() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    drop(small(root).await);
    let sums = root.join("state/sums.jsonl");
    let whole = std::fs::read_to_string(&sums).unwrap();
    assert_eq!(whole.lines().count(), files(root).len());
    std::fs::remove_file(&sums).unwrap();
    // One that cannot be decoded is not given a sum.
    let part = files(root).into_iter().find(|file| file.ends_with(".parquet")).unwrap();
    let flipped = Flipped::new(&root.join(&part), 1_000, 3);
    let found = checked(root);
    let decodable = named(&found).is_empty();
    drop(flipped);
    assert!(decodable || named(&found) == [part.as_str()]);
    if decodable {
        // The bit lay where decoding alone cannot see it: that is what the sums are for.
        std::fs::remove_file(&sums).unwrap();
    }
    let adopted = checked(root).adopted.count;
    assert!(adopted >= 1);
    let found = checked(root);
    assert!(found.is_sound() && found.adopted.count == 0, "{found:?}");
    let lines = |text: &str| {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert_eq!(
        lines(&std::fs::read_to_string(&sums).unwrap()),
        lines(&whole),
        "the same sums as when they were written"
    );
}
