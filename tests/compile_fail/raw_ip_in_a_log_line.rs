fn main() {
    let ip = consentry::pseudonym::RawIp::new("203.0.113.7".parse().unwrap());
    // What `tracing::info!(?ip)` becomes; the macro's own errors name types in ways that differ from build to build.
    tracing::field::debug(&ip);
}
