//! The sample site: a small marketing site of an invented company, and the third party whose tag it carries. It knows
//! nothing of Consentry, as any site does not.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE, LOCATION, SET_COOKIE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

const LAYOUT: &str = include_str!("../../static/demo/layout.html");

/// Path, title and content of each page.
pub(super) const PAGES: [(&str, &str, &str); 6] = [
    ("/", "Appointments that fit around patients", include_str!("../../static/demo/home.html")),
    ("/product", "Product", include_str!("../../static/demo/product.html")),
    ("/pricing", "Pricing", include_str!("../../static/demo/pricing.html")),
    ("/stories/riverside-surgery", "Riverside Surgery", include_str!("../../static/demo/story.html")),
    ("/about", "About", include_str!("../../static/demo/about.html")),
    ("/contact", "Book a demonstration", include_str!("../../static/demo/contact.html")),
];

const FILES: [(&str, &str, &[u8]); 3] = [
    ("/site.css", "text/css; charset=utf-8", include_bytes!("../../static/demo/site.css")),
    ("/images/logo.svg", "image/svg+xml", include_bytes!("../../static/demo/logo.svg")),
    ("/images/hero.svg", "image/svg+xml", include_bytes!("../../static/demo/hero.svg")),
];

/// Where site and third party listen.
pub struct Site {
    /// The sample site itself, without a gateway.
    pub address: SocketAddr,
    /// The third party's host, as its tag's URL has it.
    pub tag_host: String,
}

/// Starts both on loopback, on the runtime of the caller.
pub async fn start(listen: SocketAddr) -> std::io::Result<Site> {
    let site = TcpListener::bind(listen).await?;
    let tag = TcpListener::bind("127.0.0.1:0").await?;
    let (address, tag_host) = (site.local_addr()?, tag.local_addr()?.to_string());
    let tag_url = format!("http://{tag_host}");
    tokio::spawn(serve(site, Arc::new(move |request: &Request<()>| answer(request, &tag_url))));
    tokio::spawn(serve(tag, Arc::new(third_party)));
    Ok(Site { address, tag_host })
}

type Answer = dyn Fn(&Request<()>) -> Response<Full<Bytes>> + Send + Sync;

async fn serve(listener: TcpListener, answer: Arc<Answer>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let answer = answer.clone();
        tokio::spawn(async move {
            let service = service_fn(move |request: Request<Incoming>| {
                let answer = answer.clone();
                async move {
                    let (parts, body) = request.into_parts();
                    // What visitors write in the form is read off the wire and forgotten.
                    let _ = Limited::new(body, 64 * 1024).collect().await;
                    Ok::<_, Infallible>(answer(&Request::from_parts(parts, ())))
                }
            });
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

fn answer(request: &Request<()>, tag_url: &str) -> Response<Full<Bytes>> {
    let path = request.uri().path();
    if let Some((_, kind, bytes)) = FILES.iter().find(|(p, ..)| *p == path) {
        let mut response = plain(StatusCode::OK, kind, Bytes::from_static(bytes));
        response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=600"));
        return response;
    }
    match (request.method(), path) {
        (&Method::POST, "/contact") => {
            let mut response = plain(StatusCode::SEE_OTHER, "text/plain", Bytes::new());
            response.headers_mut().insert(LOCATION, HeaderValue::from_static("/contact/thanks"));
            response
        }
        (&Method::GET | &Method::HEAD, "/contact/thanks") => {
            page(StatusCode::OK, "Thank you", include_str!("../../static/demo/thanks.html"), tag_url)
        }
        (&Method::GET | &Method::HEAD, "/search") => search(request.uri().query().unwrap_or_default(), tag_url),
        (&Method::GET | &Method::HEAD, "/downloads/guide.pdf") => {
            let mut response = plain(StatusCode::OK, "application/pdf", Bytes::from(guide()));
            let name = HeaderValue::from_static("attachment; filename=\"fernhill-guide.pdf\"");
            response.headers_mut().insert(CONTENT_DISPOSITION, name);
            response
        }
        (&Method::GET | &Method::HEAD, _) => match PAGES.iter().find(|(p, ..)| *p == path) {
            Some((_, title, content)) => page(StatusCode::OK, title, content, tag_url),
            None => page(StatusCode::NOT_FOUND, "Not found", include_str!("../../static/demo/missing.html"), tag_url),
        },
        _ => {
            let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, "text/plain", Bytes::from_static(b"GET only\n"));
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            response
        }
    }
}

/// A page, with the cookie by which this site remembers a visitor's region. Nobody asked the visitor for it.
fn page(status: StatusCode, title: &str, content: &str, tag_url: &str) -> Response<Full<Bytes>> {
    let html = LAYOUT.replace("{{title}}", title).replace("{{tag}}", tag_url).replace("{{content}}", content);
    let mut response = plain(status, "text/html; charset=utf-8", Bytes::from(html));
    let cookie = HeaderValue::from_static("fernhill_region=england; Path=/; Max-Age=15552000; HttpOnly; SameSite=Lax");
    response.headers_mut().insert(SET_COOKIE, cookie);
    response
}

fn search(query: &str, tag_url: &str) -> Response<Full<Bytes>> {
    let term = query.split('&').find_map(|pair| pair.strip_prefix("q=")).unwrap_or_default();
    let word: String = term.chars().take_while(|c| c.is_ascii_alphanumeric()).take(40).collect();
    let needle = word.to_ascii_lowercase();
    let mut found = String::new();
    for (path, title, content) in PAGES {
        if !needle.is_empty() && content.to_ascii_lowercase().contains(&needle) {
            found += &format!("<li><a href=\"{path}\">{title}</a></li>");
        }
    }
    let result = if found.is_empty() { "<p>Nothing was found.</p>".to_owned() } else { format!("<ul>{found}</ul>") };
    page(StatusCode::OK, "Search", &format!("<h1>Search: {word}</h1>{result}"), tag_url)
}

fn third_party(request: &Request<()>) -> Response<Full<Bytes>> {
    match request.uri().path() {
        "/tag.js" => {
            let script = include_bytes!("../../static/demo/tag.js");
            plain(StatusCode::OK, "text/javascript; charset=utf-8", Bytes::from_static(script))
        }
        _ => plain(StatusCode::OK, "image/gif", Bytes::from_static(PIXEL)),
    }
}

/// A transparent GIF of one pixel.
const PIXEL: &[u8] = b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff!\xf9\x04\x01\x00\x00\x00\x00,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;";

fn plain(status: StatusCode, kind: &str, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_str(kind).expect("content types here are ASCII"));
    response
}

/// A PDF of one page, written out with its cross-reference table.
fn guide() -> Vec<u8> {
    let text = "BT /F1 24 Tf 72 760 Td (Fernhill: a guide for practices) Tj ET";
    let objects = [
        "<< /Type /Catalog /Pages 2 0 R >>".to_owned(),
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>".to_owned(),
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>".to_owned(),
        format!("<< /Length {} >>\nstream\n{text}\nendstream", text.len()),
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>".to_owned(),
    ];
    let mut pdf = String::from("%PDF-1.4\n");
    let mut offsets = Vec::new();
    for (number, object) in (1..).zip(&objects) {
        offsets.push(pdf.len());
        pdf += &format!("{number} 0 obj\n{object}\nendobj\n");
    }
    let table = pdf.len();
    pdf += &format!("xref\n0 {}\n0000000000 65535 f \n", objects.len() + 1);
    for offset in offsets {
        pdf += &format!("{offset:010} 00000 n \n");
    }
    pdf += &format!("trailer << /Size {} /Root 1 0 R >>\nstartxref\n{table}\n%%EOF\n", objects.len() + 1);
    pdf.into_bytes()
}
