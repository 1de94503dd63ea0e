//! A beacon's events as rows.

use std::borrow::Cow;

use super::beacon::{BeaconError, BeaconEvent, Item, Name, Revenue, bounded};
use super::event::{Custom, Draft, Event, Reading, Stated, Subject, Timing, name};
use super::exchange::Exchange;
use super::{Capture, Captured};
use crate::config::Item as Collected;
use crate::consent::{Analytics, Permit, PurposeSet};
use crate::enrich::stated;
use crate::pseudonym::{RawLogin, RawUrl, scrub};

/// An hour in milliseconds: the longest that a measurement of loading may be.
const HOUR_MS: u64 = 3_600_000;
/// A day in milliseconds.
const DAY_MS: u64 = 86_400_000;
/// How a page came to be shown when the visitor's consent came on it.
const CONSENT: &str = "consent";

/// How a page was left, as the collector says it and as it is stored. Of a `link` its target tells whether it led outside.
const EXITS: [(&str, &str); 9] = [
    ("link", "link_outside"),
    ("traverse", "back_forward"),
    ("reload", "reload"),
    ("typed", "typed"),
    ("closed", "closed"),
    ("tel", "tel"),
    ("mail", "mail"),
    ("form", "form"),
    ("back_forward", "back_forward"),
];

/// Names of elements, resources and errors that are kept as they are; any other is `other`.
const KINDS: [&str; 44] = [
    "link",
    "button",
    "a",
    "div",
    "span",
    "li",
    "label",
    "svg",
    "picture",
    "section",
    "article",
    "details",
    "input",
    "select",
    "summary",
    "area",
    "form",
    "img",
    "script",
    "link-element",
    "stylesheet",
    "video",
    "audio",
    "source",
    "track",
    "iframe",
    "object",
    "embed",
    "image",
    "fetch",
    "marked",
    "menu",
    "tab",
    "Error",
    "TypeError",
    "ReferenceError",
    "SyntaxError",
    "RangeError",
    "EvalError",
    "URIError",
    "AggregateError",
    "DOMException",
    "SecurityError",
    "unhandledrejection",
];

/// How often within a visit's time-out a beacon renews its cookies.
const RENEWALS: i64 = 10;

impl Capture {
    /// The events of a beacon, in their order. What came already is left out; what may not be kept refuses all of it.
    pub fn beacon(
        &self,
        permit: &Permit<Analytics>,
        exchange: &Exchange<'_>,
        events: &[BeaconEvent<'_>],
    ) -> Result<Captured, BeaconError> {
        let customs = self.customs(events)?;
        let mut visitor = self.visitor(permit, exchange);
        let mut blank = Some(self.blank(exchange, &visitor));
        let mut rows = Vec::with_capacity(events.len());
        let mut ids = Vec::with_capacity(events.len());
        for (index, (item, custom)) in events.iter().zip(customs).enumerate() {
            if !self.is_collected(&item.name) || item.id.is_some_and(|id| !self.shared.repeats.admit(visitor.id, id)) {
                continue;
            }
            let ts = exchange.now_ms - item.age_ms;
            // The last one, mostly the only one, takes what the others take copies of.
            let is_last = index + 1 == events.len();
            let Some(mut draft) = (if is_last { blank.take() } else { blank.clone() }) else { continue };
            self.place(&mut draft, ts, &item.url);
            draft.name = match &item.name {
                Name::Known(known) => Cow::Borrowed(*known),
                Name::Custom(name) => Cow::Owned(name.clone()),
            };
            draft.page_view_id = item.page_view_id;
            draft.event_id = item.id.unwrap_or(0);
            self.reported(&mut draft, item, exchange.host);
            draft.custom = custom;
            // Before the visit counts it: what is not kept is no step of it.
            if !draft.needs.is_subset_of(permit.purposes()) {
                continue;
            }
            // The page's own referrer and campaign stand on its first row; a beacon's `Referer` is the page itself.
            let begins = draft.name == name::PAGE_VIEW || item.item.nt == CONSENT && draft.name == name::PAGE_LOADED;
            let (step, visit) = match begins {
                true => {
                    let arrival = self.arrive(&mut draft, &item.url, item.referrer.as_ref(), exchange.host);
                    self.shared.visits.count(visitor.id, visitor.visit, arrival, ts)
                }
                false => self.shared.visits.extend(visitor.id, visitor.visit, ts),
            };
            draft.step = step;
            visitor.visit = Some(visit);
            if let Some(event) = Event::new(permit, draft) {
                rows.push(event);
                ids.push(item.id.map(|id| (visitor.id, id)));
            }
        }
        let visit = visitor.visit.unwrap_or_else(|| self.shared.visits.extend(visitor.id, None, exchange.now_ms).1);
        // A page sets both anew; what its collector reports within a short time does not.
        let renewed_after = self.shared.visits.timeout().as_millis() as i64 / RENEWALS;
        let is_as_good = visitor.sent.is_some_and(|sent| sent.is_as_good_as(&visit, renewed_after));
        let set_cookies = (!is_as_good).then(|| self.set_cookies(permit, exchange, &visitor, visit));
        Ok(Captured { events: rows, ids, set_cookies })
    }

    fn collects(&self, item: Collected) -> bool {
        self.shared.collect.contains(&item)
    }

    /// Whether events of this name are to be kept; a script in the page may send what the configuration switched off.
    fn is_collected(&self, name: &Name) -> bool {
        let Name::Known(name) = name else { return true };
        let item = match *name {
            name::ENGAGEMENT => return self.collects(Collected::Engagement) || self.collects(Collected::Vitals),
            "click" => Collected::Clicks,
            "hover" => Collected::Hover,
            "outbound" => Collected::Outbound,
            "download" => Collected::Downloads,
            "form_submit" => Collected::Forms,
            "tel" | "mailto" => Collected::Contacts,
            "resource_error" | "script_error" => Collected::Errors,
            _ => return true,
        };
        self.collects(item)
    }

    fn reported(&self, draft: &mut Draft, event: &BeaconEvent<'_>, host: &str) {
        let item = &event.item;
        if let Some(route) = item.h.as_deref().filter(|route| self.collects(Collected::Hash) && route.starts_with('/'))
        {
            // A route is a path of its own, and may have a class of its own.
            let route = scrub::scrub_path(&RawUrl::new(route), &[]);
            let found = self.shared.path_classes.classify(&route);
            draft.path.push('#');
            draft.path.push_str(found.as_ref().map_or(&route, |found| &found.shown_path));
            if let Some(found) = found {
                draft.path_class = found.class.to_owned();
                draft.needs = draft.needs.union(PurposeSet::of(found.needs));
            }
        }
        // Where the site itself says who is logged in, a page's script has no say.
        let may_say = self.collects(Collected::Login) && !self.shared.login_from_site;
        let login = item.login.as_deref().filter(|_| may_say);
        if let Some(login) = login.and_then(|login| RawLogin::new(login.as_bytes())) {
            draft.login = self.login(&login);
        }
        // The title of a page whose path is kept as a class says what the path said.
        if self.collects(Collected::Titles) && !item.ti.is_empty() && draft.path_class.is_empty() {
            draft.title = scrub::title(&item.ti);
        }
        draft.navigation = if item.nt == CONSENT { CONSENT } else { stated::navigation_type(&item.nt) };
        self.stated(&mut draft.stated, item);
        draft.timing = self.timing(item);
        if draft.name == name::ENGAGEMENT && self.collects(Collected::Engagement) {
            draft.reading = Reading {
                engagement_ms: bounded(item.e, DAY_MS),
                scroll_pct: bounded(item.sd, 100) as u8,
                exit_method: exit_method(event, host),
            };
        }
        let exit = event.exit_target.as_ref().filter(|_| !draft.reading.exit_method.is_empty());
        draft.subject = Subject {
            kind: match &*item.k {
                "" => kind(&item.el),
                of_failure => kind(of_failure),
            },
            label: self.label(&item.l),
            target: event.target.as_ref().or(exit).map(|url| self.resource(draft, url)).unwrap_or_default(),
            dwell_ms: bounded(item.d, HOUR_MS),
        };
    }

    fn stated(&self, stated: &mut Stated, item: &Item<'_>) {
        if self.collects(Collected::Device) {
            if !item.lang.is_empty() {
                stated.language = stated::language(&item.lang);
                stated.languages = stated::languages(&item.lang);
            }
            stated.time_zone = stated::time_zone(&item.tz);
            stated.screen = stated::screen(&item.screen);
            stated.viewport = stated::viewport(&item.vp);
            stated.connection = stated::connection(&item.net);
        }
        if self.collects(Collected::Plugins) {
            let names: Vec<&str> = item.pl.iter().map(String::as_str).collect();
            stated.plugins = scrub::scrub_text(&stated::plugins(&names), PLUGINS);
        }
    }

    fn timing(&self, item: &Item<'_>) -> Timing {
        let ms = |collected: Collected, value: f64| if self.collects(collected) { bounded(value, HOUR_MS) } else { 0 };
        let cls = item.cls.filter(|cls| self.collects(Collected::Vitals) && cls.is_finite());
        Timing {
            dns_ms: ms(Collected::Timings, item.dns),
            connect_ms: ms(Collected::Timings, item.con),
            ttfb_ms: ms(Collected::Timings, item.ttfb),
            dom_ms: ms(Collected::Timings, item.dom),
            load_ms: ms(Collected::Timings, item.load),
            fcp_ms: ms(Collected::Vitals, item.fcp),
            lcp_ms: ms(Collected::Vitals, item.lcp),
            inp_ms: ms(Collected::Vitals, item.inp),
            cls_milli: cls.map_or(0, |cls| bounded(cls * 1000.0, 60_000) as u16 + 1),
        }
    }

    fn label(&self, text: &str) -> String {
        let key = |text: &[u8]| self.shared.pseudonymiser.label(text);
        self.shared.labels.label(text, &key).to_string()
    }

    /// Where an event leads, or where an error comes from.
    fn resource(&self, draft: &Draft, url: &RawUrl) -> String {
        match &*draft.name {
            "script_error" => scrub::script_source(url).map(|(host, path)| host + &path).unwrap_or_default(),
            _ => self.target(url),
        }
    }

    /// What the custom events of a beacon say, in its order; an error where one of them may not be kept (D4).
    fn customs(&self, events: &[BeaconEvent<'_>]) -> Result<Vec<Custom>, BeaconError> {
        let custom = |(index, event): (usize, &BeaconEvent)| match event.name {
            Name::Custom(_) => self.custom(index + 1, &event.item),
            Name::Known(_) => Ok(Custom::default()),
        };
        events.iter().enumerate().map(custom).collect()
    }

    fn custom(&self, number: usize, item: &Item<'_>) -> Result<Custom, BeaconError> {
        let mut props = Vec::with_capacity(item.props.len());
        for (key, value) in &item.props {
            let value = match value {
                serde_json::Value::String(text) => Cow::Borrowed(text.as_str()),
                serde_json::Value::Number(number) => Cow::Owned(number.to_string()),
                serde_json::Value::Bool(truth) => Cow::Borrowed(if *truth { "true" } else { "false" }),
                _ => return Err(BeaconError::PropertyType(number)),
            };
            let free_text = self.shared.free_text.contains(key);
            let kept = scrub::property(key, &value, free_text);
            props.push(kept.map_err(|error| BeaconError::Property(number, error))?);
        }
        let (revenue_milli, currency) = item.rev.as_ref().and_then(money).unwrap_or_default();
        Ok(Custom { props, revenue_milli, currency })
    }
}

/// How a page was left; empty where the collector does not say.
fn exit_method(event: &BeaconEvent<'_>, host: &str) -> &'static str {
    let stored = EXITS.iter().find(|(said, _)| *said == event.item.x).map_or("", |(_, stored)| stored);
    let leads = event.exit_target.as_ref().and_then(|url| scrub::referrer(url, host));
    match (stored, leads) {
        ("link_outside", Some(page)) if page.is_own => "link_inside",
        ("link_outside", None) => "",
        _ => stored,
    }
}

/// Names of plug-ins are cut to this, in bytes.
const PLUGINS: usize = 1024;

fn kind(word: &str) -> String {
    match word {
        "" => String::new(),
        word => KINDS.iter().find(|known| **known == word).copied().unwrap_or("other").to_owned(),
    }
}

/// Thousandths and the currency; nothing where it is no money.
fn money(revenue: &Revenue) -> Option<(i64, String)> {
    let is_currency = revenue.currency.len() == 3 && revenue.currency.bytes().all(|b| b.is_ascii_alphabetic());
    let milli = (revenue.amount * 1000.0).round();
    (is_currency && milli.abs() < 1e15).then(|| (milli as i64, revenue.currency.to_ascii_uppercase()))
}
