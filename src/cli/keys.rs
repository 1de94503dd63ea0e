//! `consentry keys`: the key ring's file, whether the gateway runs or not. A gateway that runs takes a change over within
//! seconds. No secret is ever shown.

use std::io::{self, IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::{Value, json};

use super::settings::Ring;
use crate::keys::{Book, KeyFacts, KeyId, KeyPurpose, RingFile, State, Why, private_folder};
use crate::life::now_ms;

/// Make, list, rotate and destroy the keys that sign choices and make pseudonyms
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  consentry keys init --config consentry.toml
  consentry keys list
  consentry keys rotate --purpose visitor
  consentry keys destroy --key 12 --yes

Exit code: 0 done, 1 refused or failed, 2 wrong usage or configuration.")]
pub struct Args {
    #[command(subcommand)]
    action: Action,
    /// The configuration that says where the keys are
    #[arg(long, value_name = "FILE", global = true)]
    pub config: Option<PathBuf>,
    /// Where the data lives; wins over the configuration
    #[arg(long, value_name = "DIR", global = true)]
    pub data_dir: Option<PathBuf>,
    /// Print JSON for machines
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Make the key ring where there is none
    #[command(after_help = "Example: consentry keys init --data-dir /var/lib/consentry")]
    Init,
    /// Show which keys there are and were, never the keys
    #[command(after_help = "Example: consentry keys list --json")]
    List,
    /// Let a new key take over; what was made under the old one can still be found and verified
    #[command(after_help = "Example: consentry keys rotate --purpose visitor --site 1")]
    Rotate {
        /// choice, visit, visitor, ip, login, call, mail, suppression, label, mail-consent or receipt
        #[arg(long, value_parser = purpose)]
        purpose: KeyPurpose,
        /// The site; every site in the ring unless it is named
        #[arg(long, value_name = "NUMBER")]
        site: Option<u32>,
    },
    /// Destroy a key's secret for ever; that it existed, and when it went, stays recorded
    #[command(after_help = "Example: consentry keys destroy --key 12 --yes")]
    Destroy {
        /// Its number, as `consentry keys list` shows it
        #[arg(long, value_name = "NUMBER")]
        key: u32,
        /// Do not ask
        #[arg(long)]
        yes: bool,
        /// Destroy it even where everybody is asked again, who objected is forgotten, or proof is lost
        #[arg(long)]
        force: bool,
    },
}

fn purpose(word: &str) -> Result<KeyPurpose, String> {
    let words = || KeyPurpose::ALL.map(KeyPurpose::word).join(", ");
    KeyPurpose::from_word(word).ok_or_else(|| format!("keys are for: {}", words()))
}

/// Does it.
pub fn run(args: &Args, ring: &Ring) -> anyhow::Result<ExitCode> {
    let file = RingFile::at(&ring.path);
    let now = now_ms().unsigned_abs() / 1000;
    match args.action {
        Action::Init => init(args, ring, &file, now),
        Action::List => {
            let book = file.read()?;
            let keys: Vec<&KeyFacts> = book.facts().collect();
            if args.json { print_json(&keys) } else { say(&table(&keys)) }
        }
        Action::Rotate { purpose, site } => rotate(args, ring, &file, purpose, site, now),
        Action::Destroy { key, yes, force } => destroy(args, &file, KeyId(key), yes, force, now),
    }
}

fn init(args: &Args, ring: &Ring, file: &RingFile, now: u64) -> anyhow::Result<ExitCode> {
    if ring.path.parent() == Some(&ring.data_dir) {
        // As the gateway does, which would not take a folder that is open and holds something already.
        private_folder::adopt(&ring.data_dir)?;
    }
    let book = file.init(ring.site, now)?;
    let keys: Vec<&KeyFacts> = book.facts().collect();
    eprintln!("keep a copy of it, apart from copies of the database");
    if args.json {
        return say(&format!("{}\n", json!({ "path": file.path(), "site": ring.site, "keys": json_of(&keys) })));
    }
    say(&format!("made the key ring {} with {} keys for site {}\n", file.path().display(), keys.len(), ring.site))
}

fn rotate(
    args: &Args,
    ring: &Ring,
    file: &RingFile,
    purpose: KeyPurpose,
    site: Option<u32>,
    now: u64,
) -> anyhow::Result<ExitCode> {
    let mut made = Vec::new();
    let book = file.change(|book| {
        let known = book.sites();
        let sites = match site {
            Some(site) if known.contains(&site) => vec![site],
            Some(_) => Vec::new(),
            // A ring of the first version has no sites yet.
            None if known.is_empty() => vec![ring.site],
            None => known.into_iter().collect(),
        };
        let before: Vec<KeyId> = book.facts().map(|key| key.id).collect();
        for site in &sites {
            let is_replaced = book.active(purpose, *site).is_some_and(|key| !before.contains(&key.id));
            // A key that served every site was replaced at this one with the first.
            if !is_replaced {
                book.rotate(purpose, *site, now);
            }
        }
        made = book.facts().filter(|key| !before.contains(&key.id)).copied().collect();
        !made.is_empty()
    })?;
    if made.is_empty() {
        let sites = book.sites().iter().map(u32::to_string).collect::<Vec<_>>().join(", ");
        anyhow::bail!("site {} has no keys in this ring; the sites are: {sites}", site.unwrap_or(ring.site));
    }
    eprintln!("{}", after_rotation(purpose));
    let made: Vec<&KeyFacts> = made.iter().collect();
    if args.json {
        return print_json(&made);
    }
    say(&made.iter().map(|key| format!("made {}\n", name(key))).collect::<String>())
}

fn destroy(args: &Args, file: &RingFile, id: KeyId, yes: bool, force: bool, now: u64) -> anyhow::Result<ExitCode> {
    let book = file.read()?;
    let Some(key) = book.facts().find(|key| key.id == id).copied() else {
        anyhow::bail!(crate::keys::NotDestroyed::Unknown(id));
    };
    let means = after_destruction(&key);
    let is_grave = match key.purpose {
        KeyPurpose::Choice => key.state() == State::Active,
        KeyPurpose::Suppression | KeyPurpose::Receipt => key.state() != State::Destroyed,
        _ => false,
    };
    if is_grave && !force {
        anyhow::bail!("{} is kept. {means}. If that is what you want, add --force", name(&key));
    }
    if !yes && key.state() != State::Destroyed {
        if !io::stdin().is_terminal() {
            eprintln!("consentry: nobody can be asked here; add --yes to destroy {}. {means}", name(&key));
            return Ok(ExitCode::from(2));
        }
        eprint!("{means}. This cannot be undone.\nDestroy {}? [y/N] ", name(&key));
        let mut answer = String::new();
        io::stdin().read_line(&mut answer)?;
        if !["y", "yes"].contains(&answer.trim().to_lowercase().as_str()) {
            eprintln!("nothing was destroyed");
            return Ok(ExitCode::FAILURE);
        }
    }
    let mut done = Err(crate::keys::NotDestroyed::Unknown(id));
    file.change(|book: &mut Book| {
        done = book.destroy(id, Why::Command, now);
        done.is_ok()
    })?;
    let key = done?;
    eprintln!("destroyed {}. {means}", name(&key));
    eprintln!(
        "a copy of the ring that was made before, such as a backup, still holds it; a gateway that runs lets it go within seconds"
    );
    if args.json { say(&format!("{:#}\n", json_of_one(&key))) } else { Ok(ExitCode::SUCCESS) }
}

/// What a rotation does, for who did it.
fn after_rotation(purpose: KeyPurpose) -> &'static str {
    match purpose {
        KeyPurpose::Choice => "stored choices stay valid; from now on they are signed under the new key",
        KeyPurpose::Visit => "visits that are going on stay what they are",
        KeyPurpose::Visitor => "from now on everybody counts as a new visitor",
        KeyPurpose::Ip => "from now on addresses have other tags",
        KeyPurpose::Login | KeyPurpose::Call | KeyPurpose::Mail => "from now on everybody has another pseudonym",
        KeyPurpose::Suppression => "who is on the list stays on it",
        KeyPurpose::Label => "from now on labels that are not kept as text have other hashes",
        KeyPurpose::MailConsent => "consents that were given stay valid; from now on they are signed under the new key",
        KeyPurpose::Receipt => {
            "receipts and rows of the ledger stay verifiable; from now on they are signed under the new key"
        }
    }
}

/// What the end of a key does.
fn after_destruction(key: &KeyFacts) -> &'static str {
    match (key.purpose, key.state()) {
        (KeyPurpose::Choice, State::Active) => "Every visitor is asked again, and nothing counts as chosen until then",
        (KeyPurpose::Choice, _) => "Visitors whose choice was signed under it are asked again",
        (KeyPurpose::Visit, _) => "Visits that began under it begin anew",
        (KeyPurpose::Suppression, _) => {
            "Who was entered under it is known no more: they may be captured and contacted again"
        }
        (KeyPurpose::Label, _) => "Labels that were hashed under it can be compared with none any more",
        (KeyPurpose::MailConsent, _) => "Openings of e-mails whose consent was signed under it are kept no more",
        (KeyPurpose::Receipt, _) => {
            "Receipts and rows of the ledger that were signed under it can be verified no more: they prove nothing"
        }
        (KeyPurpose::Ip, _) => "Addresses that were tagged under it can be compared with none any more",
        (KeyPurpose::Visitor, _) => {
            "Rows that were keyed under it can be found for nobody any more by visitor_id, neither to show nor to erase; \
             consent_ref still names the choice that each rests on"
        }
        _ => "Rows that were keyed under it can be found for nobody any more, neither to show nor to erase",
    }
}

fn name(key: &KeyFacts) -> String {
    format!("key {} ({}, {})", key.id, key.purpose, key.site.map_or("every site".into(), |site| format!("site {site}")))
}

fn table(keys: &[&KeyFacts]) -> String {
    let mut text = format!("{:>6}  {:<12} {:>6}  {:<20}  state\n", "id", "purpose", "site", "created");
    for key in keys {
        let site = key.site.map_or("every".into(), |site| site.to_string());
        let state = match (key.destroyed, key.retired) {
            (Some(end), _) => format!("destroyed {}, {}", instant(end.at), end.why),
            (None, Some(at)) => format!("retired {}", instant(at)),
            (None, None) => "active".into(),
        };
        text +=
            &format!("{:>6}  {:<12} {site:>6}  {:<20}  {state}\n", key.id.0, key.purpose.word(), instant(key.created));
    }
    text
}

fn json_of(keys: &[&KeyFacts]) -> Vec<Value> {
    keys.iter().map(|key| json_of_one(key)).collect()
}

fn json_of_one(key: &KeyFacts) -> Value {
    json!({
        "id": key.id,
        "purpose": key.purpose,
        "site": key.site,
        "created": instant(key.created),
        "state": key.state(),
        "retired": key.retired.map(instant),
        "destroyed": key.destroyed.map(|end| instant(end.at)),
        "why": key.destroyed.map(|end| end.why),
    })
}

fn print_json(keys: &[&KeyFacts]) -> anyhow::Result<ExitCode> {
    say(&format!("{}\n", serde_json::to_string_pretty(&json_of(keys))?))
}

fn say(text: &str) -> anyhow::Result<ExitCode> {
    match io::stdout().lock().write_all(text.as_bytes()) {
        // A reader such as `head` that has seen enough is content.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(ExitCode::SUCCESS),
    }
}

fn instant(seconds: u64) -> String {
    let second = i64::try_from(seconds).ok().and_then(|seconds| jiff::Timestamp::from_second(seconds).ok());
    second.map_or_else(|| seconds.to_string(), |instant| instant.to_string())
}
