//! Whether a program asks rather than a person, and how that is known.
//!
//! The first rule that fits decides; its word is what is stored. People have no word.
//!
//! | # | what shows it | `bot_reason` |
//! |---|---|---|
//! | 1 | the agent is absent or shorter than four characters | `no-agent` |
//! | 2 | agent or client hints name a browser without a screen, or one that a program drives | `headless` |
//! | 3 | the agent begins with the name of an HTTP library or a command-line tool | `program` |
//! | 4 | the agent is a crawler's: by woothee, by `crawler-user-agents`, or by a word no person's browser has | `crawler` |
//! | 5 | the agent names no browser, and no engine that one could be built on | `unknown-browser` |
//! | 6 | the address is in one of the configured ranges | `network` |
//! | 7 | the request has two or more of the signs in [`Headers`], and came from the client itself | `headers` |
//!
//! Rules 1 to 5 look at the agent and are remembered with the device; 6 and 7 are of the request. All of them are of the kind
//! that a browser in a person's hands does not meet; programs that take the trouble to look like one are not found.

mod crawlers;
mod headers;
mod networks;
mod words;

#[cfg(test)]
mod tests;

pub use headers::Headers;
pub use networks::BotNetworks;

use super::device::Device;

/// How it is known that a program asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BotReason {
    /// It does not say what it is.
    NoAgent,
    /// A browser without a screen, or driven by a program.
    Headless,
    /// An HTTP library or a command-line tool.
    Program,
    /// A crawler, a monitor, a scanner, a fetcher of previews or feeds.
    Crawler,
    /// Neither a browser nor an engine is named.
    UnknownBrowser,
    /// The address belongs to a range of programs.
    Network,
    /// The headers are not those that the browser it names would send.
    Headers,
}

impl BotReason {
    /// Every reason, in the order of the rules.
    pub const ALL: [BotReason; 7] = [
        BotReason::NoAgent,
        BotReason::Headless,
        BotReason::Program,
        BotReason::Crawler,
        BotReason::UnknownBrowser,
        BotReason::Network,
        BotReason::Headers,
    ];

    /// The value of the column `bot_reason`; for a person that is the empty text.
    pub fn word(self) -> &'static str {
        match self {
            BotReason::NoAgent => "no-agent",
            BotReason::Headless => "headless",
            BotReason::Program => "program",
            BotReason::Crawler => "crawler",
            BotReason::UnknownBrowser => "unknown-browser",
            BotReason::Network => "network",
            BotReason::Headers => "headers",
        }
    }
}

/// The decision on one request: all rules of the table, of which the device has been asked already.
pub fn decide(device: &Device, is_in_network: bool, headers: &Headers) -> Option<BotReason> {
    if device.bot.is_some() {
        return device.bot;
    }
    if is_in_network {
        return Some(BotReason::Network);
    }
    headers.are_a_programs(device).then_some(BotReason::Headers)
}

/// Rules 1 to 5, for an agent, what woothee makes of it, and the browser it was found to name.
pub(super) fn of_agent(agent: &str, woothee: (&str, &str), browser: &str) -> Option<BotReason> {
    let (category, name) = woothee;
    let agent = agent.trim();
    if agent.len() < 4 {
        Some(BotReason::NoAgent)
    } else if browser == "HeadlessChrome" || words::HEADLESS.any(agent) {
        Some(BotReason::Headless)
    } else if name == "HTTP Library" || words::begins_as_a_program(agent) {
        Some(BotReason::Program)
    } else if category == "crawler" || words::CRAWLER.any(agent) || words::says_bot(agent) || crawlers::is_known(agent)
    {
        Some(BotReason::Crawler)
    } else if browser.is_empty() && !words::ENGINES.any(agent) {
        Some(BotReason::UnknownBrowser)
    } else {
        None
    }
}
