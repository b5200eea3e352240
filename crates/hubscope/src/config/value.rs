//! How values are written: sizes and durations with their unit, zones by their name.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A size in bytes, written with its unit: `64 MiB`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct ByteSize(u64);

/// Units of sizes, largest first.
const SIZE_UNITS: [(&str, u32); 4] = [("GiB", 30), ("MiB", 20), ("KiB", 10), ("B", 0)];

impl ByteSize {
    pub(super) const fn mebi(n: u64) -> Self {
        Self(n << 20)
    }

    pub(super) const fn of(bytes: usize) -> Self {
        Self(bytes as u64)
    }

    /// The number of bytes.
    pub(crate) const fn bytes(self) -> u64 {
        self.0
    }

    /// The number of bytes as a size in memory.
    pub(crate) fn in_memory(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

impl fmt::Debug for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fitting = SIZE_UNITS.iter().find(|(_, shift)| self.0 > 0 && self.0.trailing_zeros() >= *shift);
        let (unit, shift) = fitting.copied().unwrap_or(("B", 0));
        write!(f, "{} {unit}", self.0 >> shift)
    }
}

impl FromStr for ByteSize {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || format!("'{text}' is not a size; write for example '64 MiB' (B, KiB, MiB, GiB)");
        let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
        let unit = text[digits.len()..].trim();
        let unit = if unit.is_empty() { "B" } else { unit };
        let (_, shift) = SIZE_UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(bad)?;
        let count: u64 = digits.trim().parse().map_err(|_| bad())?;
        count.checked_mul(1 << shift).map(Self).ok_or_else(|| format!("'{text}' is more bytes than there are"))
    }
}

impl<'de> Deserialize<'de> for ByteSize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl Serialize for ByteSize {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The address of a hub.
#[derive(Clone, Debug)]
pub(crate) struct Url(pub(crate) poll::Address);

impl<'de> Deserialize<'de> for Url {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        poll::Address::parse(&text).map(Self).map_err(serde::de::Error::custom)
    }
}

impl Serialize for Url {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// A text that is never shown: it is written as `***`.
#[derive(Clone)]
pub(crate) struct Secret(poll::Token);

impl Secret {
    /// The token.
    pub(crate) fn token(&self) -> poll::Token {
        self.0.clone()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        poll::Token::new(&text).map(Self).ok_or_else(|| serde::de::Error::custom("no token looks like this one"))
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("***")
    }
}

/// A duration, written with its unit: `5 s`, `15 min`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span(Duration);

/// Units of durations, largest first, in milliseconds.
const TIME_UNITS: [(&str, u128); 4] = [("h", 3_600_000), ("min", 60_000), ("s", 1_000), ("ms", 1)];

impl Span {
    pub(super) const fn seconds(n: u64) -> Self {
        Self(Duration::from_secs(n))
    }

    /// The same as the standard library has it.
    pub(crate) const fn duration(self) -> Duration {
        self.0
    }
}

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0.as_millis();
        let fitting = TIME_UNITS.iter().find(|(_, unit)| millis >= *unit && millis.is_multiple_of(*unit));
        let (name, unit) = fitting.copied().unwrap_or(("ms", 1));
        write!(f, "{} {name}", millis / unit)
    }
}

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || format!("'{text}' is not a duration; write for example '5 s' or '15 min'");
        let span: jiff::SignedDuration = text.parse().map_err(|_| bad())?;
        Duration::try_from(span).map(Self).map_err(|_| bad())
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// For how long rows are kept: `90 days`, or `for ever`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Keep(Option<u32>);

const FOR_EVER: &str = "for ever";

impl Keep {
    pub(super) const FOR_EVER: Self = Self(None);

    /// The days; none when it is for ever.
    pub(crate) const fn days(self) -> Option<u32> {
        self.0
    }
}

impl fmt::Debug for Keep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Keep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            None => f.write_str(FOR_EVER),
            Some(1) => f.write_str("1 day"),
            Some(days) => write!(f, "{days} days"),
        }
    }
}

impl FromStr for Keep {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || format!("'{text}' is no term; write for example '90 days' or '{FOR_EVER}'");
        if text == FOR_EVER {
            return Ok(Self(None));
        }
        let digits = text.strip_suffix(" days").or_else(|| text.strip_suffix(" day")).ok_or_else(bad)?;
        match digits.trim().parse().map_err(|_| bad())? {
            0 => Err(format!("a term has one day at least; write '1 day' instead of '{text}'")),
            days => Ok(Self(Some(days))),
        }
    }
}

impl<'de> Deserialize<'de> for Keep {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl Serialize for Keep {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A time zone, written as the name that the IANA gives it: `Europe/Berlin`.
pub(super) mod zone {
    use query::Zone;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Zone, D::Error> {
        Zone::named(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }

    pub(crate) fn serialize<S: Serializer>(zone: &Zone, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(zone.name())
    }
}

/// An instant, as text.
pub(super) mod instant {
    use jiff::Timestamp;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        let text = String::deserialize(deserializer)?;
        let wrong = |_| format!("'{text}' is not an instant; write for example '2026-03-01T09:00:00Z'");
        text.parse().map_err(wrong).map_err(serde::de::Error::custom)
    }

    pub(crate) fn serialize<S: Serializer>(instant: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(instant)
    }
}

/// Names further away than this many keystrokes are another word, not a slip.
const SLIPS_MAX: usize = 3;

/// The name among `known` that was probably meant by `text`.
pub(crate) fn nearest<'a>(text: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let distance = |name: &&str| strsim::osa_distance(text, name);
    known.min_by_key(distance).filter(|name| distance(name) <= SLIPS_MAX)
}

/// `, did you mean 'x'?`, or nothing.
pub(crate) fn or_rather(near: Option<&str>) -> String {
    near.map(|name| format!(" (did you mean '{name}'?)")).unwrap_or_default()
}

/// What a file writes as itself, an environment variable writes as text.
#[derive(Deserialize)]
#[serde(untagged)]
enum Spelled<T> {
    Itself(T),
    Text(String),
}

fn spelled<'de, D: Deserializer<'de>, T: Deserialize<'de> + FromStr>(
    deserializer: D,
    what: &str,
) -> Result<T, D::Error> {
    match Spelled::<T>::deserialize(deserializer)? {
        Spelled::Itself(value) => Ok(value),
        Spelled::Text(text) => text.parse().map_err(|_| serde::de::Error::custom(format!("'{text}' is not {what}"))),
    }
}

pub(super) fn switch<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    spelled(deserializer, "true or false")
}

pub(super) fn count<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    spelled(deserializer, "a number")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        for text in ["0 B", "1 B", "1023 B", "1 KiB", "64 MiB", "3 GiB", "1536 KiB"] {
            assert_eq!(text.parse::<ByteSize>().unwrap().to_string(), text);
        }
        for text in ["0 ms", "250 ms", "5 s", "90 s", "15 min", "24 h"] {
            assert_eq!(text.parse::<Span>().unwrap().to_string(), text);
        }
    }
}
