//! Path classes (D3): what a visitor reads about a health condition is kept as the kind of page it was, not as the condition.
//!
//! | pattern | matches | kept as, for the class `health` |
//! |---|---|---|
//! | `/conditions/*` | `/conditions/asthma`, `/Conditions//asthma/children/` | `/conditions/[health]` |
//! | `/clinics/*/services/**` | `/clinics/leeds/services/ivf/prices` | `/clinics/[health]/services/[health]` |
//! | `/clinics/*/about` | `/clinics/leeds/about` | `/clinics/[health]/about` |
//! | `/fertility` | `/fertility` alone | `/[health]` |
//!
//! A `*` between other segments is one segment; at the end it is the whole rest, and `**` is another way to write that. The
//! rest has one segment at least: `/conditions` itself says nothing of a condition and is not matched by `/conditions/*`.

use super::{decode, url};

/// The longest pattern, in bytes; longer than the longest path that is kept can never match.
const LONGEST_PATTERN: usize = 512;
/// The longest name of a class, in bytes.
const LONGEST_CLASS: usize = 40;

/// One line of the configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PathClass {
    /// A path with `*` for what differs, as in the table above; in any letter case.
    pub pattern: String,
    /// What stands for it: small letters and hyphens, at most 40 bytes, as in `health`.
    pub class: String,
    /// The path is kept beside its class, scrubbed like any other. Off by default: the path is the condition.
    pub keep_path: bool,
    /// The index of the purpose a visitor must have granted beside analytics, where such pages have one of their own (C3).
    pub needs: Option<usize>,
}

/// Why a line of the configuration cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathClassError {
    /// It can match no path.
    #[error(
        "the pattern {0:?} does not begin with `/` or is longer than {LONGEST_PATTERN} bytes; write it as in `/conditions/*`"
    )]
    NotAPath(String),
    /// A `*` beside other characters, or `**` before other segments.
    #[error(
        "in the pattern {0:?} a `*` is not a whole segment, or `**` is not the last; write it as in `/clinics/*/services/**`"
    )]
    Wildcard(String),
    /// The name would not be told from a page's own words.
    #[error(
        "the class {0:?} has something other than small letters and hyphens, or is longer than {LONGEST_CLASS} bytes; write it as in `health`"
    )]
    Class(String),
}

/// The classes of a site, in the order in which they are tried.
#[derive(Clone, Debug, Default)]
pub struct PathClasses {
    rules: Vec<Rule>,
    /// Whether any of them has a purpose of its own.
    any_needs: bool,
}

#[derive(Clone, Debug)]
struct Rule {
    class: String,
    needs: Option<usize>,
    /// What is kept in place of the path; nothing where the path itself is.
    shown: Option<String>,
    steps: Vec<Step>,
    takes_rest: bool,
}

#[derive(Clone, Debug)]
enum Step {
    /// In small letters.
    Word(String),
    Any,
}

/// What a path turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Match<'c> {
    /// The class's name.
    pub class: &'c str,
    /// What is kept of the path, without a query: at most 512 bytes.
    pub shown_path: String,
    /// The index of the purpose that must be granted beside analytics.
    pub needs: Option<usize>,
}

impl PathClasses {
    /// Reads the configuration's lines; the first that matches a path decides.
    pub fn new(classes: Vec<PathClass>) -> Result<PathClasses, PathClassError> {
        let rules = classes.into_iter().map(Rule::new).collect::<Result<Vec<_>, _>>()?;
        let any_needs = rules.iter().any(|rule| rule.needs.is_some());
        Ok(PathClasses { rules, any_needs })
    }

    /// The index of the purpose that must be granted beside analytics for what is captured at `path`, if there is one.
    pub fn needs(&self, path: &str) -> Option<usize> {
        self.any_needs.then(|| self.classify(path)?.needs).flatten()
    }

    /// The class of a path: a page's, a referrer's on this site, an outbound link's. Takes it raw or scrubbed, with or without
    /// a query, and compares what a server would: decoded however often it was encoded, in any letter case, without empty segments, `.`,
    /// `..` and `;parameters`. Nothing where no pattern matches; the path is kept as [`scrub_path`](super::scrub_path) leaves it then.
    pub fn classify(&self, path: &str) -> Option<Match<'_>> {
        if self.rules.is_empty() {
            return None;
        }
        let decoded = decode::plain(url::split(path).0);
        let segments = segments(&decoded);
        let rule = self.rules.iter().find(|rule| rule.matches(&segments))?;
        let shown_path = rule.shown.clone().unwrap_or_else(|| url::path_only(url::split(path).0));
        Some(Match { class: &rule.class, shown_path, needs: rule.needs })
    }
}

impl Rule {
    fn new(class: PathClass) -> Result<Rule, PathClassError> {
        let PathClass { pattern, class, keep_path, needs } = class;
        let is_class = |b: u8| b.is_ascii_lowercase() || b == b'-';
        if !class.bytes().all(is_class) || !(1..=LONGEST_CLASS).contains(&class.len()) {
            return Err(PathClassError::Class(class));
        }
        if !pattern.starts_with('/') || pattern.len() > LONGEST_PATTERN {
            return Err(PathClassError::NotAPath(pattern));
        }
        let decoded = decode::plain(&pattern);
        let words = segments(&decoded);
        let last = words.len().saturating_sub(1);
        let mut steps = Vec::with_capacity(words.len());
        for (i, word) in words.iter().enumerate() {
            steps.push(match *word {
                "*" => Step::Any,
                "**" if i == last => Step::Any,
                word if word.contains('*') => return Err(PathClassError::Wildcard(pattern)),
                word => Step::Word(word.to_lowercase()),
            });
        }
        let takes_rest = matches!(steps.last(), Some(Step::Any));
        let shown = (!keep_path).then(|| shown(&steps, &class));
        Ok(Rule { class, needs, shown, steps, takes_rest })
    }

    fn matches(&self, segments: &[&str]) -> bool {
        let fits =
            if self.takes_rest { segments.len() >= self.steps.len() } else { segments.len() == self.steps.len() };
        fits && self.steps.iter().zip(segments).all(|(step, segment)| match step {
            Step::Any => true,
            Step::Word(word) => is_word(segment, word),
        })
    }
}

/// What stands for the paths of a rule. Without a wildcard the pattern is the very page that is not to be kept.
fn shown(steps: &[Step], class: &str) -> String {
    if steps.iter().all(|step| matches!(step, Step::Word(_))) {
        return format!("/[{class}]");
    }
    let segment = |step: &Step| match step {
        Step::Word(word) => format!("/{word}"),
        Step::Any => format!("/[{class}]"),
    };
    url::path_only(&steps.iter().map(segment).collect::<String>().replace('%', "%25"))
}

fn is_word(segment: &str, small: &str) -> bool {
    segment.eq_ignore_ascii_case(small) || !segment.is_ascii() && segment.to_lowercase() == small
}

/// The segments of a decoded path as a server understands them (RFC 3986 §5.2.4, §3.3 for the parameters).
fn segments(decoded: &str) -> Vec<&str> {
    let mut segments = Vec::with_capacity(8);
    for segment in decoded.split(['/', '\\']) {
        let segment = segment.split(';').next().unwrap_or_default().trim_matches(' ');
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop();
            }
            segment => segments.push(segment),
        }
    }
    segments
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn class(pattern: &str, class: &str, keep_path: bool) -> PathClass {
        PathClass { pattern: pattern.into(), class: class.into(), keep_path, needs: None }
    }

    fn classes() -> PathClasses {
        PathClasses::new(vec![
            class("/conditions/a-to-z", "index", true),
            class("/conditions/*", "health", false),
            class("/Clinics/*/services/**", "service", false),
            class("/clinics/*/about", "clinic", true),
            class("/santé/*", "health", false),
            class("/fertility", "health", false),
        ])
        .unwrap()
    }

    #[test]
    fn rule_d3_a_condition_is_kept_as_its_class() {
        let classes = classes();
        let of = |path| classes.classify(path).map(|m| format!("{} {}", m.class, m.shown_path));
        for (path, want) in [
            ("/conditions/asthma", Some("health /conditions/[health]")),
            ("/conditions/asthma/children/inhalers", Some("health /conditions/[health]")),
            ("/conditions/asthma?ref=1#top", Some("health /conditions/[health]")),
            ("https://www.example.com/conditions/asthma", Some("health /conditions/[health]")),
            ("/CONDITIONS/Asthma/", Some("health /conditions/[health]")),
            ("//conditions///asthma", Some("health /conditions/[health]")),
            ("/./conditions/./asthma", Some("health /conditions/[health]")),
            ("/blog/../conditions/asthma", Some("health /conditions/[health]")),
            ("/conditions;v=1/asthma;jsessionid=1", Some("health /conditions/[health]")),
            ("/;x/conditions/asthma", Some("health /conditions/[health]")),
            ("\\conditions\\asthma", Some("health /conditions/[health]")),
            ("/conditions%2Fasthma", Some("health /conditions/[health]")),
            ("/%63onditions/asthma", Some("health /conditions/[health]")),
            ("/%2563onditions%252Fasthma", Some("health /conditions/[health]")),
            ("/c%EF%BD%8Fnditions/asthma", Some("health /conditions/[health]")),
            ("/con\u{200b}ditions/asthma", Some("health /conditions/[health]")),
            ("/conditions /asthma", Some("health /conditions/[health]")),
            ("/conditions/jane@example.com", Some("health /conditions/[health]")),
            ("/conditions/../conditions/hiv", Some("health /conditions/[health]")),
            ("/conditions/A-to-Z", Some("index /conditions/A-to-Z")),
            ("/conditions/a-to-z/x", Some("health /conditions/[health]")),
            ("/clinics/leeds/services/ivf", Some("service /clinics/[service]/services/[service]")),
            ("/clinics/leeds/services/ivf/prices", Some("service /clinics/[service]/services/[service]")),
            ("/clinics/leeds/about?x=1", Some("clinic /clinics/leeds/about")),
            ("/clinics/jane@example.com/about", Some("clinic /clinics/[email]/about")),
            ("/SANT%C3%89/asthme", Some("health /santé/[health]")),
            ("/fertility/", Some("health /[health]")),
            ("/conditions", None),
            ("/conditions/", None),
            ("/conditions/.", None),
            ("/conditions/asthma/..", None),
            ("/clinics/leeds/services", None),
            ("/clinics/leeds/nhs/about", None),
            ("/en/conditions/asthma", None),
            ("/fertility/prices", None),
            ("/conditions%3Fx/asthma", None),
            ("/search?q=/conditions/asthma", None),
            ("/", None),
            ("", None),
        ] {
            assert_eq!(of(path).as_deref(), want, "{path}");
        }
        assert_eq!(PathClasses::default().classify("/conditions/asthma"), None);
    }

    #[test]
    fn what_cannot_match_is_an_error_of_the_configuration() {
        let refusal = |pattern: &str, name: &str| PathClasses::new(vec![class(pattern, name, false)]).unwrap_err();
        assert_eq!(refusal("conditions/*", "health"), PathClassError::NotAPath("conditions/*".into()));
        assert_eq!(refusal("", "health"), PathClassError::NotAPath("".into()));
        for pattern in ["/a*", "/a/*b/c", "/a/**/b", "/***"] {
            assert_eq!(refusal(pattern, "health"), PathClassError::Wildcard(pattern.into()));
        }
        for name in ["", "Health", "b12", "[x]", "a b", &"x".repeat(41)] {
            assert_eq!(refusal("/a/*", name), PathClassError::Class(name.into()));
        }
    }

    proptest! {
        #[test]
        fn a_disguised_condition_is_still_classed_and_never_shown(
            case in proptest::collection::vec(any::<bool>(), 10),
            gaps in proptest::collection::vec(proptest::sample::select(&["/", "//", "/./", "/x/../", "%2F", "/;p=1/", "\\", "%252f"][..]), 2),
            encode in proptest::collection::vec(0u8..3, 10),
            condition in "[a-z]{6,12}(/[a-z]{1,8}){0,3}",
        ) {
            let word: String = "conditions".chars().zip(case).zip(encode).map(|((c, up), layers)| {
                let c = if up { c.to_ascii_uppercase() } else { c };
                match layers { 0 => c.to_string(), 1 => format!("%{:02x}", c as u32), _ => format!("%25{:02X}", c as u32) }
            }).collect();
            let classes = PathClasses::new(vec![class("/conditions/*", "health", false)]).unwrap();
            let path = format!("{}{word}{}{condition}", gaps[0], gaps[1]);
            let found = classes.classify(&path).expect("is a condition");
            prop_assert_eq!(&found.shown_path, "/conditions/[health]");
        }

        #[test]
        fn any_path_is_classed_in_bounds_and_as_its_scrubbed_form_is(path in "(/(conditions|clinics|services|about|[a-z.;%0-9]{0,4}|.{0,3})){0,6}") {
            let classes = classes();
            let raw = classes.classify(&path);
            if let Some(found) = &raw {
                prop_assert!(found.shown_path.len() <= 512 && found.shown_path.starts_with('/'));
            }
            let scrubbed = super::super::scrub_path(&crate::pseudonym::RawUrl::new(&path), &[]);
            prop_assert_eq!(raw, classes.classify(&scrubbed));
        }
    }
}
