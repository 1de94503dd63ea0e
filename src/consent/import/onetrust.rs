//! OneTrust: `OptanonConsent`, a query string as forms write it, beside `OptanonAlertBoxClosed`, the time the visitor
//! answered. Its groups hold what applies before a click as well, so without the second cookie they say nothing, and where
//! `interactionCount` says that nobody has pressed anything they grant nothing.

use super::cookies::{Cookies, decoded};
use super::entries::whole;
use super::said::{Answer, Said};
use super::time;

/// The cookie that says that the visitor has answered, and when.
pub(super) const CLOSED: &str = "OptanonAlertBoxClosed";

/// What one `OptanonConsent` says beside the other cookies.
pub(super) fn read(value: &[u8], cookies: &Cookies<'_>) -> Option<Said> {
    let closed = time::iso(&decoded(cookies.only(CLOSED.as_bytes())?)?)?;
    let mut fields: Vec<(String, String)> = Vec::new();
    for field in value.split(|byte| *byte == b'&') {
        let equals = memchr::memchr(b'=', field)?;
        let (key, value) = (form(field.get(..equals)?)?, form(field.get(equals + 1..)?)?);
        if fields.iter().any(|(other, _)| *other == key) {
            return None;
        }
        fields.push((key, value));
    }
    let field = |name: &str| fields.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    if field("AwaitingReconsent")? != "false" {
        return None;
    }
    // Older versions do not count.
    let is_act = field("interactionCount").is_none_or(|count| whole(count).is_some_and(|count| count > 0));
    let mut said = Said::new(Answer::Unknown, Some(closed));
    for group in field("groups")?.split(',') {
        let (group, answer) = group.split_once(':')?;
        let answer = match answer {
            "1" if is_act => Answer::Accepted,
            "0" => Answer::Refused,
            _ => Answer::Unknown,
        };
        said.note(group, answer);
    }
    Some(said)
}

/// A form's encoding: a `+` is a space.
fn form(bytes: &[u8]) -> Option<String> {
    let spaced: Vec<u8> = bytes.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
    decoded(&spaced)
}
