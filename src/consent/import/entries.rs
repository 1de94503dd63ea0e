//! The managers whose cookie is a list of names and words in a grammar of their own.

use super::cookies::{Cookies, decoded};
use super::manager::Site;
use super::said::{Answer, Said};

/// tarteaucitron: `!gtag=true!hotjar=false!youtube=wait`, raw. `wait` is written before any choice. The manager itself looks
/// for parts of the text, so that `tag=true` is found in `gtag=true`; here a key is a whole one.
pub(super) fn tarteaucitron(value: &[u8], _site: &Site<'_>) -> Option<Said> {
    let text = std::str::from_utf8(value).ok()?;
    let mut said = Said::new(Answer::Unknown, None);
    for entry in text.strip_prefix('!')?.split('!') {
        let (service, answer) = entry.split_once('=')?;
        let answer = match answer {
            "true" => Answer::Accepted,
            "false" => Answer::Refused,
            "wait" => Answer::Unknown,
            _ => return None,
        };
        said.note(service, answer);
    }
    Some(said)
}

/// c15t: `c.necessary:1,c.measurement:1,i.t:1769076000000,i.sid:…,i.mpf:…`. What was refused is left out, or `0` in older
/// cookies. `i.t` is when the visitor chose, `i.mpf` the policy's fingerprint.
pub(super) fn c15t(value: &[u8], site: &Site<'_>) -> Option<Said> {
    let text = decoded(value)?;
    let mut fields = Vec::new();
    for entry in text.split(',') {
        let (key, value) = entry.split_once(':')?;
        if fields.iter().any(|(other, _)| *other == key) {
            return None;
        }
        fields.push((key, value));
    }
    let field = |name: &str| fields.iter().find(|(key, _)| *key == name).map(|(_, value)| *value);
    if site.version.is_some_and(|declared| field("i.mpf") != Some(declared)) {
        return None;
    }
    let mut said = Said::new(Answer::Refused, Some(whole(field("i.t")?)? / 1000));
    for (key, value) in &fields {
        let Some(category) = key.strip_prefix("c.") else { continue };
        let accepted = match *value {
            "1" => true,
            "0" => false,
            _ => return None,
        };
        said.note(category, Answer::of(accepted));
    }
    Some(said)
}

/// CookieYes: `consentid:…,consent:yes,action:yes,necessary:yes,analytics:no,…`. `action` is empty until the visitor acts;
/// `consent` is no where all was refused.
pub(super) fn cookie_yes(value: &[u8], _site: &Site<'_>) -> Option<Said> {
    let text = decoded(value)?;
    let mut said = Said::new(Answer::Unknown, None);
    let (mut action, mut consent) = (None, None);
    for entry in text.split(',') {
        let (key, value) = entry.split_once(':')?;
        let answer = match value {
            "yes" => Answer::Accepted,
            "no" => Answer::Refused,
            _ => Answer::Unknown,
        };
        let once = match key {
            "action" => action.replace(answer).is_none(),
            "consent" => consent.replace(answer).is_none(),
            _ => {
                said.note(key, answer);
                true
            }
        };
        if !once {
            return None;
        }
    }
    if action != Some(Answer::Accepted) {
        return None;
    }
    match consent? {
        Answer::Accepted => Some(said),
        Answer::Refused => Some(Said::new(Answer::Refused, None)),
        Answer::Unknown => None,
    }
}

/// HubSpot: `1:true,2:true,3:false`, or with `_` between the three. Written when the visitor has answered.
pub(super) fn hub_spot(value: &[u8], _site: &Site<'_>) -> Option<Said> {
    let text = decoded(value)?;
    let mut said = Said::new(Answer::Unknown, None);
    for entry in text.split([',', '_']) {
        let (category, answer) = entry.split_once(':')?;
        whole(category)?;
        said.note(category, Answer::of(truth(answer)?));
    }
    Some(said)
}

/// Complianz: a cookie for each category, `cmplz_statistics=allow`, beside `cmplz_banner-status=dismissed`, without which the
/// categories are only what holds before a choice, and `cmplz_policy_id`, the version.
pub(super) fn complianz(cookies: &Cookies<'_>, beginning: &str, site: &Site<'_>) -> Option<Said> {
    let only = |name: &str| cookies.only(format!("{beginning}{name}").as_bytes());
    if only("banner-status")? != b"dismissed" {
        return None;
    }
    if site.version.is_some_and(|declared| only("policy_id") != Some(declared.as_bytes())) {
        return None;
    }
    let mut said = Said::new(Answer::Unknown, None);
    for (name, value) in cookies.pairs() {
        let category = name.strip_prefix(beginning.as_bytes()).and_then(|name| std::str::from_utf8(name).ok());
        let answer = match value {
            b"allow" => Answer::Accepted,
            b"deny" => Answer::Refused,
            _ => Answer::Unknown,
        };
        if let Some(category) = category {
            said.note(category, answer);
        }
    }
    Some(said)
}

/// A whole number in decimal digits and nothing else.
pub(super) fn whole(text: &str) -> Option<u64> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}

/// `true` or `false`.
pub(super) fn truth(text: &str) -> Option<bool> {
    match text {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    }
}
