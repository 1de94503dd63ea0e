//! P4: a receipt that anybody can verify, and nobody can change.

use proptest::prelude::*;

use super::*;
use crate::ledger::public_keys;

fn receipt() -> Receipt {
    Receipt {
        id: 0xAB,
        previous: Some(0xCD),
        at_ms: 1_795_169_000_123,
        valid_until_ms: 1_810_893_800_000,
        policy_version: 3,
        text_hash: vec![0x11; 16],
        ledger_hash: vec![0x22; 16],
        language: "cy".into(),
        source: "preferences".into(),
        host: "www.example.com".into(),
        controller: Controller { name: "Example Trust".into(), contact: "privacy@example.com".into() },
        notice_url: Some("https://www.example.com/privacy".into()),
        purposes: vec![
            Purpose {
                id: "necessary".into(),
                title: "Angenrheidiol".into(),
                description: "\"Bob amser\" \u{1}\n".into(),
                legal_basis: "strictly-necessary".into(),
                granted: true,
                retention: String::new(),
                storage: String::new(),
                recipients: vec![],
                cookies: vec![],
            },
            Purpose {
                id: "analytics".into(),
                title: "Dadansoddeg".into(),
                description: "Tudalennau 🍪".into(),
                legal_basis: "consent".into(),
                granted: false,
                retention: "6 years".into(),
                storage: "United Kingdom".into(),
                recipients: vec!["Example Analytics Ltd".into()],
                cookies: vec![Cookie { name: "_ga*".into(), provider: Some("Google".into()), period: None }],
            },
        ],
        under_16: false,
        gpc: true,
    }
}

#[test]
fn rule_p4_a_receipt_is_verified_offline_with_the_keys_as_they_were_downloaded() {
    let ring = KeyRing::ephemeral();
    let (signed, keys) = (receipt().sign(&ring), public_keys(&ring));
    // However it was stored in between: other order, other white space.
    let text = serde_json::to_string_pretty(&signed).unwrap();
    let again: Value = serde_json::from_str(&text).unwrap();
    let verified = verify(&again, &serde_json::from_str(&keys.to_string()).unwrap()).unwrap();
    assert_eq!(verified.record_id, "00000000000000ab");
    assert_eq!(verified.key, Signer::current(&ring).key());
    assert_eq!(verified.valid_until, "2027-05-21T10:03:20Z");
}

#[test]
fn rule_p4_its_fields_are_those_of_the_standard() {
    let record = receipt().record();
    for name in [
        "schema_version",
        "record_id",
        "pii_principal_id",
        "privacy_notice",
        "language",
        "collection_method",
        "pii_controllers",
        "purposes",
        "event_time",
        "validity_duration",
    ] {
        assert!(record.get(name).is_some(), "{name}");
    }
    let purpose = &record["purposes"][1];
    for name in [
        "purpose",
        "lawful_basis",
        "pii_information",
        "retention_period",
        "storage_locations",
        "recipient_third_parties",
    ] {
        assert!(purpose.get(name).is_some(), "{name}");
    }
    assert_eq!(
        (&purpose["events"][0]["event_state"], &record["event_time"]),
        (&json!("refused"), &json!("2026-11-20T10:03:20.123Z"))
    );
    assert_eq!(record["purposes"][0]["events"][0]["event_state"], "given");
    assert_eq!(record["pii_controllers"][0]["party_name"], "Example Trust");
    let withdrawn = Receipt { source: "withdrawal".into(), ..receipt() }.record();
    assert_eq!(withdrawn["purposes"][1]["events"][0]["event_state"], "withdrawn");
}

#[test]
fn rule_p4_a_receipt_of_another_site_or_without_a_proof_proves_nothing() {
    let (ring, other) = (KeyRing::ephemeral(), KeyRing::ephemeral());
    let signed = receipt().sign(&ring);
    let key = Signer::current(&ring).key();
    assert_eq!(verify(&signed, &public_keys(&other)), Err(Why::OtherKey(key)));
    assert_eq!(verify(&receipt().record(), &public_keys(&ring)), Err(Why::NoReceipt("there is no `proof` in it")));
    assert!(matches!(verify(&json!([]), &public_keys(&ring)), Err(Why::NoReceipt(_))));
    assert!(matches!(verify(&signed, &json!({})), Err(Why::Keys(_))));
    let mut renumbered = signed.clone();
    renumbered["proof"]["key_id"] = json!("99");
    assert_eq!(verify(&renumbered, &public_keys(&ring)), Err(Why::UnknownKey(KeyId(99))));
    // Of another thing that was signed under the same key.
    let mut row = signed;
    row["proof"]["signature"] = json!(BASE64URL.encode(Signer::current(&ring).sign(&message(&json!({}))[20..])));
    assert_eq!(verify(&row, &public_keys(&ring)), Err(Why::Changed));
}

/// Every place in a value that is no object or list.
fn leaves(value: &Value, at: String, out: &mut Vec<String>) {
    match value {
        Value::Object(object) => object.iter().for_each(|(name, value)| leaves(value, format!("{at}/{name}"), out)),
        Value::Array(list) => list.iter().enumerate().for_each(|(n, value)| leaves(value, format!("{at}/{n}"), out)),
        _ => out.push(at),
    }
}

#[test]
fn rule_p4_whatever_is_changed_is_noticed() {
    let ring = KeyRing::ephemeral();
    let (signed, keys) = (receipt().sign(&ring), public_keys(&ring));
    let mut places = Vec::new();
    leaves(&signed, String::new(), &mut places);
    assert!(places.len() > 40, "{places:?}");
    for place in places {
        let mut changed = signed.clone();
        let leaf = changed.pointer_mut(&place).unwrap();
        *leaf = match leaf {
            Value::Bool(yes) => json!(!*yes),
            Value::String(text) => json!(format!("{text}x")),
            Value::Null => json!("x"),
            _ => json!(4),
        };
        assert!(verify(&changed, &keys).is_err(), "{place}");
    }
    let mut more = signed.clone();
    more["purposes"][1]["more"] = json!(true);
    assert_eq!(verify(&more, &keys), Err(Why::Changed));
    let mut less = signed;
    less.as_object_mut().unwrap().remove("previous_record_id");
    assert_eq!(verify(&less, &keys), Err(Why::Changed));
}

#[test]
fn rule_p4_a_receipt_that_reads_in_two_ways_is_none() {
    let ring = KeyRing::ephemeral();
    let text = receipt().sign(&ring).to_string();
    assert_eq!(read(&text).unwrap(), serde_json::from_str::<Value>(&text).unwrap());
    assert!(verify(&read(&text).unwrap(), &public_keys(&ring)).is_ok());
    let twice = text.replacen('{', "{\"record_id\":\"00000000000000ff\",", 1);
    assert!(verify(&serde_json::from_str(&twice).unwrap(), &public_keys(&ring)).is_ok(), "the last one counts");
    assert!(read(&twice).unwrap_err().to_string().contains("twice"));
}

/// From RFC 8785 section 3.2.2, without its fractions.
#[test]
fn the_canonical_form_is_that_of_the_standard() {
    let value: Value = serde_json::from_str(
        r#"{ "numbers": [333333333, 1, 4], "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/", "literals": [null, true, false] }"#,
    )
    .unwrap();
    let mut out = Vec::new();
    canonical::write(&value, &mut out);
    let expected = r#"{"literals":[null,true,false],"numbers":[333333333,1,4],"string":"€$\u000f\nA'B\"\\\\\"/"}"#;
    assert_eq!(String::from_utf8(out).unwrap(), expected);
}

proptest! {
    #[test]
    fn nothing_that_is_read_as_a_receipt_panics(text in "\\PC{0,200}", cut in 0usize..3000) {
        let ring = KeyRing::ephemeral();
        let keys = public_keys(&ring);
        let signed = receipt().sign(&ring).to_string();
        let mut cut = cut.min(signed.len());
        while !signed.is_char_boundary(cut) {
            cut -= 1;
        }
        for text in [text.clone(), format!("{}{text}", &signed[..cut])] {
            if let Ok(value) = serde_json::from_str::<Value>(&text) {
                let _ = verify(&value, &keys);
                let _ = verify(&value, &value);
            }
        }
    }
}
