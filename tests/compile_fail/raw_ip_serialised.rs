fn main() {
    let ip = consentry::pseudonym::RawIp::new("203.0.113.7".parse().unwrap());
    serde_json::to_string(&ip).unwrap();
}
