use crate::pseudonym::RawIp;
use ipnet::IpNet;
#[allow(missing_docs)]
pub struct BotNetworks(Vec<IpNet>);
#[allow(missing_docs)]
impl BotNetworks {
    pub fn new(nets: Vec<IpNet>) -> Self {
        BotNetworks(nets)
    }
    pub fn contains(&self, ip: &RawIp) -> bool {
        let ip = ip.open();
        self.0.iter().any(|net| net.contains(&ip))
    }
}
#[allow(missing_docs)]
pub struct Spammers(Vec<String>);
#[allow(missing_docs)]
impl Spammers {
    pub fn new(extra: Vec<String>) -> Self {
        Spammers(extra)
    }
    pub fn contains(&self, host: &str) -> bool {
        self.0.iter().any(|h| h == host)
    }
}
