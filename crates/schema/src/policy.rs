//! Who may see which property of a schema, which properties are columns, and which names a person.
//!
//! ```toml
//! schema = "hub.jupyter.org/server-action"  # the id, for all its versions
//! person = "username"                       # the property that names whom the event is about, if one does
//!
//! [visibility]                              # property or envelope field -> who; what is not listed is private
//! timestamp = "coarsened(minute)"
//! provider = "public"
//!
//! [columns]                                 # property -> type of the column of that name
//! provider = "text"
//! ```

use event::Column;
use serde::Deserialize;

use crate::builtin::kind_named;

/// What may be done with a property outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Visibility {
    /// It may be published as it is.
    Public,
    /// It may be published after a rule took precision from it.
    Coarsened(Coarsening),
    /// It may leave as a keyed hash only.
    Pseudonym,
    /// It never leaves.
    Private,
}

/// How precision is taken away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Coarsening {
    /// A time, cut to the minute (not rounded), its zone as given.
    Minute,
}

impl Visibility {
    /// The visibility of that name in a policy file.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "public" => Some(Self::Public),
            "coarsened(minute)" => Some(Self::Coarsened(Coarsening::Minute)),
            "pseudonym" => Some(Self::Pseudonym),
            "private" => Some(Self::Private),
            _ => None,
        }
    }
}

/// The policy of one schema id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    schema: Box<str>,
    person: Option<Box<str>>,
    visibility: Vec<(Box<str>, Visibility)>,
    columns: Vec<Column>,
}

/// A policy file that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// It is not TOML of the expected form.
    #[error("not a policy file: {0}")]
    Form(String),
    /// A visibility that does not exist.
    #[error("'{property}' has the visibility '{name}'; there are public, coarsened(minute), pseudonym and private")]
    UnknownVisibility {
        /// Whose.
        property: String,
        /// As written.
        name: String,
    },
    /// A type of column that does not exist.
    #[error("the column '{property}' has the type '{name}'; there are text, boolean, integer and number")]
    UnknownKind {
        /// Whose.
        property: String,
        /// As written.
        name: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    schema: String,
    person: Option<Box<str>>,
    #[serde(default)]
    visibility: toml::Table,
    // In the order of the file: it is the order of the columns.
    #[serde(default)]
    columns: toml::Table,
}

impl Policy {
    /// The policy of a schema about which nothing was declared: all private, no columns.
    pub fn private(schema: &str) -> Self {
        Self { schema: schema.into(), person: None, visibility: Vec::new(), columns: Vec::new() }
    }

    /// Reads a policy file.
    ///
    /// # Errors
    /// It is not of the form shown above, or names a visibility or type that does not exist.
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        let file: File = toml::from_str(text).map_err(|error| PolicyError::Form(error.to_string()))?;
        let mut policy = Self { person: file.person, ..Self::private(&file.schema) };
        for (property, value) in file.visibility {
            let name = value.as_str().unwrap_or_default();
            let visibility = Visibility::from_name(name)
                .ok_or_else(|| PolicyError::UnknownVisibility { property: property.clone(), name: told(&value) })?;
            policy.visibility.push((property.into(), visibility));
        }
        for (property, value) in file.columns {
            let name = value.as_str().unwrap_or_default();
            let kind = kind_named(name)
                .ok_or_else(|| PolicyError::UnknownKind { property: property.clone(), name: told(&value) })?;
            policy.columns.push(Column { name: property.clone().into(), property: property.into(), kind });
        }
        Ok(policy)
    }

    /// The schema id that it is about.
    pub fn schema(&self) -> &str {
        &self.schema
    }

    /// The property that names whom an event is about: what a request to forget that person erases.
    pub fn person(&self) -> Option<&str> {
        self.person.as_deref()
    }

    /// Who may see `property` (an envelope field, too); private unless declared otherwise.
    pub fn visibility(&self, property: &str) -> Visibility {
        let declared = self.visibility.iter().find(|(name, _)| **name == *property);
        declared.map_or(Visibility::Private, |(_, visibility)| *visibility)
    }

    /// Every property that was declared, in the order of the file.
    pub fn declared(&self) -> impl Iterator<Item = (&str, Visibility)> {
        self.visibility.iter().map(|(name, visibility)| (&**name, *visibility))
    }

    /// The promoted properties, in the order of the file.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }
}

/// Names the columns of policies that are to share a table, in their order: properties of one name and type share a
/// column; where the name is taken with another type, the later one's column is `<schema>_<name>`, the schema's id with
/// `_` for whatever is neither a letter nor a digit. What was written under a name keeps it, whatever joins.
pub(crate) fn name_columns(policies: &mut [Policy]) {
    let mut taken: Vec<Column> = Vec::new();
    for policy in policies {
        let prefix: String =
            policy.schema.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '_' }).collect();
        for column in &mut policy.columns {
            while taken.iter().any(|other| other.name == column.name && other.kind != column.kind) {
                column.name = format!("{prefix}_{}", column.name).into();
            }
            taken.push(column.clone());
        }
    }
}

fn told(value: &toml::Value) -> String {
    value.as_str().map_or_else(|| format!("a value of type {}", value.type_str()), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_declared_is_private() {
        let policy = Policy::parse("schema = 'a/b'\n[visibility]\nx = 'public'\nt = 'coarsened(minute)'").unwrap();
        assert_eq!(policy.visibility("x"), Visibility::Public);
        assert_eq!(policy.visibility("t"), Visibility::Coarsened(Coarsening::Minute));
        assert_eq!(policy.visibility("y"), Visibility::Private);
        assert_eq!(Policy::private("a/b").visibility("x"), Visibility::Private);
        assert_eq!(policy.person(), None);
        assert_eq!(Policy::parse("schema = 'a/b'\nperson = 'who'").unwrap().person(), Some("who"));
    }

    #[test]
    fn a_column_whose_name_is_taken_with_another_type_has_the_schema_before_it() {
        let mut policies = [
            "schema = 'a.org/one'\n[columns]\nn = 'text'\nboth = 'integer'",
            "schema = 'a.org/two'\n[columns]\nboth = 'integer'\nn = 'integer'",
            "schema = 'a.org/three'\n[columns]\na_org_two_n = 'boolean'\nn = 'text'",
        ]
        .map(|text| Policy::parse(text).unwrap());
        name_columns(&mut policies);
        let named = |policy: &Policy| -> Vec<(String, String)> {
            policy.columns().iter().map(|column| (column.property.to_string(), column.name.to_string())).collect()
        };
        let expected = [
            &[("n", "n"), ("both", "both")],
            &[("both", "both"), ("n", "a_org_two_n")],
            &[("a_org_two_n", "a_org_three_a_org_two_n"), ("n", "n")],
        ];
        for (policy, expected) in policies.iter().zip(expected) {
            assert_eq!(named(policy), expected.map(|(property, name)| (property.to_owned(), name.to_owned())));
        }
    }

    #[test]
    fn wrong_files_are_refused_with_what_would_be_right() {
        for (text, complaint) in [
            ("", "missing field `schema`"),
            ("schema = 'a/b'\nvisiblity = {}", "unknown field `visiblity`"),
            (
                "schema = 'a/b'\n[visibility]\nx = 'publik'",
                "there are public, coarsened(minute), pseudonym and private",
            ),
            ("schema = 'a/b'\n[visibility]\nx = 1", "'x' has the visibility 'a value of type integer'"),
            ("schema = 'a/b'\n[columns]\nx = 'float'", "there are text, boolean, integer and number"),
        ] {
            let error = Policy::parse(text).unwrap_err().to_string();
            assert!(error.contains(complaint), "{error}");
        }
    }
}
