fn main() {
    let agent = consentry::pseudonym::RawUserAgent::new(b"Mozilla/5.0");
    println!("{agent:?}");
}
