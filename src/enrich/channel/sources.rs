//! The table of known sources. To add one, add a row; a more special host stands before the more general one.

/// What a source is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A search engine.
    Search,
    /// A social network, a forum, or a place for videos.
    Social,
    /// An AI assistant.
    Assistant,
    /// E-mail read in the browser.
    Webmail,
    /// Known by name, and nothing of these.
    Site,
}

/// One row.
pub struct Source {
    /// As reports show it.
    pub name: &'static str,
    /// What it is.
    pub kind: Kind,
    /// Its hosts; `NAME.*` under any country's ending.
    pub hosts: &'static [&'static str],
    /// How campaigns abbreviate it in `utm_source`, besides its name and hosts; in small letters.
    pub aliases: &'static [&'static str],
}

const fn row(
    name: &'static str,
    kind: Kind,
    hosts: &'static [&'static str],
    aliases: &'static [&'static str],
) -> Source {
    Source { name, kind, hosts, aliases }
}

use Kind::{Assistant, Search, Site, Social, Webmail};

/// First match wins.
pub const SOURCES: &[Source] = &[
    // Parts of a search engine's site that are something else.
    row("Gmail", Webmail, &["mail.google.com", "inbox.google.com"], &[]),
    row("Gemini", Assistant, &["gemini.google.com", "bard.google.com"], &[]),
    row("NotebookLM", Assistant, &["notebooklm.google.com", "notebooklm.google"], &[]),
    row(
        "Google Workspace",
        Site,
        &[
            "docs.google.com",
            "drive.google.com",
            "sites.google.com",
            "meet.google.com",
            "calendar.google.com",
            "classroom.google.com",
            "chat.google.com",
            "groups.google.com",
            "accounts.google.com",
        ],
        &[],
    ),
    row("Yahoo Mail", Webmail, &["mail.yahoo.com", "mail.yahoo.co.jp"], &[]),
    row("Yandex Mail", Webmail, &["mail.yandex.ru", "mail.yandex.com"], &[]),
    row(
        "Copilot",
        Assistant,
        &["copilot.microsoft.com", "copilot.cloud.microsoft", "copilot.com"],
        &["copilot.microsoft"],
    ),
    // Search engines
    row("Google", Search, &["google.*", "googleadservices.com"], &["googleads", "google-ads", "google_ads", "adwords"]),
    row("Bing", Search, &["bing.com"], &["bingads", "bing_ads", "microsoft", "msn"]),
    row("DuckDuckGo", Search, &["duckduckgo.com", "ddg.gg"], &["ddg"]),
    row("Ecosia", Search, &["ecosia.org"], &[]),
    row("Yahoo", Search, &["search.yahoo.com", "search.yahoo.co.jp", "yahoo.*"], &[]),
    row("Baidu", Search, &["baidu.com"], &[]),
    row("Yandex", Search, &["yandex.*", "ya.ru"], &[]),
    row("Brave Search", Search, &["search.brave.com"], &["brave"]),
    row("Qwant", Search, &["qwant.com"], &[]),
    row("Startpage", Search, &["startpage.com"], &[]),
    row("Kagi", Search, &["kagi.com"], &[]),
    row("Mojeek", Search, &["mojeek.com"], &[]),
    row("Naver", Search, &["naver.com"], &[]),
    row("Daum", Search, &["daum.net"], &[]),
    row("Seznam", Search, &["search.seznam.cz", "seznam.cz"], &[]),
    row("Sogou", Search, &["sogou.com"], &[]),
    row("AOL", Search, &["search.aol.com", "search.aol.co.uk"], &[]),
    row("Ask", Search, &["ask.com"], &[]),
    row("Swisscows", Search, &["swisscows.com"], &[]),
    row("MetaGer", Search, &["metager.org", "metager.de"], &[]),
    row("Presearch", Search, &["presearch.com"], &[]),
    row("Dogpile", Search, &["dogpile.com"], &[]),
    // AI assistants
    row("ChatGPT", Assistant, &["chatgpt.com", "chat.openai.com"], &["openai"]),
    row("Perplexity", Assistant, &["perplexity.ai"], &[]),
    row("Claude", Assistant, &["claude.ai"], &[]),
    row("DeepSeek", Assistant, &["chat.deepseek.com", "deepseek.com"], &[]),
    row("Grok", Assistant, &["grok.com"], &[]),
    row("Meta AI", Assistant, &["meta.ai"], &[]),
    row("Mistral", Assistant, &["chat.mistral.ai"], &[]),
    row("You.com", Assistant, &["you.com"], &[]),
    row("Phind", Assistant, &["phind.com"], &[]),
    row("Poe", Assistant, &["poe.com"], &[]),
    // Social networks, forums and videos
    row("Instagram", Social, &["instagram.com"], &["ig"]),
    row("Threads", Social, &["threads.net", "threads.com"], &[]),
    row("Messenger", Social, &["messenger.com", "m.me"], &[]),
    row("WhatsApp", Social, &["whatsapp.com", "wa.me"], &[]),
    row("Facebook", Social, &["facebook.com", "fb.com", "fb.me"], &["fb", "meta", "facebook-ads", "facebook_ads"]),
    row("X", Social, &["t.co", "x.com", "twitter.com"], &["twitter", "tw"]),
    row("LinkedIn", Social, &["linkedin.com", "lnkd.in"], &["li"]),
    row("Reddit", Social, &["reddit.com", "redd.it"], &[]),
    row("Pinterest", Social, &["pinterest.*", "pin.it"], &[]),
    row("TikTok", Social, &["tiktok.com"], &["tik-tok"]),
    row("YouTube", Social, &["youtube.com", "youtu.be", "youtube-nocookie.com"], &["yt"]),
    row("Bluesky", Social, &["bsky.app", "go.bsky.app", "bsky.social"], &["bsky"]),
    row("Mastodon", Social, &["mastodon.social", "mastodon.online", "mstdn.social", "mas.to", "fosstodon.org"], &[]),
    row("Snapchat", Social, &["snapchat.com"], &["snap"]),
    row("Telegram", Social, &["telegram.org", "telegram.me", "t.me"], &[]),
    row("Discord", Social, &["discord.com", "discordapp.com", "discord.gg"], &[]),
    row("Slack", Social, &["slack.com"], &[]),
    row("Microsoft Teams", Social, &["teams.microsoft.com", "teams.cloud.microsoft"], &["teams"]),
    row("Hacker News", Social, &["news.ycombinator.com"], &["hackernews", "hn"]),
    row("Quora", Social, &["quora.com"], &[]),
    row("Tumblr", Social, &["tumblr.com"], &[]),
    row("Vimeo", Social, &["vimeo.com"], &[]),
    row("Twitch", Social, &["twitch.tv"], &[]),
    row("VK", Social, &["vk.com", "vk.ru"], &[]),
    row("Odnoklassniki", Social, &["ok.ru"], &[]),
    row("Weibo", Social, &["weibo.com", "weibo.cn"], &[]),
    row("XING", Social, &["xing.com"], &[]),
    row("Nextdoor", Social, &["nextdoor.*"], &[]),
    row("Mumsnet", Social, &["mumsnet.com"], &[]),
    // Webmail
    row(
        "Outlook",
        Webmail,
        &[
            "outlook.live.com",
            "outlook.office.com",
            "outlook.office365.com",
            "outlook.com",
            "hotmail.com",
            "outlook.cloud.microsoft",
        ],
        &[],
    ),
    row("Proton Mail", Webmail, &["mail.proton.me", "mail.protonmail.com"], &[]),
    row("iCloud Mail", Webmail, &["mail.icloud.com"], &[]),
    row("AOL Mail", Webmail, &["mail.aol.com"], &[]),
    row("Fastmail", Webmail, &["fastmail.com"], &[]),
    row("Zoho Mail", Webmail, &["mail.zoho.com", "mail.zoho.eu"], &[]),
    row("GMX", Webmail, &["gmx.net", "gmx.com", "gmx.co.uk"], &[]),
    row("NHSmail", Webmail, &["email.nhs.net"], &[]),
];
