//! Where a visit came from.
//!
//! The first rule that fits decides. The source is the campaign's `utm_source` where it has one, otherwise the network of a
//! click id, otherwise the referring host; its *kind* is what the table in `sources` says of it.
//!
//! | # | when | channel |
//! |---|---|---|
//! | 1 | the referrer is this site, and no campaign is named | `internal` |
//! | 2 | `utm_medium` is one of e-mail, or the source is a webmail | `email` |
//! | 3 | `utm_medium` is `affiliate`, `affiliates` or `partner` | `affiliates` |
//! | 4 | `utm_medium` is one of display advertising | `display` |
//! | 5 | `utm_medium` is paid, or there is an advertiser's click id; the source is a search engine | `paid search` |
//! | 6 | the same; the source is a social network | `paid social` |
//! | 7 | the same; any other source | `paid other` |
//! | 8 | the source is a search engine, or `utm_medium` is `organic` | `organic search` |
//! | 9 | the source is a social network, or `utm_medium` is `social` | `organic social` |
//! | 10 | the source is an AI assistant | `ai assistants` |
//! | 11 | a campaign is named | `campaign`, or `referral` where `utm_medium` says so |
//! | 12 | there is a referrer | `referral` |
//! | 13 | nothing of this | `direct` |
//!
//! Meta adds its click id to every link, paid or not: it names the source and says nothing of payment.

mod sources;
#[cfg(test)]
mod tests;

use crate::pseudonym::scrub::ClickId;
use sources::{Kind, SOURCES, Source};

/// Source and channel of a visit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Channel {
    /// The source's name: `Google`, a campaign's `utm_source`, or the referring host; empty for none.
    pub source: String,
    /// One of a fixed set of words, such as `direct` or `organic search`.
    pub channel: &'static str,
}

/// Every word a channel can be.
pub const CHANNELS: [&str; 13] = [
    "direct",
    "internal",
    "organic search",
    "organic social",
    "ai assistants",
    "email",
    "paid search",
    "paid social",
    "paid other",
    "display",
    "affiliates",
    "campaign",
    "referral",
];

impl Channel {
    /// Classifies a visit by the host of its referrer (empty for none), whether that is the site itself, and its campaign;
    /// the texts are to be scrubbed already.
    pub fn classify(
        referrer_host: &str,
        is_own: bool,
        utm_source: &str,
        utm_medium: &str,
        click_id: Option<ClickId>,
    ) -> Channel {
        let medium = utm_medium.trim().to_ascii_lowercase();
        let campaign = utm_source.trim();
        let is_campaign = !campaign.is_empty() || !medium.is_empty() || click_id.is_some();
        let referrer = referrer_host.trim().to_ascii_lowercase();
        if is_own && !is_campaign {
            return Channel { source: String::new(), channel: "internal" };
        }
        let from_host = if is_own { "" } else { without_www(&referrer) };

        let known = if !campaign.is_empty() {
            source_named(&campaign.to_ascii_lowercase())
        } else if let Some(click_id) = click_id {
            source_named(network(click_id))
        } else {
            source_at(from_host)
        };
        let name = match known {
            Some(source) => source.name,
            None if !campaign.is_empty() => campaign,
            None => from_host,
        };
        let is_referred = !from_host.is_empty();
        let channel = by_rule(&medium, known.map(|s| s.kind), click_id, is_campaign, is_referred);
        Channel { source: name.to_owned(), channel }
    }
}

/// Rules 2 to 13.
fn by_rule(
    medium: &str,
    kind: Option<Kind>,
    click_id: Option<ClickId>,
    is_campaign: bool,
    is_referred: bool,
) -> &'static str {
    let is_paid = is_paid_medium(medium) || click_id.is_some_and(|id| id != ClickId::Meta);
    match (medium, kind) {
        ("email" | "e-mail" | "e_mail" | "e mail" | "mail" | "newsletter", _) | (_, Some(Kind::Webmail)) => "email",
        ("affiliate" | "affiliates" | "partner", _) => "affiliates",
        ("display" | "banner" | "expandable" | "interstitial" | "cpm" | "programmatic", _) => "display",
        (_, Some(Kind::Search)) if is_paid => "paid search",
        (_, Some(Kind::Social)) if is_paid => "paid social",
        _ if is_paid => "paid other",
        (_, Some(Kind::Search)) | ("organic", _) => "organic search",
        (_, Some(Kind::Social)) | ("social" | "social-media" | "social_media" | "sm", _) => "organic social",
        (_, Some(Kind::Assistant)) => "ai assistants",
        ("referral", _) => "referral",
        _ if is_campaign => "campaign",
        _ if is_referred => "referral",
        _ => "direct",
    }
}

fn is_paid_medium(medium: &str) -> bool {
    matches!(medium, "cpc" | "ppc" | "cpv" | "cpa" | "cpp" | "cpl" | "sem" | "retargeting" | "remarketing")
        || medium.starts_with("paid")
        || medium.ends_with("paid") && medium != "unpaid"
}

fn network(click_id: ClickId) -> &'static str {
    match click_id {
        ClickId::Google => "google",
        ClickId::Microsoft => "bing",
        ClickId::Yandex => "yandex",
        ClickId::Meta => "facebook",
        ClickId::TikTok => "tiktok",
        ClickId::X => "x",
        ClickId::LinkedIn => "linkedin",
        ClickId::Reddit => "reddit",
        ClickId::Pinterest => "pinterest",
        ClickId::Snapchat => "snapchat",
    }
}

fn without_www(host: &str) -> &str {
    host.strip_prefix("www.").unwrap_or(host)
}

/// What the table says of a host in small letters.
fn source_at(host: &str) -> Option<&'static Source> {
    if host.is_empty() {
        return None;
    }
    SOURCES.iter().find(|source| source.hosts.iter().any(|pattern| is_at(host, pattern)))
}

/// What the table says of a `utm_source` in small letters: a host, a name, or an abbreviation.
fn source_named(name: &str) -> Option<&'static Source> {
    let by_name = |s: &&Source| s.name.eq_ignore_ascii_case(name) || s.aliases.contains(&name);
    SOURCES.iter().find(by_name).or_else(|| source_at(without_www(name)))
}

/// Whether a host is that of the pattern or below it, label by label. `google.*` stands for Google under any country's ending.
fn is_at(host: &str, pattern: &str) -> bool {
    let below = |host: &str, name: &str| {
        host.strip_suffix(name).is_some_and(|before| before.is_empty() || before.ends_with('.'))
    };
    let Some(brand) = pattern.strip_suffix(".*") else { return below(host, pattern) };
    // The ending is one label (`com`, `de`) or two of which the second is a country's (`co.uk`, `com.au`).
    let Some((before, last)) = host.rsplit_once('.') else { return false };
    let is_country = last.len() == 2;
    if (is_country || matches!(last, "com" | "net" | "org")) && below(before, brand) {
        return true;
    }
    before.rsplit_once('.').is_some_and(|(before, second)| {
        is_country && matches!(second, "co" | "com" | "net" | "org" | "ne" | "or") && below(before, brand)
    })
}
