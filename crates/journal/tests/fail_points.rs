//! The fail points do what their names say. One test, because they are global to the process.
//! `cargo test -p journal --features failpoints --test fail_points`

use std::sync::{Arc, mpsc};

use journal::{AppendError, Journal, MaintainError, Options, RealFs};

fn append(journal: &Journal) -> Result<u64, AppendError> {
    let (answer, answers) = mpsc::channel();
    journal.append(vec![1; 100], 1, Box::new(move |outcome| answer.send(outcome).expect("the test listens")));
    answers.recv().expect("an answer")
}

#[test]
fn each_point_fails_its_operation() {
    let dir = tempfile::tempdir().expect("a folder");
    let open = || Journal::open(dir.path(), Arc::new(RealFs), Options::default()).expect("opened").0;
    let set = |point, action| fail::cfg(point, action).expect("a valid action");

    let journal = open();
    assert_eq!(append(&journal), Ok(0));
    set("journal::append", "1*return(full)");
    assert_eq!(append(&journal), Err(AppendError::DiskFull));
    assert_eq!(append(&journal), Ok(1), "there is room again");

    set("journal::remove_segment", "1*return");
    assert!(matches!(journal.trim(2), Err(MaintainError::Io { action: "remove", .. })));
    assert_eq!(journal.trim(2).map(|trimmed| trimmed.segments).expect("trimmed"), 1, "the next call goes on");

    for (point, next) in [("journal::append", 2), ("journal::fsync", 2), ("journal::fsynced", 2)] {
        let journal = if journal.status().poisoned.is_none() { &journal } else { &open() };
        assert_eq!(journal.status().next, next, "{point}");
        set(point, "1*return");
        assert_eq!(append(journal), Err(AppendError::Poisoned), "{point}");
        assert_eq!(append(journal), Err(AppendError::Poisoned), "{point}: until restart");
        assert!(journal.status().poisoned.is_some_and(|reason| reason.contains(point)), "{point}");
    }
}
