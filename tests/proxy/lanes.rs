//! A site that speaks HTTP/2 and ends its answer before it has the whole request, without a word on the rest: the rest is
//! cancelled there, and what the exchange took of the ways to the site is given back once it is, not before.

use bytes::Bytes;
use h2::{Reason, SendStream};

use crate::support::gateway::{Gateway, Nobody, without_database};
use crate::support::grpc::{Call, Site, Visitor, expect, message, next, soon, status};

fn plain(site: &Site) -> (Gateway, Nobody) {
    without_database(site.address, "h2c = true\nworkers = 1\ndrain = \"100ms\"\n[gateway.forward]\nhttp2 = true\n")
}

/// Why the site's stream was reset, after whatever came over it before; what came is never given room for more.
async fn reset(call: &mut Call) -> Option<Reason> {
    loop {
        match soon(call.body.data()).await.expect("it does not end") {
            Ok(_) => {}
            Err(error) => return error.reason(),
        }
    }
}

/// A call with more to say, and the site's side of it.
async fn begun(visitor: &Visitor, site: &mut Site) -> (h2::client::ResponseFuture, SendStream<Bytes>, Call) {
    let (answer, mut sending) = visitor.call("/upload").await;
    sending.send_data(message("some"), false).unwrap();
    let mut call = site.call().await;
    expect(&mut call.body, &message("some")).await;
    (answer, sending, call)
}

#[tokio::test]
async fn an_upload_is_cancelled_once_the_answer_has_ended_and_not_before() {
    let mut site = Site::start().await;
    let (gateway, _nobody) = plain(&site);
    let visitor = Visitor::connect(gateway.address).await;
    // One waits for the visitor, the other for the site, which takes no more than a window.
    for waits_for_site in [false, true] {
        let (answer, mut sending, mut call) = begun(&visitor, &mut site).await;
        let mut answering = call.begin();
        let mut body = soon(answer).await.unwrap().into_body();
        // The answer has begun, and the two still talk.
        answering.send_data(message("go on"), false).unwrap();
        expect(&mut body, &message("go on")).await;
        sending.send_data(message("more"), false).unwrap();
        expect(&mut call.body, &message("more")).await;
        if waits_for_site {
            sending.send_data(Bytes::from(vec![b'a'; 400_000]), false).unwrap();
        }
        answering.send_trailers(status("0", "")).unwrap();
        assert!(next(&mut body).await.is_none());
        assert_eq!(soon(body.trailers()).await.unwrap().unwrap()["grpc-status"], "0");
        assert_eq!(reset(&mut call).await, Some(Reason::CANCEL), "{waits_for_site}");
    }
    // An answer that has ended with its head.
    let (answer, _sending, mut call) = begun(&visitor, &mut site).await;
    let head = http::Response::builder().status(413).body(()).unwrap();
    call.answer.send_response(head, true).unwrap();
    assert_eq!(soon(answer).await.unwrap().status().as_u16(), 413);
    assert_eq!(reset(&mut call).await, Some(Reason::CANCEL));
}

#[tokio::test]
async fn uploads_nobody_takes_leave_the_ways_to_the_site_to_others() {
    let mut site = Site::start_narrow(4).await;
    let (gateway, _nobody) = plain(&site);
    let visitor = Visitor::connect(gateway.address).await;
    let mut all = Vec::new();
    for _ in 0..12 {
        let (answer, mut sending, mut call) = begun(&visitor, &mut site).await;
        sending.send_data(Bytes::from(vec![b'a'; 100_000]), false).unwrap();
        soon(call.body.data()).await.unwrap().unwrap();
        let head = http::Response::builder().status(403).body(()).unwrap();
        call.answer.send_response(head, true).unwrap();
        assert_eq!(soon(answer).await.unwrap().status().as_u16(), 403);
        all.push((sending, call));
    }
}

#[tokio::test]
async fn an_answer_that_is_broken_off_is_never_taken_for_a_whole_one() {
    let mut site = Site::start().await;
    let (gateway, _nobody) = plain(&site);
    let visitor = Visitor::connect(gateway.address).await;
    for reason in [Reason::NO_ERROR, Reason::CANCEL, Reason::INTERNAL_ERROR] {
        let (answer, _sending, mut call) = begun(&visitor, &mut site).await;
        let mut answering = call.begin();
        answering.send_data(message("half of it"), false).unwrap();
        let mut body = soon(answer).await.unwrap().into_body();
        expect(&mut body, &message("half of it")).await;
        answering.send_reset(reason);
        let end = loop {
            match soon(body.data()).await {
                Some(Ok(piece)) if piece.is_empty() => {}
                end => break end,
            }
        };
        assert!(matches!(end, Some(Err(_))), "{reason:?}: {end:?}");
    }
}

#[tokio::test]
async fn what_a_server_has_refused_to_do_is_asked_once_more() {
    let mut site = Site::start().await;
    let (gateway, _nobody) = plain(&site);
    let visitor = Visitor::connect(gateway.address).await;
    let (answer, _first, mut call) = begun(&visitor, &mut site).await;
    let _answering = call.begin();
    soon(answer).await.unwrap();
    // Nothing of the body has come yet.
    let (answer, mut sending) = visitor.call("/refused").await;
    site.call().await.answer.send_reset(Reason::REFUSED_STREAM);
    let mut again = site.call().await;
    assert_eq!(again.head.uri.path(), "/refused");
    sending.send_data(message("all"), true).unwrap();
    expect(&mut again.body, &message("all")).await;
    let _answering = again.begin();
    assert_eq!(soon(answer).await.unwrap().status().as_u16(), 200);
    // Of this one something has.
    let (answer, _sending, mut call) = begun(&visitor, &mut site).await;
    call.answer.send_reset(Reason::REFUSED_STREAM);
    let answer = soon(answer).await.unwrap();
    assert_eq!(answer.status().as_u16(), 502, "{answer:?}");
}
