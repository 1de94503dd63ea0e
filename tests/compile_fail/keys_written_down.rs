fn main() {
    let ring = consentry::keys::KeyRing::ephemeral();
    println!("{ring:?}");
    serde_json::to_string(&ring).unwrap();
    let book = consentry::keys::Book::default();
    println!("{book:?}");
    serde_json::to_string(&book).unwrap();
}
