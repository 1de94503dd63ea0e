//! What a receipt is made of: who is answerable, the purposes, the cookies.

use serde_json::{Value, json};

/// Who is answerable for what is done with the data.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Controller {
    /// The name of the organisation.
    pub name: String,
    /// Where to write to, such as an address of mail; may be empty.
    pub contact: String,
}

impl Controller {
    pub(super) fn record(&self) -> Value {
        json!({ "party_name": self.name, "party_contact": self.contact, "party_type": "pii_controller" })
    }
}

/// The legal basis of what needs no consent.
pub const STRICTLY_NECESSARY: &str = "strictly-necessary";

/// One purpose and what was chosen of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Purpose {
    /// Its id in the configuration.
    pub id: String,
    /// What the visitor reads as its name.
    pub title: String,
    /// What the visitor reads as its explanation.
    pub description: String,
    /// The legal basis, such as `consent` or `strictly-necessary`.
    pub legal_basis: String,
    /// Whether it is permitted.
    pub granted: bool,
    /// How long what is gathered for it is kept, in words; may be empty.
    pub retention: String,
    /// Where that is stored, in words; may be empty.
    pub storage: String,
    /// Who else receives it, by name.
    pub recipients: Vec<String>,
    /// Its cookies.
    pub cookies: Vec<Cookie>,
}

/// A cookie as it is declared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cookie {
    /// Its name, or the beginning of it and a star.
    pub name: String,
    /// Who sets it.
    pub provider: Option<String>,
    /// How long it lives, in words.
    pub period: Option<String>,
}

impl Purpose {
    pub(super) fn record(&self, source: &str, given_at: &str, ends_at: &str) -> Value {
        let state = match (self.granted, source) {
            (true, _) => "given",
            (false, "withdrawal") => "withdrawn",
            (false, _) => "refused",
        };
        let cookie = |cookie: &Cookie| json!({ "pii_type": "cookie", "name": cookie.name, "provider": cookie.provider, "period": cookie.period });
        let third_party = |name: &String| json!({ "party_name": name, "party_type": "third_party" });
        json!({
            "purpose": self.id,
            "purpose_title": self.title,
            "purpose_description": self.description,
            "lawful_basis": self.legal_basis,
            "pii_information": self.cookies.iter().map(cookie).collect::<Vec<_>>(),
            "storage_locations": if self.storage.is_empty() { vec![] } else { vec![&self.storage] },
            "retention_period": self.retention,
            "recipient_third_parties": self.recipients.iter().map(third_party).collect::<Vec<_>>(),
            "events": [{
                "event_time": given_at,
                "event_type": if self.legal_basis == STRICTLY_NECESSARY { "notice" } else { "explicit" },
                "event_state": state,
                "entity_id": "pii_principal",
                "validity_duration": { "from": given_at, "until": ends_at },
            }],
        })
    }
}
