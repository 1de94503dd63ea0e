//! Every key there is: its default and why it is there. Defaults, the environment's variables, the list of what is allowed
//! and the words of `consentry check` all come from this table.

use super::{route, upstream};

/// A section of the file.
pub(super) struct Section {
    /// Its name; empty for what stands before the first header.
    pub name: &'static str,
    /// Whether it may be repeated, written `[[name]]`.
    pub list: bool,
    /// Its keys.
    pub keys: &'static [Key],
}

/// A key within a section.
pub(super) struct Key {
    /// Its name.
    pub name: &'static str,
    /// The default as it would be written; absent where there is none or it depends on something.
    pub default: Option<&'static str>,
    /// Why it is there.
    pub why: &'static str,
}

pub(super) const fn key(name: &'static str, default: &'static str, why: &'static str) -> Key {
    Key { name, default: Some(default), why }
}

pub(super) const fn open(name: &'static str, why: &'static str) -> Key {
    Key { name, default: None, why }
}

const fn section(name: &'static str, keys: &'static [Key]) -> Section {
    Section { name, list: false, keys }
}

const fn list(name: &'static str, keys: &'static [Key]) -> Section {
    Section { name, list: true, keys }
}

/// All of them, in the order they are shown.
pub(super) const SECTIONS: &[Section] = &[
    section("", &[key("data_dir", r#""./consentry-data""#, "spool, keys and the embedded database")]),
    section(
        "gateway",
        &[
            key("listen", r#""0.0.0.0:8080""#, "where visitors connect"),
            open("upstream", "the site behind the gateway; a list where several servers answer alike"),
            key("site_id", "1", "stands in every row; two sites never share a pseudonym"),
            key("trusted_proxies", "[]", "whose X-Forwarded-For, X-Forwarded-Proto and Forwarded are believed"),
            key("trust_forwarded_host", "false", "trusted proxies say which host was asked for, by X-Forwarded-Host"),
            key("trust_unix_peers", "false", "whoever reaches a Unix socket is a trusted proxy"),
            key("forwarded_header", r#""x-forwarded-for""#, "which header counts where a trusted proxy sends both"),
            key(
                "proxy_protocol_from",
                "[]",
                "peers whose connections begin with a PROXY header; nobody else's is read",
            ),
            key("h2c", "false", "HTTP/2 without TLS, to who begins with it"),
            open("workers", "threads that serve visitors; one for each core unless set"),
            key("drain", r#""10s""#, "how long open exchanges may take once the gateway ends"),
        ],
    ),
    section(
        "gateway.limits",
        &[
            key("max_head_bytes", r#""32 KiB""#, "a request's line and headers"),
            key("max_body_bytes", r#""1 GiB""#, "a request's body"),
            key("max_connections", "10_000", "at once, over all workers"),
            key(
                "max_upstream_connections",
                "10_000",
                "to each upstream, over all workers; of one address half; beyond it 503",
            ),
            key("head_timeout", r#""30s""#, "for a visitor to send a head"),
            key("keep_alive", r#""75s""#, "how long a connection is kept between two requests"),
            key("connect_timeout", r#""5s""#, "for connecting to the upstream"),
            key("answer_timeout", r#""60s""#, "for the upstream to begin its answer"),
            key("idle_timeout", r#""60s""#, "for a pause within a body, either side"),
            key(
                "min_body_rate",
                r#""240 B/s""#,
                "the least of a body a visitor sends or takes on average; 0 B/s for any",
            ),
            key("body_grace", r#""20s""#, "how long a visitor is waited for before min_body_rate counts"),
            open("total_timeout", "for an exchange with the upstream from first to last; unlimited unless set"),
            key("max_connections_per_address", "1_000", "at once; a hospital may be one address, an IPv6 /64 is one"),
            open("requests_per_second_per_address", "in the long run; beyond it 429; no bound unless set"),
            open("request_burst_per_address", "at once; ten seconds' worth unless set"),
            key("max_streams", "100", "requests at once on one connection of HTTP/2"),
            key("proxy_protocol_timeout", r#""1s""#, "for a proxy to send its PROXY header"),
        ],
    ),
    section(
        "gateway.tls",
        &[
            open("listen", "where visitors connect by TLS; no TLS unless set"),
            key("min_version", r#""1.2""#, "the oldest version that is spoken"),
            key("handshake_timeout", r#""10s""#, "for a visitor's handshake"),
            key("look_every", r#""10s""#, "how often the files are looked at for new ones"),
            open("hsts", "how long browsers come by TLS alone; they are told nothing unless set"),
            key("redirect", "false", "whoever comes without TLS is sent to the same address with it"),
            key("public_port", "443", "the port visitors reach the listener at, where they are sent there"),
        ],
    ),
    list(
        "gateway.tls.certificate",
        &[
            open("certificate", "a PEM file: the certificate, then those that lead to its root"),
            open("key", "a PEM file: its private key, readable by its owner alone"),
        ],
    ),
    section(
        "gateway.tls.acme",
        &[
            open("directory", "the authority certificates are ordered from; nothing is ordered unless set"),
            key("contact", "[]", "mail addresses the authority may write to"),
            key("hosts", "[]", "the hosts the certificate is for"),
            key("challenge", r#""http-01""#, "how the authority sees that they are ours"),
            open("directory_ca", "roots believed for the directory itself; the system's unless set"),
        ],
    ),
    section("gateway.forward", upstream::FORWARD),
    section("gateway.health", upstream::HEALTH),
    section("gateway.error_pages", upstream::ERROR_PAGES),
    list("gateway.route", route::ROUTE),
    section(
        "consent",
        &[
            key("policy_version", "1", "raise it when what is asked has changed; everyone is asked again"),
            key("choice_days", "182", "an acceptance and a refusal are kept equally long"),
            key("path", r#""/_privacy""#, "the folder of the visitor's own pages"),
            key("banner_title", r#""Cookies on this site""#, "the banner's heading"),
            key(
                "banner_text",
                r#""Some cookies are needed to make this site work. We would like to use others too, for these purposes: {purposes}. You decide, and you can change your mind at any time.""#,
                "the banner's text; {purposes} stands for the purposes' names",
            ),
            key("link_text", r#""Your privacy choices""#, "the link that stands on every page"),
            open("notice_url", "the site's own privacy notice"),
            open("cookie_domain", "the domain whose hosts share one choice; each host has its own unless set"),
            key("google_consent_mode", "false", "whether pages tell Google's tags what is granted"),
            key("choices_per_minute", "6_000", "what one address may choose; a withdrawal is always taken"),
            key("language", r#""en-GB""#, "the language of these texts, and of visitors whose own is not there"),
            key("link_position", r#""left""#, "where the link stands; none where the site places its own"),
            open("controller", "who answers for the data: name and postal address"),
            open("contact", "where visitors turn with questions: a mail address or a link"),
            key("banner_version", r#""1""#, "stands in every receipt; yours to count up when the banner changes"),
            key("mode", r#""opt-in""#, "what may be done without a choice"),
            key("statistics_countries", r#"["GB"]"#, "where uk-statistics applies; opt-in everywhere else"),
            key("honour_dnt", "false", "whether DNT counts like Sec-GPC"),
        ],
    ),
    section(
        "consent.import",
        &[
            open("manager", "the consent manager the site has already; no banner of ours is shown then"),
            open("cookie", "the name of its cookie, where it is not the manager's own"),
            open("version", "the revision visitors must have agreed to, where the manager has one"),
        ],
    ),
    list(
        "import",
        &[
            open("category", "a category or service of the manager"),
            open("purpose", "the purpose it stands for; all of a purpose's categories must be accepted"),
        ],
    ),
    list(
        "purpose",
        &[
            open("id", "short name in cookie and forms"),
            open("title", "what visitors read as its name"),
            open("description", "what visitors read as its explanation"),
            open("legal_basis", "on what ground of law; consent unless set, none needed for `necessary`"),
            open("google_consent", "the storage types of Google Consent Mode it stands for"),
        ],
    ),
    list(
        "language",
        &[
            open("code", "the language's tag, such as ar or pt-BR"),
            open("name", "what its speakers call it"),
            open("banner_title", "the banner's heading in it"),
            open("banner_text", "the banner's text in it"),
            open("link_text", "the link that stands on every page"),
            open("accept", "the button that allows everything"),
            open("reject", "the button that refuses everything"),
            open("manage", "the link to the single choices"),
            open("notice", "the link to the privacy notice"),
            open("saved", "what the page says once a choice is kept"),
            open("words", "any other words, by the names they have in static/privacy/words"),
        ],
    ),
    list(
        "purpose_text",
        &[
            open("purpose", "the purpose whose words these are"),
            open("language", "the language they are in"),
            open("title", "what visitors read as its name"),
            open("description", "what visitors read as its explanation"),
        ],
    ),
    list(
        "cookie",
        &[
            open("name", "the cookie's name, or its beginning and a star"),
            open("purpose", "the purpose that must be granted"),
            open("provider", "who sets it, for the preferences page"),
            open("period", "how long it lives, for the preferences page"),
            open("description", "what it is for, for the preferences page"),
            open("path", "the path it is set for, so that it can be made to expire there"),
            open("domain", "the domain it is set for, so that it can be made to expire there"),
        ],
    ),
    list(
        "tag",
        &[
            open("host", "where a third-party resource is loaded from"),
            key("inline", "[]", "texts by which a script written in the page itself is its, such as [\"fbq(\"]"),
            open("purpose", "the purpose that must be granted"),
        ],
    ),
    section(
        "capture",
        &[
            key("query_keys", "[]", "of a page's query, only these are kept"),
            key("search_keys", "[]", "query keys that hold what was searched for on the site"),
            key(
                "collect",
                r#"["device", "plugins", "timings", "vitals", "engagement", "clicks", "downloads", "outbound", "forms", "contacts", "errors"]"#,
                "what the collector reports beyond a page's being there",
            ),
            key(
                "download_endings",
                r#"["pdf", "csv", "doc", "docx", "xls", "xlsx", "ppt", "pptx", "txt", "zip", "mp3", "mp4", "ics", "epub"]"#,
                "files with these endings are downloads",
            ),
            open("login_header", "of the site's answers: who is logged in; never reaches the visitor"),
            key("click_labels", "[]", "texts of links and buttons that are kept; others are hashed"),
            key("free_text", "[]", "custom properties that may hold free text"),
            key("visit_timeout", r#""30 minutes""#, "a visit ends after this much inactivity"),
            key("new_visit_on_campaign", "true", "another campaign begins a new visit"),
            key("new_visit_on_referrer", "false", "another referring site begins a new visit"),
            key("beacons_per_minute", "6_000", "what one address may send"),
            key("bot_networks", "[]", "networks that no person visits from"),
            key("bot_headers", "false", "headers no browser would send make a bot, where visitors connect directly"),
            key("spam_referrers", "[]", "hosts that are dropped as referrers, beside the built-in list"),
            key(
                "mail_opens",
                "false",
                "openings of e-mails, each with its recipient's own token from `consentry mail token`",
            ),
            open(
                "calls_token_file",
                "holds the token of the telephone system that hands over calls; readable by its owner alone",
            ),
            key("calling_code", "44", "the country calling code of national numbers in imported calls"),
        ],
    ),
    list(
        "path_class",
        &[
            open("pattern", "paths that say more of a person than of a page"),
            open("class", "what is kept instead"),
            open("keep_path", "whether the path is kept beside the class; false unless set"),
            open("purpose", "what must be granted beside analytics for such pages to be captured"),
        ],
    ),
    section(
        "retention",
        &[
            key("period", r#""6 years""#, "then ClickHouse deletes the row"),
            key("consents", r#""6 years""#, "then a row of the ledger of choices is deleted, here and there"),
        ],
    ),
    section(
        "pseudonym",
        &[
            key("ipv4_prefix", "24", "leading bits that are kept of an IPv4 address"),
            key("ipv6_prefix", "48", "leading bits that are kept of an IPv6 address"),
            open("key_ring", "signs choices and keys pseudonyms; keys.json in data_dir unless set"),
            key("rotate_ip", r#""1 day""#, "then addresses are tagged under a new key"),
            open("keep_ip", "then the old key is destroyed; as long as it was used unless set"),
            key("rotate_visitor", r#""never""#, "then everybody counts as a new visitor"),
            open("keep_visitor", "then nobody's earlier rows can be found any more"),
            key("rotate_login", r#""never""#, "then logins get new pseudonyms"),
            open("keep_login", "then the old key is destroyed"),
            key("rotate_call", r#""never""#, "then callers get new pseudonyms"),
            open("keep_call", "then the old key is destroyed"),
            key("rotate_mail", r#""never""#, "then recipients of mails get new pseudonyms"),
            open("keep_mail", "then the old key is destroyed"),
        ],
    ),
    section("geo", &[key("database", r#""country""#, "looks up the country before the address is cut")]),
    section(
        "spool",
        &[
            key("max_bytes", r#""4 GiB""#, "may wait on disk while ClickHouse is away; then events are refused"),
            key("max_age", r#""30d""#, "how long events may wait; then new ones are refused, and what waits is kept"),
            key(
                "durability",
                r#""write""#,
                "what a beacon's answer waits for: `write` survives a crash, `power` a power cut",
            ),
            key("batch_rows", "10_000", "rows after which a batch is sealed"),
            key("batch_age", r#""1s""#, "age after which a batch is sealed"),
        ],
    ),
    section(
        "clickhouse",
        &[
            open("url", "a server; the embedded engine unless set"),
            open("user", "the server's user; `default` unless set"),
            open("password_file", "holds the server's password and nothing else"),
            open("listen", "the embedded engine's HTTP interface, on loopback, for other tools"),
        ],
    ),
    section("dashboard", &[key("listen", r#""127.0.0.1:8090""#, "marketing's pages, health and metrics")]),
    section(
        "observe",
        &[
            key("log", r#""info""#, "how much is logged"),
            open("decision_header", "answers say what was decided and why; where log is debug unless set"),
            key("access_log", r#""off""#, "a line of JSON for each request, without personal data"),
            open("security_log", "a line for each refused request, with the truncated address; none unless set"),
            key("security_log_days", "7", "then a day of the security log is deleted"),
            key("traceparent", "false", "the site is given a trace where the visitor's side brings none"),
            key("trace_sampled", "true", "whether a trace that is begun here is marked to be recorded"),
        ],
    ),
];

/// Before every variable that overrides a key.
pub(super) const VARIABLES: &str = "CONSENTRY__";

impl Section {
    /// The section called `name`, if there is one.
    pub fn named(name: &str) -> Option<&'static Section> {
        SECTIONS.iter().find(|section| section.name == name)
    }

    /// The key called `name`, if the section has one.
    pub fn key(&self, name: &str) -> Option<&'static Key> {
        self.keys.iter().find(|key| key.name == name)
    }

    /// The sections directly below this one, by the last part of their names.
    pub fn below(&self) -> impl Iterator<Item = (&'static str, &'static Section)> {
        let own = self.name;
        SECTIONS.iter().filter_map(move |section| {
            let rest = section.name.strip_prefix(own)?;
            let rest = if own.is_empty() { rest } else { rest.strip_prefix('.')? };
            (!rest.is_empty() && !rest.contains('.')).then_some((rest, section))
        })
    }

    /// The header as it is written.
    pub fn header(&self) -> String {
        match self.list {
            true => format!("[[{}]]", self.name),
            false => format!("[{}]", self.name),
        }
    }

    /// Everything that may stand in it.
    pub fn allowed(&self) -> String {
        let keys = self.keys.iter().map(|key| key.name.to_owned());
        let names: Vec<String> = keys.chain(self.below().map(|(_, section)| section.header())).collect();
        names.join(", ")
    }

    /// The environment variables that override its keys; a list is overridden as a whole.
    pub fn variables(&self) -> Vec<(String, Option<&'static Key>)> {
        let section = self.name.to_uppercase().replace('.', "__");
        if self.list {
            return vec![(format!("{VARIABLES}{section}"), None)];
        }
        let section = if section.is_empty() { section } else { section + "__" };
        self.keys.iter().map(|key| (format!("{VARIABLES}{section}{}", key.name.to_uppercase()), Some(key))).collect()
    }
}
