//! The migrations: numbered SQL files of `schema/`, compiled in, each run once and written down in `schema_migrations` with
//! its hash. A file that was applied is never changed; what is new is a new file. Called by the life of the process before
//! anything is shipped, and by `consentry schema`.

use sha2::{Digest as _, Sha256};

use super::exception;
use crate::engine::statement;

/// A file of `schema/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Migration {
    /// Its number.
    pub version: u32,
    /// Its name, without number and ending.
    pub name: &'static str,
    /// Its text.
    pub sql: &'static str,
}

/// All of them, in order.
pub const MIGRATIONS: &[Migration] = &[
    Migration { version: 1, name: "events", sql: include_str!("../../schema/0001_events.sql") },
    Migration { version: 2, name: "capture", sql: include_str!("../../schema/0002_capture.sql") },
    Migration { version: 3, name: "statistics", sql: include_str!("../../schema/0003_statistics.sql") },
    Migration { version: 4, name: "consents", sql: include_str!("../../schema/0004_consents.sql") },
    Migration { version: 5, name: "consent_statistics", sql: include_str!("../../schema/0005_consent_statistics.sql") },
];

impl Migration {
    /// SHA-256 of the text, in hexadecimal.
    pub fn sha256(&self) -> String {
        Sha256::digest(self.sql.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The file's name.
    pub fn file(&self) -> String {
        format!("{:04}_{}.sql", self.version, self.name)
    }
}

/// A row of `schema_migrations`.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, clickhouse::Row)]
pub struct Applied {
    /// The file's number.
    pub version: u32,
    /// The file's name.
    pub name: String,
    /// SHA-256 of the text that was run.
    pub sha256: String,
    /// When, in milliseconds since 1970.
    pub applied_at: i64,
}

/// A file and whether it was run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// The file.
    pub migration: Migration,
    /// The row, where it was.
    pub applied: Option<Applied>,
}

/// Why the schema is not as this program needs it.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// ClickHouse refused or could not be reached.
    #[error("{step}: {source}")]
    ClickHouse {
        /// What was being done.
        step: String,
        /// Its words.
        source: clickhouse::error::Error,
    },
    /// A file was changed after it was applied.
    #[error(
        "schema/{file} was applied with the SHA-256 {applied}, and this program has {ours}: an applied file must not change. Use the program that applied it, or one with a new numbered file"
    )]
    Changed {
        /// The file.
        file: String,
        /// As written down.
        applied: String,
        /// As compiled in.
        ours: String,
    },
    /// The database was made by a newer program.
    #[error(
        "the database has schema version {0}, which this program does not know ({1} is its newest): use a newer consentry"
    )]
    Newer(u32, u32),
}

impl MigrateError {
    /// Whether waiting cannot heal it: someone has to do what the message says.
    pub fn is_lasting(&self) -> bool {
        matches!(self, MigrateError::Changed { .. } | MigrateError::Newer(..))
    }

    /// The message without ClickHouse's own words, as a log may have it.
    pub fn in_short(&self) -> String {
        match self {
            MigrateError::ClickHouse { step, source } => format!("{step}: {}", exception::in_short(source)),
            MigrateError::Changed { .. } | MigrateError::Newer(..) => self.to_string(),
        }
    }
}

fn failed(step: impl Into<String>) -> impl FnOnce(clickhouse::error::Error) -> MigrateError {
    let step = step.into();
    move |source| MigrateError::ClickHouse { step, source }
}

/// Makes the client's database where it is not there, runs what was not run, and returns that. Running it again does
/// nothing; two programs at once are told apart by ClickHouse (the second `create table` fails).
pub async fn apply(client: &clickhouse::Client) -> Result<Vec<Migration>, MigrateError> {
    apply_all(client, MIGRATIONS).await
}

/// What was applied and what was not. Does not change anything.
pub async fn status(client: &clickhouse::Client) -> Result<Vec<Status>, MigrateError> {
    let applied = match applied(client).await {
        Ok(applied) => applied,
        Err(clickhouse::error::Error::BadResponse(text)) if is_not_there(&text) => Vec::new(),
        Err(error) => return Err(failed("cannot read schema_migrations")(error)),
    };
    check(MIGRATIONS, &applied)?;
    Ok(MIGRATIONS
        .iter()
        .map(|migration| Status {
            migration: *migration,
            applied: applied.iter().find(|row| row.version == migration.version).cloned(),
        })
        .collect())
}

async fn apply_all(client: &clickhouse::Client, migrations: &[Migration]) -> Result<Vec<Migration>, MigrateError> {
    let database = client.database().unwrap_or(super::client::DATABASE).to_owned();
    let make = format!("create database if not exists `{}`", database.replace('\\', "\\\\").replace('`', "\\`"));
    run(&client.clone().with_database("default"), &make).await.map_err(failed("cannot make the database"))?;
    let make = "create table if not exists schema_migrations (version UInt32, name String, sha256 String, \
                applied_at DateTime64(3, 'UTC')) engine = MergeTree order by version \
                settings fsync_after_insert = 1, fsync_part_directory = 1";
    run(client, make).await.map_err(failed("cannot make schema_migrations"))?;

    let before = applied(client).await.map_err(failed("cannot read schema_migrations"))?;
    check(migrations, &before)?;
    let mut done = Vec::new();
    for migration in migrations.iter().filter(|migration| !before.iter().any(|row| row.version == migration.version)) {
        for sql in statement::split(migration.sql) {
            run(client, sql).await.map_err(failed(format!("schema/{}", migration.file())))?;
        }
        // Not the client's typed insert: it asks for the table's columns first and remembers them for its lifetime.
        let note = "insert into schema_migrations select {version:UInt32}, {name:String}, {sha256:String}, now64(3)";
        client
            .query(note)
            .param("version", migration.version)
            .param("name", migration.name)
            .param("sha256", migration.sha256())
            .execute()
            .await
            .map_err(failed("cannot write schema_migrations"))?;
        done.push(*migration);
    }
    Ok(done)
}

/// `?` stands for itself in a migration.
async fn run(client: &clickhouse::Client, sql: &str) -> clickhouse::error::Result<()> {
    client.query(&sql.replace('?', "??")).execute().await
}

async fn applied(client: &clickhouse::Client) -> clickhouse::error::Result<Vec<Applied>> {
    let sql = "select version, name, sha256, toUnixTimestamp64Milli(applied_at) as applied_at \
               from schema_migrations order by version";
    client.query(sql).fetch_all().await
}

fn check(migrations: &[Migration], applied: &[Applied]) -> Result<(), MigrateError> {
    let newest = migrations.iter().map(|migration| migration.version).max().unwrap_or_default();
    for row in applied {
        let Some(migration) = migrations.iter().find(|migration| migration.version == row.version) else {
            return Err(MigrateError::Newer(row.version, newest));
        };
        let ours = migration.sha256();
        if ours != row.sha256 {
            return Err(MigrateError::Changed { file: migration.file(), applied: row.sha256.clone(), ours });
        }
    }
    Ok(())
}

/// Neither database nor table yet: nothing was applied.
fn is_not_there(text: &str) -> bool {
    text.contains("UNKNOWN_DATABASE") || text.contains("UNKNOWN_TABLE")
}

#[cfg(test)]
mod tests;
