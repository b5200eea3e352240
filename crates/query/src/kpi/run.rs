//! Answers a question: its statement, its headline, what it is compared with and what was left out, over one snapshot.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use datafusion::scalar::ScalarValue;
use event::Day;
use store::Snapshot;

use super::answer::{Change, Comparison, Excluded, Headline, KpiAnswer, Ratio, grouped, message};
use super::notes;
use super::params::{Checked, Compare, Params, check, timestamp};
use super::range::{TimeRange, compared, period_end, period_of, periods, resolve};
use super::series::{self, DENOMINATOR_MIN, Period, Series};
use super::trend::{self, Trend, Wanted};
use super::{Before, Exclusion, Grain, HeadlineKind, Kpi, Privacy, Shape};
use crate::answer::Answer;
use crate::coverage::{Known, days_in};
use crate::engine::{Engine, Question};
use crate::error::QueryError;
use crate::nearest::{hint, nearest};
use crate::rollup::{Cell, Facts, NotReady, cell_id};
use crate::scope::Scope;
use crate::views::{self, Relation, Rows};
use crate::zone::Zone;

impl Engine {
    /// Answers `kpi` over the newest snapshot, with the rows that `scope` allows.
    ///
    /// Cancel safe: dropping the future stops the query.
    ///
    /// # Errors
    /// As [`Engine::sql`]; also a parameter that is missing, unknown or of the wrong form.
    pub async fn kpi(&self, kpi: &Kpi, params: &Params, scope: &Scope) -> Result<KpiAnswer, QueryError> {
        self.asking(kpi, params, scope).await?.answer().await
    }

    /// What is asked, with all that its statements need.
    pub(super) async fn asking<'a>(
        &'a self,
        kpi: &'a Kpi,
        params: &Params,
        scope: &Scope,
    ) -> Result<Asking<'a>, QueryError> {
        let checked = check(kpi, params)?;
        let (snapshot, deadline) = (self.snapshot(), self.deadline());
        let known = self.known(&snapshot, deadline).await?;
        let Some(relation) = kpi.needs.first().and_then(|name| views::find(name)) else {
            return Err(QueryError::Data(format!("the question '{}' needs no table", kpi.id)));
        };
        let hub = self.hub_asked(&checked, scope, &known)?;
        let zone = self.zone_asked(kpi, &checked, &relation, hub.as_deref(), &known);
        let scope = hub.clone().map_or(Scope::All, Scope::Hub);
        let facts = match &kpi.rollup {
            Some(needed) => Some(self.facts(needed.of, &scope, &zone, (&snapshot, &known), deadline).await?),
            None => None,
        };
        let mut covered = known.covered(&relation, hub.as_deref());
        if let (Some(needed), Some(Ok(_))) = (&kpi.rollup, &facts) {
            covered.extend(&known.past.covered(&cell_id(needed.of, &scope, &zone, &known)));
        }
        // What else it needs has no past.
        if matches!(relation.rows, Rows::Sessions) && kpi.needs.len() == 1 {
            covered.extend(&known.past.sessions_covered(hub.as_deref()));
        }
        let days = days_in(&covered, &zone);
        let made = tokio::sync::Mutex::default();
        let has_past = self.has_history();
        Ok(Asking { engine: self, kpi, checked, snapshot, deadline, scope, zone, days, has_past, facts, made })
    }

    /// The hub that the rows are of: the one asked about, or the one that the caller may see.
    fn hub_asked(
        &self,
        checked: &BTreeMap<String, Checked>,
        scope: &Scope,
        known: &Known,
    ) -> Result<Option<Arc<str>>, QueryError> {
        let Some(Checked::Text(name)) = checked.get("hub") else {
            return Ok(scope.hub().map(Into::into));
        };
        let mut hubs: BTreeSet<&str> = known.hubs();
        hubs.extend(self.hubs().names().map(|name| &**name));
        hubs.extend(scope.hub());
        hubs.retain(|hub| scope.allows(hub));
        if hubs.contains(name.as_str()) {
            return Ok(Some(name.as_str().into()));
        }
        let near = nearest(name, hubs.iter().copied());
        let there = match hubs.len() {
            0 => "none is known yet".to_owned(),
            _ => format!("there are {}", hubs.into_iter().take(HUBS_TOLD_MAX).collect::<Vec<_>>().join(", ")),
        };
        let problem = format!("there is no hub '{name}'{}; {there}", hint(&near));
        Err(QueryError::Parameter { name: "hub".to_owned(), problem })
    }

    /// Where days are cut. Public figures are those of archives and cut in UTC, unless a zone or a hub is named.
    fn zone_asked(
        &self,
        kpi: &Kpi,
        checked: &BTreeMap<String, Checked>,
        relation: &Relation,
        hub: Option<&str>,
        known: &Known,
    ) -> Zone {
        match (checked.get("zone"), hub) {
            (Some(Checked::Zone(zone)), _) => zone.clone(),
            (_, Some(hub)) => self.hubs().zone(hub),
            _ if kpi.privacy == Privacy::Public => Zone::utc(),
            _ => self.hubs().shared_zone(known.hubs_of(relation)).unwrap_or_else(Zone::utc),
        }
    }
}

/// From so many events on it takes longer to read them than facts that are kept.
const EVENTS_FELT_MIN: u64 = 100_000;

/// Rows of one statement that are told as notes: more are no notes but a table.
const NOTES_MAX: usize = 5;

/// Hubs that an error names.
const HUBS_TOLD_MAX: usize = 20;

pub(super) struct Asking<'a> {
    engine: &'a Engine,
    kpi: &'a Kpi,
    checked: BTreeMap<String, Checked>,
    snapshot: Arc<Snapshot>,
    deadline: Instant,
    scope: Scope,
    zone: Zone,
    /// The days that are known.
    days: BTreeSet<Day>,
    /// Whether anything is kept of events that have left.
    has_past: bool,
    /// The facts that the question reads, if it reads any: those that are kept, or why there are none.
    facts: Option<Result<Arc<Cell>, NotReady>>,
    /// Those made of events in their place, by the range that they were made for.
    made: tokio::sync::Mutex<BTreeMap<(Day, Day), Arc<Cell>>>,
}

/// The number above the chart; of a ratio with its two numbers, and without the percentage when they are small.
#[derive(Clone, Debug)]
struct Total {
    headline: Option<Headline>,
    ratio: Option<Ratio>,
}

impl Asking<'_> {
    async fn answer(self) -> Result<KpiAnswer, QueryError> {
        let today = self.today();
        let covered = self.covered();
        // Nothing is expected of tomorrow, also when an emitter's clock is ahead.
        let end = covered.map_or(today.next(), |covered| covered.to.min(today.next()));
        let range = resolve(self.kpi.range, self.kpi.grain, &self.checked, end)?;
        let unfinished = covered.and_then(|covered| self.unfinished(range, covered));
        let periods = self.periods(range);
        let mut rows = self.rows(range, &periods).await?;
        let (trend, total) = if self.kpi.has_trend {
            self.trend(&mut rows, &periods, unfinished)?
        } else {
            (None, self.total(&rows, range, unfinished).await?)
        };
        let mut excluded = Vec::with_capacity(self.kpi.exclusions.len());
        for exclusion in &self.kpi.exclusions {
            excluded.push(self.excluded(exclusion, range).await?);
        }
        let partial = self.partial(range, unfinished);
        let mut notes = self.notes(&rows, range, &periods, &partial, unfinished, &excluded);
        let proven = if self.days.is_empty() { None } else { self.proven(range).await? };
        let unit = self.kpi.proven.as_ref().map_or("", |proven| &proven.unit);
        notes.splice(0..0, self.told_by_statements(range).await?);
        if let Some(trend) = &trend {
            notes.splice(0..0, trend.told.iter().cloned());
        }
        if let Some(note) = proven.and_then(|proven| notes::proven(proven, unit)) {
            notes.insert(0, note);
        }
        let compared = self.compared((&rows, &total), range, covered, unfinished, &mut notes).await?;
        let (change, comparison) = compared.unzip();
        let mut answer = KpiAnswer {
            id: self.kpi.id.clone(),
            message: String::new(),
            reading: self.kpi.reading.clone(),
            parameters: self.shown(range),
            answer: rows.answer.with_unit("value", &self.kpi.unit),
            series: rows.names,
            headline: total.headline,
            ratio: total.ratio,
            proven,
            change,
            comparison,
            range,
            zone: self.zone.clone(),
            hub: self.scope.hub().map(str::to_owned),
            covered,
            gaps: periods.iter().filter(|period| !period.is_covered).map(|period| period.start).collect(),
            partial,
            unfinished,
            excluded,
            trend,
            notes,
            is_from_rollup: matches!(self.facts, Some(Ok(_))),
        };
        answer.message = message(self.kpi, &answer);
        Ok(answer)
    }

    fn today(&self) -> Day {
        self.zone.day(self.engine.clock().now())
    }

    fn covered(&self) -> Option<TimeRange> {
        Some(TimeRange { from: *self.days.first()?, to: self.days.last()?.next() })
    }

    fn covered_days(&self, range: TimeRange) -> usize {
        if range.from >= range.to { 0 } else { self.days.range(range.from..range.to).count() }
    }

    /// The periods of `range` that have begun.
    fn periods(&self, range: TimeRange) -> Vec<Period> {
        if self.kpi.grain == Grain::None {
            return Vec::new();
        }
        let today = self.today();
        let begun = periods(self.kpi.grain, range).into_iter().filter(|start| *start <= today);
        begun.map(|start| Period { start, is_covered: self.covered_days(self.period(start)) > 0 }).collect()
    }

    fn period(&self, start: Day) -> TimeRange {
        TimeRange { from: start, to: period_end(self.kpi.grain, start) }
    }

    /// The last period of the range, if it goes on beyond what is known: the present one, or one that the data do not
    /// cover to its end.
    fn unfinished(&self, range: TimeRange, covered: TimeRange) -> Option<Day> {
        let today = self.today();
        if range.holds(today) {
            return Some(period_of(self.kpi.grain, today));
        }
        let last = period_of(self.kpi.grain, covered.last());
        let reaches_beyond = period_end(self.kpi.grain, last) > covered.to;
        Some(last).filter(|last| self.kpi.grain != Grain::None && reaches_beyond && range.holds(*last))
    }

    /// The periods that are covered on some of their days only.
    fn partial(&self, range: TimeRange, unfinished: Option<Day>) -> Vec<Day> {
        let starts = self.periods(range).into_iter().map(|period| period.start);
        let is_partial = |start: &Day| {
            let period = self.period(*start);
            let covered = self.covered_days(period);
            covered > 0 && i32::try_from(covered).is_ok_and(|covered| covered < period.days())
        };
        starts.filter(|start| Some(*start) != unfinished).filter(is_partial).collect()
    }

    /// The rows of `range`, complete.
    async fn rows(&self, range: TimeRange, periods: &[Period]) -> Result<Series, QueryError> {
        let mut pieces = self.pieces(range).into_iter();
        let mut answer = self.ask(&self.kpi.sql, pieces.next().unwrap_or(range)).await?;
        for piece in pieces {
            answer.extend(self.ask(&self.kpi.sql, piece).await?);
        }
        if self.kpi.grain == Grain::None {
            return Ok(Series::of(answer));
        }
        Series::complete(answer, &self.kpi.shape, periods).map_err(|error| QueryError::Data(error.to_string()))
    }

    /// What of `range` is answered at a time. Where nothing is known, nothing is asked.
    fn pieces(&self, range: TimeRange) -> Vec<TimeRange> {
        let Some(length) = self.kpi.pieces else { return vec![range] };
        let starts: Vec<Day> = periods(self.kpi.grain, range).into_iter().step_by(length.get()).collect();
        let ends = starts.iter().skip(1).copied().chain([range.to]);
        let pieces = starts.iter().zip(ends).map(|(from, to)| TimeRange { from: *from, to });
        pieces.filter(|piece| self.covered_days(*piece) > 0).collect()
    }

    /// The headline of those of the rows that lie in `range`.
    async fn total(&self, rows: &Series, range: TimeRange, unfinished: Option<Day>) -> Result<Total, QueryError> {
        let nothing = Total { headline: None, ratio: None };
        if self.days.is_empty() || (self.kpi.grain != Grain::None && self.covered_days(range) == 0) {
            return Ok(nothing);
        }
        let headline = |value: f64, unit: &str, unit_one: &str| Headline {
            value,
            bounds: None,
            unit: unit.to_owned(),
            unit_one: unit_one.to_owned(),
        };
        let told = match &self.kpi.headline {
            HeadlineKind::Sum => Headline {
                bounds: self.summed_bounds(&rows.answer, range),
                ..headline(self.sum(&rows.answer, range), &self.kpi.unit, &self.kpi.unit_one)
            },
            HeadlineKind::Sql { unit, unit_one, sql } => {
                let told = rows.told_of(range).map_err(|error| QueryError::Data(error.to_string()))?;
                let answer = self.ask_beside(sql, range, told).await?;
                // A statement without a row answers 0, and one that answers NULL has too little to go by.
                let value = match answer.cells().next() {
                    None => Some(0.0),
                    Some(_) if answer.columns.iter().any(|column| column.name == "value") => named(&answer, "value"),
                    Some(_) => first(&answer),
                };
                let Some(value) = value else { return Ok(nothing) };
                let bounds = named(&answer, "value_low").zip(named(&answer, "value_high"));
                Headline { bounds, ..headline(value, unit, unit_one) }
            }
            HeadlineKind::Mean { unit, unit_one } if self.kpi.shape == Shape::Ratio => {
                return Ok(mean_ratio(&rows.answer, range, unfinished).map_or(nothing, |(percent, ratio)| Total {
                    headline: Some(headline(percent, unit, unit_one)).filter(|_| ratio.denominator >= DENOMINATOR_MIN),
                    ratio: Some(ratio),
                }));
            }
            HeadlineKind::Mean { unit, unit_one } => match mean(&rows.answer, range, unfinished) {
                Some(mean) => headline(mean, unit, unit_one),
                None => return Ok(nothing),
            },
        };
        Ok(Total { headline: Some(told), ratio: None })
    }

    /// The trend of weeks that are over and were watched, without the one in which the data begin. The weeks that it
    /// foretells take their place among the rows; the last of them is the headline.
    fn trend(
        &self,
        rows: &mut Series,
        periods: &[Period],
        unfinished: Option<Day>,
    ) -> Result<(Option<Trend>, Total), QueryError> {
        let nothing = Total { headline: None, ratio: None };
        let data = |error: datafusion::arrow::error::ArrowError| QueryError::Data(error.to_string());
        let Some(begin) = self.days.first() else {
            rows.answer = series::with_foretold(rows.answer.clone(), &BTreeMap::new()).map_err(data)?;
            return Ok((None, nothing));
        };
        let is_whole = |week: &&Period| week.is_covered && Some(week.start) != unfinished && *begin <= week.start;
        let whole: BTreeSet<Day> = periods.iter().filter(is_whole).map(|week| week.start).collect();
        let mut weeks = series::values(&rows.answer);
        weeks.retain(|day, _| whole.contains(day));
        let number = |name: &str| match self.checked.get(name) {
            Some(Checked::Integer(number)) => *number,
            _ => 0,
        };
        let [through, ahead, room] = trend::PARAMETERS.map(number);
        let (unit, unit_one) = (&self.kpi.unit, &self.kpi.unit_one);
        let (trend, foretold) = trend::drawn(&weeks, Wanted { through, ahead, room }, (unit, unit_one));
        rows.answer = series::with_foretold(rows.answer.clone(), &foretold).map_err(data)?;
        let headline = foretold.last_key_value().map(|(week, told)| Headline {
            value: told.point,
            bounds: Some((told.low, told.high)),
            unit: format!("{unit} in the week of {week}"),
            unit_one: format!("{unit_one} in the week of {week}"),
        });
        Ok((Some(trend), Total { headline, ratio: None }))
    }

    fn summed_bounds(&self, answer: &Answer, range: TimeRange) -> Option<(f64, f64)> {
        let outer = series::outer(answer);
        let sum = |of: fn(&(f64, f64)) -> f64| {
            outer.iter().filter(|(day, _)| range.holds(**day)).map(|(_, both)| of(both)).sum()
        };
        (self.kpi.shape == Shape::Bounds).then(|| (sum(|both| both.0), sum(|both| both.1)))
    }

    /// How much of the answer rests on what was seen.
    async fn proven(&self, range: TimeRange) -> Result<Option<Ratio>, QueryError> {
        let Some(proven) = &self.kpi.proven else { return Ok(None) };
        let answer = self.ask(&proven.sql, range).await?;
        let both = named(&answer, "numerator").zip(named(&answer, "denominator"));
        Ok(both.map(|(numerator, denominator)| Ratio { numerator, denominator }))
    }

    fn sum(&self, answer: &Answer, range: TimeRange) -> f64 {
        if self.kpi.grain == Grain::None {
            let Some(at) = answer.columns.iter().position(|column| column.name == "value") else { return 0.0 };
            return answer.cells().filter_map(|cells| cells.get(at)?.number()).sum();
        }
        series::values(answer).into_iter().filter(|(day, _)| range.holds(*day)).map(|(_, value)| value).sum()
    }

    /// The finished part of `range` against the time with which it is to be compared.
    async fn compared(
        &self,
        (rows, total): (&Series, &Total),
        range: TimeRange,
        covered: Option<TimeRange>,
        unfinished: Option<Day>,
        told: &mut Vec<String>,
    ) -> Result<Option<(Change, Comparison)>, QueryError> {
        // What is foretold has no time before it.
        if self.kpi.has_trend {
            return Ok(None);
        }
        let compare = self.compare();
        let finished = TimeRange { from: range.from, to: unfinished.map_or(range.to, |period| period.min(range.to)) };
        let (Some(covered), true) = (covered, finished.from < finished.to) else { return Ok(None) };
        let Some(then) = compared(compare, self.kpi.grain, finished) else { return Ok(None) };
        if let Some(problem) = self.incomparable(finished, then, covered) {
            told.push(problem);
            return Ok(None);
        }
        let now = match self.kpi.grain {
            _ if finished == range => total.clone(),
            Grain::None => self.total(&self.rows(finished, &[]).await?, finished, None).await?,
            _ => self.total(rows, finished, None).await?,
        };
        let rows_then = self.rows(then, &self.periods(then)).await?;
        let before = self.total(&rows_then, then, None).await?;
        let (Some(now), Some(before)) = (now.headline, before.headline) else { return Ok(None) };
        let change = Change { range: finished, value: now.value, before_range: then, before: before.value };
        let answer = rows_then.answer.with_unit("value", &self.kpi.unit);
        Ok(Some((change, Comparison { compare, range: then, headline: before, answer })))
    }

    fn compare(&self) -> Compare {
        let asked = match self.checked.get("compare") {
            Some(Checked::Text(asked)) => asked.as_str(),
            _ => "",
        };
        Compare::ALL.into_iter().find(|compare| compare.name() == asked).unwrap_or(Compare::Previous)
    }

    /// Why `now` and `then` cannot be compared: the data do not reach back, or one was watched on fewer days.
    fn incomparable(&self, now: TimeRange, then: TimeRange, covered: TimeRange) -> Option<String> {
        if then.from < covered.from {
            return Some(notes::not_reaching_back(covered, then, now));
        }
        let missing = |range: TimeRange| usize::try_from(range.days()).unwrap_or(0) - self.covered_days(range);
        let (now_missing, then_missing) = (missing(now), missing(then));
        let days = usize::try_from(now.days()).unwrap_or(0);
        let allowed = (days / MISSING_DAYS_DIVISOR).max(1);
        (now_missing.abs_diff(then_missing) > allowed).then(|| notes::unequal(now, now_missing, then, then_missing))
    }

    fn notes(
        &self,
        rows: &Series,
        range: TimeRange,
        periods: &[Period],
        partial: &[Day],
        unfinished: Option<Day>,
        excluded: &[Excluded],
    ) -> Vec<String> {
        let mut told: Vec<String> =
            excluded.iter().map(|left_out| left_out.sentence.clone()).filter(|sentence| !sentence.is_empty()).collect();
        if !self.days.is_empty() {
            told.extend(notes::gaps(self.kpi.grain, periods));
            let missing = |start: &Day| {
                self.period(*start).days() - i32::try_from(self.covered_days(self.period(*start))).unwrap_or(0)
            };
            told.extend(notes::partial(self.kpi.grain, partial.len(), partial.iter().map(missing).sum()));
        }
        told.extend(notes::folded(rows.folded));
        if self.kpi.shape == Shape::Ratio {
            let small = series::ratios(&rows.answer)
                .values()
                .filter(|(_, denominator)| 0.0 < *denominator && *denominator < DENOMINATOR_MIN)
                .count();
            told.extend(notes::small(small));
        }
        if let Some(first) = self.days.first().filter(|first| self.kpi.marks_history && range.holds(**first)) {
            told.push(notes::history(*first));
        }
        told.extend(unfinished.map(|period| notes::unfinished(self.kpi.grain, period, self.kpi.has_trend)));
        told.extend(self.told_of_facts());
        told
    }

    /// That nothing was kept ready for this answer, where that could be felt.
    fn told_of_facts(&self) -> Option<String> {
        let Some(Err(why)) = self.facts else { return None };
        (self.has_past || self.snapshot.events.rows() >= EVENTS_FELT_MIN).then(|| notes::from_events(why, &self.zone))
    }

    /// What the question's own statements say beside the figures; nothing where there are no data.
    async fn told_by_statements(&self, range: TimeRange) -> Result<Vec<String>, QueryError> {
        let mut told = Vec::new();
        for sql in self.kpi.notes.iter().filter(|_| !self.days.is_empty()) {
            let answer = self.ask(sql, range).await?;
            told.extend(answer.cells().take(NOTES_MAX).filter_map(|cells| Some(cells.first()?.text())));
        }
        told.retain(|note| !note.is_empty());
        Ok(told)
    }

    async fn excluded(&self, exclusion: &Exclusion, range: TimeRange) -> Result<Excluded, QueryError> {
        let rows = self.number(&exclusion.sql, range).await?;
        let sentence = match rows {
            0.0 => String::new(),
            1.0 => exclusion.one.clone(),
            many => exclusion.many.replace("{n}", &grouped(many)),
        };
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of rows")]
        let rows = rows as u64;
        Ok(Excluded { name: exclusion.name.clone(), rows, sentence })
    }

    /// The one number that `sql` answers; 0 when it answers none.
    async fn number(&self, sql: &str, range: TimeRange) -> Result<f64, QueryError> {
        let answer = self.ask(sql, range).await?;
        Ok(answer.cells().next().and_then(|cells| cells.first()?.number()).unwrap_or(0.0))
    }

    pub(super) async fn ask(&self, sql: &str, range: TimeRange) -> Result<Answer, QueryError> {
        self.engine.ask(self.question(sql, range).await?, Arc::clone(&self.snapshot), self.deadline).await
    }

    /// The same of a statement that may read the rows of the question, `told`.
    pub(super) async fn ask_beside(&self, sql: &str, range: TimeRange, told: Answer) -> Result<Answer, QueryError> {
        let question = Question { rows: Some(told), ..self.question(sql, range).await? };
        self.engine.ask(question, Arc::clone(&self.snapshot), self.deadline).await
    }

    async fn question(&self, sql: &str, range: TimeRange) -> Result<Question, QueryError> {
        let rows_max = self.engine.limits().rows_max;
        let facts = self.facts_of(range).await?;
        let (sql, values, scope) = (sql.to_owned(), self.values(range), self.scope.clone());
        Ok(Question { sql, values, rows_max, scope, facts, rows: None })
    }

    /// What the tables of facts hold for `range`.
    async fn facts_of(&self, range: TimeRange) -> Result<Option<Facts>, QueryError> {
        let (Some(needed), Some(facts)) = (&self.kpi.rollup, &self.facts) else { return Ok(None) };
        let of = |cell: &Arc<Cell>| Some(Facts { cell: Arc::clone(cell), range: range.from..range.to });
        if let Ok(cell) = facts {
            return Ok(of(cell));
        }
        let from = match needed.before {
            Before::Days(days) => Day::from_number(range.from.number().saturating_sub(i32::from(days))),
            Before::Ever => self.days.first().copied().unwrap_or(range.from).min(range.from),
        };
        let to = Day::from_number(range.to.number().saturating_add(i32::from(needed.days_after)));
        let mut made = self.made.lock().await;
        if let Some(cell) = made.get(&(from, to)) {
            return Ok(of(cell));
        }
        let (days, deadline) = ((from, to), self.deadline);
        let cell = self.engine.facts_from_events(needed.of, &self.scope, &self.zone, days, &self.snapshot, deadline);
        let cell = cell.await?;
        made.insert(days, Arc::clone(&cell));
        Ok(of(&cell))
    }

    fn values(&self, range: TimeRange) -> Vec<(String, ScalarValue)> {
        let is_common = |name: &str| super::params::COMMON.contains(&name) || name == "months";
        let given = self.checked.iter().filter(|(name, _)| !is_common(name));
        let mut values: Vec<(String, ScalarValue)> = given.map(|(name, value)| (name.clone(), value.bound())).collect();
        let instants = self.zone.instants(range.from, range.to);
        values.push(("from".to_owned(), timestamp(instants.start)));
        values.push(("to".to_owned(), timestamp(instants.end)));
        values.push(("first_day".to_owned(), ScalarValue::Date32(Some(range.from.number()))));
        values.push(("end_day".to_owned(), ScalarValue::Date32(Some(range.to.number()))));
        values.push(("today".to_owned(), ScalarValue::Date32(Some(self.today().number()))));
        values.push(("now".to_owned(), timestamp(self.engine.clock().now())));
        values.push(("zone".to_owned(), ScalarValue::Utf8(Some(self.zone.name().to_owned()))));
        values
    }

    fn shown(&self, range: TimeRange) -> Vec<(String, String)> {
        let mut shown = vec![
            ("from".to_owned(), range.from.to_string()),
            ("to".to_owned(), range.to.to_string()),
            ("zone".to_owned(), self.zone.to_string()),
        ];
        let others = self.checked.iter().filter(|(name, _)| !matches!(name.as_str(), "from" | "to" | "zone"));
        shown.extend(others.map(|(name, value)| (name.clone(), value.shown())));
        shown
    }
}

/// The number in the column `name` of the first row.
fn named(answer: &Answer, name: &str) -> Option<f64> {
    let at = answer.columns.iter().position(|column| column.name == name)?;
    answer.cells().next()?.get(at)?.number()
}

/// The first number of the first row.
fn first(answer: &Answer) -> Option<f64> {
    answer.cells().next()?.first()?.number()
}

/// Two ranges are compared when the days without data differ by at most one in so many days, and one day in any case.
const MISSING_DAYS_DIVISOR: usize = 10;

/// The mean of the finished periods of `range` that are covered; of the unfinished one when there is no other.
fn mean(answer: &Answer, range: TimeRange, unfinished: Option<Day>) -> Option<f64> {
    let mut values = series::values(answer);
    values.retain(|day, _| range.holds(*day));
    let finished: Vec<f64> =
        values.iter().filter(|(day, _)| unfinished != Some(**day)).map(|(_, value)| *value).collect();
    if finished.is_empty() { mean_of(values.into_values()) } else { mean_of(finished) }
}

fn mean_of(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let (mut sum, mut count) = (0.0, 0.0);
    for value in values {
        sum += value;
        count += 1.0;
    }
    (count > 0.0).then(|| sum / count)
}

/// The mean of the daily percentages, days with a denominator of 0 left out, and the means of both numbers.
fn mean_ratio(answer: &Answer, range: TimeRange, unfinished: Option<Day>) -> Option<(f64, Ratio)> {
    let ratios = series::ratios(answer);
    let finished: Vec<(f64, f64)> = ratios
        .into_iter()
        .filter(|(day, (_, denominator))| range.holds(*day) && unfinished != Some(*day) && *denominator > 0.0)
        .map(|(_, both)| both)
        .collect();
    let percent = mean_of(finished.iter().map(|(numerator, denominator)| 100.0 * numerator / denominator))?;
    let numerator = mean_of(finished.iter().map(|(numerator, _)| *numerator))?;
    let denominator = mean_of(finished.iter().map(|(_, denominator)| *denominator))?;
    Some((percent, Ratio { numerator, denominator }))
}
