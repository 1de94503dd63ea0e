//! A database that changes while it is in use.

use std::sync::atomic::{AtomicBool, Ordering};

use super::*;

/// A database in which one network is in the country.
fn of(country: &'static str) -> Vec<u8> {
    let mut writer = Writer::new(6);
    writer.add("81.0.0.0", 8, &flat(country));
    writer.bytes("Country")
}

fn country(places: &Places) -> String {
    places.lookup(&RawIp::new("81.2.69.142".parse().unwrap())).country
}

/// As `mv` and every careful updater do it.
fn put_in_place(folder: &tempfile::TempDir, name: &str, bytes: &[u8]) {
    fs::rename(saved(folder, "new", bytes), folder.path().join(name)).unwrap();
}

#[test]
fn a_file_that_is_replaced_is_used_from_the_next_look_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = saved(&folder, "geo.mmdb", &of("GB"));
    let places = Places::open(&path).unwrap();
    assert!(matches!(places.reload_if_changed(), Reload::Unchanged));
    put_in_place(&folder, "geo.mmdb", &of("FR"));
    assert_eq!(country(&places), "GB", "not before the look");
    assert!(matches!(places.reload_if_changed(), Reload::Reloaded));
    assert_eq!(country(&places), "FR");
    assert!(matches!(places.reload_if_changed(), Reload::Unchanged));
    assert!(matches!(Places::none().reload_if_changed(), Reload::Unchanged));
}

#[test]
fn a_file_of_the_same_size_and_time_is_seen_to_be_another() {
    let folder = tempfile::tempdir().unwrap();
    let path = saved(&folder, "geo.mmdb", &of("GB"));
    let places = Places::open(&path).unwrap();
    let written = fs::metadata(&path).unwrap().modified().unwrap();
    let other = saved(&folder, "new", &of("FR"));
    fs::File::options().write(true).open(&other).unwrap().set_modified(written).unwrap();
    fs::rename(other, &path).unwrap();
    assert!(matches!(places.reload_if_changed(), Reload::Reloaded));
    assert_eq!(country(&places), "FR");
}

#[test]
fn a_corrupt_file_keeps_the_old_one_and_is_told_of_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = saved(&folder, "geo.mmdb", &of("GB"));
    let places = Places::open(&path).unwrap();
    let mut no_countries = Writer::new(4);
    no_countries.add("81.0.0.0", 8, &Map(vec![("autonomous_system_number", Number(7))]));
    let mut with_a_hole = of("FR");
    with_a_hole[6..12].fill(0);
    for bytes in [&b""[..], b"<html>404</html>", &with_a_hole, &no_countries.bytes("GeoLite2-ASN")] {
        put_in_place(&folder, "geo.mmdb", bytes);
        let Reload::Kept(error) = places.reload_if_changed() else { panic!("{} bytes were taken", bytes.len()) };
        assert!(error.to_string().contains("geo.mmdb"), "{error}");
        for _ in 0..3 {
            assert!(matches!(places.reload_if_changed(), Reload::Unchanged));
        }
        assert_eq!(country(&places), "GB");
    }
    put_in_place(&folder, "geo.mmdb", &of("FR"));
    assert!(matches!(places.reload_if_changed(), Reload::Reloaded));
    assert_eq!(country(&places), "FR");
}

#[test]
fn a_half_written_file_is_tried_again_when_it_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = saved(&folder, "geo.mmdb", &of("GB"));
    let places = Places::open(&path).unwrap();
    let whole = of("FR");
    for end in [0, whole.len() / 2, whole.len() - 1] {
        fs::write(&path, &whole[..end]).unwrap();
        assert!(matches!(places.reload_if_changed(), Reload::Kept(PlaceError::Damaged { .. })), "{end}");
        assert_eq!(country(&places), "GB");
    }
    fs::write(&path, &whole).unwrap();
    assert!(matches!(places.reload_if_changed(), Reload::Reloaded));
    assert_eq!(country(&places), "FR");
}

#[test]
fn a_file_may_be_away_for_a_moment() {
    let folder = tempfile::tempdir().unwrap();
    let path = saved(&folder, "geo.mmdb", &of("GB"));
    let places = Places::open(&path).unwrap();
    let aside = folder.path().join("aside");
    fs::rename(&path, &aside).unwrap();
    assert!(matches!(places.reload_if_changed(), Reload::Kept(PlaceError::Io { .. })));
    assert!(matches!(places.reload_if_changed(), Reload::Unchanged), "told once");
    assert_eq!(country(&places), "GB");
    fs::rename(&aside, &path).unwrap();
    // Renaming changes the time of change, so the file is read again; what matters is that it is used.
    assert!(!matches!(places.reload_if_changed(), Reload::Kept(_)));
    fs::remove_file(&path).unwrap();
    assert!(matches!(places.reload_if_changed(), Reload::Kept(PlaceError::Io { .. })), "away once more");
    saved(&folder, "geo.mmdb", &of("FR"));
    assert!(matches!(places.reload_if_changed(), Reload::Reloaded));
    assert_eq!(country(&places), "FR");
}

#[test]
fn each_half_of_a_pair_is_replaced_when_it_changes() {
    let of_v4 = |country| {
        let mut writer = Writer::new(4);
        writer.add("81.0.0.0", 8, &flat(country));
        writer.bytes("Country")
    };
    let folder = tempfile::tempdir().unwrap();
    saved(&folder, "geo-ipv4.mmdb", &of_v4("GB"));
    saved(&folder, "geo-ipv6.mmdb", &both());
    let places = Places::open(folder.path()).unwrap();
    let v6_before = places.current.read().unwrap().v6.clone().unwrap();
    put_in_place(&folder, "geo-ipv4.mmdb", &of_v4("IE"));
    assert!(matches!(places.reload_if_changed(), Reload::Reloaded));
    assert_eq!(country(&places), "IE");
    let v6_after = places.current.read().unwrap().v6.clone().unwrap();
    assert!(Arc::ptr_eq(&v6_before, &v6_after), "the half that stayed is not read again");

    fs::remove_file(folder.path().join("geo-ipv6.mmdb")).unwrap();
    put_in_place(&folder, "geo-ipv4.mmdb", b"half of a pair, and damaged");
    assert!(matches!(places.reload_if_changed(), Reload::Kept(_)));
    assert_eq!((country(&places).as_str(), told(&places, "2a01:1234::1").as_str()), ("IE", "FR/Ile-de-France/Paris"));
    put_in_place(&folder, "geo-ipv4.mmdb", &of_v4("GB"));
    saved(&folder, "geo-ipv6.mmdb", &both());
    assert!(matches!(places.reload_if_changed(), Reload::Reloaded));
    assert_eq!(country(&places), "GB");
}

#[test]
fn a_look_up_is_answered_all_the_while() {
    let folder = tempfile::tempdir().unwrap();
    let path = saved(&folder, "geo.mmdb", &of("GB"));
    let places = Places::open(&path).unwrap();
    let is_done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let looking = scope.spawn(|| {
            let mut looks = 0u32;
            while !is_done.load(Ordering::Relaxed) || looks == 0 {
                assert!(matches!(country(&places).as_str(), "GB" | "FR"));
                looks += 1;
            }
        });
        for bytes in [of("FR"), b"damaged".to_vec(), of("GB"), Vec::new(), of("FR")] {
            put_in_place(&folder, "geo.mmdb", &bytes);
            places.reload_if_changed();
        }
        is_done.store(true, Ordering::Relaxed);
        looking.join().unwrap();
    });
    assert_eq!(country(&places), "FR");
}
