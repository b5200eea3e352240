//! Why an event lies in quarantine.

use std::fmt;

/// Stable code of a quarantine reason, with the number that stands in the journal. Neither ever changes its meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Reason {
    /// The line or message is not JSON (nor a Python dict, where one is expected).
    NotJson = 1,
    /// It is JSON, but not an object.
    NotAnObject = 2,
    /// Its bytes are not UTF-8.
    BadUtf8 = 3,
    /// It holds half a surrogate pair, which no UTF-8 text can.
    LoneSurrogate = 4,
    /// It is nested deeper than the limit.
    TooDeep = 5,
    /// It is longer than the limit for one event.
    TooLong = 6,
    /// It holds a number beyond every type (`1e400`).
    NumberOutOfRange = 7,
    /// It has no schema id where one of the known envelopes has it.
    NoSchema = 8,
    /// Its schema id is not registered.
    UnknownSchema = 9,
    /// Its schema id is registered, but not in this version.
    UnknownVersion = 10,
    /// It has no time, or one that is not a time.
    BadTime = 11,
    /// It does not satisfy its schema.
    Invalid = 12,
    /// It was about somebody who asked to be forgotten; nothing of it was kept.
    Forgotten = 13,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Self; 13] = [
        Self::NotJson,
        Self::NotAnObject,
        Self::BadUtf8,
        Self::LoneSurrogate,
        Self::TooDeep,
        Self::TooLong,
        Self::NumberOutOfRange,
        Self::NoSchema,
        Self::UnknownSchema,
        Self::UnknownVersion,
        Self::BadTime,
        Self::Invalid,
        Self::Forgotten,
    ];

    /// The code as it stands in answers, tables and metrics.
    pub fn code(self) -> &'static str {
        match self {
            Self::NotJson => "not_json",
            Self::NotAnObject => "not_an_object",
            Self::BadUtf8 => "bad_utf8",
            Self::LoneSurrogate => "lone_surrogate",
            Self::TooDeep => "too_deep",
            Self::TooLong => "too_long",
            Self::NumberOutOfRange => "number_out_of_range",
            Self::NoSchema => "no_schema",
            Self::UnknownSchema => "unknown_schema",
            Self::UnknownVersion => "unknown_version",
            Self::BadTime => "bad_time",
            Self::Invalid => "invalid",
            Self::Forgotten => "forgotten",
        }
    }

    /// The reason with the number `number` in a journal.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| *reason as u8 == number)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}
