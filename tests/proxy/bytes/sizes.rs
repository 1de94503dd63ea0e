//! Heads and targets that are larger than anybody needs (the bound is 32 KiB).

use super::Table;

#[test]
fn a_head_that_is_too_large_is_431_and_a_target_414() {
    let table = Table::laid();
    let field = |count: usize, size: usize| format!("X: {}\r\n", "a".repeat(size)).repeat(count);
    for (what, line, fields, status, kept) in [
        ("100 fields", "GET /a".to_owned(), field(98, 1), 200, true),
        ("101 fields", "GET /a".to_owned(), field(99, 1), 431, false),
        ("a field of 31 KB", "GET /a".to_owned(), field(1, 31_000), 200, true),
        ("a field of 33 KB", "GET /a".to_owned(), field(1, 33_000), 431, true),
        ("fields of 33 KB together", "GET /a".to_owned(), field(33, 1000), 431, true),
        ("a field of 500 KB", "GET /a".to_owned(), field(1, 500_000), 431, false),
        ("a target of 31 KB", format!("GET /{}", "a".repeat(31_000)), String::new(), 200, true),
        ("a query of 33 KB", format!("GET /?{}", "a".repeat(33_000)), String::new(), 414, true),
        ("a target of 33 KB", format!("GET /{}", "a".repeat(33_000)), String::new(), 414, true),
    ] {
        let head = format!("{line} HTTP/1.1\r\n{{H}}{fields}\r\n");
        let seen = match status {
            200 => format!("{line} HTTP/1.1\r\n{{h}}{}{{f}}", fields.replace("X: ", "x: ")),
            _ => String::new(),
        };
        let answers = table.exchange(super::whole(&head).as_bytes(), 1, kept, &super::whole(&seen));
        let answers = answers.unwrap_or_else(|wrong| panic!("{what}: {wrong}"));
        assert_eq!(answers[0].status, status, "{what}");
    }
}

/// What does not even fit into what is read at once is refused without being read to its end.
#[test]
fn a_line_without_an_end_is_not_read_for_ever() {
    let table = Table::laid();
    for begin in ["GET /", "GET / HTTP/1.1\r\nX: ", "GET / HTTP/1.1\r\n"] {
        let mut connection = table.connects();
        let more = if begin.ends_with('\n') { "X: a\r\n".repeat(20_000) } else { "a".repeat(120_000) };
        connection.send(format!("{begin}{more}"));
        let answer = connection.answer();
        assert!([414, 431].contains(&answer.status), "{begin:?}: {}", answer.head);
        assert_eq!(connection.rest(), b"");
    }
}
