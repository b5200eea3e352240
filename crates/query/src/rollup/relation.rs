//! Facts as tables: what statements of the catalogue read.
//!
//! Rows are made while they are read, a batch at a time, so that no table of millions of rows stands in memory. Only
//! the rows of the scope asked about are there at all.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use datafusion::arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Int32Array, Int64Array, RecordBatch, RecordBatchOptions, StringViewArray,
    StringViewBuilder,
};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{DataFusionError, internal_datafusion_err, project_schema};
use datafusion::error::Result;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use event::Day;
use insight::facts::{InRange, Link, Row, Series};
use insight::pin::Pin;

use super::Cell;
use super::cell::Kind;
use super::define::{LaunchKey, halves};
use super::wanted::Wanted;
use crate::kpi::{Grain, period_end, period_of};

/// Rows to make at once.
const BATCH_ROWS: usize = 8_192;

/// So few keys are looked up in each day; for more of them all keys are passed.
const KEYS_LOOKED_UP_MAX: usize = 32;

/// The facts that a statement may read.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    /// Of one rollup, in one zone, of one hub or all.
    pub(crate) cell: Arc<Cell>,
    /// The days that are asked about: those of the tables that add up over them.
    pub(crate) range: Range<Day>,
}

/// A table of facts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FactTable {
    /// Days with the keys added up by the day on which they came before.
    ActiveDays,
    /// Days with all their keys added up.
    ActiveTotals,
    /// Keys by day.
    Active,
    /// Keys, with what each did in the range asked about.
    ActiveKeys,
    /// Keys added up by the period in which they first came, for each period of the range.
    ActiveCohorts,
    /// Launches by day and by all in which they differ but the repository.
    LaunchDays,
    /// Starts by day and hour.
    StartDays,
}

impl FactTable {
    /// Every one, by name.
    const NAMES: [(&'static str, Self); 7] = [
        ("active_days", Self::ActiveDays),
        ("active_totals", Self::ActiveTotals),
        ("active", Self::Active),
        ("active_keys", Self::ActiveKeys),
        ("active_cohorts", Self::ActiveCohorts),
        ("launch_days", Self::LaunchDays),
        ("start_days", Self::StartDays),
    ];

    /// The table of that name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::NAMES.into_iter().find(|(own, _)| *own == name).map(|(_, table)| table)
    }

    fn schema(self) -> SchemaRef {
        use DataType::{Boolean, Date32, Int32, Int64, Utf8View};
        let fields: &[(&str, DataType, bool)] = match self {
            Self::ActiveDays => &[
                ("kind", Utf8View, false),
                ("day", Date32, false),
                ("week", Date32, false),
                ("month", Date32, false),
                ("previous_day", Date32, true),
                ("keys", Int64, false),
                ("n", Int64, false),
            ],
            Self::ActiveTotals => &[
                ("kind", Utf8View, false),
                ("day", Date32, false),
                ("week", Date32, false),
                ("month", Date32, false),
                ("keys", Int64, false),
                ("n", Int64, false),
            ],
            Self::Active => &[
                ("kind", Utf8View, false),
                ("hub", Utf8View, true),
                ("of", Utf8View, true),
                ("key", Utf8View, false),
                ("day", Date32, false),
                ("week", Date32, false),
                ("month", Date32, false),
                ("previous_day", Date32, true),
                ("first_day", Date32, false),
                ("n", Int64, false),
            ],
            Self::ActiveKeys => &[
                ("kind", Utf8View, false),
                ("hub", Utf8View, true),
                ("of", Utf8View, true),
                ("key", Utf8View, false),
                ("first_day", Date32, false),
                ("from_day", Date32, false),
                ("last_day", Date32, false),
                ("days", Int64, false),
                ("n", Int64, false),
                ("rank", Int64, false),
            ],
            Self::ActiveCohorts => &[
                ("kind", Utf8View, false),
                ("grain", Utf8View, false),
                ("first", Date32, false),
                ("period", Date32, false),
                ("keys", Int64, false),
            ],
            Self::LaunchDays => &[
                ("day", Date32, false),
                ("week", Date32, false),
                ("month", Date32, false),
                ("provider", Utf8View, false),
                ("origin", Utf8View, false),
                ("ref", Utf8View, true),
                ("build_token", Boolean, true),
                ("is_read", Boolean, false),
                ("n", Int64, false),
            ],
            Self::StartDays => &[
                ("day", Date32, false),
                ("week", Date32, false),
                ("month", Date32, false),
                ("hour", Int32, false),
                ("n", Int64, false),
            ],
        };
        let field = |(name, kind, nullable): &(&str, DataType, bool)| Field::new(*name, kind.clone(), *nullable);
        Arc::new(Schema::new(fields.iter().map(field).collect::<Vec<_>>()))
    }
}

/// A table of facts for `DataFusion`.
#[derive(Debug)]
pub(crate) struct FactProvider {
    table: FactTable,
    schema: SchemaRef,
    facts: Facts,
}

impl FactProvider {
    /// `table` over `facts`.
    pub(crate) fn new(table: FactTable, facts: Facts) -> Self {
        Self { table, schema: table.schema(), facts }
    }
}

#[async_trait]
impl TableProvider for FactProvider {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        _limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let schema = project_schema(&self.schema, projection)?;
        // Only names of keys are worth more than one thread.
        let shares = if self.table == FactTable::ActiveKeys { state.config().target_partitions().max(1) } else { 1 };
        let keys = Arc::default();
        let share = |number| -> Arc<dyn PartitionStream> {
            Arc::new(Rows {
                table: self.table,
                facts: self.facts.clone(),
                wanted: Wanted::by(filters),
                schema: Arc::clone(&schema),
                keys: Arc::clone(&keys),
                share: (number, shares),
            })
        };
        let streams = (0..shares).map(share).collect();
        Ok(Arc::new(StreamingTableExec::try_new(Arc::clone(&schema), streams, None, Vec::new(), false, None)?))
    }
}

/// What the keys of each kind did, counted by the thread that asks first.
type Keys = Mutex<BTreeMap<Kind, Arc<Vec<Ranked>>>>;

/// A key with its rank by how often it came: equal ones share the best.
#[derive(Clone, Copy, Debug)]
struct Ranked {
    /// From 1; nothing unless ranks are wanted.
    rank: u64,
    key: InRange,
}

/// `keys` with their ranks, the best first; of those up to `rank_max` alone, if it is named.
fn ranked(mut keys: Vec<InRange>, rank_max: Option<u64>) -> Arc<Vec<Ranked>> {
    match rank_max.map(|most| usize::try_from(most).unwrap_or(usize::MAX)) {
        Some(0) => keys.clear(),
        Some(most) if most < keys.len() => {
            let least = keys.select_nth_unstable_by_key(most - 1, |key| Reverse(key.n)).1.n;
            keys.retain(|key| key.n >= least);
        }
        _ => {}
    }
    keys.sort_unstable_by_key(|key| (Reverse(key.n), key.id));
    let (mut rank, mut before) = (0, None);
    let with_rank = |(place, key): (u64, InRange)| {
        if before.replace(key.n) != Some(key.n) {
            rank = place;
        }
        Ranked { rank, key }
    };
    Arc::new((1..).zip(keys).map(with_rank).collect())
}

/// The rows of a scan, to be made.
#[derive(Debug)]
struct Rows {
    table: FactTable,
    facts: Facts,
    wanted: Wanted,
    /// The columns wanted.
    schema: SchemaRef,
    /// Of [`FactTable::ActiveKeys`].
    keys: Arc<Keys>,
    /// Which batches of [`FactTable::ActiveKeys`] these are: the first of so many, or the second, and so on.
    share: (usize, usize),
}

impl PartitionStream for Rows {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _context: Arc<TaskContext>) -> SendableRecordBatchStream {
        let batches = futures::stream::iter(self.batches());
        Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), batches))
    }
}

type Batches = Box<dyn Iterator<Item = Result<RecordBatch>> + Send>;

impl Rows {
    fn batches(&self) -> Batches {
        let kinds: Vec<Kind> = self.facts.cell.kinds().map(|(kind, _)| kind).collect();
        let own = |kind: &Kind| match self.table {
            FactTable::LaunchDays => *kind == Kind::Launch,
            FactTable::StartDays => *kind == Kind::Start,
            _ => kind.comes_and_goes() && self.wanted.has(*kind),
        };
        let parts = kinds.into_iter().filter(own).filter_map(|kind| {
            let series = self.facts.cell.series(kind)?.clone();
            Some(self.of(kind, series))
        });
        Box::new(parts.collect::<Vec<_>>().into_iter().flatten())
    }

    fn keys_of(&self, kind: Kind, series: &Series) -> Arc<Vec<Ranked>> {
        let mut known = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        let keys = known.entry(kind).or_insert_with(|| {
            // Most questions want how often each came and no more, which is much less work.
            let wants = |name| self.schema.field_with_name(name).is_ok();
            let range = self.facts.range.clone();
            let is_plain = !(wants("from_day") || wants("last_day") || wants("days"));
            let keys = if is_plain { series.sums(range) } else { series.in_range(range) };
            match self.wanted.rank_max {
                None if !wants("rank") => Arc::new(keys.into_iter().map(|key| Ranked { rank: 0, key }).collect()),
                most => ranked(keys, most),
            }
        });
        Arc::clone(keys)
    }

    fn of(&self, kind: Kind, series: Series) -> Batches {
        let (schema, wanted, range) = (Arc::clone(&self.schema), self.wanted.clone(), self.facts.range.clone());
        match self.table {
            FactTable::ActiveDays => {
                let days: Vec<(Day, Links)> =
                    series.links(wanted.days).map(|(day, links)| (day, Links::of(links, wanted.last_before))).collect();
                let weights = days.into_iter().map(|(day, links)| (links.len, (day, links)));
                Box::new(grouped(weights).map(move |days| active_days(&schema, kind, &days)))
            }
            FactTable::ActiveTotals => {
                let days: Vec<(Day, u32, u64)> =
                    series.days(wanted.days).map(|(day, block)| (day, block.keys(), block.n())).collect();
                let days = days.into_iter().map(|day| (1, day));
                Box::new(grouped(days).map(move |days| active_totals(&schema, kind, &days)))
            }
            FactTable::Active => active(schema, kind, series, &wanted),
            FactTable::ActiveKeys => {
                let keys = self.keys_of(kind, &series);
                let (first, step) = (BATCH_ROWS * self.share.0, BATCH_ROWS * self.share.1);
                let batches = (first..keys.len()).step_by(step).map(move |from| {
                    let own = keys.get(from..keys.len().min(from + BATCH_ROWS)).unwrap_or_default();
                    active_keys(&schema, kind, &series, own)
                });
                Box::new(batches)
            }
            FactTable::ActiveCohorts => Box::new(std::iter::once(cohorts(&schema, kind, &series, &wanted, range))),
            FactTable::LaunchDays | FactTable::StartDays => {
                let days: Vec<(usize, DayCounts)> = series
                    .days(wanted.days)
                    .map(|(day, block)| (usize::try_from(block.keys()).unwrap_or(0), (day, block.iter().collect())))
                    .collect();
                let table = self.table;
                Box::new(grouped(days.into_iter()).map(move |days| match table {
                    FactTable::LaunchDays => launch_days(&schema, &series, &days),
                    _ => start_days(&schema, &series, &days),
                }))
            }
        }
    }
}

/// Items in groups of about [`BATCH_ROWS`] rows, by the number of rows of each.
fn grouped<T: Send + 'static>(
    items: impl Iterator<Item = (usize, T)> + Send + 'static,
) -> impl Iterator<Item = Vec<T>> + Send {
    let mut items = items.fuse();
    std::iter::from_fn(move || {
        let mut group = Vec::new();
        let mut rows = 0;
        while rows < BATCH_ROWS {
            let Some((own, item)) = items.next() else { break };
            rows += own;
            group.push(item);
        }
        (!group.is_empty()).then_some(group)
    })
}

/// Makes the columns that `schema` names, each by `column`.
fn batch(schema: &SchemaRef, rows: usize, column: impl Fn(&str) -> Option<ArrayRef>) -> Result<RecordBatch> {
    let columns = schema
        .fields()
        .iter()
        .map(|field| column(field.name()).ok_or_else(|| internal_datafusion_err!("facts have no '{}'", field.name())))
        .collect::<Result<Vec<_>>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options).map_err(DataFusionError::from)
}

/// The first days of the periods that hold `days`, each as often as its day has rows.
fn periods(grain: Grain, days: &[(Day, usize)]) -> ArrayRef {
    let repeated = days.iter().flat_map(|(day, rows)| std::iter::repeat_n(period_of(grain, *day).number(), *rows));
    Arc::new(Date32Array::from_iter_values(repeated))
}

fn day_column(name: &str, days: &[(Day, usize)]) -> Option<ArrayRef> {
    let grain = match name {
        "day" => Grain::Day,
        "week" => Grain::Week,
        "month" => Grain::Month,
        _ => return None,
    };
    Some(periods(grain, days))
}

fn kind_column(kind: Kind, rows: usize) -> ArrayRef {
    let one = StringViewArray::from_iter_values([kind.name()]);
    let views: Vec<u128> = one.views().first().into_iter().flat_map(|view| std::iter::repeat_n(*view, rows)).collect();
    Arc::new(StringViewArray::new(views.into(), one.data_buffers().to_vec(), None))
}

fn number(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

fn maybe(days: impl Iterator<Item = Option<Day>>) -> ArrayRef {
    Arc::new(days.map(|day| day.map(Day::number)).collect::<Date32Array>())
}

fn dates(days: impl Iterator<Item = Day>) -> ArrayRef {
    Arc::new(Date32Array::from_iter_values(days.map(Day::number)))
}

fn numbers(values: impl Iterator<Item = u64>) -> ArrayRef {
    Arc::new(Int64Array::from_iter_values(values.map(number)))
}

/// The first links of a day: those of keys that never came before stand in front, those of the longest absent next.
struct Links {
    all: Arc<[Link]>,
    len: usize,
}

impl Links {
    /// Those of keys that came last before a day, if one is named, or never.
    fn of(all: &Arc<[Link]>, last_before: Option<Day>) -> Self {
        let is_wanted = |link: &Link| last_before.is_none_or(|end| link.previous_day.is_none_or(|last| last < end));
        Self { all: Arc::clone(all), len: all.partition_point(is_wanted) }
    }

    fn iter(&self) -> impl Iterator<Item = &Link> {
        self.all.iter().take(self.len)
    }
}

fn active_days(schema: &SchemaRef, kind: Kind, days: &[(Day, Links)]) -> Result<RecordBatch> {
    let lengths: Vec<(Day, usize)> = days.iter().map(|(day, links)| (*day, links.len)).collect();
    let rows = lengths.iter().map(|(_, rows)| rows).sum();
    let links = || days.iter().flat_map(|(_, links)| links.iter());
    batch(schema, rows, |name| match name {
        "kind" => Some(kind_column(kind, rows)),
        "previous_day" => Some(maybe(links().map(|link| link.previous_day))),
        "keys" => Some(numbers(links().map(|link| u64::from(link.keys)))),
        "n" => Some(numbers(links().map(|link| link.n))),
        name => day_column(name, &lengths),
    })
}

/// Days with the number of their keys, and how often these came.
fn active_totals(schema: &SchemaRef, kind: Kind, days: &[(Day, u32, u64)]) -> Result<RecordBatch> {
    let lengths: Vec<(Day, usize)> = days.iter().map(|(day, ..)| (*day, 1)).collect();
    batch(schema, days.len(), |name| match name {
        "kind" => Some(kind_column(kind, days.len())),
        "keys" => Some(numbers(days.iter().map(|(_, keys, _)| u64::from(*keys)))),
        "n" => Some(numbers(days.iter().map(|(.., n)| *n))),
        name => day_column(name, &lengths),
    })
}

fn active(schema: SchemaRef, kind: Kind, series: Series, wanted: &Wanted) -> Batches {
    // The few keys that are wanted, by number.
    let ids: Option<Vec<u32>> = wanted.keys.as_ref().map(|keys| {
        let names = series.names().read();
        if kind.has_halves() {
            let is_wanted = |id: &u32| names.get(*id).is_some_and(|key| keys.contains(halves(kind, key).1));
            (0..u32::try_from(names.len()).unwrap_or(u32::MAX)).filter(is_wanted).collect()
        } else {
            let mut ids: Vec<u32> = keys.iter().filter_map(|key| names.find(key)).collect();
            ids.sort_unstable();
            ids
        }
    });
    let range = wanted.days.clone();
    let days: Box<dyn Iterator<Item = (Day, Vec<Row>)> + Send> = match ids {
        Some(ids) if ids.len() <= KEYS_LOOKED_UP_MAX => Box::new(series.rows_of(range, &ids).into_iter()),
        Some(ids) => Box::new(series.pass(range).map(move |(day, mut rows)| {
            rows.retain(|row| ids.binary_search(&row.id).is_ok());
            (day, rows)
        })),
        None => Box::new(series.pass(range)),
    };
    let days = days.map(|(day, rows)| (rows.len(), (day, rows)));
    Box::new(grouped(days).map(move |days| {
        let lengths: Vec<(Day, usize)> = days.iter().map(|(day, rows)| (*day, rows.len())).collect();
        let count = lengths.iter().map(|(_, rows)| rows).sum();
        let rows = || days.iter().flat_map(|(_, rows)| rows.iter());
        batch(&schema, count, |name| match name {
            "kind" => Some(kind_column(kind, count)),
            "hub" => Some(before(Kind::User, kind, &series, rows().map(|row| row.id))),
            "of" => Some(before(Kind::Spelling, kind, &series, rows().map(|row| row.id))),
            "key" => Some(keys(kind, &series, rows().map(|row| row.id))),
            "previous_day" => Some(maybe(rows().map(|row| row.previous_day))),
            "first_day" => {
                let in_days = days.iter().flat_map(|(day, rows)| rows.iter().map(move |row| (day, row.id)));
                Some(dates(in_days.map(|(day, id)| series.first_day(id).unwrap_or(*day))))
            }
            "n" => Some(numbers(rows().map(|row| row.n))),
            name => day_column(name, &lengths),
        })
    }))
}

/// The keys of `ids`; of a user the name alone, of a spelling without what it is one of.
fn keys(kind: Kind, series: &Series, ids: impl Iterator<Item = u32>) -> ArrayRef {
    let names = series.names().read();
    let mut builder = StringViewBuilder::new();
    for id in ids {
        builder.append_value(halves(kind, names.get(id).unwrap_or_default()).1);
    }
    Arc::new(builder.finish())
}

/// What stands before the key: the hub of a user, the repository of a spelling; nothing where kinds differ.
fn before(wanted: Kind, kind: Kind, series: &Series, ids: impl Iterator<Item = u32>) -> ArrayRef {
    let names = series.names().read();
    let mut builder = StringViewBuilder::new();
    for id in ids {
        builder.append_option(names.get(id).filter(|_| kind == wanted).and_then(|key| halves(kind, key).0));
    }
    Arc::new(builder.finish())
}

fn active_keys(schema: &SchemaRef, kind: Kind, series: &Series, found: &[Ranked]) -> Result<RecordBatch> {
    let all = || found.iter().map(|ranked| ranked.key);
    batch(schema, found.len(), |name| match name {
        "kind" => Some(kind_column(kind, found.len())),
        "hub" => Some(before(Kind::User, kind, series, all().map(|key| key.id))),
        "of" => Some(before(Kind::Spelling, kind, series, all().map(|key| key.id))),
        "key" => Some(keys(kind, series, all().map(|key| key.id))),
        "first_day" => Some(dates(all().map(|key| key.first_day))),
        "from_day" => Some(dates(all().map(|key| key.from_day))),
        "last_day" => Some(dates(all().map(|key| key.last_day))),
        "days" => Some(numbers(all().map(|key| u64::from(key.days)))),
        "n" => Some(numbers(all().map(|key| key.n))),
        "rank" => Some(numbers(found.iter().map(|ranked| ranked.rank))),
        _ => None,
    })
}

/// The periods of which `series` has days in `range`: the first day of each, and its days that lie in `range`.
fn periods_within(grain: Grain, series: &Series, range: &Range<Day>) -> Vec<(Day, Range<Day>)> {
    let mut periods: Vec<Day> = series.days(range.clone()).map(|(day, _)| period_of(grain, day)).collect();
    periods.dedup();
    let clipped = |period: Day| period.max(range.start)..period_end(grain, period).min(range.end);
    periods.into_iter().map(|period| (period, clipped(period))).collect()
}

fn cohorts(schema: &SchemaRef, kind: Kind, series: &Series, wanted: &Wanted, range: Range<Day>) -> Result<RecordBatch> {
    let mut found: Vec<(&str, Day, Day, u64)> = Vec::new();
    let grains = [("week", Grain::Week), ("month", Grain::Month)];
    for (name, grain) in grains.into_iter().filter(|(name, _)| wanted.has_grain(name)) {
        for (period, days) in periods_within(grain, series, &range) {
            let mut counts: BTreeMap<Day, u64> = BTreeMap::new();
            for (first_day, keys) in &*series.by_first_day(days) {
                *counts.entry(period_of(grain, *first_day)).or_default() += u64::from(*keys);
            }
            found.extend(counts.into_iter().map(|(first, keys)| (name, first, period, keys)));
        }
    }
    batch(schema, found.len(), |name| match name {
        "kind" => Some(kind_column(kind, found.len())),
        "grain" => Some(Arc::new(StringViewArray::from_iter_values(found.iter().map(|row| row.0)))),
        "first" => Some(dates(found.iter().map(|row| row.1))),
        "period" => Some(dates(found.iter().map(|row| row.2))),
        "keys" => Some(numbers(found.iter().map(|row| row.3))),
        _ => None,
    })
}

/// A day's numbers of keys, each with its count.
type DayCounts = (Day, Vec<(u32, u64)>);

fn lengths(days: &[DayCounts]) -> Vec<(Day, usize)> {
    days.iter().map(|(day, counts)| (*day, counts.len())).collect()
}

fn launch_days(schema: &SchemaRef, series: &Series, days: &[DayCounts]) -> Result<RecordBatch> {
    let lengths = lengths(days);
    let rows = lengths.iter().map(|(_, rows)| rows).sum();
    let names = series.names().read();
    let nothing = LaunchKey { pin: None, build_token: None, origin: "", provider: "" };
    let counts = || days.iter().flat_map(|(_, counts)| counts.iter());
    let launches: Vec<LaunchKey<'_>> =
        counts().map(|(id, _)| names.get(*id).and_then(LaunchKey::read).unwrap_or(nothing)).collect();
    batch(schema, rows, |name| match name {
        "provider" => Some(texts(launches.iter().map(|launch| launch.provider))),
        "origin" => Some(texts(launches.iter().map(|launch| launch.origin))),
        "ref" => {
            let refs = launches.iter().map(|launch| launch.pin.map(pin_name));
            Some(Arc::new(refs.collect::<StringViewArray>()))
        }
        "build_token" => Some(Arc::new(launches.iter().map(|launch| launch.build_token).collect::<BooleanArray>())),
        "is_read" => Some(Arc::new(launches.iter().map(|launch| Some(launch.pin.is_some())).collect::<BooleanArray>())),
        "n" => Some(numbers(counts().map(|(_, n)| *n))),
        name => day_column(name, &lengths),
    })
}

fn texts<'a>(values: impl Iterator<Item = &'a str>) -> ArrayRef {
    Arc::new(StringViewArray::from_iter_values(values))
}

fn pin_name(pin: Pin) -> &'static str {
    match pin {
        Pin::Commit => "commit",
        Pin::Version => "version",
        Pin::Archive => "archive",
        Pin::Name => "name",
    }
}

fn start_days(schema: &SchemaRef, series: &Series, days: &[DayCounts]) -> Result<RecordBatch> {
    let lengths = lengths(days);
    let rows = lengths.iter().map(|(_, rows)| rows).sum();
    let names = series.names().read();
    let counts = || days.iter().flat_map(|(_, counts)| counts.iter());
    batch(schema, rows, |name| match name {
        "hour" => {
            let hours = counts().map(|(id, _)| names.get(*id).and_then(|hour| hour.parse().ok()).unwrap_or(0));
            Some(Arc::new(Int32Array::from_iter_values(hours)))
        }
        "n" => Some(numbers(counts().map(|(_, n)| *n))),
        name => day_column(name, &lengths),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_those_of_counting_who_is_better() {
        for counts in [vec![], vec![5], vec![1, 1, 1], vec![3, 9, 9, 1, 3, 3, 2], (0..100).map(|n| n % 7).collect()] {
            let day = Day::from_number(1);
            let keys: Vec<InRange> = (0..)
                .zip(&counts)
                .map(|(id, n)| InRange { id, days: 1, n: *n, first_day: day, from_day: day, last_day: day })
                .collect();
            for most in [None, Some(0), Some(1), Some(2), Some(4), Some(1_000)] {
                let mut expected: Vec<(u64, u32)> = (0..)
                    .zip(&counts)
                    .map(|(id, n)| (1 + counts.iter().filter(|other| *other > n).count() as u64, id))
                    .filter(|(rank, _)| most.is_none_or(|most| *rank <= most))
                    .collect();
                expected.sort_unstable();
                let found = ranked(keys.clone(), most);
                let found: Vec<(u64, u32)> = found.iter().map(|ranked| (ranked.rank, ranked.key.id)).collect();
                assert_eq!(found, expected, "{counts:?} up to {most:?}");
            }
        }
    }
}
