//! Texts about the rulebook.
