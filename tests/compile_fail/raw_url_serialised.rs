fn main() {
    let url = consentry::pseudonym::RawUrl::new("/?email=a@b.example");
    serde_json::to_string(&url).unwrap();
}
