//! What a beacon may be, and what it may not.

use proptest::prelude::*;

use super::*;

fn refusal(body: &str) -> BeaconError {
    match parse(body.as_bytes()) {
        Err(error) => error,
        Ok(_) => panic!("accepted {body}"),
    }
}

/// A beacon of one event; its text stays where it is until the test is over.
fn one(event: &str) -> Result<Vec<BeaconEvent<'static>>, BeaconError> {
    parse(format!(r#"{{"v":1,"events":[{event}]}}"#).leak().as_bytes())
}

#[test]
fn a_beacon_is_bounded() {
    let events = one(r#"{"n":"engagement","u":"/a","e":99999999999,"sd":250,"t":1e300,"cls":-4,"new":[1]}"#).unwrap();
    let [event] = &events[..] else { panic!("one event was sent") };
    assert_eq!(
        (bounded(event.item.e, DAY_MS), bounded(event.item.sd, 100), event.age_ms),
        (86_400_000, 100, 86_400_000)
    );
    assert_eq!([bounded(f64::NAN, 9), bounded(f64::INFINITY, 9), bounded(-1.0, 9), bounded(2.5, 9)], [0, 9, 0, 3]);
}

#[test]
fn what_is_wrong_is_named_without_content() {
    for (event, error) in [
        (r#"{"n":"engagement","u":"x@y.z"}"#, BeaconError::NotAPath(1)),
        (r#"{"n":"transfer","u":"/"}"#, BeaconError::Name(1)),
        (r#"{"n":"mail_open","u":"/"}"#, BeaconError::Name(1)),
        (r#"{"n":"jane@example.com","u":"/"}"#, BeaconError::Name(1)),
        (r#"{"n":"","u":"/"}"#, BeaconError::Name(1)),
        (r#"{"u":"/"}"#, BeaconError::Field(1)),
        (r#"{"n":"click","u":7}"#, BeaconError::Field(1)),
        (r#"{"n":"engagement","u":"/","e":"12"}"#, BeaconError::Field(1)),
        (r#"{"n":"engagement","u":"/","pl":"PDF"}"#, BeaconError::Field(1)),
        (r#"{"n":"engagement","u":"/","i":"123"}"#, BeaconError::Id(1)),
        (r#"{"n":"engagement","u":"/","p":"zzzzzzzzzzzzzzzz"}"#, BeaconError::Id(1)),
        ("7", BeaconError::Field(1)),
        ("null", BeaconError::Field(1)),
    ] {
        assert_eq!(one(event).err(), Some(error), "{event}");
    }
    assert_eq!(refusal(r#"{"v":2,"events":[]}"#), BeaconError::Version(2));
    for body in ["[]", "", "{", r#"{"v":1}"#, r#"{"v":1,"events":{}}"#, r#"{"v":1,"events":[]} x"#] {
        assert!(matches!(refusal(body), BeaconError::Malformed { .. }), "{body}");
    }
    let many = format!(r#"{{"v":1,"events":[{}]}}"#, [r#"{"n":"engagement","u":"/"}"#; 21].join(","));
    assert_eq!(refusal(&many), BeaconError::TooMany(21));
    let properties: Vec<String> = (0..21).map(|i| format!(r#""k{i}":1"#)).collect();
    let many = format!(r#"{{"n":"Signup","u":"/","props":{{{}}}}}"#, properties.join(","));
    assert_eq!(one(&many).err(), Some(BeaconError::TooManyProperties(1)));
}

#[test]
fn what_is_nested_deeply_is_refused_and_nothing_is_exhausted() {
    let deep = format!(r#"{{"n":"click","u":"/","props":{}1{}}}"#, r#"{"a":"#.repeat(2000), "}".repeat(2000));
    assert_eq!(one(&deep).err(), Some(BeaconError::TooDeep));
    let unknown = format!(r#"{{"n":"click","u":"/","zzz":{}{}}}"#, "[".repeat(5000), "]".repeat(5000));
    assert_eq!(one(&unknown).err(), Some(BeaconError::TooDeep));
    assert!(one(r#"{"n":"click","u":"/","l":"[[[[[[[[[[[[[[[[[[[[[[[\\\"[[[[[["}"#).is_ok());
}

#[test]
fn a_name_of_nobodys_is_a_custom_event() {
    for (text, expected) in [("Signup", true), ("video: played", true), ("click", false)] {
        let events = one(&format!(r#"{{"n":"{text}","u":"/"}}"#)).unwrap();
        assert_eq!(matches!(events[0].name, Name::Custom(_)), expected, "{text}");
    }
}

#[test]
fn ids_are_read_as_they_are_written_into_pages() {
    let events = one(r#"{"n":"click","u":"/","i":"00000000000000ff","p":"a1b2c3d4e5f60718"}"#).unwrap();
    assert_eq!((events[0].id, events[0].page_view_id), (Some(255), 0xa1b2_c3d4_e5f6_0718));
}

proptest! {
    #[test]
    fn garbage_never_panics(body in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = parse(&body);
    }

    #[test]
    fn any_event_is_read_or_refused(fields in proptest::collection::btree_map("[a-z]{1,4}", "(\"[ -~&&[^\"\\\\]]{0,20}\"|[0-9]{1,20}|-?[0-9]{1,5}\\.[0-9]{1,9}|null|true|\\[\\]|\\{\\})", 0..12)) {
        let fields: Vec<String> = fields.iter().map(|(key, value)| format!("\"{key}\":{value}")).collect();
        let _ = one(&format!(r#"{{"n":"click","u":"/",{}}}"#, fields.join(",")));
        let _ = one(&format!("{{{}}}", fields.join(",")));
    }
}
