fn main() {
    let mail = consentry::pseudonym::RawMail::new("jane@example.com").unwrap();
    println!("{mail:?}");
    println!("{mail}");
    serde_json::to_string(&mail).unwrap();
    let _ = Clone::clone(&mail);
    let _ = mail.open();
}
