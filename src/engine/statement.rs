//! What a statement is, told from its words: where an `INSERT`'s data begins, which format is asked for, whether the
//! result can be streamed, and where one statement of a file ends. It reads tokens, not grammar: whether the statement is
//! correct is ClickHouse's to say. Pure. Called by [`super::run`] and by the migrations.

/// A statement, as far as the engine must know it before ClickHouse does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Statement {
    /// Nothing but blanks and comments.
    Empty,
    /// An `INSERT` with data of a format, in the text or after it.
    Insert {
        /// The statement's bytes `0..head`, without `FORMAT` or `VALUES`.
        head: usize,
        /// The data's format.
        format: String,
        /// Where the data begins.
        data: usize,
    },
    /// A query that returns rows in pieces.
    Select {
        /// Named by `FORMAT`.
        format: Option<String>,
        /// `WITH TOTALS`: its result cannot be sent in pieces.
        totals: bool,
    },
    /// Anything else.
    Other {
        /// Named by `FORMAT`.
        format: Option<String>,
    },
}

/// What is refused before ClickHouse sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// More than one statement in a request.
    Several,
    /// `INTO OUTFILE` and `FROM INFILE` are a client's business; here they would touch files of the engine's machine.
    File,
}

/// Tells what `sql` is. For an `INSERT` everything from `data` on is left unread.
pub fn recognise(sql: &[u8]) -> Result<Statement, Refusal> {
    let mut words = Tokens::of(sql);
    let Some(first) = words.by_ref().find(|token| !token.is_separator(sql) && !token.is(sql, "(")) else {
        return Ok(Statement::Empty);
    };
    if first.is(sql, "insert") {
        return insert(sql, words);
    }

    let selects = ["select", "with", "from", "values"].iter().any(|word| first.is(sql, word));
    let (mut format, mut totals, mut inserts, mut ended) = (None, false, false, false);
    let mut previous = first;
    for token in words {
        if ended && !token.is_separator(sql) {
            return Err(Refusal::Several);
        }
        if token.depth == 0 {
            ended |= token.is_separator(sql);
            inserts |= token.is(sql, "insert");
            if previous.is(sql, "format") && token.kind == Kind::Word {
                format = Some(token.text(sql));
            }
            if previous.is(sql, "into") && token.is(sql, "outfile") {
                return Err(Refusal::File);
            }
        }
        totals |= token.is(sql, "totals");
        previous = token;
    }
    Ok(if selects && !inserts { Statement::Select { format, totals } } else { Statement::Other { format } })
}

fn insert(sql: &[u8], mut words: Tokens<'_>) -> Result<Statement, Refusal> {
    let mut token = words.next();
    for skipped in ["into", "table", "function"] {
        if token.is_some_and(|token| token.is(sql, skipped)) {
            token = words.next();
        }
    }
    // The table's name may be a keyword: leave out its parts before looking for keywords.
    token = words.next();
    while token.is_some_and(|token| token.is(sql, ".")) {
        words.next();
        token = words.next();
    }
    while let Some(word) = token {
        let top = word.depth == 0 && word.kind == Kind::Word;
        if top && word.is(sql, "values") {
            return Ok(Statement::Insert { head: word.start, format: "Values".to_owned(), data: word.end });
        }
        if top && word.is(sql, "format") {
            let Some(name) = words.next() else { break };
            return Ok(Statement::Insert {
                head: word.start,
                format: name.text(sql),
                data: after_format(sql, name.end),
            });
        }
        if top && word.is(sql, "infile") {
            return Err(Refusal::File);
        }
        if word.is(sql, "select") || (top && (word.is(sql, "with") || word.is(sql, "watch"))) {
            return one_only(sql, words);
        }
        if word.is_separator(sql) {
            return one_only(sql, words);
        }
        token = words.next();
    }
    Ok(Statement::Insert { head: sql.len(), format: "Values".to_owned(), data: sql.len() })
}

/// The rest of an `INSERT ... SELECT`: no second statement may follow.
fn one_only(sql: &[u8], words: Tokens<'_>) -> Result<Statement, Refusal> {
    let mut ended = false;
    for token in words {
        if ended && !token.is_separator(sql) {
            return Err(Refusal::Several);
        }
        ended |= token.is_separator(sql);
    }
    Ok(Statement::Other { format: None })
}

/// Data begins after the first line break behind the format's name, or after the blanks where there is none.
fn after_format(sql: &[u8], mut at: usize) -> usize {
    while matches!(sql.get(at), Some(b' ' | b'\t' | b'\x0c')) {
        at += 1;
    }
    if sql.get(at) == Some(&b'\r') {
        at += 1;
    }
    if sql.get(at) == Some(&b'\n') {
        at += 1;
    }
    at
}

/// The statements of a file, without the semicolons between them and without empty ones. Not for files with inline data.
pub fn split(sql: &str) -> Vec<&str> {
    let mut statements = Vec::new();
    let (mut start, mut has_words) = (0, false);
    for token in Tokens::of(sql.as_bytes()) {
        if token.is_separator(sql.as_bytes()) {
            if has_words {
                statements.extend(sql.get(start..token.start).map(str::trim));
            }
            (start, has_words) = (token.end, false);
        } else {
            has_words = true;
        }
    }
    if has_words {
        statements.extend(sql.get(start..).map(str::trim));
    }
    statements
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Word,
    Quoted,
    Sign,
}

#[derive(Clone, Copy, Debug)]
struct Token {
    kind: Kind,
    start: usize,
    end: usize,
    /// Open brackets around it; a bracket itself counts as outside.
    depth: usize,
}

impl Token {
    fn bytes<'s>(&self, sql: &'s [u8]) -> &'s [u8] {
        sql.get(self.start..self.end).unwrap_or_default()
    }

    fn text(&self, sql: &[u8]) -> String {
        String::from_utf8_lossy(self.bytes(sql)).into_owned()
    }

    fn is(&self, sql: &[u8], word: &str) -> bool {
        self.kind != Kind::Quoted && self.bytes(sql).eq_ignore_ascii_case(word.as_bytes())
    }

    fn is_separator(&self, sql: &[u8]) -> bool {
        self.kind == Kind::Sign && self.bytes(sql) == b";"
    }
}

/// Words, quoted things and signs; blanks and comments are left out.
struct Tokens<'s> {
    sql: &'s [u8],
    at: usize,
    depth: usize,
}

impl Tokens<'_> {
    fn of(sql: &[u8]) -> Tokens<'_> {
        Tokens { sql, at: 0, depth: 0 }
    }

    fn rest(&self) -> &[u8] {
        self.sql.get(self.at..).unwrap_or_default()
    }

    fn skip_blanks_and_comments(&mut self) {
        loop {
            let rest = self.rest();
            let skipped = match rest {
                [byte, ..] if byte.is_ascii_whitespace() || *byte == b'\x0b' || *byte == 0 => 1,
                [b'-', b'-', ..] | [b'/', b'/', ..] | [b'#', b' ' | b'!', ..] => {
                    memchr::memchr(b'\n', rest).map_or(rest.len(), |end| end + 1)
                }
                [b'/', b'*', ..] => Tokens::comment(rest),
                // A byte order mark.
                [0xef, 0xbb, 0xbf, ..] => 3,
                _ => return,
            };
            self.at += skipped;
        }
    }

    /// The length of a comment at the beginning of `rest`: comments nest.
    fn comment(rest: &[u8]) -> usize {
        let (mut at, mut depth) = (0, 0_usize);
        loop {
            match rest.get(at..) {
                Some([b'/', b'*', ..]) => (at, depth) = (at + 2, depth + 1),
                Some([b'*', b'/', ..]) => (at, depth) = (at + 2, depth - 1),
                Some([_, ..]) => at += 1,
                _ => return rest.len(),
            }
            if depth == 0 {
                return at;
            }
        }
    }

    /// The length of a thing between typographic quotes, which have no escapes.
    fn typographic(rest: &[u8]) -> Option<usize> {
        let end = match rest {
            [0xe2, 0x80, 0x98, ..] => "’",
            [0xe2, 0x80, 0x9c, ..] => "”",
            _ => return None,
        };
        Some(memchr::memmem::find(rest, end.as_bytes()).map_or(rest.len(), |at| at + end.len()))
    }

    /// The length of a quoted thing at the beginning of `rest`: a doubled or escaped quote does not end it.
    fn quoted(rest: &[u8], quote: u8) -> usize {
        let mut at = 1;
        while let Some(&byte) = rest.get(at) {
            at += match byte {
                b'\\' => 2,
                _ if byte == quote && rest.get(at + 1) == Some(&quote) => 2,
                _ if byte == quote => return at + 1,
                _ => 1,
            };
        }
        rest.len()
    }

    /// The length of `$tag$ ... $tag$`, where there is one.
    fn heredoc(rest: &[u8]) -> Option<usize> {
        let tag_end = rest.iter().skip(1).position(|byte| !is_word(*byte)).map(|at| at + 1)?;
        if rest.get(tag_end) != Some(&b'$') {
            return None;
        }
        let tag = rest.get(..=tag_end)?;
        let end = memchr::memmem::find(rest.get(tag.len()..)?, tag)?;
        Some(tag.len() + end + tag.len())
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

impl Iterator for Tokens<'_> {
    type Item = Token;

    fn next(&mut self) -> Option<Token> {
        self.skip_blanks_and_comments();
        let start = self.at;
        let rest = self.rest();
        let first = *rest.first()?;
        let (kind, length) = match first {
            b'\'' | b'"' | b'`' => (Kind::Quoted, Tokens::quoted(rest, first)),
            b'$' => match Tokens::heredoc(rest) {
                Some(length) => (Kind::Quoted, length),
                None => (Kind::Sign, 1),
            },
            0xe2 if Tokens::typographic(rest).is_some() => (Kind::Quoted, Tokens::typographic(rest).unwrap_or(1)),
            byte if is_word(byte) => {
                (Kind::Word, rest.iter().position(|byte| !is_word(*byte) && *byte != b'$').unwrap_or(rest.len()))
            }
            _ => (Kind::Sign, 1),
        };
        let mut depth = self.depth;
        match first {
            b'(' | b'[' | b'{' => self.depth += 1,
            b')' | b']' | b'}' => {
                self.depth = self.depth.saturating_sub(1);
                depth = self.depth;
            }
            _ => {}
        }
        self.at = start + length;
        Some(Token { kind, start, end: self.at, depth })
    }
}

#[cfg(test)]
mod tests;
