//! The time range that an address asks for: `range=28d` (also `7d`, `90d`, `12m`, `all`) or `from=` and `to=`,
//! half-open, UTC days.

use event::{Day, EventTime};

use crate::error::Problem;

/// The range of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Range {
    pub(crate) kind: Kind,
    /// First day in it; `None`: from the first event.
    pub(crate) from: Option<Day>,
    /// First day no longer in it; `None`: up to now.
    pub(crate) to: Option<Day>,
}

/// How a range was chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Preset(Preset),
    Dates,
}

/// A range that ends today.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Preset {
    Days7,
    Days28,
    Days90,
    Months12,
    All,
}

impl Preset {
    pub(crate) const ALL: [Self; 5] = [Self::Days7, Self::Days28, Self::Days90, Self::Months12, Self::All];

    /// As it stands in an address.
    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::Days7 => "7d",
            Self::Days28 => "28d",
            Self::Days90 => "90d",
            Self::Months12 => "12m",
            Self::All => "all",
        }
    }

    /// As it stands on its link.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Days7 => "7 days",
            Self::Days28 => "28 days",
            Self::Days90 => "90 days",
            Self::Months12 => "12 months",
            Self::All => "All time",
        }
    }

    fn days(self) -> Option<i32> {
        match self {
            Self::Days7 => Some(7),
            Self::Days28 => Some(28),
            Self::Days90 => Some(90),
            Self::Months12 => Some(365),
            Self::All => None,
        }
    }

    fn range(self, today: Day) -> Range {
        let tomorrow = today.next();
        let from = self.days().map(|days| Day::from_number(tomorrow.number().saturating_sub(days)));
        Range { kind: Kind::Preset(self), from, to: from.map(|_| tomorrow) }
    }
}

impl Range {
    /// The range that the parameters ask for; when they ask for none, `opening`, else the last 28 days. Dates go before
    /// a preset.
    ///
    /// # Errors
    /// A problem that names the parameter, when one is not a date or a preset, or when the range is empty.
    pub(crate) fn asked(
        preset: Option<&str>,
        from: Option<&str>,
        to: Option<&str>,
        opening: Option<(Day, Day)>,
        now: EventTime,
    ) -> Result<Self, Problem> {
        // A form sends its empty fields too.
        let [preset, from, to] = [preset, from, to].map(|text| text.filter(|text| !text.is_empty()));
        if from.is_some() || to.is_some() {
            return Self::dates(from, to);
        }
        let Some(code) = preset else {
            let opening = opening.map(|(from, to)| Self { kind: Kind::Dates, from: Some(from), to: Some(to) });
            return Ok(opening.unwrap_or_else(|| Preset::Days28.range(now.day())));
        };
        let preset = Preset::ALL.into_iter().find(|preset| preset.code() == code);
        let preset = preset.ok_or_else(|| {
            Problem::bad_request("parameter", format!("range: '{code}' is none of 7d, 28d, 90d, 12m, all"))
        })?;
        Ok(preset.range(now.day()))
    }

    fn dates(from: Option<&str>, to: Option<&str>) -> Result<Self, Problem> {
        let day = |name: &str, text: Option<&str>| {
            let parsed = text.map(str::parse::<Day>).transpose();
            parsed.map_err(|error| Problem::bad_request("parameter", format!("{name}: {error}")))
        };
        let (from, to) = (day("from", from)?, day("to", to)?);
        if let (Some(from), Some(to)) = (from, to)
            && from >= to
        {
            let detail = format!("to: {to} is not after from ({from}); the range holds no day");
            return Err(Problem::bad_request("parameter", detail));
        }
        Ok(Self { kind: Kind::Dates, from, to })
    }

    /// As it stands on the control that changes it.
    pub(crate) fn label(&self) -> String {
        let day = |day: Option<Day>, none: &str| day.map_or(none.to_owned(), |day| day.to_string());
        match self.kind {
            Kind::Preset(preset) => preset.label().to_owned(),
            Kind::Dates => format!("{} to {}", day(self.from, "the first"), day(self.to.map(before), "now")),
        }
    }

    /// How many days it has, when both ends are known.
    pub(crate) fn days(&self) -> Option<i32> {
        Some(self.to?.number() - self.from?.number())
    }

    /// The parameters that ask for it.
    pub(crate) fn parts(&self) -> Vec<(&'static str, String)> {
        match self.kind {
            Kind::Preset(preset) => vec![("range", preset.code().to_owned())],
            Kind::Dates => {
                let part = |name: &'static str, day: Option<Day>| day.map(|day| (name, day.to_string()));
                [part("from", self.from), part("to", self.to)].into_iter().flatten().collect()
            }
        }
    }
}

fn before(day: Day) -> Day {
    Day::from_number(day.number().saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> EventTime {
        Day::from_ymd(2026, 11, 21).unwrap().start()
    }

    fn text(range: Range) -> String {
        let day = |day: Option<Day>| day.map_or("…".to_owned(), |day| day.to_string());
        format!("{} {}", day(range.from), day(range.to))
    }

    #[test]
    fn what_is_asked_for_becomes_half_open_days_and_its_address_asks_for_the_same() {
        for (preset, from, to, days) in [
            (None, None, None, "2026-10-25 2026-11-22"),
            (Some("7d"), None, None, "2026-11-15 2026-11-22"),
            (Some("28d"), None, None, "2026-10-25 2026-11-22"),
            (Some("90d"), Some(""), Some(""), "2026-08-24 2026-11-22"),
            (Some("12m"), None, None, "2025-11-22 2026-11-22"),
            (Some("all"), None, None, "… …"),
            (Some("28d"), Some("2021-11-01"), Some("2021-11-02"), "2021-11-01 2021-11-02"),
            (None, Some("2021-11-01"), None, "2021-11-01 …"),
        ] {
            let range = Range::asked(preset, from, to, None, now()).unwrap();
            assert_eq!(text(range), days);
            let parts = range.parts();
            let value = |name: &str| parts.iter().find(|part| part.0 == name).map(|part| part.1.as_str());
            assert_eq!(
                Range::asked(value("range"), value("from"), value("to"), None, now()).unwrap(),
                range,
                "{parts:?}"
            );
        }
    }

    #[test]
    fn a_page_opens_with_the_range_it_was_given_until_another_is_asked_for() {
        let opening = Some((Day::from_ymd(2024, 8, 14).unwrap(), Day::from_ymd(2025, 8, 14).unwrap()));
        assert_eq!(text(Range::asked(None, None, None, opening, now()).unwrap()), "2024-08-14 2025-08-14");
        assert_eq!(text(Range::asked(Some("28d"), None, None, opening, now()).unwrap()), "2026-10-25 2026-11-22");
    }

    #[test]
    fn what_is_no_range_is_refused_by_the_name_of_its_parameter() {
        for (preset, from, to, name) in [
            (Some("8d"), None, None, "range"),
            (None, Some("yesterday"), None, "from"),
            (None, Some("2026-02-30"), None, "from"),
            (None, None, Some("2026-2-3"), "to"),
            (None, Some("2021-11-02"), Some("2021-11-02"), "to"),
        ] {
            let problem = Range::asked(preset, from, to, None, now()).unwrap_err();
            assert!(problem.detail.starts_with(name), "{}", problem.detail);
            assert_eq!(problem.status.as_u16(), 400);
        }
    }
}
