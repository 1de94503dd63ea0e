//! Whether every name in file and environment is a known one, and what was probably meant where it is not. Looks at names
//! only; the values are read elsewhere.

use std::collections::BTreeMap;

use super::known::{SECTIONS, Section, VARIABLES};
use super::problem::{Origin, Problem};
use super::tree::{self, Entry, Node, Table, Value};

/// Reports every unknown key and every section that is not written as one.
pub(super) fn check(root: &Table, problems: &mut Vec<Problem>) {
    let top = Section::named("").expect("the table has the top level");
    check_section(root, top, "", problems);
}

fn check_section(table: &Table, section: &'static Section, shown: &str, problems: &mut Vec<Problem>) {
    for (name, entry) in table {
        let path = if shown.is_empty() { name.clone() } else { format!("{shown}.{name}") };
        if section.key(name).is_some() {
            continue;
        }
        match section.below().find(|(below, _)| below == name) {
            Some((_, below)) => check_shape(entry, below, path, problems),
            None => problems.push(Problem {
                origin: entry.key.clone(),
                key: printable(&path),
                value: None,
                what: format!("unknown key{}", hint(name, section)),
                allowed: match section.name {
                    "" => section.allowed(),
                    _ => format!("in {}: {}", section.header(), section.allowed()),
                },
            }),
        }
    }
}

fn check_shape(entry: &Entry, section: &'static Section, path: String, problems: &mut Vec<Problem>) {
    let mut wrong = |node: &Node, path: &str, what: String| {
        let value = Some(node.shown());
        let (origin, key) = (node.origin.clone(), path.to_owned());
        problems.push(Problem { origin, key, value, what, allowed: form(section, node) });
    };
    match &entry.node.value {
        Value::Table(table) if !section.list => check_section(table, section, &path, problems),
        Value::List(items) if section.list => {
            for (index, item) in items.iter().enumerate() {
                let path = format!("{path}[{index}]");
                match &item.value {
                    Value::Table(table) => check_section(table, section, &path, problems),
                    _ => problems.push(Problem {
                        origin: item.origin.clone(),
                        key: path,
                        value: Some(item.shown()),
                        what: format!("is {}, not a section", item.kind()),
                        allowed: form(section, item),
                    }),
                }
            }
        }
        Value::Table(_) => wrong(&entry.node, &path, "is written as a single section".into()),
        Value::List(_) => wrong(&entry.node, &path, "is written as a list".into()),
        _ => wrong(&entry.node, &path, format!("is {}, not a section", entry.node.kind())),
    }
}

/// How the section is written, where `node` was written instead.
fn form(section: &Section, node: &Node) -> String {
    if let (Origin::Environment { .. }, Some(key)) = (&node.origin, section.keys.first()) {
        return format!("a list of tables in TOML, such as [{{ {} = \"…\", … }}]", key.name);
    }
    let times = if section.list { "as often as needed" } else { "once" };
    format!("the header {}, {times}, with its keys below", section.header())
}

/// The known key at the beginning of a line, as far as it can be seen where `text` is not TOML. Anything else on the line
/// may be a password without its quotes and is left alone.
pub(super) fn key_on_line(text: &str, line: usize) -> Option<String> {
    let before = text.lines().take(line.saturating_sub(1));
    let (key, _) = text.lines().nth(line.checked_sub(1)?)?.split_once('=')?;
    let headers =
        before.filter_map(|line| Some(line.trim().strip_prefix('[')?.split_once(']')?.0.trim_matches(['[', ' '])));
    let section = Section::named(headers.last().unwrap_or_default())?;
    let key = section.key(key.trim())?.name;
    Some(if section.name.is_empty() { key.to_owned() } else { format!("{}.{key}", section.name) })
}

/// Lays the environment's variables over the file. A value that is absent was not UTF-8.
pub(super) fn overlay(
    root: &mut Table,
    variables: impl Iterator<Item = (String, Option<String>)>,
    problems: &mut Vec<Problem>,
) {
    let ours: BTreeMap<String, Option<String>> = variables.filter(|(name, _)| name.starts_with(VARIABLES)).collect();
    for (name, value) in ours {
        let found = SECTIONS.iter().find_map(|section| {
            let (_, key) = section.variables().into_iter().find(|(variable, _)| *variable == name)?;
            Some((section, key))
        });
        let mut wrong = |what: String, allowed: String| {
            let origin = Origin::Environment { variable: printable(&name) };
            problems.push(Problem { origin, key: String::new(), value: None, what, allowed });
        };
        match (found, value) {
            (None, _) => {
                let (what, allowed) = unknown_variable(&name);
                wrong(what, allowed);
            }
            (Some(_), None) => wrong("is not UTF-8".into(), "text in UTF-8".into()),
            (Some((section, key)), Some(value)) => {
                let node = tree::variable(&name, value);
                let path = section.name.split('.').filter(|part| !part.is_empty()).chain(key.map(|key| key.name));
                insert(root, &path.collect::<Vec<_>>(), node);
            }
        }
    }
}

/// Puts `node` at `path`, making the tables on the way. Where the file holds no table there, that is reported already.
fn insert(table: &mut Table, path: &[&str], node: Node) {
    let (Some(first), rest) = (path.first(), path.get(1..).unwrap_or_default()) else { return };
    let origin = node.origin.clone();
    if rest.is_empty() {
        table.insert((*first).to_owned(), Entry { key: origin, node });
        return;
    }
    let entry = table.entry((*first).to_owned()).or_insert_with(|| Entry {
        key: origin.clone(),
        node: Node { value: Value::Table(Table::new()), origin, verbatim: None },
    });
    if let Value::Table(below) = &mut entry.node.value {
        insert(below, rest, node);
    }
}

fn unknown_variable(name: &str) -> (String, String) {
    let all = SECTIONS.iter().flat_map(|section| section.variables().into_iter().map(|(variable, _)| variable));
    let all: Vec<String> = all.collect();
    let what = match closest(name, all.iter().map(String::as_str)) {
        _ if name.contains("PASSWORD") => format!("unknown variable ({PASSWORD})"),
        Some(meant) => format!("unknown variable (did you mean {meant}?)"),
        None => "unknown variable".into(),
    };
    let named = SECTIONS.iter().filter(|section| !section.name.is_empty()).rev();
    let section = named.into_iter().find(|section| {
        let beginning = format!("{VARIABLES}{}", section.name.to_uppercase().replace('.', "__"));
        name.starts_with(&beginning)
    });
    let allowed = match section {
        Some(section) => section.variables().into_iter().map(|(variable, _)| variable).collect::<Vec<_>>().join(", "),
        None => format!("{VARIABLES}SECTION__KEY, such as CONSENTRY__GATEWAY__LISTEN"),
    };
    (what, allowed)
}

const PASSWORD: &str = "a password belongs into a file of its own, named by password_file";

/// What was probably meant by `name` in `section`, in brackets.
fn hint(name: &str, section: &Section) -> String {
    if name.contains("password") {
        return format!(" ({PASSWORD})");
    }
    let here = section.keys.iter().map(|key| key.name).chain(section.below().map(|(name, _)| name));
    if let Some(meant) = closest(name, here) {
        return format!(" (did you mean `{meant}`?)");
    }
    let elsewhere = SECTIONS.iter().filter(|other| other.key(name).is_some()).map(|other| match other.name {
        "" => "before the first section".to_owned(),
        _ => format!("in {}", other.header()),
    });
    let places: Vec<String> = elsewhere.collect();
    if places.is_empty() { String::new() } else { format!(" here; it has its place {}", places.join(" or ")) }
}

/// The candidate nearest to `name`, if one is near: a slip in three letters at most is forgiven.
fn closest<'c>(name: &str, candidates: impl Iterator<Item = &'c str>) -> Option<&'c str> {
    // The distance takes time by the product of the lengths; nobody means a key by a thousand letters.
    if name.len() > 100 {
        return None;
    }
    let plain = |text: &str| text.to_lowercase().replace('-', "_");
    let distance = |candidate: &str| strsim::damerau_levenshtein(&plain(name), &plain(candidate));
    let nearest = candidates.map(|candidate| (distance(candidate), candidate)).min()?;
    let own_letters = name.strip_prefix(VARIABLES).unwrap_or(name).len();
    (nearest.0 <= (own_letters / 3).min(3)).then_some(nearest.1)
}

/// A name from outside, short and on one line.
fn printable(name: &str) -> String {
    let short: String = name.chars().take(80).collect();
    short.escape_debug().to_string()
}
