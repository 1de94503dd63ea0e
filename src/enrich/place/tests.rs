use std::fs;

use proptest::prelude::*;

use super::*;
use mmdb::Value::{self, List, Map, Number, Text};
use mmdb::Writer;

#[path = "../../../tests/support/mmdb.rs"]
mod mmdb;
mod reload;

fn flat(country: &'static str) -> Value<'static> {
    Map(vec![
        ("city", Text("Leeds")),
        ("country_code", Text(country)),
        ("latitude", Number(53)),
        ("state1", Text("England")),
        ("timezone", Text("Europe/London")),
    ])
}

fn named(name: &'static str) -> (&'static str, Value<'static>) {
    ("names", Map(vec![("de", Text("falsch")), ("en", Text(name))]))
}

fn nested() -> Value<'static> {
    Map(vec![
        ("city", Map(vec![("geoname_id", Number(7)), named("Paris")])),
        ("continent", Map(vec![("code", Text("EU")), named("Europe")])),
        ("country", Map(vec![("iso_code", Text("FR")), named("France")])),
        (
            "subdivisions",
            List(vec![Map(vec![("iso_code", Text("IDF")), named("Ile-de-France")]), Map(vec![named("Paris")])]),
        ),
    ])
}

fn saved(folder: &tempfile::TempDir, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.path().join(name);
    fs::write(&path, bytes).unwrap();
    path
}

fn both() -> Vec<u8> {
    let mut writer = Writer::new(6);
    writer.add("81.0.0.0", 8, &flat("gb"));
    writer.add("10.0.0.0", 8, &flat("GB"));
    writer.add("2a01::", 16, &nested());
    writer.bytes("City")
}

fn told(places: &Places, ip: &str) -> String {
    let place = places.lookup(&RawIp::new(ip.parse().unwrap()));
    format!("{}/{}/{}", place.country, place.region, place.city)
}

#[test]
fn both_shapes_of_records_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let places = Places::open(&saved(&folder, "city.mmdb", &both())).unwrap();
    assert_eq!(told(&places, "81.2.69.142"), "GB/England/Leeds");
    assert_eq!(told(&places, "::ffff:81.2.69.142"), "GB/England/Leeds");
    assert_eq!(told(&places, "2a01:1234::1"), "FR/Ile-de-France/Paris");
    let calling = |ip: &str| places.lookup(&RawIp::new(ip.parse().unwrap())).calling_code;
    assert_eq!((calling("81.2.69.142"), calling("2a01:1234::1"), calling("8.8.8.8")), ("44", "33", ""));
    assert_eq!(told(&places, "8.8.8.8"), "//", "an address the database does not know");
    assert_eq!(told(&places, "10.1.2.3"), "//", "a private address, whatever the database says");
}

#[test]
fn addresses_of_no_public_network_have_no_place() {
    for ip in [
        "10.0.0.1",
        "172.16.5.5",
        "192.168.1.1",
        "127.0.0.1",
        "169.254.1.1",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "::1",
        "::",
        "fe80::1",
        "fd00::1",
        "ff02::1",
    ] {
        assert!(!is_public(ip.parse().unwrap()), "{ip}");
    }
    for ip in ["100.128.0.1", "172.32.0.1", "8.8.8.8", "2a01::1"] {
        assert!(is_public(ip.parse().unwrap()), "{ip}");
    }
    assert_eq!(told(&Places::none(), "8.8.8.8"), "//");
}

#[test]
fn a_folder_holds_a_pair_or_one_file() {
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(Places::open(folder.path()), Err(PlaceError::Folder { .. })));
    saved(&folder, "README.md", b"");
    saved(&folder, "geo.mmdb", &both());
    assert_eq!(told(&Places::open(folder.path()).unwrap(), "81.2.69.142"), "GB/England/Leeds");

    let mut v4 = Writer::new(4);
    v4.add("81.0.0.0", 8, &flat("IE"));
    let mut v6 = Writer::new(6);
    v6.add("2a01::", 16, &nested());
    saved(&folder, "geo-ipv4.mmdb", &v4.bytes("Country"));
    let Err(e) = Places::open(folder.path()) else { panic!("half a pair beside another file is not clear") };
    assert!(e.to_string().contains("geo-ipv4.mmdb"), "{e}");
    saved(&folder, "geo-ipv6.mmdb", &v6.bytes("Country"));
    let places = Places::open(folder.path()).unwrap();
    assert_eq!(told(&places, "81.2.69.142"), "IE/England/Leeds", "the pair goes before the combined file");
    assert_eq!(told(&places, "2a01:1234::1"), "FR/Ile-de-France/Paris");
    let only_v4 = Places::open(&folder.path().join("geo-ipv4.mmdb")).unwrap();
    assert_eq!(told(&only_v4, "2a01:1234::1"), "//");
}

#[test]
fn what_is_no_geo_database_is_refused_with_its_reason() {
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(Places::open(&folder.path().join("absent.mmdb")), Err(PlaceError::Io { .. })));
    let whole = both();
    for bytes in [&b""[..], b"<html>404</html>", &whole[..whole.len() / 2], &whole[..whole.len() - 20]] {
        let Err(e) = Places::open(&saved(&folder, "a.mmdb", bytes)) else { panic!("{} bytes were taken", bytes.len()) };
        assert!(matches!(e, PlaceError::Damaged { .. }) && e.to_string().contains("a.mmdb"), "{e}");
    }
    let mut other = Writer::new(4);
    other.add("81.0.0.0", 8, &Map(vec![("autonomous_system_number", Number(7))]));
    let Err(e) = Places::open(&saved(&folder, "b.mmdb", &other.bytes("GeoLite2-ASN"))) else { panic!("was taken") };
    assert!(e.to_string().contains("GeoLite2-ASN"), "{e}");
}

proptest! {
    #[test]
    fn a_damaged_database_never_ends_the_program(at in any::<prop::sample::Index>(), byte in any::<u8>(), ip in any::<u128>()) {
        let mut bytes = both();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let folder = tempfile::tempdir().unwrap();
        if let Ok(places) = Places::open(&saved(&folder, "a.mmdb", &bytes)) {
            for ip in [IpAddr::V6(ip.into()), IpAddr::V4((ip as u32).into()), "81.2.3.4".parse().unwrap(), "2a01::5".parse().unwrap()] {
                let place = places.lookup(&RawIp::new(ip));
                prop_assert!(place.country.len() <= 2 && place.city.chars().count() <= 64);
            }
        }
    }
}
