//! The id of an event: whose journal (or which import) took it, and its place there.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Place of an event in its collector's sequence. A journal counts from 0 without a gap; an import's positions are
/// `day × 2³² + line` ([`Position::imported`]).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Position(pub u64);

impl Position {
    /// The position of line `line` (from 0) of the import's day `day`.
    pub fn imported(day: crate::Day, line: u32) -> Self {
        // Days of archives lie after 1970; an earlier one would wrap, so it is held at day 0.
        Self(u64::try_from(day.number()).unwrap_or(0) << 32 | u64::from(line))
    }

    /// The day of an imported position.
    pub fn imported_day(self) -> crate::Day {
        crate::Day::from_number(i32::try_from(self.0 >> 32).unwrap_or(i32::MAX))
    }

    /// The position `n` further on.
    pub fn plus(self, n: u64) -> Self {
        Self(self.0 + n)
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Who gave an event its position: the 128-bit id of a journal as 32 hexadecimal digits, or `import/<name>`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CollectorId(Arc<str>);

impl CollectorId {
    /// The collector that is a journal.
    pub fn of_journal(id: u128) -> Self {
        Self(format!("{id:032x}").into())
    }

    /// The collector that is the import of the source called `name`.
    pub fn of_import(name: &str) -> Self {
        Self(format!("import/{name}").into())
    }

    /// As it stands in the table.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether its positions are days and lines of an import.
    pub fn is_import(&self) -> bool {
        self.0.starts_with("import/")
    }
}

impl From<&str> for CollectorId {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for CollectorId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
