//! From a schema that satisfies the rules to a validator.

use jsonschema::{Draft, PatternOptions, Validator};
use serde_json::Value;

use crate::RegisterError;
use crate::json::Sonic;
use crate::metaschema::Style;

/// Largest compiled pattern: the crate's own default is 10 MiB, which a registry of many schemas could not afford.
const PATTERN_BYTES_MAX: usize = 1024 * 1024;

/// Compiles `schema` by the rules of its emitter.
pub(crate) fn compile(schema: &Value, style: Style) -> Result<Validator<Sonic>, RegisterError> {
    let (draft, formats) = match style {
        Style::Events => (Draft::Draft7, true),
        Style::Plain => (draft_named(schema), false),
    };
    let mut schema = schema.clone();
    if let Value::Object(members) = &mut schema {
        // References are local, so the base does not matter, and a relative one cannot be resolved.
        members.remove("$id");
        members.remove("$schema");
    }
    jsonschema::options_for::<Sonic>()
        .with_draft(draft)
        .should_validate_formats(formats)
        // As Python's jsonschema does: stricter rules would refuse what the emitter accepted.
        .with_format("email", |text| text.contains('@'))
        .with_format("idn-email", |text| text.contains('@'))
        .with_pattern_options(PatternOptions::regex().size_limit(PATTERN_BYTES_MAX))
        .offline()
        .build(&schema)
        .map_err(|error| refused(&schema, &error))
}

/// The draft that `$schema` names; the newest, as in Python, if it names none that is known.
fn draft_named(schema: &Value) -> Draft {
    let name = schema.get("$schema").and_then(Value::as_str).unwrap_or_default();
    match name.trim_end_matches('#') {
        "http://json-schema.org/draft-04/schema" => Draft::Draft4,
        "http://json-schema.org/draft-06/schema" => Draft::Draft6,
        "http://json-schema.org/draft-07/schema" => Draft::Draft7,
        "https://json-schema.org/draft/2019-09/schema" => Draft::Draft201909,
        _ => Draft::Draft202012,
    }
}

fn refused(schema: &Value, error: &jsonschema::ValidationError<'_>) -> RegisterError {
    let pointer = error.instance_path().as_str().to_owned();
    let pattern = match (error.kind(), schema.pointer(&pointer)) {
        (jsonschema::error::ValidationErrorKind::Format { format }, Some(Value::String(text))) if format == "regex" => {
            Some(text.clone())
        }
        (jsonschema::error::ValidationErrorKind::Format { format }, _) if format == "regex" => {
            Some(error.instance().to_string())
        }
        _ => None,
    };
    match pattern {
        Some(pattern) => RegisterError::BadPattern {
            pointer,
            pattern,
            reason: "write it without look-around and back references, and smaller".to_owned(),
        },
        None => RegisterError::NotASchema { pointer, message: crate::entry::shortened(&error.to_string()) },
    }
}
