//! What is kept of a URL: path, allowed query keys, a referrer's host and path, campaign parameters. Never a fragment, never
//! who logs in (`user:password@`), never a click id's value.

use std::borrow::Cow;

use super::click_id::ClickId;
use super::decode::{self, FORM_SPACE};
use super::find::Setting;
use super::{cut, search_term, settle};
use crate::pseudonym::RawUrl;

/// The longest path that is kept, with its query, in bytes.
const LONGEST_PATH: usize = 512;
/// The longest value of an allowed query key, in bytes.
const LONGEST_VALUE: usize = 200;
/// The longest campaign parameter, in bytes.
const LONGEST_UTM: usize = 100;
/// The longest name DNS has (RFC 1035 §2.3.4).
const LONGEST_HOST: usize = 253;

/// The path and those query parameters whose key is in `query_keys`, scrubbed, as in `/search?q=[email]`: at most 512 bytes.
/// Text is decoded, but for the characters that would make it another path or query (`?`, `#`, `&`, `+`). A parameter that
/// does not fit any more is left out.
pub fn scrub_path(url: &RawUrl, query_keys: &[String]) -> String {
    let (path, query) = split(url.open());
    let mut out = path_only(path);
    let mut mark = '?';
    for (key, value) in parameters(query) {
        let Some(key) = query_keys.iter().find(|allowed| **allowed == key) else { continue };
        let value = encoded(form_value(value, LONGEST_VALUE), b"?#&+");
        if out.len() + 1 + key.len() + 1 + value.len() <= LONGEST_PATH {
            out.push(mark);
            out.push_str(key);
            out.push('=');
            out.push_str(&value);
            mark = '&';
        }
    }
    out
}

/// What is kept of a referrer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Referrer {
    /// In small letters, without port, at most 253 bytes; an address in place of a name is `[address]`.
    pub host: String,
    /// Scrubbed, without its query, at most 512 bytes.
    pub path: String,
    /// It is a page of the site itself.
    pub is_own: bool,
}

/// The referrer, where it is a web page's, an absolute `http` or `https` URL as browsers send it (Referrer Policy §8), or an
/// Android app's, whose package is then the host. Whether the page is one of the site at `own_host` is told by the hosts as they
/// are: scrubbed, one address looks like any other.
pub fn referrer(url: &RawUrl, own_host: &str) -> Option<Referrer> {
    let text = url.open().trim();
    let rest = after_scheme(text)?;
    let authority = &rest[..rest.find(['/', '\\', '?', '#']).unwrap_or(rest.len())];
    let host = authority.rsplit('@').next()?;
    Some(Referrer { host: host_name(host)?, path: path_only(split(text).0), is_own: is_same_site(host, own_host) })
}

/// Where an outbound link, a download or a sub-resource that failed leads: host and scrubbed path as in a [`Referrer`], at most 253 and 512
/// bytes, never a query. Nothing for what is no web page's address (`tel:`, `mailto:`, `blob:`, a relative link).
pub fn target(url: &RawUrl) -> Option<(String, String)> {
    referrer(url, "").map(|page| (page.host, page.path))
}

/// What a browser names the scripts of its extensions by; which extensions somebody has tells much of them.
const EXTENSIONS: [&str; 4] = ["chrome-extension:", "moz-extension:", "safari-extension:", "safari-web-extension:"];

/// Where a script error comes from: like [`target`], without the `:LINE:COLUMN` that a stack adds. An extension of the browser is
/// `[extension]` and has no path.
pub fn script_source(url: &RawUrl) -> Option<(String, String)> {
    let text = url.open().trim();
    let begins_with = |scheme: &str| text.get(..scheme.len()).is_some_and(|head| head.eq_ignore_ascii_case(scheme));
    if EXTENSIONS.iter().any(|scheme| begins_with(scheme)) {
        return Some(("[extension]".to_owned(), String::new()));
    }
    let (host, mut path) = target(url)?;
    for _ in 0..2 {
        let end = path.trim_end_matches(|c: char| c.is_ascii_digit()).len();
        if end < path.len() && path[..end].ends_with(':') {
            path.truncate(end - 1);
        }
    }
    if path.is_empty() {
        path.push('/');
    }
    Some((host, path))
}

/// Whether two hosts are one site: without their ports, and with or without `www.`.
fn is_same_site(one: &str, other: &str) -> bool {
    fn name(host: &str) -> &str {
        let host = match host.find(']') {
            Some(end) => &host[..=end],
            None => host.split(':').next().unwrap_or_default(),
        };
        let host = host.strip_suffix('.').unwrap_or(host);
        match host.get(..4) {
            Some(www) if www.eq_ignore_ascii_case("www.") => &host[4..],
            _ => host,
        }
    }
    let one = name(one);
    !one.is_empty() && one.eq_ignore_ascii_case(name(other))
}

/// The name a site was asked for by, as it is kept, without its port: a visitor may write what they like there, so it is held to
/// the same as a referrer's: at most 253 bytes. Empty where it is no name.
pub fn host(name: &str) -> String {
    host_name(name).unwrap_or_default()
}

fn host_name(host: &str) -> Option<String> {
    if host.starts_with('[') {
        return Some("[address]".to_owned());
    }
    let host = host.split(':').next()?;
    let host = host.strip_suffix('.').unwrap_or(host);
    let is_name = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
    if host.is_empty() || host.len() > LONGEST_HOST || !host.bytes().all(is_name) {
        return None;
    }
    // WHATWG URL: a host whose last label is a number is an IPv4 address, in whatever notation.
    let last = host.rsplit('.').next()?;
    if last.bytes().all(|b| b.is_ascii_digit()) || last.starts_with("0x") {
        return Some("[address]".to_owned());
    }
    Some(settle(host.to_ascii_lowercase().into(), Setting::Host, LONGEST_HOST))
}

/// What a URL says of the campaign that brought the visitor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Campaign {
    /// `utm_source`, `utm_medium`, `utm_campaign`, `utm_term`, `utm_content`, in this order; scrubbed, at most 100 bytes each.
    pub utm: [String; 5],
    /// Whose mark the link bears; the value is not kept.
    pub click_id: Option<ClickId>,
}

const UTM_KEYS: [&str; 5] = ["utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content"];

/// The campaign parameters of a URL; of a repeated one, the first that is not empty, and of several networks' marks the one
/// that says most ([`Mark`](super::Mark)).
pub fn utm(url: &RawUrl) -> Campaign {
    let mut campaign = Campaign::default();
    for (key, value) in parameters(split(url.open()).1).filter(|(_, value)| !value.is_empty()) {
        if let Some(i) = UTM_KEYS.iter().position(|k| key.eq_ignore_ascii_case(k)) {
            if campaign.utm[i].is_empty() {
                campaign.utm[i] = trimmed(form_value(value, LONGEST_UTM));
            }
        } else if let Some(id) = ClickId::of_key(&key)
            && campaign.click_id.is_none_or(|before| id.mark() < before.mark())
        {
            campaign.click_id = Some(id);
        }
    }
    campaign
}

/// What was searched for: the value of the first of `keys` that has one, as [`search_term`](super::search_term) leaves it.
pub fn searched(url: &RawUrl, keys: &[String]) -> String {
    if keys.is_empty() {
        return String::new();
    }
    let asked = parameters(split(url.open()).1).find(|(key, value)| !value.is_empty() && keys.iter().any(|k| k == key));
    asked.map(|(_, value)| search_term(&form_value(value, LONGEST_VALUE))).unwrap_or_default()
}

/// Path and query, without scheme, host and fragment.
pub(super) fn split(url: &str) -> (&str, &str) {
    let url = url.split('#').next().unwrap_or_default();
    let target = match after_scheme(url) {
        Some(rest) => &rest[rest.find(['/', '\\', '?']).unwrap_or(rest.len())..],
        None => url,
    };
    target.split_once('?').unwrap_or((target, ""))
}

/// Chrome names the app a link was in, as in `android-app://com.google.android.gm/`.
const SCHEMES: [&str; 3] = ["http://", "https://", "android-app://"];

fn after_scheme(url: &str) -> Option<&str> {
    SCHEMES.iter().find_map(|scheme| {
        let head = url.get(..scheme.len())?;
        head.eq_ignore_ascii_case(scheme).then(|| &url[scheme.len()..])
    })
}

fn parameters(query: &str) -> impl Iterator<Item = (Cow<'_, str>, &str)> {
    query.split('&').filter(|p| !p.is_empty()).map(|parameter| {
        let (key, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        (decode::form(cut(key, LONGEST_VALUE)), value)
    })
}

/// A path decoded and scrubbed, at most 512 bytes. It begins with a slash (or the backslash that browsers take for one), or what is left of
/// another text could read as a URL with a host.
pub(super) fn path_only(path: &str) -> String {
    let decoded = decode::plain(path);
    let decoded = if decoded.starts_with(['/', '\\']) { decoded } else { Cow::Owned(format!("/{decoded}")) };
    let mut room = LONGEST_PATH;
    loop {
        let path = encoded(settle(decoded.clone(), Setting::Path, room), b"?#");
        if path.len() <= LONGEST_PATH {
            return path;
        }
        room -= (path.len() - LONGEST_PATH).div_ceil(3);
    }
}

fn form_value(value: &str, max_len: usize) -> String {
    let mut text = settle(decode::form(value), Setting::Text, max_len);
    if text.as_bytes().contains(&FORM_SPACE) {
        text = text.replace(FORM_SPACE as char, " ");
    }
    text
}

/// Without the spaces around it; a text without any is not copied.
fn trimmed(text: String) -> String {
    let len = text.trim().len();
    if len == text.len() { text } else { text.trim().to_owned() }
}

/// Percent-encodes the characters in `reserved`, which are ASCII.
fn encoded(text: String, reserved: &[u8]) -> String {
    if !text.bytes().any(|b| reserved.contains(&b)) {
        return text;
    }
    let mut out = String::with_capacity(text.len() + 8);
    let mut copied = 0;
    for (at, b) in text.bytes().enumerate().filter(|(_, b)| reserved.contains(b)) {
        out.push_str(&text[copied..at]);
        out.push_str(&format!("%{b:02X}"));
        copied = at + 1;
    }
    out.push_str(&text[copied..]);
    out
}
