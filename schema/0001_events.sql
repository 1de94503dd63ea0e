-- One row is one event of one visitor who allowed it. Identifiers are keyed pseudonyms: no raw address, User-Agent or URL
-- is ever stored. `consentry schema apply` runs this file once, in the database `consentry`; to run it by hand:
--   clickhouse-client --database consentry --multiquery < 0001_events.sql
create table events
(
    -- When and where from.
    site_id          UInt32,
    ts               DateTime64(3, 'UTC')   codec(T64, ZSTD(1)),
    -- Constant within an insert and sequential: the shipper asks for it after a crash, before it sends a batch again.
    batch_id         UInt64                 codec(T64, ZSTD(1)),
    name             LowCardinality(String),

    -- Who (keyed) and which visit.
    visitor_id       UInt128                codec(ZSTD(1)),
    session_id       UInt64                 codec(ZSTD(1)),       -- start in seconds << 32 | 32 random bits
    seq              UInt16                 codec(T64, ZSTD(1)),  -- 1 = a visit begins, 2 = it is not a bounce
    since_prev_ms    UInt32                 codec(T64, ZSTD(1)),  -- 0 on the first event; the sum is the visit's duration

    -- What page, and what led there.
    hostname         LowCardinality(String),
    path             LowCardinality(String),                      -- the gateway bounds how many there are
    referrer         LowCardinality(String),
    source           LowCardinality(String),
    channel          LowCardinality(String),
    utm_source       LowCardinality(String),
    utm_medium       LowCardinality(String),
    utm_campaign     LowCardinality(String),
    utm_term         LowCardinality(String),
    utm_content      LowCardinality(String),

    -- Where in the world. `ip_net` is a cut address and is blanked after 90 days.
    country          LowCardinality(String),
    region           LowCardinality(String),
    city             LowCardinality(String),
    ip_net           IPv6                   codec(ZSTD(1)) ttl toDateTime(ts) + interval 90 day,
    ip_hash          UInt64                 codec(ZSTD(1)),

    -- With what.
    browser          LowCardinality(String),
    browser_version  LowCardinality(String),
    os               LowCardinality(String),
    os_version       LowCardinality(String),
    device           LowCardinality(String),
    language         LowCardinality(String),
    time_zone        LowCardinality(String),
    screen           LowCardinality(String),
    plugins          LowCardinality(String),

    -- How it went. 0 = not known.
    response_ms      UInt32                 codec(T64, ZSTD(1)),
    engagement_ms    UInt32                 codec(ZSTD(1)),
    scroll_pct       UInt8                  codec(ZSTD(1)),
    exit_method      LowCardinality(String),
    status           UInt16                 codec(T64, ZSTD(1)),
    props            Map(LowCardinality(String), String) codec(ZSTD(1)),

    -- By whose leave, and for how long.
    consent_version  UInt16,
    consent_purposes UInt8,
    consent_ref      UInt64                 codec(ZSTD(1)),
    is_bot           UInt8,
    retention_days   UInt16,
    expires_at       Date
)
engine = MergeTree
-- Rows of one month and one retention class expire together, so whole parts can be dropped.
partition by (toYYYYMM(ts), retention_days)
-- Shorter than the sorting key: with `ts` in it, days are not pruned.
primary key (site_id, toDate(ts), visitor_id)
order by (site_id, toDate(ts), visitor_id, ts)
ttl expires_at delete
settings
    ttl_only_drop_parts = 0,
    non_replicated_deduplication_window = 1000,
    -- An acknowledged batch survives a power cut.
    fsync_after_insert = 1,
    fsync_part_directory = 1,
    min_rows_to_fsync_after_merge = 1,
    -- What was erased leaves the disk soon after it was merged away.
    old_parts_lifetime = 30,
    cleanup_delay_period = 1,
    max_cleanup_delay_period = 10;
