//! How fast sessions derive. By default few are, and only the result is looked at; a figure that means something is
//! printed by `HUBSCOPE_SESSIONS=10000000 cargo test --release -p insight --test speed -- --nocapture`.

use std::time::{Duration, Instant};

use event::{EventTime, Position};
use insight::measure::{By, Period, Span, peak, total};
use insight::session::{EventId, Evidence, Hub, Micros, ServerEvent, Session, Settings, Timeline};

const SESSIONS_EACH: i64 = 500;
const HOUR: i64 = 3_600_000_000;

fn event(at: i64, position: i64) -> ServerEvent {
    let id = EventId { position: Position(position.unsigned_abs()), collector: 0 };
    ServerEvent { at: EventTime::from_micros(at), received: EventTime::from_micros(at + 5), id }
}

#[test]
fn many_sessions() {
    let wanted: i64 = std::env::var("HUBSCOPE_SESSIONS").map_or(50_000, |text| text.parse().unwrap());
    let servers = wanted / SESSIONS_EACH;
    let hub = Hub::new(Settings::default());
    let mut all: Vec<Session> = Vec::with_capacity(usize::try_from(wanted).unwrap());
    let mut derived_in = Duration::ZERO;
    let as_of = EventTime::from_micros(SESSIONS_EACH * 24 * HOUR);
    for server in 0..servers {
        // A session of an hour and a bit each day; the stop of every seventh is lost.
        let begins = (0..SESSIONS_EACH).map(|day| day * 24 * HOUR + server % 1_000 * 40_000_000);
        let evidence: Vec<Evidence> = begins
            .flat_map(|begin| {
                let stop = event(begin + HOUR + server, 2 * server + 1);
                let is_lost = begin / (24 * HOUR) % 7 == 3;
                [Some(Evidence::Start(event(begin, 2 * server))), (!is_lost).then_some(Evidence::Stop(stop))]
            })
            .flatten()
            .collect();
        let begun = Instant::now();
        let mut timeline = Timeline::default();
        for piece in evidence {
            timeline.add(piece, &hub).unwrap();
        }
        all.extend(timeline.rows(&hub, as_of));
        derived_in += begun.elapsed();
    }
    assert_eq!(all.len() as i64, servers * SESSIONS_EACH);

    let begun = Instant::now();
    let hours = total(&all, Period::ALWAYS, as_of);
    let summed_in = begun.elapsed();
    assert!(hours.low < hours.point.max(hours.high) && hours.low > i128::from(servers * SESSIONS_EACH * HOUR) / 2);
    let begun = Instant::now();
    let most = peak(all.iter().map(|row| Span::of(row, By::Low, as_of)), Period::ALWAYS).unwrap();
    let swept_in = begun.elapsed();
    assert!(most.count >= u64::try_from(servers.min(1_000) / 12).unwrap());
    let size = size_of::<Session>();
    eprintln!(
        "{} sessions of {size} bytes: derived in {derived_in:.2?}, hours in {summed_in:.2?}, peak in {swept_in:.2?}",
        all.len(),
    );

    // As it comes: settled each day, so that little is kept.
    let mut timeline = Timeline::default();
    let begun = Instant::now();
    for day in 0..SESSIONS_EACH {
        let begin = day * 24 * HOUR;
        timeline.add(Evidence::Start(event(begin, 0)), &hub).unwrap();
        timeline.add(Evidence::Stop(event(begin + HOUR, 1)), &hub).unwrap();
        timeline.settle(&hub, Micros(2 * HOUR).before(EventTime::from_micros(begin)), as_of);
        assert!(timeline.rows(&hub, as_of).len() <= 2);
    }
    eprintln!("{SESSIONS_EACH} days of one server as they come: {:.2?}", begun.elapsed());
}
