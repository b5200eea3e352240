//! A straight line through numbers, and between which two a further one is to be expected.

use std::f64::consts::{FRAC_2_PI, FRAC_PI_2};

use super::Bounds;

/// How often a further number lies within the bounds, if all scatter about the line alike.
const CONFIDENCE: f64 = 0.95;

/// A line by ordinary least squares.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Line {
    /// How much more with each step.
    pub slope: f64,
    /// The share of the squares about the mean that the line takes away; none if all numbers are equal.
    pub r_squared: Option<f64>,
    points: u32,
    mean_x: f64,
    mean_y: f64,
    /// The squares about the mean of `x`.
    squares_x: f64,
    /// How far numbers scatter about the line.
    scatter: f64,
}

impl Line {
    /// Through `points`, each `x` and `y`; none if there are fewer than three, or all have one `x`.
    pub fn through(points: &[(f64, f64)]) -> Option<Self> {
        let count = u32::try_from(points.len()).ok().filter(|count| *count >= 3)?;
        let n = f64::from(count);
        let mean_x = points.iter().map(|(x, _)| x).sum::<f64>() / n;
        let mean_y = points.iter().map(|(_, y)| y).sum::<f64>() / n;
        let squares_x: f64 = points.iter().map(|(x, _)| (x - mean_x).powi(2)).sum();
        if squares_x <= 0.0 {
            return None;
        }
        let squares_y: f64 = points.iter().map(|(_, y)| (y - mean_y).powi(2)).sum();
        let slope = points.iter().map(|(x, y)| (x - mean_x) * (y - mean_y)).sum::<f64>() / squares_x;
        let off = |(x, y): &(f64, f64)| y - mean_y - slope * (x - mean_x);
        let left: f64 = points.iter().map(|point| off(point).powi(2)).sum();
        Some(Self {
            slope,
            r_squared: (squares_y > 0.0).then(|| 1.0 - left / squares_y),
            points: count,
            mean_x,
            mean_y,
            squares_x,
            scatter: (left / (n - 2.0)).sqrt(),
        })
    }

    /// The line at `x`, and between which bounds one more number would lie there.
    pub fn at(&self, x: f64) -> Bounds<f64> {
        let point = self.mean_y + self.slope * (x - self.mean_x);
        let unsure = 1.0 + 1.0 / f64::from(self.points) + (x - self.mean_x).powi(2) / self.squares_x;
        let reach = two_sided(CONFIDENCE, self.points - 2) * self.scatter * unsure.sqrt();
        Bounds { low: point - reach, point, high: point + reach }
    }
}

/// What Student's t with so many degrees of freedom stays within, on both sides of 0, with `probability`.
fn two_sided(probability: f64, freedom: u32) -> f64 {
    // Whole degrees have a sum without an integral over the angle, which lies between 0 and a right angle. Halved so
    // often, no two numbers lie between.
    let (mut low, mut high) = (0.0, FRAC_PI_2);
    for _ in 0..64 {
        let middle = f64::midpoint(low, high);
        if within(middle, freedom) < probability { low = middle } else { high = middle }
    }
    f64::from(freedom).sqrt() * low.tan()
}

/// The probability that Student's t lies within √freedom · tan `angle` on both sides of 0.
///
/// Source: Abramowitz and Stegun, Handbook of Mathematical Functions, 26.7.3 and 26.7.4.
fn within(angle: f64, freedom: u32) -> f64 {
    let (sine, cosine) = angle.sin_cos();
    let is_odd = !freedom.is_multiple_of(2);
    if freedom == 1 {
        return FRAC_2_PI * angle;
    }
    let (mut term, mut sum) = if is_odd { (cosine, cosine) } else { (1.0, 1.0) };
    let mut power = if is_odd { 3 } else { 2 };
    while power < freedom {
        term *= cosine * cosine * f64::from(power - 1) / f64::from(power);
        sum += term;
        power += 2;
    }
    if is_odd { FRAC_2_PI * (angle + sine * sum) } else { sine * sum }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_of_students_t_are_those_of_the_printed_tables() {
        for (freedom, probability, bound) in [
            (1, 0.95, 12.706_205),
            (2, 0.95, 4.302_653),
            (3, 0.95, 3.182_446),
            (4, 0.95, 2.776_445),
            (5, 0.95, 2.570_582),
            (10, 0.95, 2.228_139),
            (10, 0.99, 3.169_273),
            (29, 0.95, 2.045_230),
            (30, 0.90, 1.697_261),
            (100, 0.95, 1.983_972),
            (258, 0.95, 1.969_201),
        ] {
            let found = two_sided(probability, freedom);
            assert!((found - bound).abs() < 2e-6, "{freedom}, {probability}: {found}, not {bound}");
        }
    }

    #[test]
    fn a_line_worked_out_by_hand() {
        // Mean 3 and 4, squares about them 10 and 6, products 6: slope 0.6; what is left is 2.4.
        let line = Line::through(&[(1.0, 2.0), (2.0, 4.0), (3.0, 5.0), (4.0, 4.0), (5.0, 5.0)]).unwrap();
        assert!((line.slope - 0.6).abs() < 1e-12 && (line.r_squared.unwrap() - 0.6).abs() < 1e-12, "{line:?}");
        let ahead = line.at(6.0);
        assert!((ahead.point - 5.8).abs() < 1e-12);
        let reach = 3.182_446 * (2.4_f64 / 3.0).sqrt() * (1.0_f64 + 0.2 + 0.9).sqrt();
        assert!((ahead.high - 5.8 - reach).abs() < 1e-5 && (5.8 - ahead.low - reach).abs() < 1e-5, "{ahead:?}");
    }

    #[test]
    fn what_is_no_line_is_none() {
        assert_eq!(Line::through(&[]), None);
        assert_eq!(Line::through(&[(0.0, 1.0), (1.0, 2.0)]), None, "two points fit any line");
        assert_eq!(Line::through(&[(1.0, 1.0), (1.0, 2.0), (1.0, 3.0)]), None);
        let level = Line::through(&[(0.0, 5.0), (1.0, 5.0), (2.0, 5.0)]).unwrap();
        assert_eq!((level.slope, level.r_squared, level.at(9.0).high), (0.0, None, 5.0));
        let exact = Line::through(&[(0.0, 1.0), (1.0, 3.0), (2.0, 5.0)]).unwrap();
        assert_eq!((exact.slope, exact.r_squared, exact.at(3.0).point), (2.0, Some(1.0), 7.0));
    }
}
