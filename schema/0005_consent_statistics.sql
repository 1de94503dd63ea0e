-- One row is a counter: how often a banner of one version and language was shown on one day and what was answered, or a part of
-- that day: the gateway adds rows about once a minute, and they add up (`sum(shown)`), as do those of further gateways. No
-- row is of one visitor or one view, no column names anybody, and nothing is shared with `events` or `statistics`.
--
-- `shown` is pages that carried the banner, not people: who reads five pages without an answer was shown it five times. What was
-- ignored is not stored but reckoned: shown less answered, never below nothing.
create table consent_statistics
(
    -- When. The day in UTC.
    site_id        UInt32,
    day            Date,
    -- Random, one for each insert: the gateway asks for it after any doubt, before it sends counts again.
    batch_id       UInt64                 codec(ZSTD(1)),

    -- Of what.
    banner_version LowCardinality(String),
    language       LowCardinality(String),

    -- How many.
    shown          UInt64                 codec(T64, ZSTD(1)),
    accepted       UInt64                 codec(T64, ZSTD(1)),
    rejected       UInt64                 codec(T64, ZSTD(1)),
    customised     UInt64                 codec(T64, ZSTD(1)),

    -- For how long.
    expires_at     Date
)
engine = MergeTree
-- Rows of one month expire within one month, so whole parts can be dropped.
partition by toYYYYMM(day)
order by (site_id, day, banner_version, language, batch_id)
ttl expires_at delete
settings
    -- Acknowledged counts survive a power cut: their file is removed then.
    fsync_after_insert = 1,
    fsync_part_directory = 1,
    min_rows_to_fsync_after_merge = 1;
