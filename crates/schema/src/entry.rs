//! One text of a schema, ready to judge events.

use std::fmt;
use std::sync::Arc;

use event::Revision;
use jsonschema::Validator;
use sha2::{Digest, Sha256};
use sonic_rs::Value;

use crate::json::{Event, Hidden, Instance, Sonic};
use crate::metaschema::{self, Identity};
use crate::{Policy, RegisterError, compile, deep, source};

/// Longest message of a violation: it quotes the event, and one event may be a megabyte.
const MESSAGE_CHARS_MAX: usize = 400;

/// One revision of a schema: its identity, its policy, its validator.
pub struct Entry {
    /// Which text it is.
    pub revision: Arc<Revision>,
    /// Who may see what, and which properties are columns.
    pub policy: Policy,
    /// Whether the text gives its version as a number, as its emitters then do on the wire.
    pub version_is_integer: bool,
    validator: Validator<Sonic>,
    declares_message: bool,
    declares_task_name: bool,
    /// Whether it can follow an event far down.
    goes_deep: bool,
}

/// Where an event breaks its schema, and how.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {message}", if pointer.is_empty() { "/" } else { pointer })]
pub struct Violation {
    /// JSON pointer into the event; empty for the event itself.
    pub pointer: String,
    /// What is wrong there.
    pub message: String,
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry").field("revision", &self.revision).finish_non_exhaustive()
    }
}

impl Entry {
    /// Reads, checks and compiles a schema text. `policy_of` gives the policy of an id.
    pub(crate) fn build(text: &str, policy_of: impl FnOnce(&str) -> Policy) -> Result<Self, RegisterError> {
        let schema = source::parse(text)?;
        let Identity { id, version, version_is_integer, style } = metaschema::check(&schema)?;
        let validator = compile::compile(&schema, style)?;
        let policy = policy_of(&id);
        let revision = Revision {
            schema: id.into(),
            version: version.into(),
            hash: hash(text).into(),
            columns: policy.columns().to_vec(),
        };
        let declares_message = schema.pointer("/properties/message").is_some();
        let declares_task_name = schema.pointer("/properties/taskName").is_some();
        Ok(Self {
            revision: Arc::new(revision),
            policy,
            version_is_integer,
            validator,
            declares_message,
            declares_task_name,
            goes_deep: deep::goes_deep(&schema),
        })
    }

    /// Whether `event` satisfies the schema as a whole.
    ///
    /// # Errors
    /// The first place where it does not.
    pub fn validate(&self, event: &Value) -> Result<(), Violation> {
        self.validate_without(&Event::of(event), Hidden::NOTHING)
    }

    /// Whether `event` without its `hidden` fields satisfies the schema.
    ///
    /// # Errors
    /// The first place where it does not.
    pub fn validate_without(&self, event: &Event<'_>, hidden: Hidden) -> Result<(), Violation> {
        if self.goes_deep {
            return deep::with_stack_for(event.value(), || self.judge(event, hidden));
        }
        self.judge(event, hidden)
    }

    fn judge(&self, event: &Event<'_>, hidden: Hidden) -> Result<(), Violation> {
        let instance = Instance::new(event, hidden);
        if self.validator.is_valid(instance) {
            return Ok(());
        }
        match self.validator.validate(instance) {
            Ok(()) => Ok(()),
            Err(error) => Err(Violation {
                pointer: error.instance_path().as_str().to_owned(),
                message: shortened(&error.to_string()),
            }),
        }
    }

    /// Whether the schema has a property `message` of its own, which a log formatter may then have filled.
    pub fn declares_message(&self) -> bool {
        self.declares_message
    }

    /// Whether the schema has a property `taskName` of its own.
    pub fn declares_task_name(&self) -> bool {
        self.declares_task_name
    }
}

/// The first 16 hexadecimal digits of the SHA-256 of `text`.
pub(crate) fn hash(text: &str) -> String {
    let digest = Sha256::digest(text.as_bytes());
    digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// `message`, cut in the middle if it is long: its end says what would be right.
pub(crate) fn shortened(message: &str) -> String {
    let length = message.chars().count();
    if length <= MESSAGE_CHARS_MAX {
        return message.to_owned();
    }
    let head: String = message.chars().take(MESSAGE_CHARS_MAX / 2).collect();
    let tail: String = message.chars().skip(length - MESSAGE_CHARS_MAX / 2).collect();
    format!("{head} … {tail}")
}
