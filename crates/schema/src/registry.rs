//! Every schema that is known.

use std::collections::HashMap;
use std::sync::Arc;

use event::Column;

use crate::builtin::{self, REVISIONS, distinct};
use crate::nearest::nearest;
use crate::{Entry, Policy, RegisterError};

/// Every revision of every schema. A value: adding gives a new registry, and clones share everything.
#[derive(Clone, Debug)]
pub struct Registry {
    shared: Arc<Shared>,
}

#[derive(Clone, Debug, Default)]
struct Shared {
    /// In the order of registration.
    entries: Vec<Arc<Entry>>,
    by_hash: HashMap<Box<str>, Arc<Entry>>,
    by_id: HashMap<Box<str>, Versions>,
}

/// The versions of one id in order of registration, each with its revisions, newest first.
type Versions = Vec<(Box<str>, Arc<[Arc<Entry>]>)>;

/// What is known of an id and version.
#[derive(Clone, Debug)]
pub enum Found<'a> {
    /// The revisions, newest first; at least one.
    Revisions(&'a Arc<[Arc<Entry>]>),
    /// No schema has this id.
    UnknownSchema {
        /// The known id that comes nearest.
        nearest: Option<&'a str>,
    },
    /// The schema is known, but not in this version.
    UnknownVersion {
        /// Its versions.
        known: Vec<&'a str>,
    },
}

impl Registry {
    /// The schemas built in.
    ///
    /// # Panics
    /// Never: a test registers every file of the table.
    pub fn builtin() -> Self {
        let policies = builtin::policies();
        let mut shared = Shared::default();
        for built in &REVISIONS {
            let policy_of = |id: &str| {
                policies.iter().find(|policy| policy.schema() == id).cloned().unwrap_or_else(|| Policy::private(id))
            };
            match Entry::build(built.text, policy_of) {
                Ok(entry) => shared.add(entry),
                Err(error) => unreachable!("a schema built in is refused: {error}"),
            }
        }
        Self { shared: Arc::new(shared) }
    }

    /// This registry and one more schema text, JSON or YAML, which is asked first from now on. A text that is
    /// registered already changes nothing. Versions of a known id share its policy; of a new id everything is private.
    ///
    /// # Errors
    /// The text cannot be used; the message says where and what would be right.
    pub fn with(&self, text: &str) -> Result<Self, RegisterError> {
        let entry = Entry::build(text, |id| self.policy(id).cloned().unwrap_or_else(|| Policy::private(id)))?;
        if self.revision(&entry.revision.hash).is_some() {
            return Ok(self.clone());
        }
        let mut shared = (*self.shared).clone();
        shared.add(entry);
        Ok(Self { shared: Arc::new(shared) })
    }

    /// The revisions of `schema` in `version` (as text).
    pub fn find(&self, schema: &str, version: &str) -> Found<'_> {
        let Some(versions) = self.shared.by_id.get(schema) else {
            // Sorted, so that of two ids that are equally near always the same one is told.
            let mut known: Vec<&str> = self.shared.by_id.keys().map(|id| &**id).collect();
            known.sort_unstable();
            return Found::UnknownSchema { nearest: nearest(schema, known.into_iter()) };
        };
        match versions.iter().find(|(known, _)| **known == *version) {
            Some((_, revisions)) => Found::Revisions(revisions),
            None => Found::UnknownVersion { known: versions.iter().map(|(known, _)| &**known).collect() },
        }
    }

    /// The revision with that hash.
    pub fn revision(&self, hash: &str) -> Option<&Arc<Entry>> {
        self.shared.by_hash.get(hash)
    }

    /// Every revision, in the order of registration.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Entry>> {
        self.shared.entries.iter()
    }

    /// The policy of a schema id; `None` if no schema has it.
    pub fn policy(&self, schema: &str) -> Option<&Policy> {
        // All revisions of an id share one.
        let (_, revisions) = self.shared.by_id.get(schema)?.first()?;
        revisions.first().map(|entry| &entry.policy)
    }

    /// The promoted columns of all its schemas, each once, in the order of the table.
    pub fn columns(&self) -> Vec<Column> {
        let builtin = builtin::builtin_columns();
        distinct(builtin.iter().chain(self.iter().flat_map(|entry| entry.policy.columns())))
    }
}

impl Shared {
    fn add(&mut self, entry: Entry) {
        let entry = Arc::new(entry);
        let revision = &entry.revision;
        let versions = self.by_id.entry(revision.schema.clone()).or_default();
        match versions.iter_mut().find(|(version, _)| *version == revision.version) {
            Some((_, revisions)) => {
                *revisions = std::iter::once(&entry).chain(revisions.iter()).map(Arc::clone).collect();
            }
            None => versions.push((revision.version.clone(), Arc::from([Arc::clone(&entry)]))),
        }
        self.by_hash.insert(revision.hash.clone(), Arc::clone(&entry));
        self.entries.push(entry);
    }
}
