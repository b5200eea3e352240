//! Known faults of emitters that the door sets right, each by name.

use std::fmt;

/// One known fault. The number is its bit in the journal; neither it nor the name ever changes its meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Repair {
    /// `+00:00Z`: an offset before the `Z`. The offset is the truth (`jupyter_events`).
    OffsetBeforeZ = 0,
    /// The time has no zone; taken as UTC (naive override, first `BinderHub` commits).
    NaiveTime = 1,
    /// The event's fields lie in a nested object `event` (`BinderHub` before launch v1).
    NestedEvent = 2,
    /// The event is JSON text in the field `message` (Cloud Logging to 2022-10).
    NestedMessage = 3,
    /// A last key `taskName` that the JSON formatter added (Python 3.12 with python-json-logger before 3).
    TaskName = 4,
    /// An empty or null `message` that the formatter added and the schema does not ask for.
    EmptyMessage = 5,
    /// A bare `NaN`, `Infinity` or `-Infinity`, which is not JSON.
    BareNan = 6,
    /// The version is a number where a text stands today, or the other way round, or `5.0`.
    VersionType = 7,
    /// The event was the Python repr of a dict (`logging.handlers.HTTPHandler`); `text` is the JSON of it.
    PythonRepr = 8,
}

impl Repair {
    /// Every repair, in the order of their bits.
    pub const ALL: [Self; 9] = [
        Self::OffsetBeforeZ,
        Self::NaiveTime,
        Self::NestedEvent,
        Self::NestedMessage,
        Self::TaskName,
        Self::EmptyMessage,
        Self::BareNan,
        Self::VersionType,
        Self::PythonRepr,
    ];

    /// The name as it stands in tables and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::OffsetBeforeZ => "offset_before_z",
            Self::NaiveTime => "naive_time",
            Self::NestedEvent => "nested_event",
            Self::NestedMessage => "nested_message",
            Self::TaskName => "task_name",
            Self::EmptyMessage => "empty_message",
            Self::BareNan => "bare_nan",
            Self::VersionType => "version_type",
            Self::PythonRepr => "python_repr",
        }
    }
}

/// A set of repairs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Repairs(u32);

impl Repairs {
    /// No repair.
    pub const NONE: Self = Self(0);

    /// The set with the bits `bits`.
    pub fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    /// One bit per repair.
    pub fn bits(self) -> u32 {
        self.0
    }

    /// Adds `repair`.
    pub fn insert(&mut self, repair: Repair) {
        self.0 |= 1 << repair as u8;
    }

    /// Whether `repair` is in it.
    pub fn contains(self, repair: Repair) -> bool {
        self.0 & 1 << repair as u8 != 0
    }

    /// Whether nothing had to be repaired.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The repairs in it.
    pub fn iter(self) -> impl Iterator<Item = Repair> {
        Repair::ALL.into_iter().filter(move |repair| self.contains(*repair))
    }
}

impl fmt::Display for Repairs {
    /// Names with a comma between: the column `repairs`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, repair) in self.iter().enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            f.write_str(repair.name())?;
        }
        Ok(())
    }
}
