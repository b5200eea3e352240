//! The one door: bytes in, a verdict per event out.

use std::sync::{Arc, PoisonError, RwLock};

use bytes::Bytes;
use event::{
    Admitted, Batch, Clock, Column, ColumnKind, Door, EventTime, Quarantined, Reason, Repair, Repairs, Revision, Row,
    Value, Verdict,
};
use schema::{Entry, Found, Hidden, LEVELS_MAX, Registry, version_text};
use sonic_rs::JsonValueTrait as _;

use crate::Limits;
use crate::decode::capsule::{Capsule, unnested};
use crate::decode::{self, Fault, Item, Parsed, cloud_log_line, event_time};
use crate::limits::{CLAIMED_SCHEMA_BYTES_MAX, CLAIMED_VERSION_BYTES_MAX, DETAIL_BYTES_MAX, cut};
use crate::request::{Refusal, Request};

/// Decides about events. Pure computation; share one among all threads.
#[derive(Debug)]
pub struct Admission {
    registry: RwLock<Registry>,
    limits: Limits,
    clock: Arc<dyn Clock>,
}

impl Admission {
    /// A door that knows the schemas of `registry`.
    pub fn new(registry: Registry, limits: Limits, clock: Arc<dyn Clock>) -> Self {
        Self { registry: RwLock::new(registry), limits, clock }
    }

    /// The schemas that are known now.
    pub fn registry(&self) -> Registry {
        self.registry.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Uses `registry` from the next request on.
    pub fn replace_registry(&self, registry: Registry) {
        *self.registry.write().unwrap_or_else(PoisonError::into_inner) = registry;
    }

    /// Its limits.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Turns a request into a batch: at least one row, in the order in which they were sent.
    ///
    /// # Errors
    /// Nothing of the request can be kept: no part of it is JSON (nor a Python dict), or a limit was exceeded.
    pub fn admit(&self, request: Request, hub: Arc<str>) -> Result<Batch, Refusal> {
        let received = self.clock.now();
        let items = decode::items(&request, &self.limits)?;
        let is_form = items.iter().any(|item| item.fault.is_some() || item.repairs.contains(Repair::PythonRepr));
        let judge = Judge { registry: self.registry(), limits: &self.limits };
        let rows: Vec<Row> = items.into_iter().map(|item| judge.row(item)).collect();
        match rows.as_slice() {
            // A handler of Python's never reads the answer, so what it sends is kept whatever it is.
            [first, rest @ ..] if !is_form && is_not_json(first) && rest.iter().all(is_not_json) => {
                Err(not_json(first))
            }
            _ => Ok(Batch { received, hub, door: Door::Http, key: None, rows }),
        }
    }

    /// Decides about the text of one event, as an import reads it from a file.
    pub fn admit_text(&self, text: Bytes) -> Row {
        Judge { registry: self.registry(), limits: &self.limits }.row(Item::plain(text))
    }

    /// Decides about the event in one line of a Cloud Logging export. A line that holds none is quarantined as it is.
    pub fn admit_cloud_log_line(&self, line: Bytes) -> Row {
        let item = match cloud_log_line(&line) {
            Ok(event) => Item { text: event.text, repairs: event.repairs, fault: None },
            Err(fault) => Item::faulty(line, fault),
        };
        Judge { registry: self.registry(), limits: &self.limits }.row(item)
    }
}

fn is_not_json(row: &Row) -> bool {
    matches!(&row.verdict, Verdict::Quarantined(aside) if aside.reason == Reason::NotJson)
}

fn not_json(row: &Row) -> Refusal {
    let detail = match &row.verdict {
        Verdict::Quarantined(aside) => aside.detail.to_string(),
        Verdict::Admitted(_) => String::new(),
    };
    Refusal::bad_request("not_json", format!("no event could be read; the first is {detail}"))
}

/// What one request is judged by.
struct Judge<'a> {
    registry: Registry,
    limits: &'a Limits,
}

/// What a quarantined event claims to be.
#[derive(Default)]
struct Claims {
    schema: Option<Box<str>>,
    version: Option<Box<str>>,
    time: Option<EventTime>,
}

impl Judge<'_> {
    /// The checklist: known fault, length, JSON, envelope, schema, time, validity.
    fn row(&self, item: Item) -> Row {
        let mut repairs = item.repairs;
        let mut claims = Claims::default();
        let judged = match item.fault {
            Some(fault) => Err(fault),
            None => self.judge(&item.text, &mut repairs, &mut claims),
        };
        let verdict = match judged {
            Ok(admitted) => Verdict::Admitted(admitted),
            Err(fault) => Verdict::Quarantined(Quarantined {
                reason: fault.reason,
                detail: cut(&fault.detail, DETAIL_BYTES_MAX).into(),
                schema: claims.schema,
                version: claims.version,
                time: claims.time,
                repairs,
            }),
        };
        Row { text: item.text, verdict }
    }

    fn judge(&self, text: &[u8], repairs: &mut Repairs, claims: &mut Claims) -> Result<Admitted, Fault> {
        if text.len() > self.limits.event_bytes_max {
            let detail =
                format!("the event is {} bytes long; at most {} are taken", text.len(), self.limits.event_bytes_max);
            return Err(Fault::new(Reason::TooLong, detail));
        }
        let parsed = Parsed::of(text, self.limits.depth_max)?;
        add(repairs, parsed.repairs);
        let capsule = Capsule::of(&parsed.value);
        if !capsule.is_nested() {
            return self.judge_event(&capsule, repairs, claims);
        }
        match flattened(text, self.limits.depth_max, repairs)? {
            Some(flat) => self.judge_event(&Capsule::of(&flat.value), repairs, claims),
            None => self.judge_event(&capsule, repairs, claims),
        }
    }

    fn judge_event(
        &self,
        capsule: &Capsule<'_>,
        repairs: &mut Repairs,
        claims: &mut Claims,
    ) -> Result<Admitted, Fault> {
        let time = capsule.time.and_then(|time| event_time(time.as_str()?));
        claims.time = time.map(|(time, _)| time);
        let judged = self.judge_schema(capsule, time, repairs);
        if judged.is_err() {
            let schema = capsule.schema.and_then(|schema| schema.as_str());
            claims.schema = schema.map(|schema| cut(schema, CLAIMED_SCHEMA_BYTES_MAX).into());
            let version = capsule.version.and_then(version_text);
            claims.version = version.map(|(version, _)| cut(version.as_str(), CLAIMED_VERSION_BYTES_MAX).into());
        }
        judged
    }

    fn judge_schema(
        &self,
        capsule: &Capsule<'_>,
        time: Option<(EventTime, Option<Repair>)>,
        repairs: &mut Repairs,
    ) -> Result<Admitted, Fault> {
        let schema = capsule.schema.and_then(|schema| schema.as_str()).ok_or_else(|| {
            let detail =
                "the event names no schema: neither 'schema' (BinderHub) nor '__schema__' (Jupyter) holds a text";
            Fault::new(Reason::NoSchema, detail)
        })?;
        let revisions = self.revisions(schema, capsule, repairs)?;
        let Some((time, repair)) = time else { return Err(bad_time(capsule)) };
        if let Some(repair) = repair {
            repairs.insert(repair);
        }
        let entry = accepting(revisions, capsule, repairs)?;
        Ok(Admitted {
            time,
            revision: Arc::clone(&entry.revision),
            repairs: *repairs,
            promoted: promoted(capsule, &entry.revision, *repairs),
        })
    }

    fn revisions(&self, schema: &str, capsule: &Capsule<'_>, repairs: &mut Repairs) -> Result<&[Arc<Entry>], Fault> {
        let version = capsule.version.and_then(version_text);
        let version_as_text = version.as_ref().map_or("", |(version, _)| version.as_str());
        match self.registry.find(schema, version_as_text) {
            Found::Revisions(revisions) => {
                let newest = revisions.first().is_some_and(|newest| newest.version_is_integer);
                if version.is_some_and(|(version, is_float)| is_float || version.is_integer() != newest) {
                    repairs.insert(Repair::VersionType);
                }
                Ok(revisions)
            }
            Found::UnknownSchema { nearest } => Err(unknown_schema(schema, nearest)),
            Found::UnknownVersion { known } => Err(unknown_version(schema, version.map(|_| version_as_text), &known)),
        }
    }
}

fn add(repairs: &mut Repairs, more: Repairs) {
    *repairs = Repairs::from_bits(repairs.bits() | more.bits());
}

/// The event whose fields lie in a field, with its nesting undone; `None` if there is none after all.
#[cold]
fn flattened(text: &[u8], depth_max: usize, repairs: &mut Repairs) -> Result<Option<Parsed>, Fault> {
    let mut flat: Option<String> = None;
    // A message, and a nested event in it: never more.
    for _ in 0..2 {
        let outer = match &flat {
            Some(text) => text,
            None => std::str::from_utf8(text).unwrap_or_default(),
        };
        let Some((inner, repair)) = unnested(outer) else { break };
        repairs.insert(repair);
        flat = Some(inner);
    }
    let Some(text) = flat else { return Ok(None) };
    let parsed = Parsed::of(text.as_bytes(), depth_max)?;
    add(repairs, parsed.repairs);
    Ok(Some(parsed))
}

/// The first revision that accepts the event, newest first.
fn accepting<'r>(
    revisions: &'r [Arc<Entry>],
    capsule: &Capsule<'_>,
    repairs: &mut Repairs,
) -> Result<&'r Entry, Fault> {
    let mut complaint = None;
    for entry in revisions {
        match accepts(entry, capsule) {
            Ok(repaired) => {
                add(repairs, repaired);
                return Ok(entry);
            }
            // The newest text's complaint is what the sender should hear.
            Err(violation) => complaint = complaint.or(Some((entry, violation))),
        }
    }
    let detail = complaint.map_or_else(String::new, |(entry, violation)| {
        let revision = &entry.revision;
        format!("against {} version {}: {violation}", revision.schema, revision.version)
    });
    Err(Fault::new(Reason::Invalid, detail))
}

/// Whether `entry` accepts the event without its envelope and without what a log formatter added to it.
fn accepts(entry: &Entry, capsule: &Capsule<'_>) -> Result<Repairs, schema::Violation> {
    let mut hidden = capsule.envelope;
    let mut repairs = Repairs::NONE;
    if capsule.ends_with_task_name && !entry.declares_task_name() {
        hidden = hidden.and(Hidden::TASK_NAME);
        repairs.insert(Repair::TaskName);
    }
    let has_empty_message = capsule.message.is_some_and(|message| message.is_null() || message.as_str() == Some(""));
    if has_empty_message && !entry.declares_message() {
        hidden = hidden.and(Hidden::MESSAGE);
        repairs.insert(Repair::EmptyMessage);
    }
    let violation = match entry.validate_without(&capsule.event, hidden) {
        Ok(()) => return Ok(repairs),
        Err(violation) => violation,
    };
    // The formatter adds it after validation, so the event may have been valid without.
    if has_empty_message && entry.validate_without(&capsule.event, hidden.and(Hidden::MESSAGE)).is_ok() {
        repairs.insert(Repair::EmptyMessage);
        return Ok(repairs);
    }
    Err(violation)
}

/// The values of the revision's columns. A stand-in for a bare NaN is no value.
fn promoted(capsule: &Capsule<'_>, revision: &Revision, repairs: Repairs) -> Vec<Option<Value>> {
    let value_of = |column: &Column| {
        let value = capsule.event.field(&column.property)?;
        match column.kind {
            ColumnKind::Text => value.as_str().map(|text| Value::Text(text.into())),
            ColumnKind::Boolean => value.as_bool().map(Value::Boolean),
            ColumnKind::Integer => value.as_i64().map(Value::Integer),
            ColumnKind::Number if repairs.contains(Repair::BareNan) => None,
            ColumnKind::Number => value.as_f64().map(Value::Number),
        }
    };
    revision.columns.iter().map(value_of).collect()
}

/// The promoted values of an event that was admitted before, read again from its text.
pub(crate) fn promoted_again(text: &[u8], revision: &Revision, repairs: Repairs) -> Result<Vec<Option<Value>>, Fault> {
    // What was admitted once is read again whatever the limits are now; deeper than this was never admitted.
    let parsed = Parsed::of(text, LEVELS_MAX)?;
    let capsule = Capsule::of(&parsed.value);
    if capsule.is_nested()
        && let Some(flat) = flattened(text, LEVELS_MAX, &mut Repairs::default())?
    {
        return Ok(promoted(&Capsule::of(&flat.value), revision, repairs));
    }
    Ok(promoted(&capsule, revision, repairs))
}

fn bad_time(capsule: &Capsule<'_>) -> Fault {
    let field = if capsule.envelope == Hidden::CAPSULE { "__timestamp__" } else { "timestamp" };
    let found = match capsule.time {
        None => "is missing".to_owned(),
        Some(time) => match time.as_str() {
            Some(text) => format!("is '{}'", cut(text, 64)),
            None => "is no text".to_owned(),
        },
    };
    let detail = format!("'{field}' {found}; a time such as 2026-11-21T00:34:29.631330Z is expected");
    Fault::new(Reason::BadTime, detail)
}

fn unknown_schema(schema: &str, nearest: Option<&str>) -> Fault {
    let schema = cut(schema, CLAIMED_SCHEMA_BYTES_MAX);
    let hint = match nearest {
        Some(nearest) => format!("did you mean '{nearest}'?"),
        None => "register it with 'hubscope schema add'".to_owned(),
    };
    Fault::new(Reason::UnknownSchema, format!("no schema '{schema}' is registered; {hint}"))
}

fn unknown_version(schema: &str, version: Option<&str>, known: &[&str]) -> Fault {
    let known = known.join(", ");
    let found = match version {
        Some(version) => format!("version '{}' is not", cut(version, CLAIMED_VERSION_BYTES_MAX)),
        None => "the event names none of them".to_owned(),
    };
    Fault::new(Reason::UnknownVersion, format!("of schema '{schema}' these versions are registered: {known}; {found}"))
}
