//! The simulated disk is as bad as it should be, and no worse.

use std::path::Path;

use crate::fs::{Fs, write_fully};
use crate::simulation::SimulatedDisk;

fn write(disk: &SimulatedDisk, bytes: &[u8], sync_file: bool, sync_name: bool) {
    let file = disk.create(Path::new("/f")).expect("created");
    write_fully(file.as_ref(), 0, bytes).expect("written");
    if sync_file {
        file.sync_data().expect("synced");
    }
    if sync_name {
        disk.sync_dir(Path::new("/")).expect("synced");
    }
}

/// What is left of 2,000 bytes, over many seeds.
fn left(sync_file: bool, sync_name: bool) -> Vec<Option<Vec<u8>>> {
    let outcome = |seed| {
        let disk = SimulatedDisk::new(seed);
        write(&disk, &[7; 2000], sync_file, sync_name);
        disk.power_loss();
        disk.contents(Path::new("/f"))
    };
    (0..200).map(outcome).collect()
}

#[test]
fn what_was_synced_stays() {
    assert!(left(true, true).iter().all(|bytes| bytes.as_deref() == Some(&[7; 2000])));
}

#[test]
fn a_name_that_was_not_synced_may_go_or_stay() {
    let outcomes = left(true, false);
    assert!(outcomes.contains(&None) && outcomes.iter().any(Option::is_some));
}

#[test]
fn bytes_that_were_not_synced_are_kept_lost_torn_or_reordered() {
    let outcomes: Vec<_> = left(false, true).into_iter().map(|bytes| bytes.expect("its name was synced")).collect();
    assert!(outcomes.contains(&vec![7; 2000]), "kept");
    assert!(outcomes.contains(&Vec::new()), "lost");
    assert!(outcomes.iter().any(|bytes| !bytes.is_empty() && bytes.len() % 512 != 0 && bytes.len() < 2000), "torn");
    assert!(outcomes.iter().any(|bytes| bytes.starts_with(&[0; 512]) && bytes.ends_with(&[7])), "reordered");
}

/// The trap that J3 is about: after a failed fsync the bytes can be read, a second fsync succeeds, and they are lost.
#[test]
fn a_second_fsync_after_a_failed_one_saves_nothing() {
    let lost = (0..50).filter(|seed| {
        let disk = SimulatedDisk::new(*seed);
        let file = disk.create(Path::new("/f")).expect("created");
        disk.sync_dir(Path::new("/")).expect("synced");
        write_fully(file.as_ref(), 0, &[7; 600]).expect("written");
        disk.fail_sync_after(0);
        file.sync_data().expect_err("the first fsync fails");
        file.sync_data().expect("the second succeeds");
        assert_eq!(disk.contents(Path::new("/f")), Some(vec![7; 600]));
        disk.power_loss();
        disk.contents(Path::new("/f")) != Some(vec![7; 600])
    });
    assert!(lost.count() > 10);
}

#[test]
fn a_full_disk_takes_what_fits_and_then_says_so() {
    let disk = SimulatedDisk::new(1);
    disk.set_capacity(Some(100));
    let file = disk.create(Path::new("/f")).expect("created");
    let error = write_fully(file.as_ref(), 0, &[7; 101]).expect_err("it does not fit");
    assert_eq!(error.kind(), std::io::ErrorKind::StorageFull);
    assert_eq!(file.len().expect("a length"), 100);
}
