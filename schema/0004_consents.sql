-- One row is one act of one visitor: an acceptance, a refusal, a change, a withdrawal, an objection. It is the ledger of
-- choices as `consentry ledger` keeps it in the gateway's own folder, brought here for those who are asked to prove or to
-- count. It holds no address, no User-Agent and no page, and no pseudonym that stands in another table but the receipt.
--
-- The rows of one gateway are a chain: each has the hash of the one before it, and a signature. Never change, delete or
-- insert one by hand; `consentry ledger verify` finds it and says which. A row that was stored is not stored again, so what
-- was deleted by mistake comes back from a backup only.
--
-- What the visitor allowed of `analytics`, by day:
--   select toDate(at) as day, action, countIf(has(granted, 'analytics')) as granted, count() as rows
--   from consents group by day, action order by day, action
create table consents
(
    -- Which row of which gateway. `chain` is random and stays; `seq` counts from 1 without a gap.
    site_id        UInt32,
    chain          UInt64,
    seq            UInt64                  codec(Delta, ZSTD(1)),

    -- The receipt, in 16 hexadecimal digits as the visitor reads it, and the one it replaces ('' where it is the first).
    -- The number `events.consent_ref` is the same one: lower(leftPad(hex(consent_ref), 16, '0')).
    receipt        String                  codec(ZSTD(1)),
    previous       String                  codec(ZSTD(1)),

    -- When, by the gateway's clock; it never goes back within a chain.
    at             DateTime64(3, 'UTC')    codec(Delta, ZSTD(1)),
    action         LowCardinality(String),                      -- accept, refuse, change, withdrawal, objection

    -- What was asked. Hashes are SHA-256 in hexadecimal; `consentry ledger text HASH` prints what they are of.
    policy_version UInt16,
    text_hash      LowCardinality(String),
    banner_version LowCardinality(String),
    banner_hash    LowCardinality(String),                      -- zeros where no banner was shown

    -- What was answered: ids of purposes.
    granted        Array(LowCardinality(String)),
    denied         Array(LowCardinality(String)),

    -- How. Source: banner, preferences, withdrawal, gpc, dnt, api, import:NAME.
    source         LowCardinality(String),
    language       LowCardinality(String),
    host           LowCardinality(String),
    gpc            Bool,
    dnt            Bool,
    under_16       Bool,

    -- The chain. The signature is Ed25519 in hexadecimal, under the key of this number in the gateway's key ring.
    prev_hash      String                  codec(ZSTD(1)),
    hash           String                  codec(ZSTD(1)),
    key            UInt32,
    signature      String                  codec(ZSTD(1)),

    -- For how long: `[retention] consents`.
    expires_at     Date
)
engine = MergeTree
-- Rows of one month expire within one month, so whole parts can be dropped. One insert is of one month.
partition by toYYYYMM(at)
order by (chain, seq)
ttl expires_at delete
settings
    -- An acknowledged block survives a power cut.
    fsync_after_insert = 1,
    fsync_part_directory = 1,
    min_rows_to_fsync_after_merge = 1;
