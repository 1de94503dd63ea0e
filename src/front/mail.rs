//! `GET /_privacy/open.gif`: the picture in a mail. Whoever asks gets the same picture, whether an opening was kept or not:
//! a mail program can do nothing with an error, and nobody learns from the answer whether a token counts. No cookie is
//! looked at or set, whoever's browser it is.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, USER_AGENT};
use http::{HeaderValue, Method, Response};

use super::gateway::{Gateway, Visit};
use super::keep;
use super::own::no_store;
use super::page_body::VisitorBody;
use crate::capture;
use crate::consent::mail;
use crate::pseudonym::RawUserAgent;

/// One transparent pixel (GIF89a).
const PIXEL: [u8; 43] = *b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff\x21\xf9\x04\x01\x00\x00\x00\x00\
                           \x2c\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02\x44\x01\x00\x3b";

/// Keeps the opening where its recipient consents, and answers.
pub(super) fn answer(gateway: &Gateway, visit: &Visit<'_>) -> Response<VisitorBody> {
    let metrics = &gateway.site.metrics;
    match opened(gateway, visit) {
        Some(()) => metrics.mail_openings_kept.count(),
        None => metrics.mail_openings_not_kept.count(),
    }
    let mut response = Response::new(VisitorBody::own(Bytes::from_static(&PIXEL)));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("image/gif"));
    no_store(response.headers_mut());
    response
}

fn opened(gateway: &Gateway, visit: &Visit<'_>) -> Option<()> {
    let site = &gateway.site;
    let (headers, now) = (&visit.parts.headers, visit.now.as_secs());
    // Without the switch there is no list, and without the list nobody's consent is known to stand.
    let withdrawn = site.mail_withdrawals.as_ref()?;
    if visit.parts.method != Method::GET || capture::is_ahead(headers) {
        return None;
    }
    let query = form_urlencoded::parse(visit.parts.uri.query()?.as_bytes());
    let token = query.into_iter().find(|(name, _)| name == "t")?.1;
    let has_withdrawn = |entry| {
        withdrawn.holds(entry).unwrap_or_else(|error| {
            tracing::error!(%error, "no opening of an e-mail is kept");
            true
        })
    };
    let opening = mail::opening(token.as_bytes(), &site.policy, &site.ring, now, has_withdrawn).ok()?;
    let now_ms = keep::milliseconds(visit.now);
    // Anyone who has the mail can ask for its picture as often as they like; the tables need not hold all of it.
    gateway.capture.pace().take(visit.client.ip.bucket(), now_ms).ok()?;
    let agent = headers.get(USER_AGENT).map(HeaderValue::as_bytes).unwrap_or_default();
    let event = gateway.capture.mail_open(opening, &RawUserAgent::new(agent), now_ms)?;
    site.keep(&event).then_some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_picture_is_a_whole_gif_of_one_pixel() {
        assert_eq!(PIXEL.len(), 43);
        assert!(PIXEL.starts_with(b"GIF89a\x01\x00\x01\x00") && PIXEL.ends_with(b"\x3b"));
    }
}
