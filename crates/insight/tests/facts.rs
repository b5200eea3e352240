//! Facts held compactly against the rows of `active`, which walk plainly; and what they cost.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use event::Day;
use insight::active::{self, Active, Days};
use insight::facts::{InRange, Link, Row, Series};
use proptest::prelude::*;

/// What was counted: by day, by key.
type Counts = BTreeMap<i32, BTreeMap<u32, u64>>;

fn day(number: i32) -> Day {
    Day::from_number(number)
}

/// The rows of all keys, made one event at a time.
fn rows(counts: &Counts) -> Vec<Active<u32>> {
    let mut keys: BTreeMap<u32, Days> = BTreeMap::new();
    for (number, of_day) in counts {
        for (key, n) in of_day {
            let _ = keys.entry(*key).or_default().add(day(*number), *n).count();
        }
    }
    keys.iter().flat_map(|(key, days)| days.rows(*key)).collect()
}

fn put(series: &mut Series, days: &Counts) {
    let named: Vec<(Day, Vec<(u32, u64)>)> = days
        .iter()
        .map(|(number, counts)| {
            let mut names = series.names().write();
            let counts = counts.iter().map(|(key, n)| (names.insert(&format!("key {key}")).unwrap(), *n)).collect();
            (day(*number), counts)
        })
        .collect();
    series.replace(named);
}

fn key_of(series: &Series, id: u32) -> u32 {
    series.names().read().get(id).unwrap().strip_prefix("key ").unwrap().parse().unwrap()
}

fn check(series: &Series, counts: &Counts, range: Range<Day>) {
    let expected = rows(counts);
    let within: Vec<&Active<u32>> = expected.iter().filter(|row| range.contains(&row.day)).collect();

    let mut passed: Vec<Active<u32>> = series
        .pass(range.clone())
        .flat_map(|(day, rows)| rows.into_iter().map(move |row| (day, row)))
        .map(|(day, row)| Active { key: key_of(series, row.id), day, n: row.n, previous_day: row.previous_day })
        .collect();
    passed.sort_unstable();
    let mut sorted: Vec<Active<u32>> = within.iter().copied().copied().collect();
    sorted.sort_unstable();
    assert_eq!(passed, sorted, "the rows with their keys");

    let mut links: BTreeMap<(Day, Option<Day>), (u32, u64)> = BTreeMap::new();
    for row in &within {
        let (keys, n) = links.entry((row.day, row.previous_day)).or_default();
        *keys += 1;
        *n += row.n;
    }
    let found: BTreeMap<(Day, Option<Day>), (u32, u64)> = series
        .links(range.clone())
        .flat_map(|(day, links)| {
            links.iter().map(move |Link { previous_day, keys, n }| ((day, *previous_day), (*keys, *n)))
        })
        .collect();
    assert_eq!(found, links, "the same with keys added up");
    let distinct: u64 = series
        .links(range.clone())
        .flat_map(|(_, links)| links.iter())
        .filter(|link| link.previous_day.is_none_or(|previous| previous < range.start))
        .map(|link| u64::from(link.keys))
        .sum();
    assert_eq!(distinct, active::distinct(&expected, range.clone()), "different keys in the range");

    let in_range: BTreeMap<u32, InRange> =
        series.in_range(range.clone()).into_iter().map(|key| (key_of(series, key.id), key)).collect();
    let keys: BTreeSet<u32> = within.iter().map(|row| row.key).collect();
    assert_eq!(in_range.keys().copied().collect::<BTreeSet<_>>(), keys);
    for (key, found) in in_range {
        let own: Vec<&&Active<u32>> = within.iter().filter(|row| row.key == key).collect();
        assert_eq!((found.days as usize, found.n), (own.len(), own.iter().map(|row| row.n).sum()));
        assert_eq!((found.from_day, found.last_day), (own[0].day, own[own.len() - 1].day));
        assert_eq!(Some(found.first_day), expected.iter().filter(|row| row.key == key).map(|row| row.day).min());
    }

    let sums: BTreeMap<u32, (u64, Day)> =
        series.sums(range.clone()).into_iter().map(|key| (key_of(series, key.id), (key.n, key.first_day))).collect();
    let plain = series.in_range(range.clone()).into_iter().map(|key| (key_of(series, key.id), (key.n, key.first_day)));
    assert_eq!(sums, plain.collect(), "sums from either side");
    assert_eq!(series.rows(), expected.len() as u64);

    let mut by_first_day: BTreeMap<Day, BTreeSet<u32>> = BTreeMap::new();
    for row in &within {
        let first = expected.iter().filter(|other| other.key == row.key).map(|other| other.day).min().unwrap();
        by_first_day.entry(first).or_default().insert(row.key);
    }
    let by_first_day: Vec<(Day, u32)> =
        by_first_day.into_iter().map(|(first, keys)| (first, u32::try_from(keys.len()).unwrap())).collect();
    for _ in ["counted", "remembered"] {
        assert_eq!(*series.by_first_day(range.clone()), *by_first_day);
    }

    let some: Vec<u32> = {
        let names = series.names().read();
        [0, 3, 11].iter().filter_map(|key| names.find(&format!("key {key}"))).collect()
    };
    let few = |row: &&Row| some.contains(&row.id);
    let passed: Vec<(Day, Vec<Row>)> = series
        .pass(range.clone())
        .map(|(day, rows)| (day, rows.iter().filter(few).copied().collect::<Vec<_>>()))
        .filter(|(_, rows)| !rows.is_empty())
        .collect();
    let mut found = series.rows_of(range, &some);
    found.iter_mut().for_each(|(_, rows)| rows.sort_unstable_by_key(|row| row.id));
    assert_eq!(found, passed, "a few keys looked up");
}

/// Days near each other and years apart, few keys, so that all meet often.
fn some_days() -> impl Strategy<Value = Counts> {
    let place = prop_oneof![4 => 0..60_i32, 2 => 0..900_i32, 1 => -900..2000_i32];
    let counts = proptest::collection::btree_map(0..12_u32, 1..200_u64, 0..6);
    proptest::collection::btree_map(place, counts, 0..25)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn replaced_days_in_any_order_give_what_a_plain_walk_gives(
        changes in proptest::collection::vec((some_days(), -900..2000_i32, 0..900_i32), 1..8),
    ) {
        let mut series = Series::default();
        let mut counts = Counts::new();
        for (days, from, length) in changes {
            let before = series.clone();
            let (rows_before, counts_before) = (before.rows(), counts.clone());
            put(&mut series, &days);
            counts.extend(days);
            counts.retain(|_, of_day| !of_day.is_empty());
            check(&series, &counts, day(from)..day(from + length));
            check(&series, &counts, day(-2000)..day(3000));
            prop_assert_eq!(before.rows(), rows_before, "a copy stays as it was");
            check(&before, &counts_before, day(from)..day(from + length));
            check(&series, &counts, day(from)..day(from + length));
            let mut anew = Series::default();
            put(&mut anew, &counts);
            check(&anew, &counts, day(from)..day(from + length));
            check(&series.with_own_names(), &counts, day(from)..day(from + length));
        }
    }
}

#[test]
fn names_of_keys_that_are_gone_can_be_let_go() {
    let mut series = Series::default();
    put(&mut series, &[(1, [(1, 1), (2, 1)].into()), (2, [(2, 1)].into())].into());
    put(&mut series, &[(1, [(2, 1)].into())].into());
    assert_eq!(series.names().read().len(), 2);
    let own = series.with_own_names();
    let names = own.names().read();
    assert_eq!((names.len(), names.find("key 1"), names.find("key 2")), (1, None, Some(0)));
    assert_eq!(own.rows(), 2);
}

/// Eight years of 3,000 repositories a day, half of them among a few that everybody knows: 8.6 million rows.
/// `HUBSCOPE_LONG=1 cargo test -p insight --release --test facts -- --nocapture` prints what they cost.
#[test]
fn years_of_days_take_little_memory() {
    let is_long = std::env::var_os("HUBSCOPE_LONG").is_some();
    let (days, keys_a_day) = if is_long { (2_900, 3_000) } else { (200, 300) };
    let mut state = 1_u64;
    let mut below = |end: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % end
    };
    let mut series = Series::default();
    let mut all = Vec::new();
    for number in 0..days {
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        while counts.len() < keys_a_day {
            let key = if below(2) == 0 { below(5_000) } else { below(300_000) };
            *counts.entry(format!("https://github.com/organisation-{}/repository-{key}", key % 977)).or_default() += 1;
        }
        let mut names = series.names().write();
        let counts = counts.iter().map(|(name, n)| (names.insert(name).unwrap(), *n)).collect();
        all.push((day(number), counts));
    }
    let begun = std::time::Instant::now();
    series.replace(all);
    let linked = begun.elapsed();
    let begun = std::time::Instant::now();
    let newest = (0..u32::try_from(keys_a_day).unwrap()).map(|id| (id, 2)).collect();
    series.replace([(day(days - 1), newest)]);
    let one_day = begun.elapsed();
    let links: usize = series.links(day(0)..day(days)).map(|(_, links)| links.len()).sum();
    let names = series.names().read().bytes();
    println!(
        "{} rows, {} links: {} bytes, {names} bytes of names; linked in {linked:?}, one day in {one_day:?}",
        series.rows(),
        links,
        series.bytes()
    );
    assert!(series.bytes() < 16 * usize::try_from(series.rows()).unwrap(), "{} bytes", series.bytes());
    if is_long {
        assert!(series.bytes() + names < 100_000_000, "{} bytes and {names} of names", series.bytes());
    }
}
