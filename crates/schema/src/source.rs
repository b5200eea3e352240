//! Schema texts, JSON or YAML, to one form.

use serde_json::Value;

use crate::RegisterError;

/// Longest schema text: the largest known is 4 KiB; 256 KiB bounds what compiling one can cost.
pub(crate) const SCHEMA_BYTES_MAX: usize = 256 * 1024;

/// Deepest schema: the deepest known has 9 levels.
pub(crate) const SCHEMA_DEPTH_MAX: usize = 64;

/// Reads `text` as JSON or, if it does not begin like JSON, as YAML (whose anchors are bounded by the reader).
pub(crate) fn parse(text: &str) -> Result<Value, RegisterError> {
    if text.len() > SCHEMA_BYTES_MAX {
        return Err(RegisterError::TooLong { bytes: text.len(), max: SCHEMA_BYTES_MAX });
    }
    let value = if text.trim_start().starts_with(['{', '[']) {
        serde_json::from_str(text).map_err(|error| RegisterError::Syntax(error.to_string()))?
    } else {
        serde_saphyr::from_str(text).map_err(|error| RegisterError::Syntax(first_line(&error.to_string())))?
    };
    check_depth(&value, 1, &mut String::new())?;
    Ok(value)
}

fn first_line(message: &str) -> String {
    message.lines().next().unwrap_or_default().to_owned()
}

fn check_depth(value: &Value, depth: usize, pointer: &mut String) -> Result<(), RegisterError> {
    if depth > SCHEMA_DEPTH_MAX {
        return Err(RegisterError::TooDeep { pointer: pointer.clone(), max: SCHEMA_DEPTH_MAX });
    }
    each_child(value, pointer, &mut |child, pointer| check_depth(child, depth + 1, pointer))
}

/// Calls `visit` with every child of `value` and its pointer.
pub(crate) fn each_child(
    value: &Value,
    pointer: &mut String,
    visit: &mut dyn FnMut(&Value, &mut String) -> Result<(), RegisterError>,
) -> Result<(), RegisterError> {
    let length = pointer.len();
    let mut visit_at = |child: &Value, token: &str| {
        pointer.push('/');
        pointer.push_str(&token.replace('~', "~0").replace('/', "~1"));
        let result = visit(child, pointer);
        pointer.truncate(length);
        result
    };
    match value {
        Value::Object(members) => members.iter().try_for_each(|(key, child)| visit_at(child, key)),
        Value::Array(items) => {
            items.iter().enumerate().try_for_each(|(index, child)| visit_at(child, &index.to_string()))
        }
        _ => Ok(()),
    }
}
