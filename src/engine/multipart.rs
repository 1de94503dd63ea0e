//! `multipart/form-data`, as clients send a statement with its parameters (RFC 7578): fields by name, no files. Pure.
//! Called by [`super::run`].

/// What is wrong with a form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FormError {
    /// `Content-Type` names no boundary.
    #[error("multipart/form-data without a boundary")]
    Boundary,
    /// The text between two boundaries is not a field.
    #[error("malformed multipart/form-data")]
    Malformed,
}

/// The boundary that a `Content-Type` names, where it is a form.
pub fn boundary(content_type: &str) -> Option<Result<&str, FormError>> {
    let (kind, parameters) = content_type.split_once(';').unwrap_or((content_type, ""));
    if !kind.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let named = parameters.split(';').find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("boundary").then(|| value.trim().trim_matches('"'))
    });
    Some(named.filter(|boundary| (1..=70).contains(&boundary.len())).ok_or(FormError::Boundary))
}

/// The fields of a whole form, in order.
pub fn fields(body: &[u8], boundary: &str) -> Result<Vec<(String, Vec<u8>)>, FormError> {
    let delimiter = format!("\r\n--{boundary}");
    let first = delimiter.get(2..).ok_or(FormError::Boundary)?;
    let mut rest = body.strip_prefix(first.as_bytes()).ok_or(FormError::Malformed)?;
    let mut fields = Vec::new();
    loop {
        if rest.starts_with(b"--") {
            return Ok(fields);
        }
        rest = rest.strip_prefix(b"\r\n").ok_or(FormError::Malformed)?;
        let end = memchr::memmem::find(rest, delimiter.as_bytes()).ok_or(FormError::Malformed)?;
        let (part, after) = rest.split_at_checked(end).ok_or(FormError::Malformed)?;
        let head_end = memchr::memmem::find(part, b"\r\n\r\n").ok_or(FormError::Malformed)?;
        let (head, value) = part.split_at_checked(head_end).ok_or(FormError::Malformed)?;
        let name = std::str::from_utf8(head).ok().and_then(field_name).ok_or(FormError::Malformed)?;
        fields.push((name.to_owned(), value.get(4..).unwrap_or_default().to_vec()));
        rest = after.get(delimiter.len()..).ok_or(FormError::Malformed)?;
    }
}

fn field_name(head: &str) -> Option<&str> {
    let disposition = head.split("\r\n").find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.trim().eq_ignore_ascii_case("content-disposition").then_some(value)
    })?;
    let (_, after) = disposition.split_once(" name=\"").or_else(|| disposition.split_once(";name=\""))?;
    after.split('"').next()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn form(boundary: &str, fields: &[(String, Vec<u8>)]) -> Vec<u8> {
        let mut body = Vec::new();
        for (name, value) in fields {
            body.extend_from_slice(
                format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n").as_bytes(),
            );
            body.extend_from_slice(value);
            body.extend_from_slice(b"\r\n");
        }
        body.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
        body
    }

    proptest! {
        #[test]
        fn a_form_comes_back(fields_in in prop::collection::vec(("[a-z_]{1,9}", any::<Vec<u8>>()), 0..5)) {
            let body = form("a-boundary-not-in-the-data", &fields_in);
            prop_assert_eq!(fields(&body, "a-boundary-not-in-the-data").unwrap(), fields_in);
        }

        #[test]
        fn any_bytes_are_read_without_a_panic(body in any::<Vec<u8>>(), boundary in "[a-z]{1,3}") {
            let _ = fields(&body, &boundary);
            let _ = fields(&[format!("--{boundary}\r\n").as_bytes(), &body].concat(), &boundary);
        }
    }

    #[test]
    fn the_boundary_is_found() {
        assert_eq!(boundary("multipart/form-data; charset=x; boundary=\"abc\""), Some(Ok("abc")));
        assert_eq!(boundary("Multipart/Form-Data;boundary=abc"), Some(Ok("abc")));
        assert_eq!(boundary("multipart/form-data"), Some(Err(FormError::Boundary)));
        assert_eq!(boundary("text/plain"), None);
    }
}
