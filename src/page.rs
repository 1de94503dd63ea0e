//! HTML as a stream: puts banner, link and collector into pages, and makes third-party tags of purposes that are not permitted
//! inert (K4), while the page passes through. Called by the front door for every answer of the upstream that is [`eligible`].
//!
//! Never buffers a page, never decides what is permitted (that is [`consent`](crate::consent)), never makes markup: the
//! snippets come from the caller.
//!
//! What goes where:
//! - the style sheet, and what must come before any tag of the site's, right after `<head>`;
//! - scripts before `</head>`, so that the site's own come first; a page without `</head>` gets them where
//!   its head ends by itself (`<body>`, or the first content), and one with a `<base>` before that, since what stands after
//!   it would be fetched from wherever it says;
//! - the banner right after `<body …>`, so that it works without JavaScript and comes first for keyboard and screen reader, or
//!   right after the skip links where the body begins with some; in the language the page says it is in;
//! - a page in which a place does not turn up (cut off, or a frameset) gets that part at its end.

pub mod csp;
pub mod gate;
mod head;
mod inject;
pub mod scan;

pub use head::{
    ContentType, depends_on_choice, depends_on_language, eligible, is_download, named_encoding, prepare_head,
    sets_cookies,
};
pub use inject::{BodyStart, Inject, Insert};
pub use scan::Markup;
