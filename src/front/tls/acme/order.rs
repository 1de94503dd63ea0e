//! One order: an account, the challenges of each host, a key that never leaves this machine, a certificate.

use std::io;
use std::time::Duration;

use instant_acme::{
    Account, AuthorizationStatus, ChallengeType, Error, Identifier, NewAccount, NewOrder, OrderStatus, RetryPolicy,
};
use zeroize::Zeroizing;

use super::stored::{Given, Stored};
use super::web::Web;
use crate::config::{Acme, AcmeChallenge};
use crate::front::tls::certificates::CertificateError;
use crate::front::tls::challenges::{ChallengeError, Challenges};

/// How long an authority may take to look at the challenges, and to sign.
const PATIENCE: RetryPolicy =
    RetryPolicy::new().initial_delay(Duration::from_millis(500)).timeout(Duration::from_secs(120));

/// Why no certificate was given.
#[derive(Debug, thiserror::Error)]
pub enum OrderError {
    /// What the authority said, or why it was not heard.
    #[error("{0}")]
    Authority(#[from] Error),
    /// It offers no challenge of the kind that is configured.
    #[error("the authority offers no challenge {0} for a host; choose another with challenge")]
    NoChallenge(&'static str),
    /// It has seen something else at a host than what it was to see.
    #[error("the authority could not see that {host} is ours: {why}")]
    NotSeen {
        /// The host.
        host: String,
        /// What it says.
        why: String,
    },
    /// The challenge's own certificate.
    #[error("a challenge could not be met: {0}")]
    Challenge(#[from] ChallengeError),
    /// What was given cannot be used.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// The account's file.
    #[error("the account cannot be kept: {0}")]
    Account(#[from] io::Error),
}

/// Orders a certificate for all hosts.
pub(super) async fn order(
    settings: &Acme,
    stored: &Stored,
    web: &Web,
    challenges: &Challenges,
) -> Result<Given, OrderError> {
    web.forget_what_was_told();
    let account = account(settings, stored, web).await?;
    let identifiers: Vec<Identifier> = settings.hosts.iter().cloned().map(Identifier::Dns).collect();
    let mut order = match account.new_order(&NewOrder::new(&identifiers)).await {
        Ok(order) => order,
        Err(error) => {
            if is_unknown_account(&error) {
                stored.forget_account();
            }
            return Err(error.into());
        }
    };
    let (kind, word) = match settings.challenge {
        AcmeChallenge::Http01 => (ChallengeType::Http01, "http-01"),
        AcmeChallenge::TlsAlpn01 => (ChallengeType::TlsAlpn01, "tls-alpn-01"),
    };
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization?;
        if authorization.status == AuthorizationStatus::Valid {
            continue;
        }
        let mut challenge = authorization.challenge(kind.clone()).ok_or(OrderError::NoChallenge(word))?;
        let key = challenge.key_authorization();
        match settings.challenge {
            AcmeChallenge::Http01 => challenges.open_file(&challenge.token, key.as_str()),
            AcmeChallenge::TlsAlpn01 => {
                let host = challenge.identifier().to_string();
                challenges.open_certificate(&host, key.digest().as_ref())?;
            }
        }
        challenge.set_ready().await?;
    }
    match order.poll_ready(&PATIENCE).await {
        Ok(OrderStatus::Ready | OrderStatus::Valid) => {}
        Ok(_) => return Err(not_seen(&mut order).await),
        Err(error) => return Err(error.into()),
    }
    let key = Zeroizing::new(order.finalize().await?);
    let chain = order.poll_certificate(&PATIENCE).await?;
    Ok(Zeroizing::new(format!("{}\n{chain}", key.as_str())))
}

async fn account(settings: &Acme, stored: &Stored, web: &Web) -> Result<Account, OrderError> {
    let builder = Account::builder_with_http(Box::new(web.clone()));
    if let Some(credentials) = stored.account(&settings.directory)? {
        return Ok(builder.from_credentials(credentials).await?);
    }
    let contact: Vec<String> = settings.contact.iter().map(|mail| format!("mailto:{mail}")).collect();
    let contact: Vec<&str> = contact.iter().map(String::as_str).collect();
    let new = NewAccount { contact: &contact, terms_of_service_agreed: true, only_return_existing: false };
    let (account, credentials) = builder.create(&new, settings.directory.clone(), None).await?;
    stored.keep_account(&settings.directory, credentials)?;
    Ok(account)
}

/// RFC 8555 §6.7
fn is_unknown_account(error: &Error) -> bool {
    let Error::Api(problem) = error else { return false };
    problem.r#type.as_deref() == Some("urn:ietf:params:acme:error:accountDoesNotExist")
}

/// What the authority says of the first host it was not content with.
async fn not_seen(order: &mut instant_acme::Order) -> OrderError {
    let mut authorizations = order.authorizations();
    while let Some(Ok(mut authorization)) = authorizations.next().await {
        let Ok(state) = authorization.refresh().await else { continue };
        if state.status == AuthorizationStatus::Invalid {
            let why = state.challenges.iter().find_map(|challenge| challenge.error.as_ref()?.detail.clone());
            let host = state.identifier().to_string();
            return OrderError::NotSeen { host, why: why.unwrap_or_else(|| "it does not say why".into()) };
        }
    }
    OrderError::NotSeen { host: "a host".into(), why: "it does not say which".into() }
}
