//! gRPC from both ends: a site that speaks HTTP/2 and does what the test says, frame by frame, and a visitor's side of the
//! same. What comes is waited for with a time limit.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use h2::client::{ResponseFuture, SendRequest};
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::request::Parts;
use http::{HeaderMap, Request, Response};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio::time::timeout;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::{TlsAcceptor, rustls};

use super::PATIENCE;

/// A call as the site has it: what has come so far, and the way to answer.
pub struct Call {
    pub head: Parts,
    pub body: RecvStream,
    pub answer: SendResponse<Bytes>,
}

/// Hands each call to the test.
pub struct Site {
    pub address: SocketAddr,
    calls: mpsc::Receiver<Call>,
}

impl Site {
    /// Without TLS.
    pub async fn start() -> Site {
        Site::with(None, None).await
    }

    /// The same with so many calls at once over one connection, of each of which it takes little unread.
    pub async fn start_narrow(calls: u32) -> Site {
        Site::with(None, Some(calls)).await
    }

    /// Within TLS, where HTTP/2 is agreed on.
    pub async fn start_tls(mut config: ServerConfig) -> Site {
        config.alpn_protocols = vec![b"h2".to_vec()];
        Site::with(Some(Arc::new(config).into()), None).await
    }

    async fn with(tls: Option<TlsAcceptor>, most: Option<u32>) -> Site {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has ports");
        let address = listener.local_addr().expect("it is bound");
        let (tell, calls) = mpsc::channel(64);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (tell, tls) = (tell.clone(), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        Some(tls) => serve(tls.accept(stream).await.expect("TLS is agreed on"), most, tell).await,
                        None => serve(stream, most, tell).await,
                    }
                });
            }
        });
        Site { address, calls }
    }

    /// The next call.
    pub async fn call(&mut self) -> Call {
        soon(self.calls.recv()).await.expect("the site is there as long as the test")
    }
}

async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin, most: Option<u32>, tell: mpsc::Sender<Call>) {
    let mut builder = h2::server::Builder::new();
    if let Some(most) = most {
        builder.max_concurrent_streams(most).initial_window_size(1024);
    }
    let Ok(mut connection) = builder.handshake(stream).await else { return };
    while let Some(Ok((request, answer))) = connection.accept().await {
        let (head, body) = request.into_parts();
        let _ = tell.send(Call { head, body, answer }).await;
    }
}

impl Call {
    /// Begins the answer.
    pub fn begin(&mut self) -> SendStream<Bytes> {
        let head = Response::builder().header("content-type", "application/grpc").header("x-site", "1");
        self.answer.send_response(head.body(()).expect("it is a head"), false).expect("the stream is open")
    }

    /// Waits until the other side has reset the stream, and gives its reason.
    pub async fn reset(&mut self) -> Reason {
        soon(std::future::poll_fn(|cx| self.answer.poll_reset(cx))).await.expect("it is reset")
    }
}

/// A visitor's connection.
pub struct Visitor {
    client: SendRequest<Bytes>,
    scheme: &'static str,
    connection: AbortHandle,
}

impl Visitor {
    /// Without TLS.
    pub async fn connect(address: SocketAddr) -> Visitor {
        Visitor::over(TcpStream::connect(address).await.expect("the listener takes connections"), "http").await
    }

    /// Over anything else that is greeted already, with the scheme it stands for.
    pub async fn over(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, scheme: &'static str) -> Visitor {
        let (client, connection) = h2::client::handshake(stream).await.expect("it speaks HTTP/2");
        Visitor { client, scheme, connection: tokio::spawn(connection).abort_handle() }
    }

    /// Goes away without a word.
    pub fn leave(self) {
        self.connection.abort();
    }

    /// Calls a method; the messages follow.
    pub async fn call(&self, path: &str) -> (ResponseFuture, SendStream<Bytes>) {
        let mut client = self.client.clone().ready().await.expect("the connection is open");
        // As grpc-go sends it.
        let request = Request::post(format!("{}://www.example.org{path}", self.scheme))
            .header("content-type", "application/grpc")
            .header("user-agent", "grpc-go/1.71.0")
            .header("te", "trailers")
            .header("grpc-accept-encoding", "gzip")
            .header("grpc-timeout", "20S");
        client.send_request(request.body(()).expect("it is a request"), false).expect("the request is a right one")
    }
}

/// What comes of it, in time.
pub async fn soon<F: Future>(future: F) -> F::Output {
    timeout(PATIENCE, future).await.expect("it comes in time")
}

/// A message with its prefix: not compressed, its length, itself.
pub fn message(text: &str) -> Bytes {
    let mut bytes = BytesMut::new();
    bytes.put_u8(0);
    bytes.put_u32(text.len() as u32);
    bytes.put_slice(text.as_bytes());
    bytes.freeze()
}

/// The trailers that end a call.
pub fn status(code: &'static str, words: &'static str) -> HeaderMap {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", code.parse().expect("it is a value"));
    trailers.insert("grpc-message", words.parse().expect("it is a value"));
    trailers
}

/// The next data, whatever frames it came in; nothing at the end.
pub async fn next(body: &mut RecvStream) -> Option<Result<Bytes, h2::Error>> {
    loop {
        let piece = soon(body.data()).await?;
        match &piece {
            // A frame that is empty says nothing.
            Ok(piece) if piece.is_empty() => continue,
            Ok(piece) => drop(body.flow_control().release_capacity(piece.len())),
            Err(_) => {}
        }
        return Some(piece);
    }
}

/// Waits for exactly these bytes.
pub async fn expect(body: &mut RecvStream, bytes: &Bytes) {
    let mut got = BytesMut::new();
    while got.len() < bytes.len() {
        let piece = next(body).await.expect("there is more").expect("the stream is whole");
        got.extend_from_slice(&piece);
    }
    assert_eq!(got, bytes);
}

/// What a site within TLS needs, of a chain and a key in PEM.
pub fn server_config(chain: &str, key: &str) -> ServerConfig {
    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};
    let chain = CertificateDer::pem_slice_iter(chain.as_bytes()).collect::<Result<_, _>>().expect("it is PEM");
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).expect("it is PEM");
    ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the provider knows them")
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .expect("they are each other's")
}
