fn main() {
    let ip = consentry::pseudonym::RawIp::new("203.0.113.7".parse().unwrap());
    println!("{ip}");
}
