//! Places for repositories: a directory, memory, and what `TABULARIUM_SERVERS` names.

use env::disk::RealDisk;
use object_store::ObjectStore;
use repository::probe::Promised;
use repository::{Location, Properties, connect};
use std::collections::BTreeMap;
use std::sync::Arc;

const SERVERS: &str = "TABULARIUM_SERVERS";

/// A location with its properties, as CREATE REPOSITORY takes them, and what it is.
#[derive(Debug, Clone)]
pub struct Place {
    pub name: String,
    pub version: String,
    pub url: String,
    properties: BTreeMap<String, String>,
}

impl Place {
    /// Reads `name version location [property=value]...`.
    pub fn parse(line: &str) -> Self {
        let mut words = line.split(' ');
        let mut word = || words.next().unwrap_or_else(|| panic!("too short for a place: {line:?}")).to_owned();
        let (name, version, url) = (word(), word(), word());
        let property = |word: &str| {
            let (name, value) = word.split_once('=').unwrap_or_else(|| panic!("{word:?} is no property"));
            (name.to_owned(), value.to_owned())
        };
        Self { name, version, url, properties: words.map(property).collect() }
    }

    /// What [`Place::parse`] reads.
    pub fn line(&self) -> String {
        let properties = self.properties.iter().map(|(name, value)| format!(" {name}={value}"));
        format!("{} {} {}{}", self.name, self.version, self.url, properties.collect::<String>())
    }

    pub fn directory(path: &std::path::Path) -> Self {
        Self::parse(&format!("directory - file://{}", path.display()))
    }

    /// A place of its own below this one.
    pub fn below(&self, prefix: &str) -> Self {
        Self { url: format!("{}/{prefix}-{}", self.url, env::rand::token()), ..self.clone() }
    }

    /// What it is known to break.
    pub fn lies(&self) -> &'static [Promised] {
        LIARS.iter().find(|(name, _)| *name == self.name).map_or(&[], |(_, broken)| broken)
    }

    /// Whether a probe comes to no end there: what it is answered is none of the protocol's answers.
    pub fn cannot_be_probed(&self) -> bool {
        self.name == "gcp-storage-emulator"
    }

    pub fn is_honest(&self) -> bool {
        self.lies().is_empty()
    }

    pub fn store(&self) -> Arc<dyn ObjectStore> {
        let location = Location::parse(&self.url).unwrap();
        let properties = Properties::parse(&location, &self.properties).unwrap();
        connect(&location, &properties, |path| Arc::new(RealDisk::new(path))).unwrap()
    }
}

use Promised::{CreateIfAbsent, Delete, ListAfterWrite, Multipart, RangeRead, ReadAfterWrite};

/// Servers that do not keep what a repository needs, and what they break.
const LIARS: [(&str, &[Promised]); 5] = [
    // Both ignore the condition of a put, and take the range of the first byte alone for no range. The first also sorts
    // names in an order of its own, and knows no request to give an upload up.
    ("s3rver", &[CreateIfAbsent, RangeRead, ListAfterWrite, Multipart]),
    ("rclone", &[CreateIfAbsent, RangeRead]),
    // It looks and writes in two steps: most races have one winner, some have many.
    ("s3s-fs", &[CreateIfAbsent]),
    ("gcp-storage-emulator", &[CreateIfAbsent, RangeRead, ListAfterWrite, Multipart, Delete]),
    // Through the XML interface it only reads.
    ("fake-gcs-server", &[CreateIfAbsent, ReadAfterWrite, RangeRead, ListAfterWrite, Multipart, Delete]),
];

/// The servers that were started for these tests; none, with a word, when there are none.
pub fn servers(what: &str) -> Vec<Place> {
    let lines = std::env::var(SERVERS).unwrap_or_default();
    let places: Vec<Place> = lines.lines().filter(|line| !line.is_empty()).map(Place::parse).collect();
    if places.is_empty() {
        println!("SKIPPED on servers: {what}; there are none in {SERVERS}: `cargo xtask test servers` starts some");
    }
    places
}
