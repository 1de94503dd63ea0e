//! JSON in the one way it is signed (RFC 8785, on whole numbers).

use std::io::Write as _;

use serde_json::Value;

/// Appends the canonical bytes.
pub(super) fn write(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Object(object) => {
            let mut names: Vec<&String> = object.keys().collect();
            names.sort_unstable();
            out.push(b'{');
            for (at, name) in names.into_iter().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                string(name, out);
                out.push(b':');
                write(object.get(name).unwrap_or(&Value::Null), out);
            }
            out.push(b'}');
        }
        Value::Array(list) => {
            out.push(b'[');
            for (at, value) in list.iter().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                write(value, out);
            }
            out.push(b']');
        }
        Value::String(text) => string(text, out),
        // A receipt has whole numbers only; of another one this is what was read, which no signature is of.
        Value::Number(number) => into(out, number),
        Value::Bool(_) | Value::Null => into(out, value),
    }
}

/// serde_json escapes what RFC 8785 says, in the way it says.
fn string(text: &str, out: &mut Vec<u8>) {
    serde_json::to_writer(out, text).expect("text is JSON, and memory takes it");
}

fn into(out: &mut Vec<u8>, word: &impl std::fmt::Display) {
    write!(out, "{word}").expect("memory takes what is written");
}
