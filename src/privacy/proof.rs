//! What proves a choice to the visitor (P4): the signed receipt, made of the choice's own cookie and of what is asked, and the
//! public keys it is verified with. Nothing is looked up, so any gateway of a fleet gives the same receipt.

use bytes::Bytes;
use http::{Response, StatusCode};
use serde_json::{Value, json};

use super::preferences::Standing;
use super::receipt::{self, ReceiptFacts};
use super::{Message, Pages, PrivacyRequest, answer, cookie_list, hex, language};
use crate::consent::Choice;
use crate::ledger;
use crate::ledger::receipt::{Controller, Cookie, Purpose, Receipt, STRICTLY_NECESSARY};
use crate::pseudonym::scrub;

impl Pages {
    /// The public keys that receipts of this site are verified with.
    pub(super) fn keys(&self) -> Response<Bytes> {
        answer::json(StatusCode::OK, &ledger::public_keys(&self.site.ring))
    }

    /// The receipt of the choice that counts: a page, or where it is asked for with `format=json` or as JSON alone, the signed
    /// file.
    pub(super) fn receipt(&self, request: &PrivacyRequest<'_>) -> Response<Bytes> {
        let to_script = request.wants("json", "application/json");
        match request.choice {
            Some(choice) if to_script => {
                receipt::file(&Standing::of(choice).receipt, &self.signed_receipt(choice, request.host))
            }
            Some(choice) => {
                let facts = ReceiptFacts {
                    language: Some(choice.language.as_str().to_owned()).filter(|language| !language.is_empty()),
                    policy_version: choice.policy_version,
                    banner_version: None,
                    text_hashes: vec![hex(&self.text_of(choice))],
                };
                let language = self.language(request.query, request.headers);
                let standing = Standing::of(choice);
                let page = receipt::page(&self.site, language, &scrub::host(request.host), &standing, &facts);
                answer::html(StatusCode::OK, page)
            }
            None if to_script => answer::json(StatusCode::NOT_FOUND, &json!({ "error": "There is no receipt." })),
            None => self.say(Message::NoReceipt, request, None),
        }
    }

    /// As much of the hash of what was asked as is known: all of it where that is still what is asked.
    fn text_of(&self, choice: &Choice) -> Vec<u8> {
        let now = self.text_hash(choice.language.as_str());
        if now.starts_with(&choice.text) { now.to_vec() } else { choice.text.to_vec() }
    }

    fn signed_receipt(&self, choice: &Choice, host: &str) -> Value {
        let (site, consent) = (&self.site, &self.site.consent);
        let languages = &site.languages;
        let language =
            languages.find(choice.language.as_str()).map_or(languages.default(), |index| languages.get(index));
        let said = language::purposes(&site.policy, consent, language, languages);
        let asked = |index: usize| {
            site.policy.necessary().contains(index) || choice.granted.union(choice.denied).contains(index)
        };
        let purposes = site.policy.purposes().iter().zip(said).enumerate().filter(|(index, _)| asked(*index));
        let purposes = purposes.map(|(index, (purpose, said))| {
            let necessary = site.policy.necessary().contains(index);
            let cookies = cookie_list::of_purpose(index, site, &self.cookies, self.lives, language);
            let usual = if necessary { STRICTLY_NECESSARY } else { "consent" };
            let mut recipients: Vec<String> = Vec::new();
            let providers = self.cookies.iter().filter(|cookie| cookie.purpose == index);
            for provider in providers.filter_map(|cookie| cookie.provider.as_ref()) {
                if !recipients.contains(provider) {
                    recipients.push(provider.clone());
                }
            }
            Purpose {
                id: purpose.id.clone(),
                title: said.title.text,
                description: said.description.text,
                legal_basis: purpose.legal_basis.clone().unwrap_or_else(|| usual.to_owned()),
                granted: necessary || choice.granted.contains(index),
                retention: String::new(),
                storage: String::new(),
                recipients,
                cookies: cookies
                    .into_iter()
                    .map(|cookie| Cookie {
                        name: format!("{}{}", cookie.name, if cookie.prefix { "*" } else { "" }),
                        provider: Some(cookie.provider.text),
                        period: Some(cookie.period.text),
                    })
                    .collect(),
            }
        });
        let milliseconds = |seconds: u64| i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1000);
        let receipt = Receipt {
            id: choice.receipt,
            previous: None,
            at_ms: i64::try_from(choice.made_at_ms).unwrap_or(i64::MAX),
            valid_until_ms: milliseconds(choice.until),
            policy_version: choice.policy_version,
            text_hash: self.text_of(choice),
            ledger_hash: choice.row.to_vec(),
            language: choice.language.as_str().to_owned(),
            source: choice.source.word().into_owned(),
            // As the ledger's row has it.
            host: scrub::host(host),
            controller: Controller {
                name: consent.controller.clone().unwrap_or_default(),
                contact: consent.contact.clone().unwrap_or_default(),
            },
            notice_url: consent.notice_url.clone(),
            purposes: purposes.collect(),
            under_16: choice.under_16,
            gpc: choice.signals.gpc,
        };
        receipt.sign(&site.ring)
    }
}
