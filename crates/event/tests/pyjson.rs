//! `event::pyjson` against what Python itself wrote (`golden/pyjson.py`).

use event::pyjson::{self, Elements, Object, SyntaxFault, normalise};

fn golden() -> Vec<(String, Option<String>)> {
    let lines = include_str!("golden/pyjson.jsonl").lines();
    lines.map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn every_text_becomes_what_python_makes_of_it() {
    let cases = golden();
    assert!(cases.len() > 1_000);
    for (text, expected) in cases {
        assert_eq!(normalise(&text).ok(), expected, "of {text:?}");
    }
}

#[test]
fn what_is_normal_stays_as_it_is() {
    for (text, expected) in golden() {
        // json.loads("1e400") is inf, which is written as Infinity and stays so.
        let Some(expected) = expected else { continue };
        assert_eq!(normalise(&expected).as_ref(), Ok(&expected), "of {text:?}");
    }
}

#[test]
fn inspection_accepts_what_python_accepts_and_finds_the_same_ends() {
    for (text, expected) in golden() {
        let inspected = pyjson::inspect(text.as_bytes(), pyjson::DEPTH_MAX, |_| {});
        assert_eq!(inspected.is_ok(), expected.is_some(), "of {text:?}");
        let array = format!(" [ {text} ,{text}]");
        let elements: Result<Vec<_>, _> = Elements::new(array.as_bytes(), pyjson::DEPTH_MAX).collect();
        if expected.is_some() {
            let elements = elements.unwrap();
            assert_eq!(elements.len(), 2, "{array:?}");
            for element in elements {
                assert_eq!(&array[element], text.trim_matches([' ', '\t', '\r', '\n']));
            }
        }
    }
}

#[test]
fn strings_and_floats_are_written_one_by_one_too() {
    let mut out = String::new();
    pyjson::write_str(&mut out, "a\"\\\u{7f}\u{e9}\u{1fa90}\n");
    assert_eq!(out, r#""a\"\\\u007f\u00e9\ud83e\ude90\n""#);
    out.clear();
    pyjson::write_float(&mut out, 1e16);
    assert_eq!(out, "1e+16");
    assert_eq!(pyjson::decode_str(r#""\ud83e\ude90\u0041é""#).as_deref(), Some("🪐Aé"));
    for bad in [r#""\ud83e""#, r#""\ude90x""#, "\"a\" ", "1", "\"", r#""\q""#, ""] {
        assert_eq!(pyjson::decode_str(bad), None, "{bad}");
    }
}

#[test]
fn oddities_are_told_apart() {
    let cases: [(&str, bool, bool, bool, usize); 9] = [
        ("1", false, false, false, 0),
        ("[NaN]", true, false, false, 1),
        (r#"{"a": [-Infinity, {}]}"#, true, false, false, 3),
        (r#""\ud800""#, false, true, false, 0),
        (r#"{"\udc00": 1}"#, false, true, false, 1),
        (r#""\ud83e\ude90""#, false, false, false, 0),
        (r#""\ud83e\ud83e\ude90""#, false, true, false, 0),
        ("1e400", false, false, true, 0),
        ("[1180591620717411303424, 1e308]", false, false, false, 1),
    ];
    for (text, bare_nan, lone_surrogate, number_out_of_range, depth) in cases {
        let found = pyjson::inspect(text.as_bytes(), 8, |_| {}).unwrap();
        assert_eq!(found, pyjson::Oddities { bare_nan, lone_surrogate, number_out_of_range, depth }, "{text}");
    }
    let deep = "[".repeat(100_000);
    assert_eq!(pyjson::inspect(deep.as_bytes(), 128, |_| {}).unwrap_err().fault, SyntaxFault::TooDeep);
    assert_eq!(normalise(&deep).unwrap_err().fault, SyntaxFault::TooDeep);
}

#[test]
fn an_object_is_an_ordered_dict_whose_texts_stay() {
    let mut object = Object::parse(r#" { "a" : 1.50 , "\u0062":[ 1,2 ], "a": {"x":1} , "é": "é"} "#).unwrap();
    let fields: Vec<(&str, &str)> = object.fields().iter().map(|field| (&*field.key, &*field.value)).collect();
    assert_eq!(fields, [("a", r#"{"x":1}"#), ("b", "[ 1,2 ]"), ("é", r#""é""#)]);
    object.update(Object::parse(r#"{"b": 7.0, "new": NaN}"#).unwrap());
    object.set("time", "\"t\"");
    assert_eq!(object.splice(), r#"{"a": {"x":1}, "\u0062": 7.0, "é": "é", "new": NaN, "time": "t"}"#);
    assert_eq!(object.remove("a").unwrap().value, r#"{"x":1}"#);
    assert_eq!(object.remove("a"), None);
    let mut out = String::new();
    object.write_python(&mut out).unwrap();
    assert_eq!(out, r#"{"b": 7.0, "\u00e9": "\u00e9", "new": NaN, "time": "t"}"#);
    object.set("bad", "{");
    assert!(object.write_python(&mut String::new()).is_err());
    for (text, fault) in [
        ("[1]", SyntaxFault::NotAnObject),
        ("", SyntaxFault::Ends),
        (r#"{"a": 1"#, SyntaxFault::Ends),
        (r#"{"a": 1} x"#, SyntaxFault::Trailing),
        (r#"{"\ud800": 1}"#, SyntaxFault::LoneSurrogate),
    ] {
        assert_eq!(Object::parse(text).unwrap_err().fault, fault, "{text}");
    }
}
