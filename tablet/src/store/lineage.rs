//! A tablet's lineage: tells its rows, whatever files hold them.
//!
//! Law T12: *two states with one lineage have the same rows*. A tablet begins with a lineage drawn at random. A published
//! load that does something to the tablet makes the next one from the one before, what it does, and a fresh token; so two
//! copies of a tablet that go their own ways never meet again, not even when chance draws one token twice. A load that
//! does nothing to the tablet, a compaction, a pin and a restore keep it.

use crate::store::load::Ready;
use env::ids::{LoadId, Version};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Hexadecimal digits, as many as a token has.
const DIGITS: usize = 32;

/// See the module's text. Clones share the text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub(crate) struct Lineage(Arc<str>);

impl From<String> for Lineage {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl From<Lineage> for String {
    fn from(lineage: Lineage) -> Self {
        lineage.as_str().to_owned()
    }
}

impl Lineage {
    /// One that nobody else has.
    pub(crate) fn fresh() -> Self {
        Self(env::rand::token().into())
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// What follows `before` when a load does `mutations`; `before` itself when it does nothing. None is what a state
    /// from before there were lineages has; it gets one with the next load that changes it.
    pub(super) fn after(
        before: Option<&Self>,
        load: LoadId,
        version: Version,
        mutations: &[Arc<Ready>],
    ) -> Option<Self> {
        if mutations.is_empty() {
            return before.cloned();
        }
        let mut chain = blake3::Hasher::new();
        link(&mut chain, before.map_or("", Self::as_str));
        link(&mut chain, &env::rand::token());
        link(&mut chain, &format!("load {load} version {version}"));
        for mutation in mutations {
            describe(&mut chain, mutation);
        }
        let hash = chain.finalize().to_hex();
        Some(Self(hash.get(..DIGITS).unwrap_or(&hash).into()))
    }
}

fn link(chain: &mut blake3::Hasher, text: &str) {
    chain.update(text.as_bytes());
    chain.update(b"\n");
}

/// What tells one mutation from another.
fn describe(chain: &mut blake3::Hasher, mutation: &Ready) {
    match mutation {
        Ready::Rows(rowset) => {
            link(chain, &format!("rows {}", rowset.uid));
            for segment in &rowset.segments {
                link(chain, &format!("{} bytes {:08x}", segment.len_bytes, segment.crc32));
            }
        }
        Ready::Keys(file) => link(chain, &format!("keys {} bytes {:08x}", file.len_bytes, file.crc32)),
        Ready::Positions(segments) => {
            for (segment, rows) in segments {
                link(chain, &format!("{} rows of {segment}", rows.len()));
                for row in rows {
                    chain.update(&row.to_le_bytes());
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_load_does_makes_another_lineage() {
        let first = Lineage::fresh();
        let next = |before: Option<&Lineage>, mutations: &[Arc<Ready>]| {
            Lineage::after(before, LoadId(7), Version(3), mutations)
        };
        assert_eq!(next(Some(&first), &[]), Some(first.clone()));
        assert_eq!(next(None, &[]), None);
        let deletes = [Arc::new(Ready::Positions([].into()))];
        let (one, other) = (next(Some(&first), &deletes).unwrap(), next(Some(&first), &deletes).unwrap());
        assert!(one != first && other != first && one != other, "the same done twice is done to two copies");
        assert_eq!(one.as_str().len(), DIGITS);
        assert!(next(None, &deletes).is_some());
    }
}
