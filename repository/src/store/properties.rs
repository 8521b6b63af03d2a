//! Properties of a location: the PROPERTIES of CREATE REPOSITORY, checked.

use crate::error::{Error, Result};
use crate::location::Location;
use std::collections::BTreeMap;

/// The properties of a location, checked against its kind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Properties {
    single_writer: bool,
}

impl Properties {
    /// Checks properties as they were given, by name.
    ///
    /// # Errors
    /// `Invalid` for an unknown name or an impossible value, which it names.
    pub fn parse(location: &Location, given: &BTreeMap<String, String>) -> Result<Self> {
        let mut properties = Self::default();
        for (name, value) in given {
            match name.as_str() {
                "single_writer" => {
                    properties.single_writer = value.parse().map_err(|_| {
                        Error::Invalid(format!("property 'single_writer' is {value:?}; use \"true\" or \"false\""))
                    })?;
                }
                _ => return Err(Error::Invalid(format!("{name:?} is no property of a repository at {location}"))),
            }
        }
        Ok(properties)
    }

    /// Whether the repository may be on a store without create-if-absent, because there is one writer only.
    pub fn single_writer(&self) -> bool {
        self.single_writer
    }
}
