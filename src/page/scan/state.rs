//! Where in a document the scanner is.

/// The tokenizer's states; the names are the standard's, shortened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::page) enum State {
    /// At the very beginning, `matched` bytes into a byte order mark that begins with `quote`.
    ByteOrderMark,
    Data,
    TagOpen,
    EndTagOpen,
    TagName,
    BeforeAttribute,
    AttributeName,
    AfterAttribute,
    BeforeValue,
    DoubleQuoted,
    SingleQuoted,
    Unquoted,
    Declaration,
    DeclarationDash,
    Bogus,
    CommentStart,
    CommentStartDash,
    Comment,
    CommentDash,
    CommentEnd,
    CommentBang,
    /// Text that only the end tag called `raw` ends.
    Raw,
    RawLess,
    RawEndTagOpen,
    RawEndTagName,
    ScriptBang,
    ScriptBangDash,
    ScriptEscaped,
    ScriptEscapedDash,
    ScriptEscapedDashDash,
    ScriptEscapedLess,
    /// A name within an escaped script, after `<` or `</`, that begins or ends double escaping.
    ScriptEscapedName,
    /// At the beginning of the body, which may be skip links.
    BodyStart,
    /// Everything after what was looked for.
    Rest,
    /// XML: in `<![CDATA[`, of which `matched` bytes were seen after `<![`.
    CdataOpen,
    /// XML: in a CDATA section, with `matched` times `]` just seen.
    Cdata,
    /// XML: in a processing instruction, after `?` if `matched` is 1.
    Instruction,
    /// XML: in a declaration, within its internal subset if `matched` is 1, within `quote` unless that is 0.
    Doctype,
}
