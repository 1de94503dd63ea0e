//! Several upstreams and routes to them, from a visitor's side: who answers, and what is seen where nobody does.

use std::net::SocketAddr;

use super::get;
use crate::support::eventually;
use crate::support::gateway::{Folder, Gateway, Nobody, TRUSTED_PROXY, shared, without_database};
use crate::support::http::{Connection, exchange};
use crate::support::site::{Behaviour, Site};

fn ask(gateway: &Gateway, host: &str, path: &str) -> crate::support::http::Answer {
    let head = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nAccept: image/*\r\n\r\n");
    exchange(gateway.address, head)
}

#[test]
fn host_and_path_say_who_answers() {
    let (main, shop, api) = (Site::start(), Site::start(), Site::start());
    main.answers("/who", "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nmain");
    shop.answers("/who", "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nshop");
    api.answers("/who", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\napi");
    let routes = format!(
        "[[gateway.route]]\nhost = \"*.shop.test\"\nupstream = \"http://{}\"\n\
         [[gateway.route]]\npath = \"/api\"\nstrip_path = true\nmax_body_bytes = \"1 KiB\"\nupstream = \"http://{}\"\n",
        shop.address, api.address
    );
    let (gateway, _nobody) = without_database(main.address, &routes);
    assert_eq!(ask(&gateway, "www.example.org", "/who").text(), "main");
    assert_eq!(ask(&gateway, "a.shop.test:8080", "/who").text(), "shop");
    assert_eq!(ask(&gateway, "www.example.org", "/api/who").text(), "api");
    assert_eq!(api.request("/who").all("x-forwarded-prefix"), ["/api"]);
    let large = |path: &str| {
        let body = "x".repeat(2000);
        let head = format!("POST {path} HTTP/1.1\r\nHost: a.test\r\nContent-Length: 2000\r\n\r\n{body}");
        exchange(gateway.address, head).status
    };
    assert_eq!((large("/api/who"), large("/who")), (413, 200), "each route has its own bound");
}

#[test]
fn an_upstream_with_a_host_of_its_own_is_told_that_and_which_one_was_asked_for() {
    let (main, other) = (Site::start(), Site::start());
    let routes = format!(
        "[[gateway.route]]\npath = \"/other\"\nupstream_host = \"origin.example\"\nupstream = \"http://{}\"\n",
        other.address
    );
    let (gateway, _nobody) = without_database(main.address, &routes);
    for (site, path, host) in [(&main, "/x", "www.example.org:81"), (&other, "/other/x", "origin.example")] {
        assert_eq!(ask(&gateway, "www.example.org:81", path).status, 200);
        let request = site.request(path);
        assert_eq!(request.all("host"), [host]);
        assert_eq!(request.all("x-forwarded-host"), ["www.example.org:81"]);
    }
}

#[test]
fn a_host_no_route_is_for_is_misdirected() {
    let site = Site::start();
    let folder = Folder::empty();
    let database = Nobody::new();
    let page = "<title>{status}</title><p>{request_id}</p>";
    folder.write("421.html", page);
    folder.write(
        "consentry.toml",
        &format!(
            "data_dir = \"data\"\n[dashboard]\nlisten = \"127.0.0.1:0\"\n[geo]\ndatabase = \"off\"\n\
             [clickhouse]\nurl = \"http://{}\"\n[gateway]\nlisten = \"127.0.0.1:0\"\n\
             [gateway.error_pages]\n421 = \"421.html\"\n\
             [[gateway.route]]\nhost = \"a.test\"\nupstream = \"http://{}\"\n",
            database.address, site.address
        ),
    );
    let gateway = folder.serve();
    assert_eq!(ask(&gateway, "a.test", "/").status, 200);
    let answer = ask(&gateway, "b.test", "/");
    assert_eq!(answer.status, 421);
    let id = answer.field("x-request-id").expect("an answer of ours has an id").to_owned();
    assert_eq!(answer.text(), format!("<title>421</title><p>{id}</p>"));
    assert_eq!(site.requests("/").len(), 1, "the site was not asked");
}

/// A gateway of one worker before a site of two servers.
fn before(one: SocketAddr, two: SocketAddr) -> (Gateway, Nobody) {
    let (folder, database) = (Folder::empty(), Nobody::new());
    folder.write(
        "consentry.toml",
        &format!(
            "data_dir = \"data\"\n[dashboard]\nlisten = \"127.0.0.1:0\"\n[geo]\ndatabase = \"off\"\n\
             [clickhouse]\nurl = \"http://{}\"\n[gateway]\nlisten = \"127.0.0.1:0\"\nworkers = 1\n\
             upstream = [\"http://{one}\", \"http://{two}\"]\n",
            database.address
        ),
    );
    (folder.serve(), database)
}

#[test]
fn a_dead_upstream_costs_no_visitor_an_error() {
    let (site, dead) = (Site::start(), Nobody::new());
    site.on("/post", Behaviour::Echoes);
    let (gateway, _nobody) = before(dead.address, site.address);
    for n in 0..10 {
        assert_eq!(ask(&gateway, "a.test", "/page").status, 200, "{n}");
        let post = "POST /post HTTP/1.1\r\nHost: a.test\r\nContent-Length: 3\r\n\r\nabc";
        assert_eq!(exchange(gateway.address, post).body, b"abc", "{n}");
    }
    assert_eq!((site.requests("/page").len(), site.requests("/post").len()), (10, 10));
    let metrics = exchange(gateway.dashboard, "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n").text();
    for line in ["consentry_upstream_up{route=\"/\",upstream=\"1\"} 0\n", "{route=\"/\",upstream=\"2\"} 1\n"] {
        assert!(metrics.contains(line), "{metrics}");
    }
}

#[test]
fn an_upstream_that_goes_away_between_two_requests_costs_no_visitor_an_error() {
    use std::io::{Read, Write};
    let site = Site::start();
    site.answers("/who", "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nstay");
    for _ in 0..3 {
        // Answers once, then takes no connections and closes the one it has when it is asked again.
        let goes = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = goes.local_addr().unwrap();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = goes.accept().unwrap();
            let mut head = [0; 4096];
            assert!(stream.read(&mut head).unwrap() > 0);
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngoes").unwrap();
            drop(goes);
            assert!(stream.read(&mut head).unwrap() > 0);
        });
        let (gateway, _nobody) = before(address, site.address);
        let answers: Vec<String> = (0..8).map(|_| ask(&gateway, "a.test", "/who").text()).collect();
        assert!(answers.iter().filter(|answer| *answer == "goes").count() == 1, "{answers:?}");
        assert!(answers.iter().all(|answer| answer == "goes" || answer == "stay"), "{answers:?}");
        server.join().unwrap();
    }
}

#[test]
fn an_error_page_names_the_request_and_the_log_line_does_too() {
    let away = Nobody::new();
    let folder =
        Folder::new(away.address, "trusted_proxies = [\"127.0.0.2\"]\n[gateway.error_pages]\n503 = \"503.html\"");
    folder.write("503.html", "<p>Sorry. {request_id} ({status})</p>\n");
    let database = Nobody::new();
    let folder = folder.with("CONSENTRY__CLICKHOUSE__URL", &format!("http://{}", database.address));
    let gateway = folder.serve();
    let answer = get(&gateway, "/page", "X-Request-Id: mine-all-mine\r\n");
    let id = answer.field("x-request-id").expect("it has an id").to_owned();
    assert_eq!((answer.status, id.len()), (503, 32));
    assert_eq!(answer.text(), format!("<p>Sorry. {id} (503)</p>\n"));
    assert_eq!(answer.field("cache-control"), Some("no-store"));
    assert!(gateway.folder.log().contains(&id), "{}", gateway.folder.log());
    assert!(!gateway.folder.log().contains("mine-all-mine"));

    let head = "GET /page HTTP/1.1\r\nHost: a.test\r\nX-Request-Id: 4bf92f3577b34da6\r\n\r\n";
    let from_proxy = Connection::open_from(TRUSTED_PROXY.parse().unwrap(), gateway.address).send(head).answer();
    assert_eq!(from_proxy.field("x-request-id"), Some("4bf92f3577b34da6"));
}

#[test]
fn the_site_learns_the_requests_id() {
    let (gateway, site) = shared();
    get(gateway, "/id/own", "X-Request-Id: visitors-own\r\n");
    let sent = site.request("/id/own");
    let ids = sent.all("x-request-id");
    assert!(ids.len() == 1 && ids[0].len() == 32 && ids[0] != "visitors-own", "{ids:?}");
}

/// A site that speaks HTTP/2 without TLS and answers with method, path and body.
fn http2_site() -> std::net::SocketAddr {
    use http_body_util::{BodyExt, Full};
    use hyper::body::{Bytes, Incoming};
    use hyper_util::rt::{TokioExecutor, TokioIo};
    let (tell, told) = std::sync::mpsc::sync_channel(1);
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("there is a runtime");
        runtime.block_on(async move {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("loopback has ports");
            tell.send(listener.local_addr().expect("it is bound")).expect("the test waits");
            while let Ok((stream, _)) = listener.accept().await {
                let service = hyper::service::service_fn(|request: http::Request<Incoming>| async move {
                    let (parts, body) = request.into_parts();
                    let body = body.collect().await?.to_bytes();
                    let said = format!("{} {} {}", parts.method, parts.uri, String::from_utf8_lossy(&body));
                    Ok::<_, hyper::Error>(http::Response::new(Full::new(Bytes::from(said))))
                });
                let builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                tokio::spawn(builder.serve_connection(TokioIo::new(stream), service));
            }
        });
    });
    told.recv().expect("the site starts")
}

#[test]
fn a_site_that_speaks_http2_serves_visitors_who_do_not() {
    let main = Site::start();
    let site = http2_site();
    let routes = format!("[[gateway.route]]\nhost = \"two.test\"\nhttp2 = true\nupstream = \"http://{site}\"\n");
    let (gateway, _nobody) = without_database(main.address, &routes);
    for _ in 0..3 {
        assert_eq!(ask(&gateway, "two.test", "/a?b").text(), "GET http://two.test/a?b ");
        let post = "POST /c HTTP/1.1\r\nHost: two.test\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
        assert_eq!(exchange(gateway.address, post).text(), "POST http://two.test/c abc");
    }
    assert_eq!(ask(&gateway, "one.test", "/").status, 200);
}

#[test]
fn a_body_that_trickles_is_not_waited_for_by_a_site_that_speaks_http2_either() {
    let site = http2_site();
    let limits = "[gateway.limits]\nmin_body_rate = \"1 KiB/s\"\nbody_grace = \"200ms\"\n";
    let (gateway, _nobody) = without_database(site, &format!("[gateway.forward]\nhttp2 = true\n{limits}"));
    let head = "POST /slow HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n";
    let pause = std::time::Duration::from_millis(300);
    assert_eq!(Connection::trickle(gateway.address, head, "1\r\na\r\n", pause).answer().status, 408);
    let whole = "POST /c HTTP/1.1\r\nHost: two.test\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
    assert_eq!(exchange(gateway.address, whole).text(), "POST http://two.test/c abc");
}

#[test]
fn upstreams_are_asked_how_they_are_where_that_is_configured() {
    let site = Site::start();
    let more = "[gateway.health]\npath = \"/up\"\ninterval = \"100ms\"\nstatus = 204\nunhealthy = 2\nhealthy = 1\n";
    site.answers("/up", "HTTP/1.1 500 Ill\r\nContent-Length: 0\r\n\r\n");
    let (gateway, _nobody) = without_database(site.address, more);
    let up = |value: &str| {
        let metrics = exchange(gateway.dashboard, "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n").text();
        metrics.contains(&format!("consentry_upstream_up{{route=\"/\",upstream=\"1\"}} {value}\n")).then_some(())
    };
    eventually("it is seen to be ill", || up("0"));
    assert_eq!(ask(&gateway, "a.test", "/page").status, 200, "the only one is asked all the same");
    site.answers("/up", "HTTP/1.1 204 Well\r\n\r\n");
    eventually("it is seen to be well", || up("1"));
    assert!(site.requests("/up").iter().all(|request| request.all("user-agent") == ["consentry-health"]));
}
