//! `consentry mail`: tokens for recipients who agreed to the recording of openings, and the list of who has withdrawn.
//! Addresses come from standard input, never from the command line, where everyone on the machine could read them; they are
//! not stored, and messages name a line's number instead.

use std::io::{self, BufRead, BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use zeroize::Zeroizing;

use super::settings;
use crate::config::{self, Config};
use crate::consent::mail::{Campaign, MailConsent};
use crate::keys::{KeyRing, RingFile, private_folder};
use crate::life::now_ms;
use crate::pseudonym::{Pseudonymiser, RawMail, Subject};
use crate::rights::Withdrawn;

/// Consent to the recording of e-mail openings
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  consentry mail token --campaign spring-2026 --url https://www.example.com < recipients.txt
  consentry mail withdraw < unsubscribed.txt

Run it as the user the gateway runs as: both must be able to read the keys and the list.")]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Reads addresses of recipients who agreed, one a line, and writes ADDRESS, a tab and that recipient's token
    #[command(after_help = "\
Put it into the mail as <img src=\"https://www.example.com/_privacy/open.gif?t=TOKEN\" alt=\"\" width=\"1\" height=\"1\">.
Recipients who have withdrawn get none, and no line.

Example:
  consentry mail token --campaign spring-2026 --granted 2026-03-01 < recipients.txt > tokens.tsv

Exit code: 0 done, 1 where a line is no address (the others are done), 2 wrong usage or configuration.")]
    Token(TokenArgs),
    /// Reads addresses, one a line, whose openings are not recorded any more, from the next request on
    #[command(after_help = "\
Example:
  consentry mail withdraw < unsubscribed.txt

Exit code: 0 done, 1 where a line is no address (the others are done), 2 wrong usage or configuration.")]
    Withdraw(WithdrawArgs),
}

#[derive(Debug, clap::Args)]
struct TokenArgs {
    /// The mailing: 1 to 64 letters, digits and . _ -
    #[arg(long, value_name = "ID", value_parser = campaign)]
    campaign: Campaign,
    /// When the recipients agreed, such as 2026-03-01; now unless given
    #[arg(long, value_name = "DATE", value_parser = time)]
    granted: Option<u64>,
    /// When that ends; as long after the grant as a visitor's choice is kept, unless given
    #[arg(long, value_name = "DATE", value_parser = time)]
    expires: Option<u64>,
    /// Write whole addresses of the picture on this site instead of bare tokens
    #[arg(long, value_name = "SITE", value_parser = site)]
    url: Option<String>,
    /// Write an object on each line: address, token, url, receipt, granted, expires
    #[arg(long)]
    json: bool,
    /// The configuration of the gateway
    #[arg(long, value_name = "FILE", default_value = config::DEFAULT_FILE)]
    config: PathBuf,
}

#[derive(Debug, clap::Args)]
struct WithdrawArgs {
    /// Take them out of the list again, since they have agreed anew
    #[arg(long)]
    undo: bool,
    /// The configuration of the gateway
    #[arg(long, value_name = "FILE", default_value = config::DEFAULT_FILE)]
    config: PathBuf,
}

fn campaign(text: &str) -> Result<Campaign, String> {
    Campaign::new(text).ok_or_else(|| {
        "it should be 1 to 64 letters, digits and . _ - that look like nobody's number, as in spring-2026".to_owned()
    })
}

/// A date (from its beginning, in UTC) or a time with its offset, in seconds since 1970.
fn time(text: &str) -> Result<u64, String> {
    let date = || text.parse::<jiff::civil::Date>().ok()?.to_zoned(jiff::tz::TimeZone::UTC).ok();
    let time = text.parse::<jiff::Timestamp>().ok().or_else(|| Some(date()?.timestamp()));
    let seconds =
        time.and_then(|time| u64::try_from(time.as_second()).ok()).filter(|time| u32::try_from(*time).is_ok());
    seconds.ok_or_else(|| "it should be a date such as 2026-03-01 or a time such as 2026-03-01T09:00:00Z".to_owned())
}

fn site(text: &str) -> Result<String, String> {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).unwrap_or_default();
    let rest = rest.trim_end_matches('/');
    let is_one = !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_alphanumeric() || b"-.:[]".contains(&b));
    let wrong = || "it should be the site's address without a path, as in https://www.example.com".to_owned();
    is_one.then(|| text.trim_end_matches('/').to_owned()).ok_or_else(wrong)
}

/// Runs it.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let file = match &args.action {
        Action::Token(args) => &args.config,
        Action::Withdraw(args) => &args.config,
    };
    let config = match settings::load(file) {
        Ok(config) => config,
        Err(code) => return Ok(code),
    };
    if matches!(args.action, Action::Withdraw(_)) {
        // Without the ring the tokens were signed with, a withdrawal would be one from nothing.
        RingFile::at(&config.key_ring).read()?;
    }
    private_folder::adopt(&config.data_dir)?;
    let now = now_ms() as u64 / 1000;
    let ring = Arc::new(KeyRing::open_or_create(&config.key_ring, config.gateway.site_id, now)?);
    let keyed = Pseudonymiser::new(ring.clone(), config.ip_prefixes, config.gateway.site_id);
    match args.action {
        Action::Token(args) => tokens(&args, &config, &ring, &keyed, now),
        Action::Withdraw(args) => withdraw(&args, &config, &keyed),
    }
}

fn tokens(
    args: &TokenArgs,
    config: &Config,
    ring: &KeyRing,
    keyed: &Pseudonymiser,
    now: u64,
) -> anyhow::Result<ExitCode> {
    let granted_at = args.granted.unwrap_or(now);
    let ends_at = args.expires.unwrap_or(granted_at + config.policy.choice_life);
    let wrong = match () {
        () if granted_at > now => Some("--granted is in the future"),
        () if ends_at <= granted_at => Some("--expires is not after --granted"),
        () if ends_at <= now => Some("that consent has ended already: recipients must be asked again"),
        () => None,
    };
    if let Some(wrong) = wrong {
        eprintln!("consentry: {wrong}");
        return Ok(ExitCode::from(2));
    }
    if !config.capture.mail_opens {
        eprintln!("consentry: the gateway keeps no openings until mail_opens = true stands in [capture]");
    }
    let list = Withdrawn::read(&config.data_dir)?;
    let mut out = BufWriter::new(io::stdout().lock());
    let mut left_out = 0;
    let picture = args.url.as_ref().map(|site| format!("{site}{}/open.gif?t=", config.consent.path));
    let code = each_address(|address, mail| {
        let recipient = Subject::Recipient(mail);
        if keyed.every_suppression(recipient).into_iter().any(|entry| list.holds(entry)) {
            left_out += 1;
            return Ok(());
        }
        let consent = MailConsent {
            policy_version: config.policy.version,
            receipt: receipt(),
            granted_at,
            ends_at,
            recipient: keyed.recipient(mail),
            suppression: keyed.suppression(recipient),
            campaign: args.campaign.clone(),
        };
        let token = consent.encode(ring);
        let url = picture.as_ref().map(|picture| format!("{picture}{token}"));
        if !args.json {
            return writeln!(out, "{address}\t{}", url.as_deref().unwrap_or(&token));
        }
        let (granted, expires, receipt) = (iso(granted_at), iso(ends_at), format!("{:016x}", consent.receipt));
        let object = serde_json::json!({
            "address": address, "token": token, "url": url, "receipt": receipt, "granted": granted, "expires": expires,
        });
        writeln!(out, "{object}")
    })?;
    out.flush().context("cannot write the tokens")?;
    match left_out {
        0 => {}
        1 => eprintln!("consentry: 1 recipient has withdrawn and got no token"),
        many => eprintln!("consentry: {many} recipients have withdrawn and got no token"),
    }
    Ok(code)
}

fn withdraw(args: &WithdrawArgs, config: &Config, keyed: &Pseudonymiser) -> anyhow::Result<ExitCode> {
    // All entries that can stand in a token of theirs, one for each key.
    let mut entries = Vec::new();
    let mut people = 0;
    let code = each_address(|_, mail| {
        entries.extend(keyed.every_suppression(Subject::Recipient(mail)));
        people += 1;
        Ok(())
    })?;
    Withdrawn::change(&config.data_dir, |list| {
        let changed = |entry| if args.undo { list.remove(entry) } else { list.add(entry) };
        entries.into_iter().map(changed).fold(false, |any, one| any | one)
    })?;
    let who = if people == 1 { "1 recipient".to_owned() } else { format!("{people} recipients") };
    match args.undo {
        false => eprintln!("consentry: openings of {who} are not recorded any more"),
        true => eprintln!("consentry: openings of {who} are recorded again, by whichever tokens of theirs still count"),
    }
    Ok(code)
}

/// Calls `each` with every address of standard input, as it was written and as it is keyed; 1 where a line is none.
fn each_address(mut each: impl FnMut(&str, &RawMail) -> io::Result<()>) -> anyhow::Result<ExitCode> {
    let mut stdin = io::stdin().lock();
    let mut line = Zeroizing::new(String::new());
    let mut wrong = 0;
    for number in 1u64.. {
        line.clear();
        match stdin.read_line(&mut line) {
            Ok(0) => break,
            Ok(_) if line.trim().is_empty() => continue,
            Ok(_) => {}
            Err(error) => bail!("cannot read addresses from standard input, at line {number}: {error}"),
        }
        let Some(mail) = RawMail::new(&line) else {
            eprintln!("consentry: line {number} is no e-mail address");
            wrong += 1;
            continue;
        };
        each(line.trim(), &mail).context("cannot write the tokens")?;
    }
    Ok(if wrong == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn receipt() -> u64 {
    let mut random = [0u8; 8];
    getrandom::fill(&mut random).expect("the system has a random number generator");
    u64::from_le_bytes(random)
}

fn iso(seconds: u64) -> String {
    let time = i64::try_from(seconds).ok().and_then(|seconds| jiff::Timestamp::from_second(seconds).ok());
    time.map(|time| time.to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_the_beginning_of_its_day_and_a_time_is_exact() {
        assert_eq!(time("2026-11-26"), Ok(1_795_651_200));
        assert_eq!(time("2026-11-26T01:00:00+01:00"), Ok(1_795_651_200));
        assert_eq!(iso(1_795_651_200), "2026-11-26T00:00:00Z");
        for wrong in ["", "26.11.2026", "1969-01-01", "2200-01-01", "tomorrow"] {
            assert!(time(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_site_is_scheme_and_host() {
        assert_eq!(site("https://www.example.com/"), Ok("https://www.example.com".to_owned()));
        assert_eq!(site("http://[::1]:8080"), Ok("http://[::1]:8080".to_owned()));
        for wrong in ["www.example.com", "https://", "https://a/b", "https://a?b", "ftp://a"] {
            assert!(site(wrong).is_err(), "{wrong}");
        }
    }
}
