//! A disk that is really full: a small file system in memory, in a user namespace of its own, which needs no root.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use acceptance::{Random, Sandbox, Server, TIME_LIMIT, wrapped};

use crate::ledger::{Ledger, Told};
use crate::load::Load;
use crate::oracle::{ALL_ROWS, check_tables};
use crate::skipped;

/// The disk, and what of it the program keeps free.
const DISK: &str = "size=24m";
const SMALL: [(&str, &str); 5] = [
    ("HUBSCOPE_STORE__RESERVE", "4 MiB"),
    ("HUBSCOPE_STORE__FLUSH_INTERVAL", "1 h"),
    ("HUBSCOPE_STORE__COMMIT_INTERVAL", "10 ms"),
    ("HUBSCOPE_JOURNAL__SEGMENT_SIZE", "256 KiB"),
    ("HUBSCOPE_ARCHIVE__ENABLED", "false"),
];

/// Senders are served again within this time of room. What the program promises is five seconds.
const RESUMES_WITHIN: Duration = Duration::from_secs(5);

/// A file system of its own that lasts as long as this value: a process holds it that waits for its input to end.
struct SmallDisk {
    holder: Child,
    mounted: PathBuf,
}

impl SmallDisk {
    /// `None` where that is not allowed.
    fn mount(at: &Path) -> Option<Self> {
        fs::create_dir_all(at).expect("a folder can be made");
        let script = format!("mount -t tmpfs -o {DISK} tmpfs \"$0\" && echo mounted && exec cat");
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--mount", "sh", "-c", &script]).arg(at);
        let mut holder = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().ok()?;
        let mut said = [0; 8];
        let mounted = holder.stdout.as_mut().is_some_and(|out| std::io::Read::read_exact(out, &mut said).is_ok());
        if !mounted {
            let _ = holder.wait();
            return None;
        }
        let seen = Path::new("/proc").join(holder.id().to_string()).join("root");
        let mounted = seen.join(at.strip_prefix("/").expect("an absolute path"));
        Some(Self { holder, mounted })
    }

    fn enter(&self, command: &Command) -> Command {
        let holder = self.holder.id().to_string();
        wrapped(command, &["nsenter", "--target", &holder, "--user", "--mount", "--preserve-credentials", "--"])
    }

    /// Fills it to the last byte; returns the file that does.
    fn fill(&self) -> PathBuf {
        let path = self.mounted.join("somebody-elses");
        let mut file = fs::File::create(&path).expect("a file can be made");
        for length in [1 << 16, 1 << 12, 1] {
            let zeros = vec![0; length];
            while file.write_all(&zeros).is_ok() {}
        }
        path
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Its input ends with it.
        drop(self.holder.stdin.take());
        let _ = self.holder.wait();
    }
}

#[test]
fn a_full_disk_refuses_keeps_everything_stops_cleanly_and_goes_on_by_itself() {
    let sandbox = Sandbox::new();
    let Some(disk) = SmallDisk::mount(&sandbox.data()) else {
        return skipped("user namespaces are not allowed here");
    };
    let ledger = Arc::new(Ledger::default());
    let serve = || Server::started(disk.enter(&sandbox.serve_command(&SMALL)));
    let server = serve();
    load(&server, &ledger, "before", 60);
    let filler = disk.fill();
    let senders = Load::start(server.address(), &ledger, "full", &mut Random::new(21));
    ledger.wait_for_refusal(TIME_LIMIT);
    senders.enough();
    senders.ended();
    let sent = ledger.events();
    assert!(sent.values().any(|sent| sent.told == Told::Refused(507)), "nobody was told 507");
    let unready = server.get("/readyz");
    assert!(unready.status == 503 && unready.text().contains("disk_full"), "{}", unready.text());
    check_tables(&ledger, &server.query(ALL_ROWS));

    // Somebody tidies up: the program notices without being asked.
    fs::remove_file(&filler).expect("it lies there");
    let began = Instant::now();
    server.wait_until_ready(TIME_LIMIT);
    let took = began.elapsed();
    assert!(took <= RESUMES_WITHIN, "took {took:?}");
    load(&server, &ledger, "after", 60);
    check_tables(&ledger, &server.query(ALL_ROWS));

    // Full again, and stopped: what waits is written into the room that was kept for that.
    disk.fill();
    server.terminate();
    let (ended, _) = server.ended_within(TIME_LIMIT);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert!(ended.stderr.contains("kept free"), "{}", ended.stderr);

    // A start on a full disk comes to listen, reads what there is, and says what is wrong.
    disk.fill();
    let server = serve();
    check_tables(&ledger, &server.query(ALL_ROWS));
    assert_eq!(server.post_events(br#"{"a": 1}"#).status, 507);
    assert!(server.get("/readyz").text().contains("disk_full"));
    fs::remove_file(&filler).expect("it lies there");
    server.wait_until_ready(TIME_LIMIT);
    load(&server, &ledger, "at last", 20);
    check_tables(&ledger, &server.query(ALL_ROWS));
    server.terminate();
    let (ended, _) = server.ended_within(TIME_LIMIT);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
}

fn load(server: &Server, ledger: &Arc<Ledger>, name: &str, answers: u64) {
    let load = Load::start(server.address(), ledger, name, &mut Random::new(answers));
    ledger.wait_for_answers(ledger.answers() + answers, TIME_LIMIT);
    load.enough();
    load.ended();
}
