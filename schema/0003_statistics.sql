-- One row is a counter: how many page views there were in one hour of visitors who had not chosen, where the legal mode
-- `uk-statistics` allows to count them and nobody objected. Never fewer than 10: smaller counters were merged before they
-- came here, `(other)` standing for what was left out (first the region, then the referring host, the device, the class of
-- page), or were left out themselves. So a sum over rows is less than the truth by what was left out, and no total is
-- stored that would show by how much. Nothing here is of one visitor or one view, and nothing is shared with `events`.
--
-- The rows of one hour add up (`sum(views)`): a restart and every further gateway has rows of its own.
--
-- Who reads one lane need not read the other, and no role should. On a server of your own:
--   create role analytics_reader;  grant select on consentry.events to analytics_reader;
--   create role statistics_reader; grant select on consentry.statistics to statistics_reader;
-- The gateway's own user makes both tables, inserts into both, and reads both to ask what it has stored. The embedded
-- engine has one user and no roles.
create table statistics
(
    -- When. The beginning of the hour.
    site_id    UInt32,
    hour       DateTime('UTC')        codec(DoubleDelta, ZSTD(1)),
    -- Random, one for each insert: the gateway asks for it after any doubt, before it sends an hour again.
    batch_id   UInt64                 codec(ZSTD(1)),

    -- Of what. The class of a page is its address's first part, as in `/`, `/pricing`, `/blog/*`; `(error)` where the answer
    -- was one. Empty: none, or not known.
    path       LowCardinality(String),
    referrer   LowCardinality(String),
    device     LowCardinality(String),
    country    LowCardinality(String),
    region     LowCardinality(String),

    -- How many. 10 or more.
    views      UInt64                 codec(T64, ZSTD(1)),

    -- For how long.
    expires_at Date
)
engine = MergeTree
-- Rows of one month expire within one month, so whole parts can be dropped.
partition by toYYYYMM(hour)
order by (site_id, hour, batch_id, path, referrer)
ttl expires_at delete
settings
    -- An acknowledged hour survives a power cut: its file is removed then.
    fsync_after_insert = 1,
    fsync_part_directory = 1,
    min_rows_to_fsync_after_merge = 1;
