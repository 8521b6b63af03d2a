//! `tabularium repo sessions` and `fence`: who has the repository open, and the end of one that is dead.

use super::output::{self, Output, number, text};
use super::{RepositoryArgs, find};
use anyhow::Result;
use clap::Args;
use env::rt::CancellationToken;
use repository::{Generation, Purpose, Repository, SessionId};
use serde::Serialize;

/// Arguments of `tabularium repo sessions`.
#[derive(Debug, Args)]
pub(super) struct SessionsArgs {
    #[command(flatten)]
    repository: RepositoryArgs,
    #[command(flatten)]
    output: Output,
}

/// Arguments of `tabularium repo fence`.
#[derive(Debug, Args)]
pub(super) struct FenceArgs {
    #[command(flatten)]
    repository: RepositoryArgs,
    /// The session, as `tabularium repo sessions` shows it.
    session: String,
    #[command(flatten)]
    output: Output,
}

#[derive(Debug, Serialize)]
struct Session {
    session: SessionId,
    purpose: Purpose,
    generation: Generation,
    opened_ms: u64,
    owner: String,
}

#[derive(Serialize)]
struct Sessions {
    sessions: Vec<Session>,
}

#[derive(Serialize)]
struct Fenced<'a> {
    fenced: &'a SessionId,
}

async fn open_ones(repository: &Repository) -> Result<Vec<Session>> {
    let mut sessions = Vec::new();
    for open in repository.sessions().await? {
        let opened = repository.log_entry(open.generation).await?;
        sessions.push(Session {
            session: open.id,
            purpose: open.purpose,
            generation: open.generation,
            opened_ms: opened.wall_ms,
            owner: opened.note.unwrap_or_default(),
        });
    }
    Ok(sessions)
}

pub(super) async fn run(args: SessionsArgs, stop: &CancellationToken) -> Result<()> {
    let repository = args.repository.open(stop).await?;
    let sessions = open_ones(&repository).await?;
    if args.output.json {
        return output::json(&Sessions { sessions });
    }
    let columns = vec![text("Session"), text("Purpose"), number("Generation"), text("Opened"), text("Owner")];
    let rows = sessions.iter().map(|open| {
        vec![
            Some(open.session.to_string()),
            Some(open.purpose.to_string()),
            Some(open.generation.to_string()),
            Some(output::time(open.opened_ms)),
            Some(open.owner.clone()),
        ]
    });
    output::table(columns, rows)?;
    output::line(format!("{} open", output::count(sessions.len() as u64, "session")))
}

pub(super) async fn fence(args: FenceArgs, stop: &CancellationToken) -> Result<()> {
    let repository = args.repository.open(stop).await?;
    let id: SessionId = args.session.parse()?;
    let sessions = open_ones(&repository).await?;
    let names: Vec<(String, &Session)> = sessions.iter().map(|open| (open.session.to_string(), open)).collect();
    let (_, open) = find::named(&names, &id.to_string(), |(name, _)| name, "open session", "repo sessions")?;
    repository.fence(&open.session).await?;
    if args.output.json {
        return output::json(&Fenced { fenced: &open.session });
    }
    output::line(format!(
        "session {} of {} is ended; what it uploaded goes with the next sweep",
        open.session, open.owner
    ))
}
