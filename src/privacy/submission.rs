//! What a visitor's post says, read strictly: what is not understood changes nothing.
//!
//! As a form (`application/x-www-form-urlencoded`):
//! * `choice=accept` or `choice=reject`: everything that is asked, or nothing of it;
//! * `choice=save` with `purpose=ID` (any number of times) or `purpose.ID=yes|no`: what is named is granted, the
//!   rest refused;
//! * `under_16=yes|no`: the visitor declares to be under 16 (C11), or takes that back;
//! * `source=banner|preferences|withdrawal|api`: where it was chosen (default `api`);
//! * `form`: what our own forms say of themselves (`privacy/form.rs`);
//! * `return=/path`: the page to go back to.
//!
//! As JSON: `{"choice":"accept"}`, `{"choice":"reject"}` or `{"granted":["analytics"]}`, each with an optional
//! `"under_16"` (true or false), `"source"` and `"form"`. `{"under_16":true}` alone is a declaration.

use serde::Deserialize;

use crate::consent::{ChoiceSource, Policy, PurposeSet};

/// The largest body that is read, in bytes.
pub const MAX_BODY: usize = 8 * 1024;

/// A choice as it was posted.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Submission {
    pub(super) granted: PurposeSet,
    pub(super) source: ChoiceSource,
    /// What the visitor says of being under 16, if anything.
    pub(super) under_16: Option<bool>,
    /// The field of our own forms, not yet checked.
    pub(super) form: Option<String>,
    /// The page to go back to, as asked for and not yet checked.
    pub(super) way_back: Option<String>,
}

/// Why a post is no choice. Nothing that was sent is repeated but names that are ours or the site's (D1).
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum SubmissionError {
    /// Too long.
    #[error("The request has {0} bytes; at most {MAX_BODY} are read.")]
    TooLong(usize),
    /// Neither a form nor JSON.
    #[error("Send the choice as application/x-www-form-urlencoded or as application/json.")]
    Type,
    /// Not JSON of the right shape.
    #[error(
        "The JSON is not a choice ({0}). Send {{\"choice\":\"accept\"}}, {{\"choice\":\"reject\"}} or \
         {{\"granted\":[\"PURPOSE\"]}}, with under_16, source and form beside it or without."
    )]
    Json(String),
    /// No choice in it, or no known one.
    #[error("The field `choice` must be there once, as accept, reject or save.")]
    Choice,
    /// A form field that nobody knows.
    #[error("A field is not known; these are: choice, purpose, purpose.ID, under_16, source, form and return.")]
    Unknown,
    /// A form field, one of those, that says nothing.
    #[error("The field `{0}` is there twice, is neither yes nor no, or does not go with this choice.")]
    Field(String),
    /// A purpose the site does not ask about; it asks about these.
    #[error("There is no such purpose; this site asks about: {0}.")]
    Purpose(String),
    /// An unknown source.
    #[error("The source is not known; use banner, preferences, withdrawal or api.")]
    Source,
}

/// How a body is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    Form,
    Json,
}

impl Encoding {
    /// From the value of `Content-Type`; parameters do not matter.
    pub(super) fn of(content_type: &[u8]) -> Option<Encoding> {
        let essence = content_type.split(|b| *b == b';').next().unwrap_or_default().trim_ascii();
        let is = |name: &str| essence.eq_ignore_ascii_case(name.as_bytes());
        match () {
            () if is("application/x-www-form-urlencoded") => Some(Encoding::Form),
            () if is("application/json") => Some(Encoding::Json),
            () => None,
        }
    }
}

/// Reads a body.
pub(super) fn read(encoding: Option<Encoding>, body: &[u8], policy: &Policy) -> Result<Submission, SubmissionError> {
    if body.len() > MAX_BODY {
        return Err(SubmissionError::TooLong(body.len()));
    }
    match encoding.ok_or(SubmissionError::Type)? {
        Encoding::Form => read_form(body, policy),
        Encoding::Json => read_json(body, policy),
    }
}

fn read_form(body: &[u8], policy: &Policy) -> Result<Submission, SubmissionError> {
    let (mut choice, mut source, mut way_back, mut form, mut under_16) = (None, None, None, None, None);
    let mut answers: Vec<(usize, bool)> = Vec::new();
    for (name, value) in form_urlencoded::parse(body) {
        let once = |slot: &mut Option<String>| match slot.replace(value.clone().into_owned()) {
            None => Ok(()),
            Some(_) => Err(SubmissionError::Field(name.clone().into_owned())),
        };
        match &*name {
            "choice" => once(&mut choice)?,
            "source" => once(&mut source)?,
            "return" => once(&mut way_back)?,
            "form" => once(&mut form)?,
            "under_16" => once(&mut under_16)?,
            "purpose" => answers.push((index(policy, &value)?, true)),
            _ => {
                let id = name.strip_prefix("purpose.").ok_or(SubmissionError::Unknown)?;
                let index = index(policy, id)?;
                let granted = match &*value {
                    "yes" => true,
                    "no" => false,
                    _ => return Err(SubmissionError::Field(name.into_owned())),
                };
                answers.push((index, granted));
            }
        }
    }
    let granted = match choice.as_deref() {
        Some("save") => saved(&answers, policy)?,
        // A declaration alone says all there is to say.
        None if under_16.as_deref() == Some("yes") && answers.is_empty() => policy.necessary(),
        Some(word @ ("accept" | "reject")) => {
            if let Some((contradiction, _)) = answers.first() {
                return Err(SubmissionError::Field(format!("purpose.{}", policy.purposes()[*contradiction].id)));
            }
            all_or_nothing(word, policy).ok_or(SubmissionError::Choice)?
        }
        _ => return Err(SubmissionError::Choice),
    };
    let under_16 = match under_16.as_deref() {
        None => None,
        Some("yes") => Some(true),
        Some("no") => Some(false),
        Some(_) => return Err(SubmissionError::Field("under_16".into())),
    };
    Ok(Submission { granted, source: read_source(source.as_deref())?, under_16, form, way_back })
}

/// The set of what was answered with yes; an answer that is there as yes and no says nothing.
fn saved(answers: &[(usize, bool)], policy: &Policy) -> Result<PurposeSet, SubmissionError> {
    let of = |wanted: bool| PurposeSet::of(answers.iter().filter(|(_, granted)| *granted == wanted).map(|(i, _)| *i));
    let both = of(true).intersect(of(false));
    match policy.purposes().iter().enumerate().find(|(i, _)| both.contains(*i)) {
        Some((_, purpose)) => Err(SubmissionError::Field(format!("purpose.{}", purpose.id))),
        None => Ok(of(true)),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Json {
    choice: Option<String>,
    granted: Option<Vec<String>>,
    under_16: Option<bool>,
    source: Option<String>,
    form: Option<String>,
}

fn read_json(body: &[u8], policy: &Policy) -> Result<Submission, SubmissionError> {
    // A list would be read as the fields in their order.
    if !body.trim_ascii_start().starts_with(b"{") {
        return Err(SubmissionError::Json("it is no object".into()));
    }
    // The reader's own words may hold what was sent.
    let unread = |e: serde_json::Error| SubmissionError::Json(format!("see line {}, column {}", e.line(), e.column()));
    let json: Json = serde_json::from_slice(body).map_err(unread)?;
    let wrong = |reason: &str| SubmissionError::Json(reason.into());
    let granted = match (json.choice, json.granted) {
        (Some(word), None) => {
            all_or_nothing(&word, policy).ok_or_else(|| wrong("`choice` must be accept or reject"))?
        }
        (None, Some(ids)) => {
            let indices: Result<Vec<usize>, _> = ids.iter().map(|id| index(policy, id)).collect();
            PurposeSet::of(indices?)
        }
        (None, None) if json.under_16 == Some(true) => policy.necessary(),
        _ => return Err(wrong("it must hold either `choice` or `granted`")),
    };
    let (source, under_16, form) = (read_source(json.source.as_deref())?, json.under_16, json.form);
    Ok(Submission { granted, source, under_16, form, way_back: None })
}

fn all_or_nothing(word: &str, policy: &Policy) -> Option<PurposeSet> {
    match word {
        "accept" => Some(policy.all()),
        "reject" => Some(policy.necessary()),
        _ => None,
    }
}

fn index(policy: &Policy, id: &str) -> Result<usize, SubmissionError> {
    policy.index(id).ok_or_else(|| {
        let known: Vec<&str> = policy.optional().map(|(_, purpose)| purpose.id.as_str()).collect();
        SubmissionError::Purpose(known.join(", "))
    })
}

fn read_source(word: Option<&str>) -> Result<ChoiceSource, SubmissionError> {
    let Some(word) = word else { return Ok(ChoiceSource::Api) };
    // What another manager says is read from its cookie, a signal from its header, and neither is believed from a post.
    let is_post =
        |source: &ChoiceSource| !matches!(source, ChoiceSource::Import(_) | ChoiceSource::Gpc | ChoiceSource::Dnt);
    let source = ChoiceSource::from_word(word).filter(is_post);
    source.ok_or(SubmissionError::Source)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn form(body: &str) -> Result<Submission, SubmissionError> {
        read(Some(Encoding::Form), body.as_bytes(), &Policy::default())
    }

    fn json(body: &str) -> Result<Submission, SubmissionError> {
        read(Some(Encoding::Json), body.as_bytes(), &Policy::default())
    }

    fn of(ids: &[&str]) -> PurposeSet {
        PurposeSet::of(ids.iter().map(|id| Policy::default().index(id).unwrap()))
    }

    #[test]
    fn each_way_to_choose_is_understood() {
        let policy = Policy::default();
        let granted = |read: Result<Submission, SubmissionError>| read.unwrap().granted;
        assert_eq!(granted(form("choice=accept")), policy.all());
        assert_eq!(granted(form("choice=reject&source=banner")), policy.necessary());
        assert_eq!(granted(form("choice=save")), PurposeSet::default());
        assert_eq!(granted(form("choice=save&purpose=analytics&purpose=marketing")), of(&["analytics", "marketing"]));
        assert_eq!(granted(form("choice=save&purpose.analytics=yes&purpose.marketing=no")), of(&["analytics"]));
        assert_eq!(granted(json(r#"{"choice":"accept"}"#)), policy.all());
        assert_eq!(granted(json(r#"{"choice":"reject"}"#)), policy.necessary());
        assert_eq!(granted(json(r#"{"granted":["analytics"]}"#)), of(&["analytics"]));
        assert_eq!(granted(json(r#"{"granted":[]}"#)), PurposeSet::default());

        assert_eq!(granted(form("under_16=yes")), policy.necessary());
        assert_eq!(granted(json(r#"{"under_16":true}"#)), policy.necessary());
        assert_eq!(form("choice=accept&under_16=yes").unwrap().under_16, Some(true));
        assert_eq!(form("choice=save&under_16=no").unwrap().under_16, Some(false));
        assert_eq!(json(r#"{"choice":"accept","under_16":true,"form":"x"}"#).unwrap().under_16, Some(true));
        assert_eq!(form("choice=accept&form=f1~x").unwrap().form.as_deref(), Some("f1~x"));

        assert_eq!(form("choice=reject&source=withdrawal").unwrap().source, ChoiceSource::Withdrawal);
        assert_eq!(form("choice=accept&source=preferences").unwrap().source, ChoiceSource::Preferences);
        assert_eq!(json(r#"{"choice":"accept","source":"banner"}"#).unwrap().source, ChoiceSource::Banner);
        assert_eq!(json(r#"{"choice":"accept"}"#).unwrap().source, ChoiceSource::Api);
        assert_eq!(form("choice=accept&return=%2Fa%3Fb").unwrap().way_back.as_deref(), Some("/a?b"));
    }

    #[test]
    fn rule_c1_what_is_not_understood_is_no_choice() {
        for body in [
            "",
            "choice=",
            "choice=Accept",
            "choice=accept&choice=reject",
            "choice=accept&choice=accept",
            "choice=accept&purpose=analytics",
            "choice=reject&purpose.analytics=yes",
            "purpose=analytics",
            "choice=save&purpose=telepathy",
            "choice=save&purpose.telepathy=yes",
            "choice=save&purpose.analytics=on",
            "choice=save&purpose.analytics=yes&purpose.analytics=no",
            "choice=accept&source=pigeon",
            "choice=accept&source=import:klaro",
            "choice=accept&source=gpc",
            "under_16=yes&source=dnt",
            "choice=accept&under_16=maybe",
            "under_16=no",
            "under_16=yes&purpose=analytics",
            "choice=reject&under_16=yes&under_16=yes",
            "choice=accept&colour=red",
        ] {
            assert!(form(body).is_err(), "{body}");
        }
        for body in [
            "",
            "null",
            "[]",
            "{}",
            r#"{"choice":"save"}"#,
            r#"{"choice":true}"#,
            r#"{"choice":"accept","granted":[]}"#,
            r#"{"choice":"accept","choice":"reject"}"#,
            r#"{"choice":"accept","colour":"red"}"#,
            r#"{"choice":"accept","under_16":"yes"}"#,
            r#"{"under_16":false}"#,
            r#"{"granted":["telepathy"]}"#,
            r#"["accept",null,null,null,null]"#,
            r#"{"granted":"analytics"}"#,
            r#"{"choice":"accept"} x"#,
        ] {
            assert!(json(body).is_err(), "{body}");
        }
        assert_eq!(form(&"a".repeat(MAX_BODY + 1)), Err(SubmissionError::TooLong(MAX_BODY + 1)));
        assert_eq!(read(None, b"choice=accept", &Policy::default()), Err(SubmissionError::Type));
    }

    #[test]
    fn an_error_says_what_would_be_right() {
        let message = form("choice=save&purpose=telepathy").unwrap_err().to_string();
        assert_eq!(message, "There is no such purpose; this site asks about: preferences, analytics, marketing.");
        let message = form("choice=accept&colour=red").unwrap_err().to_string();
        assert!(message.contains("choice, purpose, purpose.ID, under_16, source, form and return"), "{message}");
        let message = form("choice=save&purpose.analytics=on").unwrap_err().to_string();
        assert!(message.contains("`purpose.analytics`"), "{message}");
        let message = json(r#"{"choice":"accept","colour":"red"}"#).unwrap_err().to_string();
        assert!(message.contains("see line 1, column 27"), "{message}");
        let message = json(r#"{"choice":"yes"}"#).unwrap_err().to_string();
        assert!(message.contains(r#"Send {"choice":"accept"}"#), "{message}");
    }

    #[test]
    fn rule_d1_an_error_repeats_nothing_of_what_was_sent() {
        const JANE: &str = "jane.doe@example.org";
        for body in [
            "choice=JANE",
            "JANE=1&choice=accept",
            "choice=accept&purpose.JANE=yes",
            "choice=accept&purpose.JANE=JANE",
            "choice=save&purpose.analytics=JANE",
            "choice=save&purpose=JANE",
            "choice=accept&source=JANE",
            "choice=accept&under_16=JANE",
            "choice=accept&return=JANE&return=JANE",
        ] {
            let error = form(&body.replace("JANE", JANE)).unwrap_err();
            assert!(!error.to_string().contains("jane"), "{error}");
        }
        for body in [
            r#""JANE""#,
            r#"{"JANE":1}"#,
            r#"{"choice":"JANE"}"#,
            r#"{"choice":"accept","JANE":1}"#,
            r#"{"choice":"accept","source":"JANE"}"#,
            r#"{"choice":"accept","under_16":"JANE"}"#,
            r#"{"granted":"JANE"}"#,
            r#"{"granted":["JANE"]}"#,
            r#"{"choice":"accept"} JANE"#,
        ] {
            let error = json(&body.replace("JANE", JANE)).unwrap_err();
            assert!(!error.to_string().contains("jane"), "{error}");
        }
    }

    #[test]
    fn the_type_decides_how_a_body_is_read() {
        assert_eq!(Encoding::of(b"application/json"), Some(Encoding::Json));
        assert_eq!(Encoding::of(b" Application/JSON ; charset=utf-8"), Some(Encoding::Json));
        assert_eq!(Encoding::of(b"application/x-www-form-urlencoded"), Some(Encoding::Form));
        assert_eq!(Encoding::of(b"text/plain"), None);
        assert_eq!(Encoding::of(b""), None);
    }

    proptest! {
        #[test]
        fn rule_c1_no_garbage_grants_anything(body in "[a-z=&.%+\"{}:\\[\\],]{0,60}") {
            for encoding in [Encoding::Form, Encoding::Json] {
                if let Ok(read) = read(Some(encoding), body.as_bytes(), &Policy::default()) {
                    let meant = ["accept", "purpose", "granted"].iter().any(|word| body.contains(word));
                    prop_assert!(read.under_16.is_none() || body.contains("under_16"));
                    prop_assert!(meant || read.granted.is_subset_of(Policy::default().necessary()));
                }
            }
        }

        #[test]
        fn any_bytes_are_read_without_panic(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(Some(Encoding::Form), &body, &Policy::default());
            let _ = read(Some(Encoding::Json), &body, &Policy::default());
        }
    }
}
