//! Statements as people and tools write them.

use proptest::prelude::*;

use super::*;

fn select(format: Option<&str>) -> Result<Statement, Refusal> {
    Ok(Statement::Select { format: format.map(str::to_owned), totals: false })
}

fn data_of(sql: &str) -> (String, String, String) {
    match recognise(sql.as_bytes()) {
        Ok(Statement::Insert { head, format, data }) => (sql[..head].trim().to_owned(), format, sql[data..].to_owned()),
        other => panic!("{sql}: {other:?}"),
    }
}

#[test]
fn a_select_is_told_from_what_only_looks_like_one() {
    assert_eq!(recognise(b" -- select\n /* x */ SELECT 1"), select(None));
    assert_eq!(recognise(b"(select 1) union all (select 2) format JSON;"), select(Some("JSON")));
    assert_eq!(recognise(b"with 1 as a select a"), select(None));
    assert_eq!(recognise(b"from t select *"), select(None));
    assert_eq!(recognise(b"with x as (select 1) insert into t select 1"), Ok(Statement::Other { format: None }));
    assert_eq!(recognise(b"show tables format TSV"), Ok(Statement::Other { format: Some("TSV".to_owned()) }));
    assert_eq!(recognise(b"explain select 1"), Ok(Statement::Other { format: None }));
    assert_eq!(recognise(b" ; -- nothing"), Ok(Statement::Empty));
}

#[test]
fn quotes_comments_and_brackets_hide_keywords() {
    assert_eq!(recognise(br"select 'a\' format X;', `b;` -- format Y;"), select(None));
    assert_eq!(recognise(b"select '' ' ; '' ;' /* ; */ , (select 1 format Z)"), select(None));
    assert_eq!(recognise(b"select $x$ ; format A $x$ format CSV"), select(Some("CSV")));
    assert_eq!(recognise(b"select 1 /* a /* b */ ; */ // ; c\n format CSV"), select(Some("CSV")));
    assert_eq!(recognise("select ‘a;b’, “c;'d” format CSV".as_bytes()), select(Some("CSV")));
    assert_eq!(recognise(b"select formatDateTime(now(), '%F')"), select(None));
}

#[test]
fn totals_are_seen() {
    let sql = b"select k, count() from t group by k with totals";
    assert_eq!(recognise(sql), Ok(Statement::Select { format: None, totals: true }));
}

#[test]
fn several_statements_and_files_are_refused() {
    assert_eq!(recognise(b"select 1; select 2"), Err(Refusal::Several));
    assert_eq!(recognise(b"drop table a; garbage"), Err(Refusal::Several));
    assert_eq!(recognise(b"insert into a select 1; drop table b"), Err(Refusal::Several));
    assert_eq!(recognise(b"select 1 into outfile 'x'"), Err(Refusal::File));
    assert_eq!(recognise(b"insert into t from infile 'x' format CSV"), Err(Refusal::File));
    assert_eq!(recognise(b"select 1;;  -- end\n"), select(None));
}

#[test]
fn an_inserts_data_is_found() {
    let head = "INSERT INTO db.t (a, `values`)";
    assert_eq!(
        data_of("INSERT INTO db.t (a, `values`) FORMAT RowBinary"),
        (head.into(), "RowBinary".into(), "".into())
    );
    assert_eq!(
        data_of("INSERT INTO db.t (a, `values`) FORMAT TSV\n 1\t;2\n"),
        (head.into(), "TSV".into(), " 1\t;2\n".into())
    );
    assert_eq!(
        data_of("insert into values values (1, 'x')"),
        ("insert into values".into(), "Values".into(), " (1, 'x')".into())
    );
    assert_eq!(
        data_of(
            "insert into table function remote('x', d.t) settings a = 1, b = 'format X' format JSONEachRow {\"a\":1}"
        ),
        (
            "insert into table function remote('x', d.t) settings a = 1, b = 'format X'".into(),
            "JSONEachRow".into(),
            "{\"a\":1}".into()
        )
    );
    assert_eq!(data_of("insert into t"), ("insert into t".into(), "Values".into(), "".into()));
}

#[test]
fn an_insert_from_a_select_has_no_data() {
    assert_eq!(recognise(b"insert into t (a) select 1"), Ok(Statement::Other { format: None }));
    assert_eq!(recognise(b"insert into t (select 1)"), Ok(Statement::Other { format: None }));
    assert_eq!(recognise(b"insert into t with 1 as x select x"), Ok(Statement::Other { format: None }));
}

#[test]
fn a_file_is_split_at_its_semicolons() {
    assert_eq!(
        split("-- a;\ncreate table x (a String default ';');\n\n;select 1 -- b\n"),
        ["-- a;\ncreate table x (a String default ';')", "select 1 -- b"]
    );
    assert!(split(" \n-- only a comment").is_empty());
}

proptest! {
    #[test]
    fn any_bytes_are_recognised_without_a_panic(sql in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(Statement::Insert { head, data, .. }) = recognise(&sql) {
            prop_assert!(head <= data && data <= sql.len());
        }
    }

    #[test]
    fn tokens_of_sql_like_text_cover_it_in_order(sql in r#"[ a-z'"`;$()\\/*\-\n#]{0,60}"#) {
        let mut at = 0;
        for token in Tokens::of(sql.as_bytes()) {
            prop_assert!(token.start >= at && token.end > token.start && token.end <= sql.len());
            at = token.end;
        }
        for statement in split(&sql) {
            prop_assert!(sql.contains(statement));
        }
    }
}
