//! Calls that are banned, with what to use in their place.

use super::Finding;

/// A call, where it may stand all the same, and what is right elsewhere.
#[derive(Debug)]
struct Banned {
    call: &'static str,
    /// Beginnings of paths.
    allowed: &'static [&'static str],
    instead: &'static str,
}

const BANNED: [Banned; 12] = [
    Banned { call: "dbg!(", allowed: &[], instead: "use tracing" },
    Banned { call: "todo!(", allowed: &[], instead: "write it, or leave the feature out" },
    Banned { call: "unimplemented!(", allowed: &[], instead: "write it, or leave the feature out" },
    Banned { call: "#[ignore", allowed: &[], instead: "mend the test" },
    Banned { call: "println!(", allowed: &["crates/hubscope/"], instead: "use tracing; only the program prints" },
    Banned {
        call: "process::exit(",
        // A second Ctrl-C.
        allowed: &["crates/hubscope/src/shutdown.rs"],
        instead: "return, so that everything is closed on the way out",
    },
    Banned {
        call: "env::var",
        allowed: &["crates/hubscope/src/main.rs", "crates/hubscope/src/cli/mod.rs"],
        instead: "take it as an argument; the environment is read once, with the configuration",
    },
    Banned {
        call: "SystemTime::now(",
        // The clock itself, and times that are held against those of files.
        allowed: &["crates/event/src/clock.rs", "crates/store/src/write.rs", "crates/publish/src/folder.rs"],
        instead: "take an event::Clock, which tests can move",
    },
    Banned { call: "thread::sleep(", allowed: &[], instead: "wait on a condition" },
    Banned { call: "unbounded_channel(", allowed: &[], instead: "give the queue a limit with a name" },
    Banned { call: "UnboundedSender", allowed: &[], instead: "give the queue a limit with a name" },
    Banned { call: "to_ne_bytes(", allowed: &[], instead: "formats are little-endian: to_le_bytes" },
];

/// Crates that do no I/O, and what would be some.
const PURE: [&str; 3] = ["crates/event/src/", "crates/schema/src/", "crates/insight/src/"];
const INPUT_OUTPUT: [&str; 4] = ["std::fs", "std::net", "std::process", "File::open("];

/// Calls in the code of our crates, tests within the file excepted.
pub(crate) fn check(path: &str, text: &str) -> Vec<Finding> {
    let is_shipped = path.starts_with("crates/") && path.contains("/src/");
    let is_test = path.contains("/tests/") || path.ends_with("/tests.rs");
    if !is_shipped || is_test {
        return Vec::new();
    }
    let mut found = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if line == "#[cfg(test)]" {
            break;
        }
        if line.trim_start().starts_with("//") {
            continue;
        }
        for told in breaches(path, line) {
            found.push(Finding { place: format!("{path}:{}", index + 1), told });
        }
    }
    found
}

fn breaches(path: &str, line: &str) -> Vec<String> {
    let starts_with_one_of = |beginnings: &[&str]| beginnings.iter().any(|beginning| path.starts_with(beginning));
    let banned = BANNED.iter().filter(|banned| holds(line, banned.call) && !starts_with_one_of(banned.allowed));
    let mut told: Vec<String> = banned.map(|banned| format!("calls {}: {}", banned.call, banned.instead)).collect();
    if starts_with_one_of(&PURE) {
        let calls = INPUT_OUTPUT.iter().filter(|call| holds(line, call));
        told.extend(calls.map(|call| format!("names {call}: this crate does no I/O")));
    }
    told
}

/// Whether `line` has `call` where a word begins, so that `println!` is not found in `eprintln!`.
fn holds(line: &str, call: &str) -> bool {
    let mut places = line.match_indices(call);
    places.any(|(start, _)| !line[..start].chars().next_back().is_some_and(|c| c.is_alphanumeric() || c == '_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn banned_calls_are_found_but_in_tests_comments_and_where_they_are_allowed() {
        for (path, text, count) in [
            ("crates/store/src/lib.rs", "    println!(\"x\");", 1),
            ("crates/store/src/lib.rs", "    eprintln!(\"x\");", 0),
            ("crates/store/src/lib.rs", "    // println!(\"x\");", 0),
            ("crates/store/src/lib.rs", "#[cfg(test)]\nmod tests { println!(\"x\"); }", 0),
            ("crates/hubscope/src/cli/query.rs", "    println!(\"x\");", 0),
            ("crates/store/tests/all.rs", "    println!(\"x\");", 0),
            ("crates/store/src/tests/all.rs", "    println!(\"x\");", 0),
            ("crates/query/src/lib.rs", "let now = SystemTime::now();", 1),
            ("crates/event/src/clock.rs", "let now = SystemTime::now();", 0),
            ("crates/insight/src/lib.rs", "use std::fs;", 1),
            ("crates/store/src/lib.rs", "use std::fs;", 0),
        ] {
            assert_eq!(check(path, text).len(), count, "{path}: {text}");
        }
    }
}
