//! Cookiebot: what looks like JSON and is none: `{stamp:'…',necessary:true,statistics:false,method:'explicit',utc:1769076000000}`.

use super::cookies::decoded;
use super::entries::{truth, whole};
use super::manager::Site;
use super::said::{Answer, Said};

/// Reads it. Only `method:'explicit'` is what a visitor did: where a region is not targeted, the stamp is `-1`, the method
/// `implied` and everything true; older cookies have no method.
pub(super) fn read(value: &[u8], site: &Site<'_>) -> Option<Said> {
    let text = decoded(value)?;
    let fields = fields(&text)?;
    let field = |name: &str| fields.iter().find(|(key, _)| *key == name).map(|(_, value)| *value);
    let stamp = quoted(field("stamp")?)?;
    if quoted(field("method")?)? != "explicit" || matches!(stamp, "" | "0" | "-1") {
        return None;
    }
    if site.version.is_some_and(|declared| field("ver") != Some(declared)) {
        return None;
    }
    let mut said = Said::new(Answer::Unknown, Some(whole(field("utc")?)? / 1000));
    for (category, answer) in &fields {
        if let Some(answer) = truth(answer) {
            said.note(category, Answer::of(answer));
        }
    }
    Some(said)
}

/// Keys and values as they are written. No key stands twice; a text in quotes has no escapes.
fn fields(text: &str) -> Option<Vec<(&str, &str)>> {
    let mut rest = text.strip_prefix('{')?.strip_suffix('}')?;
    let mut fields: Vec<(&str, &str)> = Vec::new();
    loop {
        let (key, after) = rest.split_once(':')?;
        let end = match after.strip_prefix('\'') {
            Some(inner) => inner.find('\'')? + 2,
            None => after.find(',').unwrap_or(after.len()),
        };
        let (value, after) = after.split_at_checked(end)?;
        let is_key = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if !is_key || fields.iter().any(|(other, _)| *other == key) {
            return None;
        }
        fields.push((key, value));
        match after.strip_prefix(',') {
            Some(next) => rest = next,
            None if after.is_empty() => return Some(fields),
            None => return None,
        }
    }
}

fn quoted(value: &str) -> Option<&str> {
    value.strip_prefix('\'')?.strip_suffix('\'')
}
