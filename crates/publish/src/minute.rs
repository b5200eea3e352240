//! A time, cut to the minute.
//!
//! Launches of a repository that few use could be matched to people by the second; the public archive has never shown
//! more than the minute.

/// Cuts a time as emitters write it to its minute, in the form in which Python's `isoformat` shows the result: not
/// rounded, in the zone as given (`Z` becomes `+00:00`), and without a zone where none was given.
///
/// Of a time with both an offset and a `Z` the offset is the truth. `None` for notations beyond ISO 8601's extended
/// format: the caller has the instant that the door read and shows that.
pub(crate) fn to_minute(text: &str) -> Option<String> {
    let mut rest = Rest(text);
    let year = rest.digits(4)?;
    let month = rest.after('-')?.digits(2).filter(|month| (1..=12).contains(month))?;
    let day = rest.after('-')?.digits(2).filter(|day| (1..=31).contains(day))?;
    rest.after_any(&['T', 't', ' '])?;
    let hour = rest.digits(2).filter(|hour| *hour < 24)?;
    let minute = rest.after(':')?.digits(2).filter(|minute| *minute < 60)?;
    rest.seconds()?;
    let zone = rest.zone()?;
    Some(format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:00{zone}"))
}

/// What is left to read.
struct Rest<'a>(&'a str);

impl Rest<'_> {
    fn after(&mut self, character: char) -> Option<&mut Self> {
        self.0 = self.0.strip_prefix(character)?;
        Some(self)
    }

    fn after_any(&mut self, characters: &[char]) -> Option<&mut Self> {
        self.0 = self.0.strip_prefix(characters)?;
        Some(self)
    }

    /// Exactly `count` decimal digits.
    fn digits(&mut self, count: usize) -> Option<u16> {
        let (digits, rest) = self.0.split_at_checked(count)?;
        if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        self.0 = rest;
        digits.parse().ok()
    }

    /// Seconds and their fraction, if any; a leap second counts to its minute.
    fn seconds(&mut self) -> Option<()> {
        if !self.0.starts_with(':') {
            return Some(());
        }
        self.after(':')?.digits(2).filter(|second| *second <= 60)?;
        if self.0.starts_with(['.', ',']) {
            let fraction = self.0.get(1..)?;
            let after = fraction.trim_start_matches(|character: char| character.is_ascii_digit());
            if after.len() == fraction.len() {
                return None;
            }
            self.0 = after;
        }
        Some(())
    }

    /// The zone as Python shows it; nothing may follow.
    fn zone(&mut self) -> Option<String> {
        let sign = match self.0.chars().next() {
            None => return Some(String::new()),
            Some('Z' | 'z') => return (self.0.len() == 1).then(|| "+00:00".to_owned()),
            Some(sign @ ('+' | '-')) => sign,
            Some(_) => return None,
        };
        let hours = self.after(sign)?.digits(2).filter(|hours| *hours < 24)?;
        let minutes = match self.0.strip_prefix(':') {
            Some(rest) => {
                self.0 = rest;
                self.digits(2)?
            }
            None if self.0.starts_with(|character: char| character.is_ascii_digit()) => self.digits(2)?,
            None => 0,
        };
        if minutes > 59 || !matches!(self.0, "" | "Z" | "z") {
            return None;
        }
        let sign = if hours == 0 && minutes == 0 { '+' } else { sign };
        Some(format!("{sign}{hours:02}:{minutes:02}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What Python's `dateutil.parser.parse(text).replace(second=0, microsecond=0).isoformat()` gave.
    const PYTHON: [(&str, &str); 19] = [
        ("2018-11-03T00:00:31.123456Z", "2018-11-03T00:00:00+00:00"),
        ("2018-11-03T00:00:02Z", "2018-11-03T00:00:00+00:00"),
        ("2018-11-03T23:59:59.999999Z", "2018-11-03T23:59:00+00:00"),
        ("2018-11-03T00:00:00+00:00", "2018-11-03T00:00:00+00:00"),
        ("2023-03-26T02:30:59+05:45", "2023-03-26T02:30:00+05:45"),
        ("2020-01-01T00:00:00-00:00", "2020-01-01T00:00:00+00:00"),
        ("2020-01-01T00:00:09-08:00", "2020-01-01T00:00:00-08:00"),
        ("2018-10-04T12:34:56.789", "2018-10-04T12:34:00"),
        ("2018-10-04 12:34:56", "2018-10-04T12:34:00"),
        ("2018-10-04T12:34:56+0530", "2018-10-04T12:34:00+05:30"),
        ("2018-10-04T12:34:56-03", "2018-10-04T12:34:00-03:00"),
        ("2018-10-04T12:34", "2018-10-04T12:34:00"),
        ("2018-10-04T12:34Z", "2018-10-04T12:34:00+00:00"),
        ("2018-10-04T12:34:56,5Z", "2018-10-04T12:34:00+00:00"),
        ("2018-10-04T12:34:56.123456789Z", "2018-10-04T12:34:00+00:00"),
        ("2018-10-04t12:34:56z", "2018-10-04T12:34:00+00:00"),
        ("0999-10-04T12:34:56Z", "0999-10-04T12:34:00+00:00"),
        ("2018-10-04T12:34:56+23:59", "2018-10-04T12:34:00+23:59"),
        ("1969-12-31T23:59:59.5Z", "1969-12-31T23:59:00+00:00"),
    ];

    #[test]
    fn times_are_cut_as_python_cuts_them() {
        for (text, minute) in PYTHON {
            assert_eq!(to_minute(text).as_deref(), Some(minute), "{text}");
            assert_eq!(to_minute(minute).as_deref(), Some(minute), "what is cut stays as it is");
        }
    }

    /// Python's reader refuses these, the door takes them.
    #[test]
    fn known_faults_are_read() {
        for (text, minute) in [
            ("2018-10-04T12:34:56.5+00:00Z", "2018-10-04T12:34:00+00:00"),
            ("2023-03-26T02:30:00+05:45Z", "2023-03-26T02:30:00+05:45"),
            ("2016-12-31T23:59:60Z", "2016-12-31T23:59:00+00:00"),
        ] {
            assert_eq!(to_minute(text).as_deref(), Some(minute), "{text}");
        }
    }

    #[test]
    fn other_notations_are_left_to_the_caller() {
        for text in [
            "",
            "2018-10-04",
            "20181004T123456Z",
            "2018-10-04T12:34:56 UTC",
            "2018-10-04T24:00:00Z",
            "2018-13-04T12:34:56Z",
            "2018-10-04T12:34:56.Z",
            "2018-10-04T12:34:56ZZ",
            "2018-10-04T12:34:56+24:00",
            "2018-10-04T12:34:56+05:30:15",
            "2018-10-04T1é:34:56Z",
            "１018-10-04T12:34:56Z",
        ] {
            assert_eq!(to_minute(text), None, "{text}");
        }
    }
}
