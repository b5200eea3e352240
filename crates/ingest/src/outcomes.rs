//! What a sender is told of its events, kept small: equal outcomes that follow each other are one run.

use std::sync::Arc;

use event::{Reason, Repairs, Revision, Row, Verdict};

/// What was decided about an event, as far as its sender is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It satisfies a schema.
    Admitted {
        /// Which.
        revision: Arc<Revision>,
        /// What was set right.
        repairs: Repairs,
    },
    /// It is kept aside.
    Quarantined {
        /// Why, as a stable code.
        reason: Reason,
        /// Why, in a sentence.
        detail: Box<str>,
        /// What was set right before.
        repairs: Repairs,
    },
}

/// The outcomes of a request, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcomes {
    runs: Vec<(u32, Outcome)>,
}

impl Outcomes {
    /// Those of `rows`.
    pub fn of(rows: &[Row]) -> Self {
        let mut outcomes = Self::default();
        for row in rows {
            match outcomes.runs.last_mut() {
                Some((count, last)) if last.is_of(&row.verdict) => *count += 1,
                _ => outcomes.runs.push((1, Outcome::of(&row.verdict))),
            }
        }
        outcomes
    }

    /// Those of `runs`: how many follow each other, and what they are.
    pub fn from_runs(runs: Vec<(u32, Outcome)>) -> Self {
        Self { runs }
    }

    /// The runs.
    pub fn runs(&self) -> &[(u32, Outcome)] {
        &self.runs
    }

    /// Each outcome, once for each event.
    pub fn iter(&self) -> impl Iterator<Item = &Outcome> {
        self.runs.iter().flat_map(|(count, outcome)| std::iter::repeat_n(outcome, *count as usize))
    }

    /// How many events.
    pub fn len(&self) -> usize {
        self.runs.iter().map(|(count, _)| *count as usize).sum()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// How many of them were admitted.
    pub fn admitted(&self) -> usize {
        let admitted = self.runs.iter().filter(|(_, outcome)| matches!(outcome, Outcome::Admitted { .. }));
        admitted.map(|(count, _)| *count as usize).sum()
    }
}

impl Outcome {
    fn of(verdict: &Verdict) -> Self {
        match verdict {
            Verdict::Admitted(admitted) => {
                Self::Admitted { revision: Arc::clone(&admitted.revision), repairs: admitted.repairs }
            }
            Verdict::Quarantined(aside) => {
                Self::Quarantined { reason: aside.reason, detail: aside.detail.clone(), repairs: aside.repairs }
            }
        }
    }

    fn is_of(&self, verdict: &Verdict) -> bool {
        match (self, verdict) {
            (Self::Admitted { revision, repairs }, Verdict::Admitted(admitted)) => {
                Arc::ptr_eq(revision, &admitted.revision) && *repairs == admitted.repairs
            }
            (Self::Quarantined { reason, detail, repairs }, Verdict::Quarantined(aside)) => {
                (*reason, &**detail, *repairs) == (aside.reason, &*aside.detail, aside.repairs)
            }
            _ => false,
        }
    }
}
