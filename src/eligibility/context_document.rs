//! A clinical context as it was written, TOML or JSON, before anything is made of it.
//!
//! Both become one tree with places, so that every message says where. A key that stands twice is
//! refused in JSON too: the last one winning would let a correction be overlooked.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use toml::de::{DeTable, DeValue};

use super::context::{ContextError, ContextFormat};
use super::toml_place::{FilePlace, place_of};

/// A value and where it stands; JSON has no places inside.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Value {
    pub content: Content,
    pub place: Option<FilePlace>,
}

/// What a value is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Content {
    Boolean(bool),
    Number(f64),
    Text(String),
    List(Vec<Value>),
    Table(Vec<(String, Value)>),
    Null,
}

impl Content {
    /// The kind of value, for messages.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Boolean(_) => "true or false",
            Self::Number(_) => "a number",
            Self::Text(_) => "a text",
            Self::List(_) => "a list",
            Self::Table(_) => "a table",
            Self::Null => "null",
        }
    }
}

/// Reads a document; its top must be a table.
pub(super) fn read(
    text: &str,
    format: ContextFormat,
) -> Result<Vec<(String, Value)>, ContextError> {
    let top = match format {
        ContextFormat::Toml => {
            let table = DeTable::parse(text).map_err(|error| ContextError::Syntax {
                place: place_of(text, error.span().map_or(0, |span| span.start)),
                message: error.message().to_owned(),
            })?;
            from_toml_table(text, table.get_ref())?
        }
        ContextFormat::Json => {
            let value: Value =
                serde_json::from_str(text).map_err(|error| ContextError::Syntax {
                    place: FilePlace { line: error.line(), column: error.column() },
                    message: error.to_string(),
                })?;
            match value.content {
                Content::Table(entries) => return Ok(entries),
                other => {
                    return Err(ContextError::Syntax {
                        place: FilePlace { line: 1, column: 1 },
                        message: format!("the context is {}, not an object", other.kind()),
                    });
                }
            }
        }
    };
    Ok(top)
}

fn from_toml_table(text: &str, table: &DeTable<'_>) -> Result<Vec<(String, Value)>, ContextError> {
    table
        .iter()
        .map(|(name, value)| {
            let place = place_of(text, name.span().start);
            let content = from_toml(text, value.get_ref(), place)?;
            Ok((name.get_ref().to_string(), Value { content, place: Some(place) }))
        })
        .collect()
}

fn from_toml(text: &str, value: &DeValue<'_>, place: FilePlace) -> Result<Content, ContextError> {
    let number = |text: &str| {
        text.replace('_', "").parse::<f64>().map_err(|_| ContextError::Syntax {
            place,
            message: format!("{text} is not a decimal number"),
        })
    };
    Ok(match value {
        DeValue::Boolean(truth) => Content::Boolean(*truth),
        DeValue::Integer(integer) if integer.radix() == 10 => {
            Content::Number(number(integer.as_str())?)
        }
        DeValue::Integer(integer) => {
            return Err(ContextError::Syntax {
                place,
                message: format!("{integer} is not a decimal number"),
            });
        }
        DeValue::Float(float) => Content::Number(number(float.as_str())?),
        DeValue::String(text) => Content::Text(text.to_string()),
        DeValue::Datetime(date) => Content::Text(date.to_string()),
        DeValue::Array(list) => Content::List(
            list.iter()
                .map(|item| {
                    let place = place_of(text, item.span().start);
                    let content = from_toml(text, item.get_ref(), place)?;
                    Ok(Value { content, place: Some(place) })
                })
                .collect::<Result<_, ContextError>>()?,
        ),
        DeValue::Table(table) => Content::Table(from_toml_table(text, table)?),
    })
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyValue;

        impl<'de> Visitor<'de> for AnyValue {
            type Value = Content;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON value")
            }

            fn visit_bool<E>(self, truth: bool) -> Result<Content, E> {
                Ok(Content::Boolean(truth))
            }

            fn visit_i64<E>(self, number: i64) -> Result<Content, E> {
                Ok(Content::Number(number as f64))
            }

            fn visit_u64<E>(self, number: u64) -> Result<Content, E> {
                Ok(Content::Number(number as f64))
            }

            fn visit_f64<E>(self, number: f64) -> Result<Content, E> {
                Ok(Content::Number(number))
            }

            fn visit_str<E>(self, text: &str) -> Result<Content, E> {
                Ok(Content::Text(text.to_owned()))
            }

            fn visit_unit<E>(self) -> Result<Content, E> {
                Ok(Content::Null)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Content, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = list.next_element()? {
                    items.push(item);
                }
                Ok(Content::List(items))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Content, A::Error> {
                let mut entries: Vec<(String, Value)> = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, Value>()? {
                    if entries.iter().any(|(known, _)| *known == name) {
                        return Err(A::Error::custom(format!("{name} stands twice")));
                    }
                    entries.push((name, value));
                }
                Ok(Content::Table(entries))
            }
        }

        Ok(Self { content: deserializer.deserialize_any(AnyValue)?, place: None })
    }
}
