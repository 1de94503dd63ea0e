//! Makes a site's Content-Security-Policy admit what is ours: one script folder, one style sheet, one beacon and one form, all
//! at one address, and nothing else (K5), and the name of our script's policy where the site names those it trusts (Trusted Types). The snippets hold no inline code, so no policy ever needs `'unsafe-inline'`.
//!
//! Called by the front door for pages that are [`eligible`](super::eligible), where the site sends a policy. Every other
//! directive and source stays as it was. Policies in `<meta>` are not seen.

use std::borrow::Cow;

use http::header::{self, HeaderMap, HeaderName, HeaderValue};

/// A policy that admits us, and what that takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admitted<'a> {
    /// The header's value to send.
    pub policy: Cow<'a, str>,
    /// The site's nonce for scripts: our `<script>` must carry it where this says so.
    pub nonce: Option<&'a str>,
    /// Whether our script will load. It will not where the site trusts scripts by their hash alone (`'strict-dynamic'`
    /// without a nonce), or forbids scripts by `sandbox`; the banner then works as it does without JavaScript.
    pub script_loads: bool,
}

/// One way in which we load something.
struct Need {
    /// The directive for elements, asked first.
    elements: Option<&'static str>,
    directive: &'static str,
    /// Whether `default-src` stands in for it.
    falls_back: bool,
}

const NEEDS: [Need; 4] = [
    Need { elements: Some("script-src-elem"), directive: "script-src", falls_back: true },
    Need { elements: Some("style-src-elem"), directive: "style-src", falls_back: true },
    Need { elements: None, directive: "connect-src", falls_back: true },
    Need { elements: None, directive: "form-action", falls_back: false },
];

/// The policy of Trusted Types by which our script gives back what the gate took.
const TRUSTED: &str = "consentry";

/// Rewrites the value of one `Content-Security-Policy` header (or `-Report-Only`, lest it report us).
///
/// `host` is the host visitors use, with the port if there is one; `folder` is where our files and endpoints are, such as
/// `/_privacy`. A host or folder that could not stand in a policy leaves the policy as it is.
pub fn admit<'a>(header: &'a str, host: &str, folder: &str) -> Admitted<'a> {
    let source = source(host, folder);
    let mut admitted = Admitted { policy: Cow::Borrowed(header), nonce: None, script_loads: true };
    // A comma separates policies, all of which must agree (CSP3 §3.1).
    let policies: Vec<Cow<'a, str>> =
        header.split(',').map(|policy| admit_one(policy, source.as_deref(), &mut admitted)).collect();
    if policies.iter().any(|policy| matches!(policy, Cow::Owned(_))) {
        admitted.policy = Cow::Owned(policies.join(",").trim_start().to_owned());
    }
    admitted
}

/// Everything a page loads comes from the site itself, whatever it says inside.
const OWN_SITE: &str = "default-src 'self' data: blob: 'unsafe-inline' 'unsafe-eval'";

/// Adds a policy that lets a page load from its own site only. For pages that cannot be read, so that none of their
/// third-party tags comes to life against the visitor's choice (K4, fail closed). A policy beside the site's own never
/// loosens it (CSP3 §8.1).
pub fn hold_to_own_site(headers: &mut HeaderMap) {
    headers.append(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(OWN_SITE));
}

/// What a page's policies ask of our markup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// The nonce our `<script>` must carry, if there is one.
    pub nonce: Option<String>,
    /// Whether our script will load; see [`Admitted::script_loads`].
    pub script_loads: bool,
}

/// [`admit`] for every policy in an answer's head. Headers that are not text are left as they are.
pub fn admit_all(headers: &mut HeaderMap, host: &str, folder: &str) -> Terms {
    let mut terms = Terms { nonce: None, script_loads: true };
    for name in [header::CONTENT_SECURITY_POLICY, header::CONTENT_SECURITY_POLICY_REPORT_ONLY] {
        if headers.contains_key(&name) {
            admit_header(headers, name, host, folder, &mut terms);
        }
    }
    terms
}

fn admit_header(headers: &mut HeaderMap, name: HeaderName, host: &str, folder: &str, terms: &mut Terms) {
    let enforced = name == header::CONTENT_SECURITY_POLICY;
    let header::Entry::Occupied(mut entry) = headers.entry(name) else { return };
    for value in entry.iter_mut() {
        let Ok(text) = value.to_str() else { continue };
        let admitted = admit(text, host, folder);
        terms.nonce = terms.nonce.take().or_else(|| admitted.nonce.map(str::to_owned));
        terms.script_loads &= admitted.script_loads || !enforced;
        if let Cow::Owned(policy) = admitted.policy
            && let Ok(policy) = HeaderValue::from_str(&policy)
        {
            *value = policy;
        }
    }
}

fn admit_one<'a>(policy: &'a str, source: Option<&str>, admitted: &mut Admitted<'a>) -> Cow<'a, str> {
    let mut directives: Vec<Cow<'a, str>> = policy.split(';').map(Cow::Borrowed).collect();
    // Of several directives of a name the first counts (CSP3 §2.2.1).
    let site: Vec<(&'a str, &'a str)> = policy.split(';').map(name_and_list).collect();
    let find = |wanted: &str| site.iter().position(|(name, _)| name.eq_ignore_ascii_case(wanted));
    let list = |at: usize| site.get(at).map_or("", |(_, list)| *list);
    if let Some(sandbox) = find("sandbox") {
        admitted.script_loads &= has(list(sandbox), "allow-scripts");
    }
    let mut changed = false;
    for need in &NEEDS {
        let own = need.elements.and_then(find).or_else(|| find(need.directive));
        let Some(at) = own.or_else(|| find("default-src").filter(|_| need.falls_back)) else { continue };
        let list = list(at);
        if need.directive == "script-src" {
            let nonce = nonce(list);
            admitted.nonce = admitted.nonce.or(nonce);
            if has(list, "'strict-dynamic'") {
                // Hosts do not count there; only a nonce lets us in.
                admitted.script_loads &= nonce.is_some();
                continue;
            }
        }
        let Some(source) = source.filter(|source| !["'self'", "*", source].iter().any(|word| has(list, word))) else {
            continue;
        };
        // `'none'` counts only alone, so it goes; what was listed stays.
        let kept = list.split_ascii_whitespace().filter(|word| !word.eq_ignore_ascii_case("'none'"));
        let list = kept.chain([source]).collect::<Vec<_>>().join(" ");
        // The fall-back itself stays as it is: it stands in for others too.
        let name = own.and_then(|at| site.get(at)).map_or(need.directive, |(name, _)| *name);
        let directive = format!(" {name} {list}").into();
        match own.and_then(|at| directives.get_mut(at)) {
            Some(place) => *place = directive,
            None => directives.push(directive),
        }
        changed = true;
    }
    // Names count as they are written. `*` is any.
    if let Some(at) = find("trusted-types")
        && !list(at).split_ascii_whitespace().any(|word| word == TRUSTED || word == "*")
        && let (Some((name, list)), Some(place)) = (site.get(at), directives.get_mut(at))
    {
        let kept = list.split_ascii_whitespace().filter(|word| !word.eq_ignore_ascii_case("'none'"));
        *place = format!(" {name} {}", kept.chain([TRUSTED]).collect::<Vec<_>>().join(" ")).into();
        changed = true;
    }
    if changed { Cow::Owned(directives.join(";")) } else { Cow::Borrowed(policy) }
}

/// Our folder as a source expression, without a scheme so that it is the page's.
fn source(host: &str, folder: &str) -> Option<String> {
    let plain = |text: &str, more: &[u8]| text.bytes().all(|b| b.is_ascii_alphanumeric() || more.contains(&b));
    let usable = !host.is_empty() && plain(host, b".-:[]") && folder.starts_with('/') && plain(folder, b"/-_.~");
    usable.then(|| format!("{host}{}/", folder.trim_end_matches('/')))
}

/// A directive's name and what it lists.
fn name_and_list(directive: &str) -> (&str, &str) {
    let directive = directive.trim_ascii();
    directive.split_once(|c: char| c.is_ascii_whitespace()).unwrap_or((directive, ""))
}

fn has(list: &str, word: &str) -> bool {
    list.split_ascii_whitespace().any(|other| other.eq_ignore_ascii_case(word))
}

/// The first nonce of a list that can safely stand in an attribute.
fn nonce(list: &str) -> Option<&str> {
    list.split_ascii_whitespace().find_map(|word| {
        let (start, rest) = word.split_at_checked("'nonce-".len())?;
        let nonce = rest.strip_suffix('\'').filter(|_| start.eq_ignore_ascii_case("'nonce-"))?;
        let base64 = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_' | b'=');
        (!nonce.is_empty() && nonce.bytes().all(base64)).then_some(nonce)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn policy(header: &str) -> String {
        admit(header, "www.example.org", "/_privacy").policy.into_owned()
    }

    #[test]
    fn a_policy_that_admits_the_site_admits_us_unchanged() {
        for header in [
            "",
            "default-src 'self'",
            "default-src *; img-src x",
            "script-src 'SELF'; style-src 'self'; connect-src 'self'",
            "img-src 'none'; object-src 'none'",
            "frame-ancestors 'none'",
            "script-src www.example.org/_privacy/",
        ] {
            assert!(
                matches!(admit(header, "www.example.org", "/_privacy").policy, Cow::Borrowed(same) if same == header)
            );
        }
    }

    #[test]
    fn rule_k5_exactly_our_address_is_added_where_it_is_missing() {
        let ours = "www.example.org/_privacy/";
        assert_eq!(
            policy(
                "script-src cdn.example 'nonce-abc'; img-src *; style-src 'unsafe-inline'; FORM-action 'none'; connect-src"
            ),
            format!(
                "script-src cdn.example 'nonce-abc' {ours}; img-src *; style-src 'unsafe-inline' {ours}; FORM-action {ours}; \
                 connect-src {ours}"
            )
        );
        // `default-src` stands in for three of the four, and stays as it is for the others.
        assert_eq!(
            policy("default-src https: 'unsafe-eval'"),
            format!(
                "default-src https: 'unsafe-eval'; script-src https: 'unsafe-eval' {ours}; style-src https: 'unsafe-eval' {ours}; \
                 connect-src https: 'unsafe-eval' {ours}"
            )
        );
        assert_eq!(
            policy("default-src 'none'; script-src 'self'; style-src-elem x; style-src 'self'"),
            format!(
                "default-src 'none'; script-src 'self'; style-src-elem x {ours}; style-src 'self'; connect-src {ours}"
            )
        );
        // Of several policies each must admit us; of two directives of a name the second is dead.
        assert_eq!(
            policy("script-src a; script-src 'self', img-src b, connect-src 'none'"),
            format!("script-src a {ours}; script-src 'self', img-src b, connect-src {ours}")
        );
    }

    #[test]
    fn rule_k5_the_sites_nonce_is_told_and_trust_by_hash_is_not_widened() {
        let admit = |header| admit(header, "a.example:8080", "/_privacy/");
        let with_nonce =
            admit("script-src 'strict-dynamic' 'NONCE-a+/-_=' https:; style-src 'self'; connect-src 'self'");
        assert_eq!((with_nonce.nonce, with_nonce.script_loads), (Some("a+/-_="), true));
        assert!(matches!(with_nonce.policy, Cow::Borrowed(_)));
        let hash_only = admit("script-src 'strict-dynamic' 'sha256-abc'");
        assert_eq!((hash_only.nonce, hash_only.script_loads), (None, false));
        assert_eq!(hash_only.policy, "script-src 'strict-dynamic' 'sha256-abc'");
        assert_eq!(admit("default-src 'nonce-xyz'").nonce, Some("xyz"));
        assert_eq!(admit("script-src 'nonce-\"><script>' 'nonce-' 'nonce-ok'").nonce, Some("ok"));
        assert!(!admit("sandbox allow-forms").script_loads && admit("sandbox allow-scripts").script_loads);
        assert_eq!(admit("connect-src x").policy, "connect-src x a.example:8080/_privacy/");
    }

    #[test]
    fn rule_k5_our_policy_is_trusted_where_the_site_names_those_it_trusts() {
        for (header, expected) in [
            ("trusted-types a 'allow-duplicates'", "trusted-types a 'allow-duplicates' consentry"),
            ("Trusted-Types 'none'; img-src x", "Trusted-Types consentry; img-src x"),
            ("trusted-types", "trusted-types consentry"),
            ("trusted-types Consentry", "trusted-types Consentry consentry"),
            (
                "trusted-types a; trusted-types b, trusted-types c",
                "trusted-types a consentry; trusted-types b, trusted-types c consentry",
            ),
            ("trusted-types a consentry", "trusted-types a consentry"),
            ("trusted-types *", "trusted-types *"),
            ("require-trusted-types-for 'script'", "require-trusted-types-for 'script'"),
        ] {
            assert_eq!(policy(header), expected, "{header}");
        }
    }

    #[test]
    fn every_header_is_rewritten() {
        let mut headers = HeaderMap::new();
        let csp = header::CONTENT_SECURITY_POLICY;
        headers.append(&csp, HeaderValue::from_static("script-src 'nonce-a'"));
        headers.append(&csp, HeaderValue::from_static("connect-src 'none'"));
        headers.append(header::CONTENT_SECURITY_POLICY_REPORT_ONLY, HeaderValue::from_static("sandbox"));
        let terms = admit_all(&mut headers, "a.example", "/_privacy");
        assert_eq!(terms, Terms { nonce: Some("a".into()), script_loads: true });
        let sent: Vec<_> = headers.get_all(&csp).iter().map(HeaderValue::as_bytes).collect();
        assert_eq!(sent, [&b"script-src 'nonce-a' a.example/_privacy/"[..], b"connect-src a.example/_privacy/"]);
    }

    #[test]
    fn a_host_that_could_break_out_changes_nothing() {
        for host in ["", "a; script-src *", "a,b", "a b", "a'", "*", "a/b"] {
            assert_eq!(admit("script-src x", host, "/_privacy").policy, "script-src x", "{host}");
        }
        assert_eq!(admit("script-src x", "a", "/; x").policy, "script-src x");
    }

    proptest! {
        #[test]
        fn rule_k5_nothing_is_loosened_but_for_our_address(
            header in "((script-src|style-src|default-src|img-src|form-action|connect-src|script-src-elem|sandbox|trusted-types)                       (( 'none'| 'self'| \\*| a\\.b| 'nonce-x'| 'strict-dynamic'| 'unsafe-inline'){0,3})(;|; |,)){0,6}"
        ) {
            let admitted = policy(&header);
            let directives = |policy: &str| -> Vec<(String, String)> {
                policy.split(';').map(name_and_list).filter(|(name, _)| !name.is_empty())
                    .map(|(name, list)| (name.to_owned(), list.to_owned())).collect()
            };
            prop_assert_eq!(header.split(',').count(), admitted.split(',').count());
            for (before, after) in header.split(',').zip(admitted.split(',')) {
                let (before, after) = (directives(before), directives(after));
                let default = before.iter().find(|(name, _)| name == "default-src");
                for (at, (name, list)) in after.iter().enumerate() {
                    let was = before.get(at).or(default).expect("only what a fall-back stood for is added");
                    prop_assert!(at >= before.len() || was.0 == *name);
                    for word in list.split_ascii_whitespace() {
                        let ours = if name == "trusted-types" { TRUSTED } else { "www.example.org/_privacy/" };
                        prop_assert!(has(&was.1, word) || word == ours);
                    }
                    let lost = was.1.split_ascii_whitespace().find(|word| !has(list, word));
                    prop_assert!(lost.is_none() || lost == Some("'none'"));
                }
            }
            // What is admitted once needs nothing more.
            prop_assert_eq!(policy(&admitted), admitted);
        }
    }
}
