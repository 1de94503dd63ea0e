//! What comes before any tag of the site's: our style sheet, whose rules of the first layer then win over the site's, and where
//! it is wanted Google's consent mode (K8).

use std::sync::OnceLock;

use askama::Template;
use bytes::Bytes;

use super::google;
use super::snippet::rendered;
use crate::config::Consent;
use crate::consent::{Policy, PurposeSet};

#[derive(Template)]
#[template(path = "first.html", config = "static/privacy/askama.toml")]
struct Markup<'a> {
    path: &'a str,
    /// The storage types that are granted; nothing where the mode is off.
    granted: Option<&'a str>,
    ask: bool,
    nonce: Option<&'a str>,
}

/// The snippets, made when they are first needed: one for each set of purposes, with and without the banner.
pub(super) struct First(Box<[OnceLock<Bytes>; 512]>);

impl First {
    pub(super) fn new() -> First {
        First(Box::new([const { OnceLock::new() }; 512]))
    }

    /// For a page of a visitor who permits `permitted`; `ask` is whether the banner is on it.
    pub(super) fn of(
        &self,
        consent: &Consent,
        policy: &Policy,
        permitted: PurposeSet,
        ask: bool,
        nonce: Option<&str>,
    ) -> Bytes {
        let google = consent.google_consent_mode;
        let make = |nonce| {
            let granted = google.then(|| google::granted(policy, permitted).join(" "));
            rendered(&Markup { path: &consent.path, granted: granted.as_deref(), ask, nonce })
        };
        // Without the mode it is the same for everyone.
        let place = if google { usize::from(permitted.bits()) << 1 | usize::from(ask) } else { 0 };
        match (nonce, self.0.get(place)) {
            (None, Some(place)) => place.get_or_init(|| make(None)).clone(),
            (nonce, _) => make(nonce),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rule_k8_the_snippet_names_what_is_granted_and_whether_tags_should_wait() {
        let policy = Policy::default();
        let first = |google_consent_mode, permitted: &[usize], ask, nonce| {
            let consent = Consent { google_consent_mode, ..Consent::default() };
            let permitted = PurposeSet::of(permitted.iter().copied());
            String::from_utf8(First::new().of(&consent, &policy, permitted, ask, nonce).to_vec()).unwrap()
        };
        let link = "<link rel=\"stylesheet\" href=\"/_privacy/banner.css\"/>";
        assert_eq!(first(false, &[0, 2], true, None), link);
        assert_eq!(
            first(true, &[0], true, None),
            format!(
                "{link}<script src=\"/_privacy/consent-mode.js\" data-granted=\"security_storage\" data-ask=\"\"></script>"
            )
        );
        let all = first(true, &[0, 1, 2, 3], false, Some("n0nce"));
        assert!(all.contains("ad_storage") && !all.contains("data-ask"), "{all}");
        assert_eq!(all.matches(" nonce=\"n0nce\"").count(), 2, "{all}");
    }
}
