use proptest::prelude::*;

use super::*;

fn from(referrer: &str) -> (String, &'static str) {
    by(referrer, "", "", None)
}

fn by(referrer: &str, source: &str, medium: &str, click_id: Option<ClickId>) -> (String, &'static str) {
    let is_own = matches!(referrer, "www.example.com" | "example.com");
    let channel = Channel::classify(referrer, is_own, source, medium, click_id);
    (channel.source, channel.channel)
}

#[test]
fn referrers_are_told_by_their_host() {
    for (host, source, channel) in [
        ("", "", "direct"),
        ("www.example.com", "", "internal"),
        ("example.com", "", "internal"),
        ("shop.example.com", "shop.example.com", "referral"),
        ("www.google.com", "Google", "organic search"),
        ("google.co.uk", "Google", "organic search"),
        ("www.google.com.au", "Google", "organic search"),
        ("www.google.de", "Google", "organic search"),
        ("WWW.BING.COM", "Bing", "organic search"),
        ("duckduckgo.com", "DuckDuckGo", "organic search"),
        ("www.ecosia.org", "Ecosia", "organic search"),
        ("uk.search.yahoo.com", "Yahoo", "organic search"),
        ("www.baidu.com", "Baidu", "organic search"),
        ("yandex.ru", "Yandex", "organic search"),
        ("search.brave.com", "Brave Search", "organic search"),
        ("brave.com", "brave.com", "referral"),
        ("www.qwant.com", "Qwant", "organic search"),
        ("www.startpage.com", "Startpage", "organic search"),
        ("l.facebook.com", "Facebook", "organic social"),
        ("l.instagram.com", "Instagram", "organic social"),
        ("t.co", "X", "organic social"),
        ("out.reddit.com", "Reddit", "organic social"),
        ("lnkd.in", "LinkedIn", "organic social"),
        ("www.pinterest.co.uk", "Pinterest", "organic social"),
        ("m.youtube.com", "YouTube", "organic social"),
        ("go.bsky.app", "Bluesky", "organic social"),
        ("mastodon.social", "Mastodon", "organic social"),
        ("www.threads.net", "Threads", "organic social"),
        ("mail.google.com", "Gmail", "email"),
        ("outlook.live.com", "Outlook", "email"),
        ("chatgpt.com", "ChatGPT", "ai assistants"),
        ("chat.openai.com", "ChatGPT", "ai assistants"),
        ("www.perplexity.ai", "Perplexity", "ai assistants"),
        ("gemini.google.com", "Gemini", "ai assistants"),
        ("copilot.microsoft.com", "Copilot", "ai assistants"),
        ("claude.ai", "Claude", "ai assistants"),
        ("docs.google.com", "Google Workspace", "referral"),
        ("www.nhs.uk", "nhs.uk", "referral"),
        ("[address]", "[address]", "referral"),
    ] {
        assert_eq!(from(host), (source.to_owned(), channel), "{host}");
    }
}

#[test]
fn a_name_inside_another_is_not_that_name() {
    for host in [
        "evilgoogle.com",
        "google.evil.com",
        "google.com.evil.net",
        "google.example",
        "notbing.com",
        "bing.com.evil.io",
        "xt.co",
        "fedex.com",
        "netflix.com",
        "claude.ai.phish.app",
        "mygoogle.co.uk",
        "google.evil.co.uk",
    ] {
        assert_eq!(from(host), (host.to_owned(), "referral"));
    }
}

#[test]
fn campaigns_and_click_ids_go_before_the_referrer() {
    use ClickId::*;
    for (referrer, utm_source, medium, click_id, source, channel) in [
        ("", "newsletter", "email", None, "newsletter", "email"),
        ("www.google.com", "May-Mailing", "E-Mail", None, "May-Mailing", "email"),
        ("www.google.com", "google", "cpc", None, "Google", "paid search"),
        ("", "", "", Some(Google), "Google", "paid search"),
        ("", "", "", Some(Microsoft), "Bing", "paid search"),
        ("", "", "", Some(TikTok), "TikTok", "paid social"),
        ("l.facebook.com", "", "", Some(Meta), "Facebook", "organic social"),
        ("", "", "", Some(Meta), "Facebook", "organic social"),
        ("", "fb", "paid_social", Some(Meta), "Facebook", "paid social"),
        ("", "ig", "social", None, "Instagram", "organic social"),
        ("", "linkedin.com", "", None, "LinkedIn", "organic social"),
        ("", "chatgpt.com", "", None, "ChatGPT", "ai assistants"),
        ("", "", "organic", None, "", "organic search"),
        ("", "taboola", "ppc", None, "taboola", "paid other"),
        ("", "times", "banner", None, "times", "display"),
        ("", "acme", "affiliate", None, "acme", "affiliates"),
        ("", "leaflet", "qr", None, "leaflet", "campaign"),
        ("partner.org", "", "referral", None, "partner.org", "referral"),
        ("www.example.com", "leaflet", "qr", None, "leaflet", "campaign"),
        ("example.com", "", "", Some(Google), "Google", "paid search"),
        ("", "unknown", "unpaid", None, "unknown", "campaign"),
    ] {
        let got = by(referrer, utm_source, medium, click_id);
        assert_eq!(got, (source.to_owned(), channel), "{referrer} {utm_source} {medium} {click_id:?}");
    }
}

#[test]
fn every_advertisers_network_is_in_the_table() {
    use ClickId::*;
    for click_id in [Google, Microsoft, Yandex, Meta, TikTok, X, LinkedIn, Reddit, Pinterest, Snapchat] {
        assert!(source_named(network(click_id)).is_some(), "{click_id:?}");
    }
}

#[test]
fn no_row_of_the_table_is_hidden_by_an_earlier_one() {
    for row in SOURCES {
        for host in row.hosts {
            let host = host.replace(".*", ".com");
            assert_eq!(source_at(&host).map(|s| s.name), Some(row.name), "{host}");
        }
    }
}

proptest! {
    #[test]
    fn a_channel_is_always_one_of_the_words(
        referrer in "([a-z]{0,6}[.]){0,3}(google|com|co|uk|t|x)?", is_own: bool,
        source in "[ -~]{0,12}", medium in "[ -~]{0,12}|cpc|email"
    ) {
        let channel = Channel::classify(&referrer, is_own, &source, &medium, None);
        prop_assert!(CHANNELS.contains(&channel.channel));
        prop_assert!(channel.source.len() <= 100);
    }
}
