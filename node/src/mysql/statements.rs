//! The prepared statements of a connection, and the commands about them.

use super::backend::Backend;
use super::cells::RowFormat;
use super::channel::ChannelError;
use super::codec::Fields;
use super::columns::put_parameter;
use super::connection::{Connection, refuse_local_files, utf8};
use super::prepared::{ParameterError, ParameterType, Template, take_execute_head, take_literals};
use crate::error::{EngineError, ErrorKind, codes};
use std::collections::BTreeMap;

/// Most of them that a connection may hold.
const STATEMENTS_MAX: usize = 4_096;

/// The prepared statements of a connection. Texts and long data together are bounded.
#[derive(Debug)]
pub(crate) struct Statements {
    prepared: BTreeMap<u32, Prepared>,
    last_id: u32,
    bytes: usize,
    bytes_max: usize,
}

#[derive(Debug)]
struct Prepared {
    template: Template,
    types: Vec<ParameterType>,
    /// Parameters that were sent ahead, by index.
    long: BTreeMap<usize, Vec<u8>>,
    /// More was sent ahead than is allowed: told at the execution, since long data has no reply.
    too_long: bool,
}

impl Prepared {
    fn long_bytes(&self) -> usize {
        self.long.values().map(Vec::len).sum()
    }
}

fn unknown(id: u32, what: &str) -> EngineError {
    let message = format!("Unknown prepared statement handler ({id}) given to {what}");
    EngineError::new(codes::UNKNOWN_STATEMENT, ErrorKind::NotFound, message)
}

impl Statements {
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self { prepared: BTreeMap::new(), last_id: 0, bytes: 0, bytes_max }
    }

    pub(crate) fn clear(&mut self) {
        self.prepared.clear();
        self.bytes = 0;
    }

    /// Keeps a statement; returns its number and how many parameters it has.
    fn prepare(&mut self, text: &str) -> Result<(u32, u16), EngineError> {
        if self.prepared.len() >= STATEMENTS_MAX || self.bytes + text.len() > self.bytes_max {
            let message = "This connection holds too many prepared statements. Close some of them";
            return Err(EngineError::new(codes::TOO_MANY_STATEMENTS, ErrorKind::Full, message));
        }
        let template = Template::new(text.to_owned());
        let parameters = u16::try_from(template.parameters())
            .map_err(|_too_many| EngineError::invalid("A prepared statement has at most 65535 parameters"))?;
        self.last_id = self.last_id.wrapping_add(1).max(1);
        while self.prepared.contains_key(&self.last_id) {
            self.last_id = self.last_id.wrapping_add(1).max(1);
        }
        self.bytes += text.len();
        let prepared = Prepared { template, types: Vec::new(), long: BTreeMap::new(), too_long: false };
        self.prepared.insert(self.last_id, prepared);
        Ok((self.last_id, parameters))
    }

    /// COM_STMT_CLOSE.
    pub(crate) fn close(&mut self, body: &[u8]) {
        if let Ok(id) = Fields(body).u32()
            && let Some(prepared) = self.prepared.remove(&id)
        {
            self.bytes -= prepared.template.text().len() + prepared.long_bytes();
        }
    }

    /// COM_STMT_RESET: forgets long data.
    pub(crate) fn reset(&mut self, body: &[u8]) -> Result<(), EngineError> {
        let id = Fields(body).u32().map_err(|malformed| EngineError::invalid(malformed.to_string()))?;
        let prepared = self.prepared.get_mut(&id).ok_or_else(|| unknown(id, "mysqld_stmt_reset"))?;
        self.bytes -= prepared.long_bytes();
        prepared.long.clear();
        prepared.too_long = false;
        Ok(())
    }

    /// COM_STMT_SEND_LONG_DATA.
    pub(crate) fn append_long_data(&mut self, body: &[u8]) {
        let mut fields = Fields(body);
        let (Ok(id), Ok(index)) = (fields.u32(), fields.u16()) else { return };
        let Some(prepared) = self.prepared.get_mut(&id) else { return };
        let index = usize::from(index);
        let data = fields.rest();
        if index >= prepared.template.parameters() {
            return;
        }
        if self.bytes + data.len() > self.bytes_max {
            prepared.too_long = true;
            return;
        }
        self.bytes += data.len();
        prepared.long.entry(index).or_default().extend_from_slice(data);
    }

    /// The text that COM_STMT_EXECUTE asks to be executed. Long data is used up by it.
    fn bind(&mut self, body: &[u8]) -> Result<String, EngineError> {
        let mut fields = Fields(body);
        let head = take_execute_head(&mut fields).map_err(|malformed| wrong_arguments(&malformed.into()))?;
        let id = head.statement;
        let prepared = self.prepared.get_mut(&id).ok_or_else(|| unknown(id, "mysqld_stmt_execute"))?;
        let long = std::mem::take(&mut prepared.long);
        self.bytes -= long.values().map(Vec::len).sum::<usize>();
        if std::mem::take(&mut prepared.too_long) {
            let message = "Parameters sent in parts are longer than 'max_allowed_packet' bytes";
            return Err(EngineError::new(codes::PACKET_TOO_LARGE, ErrorKind::Invalid, message));
        }
        let literals = take_literals(&mut fields, prepared.template.parameters(), &mut prepared.types, &long)
            .map_err(|error| wrong_arguments(&error))?;
        Ok(prepared.template.fill(&literals))
    }
}

fn wrong_arguments(error: &ParameterError) -> EngineError {
    let message = format!("Incorrect arguments to mysqld_stmt_execute: {error}");
    EngineError::new(codes::WRONG_ARGUMENTS, ErrorKind::Invalid, message)
}

impl<B: Backend> Connection<B> {
    pub(super) fn stmt_prepare(&mut self, body: &[u8]) {
        let prepared =
            utf8(body).and_then(|text| refuse_local_files(text).and_then(|()| self.statements.prepare(text)));
        let (id, parameters) = match prepared {
            Ok(prepared) => prepared,
            Err(error) => return self.fail(&error),
        };
        self.channel.put(|out| {
            out.push(0);
            out.extend_from_slice(&id.to_le_bytes());
            // The columns are told at the execution: they may depend on the parameters.
            out.extend_from_slice(&0_u16.to_le_bytes());
            out.extend_from_slice(&parameters.to_le_bytes());
            out.extend_from_slice(&[0, 0, 0]);
        });
        for _ in 0..parameters {
            self.channel.put(put_parameter);
        }
        if parameters > 0 {
            self.channel.put_end_of_columns(false);
        }
    }

    pub(super) async fn stmt_execute(&mut self, body: &[u8]) -> Result<(), ChannelError> {
        match self.statements.bind(body) {
            Ok(text) => self.execute_text(&text, RowFormat::Binary).await,
            Err(error) => {
                self.fail(&error);
                Ok(())
            }
        }
    }
}
