//! The receipt: what a visitor can see, download and keep (P4), with the field names of ISO/IEC TS 27560:2023 and a signature
//! in it that anybody can verify offline with the public keys of `/_privacy/keys.json`. Pure: it is made of the signed choice
//! cookie and the configuration, not of a database, so it can be made as long as the cookie lives.
//!
//! # What is signed
//! The whole object without `proof`, as canonical JSON: names of each object in ascending order of their UTF-8 bytes, no
//! white space, strings in UTF-8 with only `"`, `\` and the characters below U+0020 escaped (`\b \t \n \f \r`, others as
//! `\u00xx`), whole numbers in digits, no fractions anywhere. On what a receipt holds this is RFC 8785 (JCS): its names are
//! ASCII, its numbers below 2^53. The signature is Ed25519 (RFC 8032) over the text `consentry-receipt-1` and a line feed,
//! followed by those bytes.

mod canonical;
mod parts;
mod strict;
#[cfg(test)]
mod tests;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use serde_json::{Value, json};

use super::hex::{hex, hex_u64};
use super::sign::{NoKeys, PublicKeys, Signer, thumbprint};
use crate::keys::{KeyId, KeyRing};
pub use parts::{Controller, Cookie, Purpose, STRICTLY_NECESSARY};

/// What stands before the canonical bytes where they are signed.
const SIGNED: &[u8] = b"consentry-receipt-1\n";

/// The layout of the record, as `schema_version` names it.
pub const SCHEMA_VERSION: &str = "ISO/IEC TS 27560:2023";

/// How the canonical bytes are made, as the proof names it.
const CANONICAL: &str = "RFC8785";

/// What a receipt says. Plain values; the visitors' pages fill them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The receipt's id, as the visitor's cookie has it.
    pub id: u64,
    /// The receipt it replaces, where that is known.
    pub previous: Option<u64>,
    /// When the choice was made, in milliseconds since 1970.
    pub at_ms: i64,
    /// Until when it counts, in milliseconds since 1970.
    pub valid_until_ms: i64,
    /// The version of the policy that was asked.
    pub policy_version: u16,
    /// SHA-256 of what was asked, or the beginning of it: as much as the cookie has.
    pub text_hash: Vec<u8>,
    /// The hash of the ledger's row, or the beginning of it; may be empty.
    pub ledger_hash: Vec<u8>,
    /// The language of what was asked, as a tag; may be empty.
    pub language: String,
    /// How the choice came: `banner`, `preferences`, `withdrawal`, `gpc`, `api`, `import:NAME`.
    pub source: String,
    /// The site's host.
    pub host: String,
    /// Who is answerable.
    pub controller: Controller,
    /// Where the privacy notice is.
    pub notice_url: Option<String>,
    /// Each purpose that was asked, and those that need no asking.
    pub purposes: Vec<Purpose>,
    /// Whether the visitor declared to be under 16 (C11).
    pub under_16: bool,
    /// Whether the request said `Sec-GPC: 1` (C8).
    pub gpc: bool,
}

/// A receipt that is as it was signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// The receipt's id, in 16 hexadecimal digits.
    pub record_id: String,
    /// The number of the key it was signed under.
    pub key: KeyId,
    /// Until when the choice counts, as it stands there.
    pub valid_until: String,
}

/// Why a receipt proves nothing.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    /// It has no proof, or one that is none.
    #[error("it is no signed receipt: {0}")]
    NoReceipt(&'static str),
    /// The keys cannot be read.
    #[error("the keys cannot be used: {0}")]
    Keys(#[from] NoKeys),
    /// It was signed under a key that is not among them.
    #[error(
        "it was signed under key {0}, which is not among the keys; take those of the site that gave it, of the time it gave it"
    )]
    UnknownKey(KeyId),
    /// The key of that number is another.
    #[error("it was signed under another key {0} than the one that is given: the keys are of another site")]
    OtherKey(KeyId),
    /// The signature is not of what it says.
    #[error("it was changed after it was signed, or is not of this site")]
    Changed,
}

impl Receipt {
    /// The receipt, signed under the key in use.
    pub fn sign(&self, ring: &KeyRing) -> Value {
        let mut record = self.record();
        let signer = Signer::current(ring);
        let signature = signer.sign(&message(&record));
        record["proof"] = json!({
            "algorithm": "Ed25519",
            "canonicalization": CANONICAL,
            "key_id": signer.key().to_string(),
            "key_thumbprint": thumbprint(&signer.public()),
            "signature": BASE64URL.encode(signature),
        });
        record
    }

    /// What is signed, as JSON.
    pub fn record(&self) -> Value {
        let (given_at, ends_at) = (instant(self.at_ms), instant(self.valid_until_ms));
        let purposes: Vec<Value> =
            self.purposes.iter().map(|purpose| purpose.record(&self.source, &given_at, &ends_at)).collect();
        json!({
            "schema_version": SCHEMA_VERSION,
            "record_id": hex_u64(self.id),
            "previous_record_id": self.previous.map(hex_u64),
            // There is none: who chose is known by this receipt's id alone.
            "pii_principal_id": null,
            "pii_principal_under_16": self.under_16,
            "pii_controllers": [self.controller.record()],
            "privacy_notice": self.notice_url,
            "language": self.language,
            "collection_method": self.source,
            "jurisdiction_signal": { "sec_gpc": self.gpc },
            "event_time": given_at,
            "validity_duration": { "from": given_at, "until": ends_at },
            "service": self.host,
            "policy_version": self.policy_version,
            "notice_text_sha256": hex(&self.text_hash),
            "ledger_row_sha256": hex(&self.ledger_hash),
            "purposes": purposes,
        })
    }
}

/// Reads a receipt. An object that has a name twice is refused: what is shown and what is verified could differ.
pub fn read(text: &str) -> serde_json::Result<Value> {
    serde_json::from_str::<strict::Strict>(text).map(|strict| strict.0)
}

/// Verifies a receipt, as it was downloaded, with the keys, as they were downloaded from `/_privacy/keys.json`.
pub fn verify(receipt: &Value, keys: &Value) -> Result<Verified, Why> {
    verify_with(receipt, &PublicKeys::from_json(keys)?)
}

/// As [`verify`], with keys that were read before.
pub fn verify_with(receipt: &Value, keys: &PublicKeys) -> Result<Verified, Why> {
    let no = Why::NoReceipt;
    let mut record = receipt.as_object().ok_or(no("it is no JSON object"))?.clone();
    let proof = record.remove("proof").ok_or(no("there is no `proof` in it"))?;
    let text = |name: &str| proof.get(name).and_then(Value::as_str);
    if (text("algorithm"), text("canonicalization")) != (Some("Ed25519"), Some(CANONICAL)) {
        return Err(no("its proof is not Ed25519 over RFC8785"));
    }
    let key = text("key_id").and_then(|id| id.parse().ok()).map(KeyId).ok_or(no("its proof names no key"))?;
    let signature = text("signature").and_then(|text| BASE64URL.decode(text).ok());
    let signature = signature.ok_or(no("the signature in its proof is not base64url"))?;
    let public = keys.get(key).ok_or(Why::UnknownKey(key))?;
    if text("key_thumbprint") != Some(&thumbprint(public)) {
        return Err(Why::OtherKey(key));
    }
    let record = Value::Object(record);
    if keys.verify(key, &message(&record), &signature) != Some(true) {
        return Err(Why::Changed);
    }
    let said = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (record_id, valid_until) = (said(&record["record_id"]), said(&record["validity_duration"]["until"]));
    Ok(Verified { record_id, key, valid_until })
}

fn message(record: &Value) -> Vec<u8> {
    let mut message = SIGNED.to_vec();
    canonical::write(record, &mut message);
    message
}

/// A time as RFC 3339 has it, in UTC.
fn instant(at_ms: i64) -> String {
    jiff::Timestamp::from_millisecond(at_ms).map_or_else(|_| at_ms.to_string(), |time| time.to_string())
}
