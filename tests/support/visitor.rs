//! A visitor with a browser's manners: keeps the cookies it is given, says what browsers say, follows nothing by itself.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use super::gateway::Gateway;
use super::http::{Answer, Connection};

/// What the browser says it is.
pub const AGENT: &str =
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36";

pub struct Visitor {
    gateway: SocketAddr,
    /// The host it asks for.
    pub host: String,
    pub cookies: BTreeMap<String, String>,
    /// Fields it sends beside.
    pub fields: Vec<(String, String)>,
    /// Where it comes from, where that matters.
    pub from: Option<IpAddr>,
}

impl Visitor {
    pub fn new(gateway: &Gateway) -> Visitor {
        let address = gateway.address;
        Visitor {
            gateway: address,
            host: address.to_string(),
            cookies: BTreeMap::new(),
            fields: Vec::new(),
            from: None,
        }
    }

    /// A visitor who has accepted everything.
    pub fn who_accepts(gateway: &Gateway) -> Visitor {
        let mut visitor = Visitor::new(gateway);
        assert_eq!(visitor.choose("accept").status, 303);
        visitor
    }

    /// A visitor who has refused everything.
    pub fn who_refuses(gateway: &Gateway) -> Visitor {
        let mut visitor = Visitor::new(gateway);
        assert_eq!(visitor.choose("reject").status, 303);
        visitor
    }

    /// Sends this field with every request.
    pub fn saying(mut self, name: &str, value: &str) -> Visitor {
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Navigates to a page.
    pub fn get(&mut self, target: &str) -> Answer {
        let page = "Accept: text/html,application/xhtml+xml,*/*;q=0.8\r\nSec-Fetch-Dest: document\r\n\
                    Sec-Fetch-Mode: navigate\r\nSec-Fetch-Site: none\r\n";
        self.send("GET", target, page, None)
    }

    /// Fetches what is not a page.
    pub fn fetch(&mut self, method: &str, target: &str) -> Answer {
        let fetch = "Accept: */*\r\nSec-Fetch-Dest: empty\r\nSec-Fetch-Mode: cors\r\nSec-Fetch-Site: same-origin\r\n";
        self.send(method, target, fetch, None)
    }

    /// Gets what a page needs as its script, its image or whatever `dest` says.
    pub fn fetch_as(&mut self, dest: &str, target: &str) -> Answer {
        let fields = format!("Accept: */*\r\nSec-Fetch-Dest: {dest}\r\nSec-Fetch-Site: same-origin\r\n");
        self.send("GET", target, &fields, None)
    }

    /// Asks by any method, with these fields and without a body.
    pub fn ask(&mut self, method: &str, target: &str, fields: &[impl AsRef<str>]) -> Answer {
        let fields: String = fields.iter().map(|field| format!("{}\r\n", field.as_ref())).collect();
        self.send(method, target, &fields, None)
    }

    /// Posts as a page of the site does.
    pub fn post(&mut self, target: &str, content_type: &str, body: &[u8]) -> Answer {
        let head = format!(
            "Accept: */*\r\nOrigin: http://{}\r\nSec-Fetch-Site: same-origin\r\nContent-Type: {content_type}\r\n",
            self.host
        );
        self.send("POST", target, &head, Some(body))
    }

    /// Sends the banner's form.
    pub fn choose(&mut self, choice: &str) -> Answer {
        let form = format!("source=banner&choice={choice}");
        self.post("/_privacy/consent", "application/x-www-form-urlencoded", form.as_bytes())
    }

    /// Sends a beacon with one event of this page.
    pub fn beacon(&mut self, path: &str) -> Answer {
        let body = serde_json::json!({"v": 1, "events": [{"n": "engagement", "u": path, "e": 1200, "sd": 50}]});
        self.post("/_privacy/events", "application/json", body.to_string().as_bytes())
    }

    fn send(&mut self, method: &str, target: &str, fields: &str, body: Option<&[u8]>) -> Answer {
        let mut head = format!("{method} {target} HTTP/1.1\r\nHost: {}\r\nUser-Agent: {AGENT}\r\n{fields}", self.host);
        for (name, value) in &self.fields {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if !self.cookies.is_empty() {
            let pairs: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            head.push_str(&format!("Cookie: {}\r\n", pairs.join("; ")));
        }
        if let Some(body) = body {
            head.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        head.push_str("\r\n");
        let mut connection = match self.from {
            Some(from) => Connection::open_from(from, self.gateway),
            None => Connection::open(self.gateway),
        };
        let answer = connection.send([head.as_bytes(), body.unwrap_or_default()].concat()).answer_to(method);
        for line in answer.all("set-cookie") {
            let mut parts = line.split(';').map(str::trim);
            let Some((name, value)) = parts.next().and_then(|pair| pair.split_once('=')) else { continue };
            match parts.any(|attribute| attribute.eq_ignore_ascii_case("max-age=0")) {
                true => drop(self.cookies.remove(name)),
                false => drop(self.cookies.insert(name.to_owned(), value.to_owned())),
            }
        }
        answer
    }
}
