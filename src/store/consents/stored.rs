//! A row of the ledger as the table has it, and reading the table.

use clickhouse::Client;
use tokio::time::timeout;

use super::day;
use crate::config::Period;
use crate::keys::KeyId;
use crate::ledger::hex::{hex, hex_u64, unhex, unhex_u64};
use crate::ledger::{Action, ChainId, Entry, Row};
use crate::store::true_now::ASK;

/// A row of the table.
#[derive(Clone, Debug, PartialEq, Eq, clickhouse::Row, serde::Serialize, serde::Deserialize)]
pub struct Stored {
    site_id: u32,
    chain: u64,
    seq: u64,
    receipt: String,
    previous: String,
    /// Milliseconds since 1970.
    at: i64,
    action: String,
    policy_version: u16,
    text_hash: String,
    banner_version: String,
    banner_hash: String,
    granted: Vec<String>,
    denied: Vec<String>,
    source: String,
    language: String,
    host: String,
    gpc: bool,
    dnt: bool,
    under_16: bool,
    prev_hash: String,
    hash: String,
    key: u32,
    signature: String,
    /// Days since 1970.
    expires_at: u16,
}

impl Stored {
    pub(super) fn of(row: &Row, retention: Period) -> Stored {
        let entry = &row.entry;
        Stored {
            site_id: row.site_id,
            chain: row.chain.0,
            seq: row.seq,
            receipt: hex_u64(entry.receipt),
            previous: entry.previous.map(hex_u64).unwrap_or_default(),
            at: entry.at_ms,
            action: entry.action.word().to_owned(),
            policy_version: entry.policy_version,
            text_hash: hex(&entry.text_hash),
            banner_version: entry.banner_version.clone(),
            banner_hash: hex(&entry.banner_hash),
            granted: entry.granted.clone(),
            denied: entry.denied.clone(),
            source: entry.source.clone(),
            language: entry.language.clone(),
            host: entry.host.clone(),
            gpc: entry.gpc,
            dnt: entry.dnt,
            under_16: entry.under_16,
            prev_hash: hex(&row.prev_hash),
            hash: hex(&row.hash),
            key: row.key.0,
            signature: hex(&row.signature),
            expires_at: retention.after(day(entry.at_ms)),
        }
    }

    /// The row of the ledger; where the table has something that cannot be one, the column. Whether it is as it was written
    /// is for [`verify`](crate::ledger::verify) to see.
    pub fn row(&self) -> Result<Row, &'static str> {
        let previous = match self.previous.as_str() {
            "" => None,
            digits => Some(unhex_u64(digits).ok_or("previous")?),
        };
        Ok(Row {
            chain: ChainId(self.chain),
            seq: self.seq,
            site_id: self.site_id,
            entry: Entry {
                receipt: unhex_u64(&self.receipt).ok_or("receipt")?,
                previous,
                at_ms: self.at,
                action: Action::from_word(&self.action).ok_or("action")?,
                policy_version: self.policy_version,
                text_hash: unhex(&self.text_hash).ok_or("text_hash")?,
                banner_version: self.banner_version.clone(),
                banner_hash: unhex(&self.banner_hash).ok_or("banner_hash")?,
                granted: self.granted.clone(),
                denied: self.denied.clone(),
                source: self.source.clone(),
                language: self.language.clone(),
                host: self.host.clone(),
                gpc: self.gpc,
                dnt: self.dnt,
                under_16: self.under_16,
            },
            prev_hash: unhex(&self.prev_hash).ok_or("prev_hash")?,
            key: KeyId(self.key),
            hash: unhex(&self.hash).ok_or("hash")?,
            signature: unhex(&self.signature).ok_or("signature")?,
        })
    }

    /// Whose chain it says it is of, and with what number.
    pub fn name(&self) -> (ChainId, u64) {
        (ChainId(self.chain), self.seq)
    }

    /// The first day on which it is gone, in days since 1970.
    pub fn expires_at(&self) -> u16 {
        self.expires_at
    }
}

/// Rows of the table behind a chain's number, in order of chain and number, at most `limit`; for who verifies or exports.
pub async fn rows_behind(
    client: &Client,
    chain: ChainId,
    seq: u64,
    limit: u64,
) -> clickhouse::error::Result<Vec<Stored>> {
    let rows = "select ?fields from consents where (chain, seq) > ({chain:UInt64}, {seq:UInt64}) \
                order by chain, seq limit {limit:UInt64} with ties";
    let rows = client.query(rows).param("chain", chain.0).param("seq", seq).param("limit", limit);
    timeout(ASK, rows.fetch_all::<Stored>()).await.unwrap_or(Err(clickhouse::error::Error::TimedOut))
}
