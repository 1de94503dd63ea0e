//! The cookie of the choice: under which name and for which hosts it is set, and which of several counts (C9).
//!
//! | | name | who can set it |
//! |---|---|---|
//! | one host, safe connection | `__Host-consentry` | this host alone |
//! | one host, plain connection | `consentry` | this host, and others under its domain |
//! | `[consent] cookie_domain` | `consentry`, with `Domain` | every host of the domain |
//!
//! Of several values of one name the one made last counts, as far as the others grant it too ([`Choice::among`]). Where the
//! first name can be had the second grants nothing ([`Choice::of_host_only`]). A value counts for the host (or the shared
//! domain) it was made for and nowhere else.
//!
//! Beside it stands its twin `consentry_choice`, which scripts can read. What a visitor's browser says of the twin is never
//! looked at.

use std::borrow::Cow;

use http::HeaderValue;

use super::ours::Ours;
use super::own::{Own, line};
use super::pairs::read;
use crate::consent::choice::{COOKIE, HOST_COOKIE, TWIN};
use crate::consent::{Choice, ChoiceSource, NoChoice, Policy, Seal};
use crate::keys::{KeyRing, Remembered};

/// For which hosts a choice counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChoiceCookie {
    /// The domain whose hosts share it, in lower case without a dot in front.
    domain: Option<Box<str>>,
}

/// What is known of the request a choice is read from or made with.
#[derive(Clone, Copy)]
pub struct Asked<'a> {
    /// The request's host, with or without port.
    pub host: &'a str,
    /// Whether the visitor came over TLS.
    pub https: bool,
    /// Milliseconds since 1970.
    pub now_ms: u64,
}

/// With what the signatures of choices are verified.
#[derive(Clone, Copy)]
pub struct Signed<'a> {
    /// The keys.
    pub ring: &'a KeyRing,
    /// What was verified before under the same policy; nothing where everything is verified anew.
    pub remembered: Option<&'a Remembered<Choice>>,
}

impl<'a> From<&'a KeyRing> for Signed<'a> {
    fn from(ring: &'a KeyRing) -> Signed<'a> {
        Signed { ring, remembered: None }
    }
}

impl ChoiceCookie {
    /// One choice for all hosts of `domain`; for each host its own where there is none.
    pub fn new(domain: Option<&str>) -> ChoiceCookie {
        ChoiceCookie { domain: domain.map(|domain| domain.to_ascii_lowercase().into()) }
    }

    /// Whether one choice counts for several hosts.
    pub fn is_shared(&self) -> bool {
        self.domain.is_some()
    }

    /// The choice that a request carries in `ours`, its cookies of ours.
    pub fn read<'s>(
        &self,
        ours: &Ours<'_>,
        asked: Asked<'_>,
        policy: &Policy,
        signed: impl Into<Signed<'s>>,
    ) -> Result<Choice, NoChoice> {
        let signed = signed.into();
        let (hosted, plain) = (ours.hosted.iter(), ours.plain.iter());
        let (scope, now_ms) = (self.scope(asked.host), asked.now_ms);
        let seal = Seal::new(signed.ring, &scope).remembering(signed.remembered);
        match asked.https && self.domain_for(asked.host).is_none() {
            true => Choice::of_host_only(
                Choice::among(hosted, policy, seal, now_ms),
                Choice::among(plain, policy, seal, now_ms),
            ),
            false => Choice::among(hosted.chain(plain), policy, seal, now_ms),
        }
    }

    /// The lines that make `choice` the one that counts from now on: its cookie, its twin, and the end of cookies of the
    /// other name or scope that the request carried in `lines`. An objection, which is no choice, has no twin.
    pub fn set<'a, L: Iterator<Item = &'a [u8]>>(
        &self,
        choice: &Choice,
        lines: impl Fn() -> L,
        asked: Asked<'_>,
        policy: &Policy,
        ring: &KeyRing,
    ) -> Vec<HeaderValue> {
        let domain = self.domain_for(asked.host);
        let https = asked.https;
        let hosted = https && domain.is_none();
        let name = if hosted { HOST_COOKIE } else { COOKIE };
        let seconds = choice.until.saturating_sub(asked.now_ms / 1000);
        let scope = self.scope(asked.host);
        let value = choice.encode(policy, Seal::new(ring, &scope));
        let mut set = vec![line(Own { name, value, seconds, https, domain, readable: false })];
        if !matches!(choice.source, ChoiceSource::Gpc | ChoiceSource::Dnt) {
            set.push(line(Own { name: TWIN, value: choice.twin(policy), seconds, https, domain, readable: true }));
        }
        let mut end = |name: &'static str| {
            if read(lines(), name.as_bytes()).next().is_some() {
                set.push(line(Own { name, value: String::new(), seconds: 0, https, domain: None, readable: false }));
            }
        };
        match (hosted, domain) {
            (true, _) => end(COOKIE),
            // A cookie of this host alone stands beside the one of the domain and would be sent before it.
            (false, Some(_)) => [COOKIE, HOST_COOKIE, TWIN].into_iter().for_each(end),
            (false, None) => {}
        }
        // Of several, one was set for a domain above: by a gateway that was configured otherwise, or by another host.
        if read(lines(), COOKIE.as_bytes()).count() > 1 {
            let above = domains_of(asked.host).filter(|above| Some(above.as_str()) != domain);
            set.extend(above.map(|above| {
                let domain = Some(above.as_str());
                line(Own { name: COOKIE, value: String::new(), seconds: 0, https, domain, readable: false })
            }));
        }
        set
    }

    /// What a choice made at `host` counts for: the shared domain, or the host's name alone, in lower case.
    fn scope<'a>(&'a self, host: &'a str) -> Cow<'a, str> {
        match self.domain_for(host) {
            Some(domain) => domain.into(),
            None => name_of(host),
        }
    }

    /// The domain a cookie is set for at `host`; nothing where the host is not one of its hosts.
    fn domain_for(&self, host: &str) -> Option<&str> {
        let domain = self.domain.as_deref()?;
        let name = name_of(host);
        let above = name.strip_suffix(domain)?;
        (above.is_empty() || above.ends_with('.')).then_some(domain)
    }
}

/// The domains a cookie of a host can have been set for, the host's own name first; at most eight.
fn domains_of(host: &str) -> impl Iterator<Item = String> {
    let name = name_of(host).into_owned();
    let is_address = name.rsplit('.').next().is_none_or(|label| label.bytes().all(|byte| byte.is_ascii_digit()));
    let first = (!is_address && !name.contains([':', ';', ' ', ','])).then_some(name);
    let above = |name: &String| name.split_once('.').map(|(_, above)| above.to_owned());
    std::iter::successors(first, above).filter(|name| name.contains('.')).take(8)
}

/// The name in a `Host`, without port and last dot, in lower case.
fn name_of(host: &str) -> Cow<'_, str> {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let name = name.trim_end_matches('.');
    match name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        true => name.to_ascii_lowercase().into(),
        false => name.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::consent::PurposeSet;

    const NOW: u64 = 1_790_000_000_000;

    fn asked(host: &str, https: bool) -> Asked<'_> {
        Asked { host, https, now_ms: NOW + 1000 }
    }

    struct Maker {
        policy: Policy,
        ring: KeyRing,
        scope: &'static str,
    }

    impl Maker {
        fn new() -> Maker {
            Maker { policy: Policy::default(), ring: KeyRing::ephemeral(), scope: "shop.example" }
        }

        fn value(&self, granted: PurposeSet, at: u64) -> String {
            Choice::new(&self.policy, granted, ChoiceSource::Banner, at)
                .encode(&self.policy, Seal::new(&self.ring, self.scope))
        }

        fn read(&self, cookie: &ChoiceCookie, header: &str, asked: Asked<'_>) -> Result<Choice, NoChoice> {
            cookie.read(&Ours::of([header.as_bytes()]), asked, &self.policy, &self.ring)
        }

        fn set(&self, cookie: &ChoiceCookie, header: &str, asked: Asked<'_>) -> Vec<String> {
            let choice = Choice::new(&self.policy, self.policy.all(), ChoiceSource::Banner, NOW);
            let lines = cookie.set(&choice, || std::iter::once(header.as_bytes()), asked, &self.policy, &self.ring);
            lines.iter().map(|line| line.to_str().unwrap().to_owned()).collect()
        }
    }

    #[test]
    fn rule_c9_over_a_safe_connection_no_other_host_can_set_it() {
        let maker = Maker::new();
        let lines = maker.set(&ChoiceCookie::default(), "", asked("shop.example", true));
        assert_eq!(lines.len(), 2);
        assert!(lines[0].starts_with("__Host-consentry=v2~"), "{}", lines[0]);
        assert!(lines[0].ends_with("; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=15724799"), "{}", lines[0]);
        assert_eq!(
            lines[1],
            "consentry_choice=preferences!analytics!marketing; SameSite=Lax; Secure; Path=/; Max-Age=15724799"
        );
        let lines = maker.set(&ChoiceCookie::default(), "consentry=x", asked("shop.example", true));
        assert_eq!(lines[2], "consentry=; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=0");
        let plain = maker.set(&ChoiceCookie::default(), "consentry=x", asked("shop.example", false));
        assert!(plain.len() == 2 && plain[0].starts_with("consentry=v2~") && !plain[0].contains("Secure"), "{plain:?}");
    }

    #[test]
    fn rule_c9_a_planted_choice_takes_away_and_never_grants() {
        let maker = Maker::new();
        let (all, none) = (maker.policy.all(), PurposeSet::default());
        let (host, plain) = (|v: &str| format!("__Host-consentry={v}"), |v: &str| format!("consentry={v}"));
        let read = |header: String, https| maker.read(&ChoiceCookie::default(), &header, asked("shop.example", https));
        let granted = |choice: Result<Choice, NoChoice>| choice.map(|choice| choice.granted);
        let necessary = maker.policy.necessary();

        let ours = maker.value(all, NOW);
        assert_eq!(granted(read(host(&ours), true)), Ok(all));
        assert_eq!(granted(read(plain(&ours), false)), Ok(all), "a plain connection has no other");
        // Planted by a sibling: alone it leaves open what it would grant.
        let alone = read(plain(&ours), true).unwrap();
        assert_eq!((alone.granted, alone.denied), (none, none));
        let refused = maker.value(none, NOW);
        let newer = maker.value(all, NOW + 900);
        assert_eq!(granted(read(format!("{}; {}", plain(&newer), host(&refused)), true)), Ok(necessary));
        // A later refusal over a plain connection counts.
        let withdrawn = maker.value(none, NOW + 900);
        assert_eq!(granted(read(format!("{}; {}", host(&ours), plain(&withdrawn)), true)), Ok(necessary));
        let earlier = maker.value(none, NOW - 900);
        assert_eq!(granted(read(format!("{}; {}", host(&ours), plain(&earlier)), true)), Ok(all));
        assert_eq!(granted(read(host("x"), true)), Err(NoChoice::Invalid));
        assert_eq!(granted(read(String::new(), true)), Err(NoChoice::Missing));
        assert_eq!(granted(read(plain("x"), true)), Err(NoChoice::Invalid));
    }

    #[test]
    fn one_choice_counts_for_all_hosts_of_a_configured_domain() {
        let maker = Maker::new();
        let cookie = ChoiceCookie::new(Some("Example.org"));
        for host in ["example.org", "www.example.org:8443", "WWW.Example.ORG."] {
            let lines = maker.set(&cookie, "consentry=old; consentry_choice=none", asked(host, true));
            assert!(lines[0].starts_with("consentry=v2~") && lines[0].contains("; Domain=example.org;"), "{lines:?}");
            assert!(lines[1].contains("; Domain=example.org;"), "{lines:?}");
            let ended: Vec<_> = lines[2..].iter().map(|line| line.split('=').next().unwrap()).collect();
            assert_eq!(ended, ["consentry", "consentry_choice"]);
            assert!(!lines[2].contains("Domain"), "{lines:?}");
        }
        for elsewhere in ["example.com", "badexample.org", "org"] {
            assert!(maker.set(&cookie, "", asked(elsewhere, true))[0].starts_with("__Host-consentry="), "{elsewhere}");
        }
    }

    #[test]
    fn of_two_cookies_of_one_name_the_last_made_counts_as_far_as_the_other_grants_it_in_whatever_order() {
        let maker = Maker { scope: "example.org", ..Maker::new() };
        let cookie = ChoiceCookie::new(Some("example.org"));
        let (old, new) = (maker.value(maker.policy.all(), NOW), maker.value(PurposeSet::default(), NOW + 1));
        for header in [format!("consentry={old}; consentry={new}"), format!("consentry={new}; consentry={old}")] {
            let read = maker.read(&cookie, &header, asked("www.example.org", true)).unwrap();
            assert_eq!(read.granted, maker.policy.necessary());
        }
        // A later acceptance beside a refusal is one that somebody else may have planted.
        let planted = maker.value(maker.policy.all(), NOW + 2);
        let read =
            maker.read(&cookie, &format!("consentry={planted}; consentry={new}"), asked("example.org", true)).unwrap();
        assert_eq!((read.granted, read.denied), (maker.policy.necessary(), PurposeSet::default()), "asked again");
    }

    #[test]
    fn a_new_choice_ends_what_was_left_or_planted_for_domains_above() {
        let maker = Maker::new();
        let lines =
            maker.set(&ChoiceCookie::default(), "consentry=a; consentry=b", asked("www.shop.example:80", false));
        let ended: Vec<_> =
            lines[2..].iter().map(|line| line.replace("consentry=; HttpOnly; SameSite=Lax; ", "")).collect();
        assert_eq!(ended, ["Path=/; Domain=www.shop.example; Max-Age=0", "Path=/; Domain=shop.example; Max-Age=0"]);
        let domain = ChoiceCookie::new(Some("shop.example"));
        let lines = maker.set(&domain, "consentry=a; consentry=b", asked("www.shop.example", true));
        assert!(
            lines[1..].iter().all(|line| !line.starts_with("consentry=;") || !line.contains("Domain=shop.example;"))
        );
        assert_eq!(
            maker.set(&ChoiceCookie::default(), "consentry=a; consentry=b", asked("127.0.0.1:80", false)).len(),
            2
        );
    }

    #[test]
    fn rule_c9_a_choice_counts_for_the_host_it_was_made_for() {
        let maker = Maker::new();
        let header = format!("consentry={}", maker.value(maker.policy.all(), NOW));
        let read = |host| maker.read(&ChoiceCookie::default(), &header, asked(host, false));
        assert!(read("shop.example").is_ok() && read("Shop.Example.:8080").is_ok());
        for other in ["other.example", "www.shop.example", "example", ""] {
            assert_eq!(read(other), Err(NoChoice::Invalid), "{other}");
        }
    }
}
