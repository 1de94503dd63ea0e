//! Rows for others to read: JSON with the field names of ISO/IEC TS 27560:2023, and CSV with the same names. Pure.

use serde_json::{Value, json};

use super::entry::{Action, Entry};
use super::hex::{hex, hex_u64};
use super::receipt::SCHEMA_VERSION;
use super::row::Row;

/// A row as a consent record.
pub fn record(row: &Row) -> Value {
    let entry = &row.entry;
    let time = time(entry);
    let purpose = |id: &String, state: &str| {
        json!({
            "purpose": id,
            "events": [{
                "event_time": time,
                "event_type": entry.action.word(),
                "event_state": state,
                "entity_id": "pii_principal",
            }],
        })
    };
    let given = entry.granted.iter().map(|id| purpose(id, "given"));
    let purposes: Vec<Value> = given.chain(entry.denied.iter().map(|id| purpose(id, denied(entry)))).collect();
    json!({
        "schema_version": SCHEMA_VERSION,
        "record_id": hex_u64(entry.receipt),
        "previous_record_id": entry.previous.map(hex_u64),
        "pii_principal_id": null,
        "pii_principal_under_16": entry.under_16,
        "event_time": time,
        "event_type": entry.action.word(),
        "collection_method": entry.source,
        "language": entry.language,
        "service": entry.host,
        "policy_version": entry.policy_version,
        "notice_text_sha256": hex(&entry.text_hash),
        "banner_version": entry.banner_version,
        "banner_sha256": hex(&entry.banner_hash),
        "jurisdiction_signal": { "sec_gpc": entry.gpc, "dnt": entry.dnt },
        "purposes": purposes,
        "ledger": {
            "site_id": row.site_id,
            "chain": row.chain.to_string(),
            "seq": row.seq,
            "prev_hash": hex(&row.prev_hash),
            "hash": hex(&row.hash),
            "key_id": row.key.to_string(),
            "signature": hex(&row.signature),
        },
    })
}

/// The names of the columns, in order.
pub const CSV_COLUMNS: [&str; 23] = [
    "record_id",
    "previous_record_id",
    "event_time",
    "event_type",
    "purposes_given",
    "purposes_not_given",
    "event_state_not_given",
    "collection_method",
    "language",
    "service",
    "policy_version",
    "notice_text_sha256",
    "banner_version",
    "banner_sha256",
    "sec_gpc",
    "dnt",
    "pii_principal_under_16",
    "site_id",
    "chain",
    "seq",
    "hash",
    "key_id",
    "signature",
];

/// A row as a line of CSV (RFC 4180), without its end. Purposes are joined with a space.
pub fn csv(row: &Row) -> String {
    let entry = &row.entry;
    let fields: [String; CSV_COLUMNS.len()] = [
        hex_u64(entry.receipt),
        entry.previous.map(hex_u64).unwrap_or_default(),
        time(entry),
        entry.action.word().to_owned(),
        entry.granted.join(" "),
        entry.denied.join(" "),
        denied(entry).to_owned(),
        entry.source.clone(),
        entry.language.clone(),
        entry.host.clone(),
        entry.policy_version.to_string(),
        hex(&entry.text_hash),
        entry.banner_version.clone(),
        hex(&entry.banner_hash),
        entry.gpc.to_string(),
        entry.dnt.to_string(),
        entry.under_16.to_string(),
        row.site_id.to_string(),
        row.chain.to_string(),
        row.seq.to_string(),
        hex(&row.hash),
        row.key.to_string(),
        hex(&row.signature),
    ];
    fields.map(quoted).join(",")
}

/// What it means that a purpose was not granted.
fn denied(entry: &Entry) -> &'static str {
    if entry.action == Action::Withdrawal { "withdrawn" } else { "refused" }
}

fn time(entry: &Entry) -> String {
    jiff::Timestamp::from_millisecond(entry.at_ms).map_or_else(|_| entry.at_ms.to_string(), |time| time.to_string())
}

/// What a row holds needs no quotes; what somebody put into a file might. What a spreadsheet would take for a formula, such as
/// the host `-A1`, has an apostrophe before it.
fn quoted(field: String) -> String {
    let field = if field.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{field}") } else { field };
    if field.contains(['"', ',', '\n', '\r']) { format!("\"{}\"", field.replace('"', "\"\"")) } else { field }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_field_of_the_csv_is_a_formula_to_a_spreadsheet() {
        for (field, written) in [
            ("-A1", "'-A1"),
            ("=1+1", "'=1+1"),
            ("+1", "'+1"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\tx", "'\tx"),
            ("\rx", "\"'\rx\""),
            ("=A1,\"B\"", "\"'=A1,\"\"B\"\"\""),
            ("www.example.com", "www.example.com"),
            ("a-b", "a-b"),
            ("", ""),
        ] {
            assert_eq!(quoted(field.to_owned()), written);
        }
    }
}
