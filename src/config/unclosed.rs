//! What a text that is not TOML opens and does not close: a quoted text, a list, an inline table. A parser meets such a slip only
//! where it can go on no longer, maybe many lines behind, and takes what stands between for wrong too. Here it is found where
//! it begins, with how far it reaches. Looks at quotes, brackets and the beginnings of lines only, and repeats nothing of a
//! value.

/// Something that is opened and not closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unclosed {
    /// What it is.
    pub kind: Kind,
    /// The byte at which it begins.
    pub at: usize,
    /// The byte at which the whole value begins: before `at` where it stands in a list.
    pub value: usize,
    /// The byte at which that value is over, at the latest: behind a bracket that closes it, or where the line ends, or the
    /// next key or section stands.
    pub until: usize,
}

/// What can be open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A text in these quotes.
    Text(&'static str),
    /// A list.
    List,
    /// An inline table.
    Table,
}

impl Kind {
    /// Whether it takes up lines, so that what is behind it may be wrong because of it however far away it stands.
    pub fn is_of_several_lines(self) -> bool {
        matches!(self, Kind::Text("\"\"\"" | "'''"))
    }

    /// What is wrong with it.
    pub fn what(self) -> &'static str {
        match self {
            Kind::Text("\"" | "'") => "is not TOML: the text that begins here has no end on its line",
            Kind::Text(_) => "is not TOML: the text of several lines that begins here has no end",
            Kind::List => "is not TOML: the list that begins here has no end",
            Kind::Table => "is not TOML: the table that begins here has no end",
        }
    }

    /// What would be right.
    pub fn allowed(self) -> String {
        let (form, end, place) = match self {
            Kind::Text("\"") => ("\"text\"", "\"", "on the same line"),
            Kind::Text("'") => ("'text'", "'", "on the same line"),
            Kind::Text("'''") => ("'''text'''", "'''", "behind the last line of the text"),
            Kind::Text(_) => ("\"\"\"text\"\"\"", "\"\"\"", "behind the last line of the text"),
            Kind::List => ("[\"a\", \"b\"]", "]", "before the next key"),
            Kind::Table => ("{ a = 1, b = 2 }", "}", "before the next key"),
        };
        format!("{form}, closed with {end} {place}")
    }
}

impl Unclosed {
    /// The text with `0` for the value; every line and every other byte stays where it is.
    pub fn replaced(&self, text: &str) -> String {
        let mut bytes = text.as_bytes().to_vec();
        let value = bytes.get_mut(self.value..self.until).unwrap_or_default();
        value.iter_mut().filter(|byte| **byte != b'\n').for_each(|byte| *byte = b' ');
        if let Some(first) = value.first_mut() {
            *first = b'0';
        }
        // Its ends are no parts of characters.
        String::from_utf8(bytes).unwrap_or_default()
    }
}

/// All of them, in their order. Of a text that is TOML there are none.
pub(super) fn find(text: &str) -> Vec<Unclosed> {
    let mut search = Search { text, at: 0, open: Vec::new(), broken: None, found: Vec::new() };
    while search.at < text.len() {
        search.line();
    }
    search.end_value();
    search.found
}

struct Search<'t> {
    text: &'t str,
    at: usize,
    /// The brackets that are open, and where.
    open: Vec<(Kind, usize)>,
    /// What within the outermost of them is not closed.
    broken: Option<(Kind, usize)>,
    found: Vec<Unclosed>,
}

impl Search<'_> {
    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// Reads a line, or several where a text of several begins on it.
    fn line(&mut self) {
        let line = self.rest().split('\n').next().unwrap_or_default();
        let is_over = match self.open.last() {
            // In a list stands no key, and nowhere within a value a header.
            Some((Kind::List, _)) => begins_with_key(line) || is_header(line),
            Some(_) => is_header(line),
            None => false,
        };
        let length = line.len();
        if is_over {
            self.end_value();
        }
        if self.open.is_empty() && self.rest().trim_start_matches([' ', '\t']).starts_with('[') {
            // A header; should it be broken, it is so by itself.
            self.at += length;
        }
        while let Some(byte) = self.text.as_bytes().get(self.at) {
            match byte {
                b'\n' => {
                    self.at += 1;
                    return;
                }
                b'#' => self.skip_line(),
                b'"' => self.quoted("\"", "\"\"\""),
                b'\'' => self.quoted("'", "'''"),
                b'[' => self.opens(Kind::List),
                b'{' => self.opens(Kind::Table),
                b']' => self.closes(Kind::List),
                b'}' => self.closes(Kind::Table),
                _ => self.at += 1,
            }
        }
    }

    fn skip_line(&mut self) {
        self.at += self.rest().find('\n').unwrap_or(self.rest().len());
    }

    fn opens(&mut self, kind: Kind) {
        self.open.push((kind, self.at));
        self.at += 1;
    }

    fn closes(&mut self, kind: Kind) {
        self.at += 1;
        let Some(depth) = self.open.iter().rposition(|(open, _)| *open == kind) else { return };
        // What is still open within it is not closed.
        if let Some(within) = self.open.get(depth + 1) {
            self.broken.get_or_insert(*within);
        }
        let value = self.open.first().map_or(self.at, |(_, at)| *at);
        self.open.truncate(depth);
        if self.open.is_empty()
            && let Some((kind, at)) = self.broken.take()
        {
            self.found.push(Unclosed { kind, at, value, until: self.at });
        }
    }

    /// The value that is open, if one is, ends here without its brackets.
    fn end_value(&mut self) {
        let (Some((_, value)), Some(last)) = (self.open.first().copied(), self.open.last().copied()) else { return };
        let (kind, at) = self.broken.take().unwrap_or(last);
        self.open.clear();
        self.found.push(Unclosed { kind, at, value, until: self.at });
    }

    fn quoted(&mut self, one: &'static str, three: &'static str) {
        let begins = self.at;
        let quotes = if self.rest().starts_with(three) { three } else { one };
        self.at += quotes.len();
        if self.is_closed(quotes, begins) {
            return;
        }
        if self.open.is_empty() {
            let (kind, until) = (Kind::Text(quotes), self.at);
            self.found.push(Unclosed { kind, at: begins, value: begins, until });
        } else {
            self.broken.get_or_insert((Kind::Text(quotes), begins));
        }
    }

    /// Reads a text to its end; or else to where it is over at the latest.
    fn is_closed(&mut self, quotes: &'static str, begins: usize) -> bool {
        let mut line = begins;
        while let Some(byte) = self.text.as_bytes().get(self.at) {
            match byte {
                b'\n' if quotes.len() == 1 => return false,
                b'\n' => line = self.at + 1,
                b'\\' if quotes.starts_with('"') && self.text.as_bytes().get(self.at + 1) != Some(&b'\n') => {
                    self.at += 1
                }
                _ if self.rest().starts_with(quotes) => {
                    // Where these are the quotes with which the next key's text begins, this one has no end before it.
                    if line > begins && self.text.get(line..self.at).is_some_and(is_key_before_value) {
                        self.at = line;
                        return false;
                    }
                    self.at += quotes.len();
                    // A text of several lines may end with quotes of its own.
                    while quotes.len() == 3 && self.rest().starts_with(quotes.split_at(1).0) {
                        self.at += 1;
                    }
                    return true;
                }
                _ => {}
            }
            self.at += 1;
        }
        self.at = self.at.min(self.text.len());
        false
    }
}

/// Whether a line is a section's header, such as `[gateway.limits]` or `[[cookie]]  # ours`, or one that lacks a bracket.
fn is_header(line: &str) -> bool {
    let line = line.split('#').next().unwrap_or_default().trim();
    let name = line.trim_start_matches('[').trim_end_matches(']');
    line.starts_with('[') && is_name(name.trim())
}

/// Whether a line begins as `key =` does.
fn begins_with_key(line: &str) -> bool {
    line.split_once('=').is_some_and(|(key, _)| is_name(key.trim()))
}

/// Whether this is `key = `, and nothing else.
fn is_key_before_value(text: &str) -> bool {
    text.trim_end().strip_suffix('=').is_some_and(|key| is_name(key.trim()))
}

/// Whether this is a name, of letters, digits, `-`, `_` and dots between them, that is no number.
fn is_name(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_. ".contains(&byte))
}
