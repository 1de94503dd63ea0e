//! What a browser carries, for programs: one JSON value, or a CSV file (RFC 4180) of a name and a value in each line.

use serde_json::{Value, json};

use super::Recording;
use crate::consent::{Choice, PurposeSet};
use crate::cookies;
use crate::privacy::banner::Site;
use crate::privacy::words::iso;

/// All there is to tell.
pub(super) struct Facts<'a> {
    pub site: &'a Site,
    pub choice: Option<&'a Choice>,
    /// Whether the cookies came, whatever is in them.
    pub visitor: bool,
    pub visit: bool,
    pub recording: &'a Recording,
}

impl Facts<'_> {
    pub(super) fn as_json(&self) -> Value {
        let (policy, consent) = (&self.site.policy, &self.site.consent);
        let ids = |set: PurposeSet| {
            let named = policy.purposes().iter().enumerate().filter(|(index, _)| set.contains(*index));
            named.map(|(_, purpose)| &*purpose.id).collect::<Vec<_>>()
        };
        let choice = self.choice.map(|choice| {
            json!({
                "granted": ids(choice.granted.union(policy.necessary())),
                "denied": ids(choice.denied),
                "under_16": choice.under_16,
                "made_at": iso(choice.made_at()),
                "kept_until": iso(choice.until),
                "source": choice.source.word(),
                "receipt": format!("{:016x}", choice.receipt),
            })
        });
        let visit = self.recording.visit();
        // As text: scripts round numbers of this size.
        let references = self.recording.references().into_iter();
        let references = references.map(|one| json!({ "visitor_id": one.visitor_id, "key": one.key }));
        json!({
            "choice": choice,
            "cookies": { cookies::VISITOR: self.visitor, cookies::VISIT: self.visit },
            "visit": visit.map(|visit| json!({ "began_at": iso(visit.began), "pages": visit.pages })),
            "recorded": *self.recording != Recording::Off,
            "references": references.collect::<Vec<_>>(),
            "controller": consent.controller,
            "contact": consent.contact,
            "notice": consent.notice_url.clone().unwrap_or_else(|| format!("{}/notice", consent.path)),
        })
    }

    /// The same, a name such as `choice.made_at` and its value in each line.
    pub(super) fn as_csv(&self) -> String {
        let mut lines = String::from("name,value\r\n");
        flat("", &self.as_json(), &mut lines);
        lines
    }
}

fn flat(name: &str, value: &Value, lines: &mut String) {
    let text = match value {
        Value::Object(fields) => {
            for (field, value) in fields {
                let name = if name.is_empty() { field.clone() } else { format!("{name}.{field}") };
                flat(&name, value, lines);
            }
            return;
        }
        Value::Array(items) if items.iter().any(Value::is_object) => {
            items.iter().enumerate().for_each(|(at, item)| flat(&format!("{name}.{}", at + 1), item, lines));
            return;
        }
        Value::Array(items) => items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" "),
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    };
    lines.push_str(&format!("{},{}\r\n", quoted(name), quoted(&text)));
}

/// A field, in quotes; one that a spreadsheet would take for a formula begins with an apostrophe.
fn quoted(text: &str) -> String {
    let guard = if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { "'" } else { "" };
    format!("\"{guard}{}\"", text.replace('"', "\"\""))
}
