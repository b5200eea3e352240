//! How long sessions last, with those whose end was not seen taken for what they are: longer than what was seen.
//!
//! The product-limit estimate of Kaplan and Meier. A plain median of the ended sessions is too short, because long ones
//! are more often still open.

use std::cmp::Ordering;

use event::EventTime;

use crate::session::{Micros, Session};

/// How long one session lasted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Length {
    /// How long it was watched.
    pub micros: i64,
    /// It was still running then; else it ended.
    pub is_censored: bool,
}

/// The lengths of sessions: ends that were seen (E1, E2) at their point, open ones censored at `as_of`, all others
/// censored at the last proof of life. Sessions whose start is not known say nothing.
pub fn lengths<'a>(sessions: impl IntoIterator<Item = &'a Session>, as_of: EventTime) -> Vec<Length> {
    let known = sessions.into_iter().filter(|session| !session.flags.truncated);
    known.map(|session| length(session, as_of)).collect()
}

fn length(session: &Session, as_of: EventTime) -> Length {
    let since_start = |end: EventTime| Micros::between(session.start, end).0.max(0);
    match session.end {
        Some(end) if session.end_known_by.is_proven() => Length { micros: since_start(end), is_censored: false },
        None => Length { micros: since_start(as_of.max(session.end_low)), is_censored: true },
        Some(_) => Length { micros: since_start(session.end_low), is_censored: true },
    }
}

/// A quantile of lengths. Where the curve is flat at exactly the share asked for, every length of that stretch would be
/// right, and the midpoint stands for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Quantile {
    /// Where the stretch begins, in microseconds.
    pub from: i64,
    /// Where it ends; the same if there is none.
    pub to: i64,
}

impl Quantile {
    /// The midpoint in seconds.
    pub fn seconds(self) -> f64 {
        (self.from as f64 + self.to as f64) / 2e6
    }
}

/// The lengths that each of `parts` of `whole` sessions do not exceed (1 of 2: the median); none of those that so many
/// were not seen to reach. Parts ascend and are less than `whole`, which is at most [`SHARE_MAX`].
///
/// Exact in whole numbers as long as the survivors' share, as a reduced fraction, has less than 80 bits: always without
/// censoring. Beyond, it is rounded in the 80th bit, the same way each time.
pub fn quantiles(mut lengths: Vec<Length>, parts: &[u32], whole: u32) -> Vec<Option<Quantile>> {
    debug_assert!(parts.is_sorted() && parts.iter().all(|part| *part < whole) && whole <= SHARE_MAX);
    lengths.sort_unstable();
    let mut curve = Curve { base: (1, 1), at_risk: lengths.len() as u128, of: lengths.len() as u128 };
    let mut found: Vec<Option<Quantile>> = Vec::with_capacity(parts.len());
    let mut flat_from: Option<i64> = None;
    let mut rest = lengths.as_slice();
    while let Some(first) = rest.first().filter(|_| found.len() < parts.len()) {
        let now = first.micros;
        let ended = rest.iter().take_while(|length| length.micros == now && !length.is_censored).count();
        let censored = rest[ended..].iter().take_while(|length| length.micros == now).count();
        rest = &rest[ended + censored..];
        if ended > 0 {
            found.extend(flat_from.take().map(|from| Some(Quantile { from, to: now })));
            curve.at_risk -= ended as u128;
            while let (Some(part), None) = (parts.get(found.len()), flat_from) {
                match curve.compare(whole - part, whole) {
                    Ordering::Less => found.push(Some(Quantile { from: now, to: now })),
                    Ordering::Equal => flat_from = Some(now),
                    Ordering::Greater => break,
                }
            }
        }
        if censored > 0 {
            curve.censor(censored as u128);
        }
    }
    found.extend(flat_from.map(|from| Some(Quantile { from, to: from })));
    found.resize(parts.len(), None);
    found
}

/// The largest whole of a share.
pub const SHARE_MAX: u32 = 1_000;

/// The share of survivors: `base × at_risk ⁄ of`, where nobody was censored since `of` were at risk.
#[derive(Debug)]
struct Curve {
    base: (u128, u128),
    at_risk: u128,
    of: u128,
}

impl Curve {
    fn compare(&self, part: u32, whole: u32) -> Ordering {
        let survivors = shorten(product(self.base, (self.at_risk, self.of)));
        (survivors.0 * u128::from(whole)).cmp(&(survivors.1 * u128::from(part)))
    }

    fn censor(&mut self, count: u128) {
        self.base = shorten(product(self.base, (self.at_risk, self.of)));
        self.at_risk -= count;
        self.of = self.at_risk;
    }
}

/// The product of two fractions, reduced. Numbers of sessions stay far below 2⁴⁸ and bases below 2⁸⁰.
fn product(one: (u128, u128), two: (u128, u128)) -> (u128, u128) {
    if two.1 == 0 {
        return one;
    }
    let (crossed, other) = (gcd(one.0, two.1), gcd(two.0, one.1));
    ((one.0 / crossed) * (two.0 / other), (one.1 / other) * (two.1 / crossed))
}

fn shorten((mut part, mut whole): (u128, u128)) -> (u128, u128) {
    let excess = (128 - whole.leading_zeros()).saturating_sub(80);
    (part, whole) = (part >> excess, whole >> excess);
    (part, whole)
}

/// At least 1.
fn gcd(mut one: u128, mut two: u128) -> u128 {
    while two != 0 {
        (one, two) = (two, one % two);
    }
    one.max(1)
}
