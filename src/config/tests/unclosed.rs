//! A slip that makes a parser stumble over all that follows is reported once, where it is.

use super::*;

/// Each: a file, and for each of its problems where it is, the key and words of the message.
#[test]
fn what_has_no_end_is_named_where_it_begins_and_what_follows_is_not_blamed_for_it() {
    type Expected = &'static [(&'static str, &'static str, &'static str)];
    const ONE_LINE: &str = "has no end on its line; allowed: \"text\", closed with \" on the same line";
    let cases: &[(&str, Expected)] = &[
        (
            "[gateway]\nupstream = \"http://a\nlisten = \"b\"\n[spool]\nmax_age = \"1d\"",
            &[("2:12", "gateway.upstream", ONE_LINE)],
        ),
        ("[gateway]\r\nupstream = \"http://a\r\nlisten = \"b\"\r\n", &[("2:12", "gateway.upstream", ONE_LINE)]),
        ("[gateway]\nupstream = \"a\\\"\nlisten = \"b\"", &[("2:12", "gateway.upstream", ONE_LINE)]),
        ("[gateway]\nupstream = 'a\nlisten = 'b'", &[("2:12", "gateway.upstream", "closed with ' on the same line")]),
        // In a list, whether that is closed or not.
        (
            "[gateway]\ntrusted_proxies = [\n  \"é\",\n  \"a,\n  \"b\",\n  \"c\"\n]\nlisten = \"d\"",
            &[("4:3", "gateway.trusted_proxies", ONE_LINE)],
        ),
        (
            "[gateway]\ntrusted_proxies = [\"a\", \"b]\nlisten = \"c\"\n[spool]\nmax_age = \"1d\"",
            &[("2:25", "gateway.trusted_proxies", ONE_LINE)],
        ),
        (
            "[gateway]\ntrusted_proxies = [\"a\", \"b\"\n\nlisten = \"c\"\n[spool]\nmax_age = \"1d\"",
            &[(
                "2:19",
                "gateway.trusted_proxies",
                "the list that begins here has no end; allowed: [\"a\", \"b\"], closed with ]",
            )],
        ),
        (
            "[gateway]\ntrusted_proxies = [\"a\"\n[[cookie]]  # ours\nname = \"c\"",
            &[("2:19", "gateway.trusted_proxies", "the list")],
        ),
        ("[gateway]\ntrusted_proxies = [\"a\"", &[("2:19", "gateway.trusted_proxies", "the list")]),
        ("[gateway]\ntls = { a = 1, b = [1 }\nlisten = \"c\"", &[("2:20", "", "the list")]),
        (
            "[gateway]\ntls = { a = 1, b = 2\nlisten = \"c\"\n[spool]\nmax_age = \"1d\"",
            &[("2:7", "", "the table that begins here has no end")],
        ),
        // Over several lines, to the end of the file or to where the next such text begins.
        (
            "[consent]\nbanner_title = \"\"\"\na\n[spool]\nmax_age = \"1d\"",
            &[("2:16", "consent.banner_title", "closed with \"\"\" behind the last line of the text")],
        ),
        (
            "[consent]\nbanner_title = \"\"\"\na\nbanner_text = \"\"\"\nb\"\"\"\n[spool]\nmax_age = \"1d\"",
            &[("2:16", "consent.banner_title", "the text of several lines")],
        ),
        // What is wrong besides is told besides.
        (
            "[gateway]\nupstream = \"a\nlisten = = 3\ntls = [\n[spool]\nmax_age = 'b",
            &[
                ("2:12", "gateway.upstream", ONE_LINE),
                ("3:10", "gateway.listen", "extra `=`"),
                ("4:7", "", "the list"),
                ("6:11", "spool.max_age", "closed with '"),
            ],
        ),
        (
            "[gateway\nupstream = [\"a\"\n[spool\nx = 1",
            &[("1:9", "", "expected `]`"), ("2:12", "", "the list"), ("3:7", "", "expected `]`")],
        ),
        // Quotes that are none of these.
        (
            "[consent]\nbanner_title = Don't\nlisten = 'a'",
            &[("2:16", "consent.banner_title", "string values must be quoted")],
        ),
        ("[gateway] # it's\nupstream = \"a # b\" # [\nlisten = = 3", &[("3:10", "gateway.listen", "extra `=`")]),
    ];
    for (text, expected) in cases {
        let found = problems(text);
        assert_eq!(found.len(), expected.len(), "{text}\n{found:#?}");
        for (problem, (place, key, words)) in found.iter().zip(*expected) {
            let said = problem.to_string();
            assert!(said.starts_with(&format!("consentry.toml:{place}: ")) && said.contains(words), "{text}\n{said}");
            assert!(said.contains("is not TOML") && problem.key == *key, "{text}\n{said}");
        }
    }
}

/// A quote or bracket of a whole configuration is left out: whichever it is, one line is to be looked at.
#[test]
fn a_quote_or_bracket_that_is_left_out_is_one_problem_on_its_line() {
    // Every key of the example, those that are commented out included.
    let example: Vec<String> =
        example().lines().map(|line| line.strip_prefix("# ").unwrap_or(line).to_owned()).collect();
    let keys = example
        .iter()
        .filter(|line| line.starts_with('[') || line.split_once(" = ").is_some_and(|(key, _)| !key.contains(' ')));
    let text = keys.cloned().collect::<Vec<_>>().join("\n");
    assert!(crate::config::tree::parse(&text, "").is_ok());
    let mut tried = 0;
    for (at, _) in text.match_indices(['"', ']', '}', '[', '{']) {
        let mut slip = text.clone();
        slip.remove(at);
        let Err(mistakes) = crate::config::tree::parse(&slip, "f") else { continue };
        tried += 1;
        let line = 1 + text[..at].matches('\n').count();
        let said: Vec<String> = mistakes.iter().map(|mistake| mistake.problem.to_string()).collect();
        assert!(said.len() == 1 && said[0].starts_with(&format!("f:{line}:")), "{line}: {said:#?}");
    }
    assert!(tried > 100, "{tried}");
    // Nor is a file that was cut off anywhere wrong in more than one place.
    for (at, _) in text.char_indices() {
        let said = crate::config::tree::parse(&text[..at], "f").err().map_or(0, |mistakes| mistakes.len());
        assert!(said <= 1, "{}", &text[..at]);
    }
}
