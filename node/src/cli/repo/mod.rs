//! `tabularium repo`: a repository without a node.

mod probe;

use anyhow::Result;
use clap::{Args, Subcommand};
use env::disk::{Disk, RealDisk};
use object_store::ObjectStore;
use repository::{Location, Properties, Repository};
use std::collections::BTreeMap;
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
    /// The store at the location.
    pub(super) fn connect(&self) -> Result<Arc<dyn ObjectStore>> {
        let location = Location::parse(&self.url)?;
        let given: BTreeMap<String, String> = self.properties.iter().cloned().collect();
        let properties = Properties::parse(&location, &given)?;
        Ok(repository::connect(&location, &properties, |dir| Arc::new(RealDisk::new(dir)) as Arc<dyn Disk>)?)
    }

    /// The repository that is there.
    #[expect(dead_code, reason = "for subcommands on a repository that exists")]
    pub(super) async fn open(&self) -> Result<Repository> {
        Ok(Repository::open(self.connect()?).await?)
    }
}

/// Runs the subcommand.
pub(super) async fn run(args: RepoArgs) -> Result<()> {
    match args.command {
        RepoCommand::Probe(args) => probe::run(args).await,
    }
}
