//! What a request on TCP may say. `readonly = 1` keeps it from writing and from most table functions, but ClickHouse as a
//! library still lets a reader of tables read any **file** of this user (the scalar function `file`, `DESCRIBE file(...)`,
//! a template file as an output format) and end other people's statements. The key ring is such a file.
//!
//! So ClickHouse's own parser must call the statement one that only reads (see [`super::run`]), and here names by which a
//! statement could look elsewhere are refused as words. The text is searched as it is, in strings and comments too, because
//! a guard that skips them is no stronger than its idea of where they end; a function need not even be called to be used
//! (`APPLY(file)`). The price: a literal that contains such a word must be sent as a parameter. Pure.

/// Functions that read files, call other services or run text as a statement: refused wherever they stand.
const NAMES: [&str; 10] = [
    "file",
    "eval",
    "catboostevaluate",
    "evalmlmethod",
    "aiclassify",
    "aiembed",
    "aiextract",
    "aigenerate",
    "aitranslate",
    "executable",
];

/// Table functions that reach out of the database, by the beginning of their names: refused as calls. ClickHouse refuses
/// most of them itself when it reads from them, but not when it only describes them.
const CALLS: [&str; 25] = [
    "file",
    "url",
    "s3",
    "gcs",
    "cosn",
    "oss",
    "hdfs",
    "azure",
    "iceberg",
    "deltalake",
    "hudi",
    "paimon",
    "ytsaurus",
    "jdbc",
    "odbc",
    "mysql",
    "postgresql",
    "mongodb",
    "redis",
    "sqlite",
    "remote",
    "cluster",
    "arrowstream",
    "prometheus",
    "fuzz",
];

/// Scalar functions that only begin like one of [`CALLS`].
const HARMLESS_CALLS: [&str; 3] = ["urlhash", "urlhierarchy", "urlpathhierarchy"];

/// Parts of the names of settings that name files, other services, or text to be run as SQL.
const SETTINGS: [&str; 20] = [
    "schema",
    "template",
    "dialect",
    "path",
    "file",
    "url",
    "uri",
    "credential",
    "additional_",
    "implicit_table",
    "custom_key",
    "dictionar",
    "promql",
    "catalog",
    "engine",
    "definer",
    "introspection",
    "eval",
    "implementation",
    "allow_experimental",
];

/// Why the request is refused, or `None`. `reads`: ClickHouse's parser says that the statement is one and only reads.
pub fn refusal(
    sql: &[u8],
    reads: bool,
    settings: &[(String, String)],
    parameters: &[(String, String)],
) -> Option<String> {
    if !reads {
        return Some("only one statement that reads tables is allowed here".to_owned());
    }
    let dangerous = |name: &str| {
        let name = name.to_ascii_lowercase();
        SETTINGS.iter().any(|part| name.contains(part))
    };
    if let Some((name, _)) = settings.iter().find(|(name, _)| dangerous(name)) {
        return Some(format!("the setting `{}` is not taken here", name.escape_default()));
    }
    // `{f:Identifier}` may stand for a function's name.
    if parameters.iter().any(|(_, value)| NAMES.contains(&value.trim().to_ascii_lowercase().as_str())) {
        return Some("a parameter names a function that is not allowed here".to_owned());
    }
    // An escape in a quoted name could spell any of them.
    if memchr::memmem::find(sql, b"\\x").is_some() {
        return Some("`\\x` is not allowed here; send the text as a parameter".to_owned());
    }
    let text = String::from_utf8_lossy(sql).to_ascii_lowercase();
    let describes = ["describe", "desc"].contains(&words(&text).next().map_or("", |(word, _)| word));
    if describes && text.contains('(') {
        return Some("only tables can be described here".to_owned());
    }
    let refused = words(&text).find(|(word, after)| {
        let calls = CALLS.iter().any(|beginning| word.starts_with(beginning)) && !HARMLESS_CALLS.contains(word);
        NAMES.contains(word) || (calls && may_be_called(after))
    });
    refused.map(|(word, _)| format!("`{word}` is not allowed here; a text that contains it can be sent as a parameter"))
}

/// The words of a text, each with what follows it.
fn words(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let mut at = 0;
    std::iter::from_fn(move || {
        let bytes = text.as_bytes();
        let begin = at + bytes.get(at..)?.iter().position(|byte| is_word(*byte))?;
        let end =
            bytes.iter().skip(begin).position(|byte| !is_word(*byte)).map_or(bytes.len(), |length| begin + length);
        at = end;
        Some((text.get(begin..end)?, text.get(end..)?))
    })
}

/// A bracket follows, or something that may hide one: the end of a quoted name, a comment.
fn may_be_called(after: &str) -> bool {
    let next = after.trim_start_matches(|c: char| c.is_whitespace() || "\"`”\0\u{b}".contains(c)).chars().next();
    matches!(next, Some('(' | '/' | '-' | '#'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn is_refused(sql: &str) -> bool {
        refusal(sql.as_bytes(), true, &[], &[]).is_some()
    }

    #[test]
    fn looking_at_tables_is_allowed() {
        for sql in [
            "select path, count() from events where name = 'page view' group by path",
            "with 1 as a select a, URLHash('x'), cutURLParameter('x', 'y')",
            "show create table events",
            "describe table events",
            "explain select 1",
            "select file_name, urls, remote from t, numbers(10), view(select 1) as profiles",
            "",
        ] {
            assert!(!is_refused(sql), "{sql}: {:?}", refusal(sql.as_bytes(), true, &[], &[]));
        }
    }

    #[test]
    fn ways_to_a_file_or_another_service_are_refused() {
        for sql in [
            "select file('/etc/hostname')",
            "select FILE ('/etc/hostname')",
            "select `file`('/etc/hostname')",
            "select “file”('/etc/hostname')",
            "select \"file\" /* */ ('/etc/hostname')",
            r"select `fi\x6ce`('/etc/hostname')",
            "select * apply(file) from (select '/etc/hostname')",
            "select * apply file from (select '/etc/hostname')",
            "select $a$ ' $a$, file('/etc/hostname'), ' '",
            "select 1 // '\n, file('/etc/hostname') -- '",
            "select * from eval('select 1')",
            "describe file('/etc/hostname', 'CSV')",
            "describe (select * from events)",
            "explain select * from url('http://x')",
            "explain select * from `url` /* x */ ('http://x')",
            "explain select * from ”url” -- x\n('http://x')",
            "select * from s3Cluster('c', 'http://x/y')",
            "select * from remoteSecure('h', d.t)",
            "select aiGenerate('x')",
        ] {
            assert!(is_refused(sql), "{sql}");
        }
        assert!(refusal(b"kill query where 1", false, &[], &[]).is_some());
    }

    #[test]
    fn settings_that_name_files_or_sql_are_refused() {
        let set = |name: &str| refusal(b"select 1", true, &[(name.to_owned(), "x".to_owned())], &[]).is_some();
        for name in [
            "format_template_resultset",
            "output_format_schema",
            "FORMAT_SCHEMA",
            "dialect",
            "additional_result_filter",
        ] {
            assert!(set(name), "{name}");
        }
        for name in
            ["max_threads", "readonly", "output_format_json_quote_64bit_integers", "session_timezone", "extremes"]
        {
            assert!(!set(name), "{name}");
        }
        let parameter = [("f".to_owned(), "file".to_owned())];
        assert!(refusal(b"select * apply({f:Identifier}) from t", true, &[], &parameter).is_some());
    }

    proptest! {
        #[test]
        fn any_bytes_are_judged_without_a_panic(sql in prop::collection::vec(any::<u8>(), 0..100)) {
            let _ = refusal(&sql, true, &[], &[]);
        }

        #[test]
        fn a_forbidden_word_is_found_in_any_surroundings(before in "([^a-zA-Z0-9_].{0,20})?", after in "([^a-zA-Z0-9_].{0,20})?") {
            let sql = format!("select {before}\nfile{after}");
            prop_assert!(is_refused(&sql), "{}", sql);
        }
    }
}
