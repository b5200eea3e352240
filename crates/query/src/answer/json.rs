//! The form of the API: `{"columns": [{"name", "type", "unit"?}], "rows": [{name: value}], "truncated",
//! "data_version"}`.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use super::Answer;

impl Answer {
    /// As a JSON document.
    pub fn json(&self) -> Value {
        let mut document = Map::new();
        self.put_json(&mut document);
        Value::Object(document)
    }

    /// Adds the members to `document`.
    pub(crate) fn put_json(&self, document: &mut Map<String, Value>) {
        let names = self.unique_names();
        let columns = names.iter().zip(&self.columns).map(|(name, column)| {
            let mut described = json!({"name": name, "type": column.type_name});
            if let (Some(unit), Some(object)) = (&column.unit, described.as_object_mut()) {
                object.insert("unit".to_owned(), unit.as_str().into());
            }
            described
        });
        document.insert("columns".to_owned(), columns.collect());
        let rows = self
            .cells()
            .map(|cells| Value::Object(names.iter().cloned().zip(cells.into_iter().map(super::Cell::json)).collect()));
        document.insert("rows".to_owned(), rows.collect());
        document.insert("truncated".to_owned(), self.truncated.into());
        document.insert("data_version".to_owned(), self.data_version.as_str().into());
    }

    /// Names of the columns; the second `n` becomes `n_2`, so that no value hides another.
    fn unique_names(&self) -> Vec<String> {
        let mut seen: HashMap<&str, usize> = HashMap::new();
        let mut names: Vec<String> = Vec::with_capacity(self.columns.len());
        for column in &self.columns {
            let count = seen.entry(&column.name).or_default();
            *count += 1;
            let mut name = if *count == 1 { column.name.clone() } else { format!("{}_{count}", column.name) };
            while names.contains(&name) {
                name.push('_');
            }
            names.push(name);
        }
        names
    }
}
