//! Takes typed values out of the written tree, key by key. It goes on after a mistake, so that one run reports them all,
//! and it notes every value with its origin for `consentry check`.

use super::explain::Setting;
use super::kind::Kind;
use super::known::{Key, Section};
use super::problem::{Origin, Problem};
use super::tree::{self, Node, Table, Value};

/// Reads one configuration.
pub(super) struct Reader<'t> {
    root: &'t Table,
    file: &'t str,
    /// What is wrong so far.
    pub problems: Vec<Problem>,
    /// What was read so far.
    pub settings: Vec<Setting>,
}

/// A section that is being read, or one element of a repeated one.
pub(super) struct Place<'t> {
    /// What was written there, if it was.
    table: Option<&'t Table>,
    section: &'static Section,
    /// The path as it is shown, such as `gateway.limits` or `cookie[0]`.
    shown: String,
    /// Where it stands.
    pub origin: Origin,
}

impl Place<'_> {
    /// The full name of one of its keys.
    pub fn path(&self, key: &str) -> String {
        if self.shown.is_empty() { key.to_owned() } else { format!("{}.{key}", self.shown) }
    }
}

impl<'t> Reader<'t> {
    pub fn new(root: &'t Table, file: &'t str, problems: Vec<Problem>) -> Self {
        Reader { root, file, problems, settings: Vec::new() }
    }

    /// The section called `name`, whether it was written or not.
    pub fn section(&self, name: &'static str) -> Place<'t> {
        let (mut table, mut origin) = (Some(self.root), Origin::start_of(self.file));
        for part in name.split('.').filter(|part| !part.is_empty()) {
            let entry = table.and_then(|table| table.get(part));
            if let Some(entry) = entry {
                origin = entry.key.clone();
            }
            table = match entry.map(|entry| &entry.node.value) {
                Some(Value::Table(table)) => Some(table),
                _ => None,
            };
        }
        let section = Section::named(name).expect("a section that is read is a known one");
        Place { table, section, shown: name.to_owned(), origin }
    }

    /// The elements of the repeated section `name`.
    pub fn items(&self, name: &'static str) -> Vec<Place<'t>> {
        let section = Section::named(name).expect("a section that is read is a known one");
        let (mut table, mut parts) = (self.root, name.split('.').peekable());
        let items = loop {
            let found = parts.next().and_then(|part| table.get(part)).map(|entry| &entry.node.value);
            match (found, parts.peek()) {
                (Some(Value::Table(below)), Some(_)) => table = below,
                (Some(Value::List(items)), None) => break items,
                _ => return Vec::new(),
            }
        };
        let place = |(index, item): (usize, &'t Node)| {
            let Value::Table(table) = &item.value else { return None };
            Some(Place { table: Some(table), section, shown: format!("{name}[{index}]"), origin: item.origin.clone() })
        };
        items.iter().enumerate().filter_map(place).collect()
    }

    /// The value of a key that has a default. After a mistake the default goes on in its place.
    pub fn get<T>(&mut self, place: &Place<'_>, name: &'static str, kind: Kind<T>) -> T {
        let key = self.key(place, name);
        let text = key.default.expect("a key without a default is read in another way");
        let default = || {
            let node = tree::variable("", text.to_owned());
            (kind.read)(&node).ok().expect("the default is a right value")
        };
        match self.written(place, key, &kind) {
            Some(Ok(value)) => value,
            Some(Err(())) => default(),
            None => {
                let value = default();
                self.note(place, key, Some((kind.show)(&value)), Origin::Default);
                value
            }
        }
    }

    /// The value of a key that may be left out.
    pub fn maybe<T>(&mut self, place: &Place<'_>, name: &'static str, kind: Kind<T>) -> Option<T> {
        let key = self.key(place, name);
        let written = self.written(place, key, &kind);
        if written.is_none() {
            self.note(place, key, None, Origin::Default);
        }
        written?.ok()
    }

    /// The value of a key whose default depends on something else.
    pub fn or<T>(&mut self, place: &Place<'_>, name: &'static str, kind: Kind<T>, default: T) -> T {
        let key = self.key(place, name);
        match self.written(place, key, &kind) {
            Some(Ok(value)) => value,
            Some(Err(())) => default,
            None => {
                self.note(place, key, Some((kind.show)(&default)), Origin::Default);
                default
            }
        }
    }

    /// The value of a key that must be there.
    pub fn required<T>(&mut self, place: &Place<'_>, name: &'static str, kind: Kind<T>) -> Option<T> {
        let key = self.key(place, name);
        let written = self.written(place, key, &kind);
        // Where the section itself is wrong, nothing can be said about what is in it.
        if written.is_none() && !self.problems.iter().any(|problem| problem.key == place.shown) {
            let what = format!("is missing; it is {}", key.why);
            self.refuse(place, name, None, what, kind.allowed);
        }
        written?.ok()
    }

    /// Reports a value that is wrong in itself or beside others. The place is the value's, or the section's without one.
    pub fn refuse(&mut self, place: &Place<'_>, name: &str, value: Option<String>, what: String, allowed: String) {
        let entry = place.table.and_then(|table| table.get(name));
        let origin = entry.map_or(&place.origin, |entry| &entry.node.origin).clone();
        self.problems.push(Problem { origin, key: place.path(name), value, what, allowed });
    }

    /// Whether any of the keys that begin with one of `paths` is already known to be wrong: it need not be compared.
    pub fn any_wrong(&self, paths: &[&str]) -> bool {
        self.problems.iter().any(|problem| paths.iter().any(|path| problem.key.starts_with(path)))
    }

    /// Whether the key was written.
    pub fn is_written(&self, place: &Place<'_>, name: &str) -> bool {
        place.table.is_some_and(|table| table.contains_key(name))
    }

    /// Notes a value that nobody wrote.
    pub fn note_default(&mut self, section: &'static Section, shown: &str, name: &'static str, value: String) {
        let place = Place { table: None, section, shown: shown.to_owned(), origin: Origin::Default };
        let key = self.key(&place, name);
        self.note(&place, key, Some(value), Origin::Default);
    }

    fn key(&self, place: &Place<'_>, name: &'static str) -> &'static Key {
        place.section.key(name).expect("a key that is read is a known one")
    }

    /// The value if the key was written, an error where it is wrong and was reported.
    fn written<T>(&mut self, place: &Place<'_>, key: &'static Key, kind: &Kind<T>) -> Option<Result<T, ()>> {
        let node = &place.table?.get(key.name)?.node;
        match (kind.read)(node) {
            Ok(value) => {
                self.note(place, key, Some((kind.show)(&value)), node.origin.clone());
                Some(Ok(value))
            }
            Err(wrong) => {
                let path = place.path(key.name);
                let problem = |wrong: super::kind::Wrong| Problem {
                    origin: wrong.origin,
                    key: path.clone(),
                    value: Some(wrong.value),
                    what: wrong.what,
                    allowed: kind.allowed.clone(),
                };
                self.problems.extend(wrong.into_iter().map(problem));
                Some(Err(()))
            }
        }
    }

    fn note(&mut self, place: &Place<'_>, key: &'static Key, value: Option<String>, origin: Origin) {
        let section = place.shown.clone();
        self.settings.push(Setting { key: place.path(key.name), section, name: key.name, value, origin, why: key.why });
    }
}
