//! Whether a text keeps the rules of Prometheus' format 0.0.4 and of its names, as `promtool check metrics` has them: for tests.

use std::collections::{BTreeMap, BTreeSet};

/// A family of samples while it is read.
#[derive(Default)]
struct Family {
    kind: String,
    /// Histograms: by labels without `le`, the buckets in their order.
    buckets: BTreeMap<String, Vec<(f64, f64)>>,
    counts: BTreeMap<String, f64>,
    sums: BTreeSet<String>,
    series: BTreeSet<String>,
}

/// Everything that is wrong.
pub fn check(text: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    let (mut families, mut current): (BTreeMap<String, Family>, String) = Default::default();
    if !text.ends_with('\n') {
        wrong.push("the last line has no end".to_owned());
    }
    let mut helped = String::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').unwrap_or((rest, ""));
            helped = name.to_owned();
            if help.is_empty() || !help.ends_with('.') {
                wrong.push(format!("{name} has no sentence of help"));
            }
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap_or((rest, ""));
            if helped != name {
                wrong.push(format!("{name} is not helped right before"));
            }
            if families.insert(name.to_owned(), Family { kind: kind.to_owned(), ..Family::default() }).is_some() {
                wrong.push(format!("{name} is announced twice"));
            }
            wrong.extend(lint(name, kind));
            current = name.to_owned();
        } else if let Err(why) = sample(line, &current, &mut families) {
            wrong.push(format!("{line}: {why}"));
        }
    }
    for (name, family) in &families {
        wrong.extend(whole(name, family));
    }
    wrong
}

/// The rules of names.
fn lint(name: &str, kind: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut must = |is: bool, what: &str| {
        if !is {
            wrong.push(format!("{name} ({kind}) {what}"));
        }
    };
    must(name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_'), "is no name");
    must(name.starts_with("consentry_"), "does not say whose it is");
    must(matches!(kind, "counter" | "gauge" | "histogram"), "is of no known kind");
    must((kind == "counter") == name.ends_with("_total"), "ends in _total where it is a counter, and only then");
    for unit in
        ["_ms", "_millis", "_milliseconds", "_minutes", "_hours", "_kb", "_mb", "_percent", "_bucket", "_count", "_sum"]
    {
        must(!name.ends_with(unit) && !name.ends_with(&format!("{unit}_total")), "is in no base unit");
    }
    wrong
}

fn sample(line: &str, current: &str, families: &mut BTreeMap<String, Family>) -> Result<(), &'static str> {
    let (series, value) = line.rsplit_once(' ').ok_or("has no value")?;
    let value: f64 = value.parse().map_err(|_| "has no number")?;
    let (name, labels) = match series.split_once('{') {
        Some((name, labels)) => (name, labels.strip_suffix('}').ok_or("does not close its labels")?),
        None => (series, ""),
    };
    let family = families.get_mut(current).ok_or("is of nothing")?;
    if !family.series.insert(series.to_owned()) {
        return Err("is there twice");
    }
    if value < 0.0 {
        return Err("is below zero");
    }
    let pairs = labels.split(',').filter(|pair| !pair.is_empty()).map(|pair| {
        let (key, value) = pair.split_once('=')?;
        Some((key, value.strip_prefix('"')?.strip_suffix('"')?))
    });
    let pairs: Vec<(&str, &str)> = pairs.collect::<Option<_>>().ok_or("has labels of another form")?;
    if family.kind != "histogram" {
        return if name == current { Ok(()) } else { Err("is of another name than was announced") };
    }
    let others = || {
        pairs
            .iter()
            .filter(|(key, _)| *key != "le")
            .map(|(key, value)| format!("{key}={value}"))
            .collect::<Vec<_>>()
            .join(",")
    };
    match name.strip_prefix(current) {
        Some("_bucket") => {
            let bound = pairs.iter().find(|(key, _)| *key == "le").ok_or("has no bound")?.1;
            let bound = if bound == "+Inf" { f64::INFINITY } else { bound.parse().map_err(|_| "has no bound")? };
            family.buckets.entry(others()).or_default().push((bound, value));
        }
        Some("_count") => drop(family.counts.insert(others(), value)),
        Some("_sum") => drop(family.sums.insert(others())),
        _ => return Err("is no part of a histogram"),
    }
    Ok(())
}

fn whole(name: &str, family: &Family) -> Vec<String> {
    let mut wrong = Vec::new();
    if family.series.is_empty() {
        wrong.push(format!("{name} has no sample"));
    }
    for (labels, buckets) in &family.buckets {
        let grow = buckets.windows(2).all(|pair| pair[0].0 < pair[1].0 && pair[0].1 <= pair[1].1);
        let last = buckets.last().copied();
        if !grow || last.map(|(bound, _)| bound) != Some(f64::INFINITY) {
            wrong.push(format!("{name}{{{labels}}}: buckets do not grow up to +Inf"));
        }
        if last.map(|(_, count)| count) != family.counts.get(labels).copied() || !family.sums.contains(labels) {
            wrong.push(format!("{name}{{{labels}}}: count and sum do not go with the buckets"));
        }
    }
    wrong
}

#[test]
fn what_is_wrong_is_found() {
    let good = "# HELP consentry_x_total Things.\n# TYPE consentry_x_total counter\nconsentry_x_total 1\n";
    assert!(check(good).is_empty());
    for (wrong, said) in [
        (good.replace("_total", ""), "ends in _total"),
        (good.replace("Things.", ""), "sentence of help"),
        (format!("{good}{good}"), "announced twice"),
        (good.replace("l 1", "l x"), "no number"),
        (good.replace("consentry_x_total 1\n", ""), "has no sample"),
        (good.replace("_x_", "_x_ms_"), "base unit"),
        (good.replace("total counter", "total histogram"), "is no part of a histogram"),
    ] {
        let found = check(&wrong).join("\n");
        assert!(found.contains(said), "{said}: {found}");
    }
}
