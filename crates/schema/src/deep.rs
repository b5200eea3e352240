//! Work on deep events.
//!
//! Parser and validator recurse: a level of the event takes up to 40 KiB of stack in a debug build, and a thread of the
//! runtime has 2 MiB. Schemas that can go deep (a tree of comments) are few, and events that do are fewer; those are
//! parsed and judged on a thread with a stack of its own.

use std::collections::HashMap;

use serde_json::Value as Schema;
use sonic_rs::{JsonContainerTrait as _, Value};

use crate::Violation;
use crate::metaschema::target;

/// Levels of an event that are judged on the caller's stack: 16 × 40 KiB are a third of the usual 2 MiB.
pub const LEVELS_IN_PLACE: usize = 16;

/// Levels of an event that are judged at all; doors take fewer.
pub const LEVELS_MAX: usize = 256;

/// 256 levels × 40 KiB, and as much again to spare. It is memory only as far as it is used.
const STACK_BYTES: usize = 20 << 20;

/// Whether a schema can follow an event below the levels that are judged in place.
pub(crate) fn goes_deep(schema: &Schema) -> bool {
    levels(schema, schema, &mut HashMap::new()) > LEVELS_IN_PLACE
}

/// The levels of schemas below `schema`, references followed; without end if one comes round.
fn levels<'s>(root: &'s Schema, schema: &'s Schema, known: &mut HashMap<*const Schema, Option<usize>>) -> usize {
    let address = std::ptr::from_ref(schema);
    match known.get(&address) {
        Some(Some(levels)) => return *levels,
        // It is being counted: a circle.
        Some(None) => return usize::MAX,
        None => {}
    }
    let deepest = match schema {
        Schema::Object(members) => {
            known.insert(address, None);
            let followed = members.get("$ref").and_then(Schema::as_str).and_then(|reference| target(root, reference));
            let below = members.values().chain(followed).map(|child| levels(root, child, known)).max();
            below.unwrap_or(0).saturating_add(1)
        }
        Schema::Array(items) => items.iter().map(|item| levels(root, item, known)).max().unwrap_or(0),
        _ => return 0,
    };
    known.insert(address, Some(deepest));
    deepest
}

/// Calls `judge` where there is stack enough for an event as deep as `event`.
pub(crate) fn with_stack_for<'e>(
    event: &'e Value,
    judge: impl FnOnce() -> Result<(), Violation> + Send + 'e,
) -> Result<(), Violation> {
    if !is_deeper(event, LEVELS_IN_PLACE) {
        return judge();
    }
    let failed = |message: String| Err(Violation { pointer: String::new(), message });
    if is_deeper(event, LEVELS_MAX) {
        return failed(format!("it is nested deeper than {LEVELS_MAX} levels"));
    }
    match on_deep_stack(judge) {
        Ok(judged) => judged,
        Err(error) => failed(format!("it could not be judged, because no thread could be started: {error}")),
    }
}

/// Calls `work` where there is stack enough for [`LEVELS_MAX`] levels of an event. Takes some 30 µs, so it is for deep
/// events alone.
///
/// # Errors
/// No thread could be started.
///
/// # Panics
/// If `work` does.
pub fn on_deep_stack<T: Send>(work: impl FnOnce() -> T + Send) -> std::io::Result<T> {
    std::thread::scope(|scope| {
        let working = std::thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, work)?;
        match working.join() {
            Ok(result) => Ok(result),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

/// Whether `value` has more than `levels` levels of arrays and objects.
fn is_deeper(value: &Value, levels: usize) -> bool {
    if let Some(object) = value.as_object() {
        return levels == 0 || object.iter().any(|(_, child)| is_deeper(child, levels - 1));
    }
    value.as_array().is_some_and(|array| levels == 0 || array.iter().any(|child| is_deeper(child, levels - 1)))
}
