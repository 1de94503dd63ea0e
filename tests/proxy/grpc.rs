//! gRPC from a visitor's HTTP/2 to the site's, through the running gateway: every frame goes on when it comes.

use std::time::Duration;

use h2::Reason;
use http::HeaderMap;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ALL_VERSIONS;
use tokio_rustls::rustls::pki_types::ServerName;

use crate::support::gateway::{Gateway, Nobody, folder_without_database, without_database};
use crate::support::grpc::{Site, Visitor, expect, message, next, server_config, soon, status};
use crate::support::tls::Root;

/// A gateway that speaks HTTP/2 without TLS to both sides.
fn plain(site: &Site, limits: &str) -> (Gateway, Nobody) {
    let more = format!("h2c = true\ndrain = \"100ms\"\n[gateway.forward]\nhttp2 = true\n{limits}");
    without_database(site.address, &more)
}

async fn trailers(body: &mut h2::RecvStream) -> HeaderMap {
    assert!(next(body).await.is_none(), "no data comes after the last");
    soon(body.trailers()).await.expect("the stream is whole").expect("there are trailers")
}

/// One call with one answer.
async fn unary(visitor: &Visitor, site: &mut Site, scheme: &str) {
    let (answer, mut sending) = visitor.call("/greet.Greeter/SayHello?x=1").await;
    sending.send_data(message("who"), true).unwrap();
    let mut call = site.call().await;
    assert_eq!((call.head.method.as_str(), call.head.uri.path()), ("POST", "/greet.Greeter/SayHello"));
    assert_eq!(call.head.uri.query(), Some("x=1"));
    let field = |name: &str| call.head.headers.get(name).and_then(|value| value.to_str().ok());
    for (name, value) in [
        ("te", Some("trailers")),
        ("content-type", Some("application/grpc")),
        ("user-agent", Some("grpc-go/1.71.0")),
        ("grpc-timeout", Some("20S")),
        ("grpc-accept-encoding", Some("gzip")),
        ("x-forwarded-proto", Some(scheme)),
        // It is no page, so nothing is asked otherwise than the visitor asked.
        ("accept-encoding", None),
    ] {
        assert_eq!(field(name), value, "{name}");
    }
    expect(&mut call.body, &message("who")).await;
    assert!(next(&mut call.body).await.is_none());
    let mut answering = call.begin();
    answering.send_data(message("hello"), false).unwrap();
    let mut last = status("0", "fine");
    // K2: a cookie comes in a head, where it is looked at, or not at all.
    for (name, value) in [("set-cookie", "tracker=1"), ("content-length", "7"), ("x-took", "1")] {
        last.insert(name, value.parse().unwrap());
    }
    answering.send_trailers(last).unwrap();
    let (head, mut body) = soon(answer).await.unwrap().into_parts();
    assert_eq!((head.status.as_u16(), &head.headers["content-type"]), (200, &"application/grpc".parse().unwrap()));
    assert_eq!(head.headers["x-site"], "1");
    expect(&mut body, &message("hello")).await;
    let trailers = trailers(&mut body).await;
    assert_eq!(
        (&trailers["grpc-status"], &trailers["grpc-message"]),
        (&"0".parse().unwrap(), &"fine".parse().unwrap())
    );
    assert_eq!(trailers["x-took"], "1");
    assert!(!trailers.contains_key("set-cookie") && !trailers.contains_key("content-length"), "{trailers:?}");
}

#[tokio::test]
async fn a_call_and_its_answer_arrive_whole_with_the_trailers_that_end_it() {
    let mut site = Site::start().await;
    let (gateway, _nobody) = plain(&site, "");
    let visitor = Visitor::connect(gateway.address).await;
    for _ in 0..3 {
        unary(&visitor, &mut site, "http").await;
    }
}

#[tokio::test]
async fn a_call_arrives_by_tls_on_either_side_or_both() {
    let root = Root::new();
    let (chain, key) = root.give(&["localhost"]);
    let mut site = Site::start_tls(server_config(&chain, &key)).await;
    let more = "h2c = true\ndrain = \"100ms\"\n[gateway.forward]\nhttp2 = true\ntls_ca = \"root.pem\"\n[gateway.tls]\n\
                listen = \"127.0.0.1:0\"\n[[gateway.tls.certificate]]\ncertificate = \"one.pem\"\nkey = \"one-key.pem\"\n";
    let (folder, _nobody) = folder_without_database(site.address, more);
    let configuration = std::fs::read_to_string(folder.path().join("consentry.toml")).unwrap();
    let at = format!("http://{}", site.address);
    folder.write("consentry.toml", &configuration.replace(&at, &format!("https://localhost:{}", site.address.port())));
    folder.write("root.pem", &root.0.pem());
    root.write(folder.path(), "one", &["www.example.org"]);
    let gateway = folder.serve();
    let connector = TlsConnector::from(root.client(ALL_VERSIONS, &["h2"]));
    let stream = TcpStream::connect(gateway.tls.unwrap()).await.unwrap();
    let stream = connector.connect(ServerName::try_from("www.example.org").unwrap(), stream).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    unary(&Visitor::over(stream, "https").await, &mut site, "https").await;
    unary(&Visitor::connect(gateway.address).await, &mut site, "http").await;
}

#[tokio::test]
async fn what_the_site_streams_is_seen_message_by_message() {
    let mut site = Site::start().await;
    let (gateway, _nobody) = plain(&site, "");
    let (answer, mut sending) = Visitor::connect(gateway.address).await.call("/greet.Greeter/Many").await;
    sending.send_data(message("all"), true).unwrap();
    let mut call = site.call().await;
    let mut answering = call.begin();
    // The head is there before the first message is.
    let mut body = soon(answer).await.unwrap().into_body();
    for number in 0..20 {
        let text = message(&format!("message {number}"));
        answering.send_data(text.clone(), false).unwrap();
        expect(&mut body, &text).await;
    }
    answering.send_trailers(status("0", "")).unwrap();
    assert_eq!(trailers(&mut body).await["grpc-status"], "0");
}

#[tokio::test]
async fn both_sides_stream_at_once_and_each_sees_a_message_before_the_next_is_sent() {
    let mut site = Site::start().await;
    let (gateway, _nobody) = plain(&site, "");
    let visitor = Visitor::connect(gateway.address).await;
    // Three at once over one connection, none in another's way.
    let mut chats = Vec::new();
    for path in ["/chat/a", "/chat/b", "/chat/c"] {
        let (answer, mut sending) = visitor.call(path).await;
        // The site answers the call before it has any message of it.
        let mut call = site.call().await;
        let answering = call.begin();
        let body = soon(answer).await.unwrap().into_body();
        sending.send_data(message("first"), false).unwrap();
        expect(&mut call.body, &message("first")).await;
        chats.push((sending, body, call, answering));
    }
    for round in 0..10 {
        for (chat, (sending, body, call, answering)) in chats.iter_mut().enumerate() {
            let (ask, told) = (message(&format!("ask {chat} {round}")), message(&format!("tell {chat} {round}")));
            sending.send_data(ask.clone(), false).unwrap();
            expect(&mut call.body, &ask).await;
            answering.send_data(told.clone(), false).unwrap();
            expect(body, &told).await;
        }
    }
    for (sending, body, call, answering) in &mut chats {
        sending.send_data(bytes::Bytes::new(), true).unwrap();
        assert!(next(&mut call.body).await.is_none(), "the site sees that the visitor has said everything");
        // And still has something to say itself.
        answering.send_data(message("last"), false).unwrap();
        expect(body, &message("last")).await;
        answering.send_trailers(status("0", "")).unwrap();
        assert_eq!(trailers(body).await["grpc-status"], "0");
    }
}

#[tokio::test]
async fn a_message_larger_than_any_window_passes_both_ways() {
    let mut site = Site::start().await;
    let (gateway, _nobody) = plain(&site, "");
    let (answer, mut sending) = Visitor::connect(gateway.address).await.call("/greet.Greeter/Large").await;
    let large = message(&"large ".repeat(500_000));
    sending.send_data(large.clone(), true).unwrap();
    let mut call = site.call().await;
    expect(&mut call.body, &large).await;
    let mut answering = call.begin();
    answering.send_data(large.clone(), false).unwrap();
    answering.send_trailers(status("0", "")).unwrap();
    let mut body = soon(answer).await.unwrap().into_body();
    expect(&mut body, &large).await;
    assert_eq!(trailers(&mut body).await["grpc-status"], "0");
}

#[tokio::test]
async fn an_answer_that_is_trailers_alone_is_one() {
    let mut site = Site::start().await;
    let (gateway, _nobody) = plain(&site, "");
    let visitor = Visitor::connect(gateway.address).await;
    for has_said_everything in [true, false] {
        let (answer, mut sending) = visitor.call("/greet.Greeter/Unknown").await;
        sending.send_data(message("who"), has_said_everything).unwrap();
        let mut call = site.call().await;
        let head = http::Response::builder().header("content-type", "application/grpc");
        let head = head.header("grpc-status", "12").header("grpc-message", "no such method").body(()).unwrap();
        call.answer.send_response(head, true).unwrap();
        let (head, mut body) = soon(answer).await.unwrap().into_parts();
        assert_eq!((head.status.as_u16(), &head.headers["grpc-status"]), (200, &"12".parse().unwrap()));
        assert_eq!(head.headers["grpc-message"], "no such method");
        assert!(next(&mut body).await.is_none());
    }
}

#[tokio::test]
async fn who_cancels_a_call_cancels_it_at_the_site_wherever_it_stands() {
    let mut site = Site::start().await;
    let (gateway, _nobody) = plain(&site, "");
    let visitor = Visitor::connect(gateway.address).await;
    // While the site thinks, with everything said and with more to say.
    for has_said_everything in [true, false] {
        let (answer, mut sending) = visitor.call("/cancel/before").await;
        sending.send_data(message("who"), has_said_everything).unwrap();
        let mut call = site.call().await;
        expect(&mut call.body, &message("who")).await;
        sending.send_reset(Reason::CANCEL);
        assert_eq!(call.reset().await, Reason::CANCEL, "{has_said_everything}");
        drop(answer);
    }
    // In the middle of an answer.
    for has_said_everything in [true, false] {
        let (answer, mut sending) = visitor.call("/cancel/within").await;
        sending.send_data(message("who"), has_said_everything).unwrap();
        let mut call = site.call().await;
        expect(&mut call.body, &message("who")).await;
        let mut answering = call.begin();
        let mut body = soon(answer).await.unwrap().into_body();
        answering.send_data(message("hello"), false).unwrap();
        expect(&mut body, &message("hello")).await;
        sending.send_reset(Reason::CANCEL);
        let reason = soon(std::future::poll_fn(|cx| answering.poll_reset(cx))).await.unwrap();
        assert_eq!(reason, Reason::CANCEL, "{has_said_everything}");
    }
    // The connection is as good as before.
    unary(&visitor, &mut site, "http").await;
    // Who goes away has cancelled everything.
    let (_waiting, mut sending) = visitor.call("/cancel/gone").await;
    sending.send_data(message("who"), false).unwrap();
    let mut call = site.call().await;
    expect(&mut call.body, &message("who")).await;
    visitor.leave();
    assert_eq!(call.reset().await, Reason::CANCEL);
}

#[tokio::test]
async fn a_call_the_site_breaks_off_never_looks_like_one_that_ended() {
    let mut site = Site::start().await;
    let (gateway, _nobody) = plain(&site, "");
    let visitor = Visitor::connect(gateway.address).await;
    let (answer, mut sending) = visitor.call("/broken").await;
    sending.send_data(message("who"), true).unwrap();
    let mut call = site.call().await;
    let mut answering = call.begin();
    answering.send_data(message("hello"), false).unwrap();
    let mut body = soon(answer).await.unwrap().into_body();
    expect(&mut body, &message("hello")).await;
    answering.send_reset(Reason::ENHANCE_YOUR_CALM);
    let error = next(&mut body).await.expect("it does not end").expect_err("it is reset");
    assert_eq!((error.is_reset(), error.reason()), (true, Some(Reason::ENHANCE_YOUR_CALM)), "{error}");
}

#[tokio::test]
async fn a_call_that_is_not_answered_is_waited_for_no_longer_than_any_other() {
    let mut site = Site::start().await;
    let (gateway, _nobody) = plain(&site, "[gateway.limits]\nanswer_timeout = \"300ms\"\nidle_timeout = \"200ms\"\n");
    let visitor = Visitor::connect(gateway.address).await;
    for has_said_everything in [true, false] {
        let (answer, mut sending) = visitor.call("/unanswered").await;
        sending.send_data(message("who"), has_said_everything).unwrap();
        let mut call = site.call().await;
        assert_eq!(soon(answer).await.unwrap().status().as_u16(), 504, "{has_said_everything}");
        assert_eq!(call.reset().await, Reason::CANCEL);
    }
    // Nor is one whose answer is no gRPC.
    let (answer, _sending) = visitor.call("/something-else").await;
    let mut call = site.call().await;
    let head = http::Response::builder().header("content-type", "text/plain").body(()).unwrap();
    let _answering = call.answer.send_response(head, false).unwrap();
    let mut body = soon(answer).await.unwrap().into_body();
    assert!(next(&mut body).await.expect("it does not end").is_err());
}

#[tokio::test]
async fn a_call_may_be_silent_for_as_long_as_it_likes() {
    let mut site = Site::start().await;
    let (gateway, _nobody) = plain(
        &site,
        "[gateway.limits]\nidle_timeout = \"200ms\"\nhead_timeout = \"200ms\"\nkeep_alive = \"200ms\"\nmin_body_rate = \"1 MiB/s\"\nbody_grace = \"0s\"\n",
    );
    let visitor = Visitor::connect(gateway.address).await;
    let (answer, mut sending) = visitor.call("/silent").await;
    let mut call = site.call().await;
    sending.send_data(message("here"), false).unwrap();
    expect(&mut call.body, &message("here")).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    sending.send_data(message("there"), false).unwrap();
    expect(&mut call.body, &message("there")).await;
    let mut answering = call.begin();
    let mut body = soon(answer).await.unwrap().into_body();
    tokio::time::sleep(Duration::from_millis(700)).await;
    sending.send_data(message("still there"), false).unwrap();
    expect(&mut call.body, &message("still there")).await;
    tokio::time::sleep(Duration::from_millis(700)).await;
    answering.send_data(message("so am I"), false).unwrap();
    expect(&mut body, &message("so am I")).await;
    answering.send_trailers(status("0", "")).unwrap();
    assert_eq!(trailers(&mut body).await["grpc-status"], "0");
}
