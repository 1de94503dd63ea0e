//! The way to the authority: HTTP over TLS, one connection for each request. There are a dozen requests in two months.

use std::future::Future;
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::header::{HOST, RETRY_AFTER};
use http::{HeaderValue, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use instant_acme::{BodyWrapper, BytesResponse, Error, HttpClient};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::AcmeSetupError;

/// How long one request may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// No answer of an authority is longer, in bytes.
const MAX_ANSWER: usize = 1 << 20;
/// No authority is waited for longer than that at its word.
const MAX_WAIT: Duration = Duration::from_secs(7 * 86_400);

/// Goes to the authority.
#[derive(Clone)]
pub(super) struct Web {
    tls: Arc<ClientConfig>,
    told_to_wait: Arc<Mutex<Option<Duration>>>,
}

impl Web {
    /// Believes the roots in a file, or the system's.
    pub fn new(roots: Option<&Path>) -> Result<Web, AcmeSetupError> {
        let mut store = RootCertStore::empty();
        match roots {
            None => drop(store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs)),
            Some(path) => {
                let failed = |what: String| AcmeSetupError::Roots { path: path.to_owned(), what };
                let bytes = std::fs::read(path).map_err(|error| failed(error.to_string()))?;
                for certificate in CertificateDer::pem_slice_iter(&bytes) {
                    let certificate = certificate.map_err(|_| failed("is not PEM".into()))?;
                    store.add(certificate).map_err(|error| failed(error.to_string()))?;
                }
                if store.is_empty() {
                    return Err(failed("holds no certificate in PEM".into()));
                }
            }
        }
        let mut tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("the provider knows the versions it comes with")
            .with_root_certificates(store)
            .with_no_client_auth();
        tls.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Web { tls: Arc::new(tls), told_to_wait: Arc::default() })
    }

    /// How long the authority has said to stay away, since [`forget_what_was_told`](Web::forget_what_was_told).
    pub fn told_to_wait(&self) -> Option<Duration> {
        *self.told_to_wait.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Before another order.
    pub fn forget_what_was_told(&self) {
        *self.told_to_wait.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    async fn ask(&self, request: Request<BodyWrapper<Bytes>>) -> Result<Response<Full<Bytes>>, io::Error> {
        let uri = request.uri().clone();
        let host = uri.host().ok_or_else(|| io::Error::other("the authority's address has no host"))?;
        if uri.scheme_str() != Some("https") {
            return Err(io::Error::other("the authority's address is not https"));
        }
        let bare = host.trim_matches(['[', ']']);
        let name = ServerName::try_from(bare.to_owned()).map_err(io::Error::other)?;
        let stream = TcpStream::connect((bare, uri.port_u16().unwrap_or(443))).await?;
        let stream = TlsConnector::from(self.tls.clone()).connect(name, stream).await?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
        let request = in_origin_form(request, &uri)?;
        let answer = async {
            let (head, body) = sender.send_request(request).await.map_err(io::Error::other)?.into_parts();
            let body = Limited::new(body, MAX_ANSWER).collect().await.map_err(io::Error::other)?;
            Ok(Response::from_parts(head, Full::new(body.to_bytes())))
        };
        // The connection drives the answer; where it breaks off, the answer says so.
        let driven = async {
            let _ = connection.await;
            std::future::pending().await
        };
        tokio::select! {
            answer = answer => answer,
            never = driven => never,
        }
    }

    fn listen_to(&self, answer: &Response<Full<Bytes>>) {
        let busy = [StatusCode::TOO_MANY_REQUESTS, StatusCode::SERVICE_UNAVAILABLE].contains(&answer.status());
        let seconds = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
        if let (true, Some(seconds)) = (busy, seconds) {
            let wait = Duration::from_secs(seconds).clamp(Duration::from_secs(1), MAX_WAIT);
            *self.told_to_wait.lock().unwrap_or_else(PoisonError::into_inner) = Some(wait);
        }
    }
}

/// RFC 9112 §3.2.1
fn in_origin_form(
    mut request: Request<BodyWrapper<Bytes>>,
    uri: &Uri,
) -> Result<Request<BodyWrapper<Bytes>>, io::Error> {
    let host = uri.authority().map_or("", |authority| authority.as_str());
    let host = HeaderValue::from_str(host).map_err(io::Error::other)?;
    request.headers_mut().insert(HOST, host);
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    *request.uri_mut() = path.parse().map_err(io::Error::other)?;
    Ok(request)
}

impl HttpClient for Web {
    fn request(
        &self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>> {
        let web = self.clone();
        Box::pin(async move {
            let answer = tokio::time::timeout(PATIENCE, web.ask(request)).await;
            let answer = answer.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
            let answer = answer.map_err(|error| Error::Other(Box::new(error)))?;
            web.listen_to(&answer);
            Ok(BytesResponse::from(answer))
        })
    }
}
