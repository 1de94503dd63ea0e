//! What has expired is deleted by the database itself.

use crate::support::gateway::shared;

#[test]
fn an_expired_row_is_gone_and_a_young_one_stays() {
    let (gateway, _) = shared();
    // A site of its own, so that no other test counts these.
    for years in [0, 5, 7] {
        gateway.query(&format!(
            "insert into consentry.events (site_id, ts, name, visitor_id, path, retention_days, expires_at) \
             select 99, now64(3, 'UTC') - interval {years} year as then, 'pageview', {years}, '/expiry', 2192, \
             toDate(then) + interval 6 year"
        ));
    }
    gateway.query("optimize table consentry.events final");
    let left =
        gateway.query("select toUInt32(visitor_id) as years from consentry.events where site_id = 99 order by years");
    let years: Vec<_> = left.iter().map(|row| row["years"].as_u64()).collect();
    assert_eq!(years, [Some(0), Some(5)]);
}

#[test]
fn the_table_is_laid_out_as_designed() {
    let (gateway, _) = shared();
    let sql = "select create_table_query as ddl, partition_key, primary_key, sorting_key from system.tables \
               where database = 'consentry' and name = 'events'";
    let table = gateway.query(sql).remove(0);
    let ddl = table["ddl"].as_str().expect("a statement");
    assert_eq!(table["partition_key"], "(toYYYYMM(ts), retention_days)");
    assert_eq!(table["primary_key"], "site_id, toDate(ts), visitor_id");
    assert_eq!(table["sorting_key"], "site_id, toDate(ts), visitor_id, ts");
    for part in ["TTL expires_at", "ttl_only_drop_parts = 0", "`ip_net` IPv6", "TTL toDateTime(ts) + toIntervalDay(90)"]
    {
        assert!(ddl.contains(part), "{part} in {ddl}");
    }
}
