//! A hub that is not one: whatever it answers, a poll tells the truth or that it could not.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use event::{Clock, EventTime, ManualClock, SystemClock};
use poll::{Address, Chosen, Client, Limits, Poller, Problem, Refused, Settings, Tell, Token};
use proptest::prelude::*;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Answers each connection with what `answer` makes of its request line.
async fn hub(answer: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static) -> (u16, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let asked: Arc<Mutex<Vec<String>>> = Arc::default();
    let (heard, answer) = (Arc::clone(&asked), Arc::new(answer));
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (heard, answer) = (Arc::clone(&heard), Arc::clone(&answer));
            tokio::spawn(async move {
                let mut request = Vec::new();
                let mut chunk = [0_u8; 1_024];
                while !request.windows(4).any(|end| end == b"\r\n\r\n") {
                    match stream.read(&mut chunk).await {
                        Ok(0) | Err(_) => return,
                        Ok(read) => request.extend_from_slice(&chunk[..read]),
                    }
                }
                let request = String::from_utf8_lossy(&request).into_owned();
                let line = request.lines().next().unwrap_or_default().to_owned();
                heard.lock().unwrap().push(request);
                let _ = stream.write_all(&answer(&line)).await;
                let _ = stream.shutdown().await;
            });
        }
    });
    (port, asked)
}

fn http(status: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n{headers}\r\n{body}").into_bytes()
}

fn ok(body: &Value) -> Vec<u8> {
    http("200 OK", "Date: Sat, 21 Nov 2026 12:00:00 GMT\r\n", &body.to_string())
}

fn client(port: u16, limits: Limits) -> Client {
    let address = Address::parse(&format!("http://127.0.0.1:{port}/base")).unwrap();
    Client::new(address, Token::new("secret").unwrap(), limits).unwrap()
}

fn user(number: usize) -> Value {
    json!({
        "name": format!("user-{number}"), "last_activity": "2026-11-21T11:00:00.000000Z",
        "created": "2026-11-01T00:00:00.000000Z", "groups": ["chem", "bio", "chem"],
        "servers": {"": {
            "started": "2026-11-21T10:00:00.000000Z", "ready": true, "last_activity": null,
            "user_options": {"profile": format!("profile-{}", number % 2), "image": ["no", "name"], "cpu": 4},
        }},
    })
}

fn number_of(line: &str, name: &str) -> usize {
    let value = line.split([' ', '?', '&']).find_map(|part| part.strip_prefix(name)?.strip_prefix('='));
    value.unwrap().parse().unwrap()
}

/// One page of `users`, as a hub gives it.
fn page(line: &str, users: &[usize], limit_max: usize) -> Vec<u8> {
    let (offset, limit) = (number_of(line, "offset"), number_of(line, "limit").min(limit_max));
    let end = (offset + limit).min(users.len());
    let items: Vec<Value> = users.get(offset..end).unwrap_or_default().iter().map(|number| user(*number)).collect();
    let next = (end < users.len()).then(|| json!({"offset": end, "limit": limit, "url": "http://elsewhere.example/"}));
    ok(&json!({"items": items, "_pagination": {"offset": offset, "limit": limit, "total": users.len(), "next": next}}))
}

fn now() -> EventTime {
    SystemClock.now()
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

#[test]
fn a_list_of_many_pages_is_read_whole_and_nothing_else_is_asked() {
    runtime().block_on(async {
        let users: Vec<usize> = (0..450).collect();
        let (port, asked) = hub(move |line| page(line, &users, 200)).await;
        let reading = client(port, Limits::default()).servers(&now).await.unwrap();
        assert_eq!((reading.servers.len(), reading.problem), (450, None));
        // A list is no name of an image.
        let chosen = &reading.servers[&("user-7".to_owned(), String::new())].chosen;
        assert_eq!(*chosen, Chosen { profile: Some("profile-1".to_owned()), image: None });
        // The Date names a second, which the answer was made in.
        let noon = 1_795_262_400_000_000;
        assert!(
            reading.at.after.micros() <= noon && reading.at.before.micros() >= noon + 1_000_000,
            "{:?}",
            reading.at
        );
        for request in asked.lock().unwrap().iter() {
            assert!(request.starts_with("GET /base/hub/api/users?state=active&sort=id&offset="), "{request}");
            assert!(request.contains("authorization: token secret\r\n"), "{request}");
            assert!(request.contains("accept: application/jupyterhub-pagination+json\r\n"), "{request}");
        }
    });
}

#[test]
fn what_a_hub_must_not_answer_is_a_problem_with_its_name() {
    let limits =
        Limits { body_bytes_max: 4_096, time_max: Duration::from_millis(400), pages_max: 3, ..Limits::default() };
    let scope =
        r#"{"status": 403, "message": "Action is not authorized with current scopes; requires any of [list:users]"}"#;
    let cases: [(&str, Vec<u8>, Problem); 9] = [
        ("moved", http("302 Found", "Location: http://169.254.169.254/\r\n", ""), Problem::Redirected),
        ("no scope", http("403 Forbidden", "", scope), Problem::NoScope("list:users")),
        ("bad token", http("403 Forbidden", "", r#"{"status": 403, "message": null}"#), Problem::UnknownToken),
        ("no token", http("401 Unauthorized", "", ""), Problem::UnknownToken),
        ("down", http("503 Service Unavailable", "", ""), Problem::Status(503)),
        ("long", http("200 OK", "", &"x".repeat(5_000)), Problem::TooLarge(4_096)),
        ("slow", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n".to_vec(), Problem::Unreachable(String::new())),
        ("a page for people", http("200 OK", "", "<!DOCTYPE html>"), Problem::Malformed(String::new())),
        ("another list", ok(&json!({"users": []})), Problem::Malformed(String::new())),
    ];
    runtime().block_on(async {
        for (name, answer, expected) in cases {
            let (port, asked) = hub(move |_| answer.clone()).await;
            let problem = client(port, limits).servers(&now).await.unwrap_err();
            let same_kind = std::mem::discriminant(&problem) == std::mem::discriminant(&expected);
            let is_exact = !matches!(expected, Problem::Unreachable(_) | Problem::Malformed(_));
            assert!(if is_exact { problem == expected } else { same_kind }, "{name}: {problem:?}");
            assert!(!format!("{problem} {problem:?}").contains("secret"), "{problem}");
            assert_eq!(asked.lock().unwrap().len(), 1, "{name}");
        }
        // Nobody answers at all, and somebody never does.
        let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
        assert!(matches!(client(closed, limits).servers(&now).await, Err(Problem::Unreachable(_))));
        let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = silent.local_addr().unwrap().port();
        assert_eq!(client(port, limits).servers(&now).await.unwrap_err(), Problem::TooSlow(limits.time_max));
    });
}

#[test]
fn what_was_read_before_a_problem_proves_life_and_nothing_else() {
    runtime().block_on(async {
        let few = |pages_max| Limits { pages_max, ..Limits::default() };
        // The second page fails.
        let users: Vec<usize> = (0..300).collect();
        let (port, _) = hub(move |line| match number_of(line, "offset") {
            0 => page(line, &users, 200),
            _ => http("500 Internal Server Error", "", ""),
        })
        .await;
        let reading = client(port, Limits::default()).servers(&now).await.unwrap();
        assert_eq!((reading.servers.len(), reading.problem), (200, Some(Problem::Status(500))));
        // More pages than are read.
        let users: Vec<usize> = (0..900).collect();
        let (port, _) = hub(move |line| page(line, &users, 200)).await;
        let reading = client(port, few(2)).servers(&now).await.unwrap();
        assert_eq!(reading.problem, Some(Problem::TooManyPages(2)));
        // Each time somebody who stood on top is gone, and the list never holds still.
        let gone = Mutex::new(0);
        let (port, _) = hub(move |line| {
            let mut gone = gone.lock().unwrap();
            *gone += 1;
            let users: Vec<usize> = (*gone..900).collect();
            page(line, &users, 200)
        })
        .await;
        let reading = client(port, Limits::default()).servers(&now).await.unwrap();
        assert_eq!(reading.problem, Some(Problem::Shifted));
        // A hub that knows of no pages.
        let (port, _) = hub(|_| ok(&json!([user(1), user(2)]))).await;
        let reading = client(port, Limits::default()).servers(&now).await.unwrap();
        assert_eq!(reading.servers.len(), 2);
        assert!(matches!(reading.problem, Some(Problem::Malformed(_))), "{:?}", reading.problem);
        // A token that may not see servers.
        let (port, _) = hub(|_| {
            ok(&json!({"items": [{"name": "ann"}], "_pagination": {"offset": 0, "limit": 50, "total": 1, "next": null}}))
        })
        .await;
        let reading = client(port, Limits::default()).servers(&now).await.unwrap();
        assert_eq!(reading.problem, Some(Problem::NoScope("read:servers")));
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn who_was_there_throughout_is_on_every_list_that_is_whole(
        begin in 150_usize..500,
        changes in prop::collection::vec((0_usize..500, any::<bool>()), 0..12),
    ) {
        let changes: Mutex<VecDeque<_>> = Mutex::new(changes.into());
        let list: Mutex<std::collections::BTreeSet<usize>> = Mutex::new((0..begin).collect());
        let left: Arc<Mutex<std::collections::BTreeSet<usize>>> = Arc::default();
        let noted = Arc::clone(&left);
        runtime().block_on(async move {
            let (port, _) = hub(move |line| {
                let mut list = list.lock().unwrap();
                let users: Vec<usize> = list.iter().copied().collect();
                let answer = page(line, &users, 100);
                if let Some((user, comes)) = changes.lock().unwrap().pop_front() {
                    if comes { list.insert(user); } else if list.remove(&user) { noted.lock().unwrap().insert(user); }
                }
                answer
            })
            .await;
            let reading = client(port, Limits::default()).servers(&now).await.unwrap();
            if reading.problem.is_none() {
                for user in (0..begin).filter(|user| !left.lock().unwrap().contains(user)) {
                    let key = (format!("user-{user}"), String::new());
                    prop_assert!(reading.servers.contains_key(&key), "{} is missing", user);
                }
            }
            Ok(())
        })?;
    }
}

/// Keeps what it is told, unless it is to refuse.
#[derive(Default)]
struct Kept {
    batches: Mutex<Vec<Vec<Value>>>,
    refuses: Mutex<usize>,
}

impl Tell for Kept {
    fn tell(&self, texts: Vec<String>) -> Pin<Box<dyn Future<Output = Result<(), Refused>> + Send + '_>> {
        let events = texts.iter().map(|text| serde_json::from_str(text).unwrap()).collect();
        let mut refuses = self.refuses.lock().unwrap();
        if *refuses > 0 {
            *refuses -= 1;
            return Box::pin(std::future::ready(Err(Refused("the disk is full".to_owned()))));
        }
        self.batches.lock().unwrap().push(events);
        Box::pin(std::future::ready(Ok(())))
    }
}

/// The batches as words: schema's last word, and user.
fn words(kept: &Kept) -> Vec<String> {
    let word = |event: &Value| {
        let schema = event["__schema__"].as_str().unwrap().trim_start_matches("schema.hubscope/").to_owned();
        event["username"].as_str().map_or(schema.clone(), |user| format!("{schema} {user}"))
    };
    kept.batches.lock().unwrap().iter().map(|batch| batch.iter().map(word).collect::<Vec<_>>().join(", ")).collect()
}

#[test]
fn a_poller_tells_each_poll_as_one_batch_and_again_if_it_was_not_kept() {
    let metrics = "process_start_time_seconds 1.795e+09\njupyterhub_running_servers 1.0\n\
                   jupyterhub_active_users{period=\"7d\"} 4.0\n";
    runtime().block_on(async move {
        let (port, _) = hub(move |line| match line.contains("/metrics") {
            true => http("200 OK", "", metrics),
            false => page(line, &[7], 200),
        })
        .await;
        let settings = Settings { interval: Duration::from_millis(20), users_interval: Duration::from_secs(3_600) };
        let clock: Arc<dyn Clock> = Arc::new(ManualClock::new(EventTime::from_micros(1_795_262_400_000_000)));
        let poller = Poller::new(client(port, Limits::default()), settings, clock);
        // The restart and the first poll are refused.
        let kept = Kept { refuses: Mutex::new(2), ..Kept::default() };
        let stop = CancellationToken::new();
        tokio::join!(poller.run(&kept, &stop), async {
            while kept.batches.lock().unwrap().len() < 5 {
                tokio::task::yield_now().await;
            }
            stop.cancel();
        });
        let told = words(&kept);
        assert_eq!(told[0], "hub-restart");
        assert_eq!(told[1], "hub-poll, server-seen user-7, server-chosen user-7");
        assert_eq!(told[2], "users-poll, accounts-poll, user-seen user-7, account-seen user-7");
        let lists = kept.batches.lock().unwrap()[2].clone();
        assert_eq!((&lists[0]["active_7d"], &lists[0]["gauge_7d"]), (&json!(1), &json!(4)));
        assert_eq!(lists[0].get("gauge_24h"), None);
        let account = (&lists[3]["created"], &lists[3]["groups"]);
        assert_eq!(account, (&json!("2026-11-01T00:00:00.000000Z"), &json!(["bio", "chem"])));
        assert_eq!(told[3..5], ["hub-poll", "hub-poll"]);
        let state = poller.state();
        assert_eq!((state.problem, state.servers), (None, 1));
    });
}
