//! Measures against brute force: instant by instant, window by window, person by person.

use std::collections::{BTreeMap, BTreeSet};

use event::{Day, EventTime};
use insight::active::{Active, Days, distinct, lifecycle, rolling};
use insight::measure::{
    Bounds, By, Edges, EndReason, Length, Levels, Peak, Period, Present, Ran, Share, Span, Starts, Visit, at_once,
    by_user, heat_map, long_runners, peak, proven, quantiles, reason, reasons, replay, running, spread, total, within,
};
use insight::session::{Culler, EndKnownBy, Flags, Micros, Session, StartKnownBy};
use jiff::tz::TimeZone;
use proptest::prelude::*;

fn at(micros: i64) -> EventTime {
    EventTime::from_micros(micros)
}

fn period(begin: i64, end: i64) -> Period {
    Period { begin: at(begin), end: at(end) }
}

/// Rows on a grid so small that every instant can be looked at.
fn row() -> impl Strategy<Value = Session> {
    let known_by = prop::sample::select(EndKnownBy::ALL.to_vec());
    (0..40_i64, 0..9_i64, 0..20_i64, 0..9_i64, 0..9_i64, known_by, prop::option::of(0..60_i64)).prop_map(
        |(start, before, low, point, high, end_known_by, activity)| {
            let is_open = end_known_by == EndKnownBy::Open;
            let end_low = start + low;
            Session {
                start_low: at(start - before),
                start: at(start),
                start_known_by: StartKnownBy::Event,
                hub_started: None,
                end_low: at(end_low),
                end: (!is_open).then(|| at(end_low + point)),
                end_high: (!is_open).then(|| at(end_low + point + high)),
                end_known_by,
                last_activity: activity.map(at),
                flags: Flags { truncated: before > 0, ..Flags::default() },
                start_id: None,
                end_id: None,
            }
        },
    )
}

fn rows() -> impl Strategy<Value = Vec<Session>> {
    prop::collection::vec(row(), 0..12)
}

/// Whether the row runs at an instant.
fn runs(row: &Session, by: By, instant: i64, as_of: i64) -> bool {
    let until_now = as_of.max(row.end_low.micros());
    let (from, to) = match by {
        By::Low => (row.start.micros(), row.end_low.micros()),
        By::Point => (row.start.micros(), row.end.map_or(until_now, EventTime::micros)),
        By::High => (row.start_low.micros(), row.end_high.map_or(until_now, EventTime::micros)),
    };
    from <= instant && instant < to
}

fn at_instant(rows: &[Session], by: By, instant: i64, as_of: i64) -> u64 {
    rows.iter().filter(|row| runs(row, by, instant, as_of)).count() as u64
}

const ALL: [By; 3] = [By::Low, By::Point, By::High];

proptest! {
    #[test]
    fn hours_are_what_the_instants_add_up_to(
        rows in rows(), begin in 0..60_i64, length in 0..60_i64, as_of in 0..90_i64,
    ) {
        let (end, within) = (begin + length, period(begin, begin + length));
        let sum = total(&rows, within, at(as_of));
        let counted = ALL.map(|by| (begin..end).map(|now| i128::from(at_instant(&rows, by, now, as_of))).sum::<i128>());
        prop_assert_eq!([sum.low, sum.point, sum.high], counted);
        let halves = [period(begin, begin + length / 3), period(begin + length / 3, end)];
        let split: i128 = halves.iter().map(|half| total(&rows, *half, at(as_of)).point).sum();
        prop_assert_eq!(sum.point, split);

        let users: Vec<(usize, &Session)> = rows.iter().enumerate().map(|(index, row)| (index % 3, row)).collect();
        let each = by_user(users, within, at(as_of));
        prop_assert_eq!(each.values().map(|hours| hours.point).sum::<i128>(), sum.point);
        let share = proven(&rows, within, at(as_of));
        let seen: Vec<Session> = rows.iter().filter(|row| row.end_known_by.is_proven()).copied().collect();
        prop_assert_eq!(share, Share {
            part: total(&seen, within, at(as_of)).point.unsigned_abs(),
            whole: sum.point.unsigned_abs(),
        });
    }

    #[test]
    fn concurrency_is_what_every_instant_shows(
        rows in rows(), begin in 0..60_i64, length in 1..60_i64, as_of in 0..90_i64,
    ) {
        for by in ALL {
            let spans = || rows.iter().map(|row| Span::of(row, by, at(as_of)));
            let counts: Vec<u64> = (begin..begin + length).map(|now| at_instant(&rows, by, now, as_of)).collect();
            let most = counts.iter().copied().max().unwrap();
            let first = (begin..).zip(&counts).find(|(_, count)| **count == most).unwrap().0;
            let expected = (most > 0).then(|| Peak { count: most, at: at(first) });
            prop_assert_eq!(peak(spans(), period(begin, begin + length)), expected);
            prop_assert_eq!(at_once(expected, 7), Share { part: u128::from(most), whole: 7 });

            let levels = Levels::of(spans(), period(begin, begin + length));
            let mut sorted = counts.clone();
            sorted.sort_unstable();
            for percent in [1, 50, 95, 99, 100] {
                let rank = (sorted.len() * percent).div_ceil(100).max(1);
                prop_assert_eq!(levels.percentile(u32::try_from(percent).unwrap(), 100), Some(sorted[rank - 1]));
            }
            let sum: u128 = counts.iter().map(|count| u128::from(*count)).sum();
            prop_assert_eq!(levels.mean(), Share { part: sum, whole: counts.len() as u128 });
        }
    }

    #[test]
    fn edges_show_what_every_instant_shows(
        rows in rows(), begin in 0..60_i64, lengths in prop::collection::vec(0..30_i64, 1..6), as_of in 0..90_i64,
        halves in any::<bool>(),
    ) {
        let end = begin + lengths.iter().sum::<i64>();
        let within = period(begin, end);
        let (mut edges, mut others) = (Edges::default(), Edges::default());
        for (index, row) in rows.iter().enumerate() {
            let into = if halves && index % 2 == 0 { &mut others } else { &mut edges };
            into.add(ALL.map(|by| Span::of(row, by, at(as_of))), within);
        }
        edges.extend(&others.into_numbers());
        let mut starts = vec![begin];
        lengths.iter().for_each(|length| starts.push(starts[starts.len() - 1] + length));
        let peaks = edges.clone().peaks(&starts.iter().map(|start| at(*start)).collect::<Vec<_>>());
        let most = |by: By, from: i64, to: i64| {
            (from..to).map(|now| at_instant(&rows, by, now, as_of)).max().unwrap_or(0).try_into().unwrap()
        };
        for (index, pair) in starts.windows(2).enumerate() {
            let [low, point, high] = ALL.map(|by| most(by, pair[0], pair[1]));
            prop_assert_eq!(peaks[index], Bounds { low, point, high }, "{:?}", pair);
        }
        // What comes after the period is empty.
        prop_assert_eq!(peaks[lengths.len()], Bounds { low: 0, point: 0, high: 0 });
        let mut counted: [Vec<i64>; 3] = Default::default();
        for (by, counted) in ALL.into_iter().zip(&mut counted) {
            for now in begin..end {
                let level = usize::try_from(at_instant(&rows, by, now, as_of)).unwrap();
                counted.resize(counted.len().max(level + 1), 0);
                counted[level] += 1;
            }
        }
        prop_assert_eq!(edges.levels(within), counted);
    }

    #[test]
    fn each_day_has_the_time_of_its_instants(
        rows in rows(), begin in 0..60_i64, length in 0..60_i64, as_of in 0..90_i64, halves in any::<bool>(),
    ) {
        const DAY: i64 = 7;
        let within = period(begin, begin + length);
        let day = |micros: i64| Day::from_number(i32::try_from(micros.div_euclid(DAY)).unwrap());
        let (mut ran, mut others) = (Ran::default(), Ran::default());
        for (index, row) in rows.iter().enumerate() {
            let into = if halves && index % 2 == 0 { &mut others } else { &mut ran };
            into.add(ALL.map(|by| Span::of(row, by, at(as_of))), within, |time| {
                (day(time.micros()), at((time.micros().div_euclid(DAY) + 1) * DAY))
            });
        }
        ran.extend(&others.into_numbers());
        let mut expected: BTreeMap<Day, [i64; 3]> = BTreeMap::new();
        for now in begin..begin + length {
            for (bound, by) in ALL.into_iter().enumerate() {
                let count = i64::try_from(at_instant(&rows, by, now, as_of)).unwrap();
                expected.entry(day(now)).or_default()[bound] += count;
            }
        }
        expected.retain(|_, micros| *micros != [0; 3]);
        let found: BTreeMap<Day, [i64; 3]> = ran.by_day().map(|(day, of)| (day, [of.low, of.point, of.high])).collect();
        // Days of sessions without length are told of, too.
        for (day, micros) in found.iter().filter(|(_, micros)| **micros == [0; 3]) {
            let has_one = rows.iter().flat_map(|row| ALL.map(|by| Span::of(row, by, at(as_of)))).any(|span| {
                span.from == span.to && i64::from(day.number()) == span.from.micros().div_euclid(DAY)
            });
            prop_assert!(has_one, "{:?} {:?}", day, micros);
        }
        let found: BTreeMap<_, _> = found.into_iter().filter(|(_, micros)| *micros != [0; 3]).collect();
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn whoever_was_there_on_a_day_is_one(
        rows in rows(), begin in 0..60_i64, length in 0..60_i64, as_of in 0..90_i64, people in 1..5_u32,
    ) {
        const DAY: i64 = 7;
        let within = period(begin, begin + length);
        let day = |time: EventTime| Day::from_number(i32::try_from(time.micros().div_euclid(DAY)).unwrap());
        let (mut present, mut others) = (Present::default(), Present::default());
        for (row, number) in rows.iter().zip(0_u32..) {
            let (into, person) = match number % 2 {
                0 => (&mut present, number % people),
                // Who has another number there.
                _ => (&mut others, people - 1 - number % people),
            };
            into.add(person, ALL.map(|by| Span::of(row, by, at(as_of))), within, day);
        }
        present.extend(&others.into_numbers(), |theirs| people - 1 - theirs);
        let mut expected: BTreeMap<Day, [BTreeSet<u32>; 3]> = BTreeMap::new();
        for (row, number) in rows.iter().zip(0_u32..) {
            for (bound, by) in ALL.into_iter().enumerate() {
                let span = Span::of(row, by, at(as_of));
                let (from, to) = (span.from.micros(), span.to.micros());
                let mut instants: Vec<i64> = (from..to).collect();
                if from == to {
                    instants.push(from);
                }
                for instant in instants.into_iter().filter(|instant| (begin..begin + length).contains(instant)) {
                    expected.entry(day(at(instant))).or_default()[bound].insert(number % people);
                }
            }
        }
        let counted = |[low, point, high]: [BTreeSet<u32>; 3]| {
            let [low, point, high] = [low, point, high].map(|people| i64::try_from(people.len()).unwrap());
            Bounds { low, point, high }
        };
        let expected = expected.into_iter().map(|(day, people)| (day, counted(people)));
        prop_assert_eq!(present.by_day(), expected.collect::<Vec<(Day, Bounds<i64>)>>());
    }

    #[test]
    fn a_stretch_holds_the_starts_that_count(
        told in prop::collection::vec((0..4_i64, 0..90_i64), 0..30),
        width in 1..20_i64,
        cut in 0..30_usize,
    ) {
        // Tenths of a second.
        let micros = |tenths: i64| tenths * 100_000;
        let mut starts = [Starts::default(), Starts::default()];
        for (number, (server, tenths)) in told.iter().enumerate() {
            starts[usize::from(number < cut)].add(*server, at(micros(*tenths)));
        }
        let [mut starts, others] = starts;
        starts.extend(&others.into_numbers());
        let mut sorted = told;
        sorted.sort_unstable();
        let is_repeat = |place: &usize| {
            let (server, tenths) = sorted[*place];
            sorted[..*place].iter().any(|(other, before)| *other == server && tenths - before <= 10)
        };
        let counted = (0..sorted.len()).filter(|place| !is_repeat(place));
        let mut expected: Vec<i64> = counted.map(|place| sorted[place].1).collect();
        expected.sort_unstable();
        let times = starts.counted();
        prop_assert_eq!(times.iter().map(|time| time.micros() / 100_000).collect::<Vec<_>>(), expected.clone());
        let counts: Vec<u64> = within(&times, Micros(micros(width))).collect();
        for (place, end) in expected.iter().enumerate() {
            let plain = expected[..=place].iter().filter(|time| **time > end - width).count() as u64;
            prop_assert_eq!(counts[place], plain);
        }
    }

    #[test]
    fn a_quantile_without_censoring_is_that_of_the_sorted_list(mut lengths in prop::collection::vec(0..30_i64, 1..40)) {
        let whole = lengths.len();
        let all = lengths.iter().map(|micros| Length { micros: *micros, is_censored: false }).collect();
        let median = quantiles(all, &[1], 2)[0].unwrap();
        lengths.sort_unstable();
        // As statistics.median of Python: the mean of the two in the middle.
        prop_assert_eq!(median.from + median.to, lengths[(whole - 1) / 2] + lengths[whole / 2]);
    }

    #[test]
    fn a_quantile_with_censoring_is_where_the_product_says(
        lengths in prop::collection::vec((0..12_i64, any::<bool>()), 0..18),
        asked in prop::sample::select(vec![
            (vec![1_u32], 2_u32), (vec![1, 5, 9], 10), (vec![1], 4), ((1..12).collect(), 12),
        ]),
    ) {
        let (parts, whole) = asked;
        let all: Vec<Length> =
            lengths.iter().map(|(micros, is_censored)| Length { micros: *micros, is_censored: *is_censored }).collect();
        let found = quantiles(all.clone(), &parts, whole);
        prop_assert_eq!(found.len(), parts.len());
        for (part, found) in parts.into_iter().zip(found) {
            // The product, over all times of ends, of the share of those at risk who stay, as one fraction.
            let (mut over, mut under) = (1_u128, 1_u128);
            let mut flat: Option<i64> = None;
            let mut expected = None;
            for now in 0..12 {
                let at_risk = all.iter().filter(|length| length.micros >= now).count() as u128;
                let ended = all.iter().filter(|length| length.micros == now && !length.is_censored).count() as u128;
                if ended == 0 {
                    continue;
                }
                if let Some(from) = flat {
                    expected = expected.or(Some((from, now)));
                }
                (over, under) = (over * (at_risk - ended), under * at_risk);
                match (over * u128::from(whole)).cmp(&(under * u128::from(whole - part))) {
                    std::cmp::Ordering::Less => expected = expected.or(Some((now, now))),
                    std::cmp::Ordering::Equal => flat = flat.or(Some(now)),
                    std::cmp::Ordering::Greater => {}
                }
            }
            let expected = expected.or(flat.map(|from| (from, from)));
            prop_assert_eq!(found.map(|quantile| (quantile.from, quantile.to)), expected, "{} of {}", part, whole);
        }
    }

    #[test]
    fn a_replay_is_what_a_culler_does_instant_by_instant(
        length in 1..80_i64,
        activity in prop::collection::btree_set(1..80_i64, 0..8),
        timeout in 1..30_i64,
        period in 0..6_i64,
    ) {
        let instants: Vec<EventTime> = activity.iter().map(|instant| at(*instant)).collect();
        let visit = Visit { start: at(0), end: at(length), activity: &instants };
        let replayed = replay(&visit, Culler { timeout: Micros(timeout), period: Micros(period * 2) });
        let simulate = |bears: i64| {
            let (mut last, mut saved, mut cut_off) = (0, 0_i128, 0_u64);
            for now in 0..length {
                if activity.contains(&now) {
                    cut_off += u64::from(now - last > bears);
                    last = now;
                }
                saved += i128::from(now - last >= bears);
            }
            (saved, cut_off)
        };
        let (saved, cut_off) = (replayed.saved, replayed.cut_off);
        prop_assert_eq!((saved.low, cut_off.low), simulate(timeout + 2 * period));
        prop_assert_eq!((saved.point, cut_off.point), simulate(timeout + period));
        prop_assert_eq!((saved.high, cut_off.high), simulate(timeout));
    }

    #[test]
    fn windows_count_distinct_keys(
        starts in prop::collection::vec((0..6_u8, 0..40_i32, 1..3_u64), 0..60),
        begin in 0..40_i32, length in 0..20_i32, width in 1..35_u16,
    ) {
        let mut keys: BTreeMap<u8, Days> = BTreeMap::new();
        let mut kept: BTreeMap<(u8, Day), Active<u8>> = BTreeMap::new();
        for (key, day, n) in &starts {
            let days = keys.entry(*key).or_default();
            let changed: Vec<Day> = days.add(Day::from_number(*day), *n).collect();
            // Only those rows change that are told to.
            for day in changed {
                kept.insert((*key, day), days.row(*key, day).unwrap());
            }
        }
        let rows: Vec<Active<u8>> = keys.iter().flat_map(|(key, days)| days.rows(*key)).collect();
        prop_assert_eq!(kept.values().copied().collect::<Vec<_>>(), rows.clone());
        let among = |begin: i32, end: i32| -> BTreeSet<u8> {
            starts.iter().filter(|(_, day, _)| (begin..end).contains(day)).map(|(key, _, _)| *key).collect()
        };
        let (first, end) = (Day::from_number(begin), Day::from_number(begin + length));
        prop_assert_eq!(distinct(&rows, first..end), among(begin, begin + length).len() as u64);
        let counts = rolling(&rows, width, first..end);
        let expected: Vec<u64> =
            (begin..begin + length).map(|day| among(day + 1 - i32::from(width), day + 1).len() as u64).collect();
        prop_assert_eq!(counts, expected);
        let sum: u64 = rows.iter().map(|row| row.n).sum();
        prop_assert_eq!(sum, starts.iter().map(|(_, _, n)| n).sum::<u64>());

        let (now, last, ever) = (among(begin, begin + length), among(begin - 7, begin), among(-99, begin));
        let classes = lifecycle(&rows, Day::from_number(begin - 7), first..end);
        prop_assert_eq!(classes.new, now.difference(&ever).count() as u64);
        prop_assert_eq!(classes.returning, now.intersection(&last).count() as u64);
        prop_assert_eq!(classes.resurrected, now.intersection(&ever).filter(|key| !last.contains(*key)).count() as u64);
        prop_assert_eq!(classes.lost, last.difference(&now).count() as u64);
    }
}

const MINUTE: i64 = 60_000_000;

/// Minute by minute, by the clock on the wall.
fn heat_by_minutes(spans: &[Span], period: Period, zone: &TimeZone) -> [[Share; 24]; 7] {
    let mut map = [[Share::default(); 24]; 7];
    let mut now = period.begin.micros();
    while now < period.end.micros() {
        let clock = jiff::Timestamp::from_microsecond(now).unwrap().to_zoned(zone.clone());
        let weekday = usize::try_from(clock.weekday().to_monday_zero_offset()).unwrap();
        let cell = &mut map[weekday][usize::try_from(clock.hour()).unwrap()];
        cell.whole += MINUTE.unsigned_abs() as u128;
        let running = spans.iter().filter(|span| span.from.micros() <= now && now < span.to.micros()).count();
        cell.part += running as u128 * u128::from(MINUTE.unsigned_abs());
        now += MINUTE;
    }
    map
}

#[test]
fn a_heat_map_is_what_the_clock_on_the_wall_shows_each_minute() {
    for (zone, begin) in [
        ("UTC", "2026-03-27T22:00:00Z"),
        // Forward, and back.
        ("Europe/Berlin", "2026-03-27T22:13:00Z"),
        ("Europe/Berlin", "2026-10-23T22:47:00Z"),
        ("America/New_York", "2026-10-30T00:00:00Z"),
        ("Asia/Kathmandu", "2026-01-01T00:00:00Z"),
        // By half an hour.
        ("Australia/Lord_Howe", "2026-04-03T00:00:00Z"),
        ("Australia/Lord_Howe", "2026-10-02T00:00:00Z"),
        // A day that never was.
        ("Pacific/Apia", "2011-12-28T00:00:00Z"),
    ] {
        let zone_ = TimeZone::get(zone).unwrap();
        let begin = begin.parse::<jiff::Timestamp>().unwrap().as_microsecond();
        let within = period(begin, begin + 5 * 24 * 60 * MINUTE);
        let spans: Vec<Span> = (0..40_i64)
            .map(|index| {
                let from = begin + (index * index * 7_919 % 7_000 - 200) * MINUTE;
                Span { from: at(from), to: at(from + index * 37 % 900 * MINUTE) }
            })
            .collect();
        let map = heat_map(spans.iter().copied(), within, &zone_).unwrap();
        assert_eq!(map, heat_by_minutes(&spans, within, &zone_), "{zone}");
    }
}

#[test]
fn a_heat_map_refuses_what_no_calendar_has() {
    assert!(heat_map([], Period::ALWAYS, &TimeZone::UTC).is_err());
    assert!(heat_map([], period(0, 200 * 366 * 24 * 60 * MINUTE), &TimeZone::UTC).is_err());
    assert_eq!(heat_map([], period(5, 5), &TimeZone::UTC), Ok([[Share::default(); 24]; 7]));
}

fn closed(start: i64, end: i64, end_known_by: EndKnownBy, last_activity: Option<i64>) -> Session {
    Session {
        start_low: at(start),
        start: at(start),
        start_known_by: StartKnownBy::Event,
        hub_started: None,
        end_low: at(start),
        end: Some(at(end)),
        end_high: Some(at(end)),
        end_known_by,
        last_activity: last_activity.map(at),
        flags: Flags::default(),
        start_id: None,
        end_id: None,
    }
}

#[test]
fn reasons_are_inferred_from_the_evidence() {
    let culler = Some(Culler { timeout: Micros(100), period: Micros(10) });
    let restarted = |mut session: Session| {
        session.flags.restarted = true;
        session
    };
    let open = Session { end: None, end_high: None, ..closed(0, 0, EndKnownBy::Open, None) };
    let cases = [
        (closed(0, 500, EndKnownBy::Stop, None), EndReason::Stopped),
        (closed(0, 500, EndKnownBy::Stop, Some(450)), EndReason::Stopped),
        (closed(0, 500, EndKnownBy::Stop, Some(390)), EndReason::LikelyCulled),
        (closed(0, 500, EndKnownBy::Stop, Some(410)), EndReason::LikelyCulled),
        (closed(0, 500, EndKnownBy::Stop, Some(389)), EndReason::Stopped),
        (closed(0, 500, EndKnownBy::Gone, None), EndReason::Vanished),
        (restarted(closed(0, 500, EndKnownBy::Gone, None)), EndReason::HubRestart),
        (closed(0, 500, EndKnownBy::Restart, None), EndReason::HubRestart),
        (closed(0, 500, EndKnownBy::Idle, None), EndReason::LikelyCulled),
        (closed(0, 500, EndKnownBy::Replaced, None), EndReason::Unknown),
        (closed(0, 500, EndKnownBy::Capped, None), EndReason::Unknown),
        (open, EndReason::Open),
    ];
    for (session, expected) in cases {
        assert_eq!(reason(&session, culler), expected, "{session:?}");
    }
    assert_eq!(reason(&cases[2].0, None), EndReason::Stopped, "without a culler nobody culls");
    let counts = reasons(cases.iter().map(|(session, _)| session), culler);
    assert_eq!(counts.values().sum::<u64>(), cases.len() as u64);
    assert_eq!((counts[&EndReason::LikelyCulled], counts[&EndReason::Open]), (3, 1));

    let running = long_runners([("b", &open), ("a", &open), ("c", &cases[0].0)], Micros(50), at(51));
    assert_eq!(running.iter().map(|runner| runner.user).collect::<Vec<_>>(), ["a", "b"]);
    assert!(long_runners([("a", &open)], Micros(50), at(50)).is_empty());
}

#[test]
fn the_busiest_tenth_and_the_curve() {
    let even = spread((0..20).map(|_| 5));
    assert_eq!(even.top_tenth, Share { part: 10, whole: 100 });
    let uneven = spread([0, 1, 0, 99]);
    assert_eq!((uneven.curve, uneven.top_tenth), (vec![0, 0, 0, 1, 100], Share { part: 99, whole: 100 }));
    let nobody = spread([]);
    assert_eq!((nobody.curve, nobody.top_tenth), (vec![0], Share::default()));
}

#[test]
fn a_median_with_heavy_censoring_stays_right_beyond_what_fits_exactly() {
    // Ends at 1, 3, 5, … and a censoring after each: the product of (n − 1) ⁄ n over n = 2k, of which the logarithm
    // is summed here in another way.
    let count = 4_001_i64;
    let lengths: Vec<Length> = (0..2 * count).map(|micros| Length { micros, is_censored: micros % 2 == 1 }).collect();
    let mut log = 0.0_f64;
    let expected = (0..count).find(|index| {
        let at_risk = (2 * (count - index)) as f64;
        log += ((at_risk - 1.0) / at_risk).ln();
        log < 0.5_f64.ln()
    });
    let found = quantiles(lengths, &[1], 2)[0].unwrap();
    assert_eq!(Some(found.from), expected.map(|index| 2 * index));
}

#[test]
fn the_ends_of_time_do_no_harm() {
    let edge = Session { start_low: at(i64::MIN), ..closed(i64::MAX - 1, i64::MAX, EndKnownBy::Stop, None) };
    let hours = running(&edge, Period::ALWAYS, at(0));
    assert_eq!((hours.low, hours.point, hours.high), (0, 1, i128::from(u64::MAX)));
    let culler = Culler { timeout: Micros(i64::MAX), period: Micros(i64::MAX) };
    let visit = Visit { start: at(i64::MIN), end: at(i64::MAX), activity: &[at(0)] };
    let saved = replay(&visit, culler).saved;
    assert!(0 <= saved.low && saved.low <= saved.point && saved.point <= saved.high);
    let ends = [at(i64::MIN), at(i64::MAX), at(i64::MAX)];
    assert_eq!(within(&ends, Micros(i64::MAX)).collect::<Vec<_>>(), [1, 1, 2]);
}
