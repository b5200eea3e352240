//! What a statement wants of facts, as far as its filters say it plainly: kinds, keys, days.
//!
//! What is not understood is left to the statement itself, which looks at each row again.

use std::collections::BTreeSet;
use std::ops::Range;

use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{Expr, Operator};
use datafusion::scalar::ScalarValue;
use event::Day;

use super::cell::Kind;

/// Which rows a statement wants, at most.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// Of these kinds; of any without.
    kinds: Option<BTreeSet<String>>,
    /// Of these grains; of any without.
    grains: Option<BTreeSet<String>>,
    /// With one of these keys; with any without.
    pub(crate) keys: Option<BTreeSet<String>>,
    /// Of these days.
    pub(crate) days: Range<Day>,
    /// Of keys of this rank or a better one; of any without.
    pub(crate) rank_max: Option<u64>,
    /// Of keys that came last before this day, or never; of any without.
    pub(crate) last_before: Option<Day>,
}

impl Wanted {
    /// What `filters` leave over.
    pub(crate) fn by(filters: &[Expr]) -> Self {
        let whole = Day::from_number(i32::MIN)..Day::from_number(i32::MAX);
        let mut wanted = Self { kinds: None, grains: None, keys: None, days: whole, rank_max: None, last_before: None };
        for filter in filters.iter().flat_map(split_conjunction) {
            wanted.narrow(filter);
        }
        wanted
    }

    /// Whether rows of `kind` are among them.
    pub(crate) fn has(&self, kind: Kind) -> bool {
        self.kinds.as_ref().is_none_or(|kinds| kinds.contains(kind.name()))
    }

    /// Whether rows of the grain called `name` are among them.
    pub(crate) fn has_grain(&self, name: &str) -> bool {
        self.grains.as_ref().is_none_or(|grains| grains.contains(name))
    }

    fn narrow(&mut self, filter: &Expr) {
        if let Some(day) = last_before(filter) {
            self.last_before = Some(self.last_before.map_or(day, |known| known.min(day)));
        }
        match filter {
            Expr::BinaryExpr(binary) => match (binary.left.as_ref(), binary.right.as_ref()) {
                (Expr::Column(column), Expr::Literal(value, _)) => self.compared(&column.name, binary.op, value),
                (Expr::Literal(value, _), Expr::Column(column)) => {
                    if let Some(op) = binary.op.swap() {
                        self.compared(&column.name, op, value);
                    }
                }
                (left, right) if binary.op == Operator::Or => self.one_of(left, right),
                _ => {}
            },
            Expr::InList(list) if !list.negated => {
                let Expr::Column(column) = list.expr.as_ref() else { return };
                let values: Option<Vec<&ScalarValue>> = list
                    .list
                    .iter()
                    .map(|value| match value {
                        Expr::Literal(value, _) => Some(value),
                        _ => None,
                    })
                    .collect();
                if let Some(texts) = values.and_then(|values| values.into_iter().map(text).collect()) {
                    self.among(&column.name, texts);
                }
            }
            _ => {}
        }
    }

    /// A short list is written as comparisons joined by OR.
    fn one_of(&mut self, left: &Expr, right: &Expr) {
        let mut found: Option<(String, BTreeSet<String>)> = None;
        let mut left_to_see = vec![left, right];
        while let Some(expression) = left_to_see.pop() {
            let Expr::BinaryExpr(binary) = expression else { return };
            match (binary.left.as_ref(), binary.op, binary.right.as_ref()) {
                (left, Operator::Or, right) => left_to_see.extend([left, right]),
                (Expr::Column(column), Operator::Eq, Expr::Literal(value, _))
                | (Expr::Literal(value, _), Operator::Eq, Expr::Column(column)) => {
                    let Some(value) = text(value) else { return };
                    let (name, values) = found.get_or_insert_with(|| (column.name.clone(), BTreeSet::new()));
                    if *name != column.name {
                        return;
                    }
                    values.insert(value);
                }
                _ => return,
            }
        }
        if let Some((name, values)) = found {
            self.among(&name, values);
        }
    }

    fn compared(&mut self, column: &str, op: Operator, value: &ScalarValue) {
        match (column, op, value) {
            ("kind" | "grain" | "key", Operator::Eq, value) => {
                if let Some(text) = text(value) {
                    self.among(column, BTreeSet::from([text]));
                }
            }
            ("day", op, ScalarValue::Date32(Some(number))) => {
                let day = Day::from_number(*number);
                let after = Day::from_number(number.saturating_add(1));
                match op {
                    Operator::Eq => self.within(day..after),
                    Operator::Lt => self.within(Day::from_number(i32::MIN)..day),
                    Operator::LtEq => self.within(Day::from_number(i32::MIN)..after),
                    Operator::Gt => self.within(after..Day::from_number(i32::MAX)),
                    Operator::GtEq => self.within(day..Day::from_number(i32::MAX)),
                    _ => {}
                }
            }
            ("rank", op, ScalarValue::Int64(Some(number))) => {
                let most = match op {
                    Operator::Eq | Operator::LtEq => *number,
                    Operator::Lt => number.saturating_sub(1),
                    _ => return,
                };
                let most = u64::try_from(most).unwrap_or(0);
                self.rank_max = Some(self.rank_max.map_or(most, |known| known.min(most)));
            }
            _ => {}
        }
    }

    fn among(&mut self, column: &str, values: BTreeSet<String>) {
        let known = match column {
            "kind" => &mut self.kinds,
            "grain" => &mut self.grains,
            "key" => &mut self.keys,
            _ => return,
        };
        *known = Some(match known.take() {
            Some(known) => known.intersection(&values).cloned().collect(),
            None => values,
        });
    }

    fn within(&mut self, days: Range<Day>) {
        self.days = self.days.start.max(days.start)..self.days.end.min(days.end);
    }
}

/// The day before which keys have to have come last, or never, for `filter` to hold.
fn last_before(filter: &Expr) -> Option<Day> {
    let is_it = |column: &Expr| matches!(column, Expr::Column(column) if column.name == "previous_day");
    match filter {
        Expr::IsNull(column) => is_it(column).then_some(Day::from_number(i32::MIN)),
        Expr::BinaryExpr(binary) if binary.op == Operator::Or => {
            Some(last_before(&binary.left)?.max(last_before(&binary.right)?))
        }
        Expr::BinaryExpr(binary) => {
            let (op, value) = match (binary.left.as_ref(), binary.right.as_ref()) {
                (column, Expr::Literal(value, _)) if is_it(column) => (binary.op, value),
                (Expr::Literal(value, _), column) if is_it(column) => (binary.op.swap()?, value),
                _ => return None,
            };
            match (op, value) {
                (Operator::Lt, ScalarValue::Date32(Some(number))) => Some(Day::from_number(*number)),
                (Operator::LtEq, ScalarValue::Date32(Some(number))) => Some(Day::from_number(number.saturating_add(1))),
                _ => None,
            }
        }
        _ => None,
    }
}

fn text(value: &ScalarValue) -> Option<String> {
    value.try_as_str().flatten().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use datafusion::logical_expr::{col, lit};

    use super::*;

    fn date(number: i32) -> Expr {
        lit(ScalarValue::Date32(Some(number)))
    }

    #[test]
    fn plain_filters_narrow_and_others_do_not() {
        let whole = Wanted::by(&[]);
        for (filter, kinds, keys, days) in [
            (col("kind").eq(lit("repo")), Some(vec!["repo"]), None, None),
            (lit("repo").eq(col("kind")), Some(vec!["repo"]), None, None),
            (col("kind").eq(lit("a")).or(col("kind").eq(lit("b"))), Some(vec!["a", "b"]), None, None),
            (col("kind").eq(lit("a")).or(col("key").eq(lit("b"))), None, None, None),
            (col("kind").eq(lit("a")).or(col("day").gt(date(1))), None, None, None),
            (col("key").in_list(vec![lit("x"), lit("y")], false), None, Some(vec!["x", "y"]), None),
            (col("key").in_list(vec![lit("x")], true), None, None, None),
            (col("key").in_list(vec![lit("x"), col("kind")], false), None, None, None),
            (col("day").gt_eq(date(5)).and(col("day").lt(date(9))), None, None, Some(5..9)),
            (date(5).lt(col("day")).and(col("day").lt_eq(date(9))), None, None, Some(6..10)),
            (col("day").eq(date(5)), None, None, Some(5..6)),
            (col("day").not_eq(date(5)), None, None, None),
            (col("key").like(lit("x%")), None, None, None),
        ] {
            let told = format!("{filter}");
            let found = Wanted::by(&[filter]);
            let set = |texts: Option<Vec<&str>>| texts.map(|texts| texts.into_iter().map(str::to_owned).collect());
            let days = days.map_or(whole.days.clone(), |days: Range<i32>| {
                Day::from_number(days.start)..Day::from_number(days.end)
            });
            let expected = Wanted { kinds: set(kinds), keys: set(keys), days, ..whole.clone() };
            assert_eq!(found, expected, "{told}");
        }
        for (filter, last_before) in [
            (col("previous_day").lt(date(5)), Some(5)),
            (date(5).gt_eq(col("previous_day")), Some(6)),
            (col("previous_day").is_null(), Some(i32::MIN)),
            (col("previous_day").is_null().or(col("previous_day").lt(date(5))), Some(5)),
            (col("previous_day").lt(date(7)).and(col("previous_day").lt(date(5))), Some(5)),
            (col("previous_day").is_null().or(col("day").lt(date(5))), None),
            (col("previous_day").is_null().or(col("previous_day").lt(col("day"))), None),
            (col("previous_day").is_not_null(), None),
            (col("previous_day").gt(date(5)), None),
            (col("previous_day").eq(date(5)), None),
        ] {
            let expected = Wanted { last_before: last_before.map(Day::from_number), ..whole.clone() };
            assert_eq!(Wanted::by(std::slice::from_ref(&filter)), expected, "{filter}");
        }
        for (filter, rank_max) in [
            (col("rank").lt_eq(lit(5_i64)), Some(5)),
            (lit(5_i64).gt(col("rank")), Some(4)),
            (col("rank").eq(lit(3_i64)).and(col("rank").lt(lit(9_i64))), Some(3)),
            (col("rank").lt(lit(-3_i64)), Some(0)),
            (col("rank").gt(lit(3_i64)), None),
            (col("n").lt(lit(3_i64)), None),
        ] {
            let expected = Wanted { rank_max, ..whole.clone() };
            assert_eq!(Wanted::by(std::slice::from_ref(&filter)), expected, "{filter}");
        }
        let monthly = Wanted::by(&[col("grain").eq(lit("month"))]);
        assert!(monthly.has_grain("month") && !monthly.has_grain("week") && whole.has_grain("week"));
        let both = Wanted::by(&[col("key").in_list(vec![lit("x"), lit("y")], false), col("key").eq(lit("y"))]);
        assert_eq!(both.keys, Some(BTreeSet::from(["y".to_owned()])));
    }
}
