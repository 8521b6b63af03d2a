//! Statements run by a server, over the MySQL protocol.

use super::{Column, Finished, Sink};
use anyhow::{Context, Result, bail};
use mysql_async::consts::ColumnType;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, OptsBuilder, Value};

/// A connection to a server.
pub(super) struct Server {
    connection: Conn,
}

fn is_numeric(column: ColumnType) -> bool {
    column.is_numeric_type()
}

fn cell(value: Value) -> Option<String> {
    match value {
        Value::NULL => None,
        Value::Bytes(bytes) => Some(match String::from_utf8(bytes) {
            Ok(text) => text,
            Err(binary) => binary.into_bytes().iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}")),
        }),
        other @ (Value::Int(_)
        | Value::UInt(_)
        | Value::Float(_)
        | Value::Double(_)
        | Value::Date(..)
        | Value::Time(..)) => Some(other.as_sql(true).trim_matches('\'').to_owned()),
    }
}

/// The server's error as MySQL's own client shows it; the driver would tell it twice.
fn told(error: mysql_async::Error) -> anyhow::Error {
    if let mysql_async::Error::Server(error) = &error {
        return anyhow::anyhow!("ERROR {} ({}): {}", error.code, error.state, error.message);
    }
    error.into()
}

impl Server {
    pub(super) async fn open(address: &str, user: &str, password: Option<String>) -> Result<Self> {
        let Some((host, port)) = address.rsplit_once(':') else { bail!("--server takes HOST:PORT, not {address:?}") };
        let port = port.parse().with_context(|| format!("the port of --server {address:?}"))?;
        let options = OptsBuilder::default()
            .ip_or_hostname(host.trim_start_matches('[').trim_end_matches(']'))
            .tcp_port(port)
            .user(Some(user))
            .pass(password)
            .prefer_socket(false);
        let connection = Conn::new(options).await.with_context(|| format!("cannot connect to {address}"))?;
        Ok(Self { connection })
    }

    pub(super) async fn run(&mut self, statement: &str, sink: &mut dyn Sink) -> Result<Finished> {
        let mut result = self.connection.query_iter(statement).await.map_err(told)?;
        let columns = result.columns();
        let has_rows = columns.as_ref().is_some_and(|columns| !columns.is_empty());
        if let (true, Some(columns)) = (has_rows, columns) {
            let described = columns
                .iter()
                .map(|column| Column {
                    name: column.name_str().into_owned(),
                    numeric: is_numeric(column.column_type()),
                })
                .collect();
            sink.columns(described)?;
            while let Some(row) = result.next().await.map_err(told)? {
                let cells: Vec<Option<String>> = row.unwrap().into_iter().map(cell).collect();
                sink.row(&cells)?;
            }
        }
        let finished =
            Finished { affected: (!has_rows).then(|| result.affected_rows()), info: result.info().into_owned() };
        result.drop_result().await.map_err(told)?;
        Ok(finished)
    }

    pub(super) async fn close(self) -> Result<()> {
        self.connection.disconnect().await.context("cannot close the connection")
    }
}
