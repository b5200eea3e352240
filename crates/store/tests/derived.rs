//! Derived folders: the old state or the new one after any crash, and no flipped bit goes unseen.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::json;
use store::disk::{Disk, DiskFile, RealDisk};
use store::{Derived, DurableFs, NewFile};

fn file(stem: &str, bytes: &[u8]) -> NewFile {
    NewFile::Bytes { stem: stem.to_owned(), extension: "bin", bytes: bytes.to_vec() }
}

/// The files of a folder by the stems of their names, as the manifest gives them.
fn contents(derived: &Derived) -> BTreeMap<String, Vec<u8>> {
    let Some(manifest) = derived.manifest().unwrap() else { return BTreeMap::new() };
    let stem = |name: &str| name.rsplit_once('-').unwrap().0.to_owned();
    manifest.files.keys().map(|name| (stem(name), derived.read(&manifest, name).unwrap())).collect()
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn what_is_put_in_is_what_comes_out_and_the_rest_is_gone() {
    let root = tempfile::tempdir().unwrap();
    let derived = Derived::new(root.path(), "things", DurableFs::default());
    assert_eq!(derived.manifest().unwrap(), None);
    assert_eq!(derived.clear().unwrap(), Vec::<String>::new());
    let first = derived.replace(json!({"version": 1}), vec![file("a", b"one"), file("b", b"two")]).unwrap();
    assert_eq!((first.written.len(), first.removed.len()), (2, 0));
    let kept = first.manifest.files.keys().next().unwrap().clone();
    assert!(kept.starts_with("a-") && kept.ends_with(".bin"), "{kept}");
    let second =
        derived.replace(json!({"version": 2}), vec![NewFile::Kept(kept.clone()), file("b", b"three")]).unwrap();
    assert_eq!((second.written.len(), second.removed.len()), (1, 1));
    assert_eq!(contents(&derived), [("a".into(), b"one".to_vec()), ("b".into(), b"three".to_vec())].into());
    assert_eq!(derived.manifest().unwrap().unwrap().of, json!({"version": 2}));
    assert_eq!(names(derived.dir()).len(), 3);
    // The same again writes nothing but the manifest.
    let again = derived.replace(json!({"version": 2}), vec![file("a", b"one"), file("b", b"three")]).unwrap();
    assert_eq!((again.written.len(), again.removed.len()), (0, 0));
    assert_eq!(again.manifest, second.manifest);
    for wrong in [NewFile::Kept("nobody".into()), file("../a", b"x"), file("", b"x"), file(".a", b"x")] {
        derived.replace(json!(3), vec![wrong]).unwrap_err();
    }
    assert_eq!(derived.manifest().unwrap().unwrap().of, json!({"version": 2}));
    assert_eq!(derived.clear().unwrap().len(), 2);
    assert_eq!(derived.manifest().unwrap(), None);
    assert!(names(derived.dir()).is_empty());
}

#[test]
fn every_flipped_bit_is_found_and_made_good() {
    let root = tempfile::tempdir().unwrap();
    let derived = Derived::new(root.path(), "things", DurableFs::default());
    let files = || vec![file("a", b"some bytes"), file("b", b"")];
    let manifest = derived.replace(json!({"x": [1, 2]}), files()).unwrap().manifest;
    assert_eq!(derived.verify().2.len(), 0);
    for name in names(derived.dir()) {
        let path = derived.dir().join(&name);
        let whole = std::fs::read(&path).unwrap();
        for byte in 0..whole.len() {
            let mut flipped = whole.clone();
            flipped[byte] ^= 1 << (byte % 8);
            std::fs::write(&path, &flipped).unwrap();
            let faults = derived.verify().2;
            assert!(faults.iter().any(|fault| fault.path == path), "{name} byte {byte}");
            if name != "manifest" {
                derived.read(&manifest, &name).unwrap_err();
            }
        }
        for cut in 0..whole.len() {
            std::fs::write(&path, &whole[..cut]).unwrap();
            assert!(!derived.verify().2.is_empty(), "{name} cut at {cut}");
        }
        derived.replace(json!({"x": [1, 2]}), files()).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), whole, "{name} was made again, the same");
        if !whole.is_empty() {
            std::fs::remove_file(&path).unwrap();
            assert!(name == "manifest" || !derived.verify().2.is_empty(), "{name} is missing");
            derived.replace(json!({"x": [1, 2]}), files()).unwrap();
        }
    }
}

/// Does what the real disk does until a number of changes is reached; then every one fails.
#[derive(Debug)]
struct DyingDisk {
    left: Arc<AtomicU64>,
}

impl DyingDisk {
    fn spend(&self) -> io::Result<()> {
        let lived = self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        lived.map(drop).map_err(|_| io::Error::other("the disk is gone"))
    }
}

impl Disk for DyingDisk {
    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.spend().and_then(|()| RealDisk.create_dir(path))
    }

    fn create_file(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.spend().and_then(|()| RealDisk.create_file(path))
    }

    fn append_file(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.spend().and_then(|()| RealDisk.append_file(path))
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.spend().and_then(|()| RealDisk.sync_dir(path))
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.spend().and_then(|()| RealDisk.link(from, to))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.spend().and_then(|()| RealDisk.rename(from, to))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.spend().and_then(|()| RealDisk.remove(path))
    }
}

#[test]
fn a_writer_that_dies_anywhere_leaves_the_old_state_or_the_new_one() {
    let old: BTreeMap<String, Vec<u8>> = [("a".into(), b"old".to_vec()), ("b".into(), b"same".to_vec())].into();
    let new: BTreeMap<String, Vec<u8>> = [("a".into(), b"new".to_vec()), ("b".into(), b"same".to_vec())].into();
    let files = |of: &BTreeMap<String, Vec<u8>>| of.iter().map(|(stem, bytes)| file(stem, bytes)).collect();
    let mut outcomes = [0, 0];
    for lives in 0.. {
        let root = tempfile::tempdir().unwrap();
        let healthy = Derived::new(root.path(), "things", DurableFs::default());
        healthy.replace(json!("old"), files(&old)).unwrap();
        let disk = DyingDisk { left: Arc::new(AtomicU64::new(lives)) };
        let died =
            Derived::new(root.path(), "things", DurableFs::new(Arc::new(disk))).replace(json!("new"), files(&new));
        let (found, of) = (contents(&healthy), healthy.manifest().unwrap().unwrap().of);
        match of.as_str() {
            Some("old") => assert_eq!(found, old, "after {lives} changes"),
            Some("new") => assert_eq!(found, new, "after {lives} changes"),
            other => panic!("{other:?}"),
        }
        outcomes[usize::from(of == json!("new"))] += 1;
        // Whoever comes next ends it, and leaves nothing behind.
        healthy.replace(json!("new"), files(&new)).unwrap();
        assert_eq!(contents(&healthy), new);
        assert_eq!(names(healthy.dir()).len(), 3);
        if died.is_ok() {
            break;
        }
    }
    assert!(outcomes[0] > 3 && outcomes[1] > 1, "{outcomes:?}: the death came before and after the change");
}
