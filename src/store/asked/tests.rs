//! What visitors answered, into the real engine.

use super::*;
use crate::asked::{Answer, Counts};
use crate::config::ClickHouse;
use crate::engine::testing;
use crate::store::{client, migrate};

async fn on(database: &str) -> Client {
    let client = client::connect(&ClickHouse::Embedded { listen: None }, testing::shared()).unwrap();
    let client = client.with_database(database);
    migrate::apply(&client).await.unwrap();
    client
}

fn writer(asked: &Arc<Asked>, data: &tempfile::TempDir, client: &Client) -> Writer {
    Writer {
        asked: asked.clone(),
        folder: Folder::new(data.path()),
        client: client.clone(),
        comeback: Comeback::default(),
        site_id: 1,
        retention: Period { months: 72, days: 0 },
    }
}

type Stored = (String, String, u64, u64, u64, u64);

async fn stored(client: &Client) -> Vec<Stored> {
    let sql = "select toString(banner_version), toString(language), sum(shown), sum(accepted), sum(rejected), \
               sum(customised) from consent_statistics group by all order by all";
    client.query(sql).fetch_all().await.unwrap()
}

fn row(version: &str, language: &str, [shown, accepted, rejected, customised]: [u64; 4]) -> Stored {
    (version.into(), language.into(), shown, accepted, rejected, customised)
}

#[tokio::test]
async fn what_was_counted_is_in_the_table_after_an_end_in_order_and_parts_of_a_day_add_up() {
    let (client, dir) = (on("asked_parts").await, tempfile::tempdir().unwrap());
    for _ in 0..2 {
        let asked = Arc::new(Asked::default());
        for _ in 0..5 {
            asked.shown("1", "en-GB");
        }
        asked.answered("1", "en-GB", Answer::Accepted);
        asked.answered("1", "cy", Answer::Rejected);
        asked.answered("1", "cy", Answer::Customised);
        writer(&asked, &dir, &client).run(async {}).await;
    }
    assert_eq!(stored(&client).await, [row("1", "cy", [0, 0, 2, 2]), row("1", "en-GB", [10, 2, 0, 0])]);
    let kept: Vec<(u16, i64)> = client
        .query("select distinct toUInt16(day), dateDiff('month', day, expires_at) from consent_statistics")
        .fetch_all()
        .await
        .unwrap();
    assert!(kept.iter().all(|(day, months)| today() - day <= 1 && *months == 72), "{kept:?}");
    assert_eq!(Folder::new(dir.path()).waiting(), 0);
}

#[tokio::test]
async fn counts_that_are_already_in_the_table_are_not_sent_again() {
    let (client, dir) = (on("asked_again").await, tempfile::tempdir().unwrap());
    let folder = Folder::new(dir.path());
    let counts = |language: &str, shown| Counts {
        banner_version: "é\"\\\t".into(),
        language: language.into(),
        shown,
        ..Counts::default()
    };
    let rows = vec![counts("en", 3), counts("de", 4)];
    let counted = Counted { site_id: 1, day: 20_500, batch_id: u64::MAX, expires_at: 60_000, made_at: 7, rows };
    // As after a crash between the insert and the removal of the file.
    for _ in 0..3 {
        folder.keep(&counted).unwrap();
        writer(&Arc::default(), &dir, &client).run(async {}).await;
        assert_eq!(folder.waiting(), 0);
    }
    assert_eq!(stored(&client).await, [row("é\"\\\t", "de", [4, 0, 0, 0]), row("é\"\\\t", "en", [3, 0, 0, 0])]);
}

#[tokio::test]
async fn while_the_database_is_away_counts_wait_as_files() {
    let dir = tempfile::tempdir().unwrap();
    let away = clickhouse::Client::default().with_url("http://127.0.0.1:1");
    let asked = Arc::new(Asked::default());
    asked.shown("1", "en");
    writer(&asked, &dir, &away).run(async {}).await;
    assert_eq!(Folder::new(dir.path()).waiting(), 1);
    let client = on("asked_away").await;
    writer(&asked, &dir, &client).run(async {}).await;
    assert_eq!(stored(&client).await, [row("1", "en", [1, 0, 0, 0])]);
}

#[tokio::test]
async fn the_consent_statistics_have_no_column_that_names_a_visitor_or_a_view() {
    let client = on("asked_columns").await;
    let columns = "select name from system.columns where database = currentDatabase() \
                   and table = 'consent_statistics' order by name";
    let columns: Vec<String> = client.query(columns).fetch_all().await.unwrap();
    assert_eq!(
        columns.join(" "),
        "accepted banner_version batch_id customised day expires_at language rejected shown site_id"
    );
}

#[tokio::test]
async fn rule_r1_expired_consent_statistics_disappear() {
    let client = on("asked_ttl").await;
    for days_ago in [100, 1] {
        let insert = "insert into consent_statistics (site_id, day, shown, expires_at) select 1, \
                      today() - {ago:UInt16}, 10, today() - {ago:UInt16} + 90";
        client.query(insert).param("ago", days_ago).execute().await.unwrap();
    }
    client.query("optimize table consent_statistics final").execute().await.unwrap();
    let left: u64 = client.query("select count() from consent_statistics").fetch_one().await.unwrap();
    assert_eq!(left, 1);
}

/// A token is remembered before the rows are stored, so that of an attempt that failed must not stand for them.
#[tokio::test]
async fn where_the_server_remembers_tokens_counts_that_are_not_there_are_stored_all_the_same() {
    let (client, dir) = (on("asked_tokens").await, tempfile::tempdir().unwrap());
    let remember = "alter table consent_statistics modify setting non_replicated_deduplication_window = 100";
    client.query(remember).execute().await.unwrap();
    let rows = vec![Counts { banner_version: "1".into(), language: "en".into(), shown: 3, ..Counts::default() }];
    let counted = Counted { site_id: 1, day: 20_500, batch_id: 5, expires_at: 60_000, made_at: 7, rows };
    for _ in 0..2 {
        Folder::new(dir.path()).keep(&counted).unwrap();
        writer(&Arc::default(), &dir, &client).run(async {}).await;
        assert_eq!(stored(&client).await, [row("1", "en", [3, 0, 0, 0])]);
        // As if they had not come to be stored, with the token remembered.
        client
            .query("alter table consent_statistics delete where 1 settings mutations_sync = 1")
            .execute()
            .await
            .unwrap();
    }
}
