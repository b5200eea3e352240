//! Answers a question: its statement, its headline now and before, and what was left out, over one snapshot.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use datafusion::scalar::ScalarValue;
use event::Day;
use store::Snapshot;

use super::answer::{Change, Excluded, Headline, KpiAnswer, grouped, message};
use super::coverage::covered;
use super::params::{Checked, Params, check, timestamp};
use super::range::{TimeRange, before, period_end, periods, resolve};
use super::{Exclusion, Grain, Kpi, fill};
use crate::answer::Answer;
use crate::engine::{Engine, Question};
use crate::error::QueryError;

impl Engine {
    /// Answers `kpi` over the newest snapshot.
    ///
    /// Cancel safe: dropping the future stops the query.
    ///
    /// # Errors
    /// As [`Engine::sql`]; also a parameter that is missing, unknown or of the wrong form.
    pub async fn kpi(&self, kpi: &Kpi, params: &Params) -> Result<KpiAnswer, QueryError> {
        let checked = check(kpi, params)?;
        let asking = Asking { engine: self, kpi, checked, snapshot: self.snapshot(), deadline: self.deadline() };
        asking.answer().await
    }
}

struct Asking<'a> {
    engine: &'a Engine,
    kpi: &'a Kpi,
    checked: BTreeMap<String, Checked>,
    snapshot: Arc<Snapshot>,
    deadline: Instant,
}

impl Asking<'_> {
    async fn answer(self) -> Result<KpiAnswer, QueryError> {
        let today = self.engine.clock().now().day();
        let covered = covered(self.engine, self.engine.coverage(), self.kpi, &self.snapshot, self.deadline).await?;
        // Nothing is expected of tomorrow, also when an emitter's clock is ahead.
        let end = covered.map_or(today.next(), |covered| covered.to.min(today.next()));
        let range = resolve(self.kpi.range, self.kpi.grain, &self.checked, end)?;
        let unfinished = covered.and_then(|covered| self.unfinished(range, covered));
        let rows = self.ask(&self.kpi.sql, range).await?;
        let rows = match self.kpi.grain {
            Grain::None => rows,
            grain => fill::zeros(rows, grain, range, covered).map_err(|error| QueryError::Data(error.to_string()))?,
        };
        let rows = rows.with_unit("value", &self.kpi.unit);
        let headline = match covered {
            Some(_) => Some(self.headline(&rows, range).await?),
            None => None,
        };
        let mut excluded = Vec::with_capacity(self.kpi.exclusions.len());
        for exclusion in &self.kpi.exclusions {
            excluded.push(self.excluded(exclusion, range).await?);
        }
        let mut notes: Vec<String> = excluded
            .iter()
            .map(|left_out: &Excluded| left_out.sentence.clone())
            .filter(|sentence| !sentence.is_empty())
            .collect();
        notes.extend(unfinished.map(|period| unfinished_note(self.kpi.grain, period)));
        let change = self.change(&rows, range, covered, unfinished, &mut notes).await?;
        Ok(KpiAnswer {
            id: self.kpi.id.clone(),
            message: message(self.kpi, &rows, headline.as_ref(), range),
            reading: self.kpi.reading.clone(),
            parameters: self.shown(range),
            answer: rows,
            headline,
            change,
            range,
            covered,
            unfinished,
            excluded,
            notes,
        })
    }

    /// The last period of the data, if it goes on beyond what is known: the present one, or one that the data do not
    /// cover to its end.
    fn unfinished(&self, range: TimeRange, covered: TimeRange) -> Option<Day> {
        let today = self.engine.clock().now().day();
        let begun = |period: &Day| *period < covered.to.min(today.next());
        match self.kpi.grain {
            Grain::None => Some(today).filter(|today| range.from <= *today && *today < range.to && begun(today)),
            grain => periods(grain, range)
                .into_iter()
                .rfind(begun)
                .filter(|period| period_end(grain, *period) > covered.to.min(today)),
        }
    }

    async fn headline(&self, rows: &Answer, range: TimeRange) -> Result<Headline, QueryError> {
        let Some(headline) = &self.kpi.headline else {
            let value = rows.cells().filter_map(|cells| cells.last()?.number()).sum();
            return Ok(Headline { value, unit: self.kpi.unit.clone(), unit_one: self.kpi.unit_one.clone() });
        };
        let value = self.number(&headline.sql, range).await?;
        Ok(Headline { value, unit: headline.unit.clone(), unit_one: headline.unit_one.clone() })
    }

    /// The headline of `range`, asked anew.
    async fn headline_of(&self, range: TimeRange) -> Result<f64, QueryError> {
        match &self.kpi.headline {
            Some(headline) => self.number(&headline.sql, range).await,
            None => {
                let rows = self.ask(&self.kpi.sql, range).await?;
                Ok(rows.cells().filter_map(|cells| cells.last()?.number()).sum())
            }
        }
    }

    /// The finished part of `range` against as long a time before it.
    async fn change(
        &self,
        rows: &Answer,
        range: TimeRange,
        covered: Option<TimeRange>,
        unfinished: Option<Day>,
        notes: &mut Vec<String>,
    ) -> Result<Option<Change>, QueryError> {
        let Some(covered) = covered else { return Ok(None) };
        let finished = TimeRange { from: range.from, to: unfinished.map_or(range.to, |period| period.min(range.to)) };
        if finished.from >= finished.to {
            return Ok(None);
        }
        let earlier = before(self.kpi.grain, finished);
        if earlier.from < covered.from || covered.to < finished.to {
            notes.push(format!(
                "No comparison: the data cover {} to {}, not all of {} to {}.",
                covered.from,
                covered.last(),
                earlier.from,
                finished.last()
            ));
            return Ok(None);
        }
        let value = if finished == range {
            self.headline(rows, range).await?.value
        } else {
            self.headline_of(finished).await?
        };
        let before = self.headline_of(earlier).await?;
        Ok(Some(Change { range: finished, value, before_range: earlier, before }))
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

    async fn ask(&self, sql: &str, range: TimeRange) -> Result<Answer, QueryError> {
        let rows_max = self.engine.limits().rows_max;
        let question = Question { sql: sql.to_owned(), values: self.values(range), rows_max };
        self.engine.ask(question, Arc::clone(&self.snapshot), self.deadline).await
    }

    fn values(&self, range: TimeRange) -> Vec<(String, ScalarValue)> {
        let given = self.checked.iter().filter(|(name, _)| !matches!(name.as_str(), "from" | "to" | "months"));
        let mut values: Vec<(String, ScalarValue)> = given.map(|(name, value)| (name.clone(), value.bound())).collect();
        values.push(("from".to_owned(), timestamp(range.from)));
        values.push(("to".to_owned(), timestamp(range.to)));
        values
    }

    fn shown(&self, range: TimeRange) -> Vec<(String, String)> {
        let mut shown = vec![("from".to_owned(), range.from.to_string()), ("to".to_owned(), range.to.to_string())];
        let others = self.checked.iter().filter(|(name, _)| !matches!(name.as_str(), "from" | "to"));
        shown.extend(others.map(|(name, value)| (name.clone(), value.shown())));
        shown
    }
}

fn unfinished_note(grain: Grain, period: Day) -> String {
    match grain {
        Grain::Month => format!("The month of {period} is not finished; it is left out of the comparison."),
        Grain::Day | Grain::None => format!("The day {period} is not over; it is left out of the comparison."),
    }
}
