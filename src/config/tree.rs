//! The configuration as it was written: TOML taken apart into values that know where they stand, with the environment laid
//! over it. Knows no key; what the names mean is decided elsewhere.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::problem::{Origin, Problem, shown_text};
use super::unclosed::{self, Unclosed};

/// A table's entries by name.
pub(super) type Table = BTreeMap<String, Entry>;

/// One entry of a table.
pub(super) struct Entry {
    /// Where its name stands.
    pub key: Origin,
    /// What it holds.
    pub node: Node,
}

/// A value and where it comes from.
pub(super) struct Node {
    /// The value.
    pub value: Value,
    /// Where it stands.
    pub origin: Origin,
    /// The environment variable's own text: there a number may also be meant as text.
    pub verbatim: Option<String>,
}

/// A value as TOML knows it.
pub(super) enum Value {
    /// A text.
    Text(String),
    /// A whole number.
    Whole(i128),
    /// A list.
    List(Vec<Node>),
    /// A table.
    Table(Table),
    /// True or false.
    Truth(bool),
    /// What no key takes: a fraction, a date.
    Other {
        /// Which of them.
        kind: &'static str,
        /// As it was written.
        text: String,
    },
}

impl Node {
    /// The text that stands here, if it can be meant as one.
    pub fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => self.verbatim.as_deref(),
        }
    }

    /// The kind of value in words.
    pub fn kind(&self) -> &'static str {
        match self.value {
            Value::Text(_) => "a text",
            Value::Whole(_) => "a whole number",
            Value::Truth(_) => "a truth value",
            Value::List(_) => "a list",
            Value::Table(_) => "a table",
            Value::Other { kind, .. } => kind,
        }
    }

    /// The value as it may stand in a message.
    pub fn shown(&self) -> String {
        match &self.value {
            Value::Text(text) => shown_text(text),
            Value::Whole(number) => number.to_string(),
            Value::Truth(truth) => truth.to_string(),
            Value::Other { text, .. } => text.clone(),
            Value::List(_) => "[…]".into(),
            Value::Table(_) => "{…}".into(),
        }
    }
}

/// A mistake of syntax, and the line on which its key would stand.
pub(super) struct Mistake {
    pub problem: Problem,
    pub key_line: usize,
}

/// Takes `text` apart. Every mistake of syntax is reported, at most one for each line; of one that drags others behind it, such
/// as a list without an end, only that one, where it begins.
pub(super) fn parse(text: &str, file: &str) -> Result<Table, Vec<Mistake>> {
    let lines = Lines::of(text, file);
    if let (document, errors) = DeTable::parse_recoverable(text)
        && errors.is_empty()
    {
        return Ok(table(document.into_inner(), &|at| lines.at(at)));
    }
    let mut mistakes: Vec<Mistake> = Vec::new();
    let mut mistake = |at: usize, key_at: usize, what: String, allowed: String| {
        let problem = Problem { origin: lines.at(at), key: String::new(), value: None, what, allowed };
        mistakes.push(Mistake { problem, key_line: lines.number(key_at) });
    };
    // What else is wrong is what still is with another value in the place of one that has no end.
    let mut text = Cow::Borrowed(text);
    loop {
        let (_, errors) = DeTable::parse_recoverable(&text);
        let errors = errors.iter().map(|error| (error.span().map_or(0, |span| span.start), error.message()));
        let errors: Vec<(usize, &str)> = errors.collect();
        let Some(first) = unclosed::find(&text).into_iter().find(|unclosed| lines.is_to_blame(unclosed, &errors))
        else {
            for (at, message) in errors {
                let allowed = "key = \"text\", key = 3, key = [\"a\", \"b\"] or [section] on a line".to_owned();
                mistake(at, at, format!("is not TOML: {message}"), allowed);
            }
            break;
        };
        mistake(first.at, first.value, first.kind.what().to_owned(), first.kind.allowed());
        text = Cow::Owned(first.replaced(&text));
    }
    mistakes.sort_by_key(|mistake| mistake.problem.origin.order());
    mistakes.dedup_by(|a, b| match (&a.problem.origin, &b.problem.origin) {
        (Origin::File { line: a, .. }, Origin::File { line: b, .. }) => a == b,
        _ => false,
    });
    Err(mistakes)
}

/// The value of an environment variable: TOML where it is TOML, else the text itself.
pub(super) fn variable(name: &str, text: String) -> Node {
    let origin = Origin::Environment { variable: name.to_owned() };
    let mut node = match DeValue::parse(&text) {
        Ok(value) => node(value, &|_| origin.clone()),
        Err(_) => Node { value: Value::Text(text.clone()), origin, verbatim: None },
    };
    node.verbatim = Some(text);
    node
}

fn table(entries: DeTable<'_>, at: &dyn Fn(usize) -> Origin) -> Table {
    let entry = |(key, value): (Spanned<_>, Spanned<DeValue<'_>>)| {
        let key_origin = at(key.span().start);
        let key: Cow<'_, str> = key.into_inner();
        (key.into_owned(), Entry { key: key_origin, node: node(value, at) })
    };
    entries.into_iter().map(entry).collect()
}

fn node(value: Spanned<DeValue<'_>>, at: &dyn Fn(usize) -> Origin) -> Node {
    let origin = at(value.span().start);
    let other = |kind, text: String| Value::Other { kind, text };
    let value = match value.into_inner() {
        DeValue::String(text) => Value::Text(text.into_owned()),
        DeValue::Integer(number) => match i128::from_str_radix(number.as_str(), number.radix()) {
            Ok(whole) => Value::Whole(whole),
            Err(_) => other("a number out of all bounds", number.to_string()),
        },
        DeValue::Float(number) => other("a number with a fraction", number.to_string()),
        DeValue::Boolean(truth) => Value::Truth(truth),
        DeValue::Datetime(date) => other("a date or time", date.to_string()),
        DeValue::Array(items) => Value::List(items.into_iter().map(|item| node(item, at)).collect()),
        DeValue::Table(entries) => Value::Table(table(entries, at)),
    };
    Node { value, origin, verbatim: None }
}

/// Finds the line of a byte.
struct Lines<'t> {
    text: &'t str,
    file: &'t str,
    /// Where each line begins.
    starts: Vec<usize>,
}

impl<'t> Lines<'t> {
    fn of(text: &'t str, file: &'t str) -> Self {
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Lines { text, file, starts }
    }

    /// The number of a byte's line, from 1.
    fn number(&self, byte: usize) -> usize {
        self.starts.partition_point(|&start| start <= byte).max(1)
    }

    /// The first byte of a byte's line.
    fn start(&self, byte: usize) -> usize {
        self.starts.get(self.number(byte) - 1).copied().unwrap_or(0)
    }

    /// Where a byte's line ends.
    fn end(&self, byte: usize) -> usize {
        self.starts.get(self.number(byte)).copied().unwrap_or(self.text.len())
    }

    /// Whether the parser stumbled over something that has no end: not before it on its line, and then by the end of the line
    /// at which it is over, or however far away where nothing but its own end could have ended it.
    fn is_to_blame(&self, unclosed: &Unclosed, errors: &[(usize, &str)]) -> bool {
        let first = self.start(unclosed.value);
        let last = if unclosed.kind.is_of_several_lines() { self.text.len() } else { self.end(unclosed.until) };
        let any = |places: Range<usize>| errors.iter().any(|(at, _)| places.contains(at));
        !any(first..unclosed.at) && any(unclosed.at..last + 1)
    }

    fn at(&self, byte: usize) -> Origin {
        let (line, start) = (self.number(byte), self.start(byte));
        let column = 1 + self.text.get(start..byte).map_or(0, |before| before.chars().count());
        Origin::File { file: self.file.to_owned(), line, column }
    }
}
