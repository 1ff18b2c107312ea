//! Files under OUT: pictures, Markdown, JSON; each written beside its place and renamed.
