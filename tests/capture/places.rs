//! Where visitors are: looked up before the address is cut, in a database that may change while it is in use.

use std::path::Path;

use serde_json::{Value, json};

use crate::support::eventually;
use crate::support::gateway::{Folder, Gateway, TRUSTED_PROXY};
use crate::support::mmdb::Value::{Map, Text};
use crate::support::mmdb::Writer;
use crate::support::site::Site;
use crate::support::visitor::Visitor;

/// A database in which the network of the tests' visitor is in a city.
fn database(country: &'static str, city: &'static str) -> Vec<u8> {
    let mut writer = Writer::new(6);
    let place = Map(vec![("city", Text(city)), ("country_code", Text(country)), ("state1", Text("Kent"))]);
    writer.add("81.2.69.0", 24, &place);
    writer.bytes("City")
}

fn put(path: &Path, bytes: &[u8]) {
    let draft = path.with_extension("new");
    std::fs::write(&draft, bytes).expect("the folder is ours");
    std::fs::rename(draft, path).expect("the folder is ours");
}

fn place(gateway: &Gateway, path: &str) -> Value {
    let mut visitor = Visitor::who_accepts(gateway).saying("X-Forwarded-For", "81.2.69.142");
    visitor.from = Some(TRUSTED_PROXY.parse().expect("is an address"));
    visitor.get(path);
    let sql = "select country, region, city, calling_code, toString(ip_net) as net from consentry.events where path = ";
    gateway.rows(1, &format!("{sql}'{path}'")).remove(0)
}

#[test]
fn a_place_is_looked_up_and_a_new_database_is_taken_over_while_a_damaged_one_is_not() {
    let site = Site::start();
    let folder = Folder::new(site.address, &format!("trusted_proxies = [\"{TRUSTED_PROXY}\"]\n"));
    let file = folder.path().join("places.mmdb");
    put(&file, &database("GB", "Leeds"));
    let gateway = folder.with("CONSENTRY__GEO__DATABASE", "places.mmdb").serve();
    let leeds = json!({"country": "GB", "region": "Kent", "city": "Leeds", "calling_code": "44",
                       "net": "::ffff:81.2.69.0"});
    assert_eq!(place(&gateway, "/place/first"), leeds);

    put(&file, b"no database");
    eventually("the log says so", || gateway.folder.log().contains("the one of before stays in use").then_some(()));
    assert_eq!(place(&gateway, "/place/damaged"), leeds);

    put(&file, &database("FR", "Lyon"));
    eventually("it is read again", || gateway.folder.log().contains("was read again").then_some(()));
    let lyon = place(&gateway, "/place/changed");
    assert_eq!((&lyon["country"], &lyon["city"], &lyon["calling_code"]), (&json!("FR"), &json!("Lyon"), &json!("33")));
    assert!(!gateway.folder.log().contains("81.2.69"));
}
