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
        ("", "taboola", "ppc", None, "Taboola", "paid other"),
        ("", "Taboola", "", None, "Taboola", "display"),
        ("", "facebook", "cpm", None, "Facebook", "paid social"),
        ("", "times", "cpm", None, "times", "display"),
        ("", "acme", "google-cpc", None, "acme", "paid other"),
        ("", "Google Ads", "google_cpc", None, "Google", "paid search"),
        ("", "google_ads", "", None, "Google", "organic search"),
        ("", "Email", "", None, "Email", "email"),
        ("", "awin", "", None, "Awin", "affiliates"),
        ("", "vimeo", "video", None, "Vimeo", "organic social"),
        ("", "acme", "link", None, "acme", "referral"),
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
fn marks_of_links_say_how_the_visitor_came() {
    use ClickId::*;
    for (id, source, channel) in [
        (Google, "Google", "paid search"),
        (Baidu, "Baidu", "paid search"),
        (Quora, "Quora", "paid social"),
        (Vk, "VK", "paid social"),
        (Taboola, "Taboola", "paid other"),
        (GoogleDisplay, "Google Display", "display"),
        (Awin, "Awin", "affiliates"),
        (Impact, "Impact", "affiliates"),
        (Tapfiliate, "Tapfiliate", "affiliates"),
        (Instagram, "Instagram", "organic social"),
        (Mailchimp, "Mailchimp", "email"),
        (HubSpot, "HubSpot", "email"),
        (GoogleShopping, "Google Shopping", "organic search"),
        (YandexSearch, "Yandex", "organic search"),
    ] {
        assert_eq!(by("", "", "", Some(id)), (source.to_owned(), channel), "{id:?}");
    }
    assert_eq!(by("", "spring", "cpc", Some(Awin)).1, "affiliates");
    assert_eq!(by("www.google.com", "", "", Some(Mailchimp)), ("Mailchimp".to_owned(), "email"));
}

#[test]
fn apps_of_android_are_the_sources_they_belong_to() {
    for (package, source, channel) in [
        ("com.google.android.gm", "Gmail", "email"),
        ("com.google.android.googlequicksearchbox", "Google", "organic search"),
        ("com.linkedin.android", "LinkedIn", "organic social"),
        ("com.reddit.frontpage", "Reddit", "organic social"),
        ("org.telegram.messenger", "Telegram", "organic social"),
        ("com.Slack", "Slack", "organic social"),
        ("com.openai.chatgpt", "ChatGPT", "ai assistants"),
        ("uk.co.example.app", "uk.co.example.app", "referral"),
    ] {
        assert_eq!(from(package), (source.to_owned(), channel), "{package}");
    }
}

#[test]
fn the_longest_host_that_fits_decides() {
    for (host, source) in [
        ("mail.google.com", "Gmail"),
        ("eu.mail.google.com", "Gmail"),
        ("maps.google.co.uk", "Google Maps"),
        ("news.google.de", "Google News"),
        ("translate.google.com", "Google Translate"),
        ("groups.google.com", "Google Groups"),
        ("encrypted.google.fr", "Google"),
        ("mail.yahoo.co.jp", "Yahoo Mail"),
        ("fr.search.yahoo.com", "Yahoo"),
        ("blog.naver.com", "Naver Blog"),
        ("search.naver.com", "Naver"),
        ("alice.yandex.ru", "Alice AI"),
        ("yiyan.baidu.com", "Ernie Bot"),
        ("duck.ai", "DuckDuckGo AI"),
    ] {
        assert_eq!(from(host).0, source, "{host}");
    }
}

proptest! {
    #[test]
    fn a_channel_is_always_one_of_the_words(
        referrer in "([a-z]{0,6}[.]){0,3}(google|com|co|uk|t|x|é)?[.]{0,2}", is_own: bool,
        source in "[ -~é]{0,12}|google|awin", medium in "[ -~é]{0,12}|cpc|email|organic"
    ) {
        let channel = Channel::classify(&referrer, is_own, &source, &medium, None);
        prop_assert!(CHANNELS.contains(&channel.channel));
        prop_assert!(channel.source.len() <= 100);
    }
}
