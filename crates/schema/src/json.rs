//! Lets `jsonschema` read a `sonic_rs::Value` as it was parsed, without the fields that are not the emitter's.
//!
//! Of a repeated key the last value counts, as in Python.

use std::borrow::Cow;

use jsonschema::JsonType;
use jsonschema::json::{Array, Json, JsonNumber, Node, NodeIdentity, Object, SerdeJson};
use sonic_rs::{JsonContainerTrait as _, JsonValueTrait as _, Value};

/// Top-level fields of an event that its schema does not speak of: its envelope, and what a log formatter added.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hidden(u8);

impl Hidden {
    /// Nothing is hidden.
    pub const NOTHING: Self = Self(0);
    /// `timestamp`, `schema`, `version`: BinderHub's envelope.
    pub const BINDERHUB: Self = Self(1);
    /// `__timestamp__`, `__schema__`, `__schema_version__`, `__metadata_version__`: Jupyter's capsule.
    pub const CAPSULE: Self = Self(2);
    /// `taskName`.
    pub const TASK_NAME: Self = Self(4);
    /// `message`.
    pub const MESSAGE: Self = Self(8);

    /// Both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether a field called `key` is hidden.
    pub fn holds(self, key: &str) -> bool {
        self.0 != 0 && self.0 & class(key) != 0
    }
}

/// The bit of [`Hidden`] to which `key` belongs, or 0. Asked of every field of every event.
fn class(key: &str) -> u8 {
    let class = match key {
        "timestamp" | "schema" | "version" => Hidden::BINDERHUB,
        "__timestamp__" | "__schema__" | "__schema_version__" | "__metadata_version__" => Hidden::CAPSULE,
        "taskName" => Hidden::TASK_NAME,
        "message" => Hidden::MESSAGE,
        _ => Hidden::NOTHING,
    };
    class.0
}

/// The representation: `sonic_rs`.
#[derive(Debug)]
pub(crate) struct Sonic;

/// A property name, with the bit of [`Hidden`] to which it belongs.
#[derive(Debug)]
pub(crate) struct Key {
    name: Box<str>,
    class: u8,
}

/// An event that was parsed, and its fields, listed once: validating looks them up again and again.
#[derive(Clone, Debug)]
pub struct Event<'v> {
    value: &'v Value,
    fields: Vec<(&'v str, &'v Value)>,
}

impl<'v> Event<'v> {
    /// The event `value`; without fields if it is no object.
    pub fn of(value: &'v Value) -> Self {
        let Some(object) = value.as_object() else { return Self { value, fields: Vec::new() } };
        // The iterator does not tell its length, so a collected list would grow by and by.
        let mut fields = Vec::with_capacity(object.len());
        fields.extend(object.iter());
        Self { value, fields }
    }

    /// The event itself.
    pub fn value(&self) -> &'v Value {
        self.value
    }

    /// Its fields, in order, also repeated ones.
    pub fn fields(&self) -> &[(&'v str, &'v Value)] {
        &self.fields
    }

    /// The value of the field `key`; the last, if there are several.
    pub fn field(&self, key: &str) -> Option<&'v Value> {
        last(&self.fields, key)
    }
}

fn last<'v>(fields: &[(&str, &'v Value)], key: &str) -> Option<&'v Value> {
    fields.iter().rev().find(|(name, _)| *name == key).map(|(_, value)| *value)
}

/// A value within an event, or the event itself without what is hidden.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Instance<'a> {
    value: &'a Value,
    top: Option<Top<'a>>,
}

/// The fields of the event itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Top<'a> {
    fields: &'a [(&'a str, &'a Value)],
    hidden: Hidden,
}

impl<'a> Instance<'a> {
    pub(crate) fn new(event: &'a Event<'a>, hidden: Hidden) -> Self {
        Self { value: event.value, top: Some(Top { fields: &event.fields, hidden }) }
    }

    fn whole(value: &'a Value) -> Self {
        Self { value, top: None }
    }

    fn hidden(&self) -> Hidden {
        self.top.map_or(Hidden::NOTHING, |top| top.hidden)
    }
}

impl Json for Sonic {
    type Node<'a> = Instance<'a>;
    type PreparedKey = Key;
    type StringBuffer = Value;

    // A lookup goes through all fields, so one pass over them soon costs less.
    const KEYS_PER_LOOKUP: usize = 2;

    fn prepare_key(key: &str) -> Key {
        Key { name: key.into(), class: class(key) }
    }

    fn with_string_node<T>(buffer: &mut Value, string: &str, f: impl FnOnce(Instance<'_>) -> T) -> T {
        *buffer = Value::from(string);
        f(Instance::whole(buffer))
    }
}

impl<'a> Node<'a, Sonic> for Instance<'a> {
    type Object = Fields<'a>;
    type Array = Items<'a>;
    type Number = Number<'a>;

    fn as_object(&self) -> Option<Fields<'a>> {
        let object = self.value.as_object()?;
        Some(self.top.map_or(Fields::Inner(object), Fields::Top))
    }

    fn as_array(&self) -> Option<Items<'a>> {
        self.value.as_array().map(|array| Items(array.as_slice()))
    }

    fn as_string(&self) -> Option<Cow<'a, str>> {
        self.value.as_str().map(Cow::Borrowed)
    }

    fn as_number(&self) -> Option<Number<'a>> {
        self.value.is_number().then_some(Number(self.value))
    }

    fn as_boolean(&self) -> Option<bool> {
        self.value.as_bool()
    }

    fn is_null(&self) -> bool {
        self.value.is_null()
    }

    fn is_number(&self) -> bool {
        self.value.is_number()
    }

    fn is_string(&self) -> bool {
        self.value.is_str()
    }

    fn json_type(&self) -> JsonType {
        match self.value.get_type() {
            sonic_rs::JsonType::Null => JsonType::Null,
            sonic_rs::JsonType::Boolean => JsonType::Boolean,
            sonic_rs::JsonType::Number => JsonType::Number,
            sonic_rs::JsonType::String => JsonType::String,
            sonic_rs::JsonType::Object => JsonType::Object,
            sonic_rs::JsonType::Array => JsonType::Array,
        }
    }

    fn equals_value(&self, expected: &serde_json::Value) -> bool {
        match (self.value.as_str(), expected) {
            (Some(text), serde_json::Value::String(expected)) => text == expected,
            (Some(_), _) | (None, serde_json::Value::String(_)) => false,
            (None, serde_json::Value::Bool(expected)) => self.value.as_bool() == Some(*expected),
            (None, serde_json::Value::Null) => self.value.is_null(),
            (None, _) => Node::<SerdeJson>::equals_value(&&*self.to_value(), expected),
        }
    }

    fn to_value(&self) -> Cow<'a, serde_json::Value> {
        Cow::Owned(converted(self.value, self.hidden()))
    }

    fn identity(&self) -> Option<NodeIdentity> {
        Some(NodeIdentity::new(std::ptr::from_ref(self.value) as usize))
    }
}

/// An object without its hidden fields.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fields<'a> {
    Top(Top<'a>),
    Inner(&'a sonic_rs::Object),
}

impl<'a> Object<'a, Sonic> for Fields<'a> {
    type Node = Instance<'a>;
    type MemberName = &'a str;
    type MembersIter = Members<'a>;

    fn len(&self) -> usize {
        match self {
            Self::Top(_) => self.members().count(),
            Self::Inner(object) => object.len(),
        }
    }

    fn get(&self, key: &Key) -> Option<Instance<'a>> {
        let found = match self {
            Self::Top(top) if top.hidden.0 & key.class != 0 => None,
            Self::Top(top) => last(top.fields, &key.name),
            Self::Inner(object) => object.iter().filter(|(name, _)| **name == *key.name).last().map(|(_, value)| value),
        };
        found.map(Instance::whole)
    }

    fn members(&self) -> Members<'a> {
        match *self {
            Self::Top(Top { fields, hidden }) => Members::Top { fields: fields.iter(), hidden },
            Self::Inner(object) => Members::Inner(object.iter()),
        }
    }
}

/// The fields of [`Fields`], in order.
pub(crate) enum Members<'a> {
    Top { fields: std::slice::Iter<'a, (&'a str, &'a Value)>, hidden: Hidden },
    Inner(sonic_rs::value::object::Iter<'a>),
}

impl<'a> Iterator for Members<'a> {
    type Item = (&'a str, Instance<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let (name, value) = match self {
            Self::Top { fields, hidden } => *fields.find(|(name, _)| !hidden.holds(name))?,
            Self::Inner(fields) => fields.next()?,
        };
        Some((name, Instance::whole(value)))
    }
}

/// The elements of an array.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Items<'a>(&'a [Value]);

impl<'a> Array<'a, Sonic> for Items<'a> {
    type Node = Instance<'a>;
    type ElementsIter = std::iter::Map<std::slice::Iter<'a, Value>, fn(&'a Value) -> Instance<'a>>;

    fn len(&self) -> usize {
        self.0.len()
    }

    fn elements(&self) -> Self::ElementsIter {
        self.0.iter().map(Instance::whole)
    }
}

/// A value that is a number.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Number<'a>(&'a Value);

impl JsonNumber for Number<'_> {
    fn as_u64(&self) -> Option<u64> {
        self.0.as_u64()
    }

    fn as_i64(&self) -> Option<i64> {
        self.0.as_i64()
    }

    fn as_f64(&self) -> Option<f64> {
        self.0.as_f64()
    }

    fn as_str(&self) -> Cow<'_, str> {
        Cow::Owned(number(self.0).to_string())
    }

    fn to_number(&self) -> Cow<'_, serde_json::Number> {
        Cow::Owned(number(self.0))
    }

    fn is_integer(&self) -> bool {
        self.0.is_i64() || self.0.is_u64() || self.0.as_f64().is_some_and(|float| float.fract() == 0.0)
    }
}

fn number(value: &Value) -> serde_json::Number {
    if let Some(number) = value.as_u64() {
        return number.into();
    }
    if let Some(number) = value.as_i64() {
        return number.into();
    }
    // A parsed float is finite; zero stands for the impossible.
    value.as_f64().and_then(serde_json::Number::from_f64).unwrap_or_else(|| 0.into())
}

/// For messages and for comparing with arrays, objects and numbers.
fn converted(value: &Value, hidden: Hidden) -> serde_json::Value {
    if let Some(text) = value.as_str() {
        return text.into();
    }
    if let Some(array) = value.as_array() {
        return array.iter().map(|item| converted(item, Hidden::NOTHING)).collect();
    }
    if let Some(object) = value.as_object() {
        let kept = object.iter().filter(|(key, _)| !hidden.holds(key));
        let fields = kept.map(|(key, item)| (key.to_owned(), converted(item, Hidden::NOTHING)));
        return serde_json::Value::Object(fields.collect());
    }
    if value.is_number() {
        return serde_json::Value::Number(number(value));
    }
    value.as_bool().map_or(serde_json::Value::Null, serde_json::Value::Bool)
}
