//! ClickHouse's output formats, as far as the engine must know them: libchdb writes each piece of a streamed result as a
//! document of its own, so a piece's header must be taken off, and formats with a frame around the rows cannot be sent in
//! pieces at all. Also the content types. Pure. Called by [`super::run`] and [`super::http`].

/// How the pieces of a streamed result fit together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Rows one after another: pieces are simply joined.
    Rows,
    /// So many lines of names and types before the rows of each piece. `quoted`: a line may break within quotes.
    Lines {
        /// How many.
        count: usize,
        /// Whether fields are quoted as in CSV.
        quoted: bool,
    },
    /// Binary names, and types too where `types`, before the rows of each piece.
    Binary {
        /// Whether types follow the names.
        types: bool,
    },
    /// One document: only the whole result is one.
    Document,
}

/// The shape of a format, by its name in any case. Unknown names are documents: the safe answer.
pub fn shape(format: &str) -> Shape {
    let name = format.to_ascii_lowercase();
    match name.as_str() {
        "rowbinarywithnames" => return Shape::Binary { types: false },
        "rowbinarywithnamesandtypes" => return Shape::Binary { types: true },
        "native" | "rowbinary" | "jsonlines" | "ndjson" => return Shape::Rows,
        _ => {}
    }
    let (family, count) = if let Some(family) = name.strip_suffix("withnamesandtypes") {
        (family, 2)
    } else if let Some(family) = name.strip_suffix("withnames") {
        (family, 1)
    } else {
        (name.as_str(), 0)
    };
    match (family, count) {
        ("tabseparated" | "tsv" | "tabseparatedraw" | "tsvraw" | "raw" | "csv", 0) => Shape::Rows,
        ("jsoneachrow" | "jsonstringseachrow" | "jsoncompacteachrow" | "jsoncompactstringseachrow", 0) => Shape::Rows,
        ("csv", count) => Shape::Lines { count, quoted: true },
        ("tabseparated" | "tsv" | "jsoncompacteachrow" | "jsoncompactstringseachrow", count) => {
            Shape::Lines { count, quoted: false }
        }
        _ => Shape::Document,
    }
}

/// The length of the header at the beginning of a piece, or `None` where it is not all there.
pub fn header_length(shape: Shape, piece: &[u8]) -> Option<usize> {
    match shape {
        Shape::Rows | Shape::Document => Some(0),
        Shape::Lines { count, quoted } => {
            let (mut lines, mut within) = (0, false);
            for (at, byte) in piece.iter().enumerate() {
                within ^= quoted && *byte == b'"';
                if *byte == b'\n' && !within {
                    lines += 1;
                    if lines == count {
                        return Some(at + 1);
                    }
                }
            }
            None
        }
        Shape::Binary { types } => {
            let (columns, mut at) = length_prefix(piece, 0)?;
            let strings = if types { columns.checked_mul(2)? } else { columns };
            for _ in 0..strings {
                let (length, begin) = length_prefix(piece, at)?;
                at = begin.checked_add(length).filter(|end| *end <= piece.len())?;
            }
            Some(at)
        }
    }
}

/// An unsigned LEB128 number, and where the bytes after it begin.
fn length_prefix(bytes: &[u8], at: usize) -> Option<(usize, usize)> {
    let mut value = 0_usize;
    for (index, byte) in bytes.get(at..)?.iter().take(9).enumerate() {
        value |= usize::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Some((value, at + index + 1));
        }
    }
    None
}

/// What ClickHouse's server answers as `Content-Type`.
pub fn content_type(format: &str) -> &'static str {
    let name = format.to_ascii_lowercase();
    if name.starts_with("csv") {
        return "text/csv; charset=UTF-8; header=absent";
    }
    if name.starts_with("tabseparated") || name.starts_with("tsv") {
        return "text/tab-separated-values; charset=UTF-8";
    }
    if name.ends_with("eachrow") || name == "ndjson" || name == "jsonlines" {
        return "application/x-ndjson; charset=UTF-8";
    }
    if name.starts_with("json") {
        return "application/json; charset=UTF-8";
    }
    match name.as_str() {
        "native"
        | "rowbinary"
        | "rowbinarywithnames"
        | "rowbinarywithnamesandtypes"
        | "parquet"
        | "arrow"
        | "arrowstream"
        | "avro"
        | "orc"
        | "msgpack"
        | "npy" => "application/octet-stream",
        "xml" => "application/xml; charset=UTF-8",
        "markdown" => "text/markdown; charset=UTF-8",
        _ => "text/plain; charset=UTF-8",
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn formats_with_a_frame_are_documents() {
        for format in ["JSON", "JSONCompact", "Parquet", "PrettyCompact", "Vertical", "XML", "Null", "RawBLOB", "what"]
        {
            assert_eq!(shape(format), Shape::Document, "{format}");
        }
        for format in ["TSV", "csv", "JSONEachRow", "RowBinary", "Native", "TabSeparatedRaw"] {
            assert_eq!(shape(format), Shape::Rows, "{format}");
        }
        assert_eq!(shape("TabSeparatedWithNamesAndTypes"), Shape::Lines { count: 2, quoted: false });
        assert_eq!(shape("RowBinaryWithNamesAndTypes"), Shape::Binary { types: true });
    }

    #[test]
    fn a_header_is_measured() {
        assert_eq!(header_length(shape("CSVWithNames"), b"\"a\n\"\"\",\"b\"\n1,2\n"), Some(11));
        assert_eq!(header_length(shape("TSVWithNamesAndTypes"), b"a\tb\nUInt8\tString\n1\tx\n"), Some(17));
        assert_eq!(header_length(shape("TSVWithNamesAndTypes"), b"a\tb\nUInt8"), None);
        assert_eq!(header_length(shape("RowBinaryWithNamesAndTypes"), b"\x01\x01a\x05UInt8\x07"), Some(9));
        assert_eq!(header_length(shape("RowBinaryWithNames"), b"\x01\x01a\x07"), Some(3));
    }

    proptest! {
        #[test]
        fn a_header_never_ends_outside_its_piece(piece in prop::collection::vec(any::<u8>(), 0..100)) {
            for format in ["CSVWithNames", "TSVWithNamesAndTypes", "RowBinaryWithNames", "RowBinaryWithNamesAndTypes"] {
                if let Some(length) = header_length(shape(format), &piece) {
                    prop_assert!(length <= piece.len());
                }
            }
        }
    }
}
