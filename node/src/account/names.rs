//! Names of users and roles, and the hosts that users come from. Pure.

use super::ANY_HOST;
use crate::sql::UserName;
use std::fmt;
use std::net::IpAddr;

/// The longest name of a user or role, in characters.
const NAME_CHARS_MAX: usize = 64;
/// The longest pattern of hosts, in characters.
const HOST_CHARS_MAX: usize = 255;

/// Who somebody is: the account, not the address they came from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identity {
    /// The user's name.
    pub name: String,
    /// The pattern of hosts that the account is for.
    pub host: String,
}

impl Identity {
    /// The account of a name that is for every host.
    pub fn anywhere(name: &str) -> Self {
        Self { name: name.to_owned(), host: ANY_HOST.to_owned() }
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "'{}'@'{}'", self.name, self.host)
    }
}

impl From<&UserName> for Identity {
    fn from(written: &UserName) -> Self {
        Self { name: written.name.clone(), host: written.host.clone() }
    }
}

fn is_name(name: &str) -> bool {
    (1..=NAME_CHARS_MAX).contains(&name.chars().count()) && !name.chars().any(|c| c.is_control() || c == '\'')
}

/// Whether a user may be called so.
///
/// # Errors
/// The rule that is broken.
pub(crate) fn check_user(user: &UserName) -> Result<(), &'static str> {
    if !is_name(&user.name) {
        return Err("a user's name is 1 to 64 characters, none of them a quotation mark or control character");
    }
    let good = |c: char| c.is_ascii_alphanumeric() || "%_.:-".contains(c);
    if !(1..=HOST_CHARS_MAX).contains(&user.host.chars().count()) || !user.host.chars().all(good) {
        return Err("a user's host is an address or a pattern of addresses, with % for any characters and _ for one");
    }
    Ok(())
}

/// Whether a role may be called so.
///
/// # Errors
/// The rule that is broken.
pub(crate) fn check_role(name: &str) -> Result<(), &'static str> {
    if is_name(name) {
        Ok(())
    } else {
        Err("a role's name is 1 to 64 characters, none of them a quotation mark or control character")
    }
}

/// Whether a client at `host` is within the machine itself.
pub(crate) fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback())
}

/// Whether a client at `host`, an address, matches a pattern. `localhost` stands for every address of the machine itself.
pub(super) fn host_matches(pattern: &str, host: &str) -> bool {
    // Over an IPv6 socket an IPv4 client has an address in another form.
    let plain = host.parse::<IpAddr>().map_or_else(|_no_address| host.to_owned(), |ip| ip.to_canonical().to_string());
    if pattern.eq_ignore_ascii_case("localhost") && is_loopback(host) {
        return true;
    }
    crate::show::like(&pattern.to_ascii_lowercase(), &plain.to_ascii_lowercase())
}

/// How narrow a pattern is: of those that match, the narrowest is taken. A literal comes before a pattern, and of patterns the
/// one whose first wildcard comes last.
pub(super) fn narrowness(pattern: &str) -> usize {
    pattern.find(['%', '_']).unwrap_or(usize::MAX)
}
