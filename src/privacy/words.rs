//! The words visitors read, in one language: everything there is, or it would not be built. What is in `static/privacy/words`
//! is read once at the start; nothing here knows the configuration.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Deserialize;

use crate::config::{BUILT_IN, Period};

macro_rules! words {
    ($($name:ident)*) => {
        /// All words of a language, by the names they have in its file.
        #[derive(Clone, Debug, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub(super) struct Words {
            $(pub $name: String,)*
            /// In the form that stands in a date.
            pub months: [String; 12],
            pub year: Counted,
            pub month: Counted,
            pub week: Counted,
            pub day: Counted,
            pub hour: Counted,
            pub minute: Counted,
            pub second: Counted,
            /// The purposes every site knows, by id.
            pub purposes: BTreeMap<String, PurposeWords>,
        }

        #[cfg(test)]
        impl Words {
            /// Every text that is no list and no table, by its name.
            fn texts(&self) -> Vec<(&'static str, &str)> {
                vec![$((stringify!($name), &*self.$name)),*]
            }
        }
    };
}

words!(
    name back languages see_choices
    banner_title banner_text changed_title changed_text reject accept reject_these accept_these manage notice link_text saved
    title lead saved_title saved_none saved_all saved_some saved_back now not_chosen always_on yes no open change chosen_on
    kept_until receipt_number withdraw withdraw_hint choose choose_again one_by_one question save save_hint legal_basis
    basis_consent basis_necessary cookies no_cookies begins_so set_by kept_for not_stated this_website session cookie_choice
    cookie_visitor cookie_visit under_16_title under_16_text under_16_yes under_16_on under_16_no signal_title signal_open
    signal_chosen statistics_title statistics_text statistics_object more see_receipt see_data see_notice controller
    contact
    receipt_title receipt_lead receipt_none_title receipt_none website allowed refused nothing language chosen_where
    source_banner source_preferences source_withdrawal source_api source_signal source_import policy_version banner_version
    text_hash download check_title check_text
    notice_title notice_lead notice_who notice_purposes notice_collected notice_only_if notice_mail_title notice_mail
    notice_calls_title notice_calls notice_proof_title notice_proof notice_withdraw_title notice_withdraw
    notice_rights_title notice_rights notice_complaint notice_version notice_since write_contact write_website
    give_reference key_used key_kept
    item_pages item_source item_browser item_network item_tag item_country item_place item_visitor item_search item_events
    item_device item_plugins item_timings item_vitals item_engagement item_clicks item_downloads item_outbound item_forms
    item_contacts item_errors item_hover item_titles item_hash item_login
    data_title data_lead data_none data_carried data_visitor data_visit data_began data_pages data_held data_recorded
    data_not_recorded data_not_yet data_reference data_key data_ask data_ask_text data_json data_csv
    not_found_title not_found not_saved_title other_site too_large not_understood asked_changed too_old not_ours not_recorded
    not_possible_title not_possible failed_title too_slow broke_off no_answer
    first_of_month date date_time
);

/// Something that is counted, in the forms the language has; where one is not given, `other` stands.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Counted {
    zero: Option<String>,
    one: Option<String>,
    two: Option<String>,
    few: Option<String>,
    many: Option<String>,
    other: String,
}

/// The words of one purpose.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PurposeWords {
    pub title: String,
    pub description: String,
}

/// The file of a built-in language.
pub(super) fn file(code: &str) -> Option<&'static str> {
    const FILES: [&str; BUILT_IN.len()] = [
        include_str!("../../static/privacy/words/en-GB.toml"),
        include_str!("../../static/privacy/words/cy.toml"),
        include_str!("../../static/privacy/words/de.toml"),
        include_str!("../../static/privacy/words/fr.toml"),
        include_str!("../../static/privacy/words/es.toml"),
        include_str!("../../static/privacy/words/it.toml"),
        include_str!("../../static/privacy/words/nl.toml"),
        include_str!("../../static/privacy/words/pl.toml"),
        include_str!("../../static/privacy/words/pt.toml"),
        include_str!("../../static/privacy/words/sv.toml"),
    ];
    BUILT_IN.iter().position(|known| *known == code).map(|index| FILES[index])
}

impl Words {
    /// The words of a built-in language with `own` laid over them, as the configuration has checked them.
    pub(super) fn of(built_in: &str, own: &toml::Table) -> Words {
        let text = file(built_in).expect("the language is a built-in one");
        let mut table: toml::Table = text.parse().expect("a built-in file is TOML");
        lay_over(&mut table, own);
        table.try_into().expect("a built-in file has every word, and the configuration lets through no other")
    }

    /// A time, in seconds since 1970, as a day.
    pub(super) fn date(&self, seconds: u64) -> String {
        self.date_of(&utc(seconds))
    }

    /// The same with the time of day.
    pub(super) fn date_time(&self, seconds: u64) -> String {
        let time = utc(seconds);
        let (hour, minute) = (time.hour().to_string(), format!("{:02}", time.minute()));
        let hour = if self.date_time.contains("{hour} ") { hour } else { format!("{hour:0>2}") };
        fill(&self.date_time, &[("date", &self.date_of(&time)), ("hour", &hour), ("minute", &minute)])
    }

    fn date_of(&self, time: &jiff::Zoned) -> String {
        let day = match time.day() {
            1 => self.first_of_month.clone(),
            day => day.to_string(),
        };
        let month = &self.months[usize::from(time.month().unsigned_abs() - 1) % 12];
        fill(&self.date, &[("day", &day), ("month", month), ("year", &time.year().to_string())])
    }

    /// A period, in the largest unit that leaves no remainder.
    pub(super) fn period(&self, code: &str, life: Duration) -> String {
        let seconds = life.as_secs();
        let units =
            [(365 * 86_400, &self.year), (86_400, &self.day), (3_600, &self.hour), (60, &self.minute)].into_iter();
        let mut whole = units.filter(|(length, _)| seconds > 0 && seconds.is_multiple_of(*length));
        let (length, unit) = whole.next().unwrap_or((1, &self.second));
        unit.count(code, seconds / length)
    }

    /// A period by the calendar, in years where they are whole.
    pub(super) fn calendar(&self, code: &str, period: Period) -> String {
        let (amount, unit) = match period.months {
            months if months.is_multiple_of(12) => (months / 12, &self.year),
            months => (months, &self.month),
        };
        let parts = [(amount, unit), (period.days, &self.day)].into_iter().filter(|(amount, _)| *amount > 0);
        let said: Vec<String> = parts.map(|(amount, unit)| unit.count(code, amount.into())).collect();
        said.join(" ")
    }

    /// A period as operators write it in English, such as `13 months` or `Session`; nothing where it is written otherwise.
    pub(super) fn period_of(&self, code: &str, english: &str) -> Option<String> {
        if english.eq_ignore_ascii_case("session") {
            return Some(self.session.clone());
        }
        let (count, unit) = english.split_once(' ')?;
        let unit = match unit.strip_suffix('s').unwrap_or(unit) {
            "year" => &self.year,
            "month" => &self.month,
            "week" => &self.week,
            "day" => &self.day,
            "hour" => &self.hour,
            "minute" => &self.minute,
            "second" => &self.second,
            _ => return None,
        };
        Some(unit.count(code, count.parse().ok()?))
    }
}

impl Counted {
    /// `count` of it in the language `code`; whole numbers, by the plural rules of Unicode's CLDR.
    pub(super) fn count(&self, code: &str, count: u64) -> String {
        let form = match (code.split('-').next().unwrap_or_default(), count) {
            ("pl", 1) => &self.one,
            ("pl", n) if (2..=4).contains(&(n % 10)) && !(12..=14).contains(&(n % 100)) => &self.few,
            ("pl", _) => &self.many,
            ("cy" | "ar", 0) => &self.zero,
            ("cy" | "ar" | "he", 2) => &self.two,
            ("cy", 3) => &self.few,
            ("cy", 6) => &self.many,
            ("ar", n) if (3..=10).contains(&(n % 100)) => &self.few,
            ("ar", n) if n % 100 > 10 => &self.many,
            ("fr", 0) | (_, 1) => &self.one,
            _ => &None,
        };
        fill(form.as_ref().unwrap_or(&self.other), &[("n", &count.to_string())])
    }
}

/// Puts values in the places of their names.
pub(super) fn fill(text: &str, values: &[(&str, &str)]) -> String {
    // One pass, so that a value is never taken for a place.
    let mut filled = String::with_capacity(text.len() + 32);
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        filled.push_str(before);
        let value = after.split_once('}').and_then(|(name, _)| values.iter().find(|(known, _)| *known == name));
        match value {
            Some((name, value)) => {
                filled.push_str(value);
                rest = &after[name.len() + 1..];
            }
            None => {
                filled.push('{');
                rest = after;
            }
        }
    }
    filled + rest
}

fn lay_over(table: &mut toml::Table, own: &toml::Table) {
    for (name, value) in own {
        match (table.get_mut(name), value) {
            (Some(toml::Value::Table(below)), toml::Value::Table(own)) => lay_over(below, own),
            _ => {
                table.insert(name.clone(), value.clone());
            }
        }
    }
}

fn utc(seconds: u64) -> jiff::Zoned {
    timestamp(seconds).to_zoned(TimeZone::UTC)
}

/// Seconds since 1970 as in `2025-05-03T14:05:00Z`.
pub(super) fn iso(seconds: u64) -> String {
    timestamp(seconds).to_string()
}

fn timestamp(seconds: u64) -> Timestamp {
    i64::try_from(seconds).ok().and_then(|s| Timestamp::from_second(s).ok()).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests;
