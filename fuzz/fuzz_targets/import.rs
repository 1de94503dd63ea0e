//! `Cookie` headers, one on each line, as every consent manager's adapter reads them: what is granted was granted by the field
//! that says that the visitor acted, in the site's period, and never denied at once.
#![no_main]

use std::sync::LazyLock;

use consentry::consent::import::{Import, Manager};
use consentry::consent::{Policy, PurposeSet};
use libfuzzer_sys::fuzz_target;

const NOW: u64 = 1_769_083_200;
const LIFE: u64 = 182 * 86_400;

static IMPORTS: LazyLock<Vec<Import>> = LazyLock::new(|| {
    let policy = Policy::default();
    let import = |manager: Manager| {
        let categories = match manager {
            Manager::Klaro => vec![("matomo".to_owned(), 2)],
            Manager::Tarteaucitron => vec![("gtag".to_owned(), 2)],
            Manager::Didomi => vec![("ads".to_owned(), 3)],
            Manager::Axeptio => vec![("ga".to_owned(), 2)],
            Manager::HubSpot => vec![("1".to_owned(), 2)],
            Manager::Zaraz => vec![("rsdk".to_owned(), 2)],
            usual => Import::usual(usual, &policy),
        };
        Import::new(manager, None, None, categories, &policy).expect("can be believed")
    };
    Manager::ALL.into_iter().map(import).collect()
});

/// What must be in a request for a grant: the cookies and the words of the fields that say that the visitor acted.
fn words(manager: Manager) -> &'static [&'static str] {
    match manager {
        Manager::CookieConsent3 => &["cc_cookie", "consentId", "lastConsentTimestamp", "consentTimestamp"],
        Manager::CookieConsent2 => &["cc_cookie", "consent_uuid", "consent_date"],
        Manager::Klaro => &["klaro", "matomo", "true"],
        Manager::Tarteaucitron => &["tarteaucitron", "!gtag=true"],
        Manager::C15t => &["c15t", "i.t:", ":1"],
        Manager::Cookiebot => &["CookieConsent", "method:'explicit'", "utc:"],
        Manager::OneTrust => &["OptanonConsent", "OptanonAlertBoxClosed", "AwaitingReconsent=false", "groups="],
        Manager::Didomi => &["didomi_token"],
        Manager::Tcf => &["consent-v2"],
        Manager::Civic => &["CookieControl", "interactedWith", "accepted"],
        Manager::NhsUk => &["nhsuk-cookie-consent", "consented", "true"],
        Manager::CookieYes => &["cookieyes-consent", "action:yes", "consent:yes"],
        Manager::Complianz => &["cmplz_banner-status", "dismissed", "allow"],
        Manager::Axeptio => &["axeptio_cookies", "$$completed", "$$date", "true"],
        Manager::HubSpot => &["__hs_cookie_cat_pref", "1:true"],
        Manager::Zaraz => &["cf_consent", "rsdk", "true"],
    }
}

fuzz_target!(|bytes: &[u8]| {
    let plain = percent_decoded(bytes);
    for import in IMPORTS.iter() {
        let manager = import.manager();
        let named = [manager.cookies()[0].as_bytes(), b"=", bytes].concat();
        for (lines, decoded) in [(bytes, plain.clone()), (&named[..], percent_decoded(&named))] {
            let Some(imported) = import.read(lines.split(|byte| *byte == b'\n'), NOW, LIFE) else { continue };
            assert_eq!(imported.granted.intersect(imported.denied), PurposeSet::default());
            assert!(imported.at.is_none_or(|at| at <= NOW + 300 && NOW - at.min(NOW) < LIFE), "{imported:?}");
            // JSON may write a word's letters as escapes.
            if imported.granted != PurposeSet::default() && !decoded.contains('\\') {
                for word in words(manager) {
                    assert!(decoded.contains(word), "{}: granted without {word}", manager.word());
                }
            }
        }
    }
});

/// Every `%` with two hex digits after it.
fn percent_decoded(bytes: &[u8]) -> String {
    let mut decoded = Vec::new();
    let mut rest = bytes;
    while let Some((&first, after)) = rest.split_first() {
        let hex = |at: usize| after.get(at).and_then(|digit| char::from(*digit).to_digit(16));
        match (first, hex(0), hex(1)) {
            (b'%', Some(high), Some(low)) => {
                decoded.push((high * 16 + low) as u8);
                rest = &after[2..];
            }
            _ => {
                decoded.push(first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}
