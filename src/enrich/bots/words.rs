//! The words by which programs, and engines of browsers, are known. Capitals are as small letters.

use std::sync::LazyLock;

use crate::enrich::marks::Marks;

/// What an agent begins with that is an HTTP library or a command-line tool.
const BEGINNINGS: [&str; 57] = [
    "ab/",
    "aiohttp",
    "akka-http",
    "apache-httpclient",
    "apachebench",
    "aria2",
    "asynchttpclient",
    "axios",
    "cfnetwork",
    "curl",
    "dart",
    "deno/",
    "electron-fetch",
    "fasthttp",
    "faraday",
    "feedparser",
    "go-http",
    "go-resty",
    "got",
    "grpc-",
    "guzzle",
    "hackney",
    "hey/",
    "http.rb",
    "http_request",
    "http-client",
    "httpclient",
    "httpie",
    "httpunit",
    "httpx",
    "insomnia",
    "jakarta",
    "java/",
    "java-",
    "jersey",
    "k6/",
    "lua-resty",
    "libwww",
    "lwp",
    "mechanize",
    "node",
    "okhttp",
    "perl",
    "php",
    "postman",
    "powershell",
    "python",
    "reqwest",
    "rest-client",
    "ruby",
    "scrapy",
    "siege",
    "typhoeus",
    "undici",
    "urlgrabber",
    "wget",
    "wordpress",
];

/// Browsers without a screen, and what drives browsers.
pub static HEADLESS: LazyLock<Marks> = LazyLock::new(|| {
    Marks::new(["headless", "phantomjs", "slimerjs", "puppeteer", "playwright", "selenium", "webdriver", "cypress/"])
});

/// What an agent has in it that no person's browser has.
pub static CRAWLER: LazyLock<Marks> = LazyLock::new(|| {
    Marks::new([
        "+http",
        "http://",
        "https://",
        " www.",
        "(www.",
        "mailto:",
        "crawl",
        "spider/",
        "spider+",
        "spider-",
        "webspider",
        "slurp",
        "scrape",
        "scanner",
        "archiver",
        "lighthouse",
        "pagespeed",
        "ptst/",
        "gtmetrix",
        "pingdom",
        "uptime",
        "statuscake",
        "site24x7",
        "datadog",
        "newrelic",
        "checkly",
        "monitor",
        "nagios",
        "zabbix",
        "facebookexternalhit",
        "facebookcatalog",
        "whatsapp/",
        "telegram",
        "skypeuripreview",
        "slack-",
        "embedly",
        "preview",
        "validator",
        "feedfetcher",
        "feedly",
        "feedburner",
        "rssreader",
        "rss-reader",
        "mediapartners",
        "google-",
        "googleother",
        "google web preview",
        "apis-google",
        "chatgpt-user",
        "claude-",
        "perplexity",
        "anthropic",
        "cohere-",
        "bytespider",
        "censys",
        "nmap",
        "masscan",
        "zgrab",
        "nikto",
        "sqlmap",
        "linkcheck",
        "linkchk",
        "checker",
        "scanning",
        "contentscan",
        "cookiehub",
        "siteimprove",
        "googleimageproxy",
        "googleagent",
        "silktide",
        "hardenize",
        "thousandeyes",
        "ghost inspector",
        "optimizer",
        "rss-parser",
        "rss reader",
        "page speed",
        "search console",
        "duplexweb",
        "googleadsense",
        "cloudflarediagnostics",
        "cloudflareobservatory",
        "taginspector",
        "pageburst",
        "functionize",
        "assetnote",
        "networkmeasurement",
        "emailproxy",
    ])
});

/// Engines, and systems that have but one browser: where one of these is named, a browser may be at work whose name is not
/// known here.
pub static ENGINES: LazyLock<Marks> = LazyLock::new(|| {
    Marks::new([
        "applewebkit",
        "khtml",
        "gecko/",
        "trident/",
        "presto/",
        "msie ",
        "netfront",
        "mozilla/5.0 (linux; ",
        "(playstation",
        "midp",
        "hbbtv",
        "smart-tv",
        "smarttv",
        "; u; android ",
        "iphone1",
        "iphone6",
        "iphone7",
        "iphone8",
        "iphonese",
        "iphonex",
        "ipodtouch",
        "maple",
    ])
});

/// Whether the agent begins as a program's does.
pub fn begins_as_a_program(agent: &str) -> bool {
    let agent = agent.as_bytes();
    BEGINNINGS
        .iter()
        .any(|name| agent.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name.as_bytes())))
}

/// `bot` at the end of a word, as in `Googlebot/2.1`. CUBOT makes telephones, and so do those who write `M bot 60` and `XBot
/// Junior`: on Android it says nothing unless a version follows.
pub fn says_bot(agent: &str) -> bool {
    let bytes = agent.as_bytes();
    let is_android = || agent.contains("Android") || agent.contains("android");
    memchr::memchr2_iter(b'b', b'B', bytes).any(|at| {
        let (before, rest) = bytes.split_at(at);
        let Some(true) = rest.get(..3).map(|word| word.eq_ignore_ascii_case(b"bot")) else { return false };
        let after = rest.get(3).copied().unwrap_or(b'/');
        let is_cubot = before.len() >= 2 && before[at - 2..].eq_ignore_ascii_case(b"cu");
        let is_model = matches!(after, b' ' | b'_' | b';' | b')') && is_android();
        !after.is_ascii_alphanumeric() && !is_cubot && !is_model
    })
}
