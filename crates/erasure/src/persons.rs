//! Whose an event is, by the policy of its schema.

use event::pyjson::{self, Object};
use insight::mention::mentions;
use schema::{Registry, Visibility};

/// For every schema, where it names people. Cheap to make: it shares the registry.
#[derive(Clone, Debug)]
pub struct Persons {
    registry: Registry,
}

impl Persons {
    /// By the policies of `registry`.
    pub fn of(registry: &Registry) -> Self {
        Self { registry: registry.clone() }
    }

    /// The property that names whom an event of `schema` is about.
    pub(crate) fn property(&self, schema: &str) -> Option<&str> {
        self.registry.policy(schema)?.person()
    }

    /// Every column that holds such a property.
    pub(crate) fn columns(&self) -> Vec<Box<str>> {
        let named = self.registry.iter().filter_map(|entry| {
            let person = entry.policy.person()?;
            entry.policy.columns().iter().find(|column| *column.property == *person).map(|column| column.name.clone())
        });
        let mut columns: Vec<Box<str>> = named.collect();
        columns.sort();
        columns.dedup();
        columns
    }

    /// The column of `schema` that names whom an event is about.
    pub(crate) fn column(&self, schema: &str) -> Option<&str> {
        let policy = self.registry.policy(schema)?;
        let person = policy.person()?;
        policy.columns().iter().find(|column| *column.property == *person).map(|column| &*column.name)
    }

    /// Whether the event `text`, admitted under `schema`, is about somebody whom `is` knows.
    pub(crate) fn is_about(&self, schema: &str, text: &str, mut is: impl FnMut(&str) -> bool) -> bool {
        let Ok(mut object) = Object::parse(text) else { return mentions(text.as_bytes(), is) };
        if let Some(property) = self.property(schema) {
            return object.get(property).and_then(pyjson::decode_str).is_some_and(|name| is(&name));
        }
        // What may be published names whom it names in public: a repository's owner is no user of the hub.
        if let Some(policy) = self.registry.policy(schema) {
            object.retain(|field| {
                !matches!(policy.visibility(&field.key), Visibility::Public | Visibility::Coarsened(_))
            });
        }
        object.fields().iter().any(|field| mentions(field.value.as_bytes(), &mut is))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACTION: &str = "https://schema.jupyter.org/jupyterhub/events/server-action";
    const LAUNCH: &str = "binderhub.jupyter.org/launch";
    const CONTENTS: &str = "https://events.jupyter.org/jupyter_server/contents_service/v1";

    #[test]
    fn an_event_is_about_whom_its_policy_names() {
        let persons = Persons::of(&Registry::builtin());
        for (schema, text, expected) in [
            (ACTION, r#"{"username": "ann", "servername": ""}"#, true),
            (ACTION, r#"{"username": "\u0061nn", "servername": ""}"#, true),
            // A server of Bob's that he called ann is Bob's.
            (ACTION, r#"{"username": "bob", "servername": "ann"}"#, false),
            (ACTION, r#"{"username": "joanna", "servername": ""}"#, false),
            (ACTION, r#"{"servername": "ann"}"#, false),
            // Public: a repository's owner.
            (LAUNCH, r#"{"provider": "GitHub", "spec": "ann/demo/HEAD"}"#, false),
            (LAUNCH, r#"{"provider": "GitHub", "spec": "x/y/HEAD", "user": "ann"}"#, true),
            (CONTENTS, r#"{"action": "save", "path": "home/ann/a.ipynb"}"#, true),
            (CONTENTS, r#"{"action": "save", "path": "annual.ipynb"}"#, false),
            ("no/such", r#"{"who": "ann"}"#, true),
            ("no/such", "not JSON: ann", true),
            ("no/such", "not JSON: anna", false),
        ] {
            assert_eq!(persons.is_about(schema, text, |name| name == "ann"), expected, "{schema} {text}");
        }
        assert_eq!(persons.columns(), ["username".into()]);
        assert_eq!(persons.column(ACTION), Some("username"));
        assert_eq!(persons.column(LAUNCH), None);
    }
}
