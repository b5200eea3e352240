//! Numbers: integers exact, floats as `repr` writes them.

use std::fmt::Write as _;

/// Appends `value` as Python's `repr` (and `json.dumps`) writes a float: the fewest digits that read back the same, an
/// exponent below 1e-4 and from 1e16 on, `NaN`, `Infinity`, `-Infinity`.
pub fn write_float(out: &mut String, value: f64) {
    if value.is_nan() {
        out.push_str("NaN");
        return;
    }
    if value.is_sign_negative() {
        out.push('-');
    }
    if value.is_infinite() {
        out.push_str("Infinity");
        return;
    }
    // `d.dddde±x` with the fewest digits.
    let scientific = format!("{:e}", value.abs());
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if !(-4..16).contains(&exponent) {
        // A String takes everything that is written to it.
        let _ = write!(out, "{mantissa}e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.abs());
        return;
    }
    let digits: String = mantissa.chars().filter(|character| *character != '.').collect();
    match usize::try_from(exponent) {
        Err(_) => {
            out.push_str("0.");
            for _ in 1..exponent.unsigned_abs() {
                out.push('0');
            }
            out.push_str(&digits);
        }
        Ok(whole) if digits.len() <= whole + 1 => {
            out.push_str(&digits);
            for _ in digits.len()..=whole {
                out.push('0');
            }
            out.push_str(".0");
        }
        Ok(whole) => {
            let (before, after) = digits.split_at(whole + 1);
            out.push_str(before);
            out.push('.');
            out.push_str(after);
        }
    }
}

/// Whether `raw`, a JSON number, is a float to Python: it has a fraction or an exponent.
pub fn is_float(raw: &str) -> bool {
    raw.bytes().any(|byte| matches!(byte, b'.' | b'e' | b'E'))
}

/// Appends the JSON number `raw` in Python's form: integers exact (`-0` is `0`), floats by [`write_float`]; one beyond
/// the range of a float becomes `Infinity`, as in Python.
pub fn write_number(out: &mut String, raw: &str) {
    if !is_float(raw) {
        out.push_str(if raw == "-0" { "0" } else { raw });
        return;
    }
    match raw.parse::<f64>() {
        Ok(value) => write_float(out, value),
        // Unreachable for what the lexer calls a number; text unchanged is then the truth.
        Err(_) => out.push_str(raw),
    }
}
