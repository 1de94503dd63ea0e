//! Where a visit came from.
//!
//! The first rule that fits decides. The source is the campaign's `utm_source` where it has one, otherwise whose mark the
//! link bears (a click id), otherwise the referring host or Android app; its *kind* is what `sources.txt` says of it.
//!
//! | # | when | channel |
//! |---|---|---|
//! | 1 | the referrer is this site, and no campaign is named | `internal` |
//! | 2 | `utm_medium` or `utm_source` is one of e-mail, the source is a webmail, or the link bears a mailing's mark | `email` |
//! | 3 | `utm_medium` is `affiliate`, `affiliates` or `partner`, the source is an affiliate network, or the link bears its mark | `affiliates` |
//! | 4 | `utm_medium` is paid, or the link bears an advertiser's mark; the source is a search engine, or a server of its advertisements in any case | `paid search` |
//! | 5 | as 4; the source is a social network | `paid social` |
//! | 6 | `utm_medium` is one of display advertising, or the link bears its mark | `display` |
//! | 7 | as 4; any other source | `paid other` |
//! | 8 | the source is a server of advertisements | `display` |
//! | 9 | the source is a search engine, `utm_medium` is `organic`, or the link bears the mark of an unpaid listing | `organic search` |
//! | 10 | the source is a social network, or `utm_medium` is `social` or `video` | `organic social` |
//! | 11 | the source is an AI assistant | `ai assistants` |
//! | 12 | a campaign is named | `campaign`, or `referral` where `utm_medium` says so |
//! | 13 | there is a referrer | `referral` |
//! | 14 | nothing of this | `direct` |
//!
//! Meta marks every link, paid or not: its mark names the source and says nothing of payment. `cpm` is paid where the source
//! is a search engine or a social network, and display advertising elsewhere, as Google Analytics has it.
//!
//! Deliberately unlike other products: a webmail is `email` and no search engine; shops, news, streaming services and link
//! shorteners are `referral`; videos are `organic social`; text messages and push messages are a `campaign`.
//!
//! A referrer that is advertised by sending it to sites ([`Spammers`]) counts as none, and its visit as a bot's.

mod hosts;
mod sources;
pub mod spammers;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use crate::pseudonym::scrub::{ClickId, Mark};
use sources::Kind;
pub use spammers::{Spammers, is_spam};

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
        let medium = in_small_letters(utm_medium.trim());
        let campaign = utm_source.trim();
        let is_campaign = !campaign.is_empty() || !medium.is_empty() || click_id.is_some();
        if is_own && !is_campaign {
            return Channel { source: String::new(), channel: "internal" };
        }
        let referrer = in_small_letters(referrer_host.trim());
        let from_host = if is_own { "" } else { without_www(&referrer) };

        let (name, known) = match click_id {
            _ if !campaign.is_empty() => {
                let host = || sources::at_host(without_www(&in_small_letters(campaign)));
                (campaign, sources::named(campaign).or_else(host))
            }
            Some(click_id) => (click_id.source(), sources::named(click_id.source())),
            None => (from_host, sources::at_host(from_host)),
        };
        let facts = Facts {
            medium: &medium,
            kind: known.map(|source| source.kind),
            mark: click_id.map(ClickId::mark),
            is_mail: is_mail(&in_small_letters(campaign)),
            is_campaign,
            is_referred: !from_host.is_empty(),
        };
        Channel { source: known.map_or(name, |source| source.name).to_owned(), channel: facts.channel() }
    }
}

/// What the rules look at.
struct Facts<'f> {
    medium: &'f str,
    kind: Option<Kind>,
    mark: Option<Mark>,
    /// The source calls itself e-mail.
    is_mail: bool,
    is_campaign: bool,
    is_referred: bool,
}

impl Facts<'_> {
    /// Rules 2 to 14.
    fn channel(&self) -> &'static str {
        let is_paid = self.mark == Some(Mark::Paid) || is_paid(self.medium);
        match (self.medium, self.kind, self.mark) {
            _ if self.is_mail || is_mail(self.medium) => "email",
            (_, Some(Kind::Webmail), _) | (_, _, Some(Mark::Mailing)) => "email",
            ("affiliate" | "affiliates" | "partner", _, _) => "affiliates",
            (_, Some(Kind::Affiliate), _) | (_, _, Some(Mark::Affiliate)) => "affiliates",
            (_, Some(Kind::Search), _) if is_paid => "paid search",
            (_, Some(Kind::Advert), _) => "paid search",
            (_, Some(Kind::Social), _) if is_paid => "paid social",
            ("display" | "banner" | "expandable" | "interstitial" | "cpm" | "programmatic", _, _) => "display",
            (_, _, Some(Mark::Display)) => "display",
            _ if is_paid => "paid other",
            (_, Some(Kind::Display), _) => "display",
            ("organic", _, _) | (_, Some(Kind::Search), _) | (_, _, Some(Mark::Listing)) => "organic search",
            (_, Some(Kind::Social), _) => "organic social",
            ("social" | "social-network" | "social_network" | "social network", _, _) => "organic social",
            ("social-media" | "social_media" | "social media" | "sm" | "video", _, _) => "organic social",
            (_, Some(Kind::Assistant), _) => "ai assistants",
            ("referral" | "link" | "app", _, _) => "referral",
            _ if self.is_campaign => "campaign",
            _ if self.is_referred => "referral",
            _ => "direct",
        }
    }
}

fn is_mail(word: &str) -> bool {
    matches!(word, "email" | "e-mail" | "e_mail" | "e mail" | "mail" | "newsletter")
}

/// Whether one of the medium's words is a way to pay, as in `cpc`, `paid_social` or `google-cpc`.
fn is_paid(medium: &str) -> bool {
    medium.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| {
        matches!(word, "cpc" | "cpm" | "ppc" | "cpv" | "cpa" | "cpp" | "cpl" | "cpi" | "cpe" | "sem")
            || matches!(word, "retargeting" | "remarketing")
            || word.starts_with("paid")
            || word.ends_with("paid") && word != "unpaid"
    })
}

fn without_www(host: &str) -> &str {
    host.strip_prefix("www.").unwrap_or(host)
}

fn in_small_letters(text: &str) -> Cow<'_, str> {
    match text.bytes().any(|b| b.is_ascii_uppercase()) {
        true => text.to_ascii_lowercase().into(),
        false => text.into(),
    }
}
