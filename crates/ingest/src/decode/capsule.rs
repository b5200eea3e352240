//! What an event says about itself: schema id, version, time, in the envelopes of BinderHub and of Jupyter.
//!
//! | envelope | fields |
//! |---|---|
//! | BinderHub | `timestamp`, `schema`, `version` |
//! | Jupyter (`jupyter_telemetry`, `jupyter_events`) | `__timestamp__`, `__schema__`, `__schema_version__`, `__metadata_version__` |

use event::Repair;
use event::pyjson::{self, Object};
use memchr::memmem;
use schema::{Event, Hidden};
use sonic_rs::{JsonValueTrait as _, Value};

/// An event's own account of itself. Of a repeated field the last counts.
#[derive(Clone, Debug)]
pub struct Capsule<'v> {
    /// The event.
    pub event: Event<'v>,
    /// Schema id, if it has one.
    pub schema: Option<&'v Value>,
    /// Version of the schema.
    pub version: Option<&'v Value>,
    /// When it happened.
    pub time: Option<&'v Value>,
    /// The fields of the envelope.
    pub envelope: Hidden,
    /// Its field `message`.
    pub message: Option<&'v Value>,
    /// Whether its last field is `taskName`.
    pub ends_with_task_name: bool,
    /// Whether a field `event` holds an object, and the envelope is BinderHub's.
    pub has_nested_event: bool,
}

/// The three fields of one envelope.
#[derive(Clone, Copy, Debug, Default)]
struct Envelope<'v> {
    schema: Option<&'v Value>,
    version: Option<&'v Value>,
    time: Option<&'v Value>,
}

impl<'v> Capsule<'v> {
    /// Reads the fields of `event`, which is an object.
    pub fn of(event: &'v Value) -> Self {
        let mut jupyter = Envelope::default();
        let mut binderhub = Envelope::default();
        let mut message = None;
        let mut nested = false;
        let mut ends_with_task_name = false;
        let event = Event::of(event);
        for &(key, value) in event.fields() {
            ends_with_task_name = false;
            match key {
                "__schema__" => jupyter.schema = Some(value),
                "__schema_version__" => jupyter.version = Some(value),
                "__timestamp__" => jupyter.time = Some(value),
                "schema" => binderhub.schema = Some(value),
                "version" => binderhub.version = Some(value),
                "timestamp" => binderhub.time = Some(value),
                "message" => message = Some(value),
                "event" => nested = value.is_object(),
                "taskName" => ends_with_task_name = true,
                _ => {}
            }
        }
        let is_jupyter = jupyter.schema.is_some();
        let envelope = if is_jupyter { jupyter } else { binderhub };
        Self {
            event,
            schema: envelope.schema,
            version: envelope.version,
            time: envelope.time,
            envelope: if is_jupyter { Hidden::CAPSULE } else { Hidden::BINDERHUB },
            message,
            ends_with_task_name,
            has_nested_event: nested && !is_jupyter && envelope.schema.is_some(),
        }
    }

    /// Whether the event lies in a field of this object; see [`unnested`].
    pub fn is_nested(&self) -> bool {
        self.has_nested_event || (self.schema.is_none() && self.message.is_some_and(holds_object))
    }
}

fn holds_object(message: &Value) -> bool {
    message.as_str().is_some_and(|text| text.trim_start().starts_with('{'))
}

/// One level of nesting undone, or `None` if there is none: the fields of the object in `event` (BinderHub before
/// launch v1) or of the JSON text in `message` (Cloud Logging to 2022-10) come after the others, as Python's `update`
/// puts them. Texts of keys and values stay as they are.
pub fn unnested(text: &str) -> Option<(String, Repair)> {
    if is_plainly_flat(text.as_bytes()) {
        return None;
    }
    let mut outer = Object::parse(text).ok()?;
    let has_schema = outer.get("schema").is_some() || outer.get("__schema__").is_some();
    if !has_schema {
        let message = outer.remove("message")?;
        let inner = pyjson::decode_str(&message.value)?;
        outer.update(Object::parse(&inner).ok()?);
        return Some((outer.splice(), Repair::NestedMessage));
    }
    if outer.get("__schema__").is_some() {
        return None;
    }
    let nested = outer.remove("event")?;
    outer.update(Object::parse(&nested.value).ok()?);
    Some((outer.splice(), Repair::NestedEvent))
}

/// Whether neither of the keys stands in `text`, not even with its letters escaped: a quick look that spares nearly
/// every event a second parse.
fn is_plainly_flat(text: &[u8]) -> bool {
    let holds = |needle: &[u8]| memmem::find(text, needle).is_some();
    !holds(b"\"message\"") && !holds(b"\"event\"") && !text.contains(&b'\\')
}
