//! What is done to a repository, to the snapshots in it, and to jobs that run.

use sqlparser::tokenizer::Token;

use crate::sql::cursor::{Cursor, Parsed};
use crate::sql::names::NameKind;
use crate::sql::statement::{AlterJob, Properties, Retention, Statement, Upkeep};

impl Cursor<'_> {
    /// `s ON r`
    fn snapshot_on(&mut self) -> Parsed<(String, String)> {
        let label = self.new_name(NameKind::SnapshotLabel)?;
        self.want(&["ON"])?;
        let repository = self.name(NameKind::Repository)?;
        Ok((label, repository))
    }

    /// `DROP SNAPSHOT s ON r [FORCE]`, after SNAPSHOT.
    pub(in crate::sql) fn drop_snapshot(&mut self) -> Parsed<Statement> {
        let (label, repository) = self.snapshot_on()?;
        let force = self.eat(&["FORCE"]);
        Ok(Statement::Upkeep(Upkeep::DropSnapshot { label, repository, force }))
    }

    /// `HOLD SNAPSHOT s ON r [REASON 'text']`
    pub(in crate::sql) fn hold_snapshot(&mut self) -> Parsed<Statement> {
        self.want(&["HOLD", "SNAPSHOT"])?;
        let (label, repository) = self.snapshot_on()?;
        let reason = if self.eat(&["REASON"]) { Some(self.string("a reason")?) } else { None };
        Ok(Statement::Upkeep(Upkeep::HoldSnapshot { label, repository, reason }))
    }

    /// `RELEASE SNAPSHOT s ON r`
    pub(in crate::sql) fn release_snapshot(&mut self) -> Parsed<Statement> {
        if !self.is_at(1, "SNAPSHOT") {
            return Err(self.unsupported("RELEASE of anything but a SNAPSHOT is not supported"));
        }
        self.want(&["RELEASE", "SNAPSHOT"])?;
        let (label, repository) = self.snapshot_on()?;
        Ok(Statement::Upkeep(Upkeep::ReleaseSnapshot { label, repository }))
    }

    /// `ALTER REPOSITORY r SET RETENTION (..)`, `.. DROP RETENTION`, after REPOSITORY.
    pub(in crate::sql) fn alter_repository(&mut self) -> Parsed<Statement> {
        let repository = self.name(NameKind::Repository)?;
        if self.eat(&["DROP", "RETENTION"]) {
            return Ok(Statement::Upkeep(Upkeep::DropRetention { repository }));
        }
        if !self.eat(&["SET", "RETENTION"]) {
            return Err(self.expected("SET RETENTION or DROP RETENTION"));
        }
        self.want_token(&Token::LParen)?;
        let mut retention = RetentionClauses::default();
        loop {
            if !self.retention_clause(&mut retention)? {
                return Err(self.expected("KEEP LAST, KEEP WITHIN or MIN"));
            }
            if !self.eat_token(&Token::Comma) {
                break;
            }
        }
        if !self.is_token(&Token::RParen) {
            return Err(self.expected(", or )"));
        }
        let retention = self.kept(retention)?;
        self.skip();
        Ok(Statement::Upkeep(Upkeep::SetRetention { repository, retention }))
    }

    /// `APPLY RETENTION ON r ..`
    pub(in crate::sql) fn apply_retention(&mut self) -> Parsed<Statement> {
        self.want(&["APPLY", "RETENTION", "ON"])?;
        let repository = self.name(NameKind::Repository)?;
        let mut retention = RetentionClauses::default();
        while self.retention_clause(&mut retention)? {}
        let retention = if retention.is_empty() { None } else { Some(self.kept(retention)?) };
        let dry_run = self.eat(&["DRY", "RUN"]);
        Ok(Statement::Upkeep(Upkeep::ApplyRetention { repository, retention, dry_run }))
    }

    /// One of the clauses, if there is one.
    fn retention_clause(&mut self, retention: &mut RetentionClauses) -> Parsed<bool> {
        let twice = |cursor: &Self| Err(cursor.wrong("the same clause is written twice"));
        if self.is("KEEP") {
            if self.is_at(1, "LAST") {
                if retention.keep_last.is_some() {
                    return twice(self);
                }
                self.want(&["KEEP", "LAST"])?;
                retention.keep_last = Some(self.number("how many are kept")?);
            } else {
                if retention.keep_within.is_some() && self.is_at(1, "WITHIN") {
                    return twice(self);
                }
                self.skip();
                if !self.eat(&["WITHIN"]) {
                    return Err(self.expected("LAST or WITHIN"));
                }
                retention.keep_within = Some(self.string("a duration such as '30d'")?);
            }
            return Ok(true);
        }
        if !self.is("MIN") {
            return Ok(false);
        }
        if retention.min.is_some() {
            return twice(self);
        }
        self.skip();
        retention.min = Some(self.number("how many are kept in any case")?);
        Ok(true)
    }

    /// The clauses as a whole.
    fn kept(&self, clauses: RetentionClauses) -> Parsed<Retention> {
        let RetentionClauses { keep_last, keep_within, min } = clauses;
        if keep_last.is_none() && keep_within.is_none() {
            return Err(self
                .wrong("a retention says what is kept")
                .hint("write KEEP LAST n, KEEP WITHIN '30d' or both beside MIN"));
        }
        Ok(Retention { keep_last, keep_within, min })
    }

    /// `SWEEP REPOSITORY r [DRY RUN]`
    pub(in crate::sql) fn sweep_repository(&mut self) -> Parsed<Statement> {
        self.want(&["SWEEP", "REPOSITORY"])?;
        let repository = self.name(NameKind::Repository)?;
        let dry_run = self.eat(&["DRY", "RUN"]);
        Ok(Statement::Upkeep(Upkeep::Sweep { repository, dry_run }))
    }

    /// `VERIFY REPOSITORY r [SNAPSHOT s] [LEVEL 'full'] [PROPERTIES (..)]`
    pub(in crate::sql) fn verify_repository(&mut self) -> Parsed<Statement> {
        self.want(&["VERIFY", "REPOSITORY"])?;
        let repository = self.name(NameKind::Repository)?;
        let label = if self.eat(&["SNAPSHOT"]) { Some(self.new_name(NameKind::SnapshotLabel)?) } else { None };
        let level = if self.eat(&["LEVEL"]) { Some(self.string("a level")?) } else { None };
        let properties = self.properties()?;
        Ok(Statement::Upkeep(Upkeep::Verify { repository, label, level, properties }))
    }

    /// `CANCEL VERIFY FROM r`, after VERIFY.
    pub(in crate::sql) fn cancel_verify(&mut self) -> Parsed<Statement> {
        if self.eat_one(&["FROM", "ON", "IN"]).is_none() {
            return Err(self.expected("FROM"));
        }
        let repository = self.name(NameKind::Repository)?;
        Ok(Statement::Upkeep(Upkeep::CancelVerify { repository }))
    }

    /// `ALTER BACKUP [FROM d] SET (..)`, `ALTER RESTORE ..`, after ALTER.
    pub(in crate::sql) fn alter_job(&mut self) -> Parsed<Statement> {
        let restore = self.is("RESTORE");
        self.skip();
        let database =
            if self.eat_one(&["FROM", "IN"]).is_some() { Some(self.name(NameKind::Database)?) } else { None };
        self.want(&["SET"])?;
        let properties: Properties = self.property_list()?;
        Ok(Statement::AlterJob(AlterJob { restore, database, properties }))
    }
}

/// The clauses of a retention that have been read.
#[derive(Debug, Default)]
struct RetentionClauses {
    keep_last: Option<u32>,
    keep_within: Option<String>,
    min: Option<u32>,
}

impl RetentionClauses {
    fn is_empty(&self) -> bool {
        self.keep_last.is_none() && self.keep_within.is_none() && self.min.is_none()
    }
}
