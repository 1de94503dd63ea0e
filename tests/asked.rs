//! Consent statistics: how often the banner was shown is counted, by whom is not.

use serde_json::{Value, json};

use crate::support::gateway::{Folder, Gateway};
use crate::support::http::exchange;
use crate::support::site::Site;
use crate::support::visitor::{AGENT, Visitor};
use crate::support::{files, holds};

fn counted(folder: &Folder) -> Vec<Value> {
    folder.query(
        "select toUInt32(sum(shown)) as shown, toUInt32(sum(accepted + rejected + customised)) as answered \
         from consentry.consent_statistics",
    )
}

fn ended(gateway: Gateway) -> Folder {
    let (status, folder) = gateway.end("TERM");
    assert_eq!(status.code(), Some(0), "{}", folder.log());
    folder
}

#[test]
fn the_banner_is_counted_where_a_person_saw_it_and_nobody_is_in_the_counters() {
    let site = Site::start();
    let gateway = Folder::new(site.address, "").serve();
    for _ in 0..3 {
        let mut visitor = Visitor::new(&gateway);
        visitor.get("/asked/needle-4711");
        visitor.get("/asked/again");
        // Nobody looks at these: a file, a page fetched ahead, one a program asks for, and one of a visitor who has chosen.
        visitor.fetch("GET", "/asked/data.json");
        Visitor::new(&gateway).saying("Sec-Purpose", "prefetch").get("/asked/ahead");
        let bot = "Accept: text/html\r\nUser-Agent: Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)\r\n\
                   Sec-Fetch-Dest: document\r\nSec-Fetch-Mode: navigate";
        let asked = format!("GET /asked/bot HTTP/1.1\r\nHost: {}\r\n{bot}\r\n\r\n", gateway.address);
        assert_eq!(exchange(gateway.address, asked).status, 200);
        visitor.choose("reject");
        visitor.get("/asked/after");
    }
    let folder = ended(gateway);
    let found = counted(&folder);
    assert_eq!(found[0]["shown"], json!(6), "{found:?}");
    // Once more on top: a day's rows add up.
    let gateway = folder.serve();
    Visitor::new(&gateway).get("/asked/later");
    let folder = ended(gateway);
    assert_eq!(counted(&folder)[0]["shown"], json!(7));
    for (file, bytes) in files(&folder.data()) {
        for needle in [AGENT, "needle-4711"] {
            assert!(!holds(&bytes, needle.as_bytes()), "{needle} in {}", file.display());
        }
    }
}
