//! Pages of the operator's own, shown where the gateway answers in the site's place. They are read once, when the gateway
//! starts, and hold two placeholders; nothing else of what happened finds its way into them.

use std::path::Path;

use bytes::{BufMut, Bytes, BytesMut};
use http::StatusCode;

use super::request_id::RequestId;
use super::{UpstreamSetupError, tls};

/// The largest file, in bytes.
const MAX_PAGE: u64 = 1 << 20;

/// What is replaced by the status.
const STATUS: &str = "{status}";

/// What is replaced by the request's id.
const REQUEST_ID: &str = "{request_id}";

/// The pages, each with the status it is for.
pub(super) struct ErrorPages(Vec<(StatusCode, Vec<Piece>)>);

enum Piece {
    Text(String),
    RequestId,
}

impl ErrorPages {
    pub(super) fn read(files: &[(StatusCode, impl AsRef<Path>)]) -> Result<ErrorPages, UpstreamSetupError> {
        let page = |(status, path): &(StatusCode, _)| {
            let path: &Path = AsRef::<Path>::as_ref(path);
            let length = std::fs::metadata(path).map_err(|source| tls::unreadable(path, source))?.len();
            if length > MAX_PAGE {
                return Err(tls::unusable(path, "is larger than 1 MiB"));
            }
            let bytes = std::fs::read(path).map_err(|source| tls::unreadable(path, source))?;
            let text = String::from_utf8(bytes).map_err(|_| tls::unusable(path, "is not UTF-8"))?;
            Ok((*status, pieces(&text, *status)))
        };
        Ok(ErrorPages(files.iter().map(page).collect::<Result<_, _>>()?))
    }

    /// The page for a status, where the operator has one.
    pub(super) fn page(&self, status: StatusCode, request_id: &RequestId) -> Option<Bytes> {
        let (_, pieces) = self.0.iter().find(|(of, _)| *of == status)?;
        let mut page = BytesMut::new();
        for piece in pieces {
            match piece {
                Piece::Text(text) => page.put_slice(text.as_bytes()),
                Piece::RequestId => page.put_slice(request_id.as_bytes()),
            }
        }
        Some(page.freeze())
    }
}

fn pieces(text: &str, status: StatusCode) -> Vec<Piece> {
    let text = text.replace(STATUS, status.as_str());
    let mut pieces = Vec::new();
    for (place, part) in text.split(REQUEST_ID).enumerate() {
        if place > 0 {
            pieces.push(Piece::RequestId);
        }
        pieces.push(Piece::Text(part.to_owned()));
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_replaced_wherever_they_stand() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("503.html");
        std::fs::write(&path, "{request_id}<h1>{status}</h1>{unknown} {request_id}").unwrap();
        let pages = ErrorPages::read(&[(StatusCode::SERVICE_UNAVAILABLE, path)]).unwrap();
        let id = RequestId::new();
        let page = pages.page(StatusCode::SERVICE_UNAVAILABLE, &id).unwrap();
        assert_eq!(page, format!("{id}<h1>503</h1>{{unknown}} {id}"));
        assert!(pages.page(StatusCode::BAD_GATEWAY, &id).is_none());
    }

    #[test]
    fn a_page_that_cannot_be_read_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("none.html");
        let error = ErrorPages::read(&[(StatusCode::BAD_GATEWAY, missing)]).err().unwrap().to_string();
        assert!(error.contains("none.html cannot be read"), "{error}");
        let binary = folder.path().join("binary");
        std::fs::write(&binary, b"\xff\xfe").unwrap();
        let error = ErrorPages::read(&[(StatusCode::BAD_GATEWAY, binary)]).err().unwrap().to_string();
        assert!(error.contains("is not UTF-8"), "{error}");
    }
}
