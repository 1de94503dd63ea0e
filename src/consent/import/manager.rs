//! The consent managers whose cookies are understood: their words in the configuration, the cookies they write by default,
//! and what their own categories usually mean.

use super::{ImportError, Said, Version};
use super::{cookiebot, entries, json, tcf};

/// A consent manager.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Manager {
    /// CookieConsent (vanilla-cookieconsent) 3.
    CookieConsent3,
    /// CookieConsent (vanilla-cookieconsent) 2.
    CookieConsent2,
    /// Klaro.
    Klaro,
    /// tarteaucitron.
    Tarteaucitron,
    /// c15t 2.
    C15t,
    /// Cookiebot.
    Cookiebot,
    /// OneTrust.
    OneTrust,
    /// Didomi, by its `didomi_token`.
    Didomi,
    /// Any manager that writes a TC string of IAB's Transparency and Consent Framework 2.
    Tcf,
    /// Civic Cookie Control.
    Civic,
    /// NHS.UK's cookie consent.
    NhsUk,
    /// CookieYes.
    CookieYes,
    /// Complianz.
    Complianz,
    /// Axeptio.
    Axeptio,
    /// HubSpot.
    HubSpot,
    /// Cloudflare Zaraz.
    Zaraz,
}

/// What is known of a manager.
struct Facts {
    manager: Manager,
    word: &'static str,
    /// The cookies that hold a choice, where the site gave them no other name.
    cookies: &'static [&'static str],
    /// What its cookie says of the version that was agreed to.
    version: Option<Version>,
    /// Category and the purpose it usually stands for.
    usual: &'static [(&'static str, &'static str)],
    /// How its choice is read.
    read: Read,
}

/// Where a manager's choice is read from.
#[derive(Clone, Copy)]
pub(super) enum Read {
    /// One cookie: its value, and what it is held to.
    Value(fn(&[u8], &Site<'_>) -> Option<Said>),
    /// OneTrust's two cookies.
    OneTrust,
    /// Complianz's cookies, one for each category.
    Complianz,
}

/// What a cookie is held to.
pub(super) struct Site<'s> {
    /// The version the site declares, where it declares one.
    pub version: Option<&'s str>,
    /// The time, in seconds since 1970.
    pub now: u64,
}

const FACTS: [Facts; 16] = [
    Facts {
        manager: Manager::CookieConsent3,
        word: "cookieconsent-v3",
        cookies: &["cc_cookie"],
        version: Some(Version::Whole),
        usual: &[("analytics", "analytics")],
        read: Read::Value(json::cookie_consent_3),
    },
    Facts {
        manager: Manager::CookieConsent2,
        word: "cookieconsent-v2",
        cookies: &["cc_cookie"],
        version: Some(Version::Whole),
        usual: &[("analytics", "analytics")],
        read: Read::Value(json::cookie_consent_2),
    },
    Facts {
        manager: Manager::Klaro,
        word: "klaro",
        cookies: &["klaro"],
        version: None,
        usual: &[],
        read: Read::Value(json::klaro),
    },
    Facts {
        manager: Manager::Tarteaucitron,
        word: "tarteaucitron",
        cookies: &["tarteaucitron"],
        version: None,
        usual: &[],
        read: Read::Value(entries::tarteaucitron),
    },
    Facts {
        manager: Manager::C15t,
        word: "c15t",
        cookies: &["c15t"],
        version: Some(Version::Text),
        usual: &[("functionality", "preferences"), ("measurement", "analytics"), ("marketing", "marketing")],
        read: Read::Value(entries::c15t),
    },
    Facts {
        manager: Manager::Cookiebot,
        word: "cookiebot",
        cookies: &["CookieConsent"],
        version: Some(Version::Whole),
        usual: &[("preferences", "preferences"), ("statistics", "analytics"), ("marketing", "marketing")],
        read: Read::Value(cookiebot::read),
    },
    Facts {
        manager: Manager::OneTrust,
        word: "onetrust",
        cookies: &["OptanonConsent"],
        version: None,
        usual: &[("C0003", "preferences"), ("C0002", "analytics"), ("C0004", "marketing")],
        read: Read::OneTrust,
    },
    Facts {
        manager: Manager::Didomi,
        word: "didomi",
        cookies: &["didomi_token"],
        version: None,
        usual: &[],
        read: Read::Value(json::didomi),
    },
    Facts {
        manager: Manager::Tcf,
        word: "tcf",
        cookies: &["euconsent-v2", "eupubconsent-v2"],
        version: None,
        usual: &[
            ("8", "analytics"),
            ("9", "analytics"),
            ("2", "marketing"),
            ("3", "marketing"),
            ("4", "marketing"),
            ("7", "marketing"),
        ],
        read: Read::Value(tcf::read),
    },
    Facts {
        manager: Manager::Civic,
        word: "civic",
        cookies: &["CookieControl"],
        version: Some(Version::Text),
        usual: &[("analytics", "analytics"), ("marketing", "marketing")],
        read: Read::Value(json::civic),
    },
    Facts {
        manager: Manager::NhsUk,
        word: "nhsuk",
        cookies: &["nhsuk-cookie-consent"],
        version: Some(Version::Whole),
        usual: &[("preferences", "preferences"), ("statistics", "analytics"), ("marketing", "marketing")],
        read: Read::Value(json::nhs_uk),
    },
    Facts {
        manager: Manager::CookieYes,
        word: "cookieyes",
        cookies: &["cookieyes-consent"],
        version: None,
        usual: &[("functional", "preferences"), ("analytics", "analytics"), ("advertisement", "marketing")],
        read: Read::Value(entries::cookie_yes),
    },
    Facts {
        manager: Manager::Complianz,
        word: "complianz",
        cookies: &["cmplz_"],
        version: Some(Version::Whole),
        usual: &[("preferences", "preferences"), ("statistics", "analytics"), ("marketing", "marketing")],
        read: Read::Complianz,
    },
    Facts {
        manager: Manager::Axeptio,
        word: "axeptio",
        cookies: &["axeptio_cookies"],
        version: Some(Version::Text),
        usual: &[],
        read: Read::Value(json::axeptio),
    },
    Facts {
        manager: Manager::HubSpot,
        word: "hubspot",
        cookies: &["__hs_cookie_cat_pref"],
        version: None,
        usual: &[],
        read: Read::Value(entries::hub_spot),
    },
    Facts {
        manager: Manager::Zaraz,
        word: "zaraz",
        cookies: &["cf_consent"],
        version: None,
        usual: &[],
        read: Read::Value(json::zaraz),
    },
];

impl Manager {
    /// All of them.
    pub const ALL: [Manager; FACTS.len()] = {
        let mut all = [Manager::Klaro; FACTS.len()];
        let mut place = 0;
        while place < all.len() {
            all[place] = FACTS[place].manager;
            place += 1;
        }
        all
    };

    /// The word for it in the configuration and in the ledger (`import:WORD`).
    pub fn word(self) -> &'static str {
        self.facts().word
    }

    /// The manager a word stands for.
    pub fn from_word(word: &str) -> Option<Manager> {
        FACTS.iter().find(|facts| facts.word == word).map(|facts| facts.manager)
    }

    /// The cookies that hold a choice where the site gave them no other name; of Complianz's, which has one for each
    /// category, the beginning.
    pub fn cookies(self) -> &'static [&'static str] {
        self.facts().cookies
    }

    /// Its categories with the purposes they usually stand for; empty where a site names its services itself.
    pub fn usual(self) -> &'static [(&'static str, &'static str)] {
        self.facts().usual
    }

    /// Whether its cookie says which version was agreed to.
    pub fn has_version(self) -> bool {
        self.version().is_some()
    }

    /// What its cookie says of the version that was agreed to; nothing where it says none.
    pub(super) fn version(self) -> Option<Version> {
        self.facts().version
    }

    pub(super) fn reader(self) -> Read {
        self.facts().read
    }

    /// Whether `category` can be one of its categories at all.
    pub(super) fn check_category(self, category: &str) -> Result<(), ImportError> {
        let right = match self {
            Manager::Tcf => category.parse().is_ok_and(|purpose: u8| (1..=tcf::PURPOSES).contains(&purpose)),
            _ => (1..=128).contains(&category.len()) && !category.contains(char::is_control),
        };
        if right { Ok(()) } else { Err(ImportError::Category(category.to_owned(), self.word())) }
    }

    fn facts(self) -> &'static Facts {
        FACTS.iter().find(|facts| facts.manager == self).expect("every manager has its facts")
    }
}
