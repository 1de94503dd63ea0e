fn main() {
    let login = consentry::pseudonym::RawLogin::new(b"jane").unwrap();
    println!("{login:?}");
    println!("{login}");
    serde_json::to_string(&login).unwrap();
    let _ = Clone::clone(&login);
    let _ = login.open();
}
