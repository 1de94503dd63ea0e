fn main() {
    let phone = consentry::pseudonym::RawPhone::new("020 7946 0018", 44).unwrap();
    println!("{phone:?}");
    println!("{phone}");
    serde_json::to_string(&phone).unwrap();
    let _ = Clone::clone(&phone);
    let _ = phone.open();
}
