//! `tabularium repo`: a repository without a node.

mod probe;

use super::Usage;
use anyhow::Result;
use clap::{Args, Subcommand};
use env::disk::{Disk, RealDisk};
use object_store::ObjectStore;
use repository::{Location, Properties, Repository};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// Arguments of `tabularium repo`.
#[derive(Debug, Args)]
pub(super) struct RepoArgs {
    #[command(subcommand)]
    command: RepoCommand,
}

#[derive(Debug, Subcommand)]
enum RepoCommand {
    /// Find out whether a store keeps the promises that a repository needs.
    Probe(probe::ProbeArgs),
}

/// Where a repository is and how to get there; shared by all subcommands.
#[derive(Debug, Args)]
pub(super) struct RepositoryArgs {
    /// The location, as in CREATE REPOSITORY: file:///dir, s3://bucket/prefix, gs://.., az://..
    url: String,
    /// A property, as in CREATE REPOSITORY; may be repeated. A secret is better not typed: use name=env:VARIABLE or
    /// name=file:/path.
    #[arg(long = "property", short = 'p', value_name = "NAME=VALUE", value_parser = property)]
    properties: Vec<(String, String)>,
}

fn property(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        // Not repeated: it may be a secret with its name forgotten.
        _ => Err("a property is written as name=value".to_owned()),
    }
}

impl RepositoryArgs {
    /// Where it is, and with which properties.
    ///
    /// # Errors
    /// [`Usage`] for what is no location, or not its properties.
    pub(super) fn place(&self) -> Result<(Location, Properties)> {
        let location = Location::parse(&self.url).map_err(usage)?;
        let given: BTreeMap<String, String> = self.properties.iter().cloned().collect();
        if given.len() < self.properties.len() {
            return Err(Usage("a property is given twice".to_owned()).into());
        }
        let properties = Properties::parse(&location, &given).map_err(usage)?;
        Ok((location, properties))
    }

    /// The store at the location.
    ///
    /// # Errors
    /// [`Usage`] as [`place`](Self::place), and for a secret that is not where a property says.
    pub(super) fn connect(&self) -> Result<Arc<dyn ObjectStore>> {
        let (location, properties) = self.place()?;
        let disk = |dir: &Path| Arc::new(RealDisk::new(dir)) as Arc<dyn Disk>;
        repository::connect(&location, &properties, disk).map_err(usage)
    }

    /// The repository that is there.
    ///
    /// # Errors
    /// As [`connect`](Self::connect); what the store says, with the place by name.
    #[expect(dead_code, reason = "for subcommands on a repository that exists")]
    pub(super) async fn open(&self) -> Result<Repository> {
        let (location, _) = self.place()?;
        Ok(Repository::open(self.connect()?).await.map_err(|failed| location.blame(failed))?)
    }
}

/// What is wrong with how a command was called, as opposed to what went wrong: the exit code is 2.
fn usage(wrong: repository::Error) -> anyhow::Error {
    match wrong.kind() {
        repository::ErrorKind::Invalid => Usage(wrong.to_string()).into(),
        _ => wrong.into(),
    }
}

/// Runs the subcommand.
pub(super) async fn run(args: RepoArgs) -> Result<()> {
    match args.command {
        RepoCommand::Probe(args) => probe::run(args).await,
    }
}
