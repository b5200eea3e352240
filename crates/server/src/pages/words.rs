//! Numbers, times and durations as people say them. `web/now.js` says the same words.

use event::{Day, EventTime};

const MICROS_A_SECOND: i64 = 1_000_000;

/// `1234567` as `1,234,567`.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A figure as it stands in a card: in full below 10,000, else three significant digits with a letter (`12.3 k`,
/// `4.57 M`); a fraction with as many digits behind the point as make three.
pub(crate) fn figure(value: f64) -> String {
    let size = value.abs();
    if !size.is_finite() {
        return "–".to_owned();
    }
    if size < 10_000.0 {
        let digits = if size < 9.995 { 2 } else { usize::from(size < 99.95) };
        let rounded = format!("{value:.digits$}");
        return if value.fract() == 0.0 || digits == 0 { signed(value.round()) } else { trimmed(rounded) };
    }
    // 999,500 and up would round to "1000 k".
    let (unit, letter) = match size {
        size if size < 999_500.0 => (1e3, "k"),
        size if size < 999_500_000.0 => (1e6, "M"),
        _ => (1e9, "G"),
    };
    let scaled = value / unit;
    let digits = match scaled.abs() {
        size if size < 9.995 => 2,
        size if size < 99.95 => 1,
        _ => 0,
    };
    format!("{scaled:.digits$}\u{a0}{letter}")
}

/// A figure with all its digits: whole numbers with thousands separated, else two digits behind the point.
pub(crate) fn figure_in_full(value: f64) -> String {
    // Up to here every whole number is exact.
    if value.fract() == 0.0 && value.abs() < 9.0e15 { signed(value) } else { trimmed(format!("{value:.2}")) }
}

fn signed(whole: f64) -> String {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole, positive, and far below 2^64")]
    let text = count(whole.abs() as u64);
    if whole < 0.0 { format!("−{text}") } else { text }
}

fn trimmed(text: String) -> String {
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A duration in the unit that fits: `12 s`, `5 min`, `3 h`, `2 days`.
pub(crate) fn seconds(seconds: i64) -> String {
    let rounded = |unit: i64| (seconds + unit / 2) / unit;
    match seconds {
        0..90 => format!("{seconds} s"),
        90..5_400 => format!("{} min", rounded(60)),
        5_400..129_600 => format!("{} h", rounded(3_600)),
        _ => format!("{} days", rounded(86_400)),
    }
}

/// Whole seconds since `then`; 0 when it lies ahead, as clocks differ.
pub(crate) fn age_seconds(now: EventTime, then: EventTime) -> i64 {
    (now.micros().saturating_sub(then.micros()) / MICROS_A_SECOND).max(0)
}

/// `21 Nov 2026`.
pub(crate) fn day(day: Day) -> String {
    format!("{} {} {}", day.date().day(), month(day), day.date().year())
}

/// `Nov`.
pub(crate) fn month(day: Day) -> &'static str {
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    usize::try_from(day.date().month() - 1).ok().and_then(|index| months.get(index)).copied().unwrap_or_default()
}

/// `2026-11-21T07:33:10.123456Z` to the second, in two words.
pub(crate) fn moment(time: &str) -> String {
    cut_at(time, 19).replace('T', " ")
}

/// The text, cut to `letters_max` letters with an ellipsis.
pub(crate) fn cut(text: &str, letters_max: usize) -> String {
    let short = cut_at(text, letters_max);
    if short.len() < text.len() { format!("{short}…") } else { text.to_owned() }
}

/// At most the first `letters` letters.
pub(crate) fn cut_at(text: &str, letters: usize) -> &str {
    text.char_indices().nth(letters).and_then(|(end, _)| text.get(..end)).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_have_their_thousands_separated() {
        for (number, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(count(number), text);
        }
    }

    #[test]
    fn figures_keep_three_digits_beyond_ten_thousand() {
        for (value, text) in [
            (0.0, "0"),
            (1_204.0, "1,204"),
            (-1_204.0, "−1,204"),
            (3.5, "3.5"),
            (3.333, "3.33"),
            (25.392, "25.4"),
            (9.996, "10"),
            (20.04, "20"),
            (123.45, "123"),
            (9_999.0, "9,999"),
            (10_000.0, "10.0\u{a0}k"),
            (12_345.0, "12.3\u{a0}k"),
            (99_960.0, "100\u{a0}k"),
            (999_400.0, "999\u{a0}k"),
            (999_600.0, "1.00\u{a0}M"),
            (4_567_890.0, "4.57\u{a0}M"),
            (7.0e10, "70.0\u{a0}G"),
            (f64::NAN, "–"),
        ] {
            assert_eq!(figure(value), text, "{value}");
        }
    }

    #[test]
    fn durations_are_told_in_the_unit_that_fits() {
        let now = EventTime::from_micros(10_000_000_000_000);
        for (ago, text) in [
            (-5, "0 s"),
            (0, "0 s"),
            (89, "89 s"),
            (90, "2 min"),
            (5_399, "90 min"),
            (7_200, "2 h"),
            (172_800, "2 days"),
        ] {
            let then = EventTime::from_micros(now.micros() - ago * 1_000_000);
            assert_eq!(seconds(age_seconds(now, then)), text, "{ago}");
        }
    }

    #[test]
    fn days_are_written_out_and_long_texts_cut() {
        assert_eq!(day(Day::from_ymd(2026, 11, 21).unwrap()), "21 Nov 2026");
        assert_eq!(cut("añb", 2), "añ…");
        assert_eq!(cut("añb", 3), "añb");
    }
}
