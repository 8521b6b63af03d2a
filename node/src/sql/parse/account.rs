//! Users, roles, GRANT and REVOKE.

use std::collections::BTreeSet;

use catalog::records::Privilege;
use sqlparser::tokenizer::Token;

use crate::account::{check_role, check_user, looks_like_native_digest};
use crate::privilege;
use crate::sql::cursor::{Cursor, Parsed, shorten};
use crate::sql::error::SqlError;
use crate::sql::names::NameKind;
use crate::sql::statement::{
    Account, GrantOn, Grantable, Grantee, Identified, PrivilegeList, Secret, Show, Statement, UserClauses, UserName,
};

/// The plugin whose digest `BY PASSWORD` means.
const NATIVE: &str = "mysql_native_password";

/// Objects of StarRocks that there are none of here.
const FOREIGN_OBJECTS: &[&str] = &[
    "FUNCTION",
    "FUNCTIONS",
    "GLOBAL",
    "MATERIALIZED",
    "PIPE",
    "PIPES",
    "RESOURCE",
    "RESOURCES",
    "STORAGE",
    "USER",
    "USERS",
    "WAREHOUSE",
    "WAREHOUSES",
];

fn account(account: Account) -> Statement {
    Statement::Account(Box::new(account))
}

impl Cursor<'_> {
    /// `CREATE USER ..`, `CREATE ROLE ..`, after CREATE.
    pub(in crate::sql) fn create_account(&mut self) -> Parsed<Statement> {
        if self.eat(&["ROLE"]) {
            let if_not_exists = self.eat(&["IF", "NOT", "EXISTS"]);
            let roles = self.list(Self::role_name)?;
            return Ok(account(Account::CreateRole { if_not_exists, roles }));
        }
        self.want(&["USER"])?;
        let if_not_exists = self.eat(&["IF", "NOT", "EXISTS"]);
        let user = self.user_name()?;
        let clauses = self.user_clauses()?;
        Ok(account(Account::CreateUser { if_not_exists, user, clauses }))
    }

    /// `ALTER USER ..`, after ALTER.
    pub(in crate::sql) fn alter_user(&mut self) -> Parsed<Statement> {
        self.want(&["USER"])?;
        let if_exists = self.eat(&["IF", "EXISTS"]);
        let user = if self.eat_current_user()? { None } else { Some(self.user_name()?) };
        let clauses = self.user_clauses()?;
        if clauses == UserClauses::default() {
            return Err(self.expected("IDENTIFIED, REQUIRE or DEFAULT ROLE"));
        }
        Ok(account(Account::AlterUser { if_exists, user, clauses }))
    }

    /// `DROP USER ..`, `DROP ROLE ..`, after DROP.
    pub(in crate::sql) fn drop_account(&mut self) -> Parsed<Statement> {
        if self.eat(&["ROLE"]) {
            let if_exists = self.eat(&["IF", "EXISTS"]);
            let roles = self.list(Self::role_name)?;
            return Ok(account(Account::DropRole { if_exists, roles }));
        }
        self.want(&["USER"])?;
        let if_exists = self.eat(&["IF", "EXISTS"]);
        let users = self.list(Self::user_name)?;
        Ok(account(Account::DropUser { if_exists, users }))
    }

    /// `SET PASSWORD ..`, after SET.
    pub(in crate::sql) fn set_password(&mut self) -> Parsed<Statement> {
        self.want(&["PASSWORD"])?;
        let user = if self.eat(&["FOR"]) && !self.eat_current_user()? { Some(self.user_name()?) } else { None };
        self.want_token(&Token::Eq)?;
        let identified = if self.eat(&["PASSWORD"]) {
            self.want_token(&Token::LParen)?;
            let password = self.secret("a password")?;
            self.want_token(&Token::RParen)?;
            Identified::By { plugin: None, password }
        } else {
            // MySQL 5 takes a digest here, later ones and people a password: what looks like a digest is one.
            let text = self.secret("a password")?;
            if looks_like_native_digest(text.expose()) {
                Identified::As { plugin: NATIVE.to_owned(), digest: text }
            } else {
                Identified::By { plugin: None, password: text }
            }
        };
        Ok(account(Account::SetPassword { user, identified }))
    }

    /// `GRANT ..`
    pub(in crate::sql) fn grant(&mut self) -> Parsed<Statement> {
        self.want(&["GRANT"])?;
        let given = self.grantables()?;
        match given {
            Given::Privileges(privileges) => {
                let on = self.grant_on()?;
                self.want(&["TO"])?;
                let to = self.list(Self::grantee)?;
                let grant_option = self.eat(&["WITH", "GRANT", "OPTION"]);
                Ok(account(Account::Grant { privileges, on, to, grant_option }))
            }
            Given::Roles(roles) => {
                self.want(&["TO"])?;
                let to = self.list(Self::grantee)?;
                Ok(account(Account::GrantRole { roles, to }))
            }
        }
    }

    /// `REVOKE ..`
    pub(in crate::sql) fn revoke(&mut self) -> Parsed<Statement> {
        self.want(&["REVOKE"])?;
        match self.grantables()? {
            Given::Privileges(privileges) => {
                let on = self.grant_on()?;
                self.want(&["FROM"])?;
                let from = self.list(Self::grantee)?;
                Ok(account(Account::Revoke { privileges, on, from }))
            }
            Given::Roles(roles) => {
                self.want(&["FROM"])?;
                let from = self.list(Self::grantee)?;
                Ok(account(Account::RevokeRole { roles, from }))
            }
        }
    }

    /// `[FOR u | FOR ROLE r]`, after SHOW GRANTS.
    pub(in crate::sql) fn show_grants(&mut self) -> Parsed<Show> {
        if !self.eat(&["FOR"]) || self.eat_current_user()? {
            return Ok(Show::Grants { of: None });
        }
        Ok(Show::Grants { of: Some(self.grantee()?) })
    }

    // ---- parts --------------------------------------------------------------------------------------

    /// Privileges before ON, or roles before TO or FROM: it takes the whole list to know which.
    fn grantables(&mut self) -> Parsed<Given> {
        if self.eat(&["ALL"]) {
            self.eat(&["PRIVILEGES"]);
            return Ok(Given::Privileges(PrivilegeList::All));
        }
        let at_privilege = self.bare_word().is_some_and(privilege::begins_one) && !self.is_alone();
        if !at_privilege {
            let roles = self.list(Self::role_name)?;
            if self.is("ON") {
                let what = roles.join(", ");
                return Err(self
                    .wrong(format!("{} is no privilege", shorten(&what)))
                    .hint(format!("there are {}", privilege::all_words())));
            }
            return Ok(Given::Roles(roles));
        }
        let listed = self.list(Self::privilege)?;
        Ok(Given::Privileges(PrivilegeList::Listed(listed.into_iter().collect::<BTreeSet<_>>())))
    }

    /// Whether one word stands between here and TO or FROM: the name of a role, whatever it is called.
    fn is_alone(&self) -> bool {
        self.is_at(1, "TO") || self.is_at(1, "FROM")
    }

    fn privilege(&mut self) -> Parsed<Privilege> {
        for (words, privilege) in privilege::WORDS {
            if self.eat(words) {
                return Ok(privilege);
            }
        }
        Err(self.expected(&format!("a privilege, one of {}", privilege::all_words())))
    }

    /// `ON ..`
    fn grant_on(&mut self) -> Parsed<GrantOn> {
        self.want(&["ON"])?;
        if self.eat(&["SYSTEM"]) {
            return Ok(GrantOn::System);
        }
        if self.eat(&["ALL", "CATALOGS"]) || self.eat(&["CATALOG", "default_catalog"]) {
            return Ok(GrantOn::Catalog);
        }
        if self.is("CATALOG") {
            return Err(self.unsupported("there is only the catalog default_catalog"));
        }
        if self.eat(&["ALL", "DATABASES"]) {
            return Ok(GrantOn::AllDatabases);
        }
        for (one, many, kind) in [("TABLE", "TABLES", Grantable::Table), ("VIEW", "VIEWS", Grantable::View)] {
            if self.eat(&["ALL", many, "IN"]) {
                if self.eat(&["ALL", "DATABASES"]) {
                    return Ok(GrantOn::All(kind));
                }
                self.want(&["DATABASE"])?;
                return Ok(GrantOn::AllIn(kind, self.name(NameKind::Database)?));
            }
            if self.eat(&[one]) {
                return self.named_objects(kind);
            }
        }
        if self.eat(&["DATABASE"]) {
            return Ok(GrantOn::Databases(self.list(|cursor| cursor.name(NameKind::Database))?));
        }
        let foreign = usize::from(self.is("ALL"));
        if let Some(word) =
            FOREIGN_OBJECTS.iter().find(|word| self.is_at(foreign, word) && self.is_name_at(foreign + 1))
        {
            return Err(self.unsupported(format!("privileges on {word} are not supported; there are none")));
        }
        self.named_objects(Grantable::Table)
    }

    /// `*.*`, `d.*`, `d.t, ..`
    fn named_objects(&mut self, kind: Grantable) -> Parsed<GrantOn> {
        if self.eat_token(&Token::Mul) {
            self.want_token(&Token::Period)?;
            self.want_token(&Token::Mul)?;
            return Ok(GrantOn::All(kind));
        }
        if self.is_token_at(1, &Token::Period) && self.is_token_at(2, &Token::Mul) {
            let database = self.name(NameKind::Database)?;
            self.skip();
            self.skip();
            return Ok(GrantOn::AllIn(kind, database));
        }
        Ok(GrantOn::Named(kind, self.list(|cursor| cursor.object(NameKind::Table))?))
    }

    /// `USER u`, `ROLE r`, `u`
    fn grantee(&mut self) -> Parsed<Grantee> {
        if self.eat(&["ROLE"]) {
            return Ok(Grantee::Role(self.role_name()?));
        }
        self.eat(&["USER"]);
        Ok(Grantee::User(self.user_name()?))
    }

    /// `'name'[@'host']`; with or without quotation marks or back quotes.
    pub(in crate::sql) fn user_name(&mut self) -> Parsed<UserName> {
        let at = self.here();
        let mut host = None;
        let name = if self.is_string() {
            self.string("a user")?
        } else {
            match self.bare_word().and_then(|word| word.split_once('@')) {
                // Without quotation marks `ann@localhost` is one word, and `ann@'%'` begins with one.
                Some((name, rest)) if !name.is_empty() => {
                    let (name, rest) = (name.to_owned(), rest.to_owned());
                    self.skip();
                    host = Some(if rest.is_empty() { self.host()? } else { rest });
                    name
                }
                Some(_) | None => self.name(NameKind::User)?,
            }
        };
        if host.is_none() {
            host = self.at_host()?;
        }
        let user = UserName { name, host: host.unwrap_or_else(|| "%".to_owned()) };
        check_user(&user).map_err(|rule| {
            SqlError::syntax(format!("wrong user name {}", shorten(&user.to_string())), at.line, at.column).hint(rule)
        })?;
        Ok(user)
    }

    /// `@'host'`, when it comes next.
    fn at_host(&mut self) -> Parsed<Option<String>> {
        if self.eat_token(&Token::AtSign) {
            return self.host().map(Some);
        }
        let Some(rest) = self.bare_word().and_then(|word| word.strip_prefix('@')).map(ToOwned::to_owned) else {
            return Ok(None);
        };
        self.skip();
        if rest.is_empty() { self.host().map(Some) } else { Ok(Some(rest)) }
    }

    fn host(&mut self) -> Parsed<String> {
        if self.is_string() { self.string("a host") } else { self.name(NameKind::User) }
    }

    fn role_name(&mut self) -> Parsed<String> {
        let at = self.here();
        if !self.is_string() && !self.is_name_at(0) {
            return Err(self.expected("a role name"));
        }
        let name = if self.is_string() { self.string("a role")? } else { self.name(NameKind::User)? };
        check_role(&name).map_err(|rule| {
            SqlError::syntax(format!("wrong role name '{}'", shorten(&name)), at.line, at.column).hint(rule)
        })?;
        Ok(name)
    }

    /// `USER()`, `CURRENT_USER[()]`, when it comes next.
    fn eat_current_user(&mut self) -> Parsed<bool> {
        if self.is("USER") && self.is_token_at(1, &Token::LParen) {
            self.skip();
        } else if !self.eat(&["CURRENT_USER"]) {
            return Ok(false);
        }
        if self.eat_token(&Token::LParen) {
            self.want_token(&Token::RParen)?;
        }
        Ok(true)
    }

    fn secret(&mut self, what: &str) -> Parsed<Secret> {
        self.string(what).map(Secret::new)
    }

    /// `[IDENTIFIED ..] [REQUIRE SSL | NONE] [DEFAULT ROLE r, ..]`, in any order, each at most once.
    fn user_clauses(&mut self) -> Parsed<UserClauses> {
        let mut clauses = UserClauses::default();
        loop {
            if clauses.identified.is_none() && self.eat(&["IDENTIFIED"]) {
                clauses.identified = Some(self.identified()?);
            } else if clauses.require_tls.is_none() && self.eat(&["REQUIRE"]) {
                clauses.require_tls = Some(match self.eat_one(&["SSL", "NONE"]) {
                    Some("SSL") => true,
                    Some(_) => false,
                    None => return Err(self.expected("SSL or NONE")),
                });
            } else if clauses.roles.is_empty() && self.eat(&["DEFAULT", "ROLE"]) {
                clauses.roles = self.list(Self::role_name)?;
            } else {
                return Ok(clauses);
            }
        }
    }

    /// After IDENTIFIED.
    fn identified(&mut self) -> Parsed<Identified> {
        if self.eat(&["BY", "PASSWORD"]) {
            return Ok(Identified::As { plugin: NATIVE.to_owned(), digest: self.secret("a digest")? });
        }
        if self.eat(&["BY"]) {
            return Ok(Identified::By { plugin: None, password: self.secret("a password")? });
        }
        if !self.eat(&["WITH"]) {
            return Err(self.expected("BY or WITH"));
        }
        let plugin = if self.is_string() { self.string("a plugin")? } else { self.name(NameKind::User)? };
        if self.eat(&["AS"]) {
            return Ok(Identified::As { plugin, digest: self.secret("a digest")? });
        }
        let password = if self.eat(&["BY"]) { self.secret("a password")? } else { Secret::new(String::new()) };
        Ok(Identified::By { plugin: Some(plugin), password })
    }
}

/// What GRANT and REVOKE are about.
enum Given {
    Privileges(PrivilegeList),
    Roles(Vec<String>),
}
