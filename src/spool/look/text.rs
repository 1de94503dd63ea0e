//! A record's values as text, for `consentry spool export`: JSON as ClickHouse's `JSONEachRow` has it, and CSV for
//! spreadsheets. Pure. What it makes is personal data, if pseudonymised.
//!
//! In JSON, numbers of 64 and 128 bits are texts: ClickHouse reads them back as they are (with its default settings, into the
//! columns they come from), and no other reader rounds them. Times are in UTC, and a decimal is a number as ClickHouse
//! writes it, without the zeros at its end.

use std::net::Ipv6Addr;

use super::super::record::{Column, ColumnKind, read_leb, text_len};

/// One value of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// `UInt8`, `UInt16` or `UInt32`.
    Small(u32),
    /// `UInt64` or `UInt128`.
    Large(u128),
    /// Milliseconds since 1970.
    Time(i64),
    /// Days since 1970.
    Date(u16),
    /// `IPv6`.
    Address(Ipv6Addr),
    /// `String`.
    Text(&'a str),
    /// `Map(String, String)`, in its order.
    Map(Vec<(&'a str, &'a str)>),
    /// Thousandths.
    Decimal(i64),
}

/// Why a record does not fit its columns.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Misfit {
    /// The value is cut off, or is not what its column holds.
    #[error("no whole value for column {0}")]
    Value(String),
    /// The record goes on behind its last column.
    #[error("{0} bytes more than they take")]
    Longer(usize),
}

/// The values of a record, in the order of the columns.
pub fn values<'a>(columns: &[Column], record: &'a [u8]) -> Result<Vec<Value<'a>>, Misfit> {
    let mut rest = record;
    let mut values = Vec::with_capacity(columns.len());
    for column in columns {
        let whole = column.kind.value_len(rest).and_then(|len| rest.split_at_checked(len));
        let found = whole.and_then(|(bytes, behind)| Some((value(column.kind, bytes)?, behind)));
        let (value, behind) = found.ok_or_else(|| Misfit::Value(column.name.clone()))?;
        values.push(value);
        rest = behind;
    }
    if rest.is_empty() { Ok(values) } else { Err(Misfit::Longer(rest.len())) }
}

/// The value that `bytes` are.
fn value(kind: ColumnKind, bytes: &[u8]) -> Option<Value<'_>> {
    Some(match kind {
        ColumnKind::UInt8 => Value::Small(u8::from_le_bytes(bytes.try_into().ok()?).into()),
        ColumnKind::UInt16 => Value::Small(u16::from_le_bytes(bytes.try_into().ok()?).into()),
        ColumnKind::UInt32 => Value::Small(u32::from_le_bytes(bytes.try_into().ok()?)),
        ColumnKind::UInt64 => Value::Large(u64::from_le_bytes(bytes.try_into().ok()?).into()),
        ColumnKind::UInt128 => Value::Large(u128::from_le_bytes(bytes.try_into().ok()?)),
        ColumnKind::Milliseconds => Value::Time(i64::from_le_bytes(bytes.try_into().ok()?)),
        ColumnKind::Date => Value::Date(u16::from_le_bytes(bytes.try_into().ok()?)),
        ColumnKind::Ipv6 => Value::Address(<[u8; 16]>::try_from(bytes).ok()?.into()),
        ColumnKind::Text => Value::Text(text(bytes)?.0),
        ColumnKind::TextMap => {
            let (pairs, head) = read_leb(bytes)?;
            let mut rest = bytes.get(head..)?;
            let mut map = Vec::new();
            for _ in 0..pairs {
                let (key, behind) = text(rest)?;
                let (value, behind) = text(behind)?;
                map.push((key, value));
                rest = behind;
            }
            Value::Map(map)
        }
        ColumnKind::Thousandths => Value::Decimal(i64::from_le_bytes(bytes.try_into().ok()?)),
    })
}

/// The text at the head of `bytes`, and what follows it.
fn text(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let (text, behind) = bytes.split_at_checked(text_len(bytes)?)?;
    let (_, head) = read_leb(text)?;
    Some((std::str::from_utf8(text.get(head..)?).ok()?, behind))
}

/// Appends a record as one line of `JSONEachRow`: the table's columns, `batch_id` last as in the block that is sent.
pub fn write_json(out: &mut Vec<u8>, columns: &[Column], values: &[Value<'_>], batch_id: u64) {
    out.push(b'{');
    for (column, value) in columns.iter().zip(values).filter(|(column, _)| !column.stays_here()) {
        json_text(out, &column.name);
        out.push(b':');
        json_value(out, value);
        out.push(b',');
    }
    out.extend_from_slice(format!("\"batch_id\":\"{batch_id}\"}}\n").as_bytes());
}

fn json_value(out: &mut Vec<u8>, value: &Value<'_>) {
    match value {
        Value::Small(number) => out.extend_from_slice(number.to_string().as_bytes()),
        Value::Decimal(thousandths) => out.extend_from_slice(decimal(*thousandths).as_bytes()),
        Value::Text(text) => json_text(out, text),
        Value::Map(pairs) => {
            out.push(b'{');
            for (i, (key, value)) in pairs.iter().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                json_text(out, key);
                out.push(b':');
                json_text(out, value);
            }
            out.push(b'}');
        }
        Value::Large(_) | Value::Time(_) | Value::Date(_) | Value::Address(_) => json_text(out, &plain(value)),
    }
}

fn json_text(out: &mut Vec<u8>, text: &str) {
    serde_json::to_writer(out, text).expect("a text can always be written to memory");
}

/// A value as a field of CSV (RFC 4180). A map is its JSON; a text that a spreadsheet would take for a formula has an
/// apostrophe before it.
pub fn csv_field(value: &Value<'_>) -> String {
    match value {
        Value::Text(text) => csv_text(text),
        Value::Map(_) => {
            let mut json = Vec::new();
            json_value(&mut json, value);
            csv_text(&String::from_utf8_lossy(&json))
        }
        other => plain(other),
    }
}

/// A text as a field of CSV.
pub fn csv_text(text: &str) -> String {
    let formula = if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { "'" } else { "" };
    if text.contains(['"', ',', '\n', '\r']) {
        format!("\"{formula}{}\"", text.replace('"', "\"\""))
    } else {
        format!("{formula}{text}")
    }
}

/// A value that is neither a text nor a map.
fn plain(value: &Value<'_>) -> String {
    match value {
        Value::Small(number) => number.to_string(),
        Value::Large(number) => number.to_string(),
        Value::Time(ms) => time(*ms),
        Value::Date(days) => time(i64::from(*days) * 86_400_000).chars().take(10).collect(),
        Value::Address(address) => address.to_string(),
        Value::Decimal(thousandths) => decimal(*thousandths),
        Value::Text(text) => (*text).to_owned(),
        Value::Map(_) => String::new(),
    }
}

/// `2026-11-26 20:30:00.123`, in UTC; seconds since 1970 where the calendar has no such year, which ClickHouse reads too.
fn time(ms: i64) -> String {
    let time = jiff::Timestamp::from_millisecond(ms).ok().map(|time| time.to_zoned(jiff::tz::TimeZone::UTC).datetime());
    match time.filter(|time| time.year() >= 0) {
        Some(time) => time.strftime("%Y-%m-%d %H:%M:%S%.3f").to_string(),
        None => decimal(ms),
    }
}

/// Thousandths, without zeros at the end.
fn decimal(thousandths: i64) -> String {
    let sign = if thousandths < 0 { "-" } else { "" };
    let (whole, part) = (thousandths.unsigned_abs() / 1000, thousandths.unsigned_abs() % 1000);
    match part {
        0 => format!("{sign}{whole}"),
        _ => format!("{sign}{whole}.{}", format!("{part:03}").trim_end_matches('0')),
    }
}
