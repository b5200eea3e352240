//! Within the scope of a hub a statement answers as if there were no other hub, whatever it tries.

use query::{Answer, Hubs, QueryError, Scope, SqlOptions};

use crate::sandbox::{Sandbox, at, launch, lines, refused, server_action_of};

/// Two stores: `shared` holds both hubs, `alone` the rows of north only.
async fn stores() -> (Sandbox, Sandbox) {
    let hubs = || Hubs::new().with("north", "Europe/Berlin").unwrap();
    let mut shared = Sandbox::new().await.with_hubs(hubs());
    let mut alone = Sandbox::new().await.with_hubs(hubs());
    for step in 0..3 {
        let day = |hour: u8| at(&format!("2024-05-0{}T{hour:02}:00:00.5Z", step + 1));
        let north = vec![
            server_action_of(day(9), "start", "ada", ""),
            server_action_of(day(10), "start", &format!("bob-{step}"), "gpu"),
            launch(day(11), "a/b/HEAD"),
            refused(b"not json"),
        ];
        let south = vec![
            server_action_of(day(9), "start", "secret", ""),
            server_action_of(day(20), "start", "secret-other", ""),
            launch(day(12), "hidden/repo/HEAD"),
            refused(b"{\"secret\": 1"),
        ];
        shared.acknowledge_of("north", day(12), north.clone());
        shared.acknowledge_of("south", day(21), south);
        alone.acknowledge_of("north", day(12), north);
        if step < 2 {
            shared.flush().await;
            alone.flush().await;
        }
        if step == 0 {
            shared.store.compact().await.unwrap();
        }
    }
    (shared, alone)
}

async fn ask(sandbox: &Sandbox, sql: &str, scope: Scope) -> Result<Answer, QueryError> {
    sandbox.engine.sql(sql, SqlOptions { limit: None, scope }).await
}

fn north() -> Scope {
    Scope::Hub("north".into())
}

#[tokio::test]
async fn statements_see_no_other_hub() {
    let (shared, alone) = stores().await;
    for sql in [
        "SELECT count(*) FROM events",
        "SELECT count(*) FROM quarantine",
        "SELECT hub, count(*) FROM events GROUP BY 1 ORDER BY 1",
        "SELECT hub, reason, text FROM quarantine ORDER BY time, text",
        "SELECT username, servername, time FROM server_actions ORDER BY time, username",
        "SELECT text FROM events ORDER BY text",
        "SELECT * FROM server_actions WHERE hub = 'south'",
        "SELECT count(*) FROM events WHERE hub = 'south' OR 1 = 1",
        "SELECT count(*) FROM events WHERE hub <> 'north' OR hub = 'north' OR hub IS NULL",
        "SELECT count(*) FROM server_actions WHERE username LIKE 'secret%'",
        "SELECT max(time), min(time), max(received), count(DISTINCT hub) FROM events",
        "SELECT a.username, b.username FROM server_actions a JOIN server_actions b ON a.time = b.time ORDER BY 1, 2",
        "SELECT count(*) FROM events a, quarantine b",
        "SELECT a.hub, b.hub, count(*) FROM events a FULL JOIN quarantine b ON a.received = b.received GROUP BY 1, 2 ORDER BY 1, 2",
        "SELECT hub FROM events UNION SELECT hub FROM quarantine ORDER BY 1",
        "SELECT username FROM server_actions EXCEPT SELECT username FROM server_actions WHERE hub = 'north'",
        "SELECT (SELECT count(*) FROM events) + (SELECT count(*) FROM quarantine)",
        "SELECT username FROM server_actions s WHERE EXISTS (SELECT 1 FROM launches l WHERE l.hub <> s.hub)",
        "SELECT hub FROM events WHERE hub NOT IN (SELECT hub FROM events WHERE hub = 'north')",
        "WITH e AS (SELECT * FROM events) SELECT count(*) FROM e WHERE text LIKE '%secret%'",
        "SELECT repo, count(*) FROM launches GROUP BY ROLLUP (repo) ORDER BY 1, 2",
        "SELECT username, count(*) OVER () FROM server_actions ORDER BY 1, time",
        "SELECT rank() OVER (ORDER BY time) FROM events ORDER BY 1",
        "SELECT 'x' FROM events LIMIT 2",
        "SELECT count(*) FROM events LIMIT 100 OFFSET 0",
        "SELECT field(text, '/username') FROM events WHERE schema = 'hub.jupyter.org/server-action' ORDER BY time, 1",
        "SELECT count(*) FROM (SELECT hub FROM events WHERE time >= TIMESTAMP '2024-05-02T00:00:00Z')",
        "SELECT schema FROM events WHERE schema IN ('hub.jupyter.org/server-action', 'x') GROUP BY schema",
        "SELECT array_agg(hub ORDER BY hub) FROM events",
        // What fails on the value of another hub's row must not fail here.
        "SELECT count(*) FROM server_actions WHERE 1 / (CASE WHEN username = 'secret' THEN 0 ELSE 1 END) = 1",
        "SELECT sum(1 / (CASE WHEN username LIKE 'secret%' THEN 0 ELSE 1 END)) FROM server_actions",
        "SELECT count(*) FROM events WHERE CAST(CASE WHEN hub = 'south' THEN 'x' ELSE '1' END AS INT) = 1",
        "SELECT count(*) FROM quarantine WHERE CAST(CASE WHEN text LIKE '%secret%' THEN 'x' ELSE '1' END AS INT) = 1",
    ] {
        let expected = ask(&alone, sql, Scope::All).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
        let found = ask(&shared, sql, north()).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
        assert_eq!(lines(&found), lines(&expected), "{sql}");
        assert!(!lines(&found).contains("secret"), "{sql}");
    }
    // The same statements see more without a scope, so that the test tells a difference.
    let everything = ask(&shared, "SELECT count(*) FROM events WHERE text LIKE '%secret%'", Scope::All).await.unwrap();
    assert_eq!(lines(&everything), "6");
    let nobody = ask(&shared, "SELECT count(*) FROM events", Scope::Hub("nobody".into())).await.unwrap();
    assert_eq!(lines(&nobody), "0");
}

#[tokio::test]
async fn plans_tell_nothing_of_other_hubs() {
    let (shared, _) = stores().await;
    for sql in [
        "EXPLAIN SELECT * FROM events WHERE username = 'ada'",
        "EXPLAIN ANALYZE SELECT count(*) FROM events",
        "EXPLAIN ANALYZE SELECT * FROM server_actions WHERE username = 'ada'",
        "EXPLAIN VERBOSE SELECT count(*) FROM quarantine",
    ] {
        match ask(&shared, sql, north()).await {
            Ok(plan) => {
                let plan = lines(&plan);
                assert!(plan.contains("Barrier"), "{sql}: {plan}");
                for told in ["DataSourceExec", "parquet", "file_groups", "south", "secret"] {
                    assert!(!plan.contains(told), "{sql}: {told} in {plan}");
                }
            }
            Err(error) => assert_eq!(error.code(), "refused", "{sql}: {error}"),
        }
    }
}

#[tokio::test]
async fn questions_see_no_other_hub() {
    let (shared, alone) = stores().await;
    let catalogue = query::Catalogue::builtin();
    for kpi in catalogue.iter() {
        let mut params = vec![("from", "2024-04-01"), ("to", "2024-05-06"), ("zone", "Europe/Berlin")];
        if kpi.parameter("repo").is_some() {
            params.push(("repo", "hidden/repo"));
        }
        let found = shared.kpi_within(&north(), &kpi.id, &params).await.unwrap();
        params.push(("hub", "north"));
        let expected = alone.kpi(&kpi.id, &params).await.unwrap();
        let named = shared.kpi(&kpi.id, &params).await.unwrap();
        for found in [found, named] {
            assert_eq!(lines(&found.answer), lines(&expected.answer), "{}", kpi.id);
            assert_eq!(found.headline, expected.headline, "{}", kpi.id);
            assert_eq!(found.covered, expected.covered, "{}", kpi.id);
            assert_eq!(found.message, expected.message, "{}", kpi.id);
            assert_eq!(found.notes, expected.notes, "{}", kpi.id);
        }
    }
    let error = shared.kpi_within(&north(), "starts", &[("hub", "south")]).await.unwrap_err().to_string();
    assert_eq!(error, "parameter 'hub': there is no hub 'south'; did you mean 'north'?; there are north");
    let error = shared.kpi("starts", &[("hub", "nrth")]).await.unwrap_err().to_string();
    assert_eq!(error, "parameter 'hub': there is no hub 'nrth'; did you mean 'north'?; there are north, south");
}
