//! Who fetches the picture in a mail: its reader, or a server that does so for readers.

use super::{BotReason, ClientHints, Device};
use crate::pseudonym::RawUserAgent;

/// What the servers of mail providers write in their `User-Agent`: Google, Yahoo and AOL, Yandex, Mail.ru. They fetch
/// pictures for their users, some of them whether the mail is read or not.
const PROXIES: [&str; 5] = ["GoogleImageProxy", "ggpht.com", "YahooMailProxy", "YandexImageResizer", "Mail.RU_Bot"];

/// What Apple's Mail Privacy Protection sends, and nothing more.
const APPLE: &str = "Mozilla/5.0";

/// Why whoever fetches a mail's picture is no person: `mail-proxy`, a [`BotReason`]'s word, or nothing. Mail programs name no
/// browser, so that alone says nothing here.
pub fn no_reader(agent: &RawUserAgent) -> &'static str {
    let text: &str = &agent.open();
    if text.trim() == APPLE || PROXIES.iter().any(|word| text.contains(word)) {
        return "mail-proxy";
    }
    match Device::parse(agent, &ClientHints::default()).bot {
        None | Some(BotReason::UnknownBrowser) => "",
        Some(reason) => reason.word(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_providers_server_fetches_is_no_persons_opening() {
        for (agent, reason) in [
            ("Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)", "mail-proxy"),
            ("YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html", "mail-proxy"),
            ("Mozilla/5.0", "mail-proxy"),
            ("python-requests/2.32", "program"),
            ("", "no-agent"),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148",
                "",
            ),
            ("Microsoft Office/16.0 (Windows NT 10.0; Microsoft Outlook 16.0.18025; Pro)", ""),
            ("Mozilla/4.0 (compatible; ms-office; MSOffice rmj)", ""),
            ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Thunderbird/140.2", ""),
        ] {
            assert_eq!(no_reader(&RawUserAgent::new(agent.as_bytes())), reason, "{agent}");
        }
    }
}
