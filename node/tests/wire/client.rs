//! A small client of the protocol, written from its description and not from the server's code.

use node::mysql::Transport;
use sha1::{Digest, Sha1};
use sha2::Sha256;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

pub const CONNECT_WITH_DB: u32 = 8;
pub const PROTOCOL_41: u32 = 0x200;
pub const SECURE: u32 = 0x8000;
pub const MULTI_STATEMENTS: u32 = 0x1_0000;
pub const PLUGIN_AUTH: u32 = 0x8_0000;
pub const DEPRECATE_EOF: u32 = 0x100_0000;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerError {
    pub code: u16,
    pub state: String,
    pub message: String,
}

/// A column as it was announced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    pub table: String,
    pub name: String,
    pub charset: u16,
    pub length: u32,
    pub kind: u8,
    pub flags: u16,
    pub decimals: u8,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    Ok { affected: u64, status: u16, info: String },
    Rows { columns: Vec<Column>, rows: Vec<Vec<Option<String>>>, status: u16 },
}

impl Reply {
    pub fn rows(self) -> Vec<Vec<Option<String>>> {
        match self {
            Self::Rows { rows, .. } => rows,
            Self::Ok { .. } => panic!("no rows: {self:?}"),
        }
    }

    pub fn status(&self) -> u16 {
        match self {
            Self::Ok { status, .. } | Self::Rows { status, .. } => *status,
        }
    }
}

pub type Result<T> = std::result::Result<T, ServerError>;

pub struct Client {
    pub stream: Box<dyn Transport>,
    sequence: u8,
    pub salt: Vec<u8>,
    pub connection: u32,
    pub version: String,
    pub server_capabilities: u32,
    pub capabilities: u32,
    /// The method that is used in the first answer.
    pub plugin: &'static str,
    /// Methods that the server asked to switch to.
    pub switches: Vec<String>,
}

pub struct Parts<'a>(pub &'a [u8]);

impl<'a> Parts<'a> {
    pub fn bytes(&mut self, len: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(len);
        self.0 = rest;
        taken
    }

    pub fn int(&mut self, len: usize) -> u64 {
        self.bytes(len).iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte))
    }

    pub fn lenenc(&mut self) -> Option<u64> {
        match self.int(1) {
            0xfb => None,
            0xfc => Some(self.int(2)),
            0xfd => Some(self.int(3)),
            0xfe => Some(self.int(8)),
            small => Some(small),
        }
    }

    pub fn text(&mut self) -> Option<String> {
        let len = self.lenenc()?;
        Some(String::from_utf8_lossy(self.bytes(usize::try_from(len).unwrap())).into_owned())
    }

    pub fn nul(&mut self) -> String {
        let len = self.0.iter().position(|byte| *byte == 0).unwrap();
        let text = String::from_utf8_lossy(self.bytes(len)).into_owned();
        self.bytes(1);
        text
    }
}

fn error(packet: &[u8]) -> ServerError {
    let mut parts = Parts(&packet[1..]);
    let code = u16::try_from(parts.int(2)).unwrap();
    let state = if parts.0.first() == Some(&b'#') {
        String::from_utf8(parts.bytes(6)[1..].to_vec()).unwrap()
    } else {
        String::new()
    };
    ServerError { code, state, message: String::from_utf8_lossy(parts.0).into_owned() }
}

/// What proves `password` by the method `plugin`.
pub fn proof(plugin: &str, password: &str, salt: &[u8]) -> Vec<u8> {
    let xor = |left: &[u8], right: &[u8]| left.iter().zip(right).map(|(left, right)| left ^ right).collect();
    match (plugin, password) {
        ("caching_sha2_password", "") => vec![0],
        (_, "") => Vec::new(),
        ("caching_sha2_password", _) => {
            let once = Sha256::digest(password);
            xor(&once, &Sha256::digest([&Sha256::digest(once)[..], salt].concat()))
        }
        _ => {
            let once = Sha1::digest(password);
            xor(&once, &Sha1::digest([salt, &Sha1::digest(once)[..]].concat()))
        }
    }
}

impl Client {
    pub fn new(stream: Box<dyn Transport>) -> Self {
        Self {
            stream,
            sequence: 0,
            salt: Vec::new(),
            connection: 0,
            version: String::new(),
            server_capabilities: 0,
            capabilities: PROTOCOL_41 | SECURE | PLUGIN_AUTH | DEPRECATE_EOF | MULTI_STATEMENTS,
            plugin: "mysql_native_password",
            switches: Vec::new(),
        }
    }

    /// The next packet; `None` at the end of the stream.
    pub async fn read(&mut self) -> Option<Vec<u8>> {
        let mut packet = Vec::new();
        loop {
            let mut header = [0; 4];
            self.stream.read_exact(&mut header).await.ok()?;
            assert_eq!(header[3], self.sequence, "packets out of order");
            self.sequence = self.sequence.wrapping_add(1);
            let len = usize::from(header[0]) | usize::from(header[1]) << 8 | usize::from(header[2]) << 16;
            let start = packet.len();
            packet.resize(start + len, 0);
            self.stream.read_exact(&mut packet[start..]).await.ok()?;
            if len < 0xff_ffff {
                return Some(packet);
            }
        }
    }

    async fn expect(&mut self) -> Vec<u8> {
        self.read().await.expect("the server has closed the connection")
    }

    pub async fn write(&mut self, payload: &[u8]) {
        let mut rest = payload;
        loop {
            let (frame, after) = rest.split_at(rest.len().min(0xff_ffff));
            let [a, b, c, ..] = frame.len().to_le_bytes();
            // When the server has closed already, its last packet tells why.
            self.stream.write_all(&[a, b, c, self.sequence]).await.ok();
            self.stream.write_all(frame).await.ok();
            self.sequence = self.sequence.wrapping_add(1);
            rest = after;
            if frame.len() < 0xff_ffff {
                return;
            }
        }
    }

    pub async fn command(&mut self, command: u8, body: &[u8]) {
        self.sequence = 0;
        self.write(&[&[command], body].concat()).await;
    }

    /// Reads the greeting.
    pub async fn greeted(&mut self) -> Result<()> {
        let packet = self.expect().await;
        if packet[0] == 0xff {
            return Err(error(&packet));
        }
        let mut parts = Parts(&packet);
        assert_eq!(parts.int(1), 10);
        self.version = parts.nul();
        self.connection = u32::try_from(parts.int(4)).unwrap();
        self.salt = parts.bytes(8).to_vec();
        parts.bytes(1);
        let low = parts.int(2);
        parts.bytes(3);
        self.server_capabilities = u32::try_from(low | parts.int(2) << 16).unwrap();
        assert_eq!(parts.int(1), 21);
        parts.bytes(10);
        self.salt.extend_from_slice(parts.bytes(12));
        assert_eq!(parts.int(1), 0);
        assert_eq!(parts.nul(), "mysql_native_password");
        Ok(())
    }

    pub fn hello(&self, user: &str, answer: &[u8], database: Option<&str>) -> Vec<u8> {
        let capabilities = self.capabilities | if database.is_some() { CONNECT_WITH_DB } else { 0 };
        let mut packet = [&capabilities.to_le_bytes()[..], &[0, 0, 0, 1, 45], &[0; 23], user.as_bytes(), &[0]].concat();
        packet.push(u8::try_from(answer.len()).unwrap());
        packet.extend_from_slice(answer);
        if let Some(database) = database {
            packet.extend_from_slice(database.as_bytes());
            packet.push(0);
        }
        packet.extend_from_slice(self.plugin.as_bytes());
        packet.push(0);
        packet
    }

    pub async fn login(&mut self, user: &str, password: &str, database: Option<&str>) -> Result<()> {
        self.greeted().await?;
        let answer = proof(self.plugin, password, &self.salt);
        let hello = self.hello(user, &answer, database);
        self.write(&hello).await;
        self.finish_login(password).await
    }

    /// Follows the server until it says yes or no.
    pub async fn finish_login(&mut self, password: &str) -> Result<()> {
        loop {
            let packet = self.expect().await;
            match packet[0] {
                0 => return Ok(()),
                0xff => return Err(error(&packet)),
                1 => assert_eq!(packet, [1, 3]),
                0xfe => {
                    let mut parts = Parts(&packet[1..]);
                    let plugin = parts.nul();
                    let salt = parts.bytes(20).to_vec();
                    let answer = proof(&plugin, password, &salt);
                    self.switches.push(plugin);
                    self.write(&answer).await;
                }
                other => panic!("packet {other} while logging in"),
            }
        }
    }

    pub async fn query(&mut self, text: &str) -> Result<Reply> {
        self.command(3, text.as_bytes()).await;
        self.reply(false).await
    }

    /// One text.
    pub async fn value(&mut self, text: &str) -> String {
        self.query(text).await.unwrap().rows()[0][0].clone().unwrap()
    }

    fn status_of_end(&self, packet: &[u8]) -> u16 {
        if self.capabilities & DEPRECATE_EOF == 0 {
            assert_eq!(packet.len(), 5, "an EOF packet has five bytes");
            return u16::from_le_bytes([packet[3], packet[4]]);
        }
        let mut parts = Parts(&packet[1..]);
        parts.lenenc();
        parts.lenenc();
        u16::try_from(parts.int(2)).unwrap()
    }

    pub fn column(packet: &[u8]) -> Column {
        let mut parts = Parts(packet);
        assert_eq!(parts.text().as_deref(), Some("def"));
        parts.text();
        let table = parts.text().unwrap();
        parts.text();
        let name = parts.text().unwrap();
        parts.text();
        assert_eq!(parts.int(1), 0x0c);
        Column {
            table,
            name,
            charset: parts.int(2) as u16,
            length: parts.int(4) as u32,
            kind: parts.int(1) as u8,
            flags: parts.int(2) as u16,
            decimals: parts.int(1) as u8,
        }
    }

    pub async fn reply(&mut self, binary: bool) -> Result<Reply> {
        let packet = self.expect().await;
        match packet[0] {
            0xff => return Err(error(&packet)),
            0 => {
                let mut parts = Parts(&packet[1..]);
                let affected = parts.lenenc().unwrap();
                parts.lenenc();
                let status = u16::try_from(parts.int(2)).unwrap();
                parts.int(2);
                let info = if parts.0.is_empty() { String::new() } else { parts.text().unwrap() };
                return Ok(Reply::Ok { affected, status, info });
            }
            _ => {}
        }
        let count = Parts(&packet).lenenc().unwrap();
        let mut columns = Vec::new();
        for _ in 0..count {
            columns.push(Self::column(&self.expect().await));
        }
        if self.capabilities & DEPRECATE_EOF == 0 {
            assert_eq!(self.expect().await[0], 0xfe);
        }
        let mut rows = Vec::new();
        loop {
            let packet = self.expect().await;
            match packet[0] {
                0xff => return Err(error(&packet)),
                0xfe if packet.len() < 0xff_ffff => {
                    return Ok(Reply::Rows { columns, rows, status: self.status_of_end(&packet) });
                }
                _ if binary => rows.push(Self::binary_row(&columns, &packet)),
                _ => {
                    let mut parts = Parts(&packet);
                    rows.push(columns.iter().map(|_| parts.text()).collect());
                    assert!(parts.0.is_empty());
                }
            }
        }
    }

    fn binary_row(columns: &[Column], packet: &[u8]) -> Vec<Option<String>> {
        let mut parts = Parts(&packet[1..]);
        let nulls = parts.bytes((columns.len() + 9) / 8);
        let null = |index: usize| nulls[(index + 2) / 8] >> ((index + 2) % 8) & 1 == 1;
        let row = columns.iter().enumerate().map(|(index, column)| {
            (!null(index)).then(|| match column.kind {
                8 => parts.int(8).cast_signed().to_string(),
                253 => parts.text().unwrap(),
                other => panic!("type {other} is not known here"),
            })
        });
        let row = row.collect();
        assert!(parts.0.is_empty());
        row
    }

    /// Whether the server has closed the connection.
    pub async fn is_closed(&mut self) -> bool {
        let mut rest = Vec::new();
        self.stream.read_to_end(&mut rest).await.is_ok()
    }
}
