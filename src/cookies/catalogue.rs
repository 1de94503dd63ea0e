//! The declared cookies (K1): which purpose a cookie serves, by its name.

use crate::config::DeclaredCookie;
use crate::consent::{PurposeSet, choice};

/// The cookie of the visitor's pseudonymous id.
pub const VISITOR: &str = "consentry_visitor";
/// The cookie of the running visit.
pub const VISIT: &str = "consentry_visit";

/// What every cookie of ours begins with; a site's cookie may not be called so.
const OURS: &[u8] = b"consentry";

/// Every cookie whose purpose is known, for look-up by name.
#[derive(Clone, Debug, Default)]
pub struct Catalogue {
    /// Sorted by name.
    exact: Vec<(Box<[u8]>, usize)>,
    /// The longest first, so that the first hit is the closest.
    prefixes: Vec<(Box<[u8]>, usize)>,
    /// Where some of them lie, as declared.
    places: Vec<DeclaredPlace>,
}

/// Where a declared cookie lies in a browser.
#[derive(Clone, Debug)]
pub(super) struct DeclaredPlace {
    /// Its name, or the beginning of it.
    pub name: Box<[u8]>,
    /// Whether it is the beginning.
    pub prefix: bool,
    /// Its path, where one is declared.
    pub path: Option<Box<str>>,
    /// Its domain, where one is declared.
    pub domain: Option<Box<str>>,
}

impl Catalogue {
    /// The catalogue of the `declared` cookies and our own. `analytics` is the index of that purpose, if the site asks for
    /// it ([`Policy::analytics`](crate::consent::Policy::analytics)); without it our visitor and visit cookies are permitted
    /// to nobody.
    pub fn new(declared: &[DeclaredCookie], analytics: Option<usize>) -> Catalogue {
        let named = |prefix: bool| {
            let cookies = declared.iter().filter(move |cookie| cookie.prefix == prefix);
            cookies.map(|cookie| (Box::<[u8]>::from(cookie.name.as_bytes()), cookie.purpose))
        };
        let mut exact: Vec<(Box<[u8]>, usize)> = named(false).filter(|(name, _)| !is_ours(name)).collect();
        exact.extend([choice::COOKIE, choice::HOST_COOKIE, choice::TWIN].map(|name| (name.as_bytes().into(), 0)));
        if let Some(analytics) = analytics {
            exact.extend([VISITOR, VISIT].map(|name| (name.as_bytes().into(), analytics)));
        }
        exact.sort();
        let mut prefixes: Vec<(Box<[u8]>, usize)> = named(true).collect();
        prefixes.sort_by(|(a, _), (b, _)| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        let placed = declared.iter().filter(|cookie| cookie.path.is_some() || cookie.domain.is_some());
        let places = placed.map(|cookie| DeclaredPlace {
            name: cookie.name.as_bytes().into(),
            prefix: cookie.prefix,
            path: cookie.path.as_deref().map(Into::into),
            domain: cookie.domain.as_deref().map(Into::into),
        });
        Catalogue { exact, prefixes, places: places.collect() }
    }

    /// The names that are declared as they stand, and ours.
    pub(super) fn exact(&self) -> impl Iterator<Item = &[u8]> {
        self.exact.iter().map(|(name, _)| &**name)
    }

    /// Whether `name` is declared as it stands.
    pub(super) fn is_exact(&self, name: &[u8]) -> bool {
        self.exact.binary_search_by(|(declared, _)| declared.as_ref().cmp(name)).is_ok()
    }

    /// Where cookies lie whose path or domain is declared.
    pub(super) fn places(&self) -> &[DeclaredPlace] {
        &self.places
    }

    /// The index of the purpose a cookie called `name` serves: an exact declaration before a prefix, a long prefix before a
    /// short one. Names are case-sensitive (RFC 6265 §5.3); white space around them must be gone.
    pub fn purpose(&self, name: &[u8]) -> Option<usize> {
        if let Ok(found) = self.exact.binary_search_by(|(declared, _)| declared.as_ref().cmp(name)) {
            return self.exact.get(found).map(|(_, purpose)| *purpose);
        }
        // A declared beginning vouches for a rest that cannot mean two things. Ours have no prefixes.
        if !name.iter().all(|&byte| is_plain(byte)) || is_ours(name) {
            return None;
        }
        self.prefixes.iter().find(|(prefix, _)| name.starts_with(prefix)).map(|(_, purpose)| *purpose)
    }

    /// Whether a cookie called `name` may exist under what is permitted. What is not declared may not.
    pub fn permits(&self, name: &[u8], permitted: PurposeSet) -> bool {
        !name.is_empty() && self.purpose(name).is_some_and(|purpose| permitted.contains(purpose))
    }

    /// Whether `name` is one of our own cookies' or could be taken for it.
    pub fn is_ours(&self, name: &[u8]) -> bool {
        is_ours(name)
    }

    /// Whether a cookie hides behind a comma in `text`, where servers and clients of the old school see one (RFC 2109 §4.3.4):
    /// one that is ours, or declared and not permitted, with an `=` behind its name. Values may well hold commas, so neither an
    /// unknown name nor a name alone proves anything.
    pub(super) fn hides_forbidden(&self, text: &[u8], permitted: PurposeSet) -> bool {
        let Some(comma) = memchr::memchr(b',', text) else { return false };
        let behind = text.get(comma + 1..).unwrap_or_default();
        behind
            .split(|&byte| byte == b',' || byte == b';')
            .filter_map(super::pairs::name)
            .any(|name| is_ours(name) || self.purpose(name).is_some_and(|purpose| !permitted.contains(purpose)))
    }
}

fn is_ours(name: &[u8]) -> bool {
    // Most names are told from ours by their first byte.
    if !matches!(name.first(), Some(b'_' | b'c' | b'C')) {
        return false;
    }
    let bare = ["__Host-", "__Secure-"].iter().find_map(|prefix| strip(name, prefix.as_bytes())).unwrap_or(name);
    strip(bare, OURS).is_some()
}

/// `name` without `prefix`, whatever their case: browsers compare the two prefixes so.
fn strip<'a>(name: &'a [u8], prefix: &[u8]) -> Option<&'a [u8]> {
    let (start, rest) = name.split_at_checked(prefix.len())?;
    start.eq_ignore_ascii_case(prefix).then_some(rest)
}

/// Whether a byte in a name is read alike by everybody: visible ASCII without the separators of cookies and lists.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_graphic() && !matches!(byte, b',' | b';' | b'"' | b'=' | b'\\')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn declared(name: &str, purpose: usize) -> DeclaredCookie {
        let prefix = name.ends_with('*');
        let name = name.trim_end_matches('*').to_owned();
        DeclaredCookie { name, prefix, purpose, ..DeclaredCookie::default() }
    }

    fn catalogue() -> Catalogue {
        let cookies = [("sid", 0), ("_g*", 3), ("_ga*", 2), ("_ga_x", 1), ("wp*", 0), ("consentry_x", 0), ("con*", 0)];
        Catalogue::new(&cookies.map(|(name, purpose)| declared(name, purpose)), Some(2))
    }

    #[test]
    fn rule_k1_the_closest_declaration_counts() {
        let catalogue = catalogue();
        let purpose = |name: &str| catalogue.purpose(name.as_bytes());
        assert_eq!(purpose("sid"), Some(0));
        assert_eq!(
            (purpose("_ga_x"), purpose("_ga_y"), purpose("_ga"), purpose("_gid")),
            (Some(1), Some(2), Some(2), Some(3))
        );
    }

    #[test]
    fn rule_k1_an_undeclared_cookie_has_no_purpose() {
        let catalogue = catalogue();
        let all = PurposeSet::of(0..8);
        for name in ["", "SID", "sid2", "si", "_fbp", " sid", "wp,sid", "wp\"", "wp x", "wp\u{a0}", "wp=", "wp\\"] {
            assert_eq!(catalogue.purpose(name.as_bytes()), None, "{name}");
            assert!(!catalogue.permits(name.as_bytes(), all), "{name}");
        }
        assert!(catalogue.permits(b"wp-settings[1]", all));
    }

    #[test]
    fn our_own_cookies_are_built_in_and_nobody_elses() {
        let catalogue = catalogue();
        assert_eq!(catalogue.purpose(b"consentry"), Some(0));
        assert_eq!((catalogue.purpose(VISITOR.as_bytes()), catalogue.purpose(VISIT.as_bytes())), (Some(2), Some(2)));
        assert_eq!(Catalogue::new(&[], None).purpose(VISITOR.as_bytes()), None);
        // A declaration cannot take them over, neither by name nor by prefix.
        assert_eq!(catalogue.purpose(b"consentry_x"), None);
        assert_eq!(catalogue.purpose(b"consentry_y"), None);
        assert_eq!(catalogue.purpose(b"conference"), Some(0));
        for name in ["consentry", "consentry_visit", "Consentry", "__Host-consentry", "__secure-CONSENTRY_x"] {
            assert!(catalogue.is_ours(name.as_bytes()), "{name}");
        }
        assert!(!catalogue.is_ours(b"my_consentry") && !catalogue.is_ours(b"__Host-"));
    }
}
