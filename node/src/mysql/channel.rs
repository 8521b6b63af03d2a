//! Packets over a byte stream: lengths, sequence numbers, packets of 16 MiB and more, bounds and time limits.
//!
//! Owns the two buffers. What is to be sent is collected and leaves in large writes; reading never takes more memory
//! than the bytes that came. Knows nothing of what packets mean, except OK, EOF and ERR, which everything sends.

use super::capabilities::{self, status};
use super::codec::{put_lenenc, put_lenenc_bytes};
use crate::error::EngineError;
use bytes::{Buf, BufMut, Bytes, BytesMut};
use env::rt::{CancellationToken, Duration, time};
use std::io;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// The longest payload of one frame; one that is exactly this long is continued by the next.
pub(crate) const FRAME_LEN_BYTES_MAX: usize = 0xff_ffff;
const READ_AHEAD_BYTES: usize = 64 << 10;
const FLUSH_AT_BYTES: usize = 64 << 10;
const KEEP_BUFFER_BYTES_MAX: usize = 1 << 20;

/// A byte stream to a client: a socket, a TLS session over one, or memory in tests.
pub trait Transport: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Transport for T {}

/// Why a connection cannot go on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ChannelError {
    /// The client closed it between two packets.
    #[error("closed by the client")]
    Closed,
    #[error("a packet of more than {max} bytes")]
    TooLarge { max: usize },
    #[error("packet {found} came where {expected} was due")]
    OutOfOrder { expected: u8, found: u8 },
    #[error("the client does not read")]
    WriteTimeout,
    #[error("killed")]
    Killed,
    #[error(transparent)]
    Io(#[from] io::Error),
}

pub(crate) struct Channel {
    stream: Box<dyn Transport>,
    inbound: BytesMut,
    outbound: Vec<u8>,
    /// Number of the next packet, in either direction.
    sequence: u8,
    packet_len_bytes_max: usize,
    read_ahead: bool,
    write_timeout: Duration,
    kill: CancellationToken,
    /// What both ends can do.
    pub(crate) capabilities: u32,
    /// The stream is a TLS session.
    pub(crate) secure: bool,
}

impl Channel {
    /// A channel for a client who has not logged in: small packets only, and no byte is read that was not asked for,
    /// since a TLS session may begin at any byte.
    pub(crate) fn new(
        stream: Box<dyn Transport>,
        packet_len_bytes_max: usize,
        write_timeout: Duration,
        kill: CancellationToken,
    ) -> Self {
        Self {
            stream,
            inbound: BytesMut::new(),
            outbound: Vec::new(),
            sequence: 0,
            packet_len_bytes_max,
            read_ahead: false,
            write_timeout,
            kill,
            capabilities: 0,
            secure: false,
        }
    }

    /// The client has logged in: larger packets, larger reads.
    pub(crate) fn open_wide(&mut self, packet_len_bytes_max: usize) {
        self.packet_len_bytes_max = packet_len_bytes_max;
        self.read_ahead = true;
    }

    pub(crate) fn can(&self, capability: u32) -> bool {
        self.capabilities & capability != 0
    }

    /// Takes the stream away, to make another of it. Only sound while nothing was read ahead and all was flushed.
    pub(crate) fn take_stream(&mut self) -> Box<dyn Transport> {
        std::mem::replace(&mut self.stream, Box::new(tokio::io::empty()))
    }

    /// Goes on over `stream`.
    pub(crate) fn set_stream(&mut self, stream: Box<dyn Transport>) {
        self.stream = stream;
    }

    /// The next command of the client: its packets count from 0 again, and so do the replies.
    pub(crate) async fn read_command(&mut self) -> Result<Bytes, ChannelError> {
        self.sequence = 0;
        self.read_packet().await
    }

    /// What is sent next is the reply to a command, though none was read.
    pub(crate) fn begin_reply(&mut self) {
        self.sequence = 1;
    }

    /// The next packet, joined from its frames. When the future is dropped, the connection cannot be used any more.
    pub(crate) async fn read_packet(&mut self) -> Result<Bytes, ChannelError> {
        let mut joined = BytesMut::new();
        let mut frames = 0_usize;
        loop {
            if !self.fill(4).await? {
                let clean = frames == 0 && self.inbound.is_empty();
                return Err(if clean {
                    ChannelError::Closed
                } else {
                    io::Error::from(io::ErrorKind::UnexpectedEof).into()
                });
            }
            let header = self.inbound.get_u32_le();
            let [a, b, c, sequence] = header.to_le_bytes();
            let len = usize::try_from(u32::from_le_bytes([a, b, c, 0])).unwrap_or(usize::MAX);
            let expected = std::mem::replace(&mut self.sequence, sequence.wrapping_add(1));
            if sequence != expected {
                return Err(ChannelError::OutOfOrder { expected, found: sequence });
            }
            if joined.len().saturating_add(len) > self.packet_len_bytes_max {
                return Err(ChannelError::TooLarge { max: self.packet_len_bytes_max });
            }
            if !self.fill(len).await? {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
            let frame = self.inbound.split_to(len);
            frames += 1;
            if len < FRAME_LEN_BYTES_MAX && frames == 1 {
                return Ok(frame.freeze());
            }
            joined.unsplit(frame);
            if len < FRAME_LEN_BYTES_MAX {
                return Ok(joined.freeze());
            }
        }
    }

    /// Reads until `len` bytes are buffered; false when the stream ends before.
    async fn fill(&mut self, len: usize) -> io::Result<bool> {
        while self.inbound.len() < len {
            let missing = len - self.inbound.len();
            let read = if self.read_ahead {
                // Grows with what has come, not with what was announced.
                self.inbound.reserve(READ_AHEAD_BYTES);
                self.stream.read_buf(&mut self.inbound).await?
            } else {
                self.inbound.reserve(missing.min(READ_AHEAD_BYTES));
                self.stream.read_buf(&mut (&mut self.inbound).limit(missing)).await?
            };
            if read == 0 {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Resolves when the client has closed the connection. Bytes that come meanwhile are kept. May be dropped at any
    /// time.
    pub(crate) async fn gone(&mut self) {
        loop {
            if self.inbound.len() >= READ_AHEAD_BYTES {
                return std::future::pending().await;
            }
            self.inbound.reserve(READ_AHEAD_BYTES);
            match self.stream.read_buf(&mut self.inbound).await {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
        }
    }

    /// Appends a packet whose payload `fill` writes.
    pub(crate) fn put(&mut self, fill: impl FnOnce(&mut Vec<u8>)) {
        let filled: Result<(), std::convert::Infallible> = self.try_put(|out| {
            fill(out);
            Ok(())
        });
        match filled {
            Ok(()) => {}
        }
    }

    /// Appends a packet whose payload `fill` writes; nothing is appended when it fails.
    pub(crate) fn try_put<E>(&mut self, fill: impl FnOnce(&mut Vec<u8>) -> Result<(), E>) -> Result<(), E> {
        let start = self.outbound.len();
        self.outbound.extend_from_slice(&[0; 4]);
        if let Err(error) = fill(&mut self.outbound) {
            self.outbound.truncate(start);
            return Err(error);
        }
        let len = self.outbound.len() - start - 4;
        if len < FRAME_LEN_BYTES_MAX {
            let header = self.next_header(len);
            if let Some(place) = self.outbound.get_mut(start..start + 4) {
                place.copy_from_slice(&header);
            }
            return Ok(());
        }
        let payload = self.outbound.split_off(start + 4);
        self.outbound.truncate(start);
        let mut frames = payload.chunks_exact(FRAME_LEN_BYTES_MAX);
        for frame in &mut frames {
            let header = self.next_header(FRAME_LEN_BYTES_MAX);
            self.outbound.extend_from_slice(&header);
            self.outbound.extend_from_slice(frame);
        }
        // A full frame says that another follows: the last one is shorter, if need be empty.
        let last = frames.remainder();
        let header = self.next_header(last.len());
        self.outbound.extend_from_slice(&header);
        self.outbound.extend_from_slice(last);
        Ok(())
    }

    fn next_header(&mut self, len: usize) -> [u8; 4] {
        let [a, b, c, ..] = len.to_le_bytes();
        let header = [a, b, c, self.sequence];
        self.sequence = self.sequence.wrapping_add(1);
        header
    }

    /// Whether enough was collected for a write.
    pub(crate) fn is_full(&self) -> bool {
        self.outbound.len() >= FLUSH_AT_BYTES
    }

    /// Sends what was collected, if it is much.
    pub(crate) async fn flush_if_full(&mut self) -> Result<(), ChannelError> {
        if self.is_full() { self.flush().await } else { Ok(()) }
    }

    /// Sends all that was collected. A client who does not read is given up after the write time-out, or when the
    /// connection is killed. After an error the connection cannot be used any more.
    pub(crate) async fn flush(&mut self) -> Result<(), ChannelError> {
        let Self { stream, outbound, kill, write_timeout, .. } = self;
        if !outbound.is_empty() {
            let write = async {
                stream.write_all(outbound).await?;
                stream.flush().await
            };
            env::select! {
                written = time::timeout(*write_timeout, write) => match written {
                    Ok(written) => written?,
                    Err(_elapsed) => return Err(ChannelError::WriteTimeout),
                },
                () = kill.cancelled() => return Err(ChannelError::Killed),
            }
            outbound.clear();
            outbound.shrink_to(KEEP_BUFFER_BYTES_MAX);
        }
        Ok(())
    }

    /// Tells the client that nothing more will come.
    pub(crate) async fn close(&mut self) {
        // The client may be gone already; there is nobody else to tell.
        let _closed: Result<io::Result<()>, time::Elapsed> =
            time::timeout(Duration::from_secs(1), self.stream.shutdown()).await;
    }

    /// Appends an OK packet.
    pub(crate) fn put_ok(&mut self, affected: u64, info: &str, more_results: bool) {
        self.put_ok_as(0, affected, info, more_results);
    }

    fn put_ok_as(&mut self, header: u8, affected: u64, info: &str, more_results: bool) {
        self.put(|out| {
            out.push(header);
            put_lenenc(out, affected);
            put_lenenc(out, 0);
            out.extend_from_slice(&status(more_results).to_le_bytes());
            out.extend_from_slice(&0_u16.to_le_bytes());
            // Documented as the rest of the packet; real servers send, and clients read, its length first.
            if !info.is_empty() {
                put_lenenc_bytes(out, info.as_bytes());
            }
        });
    }

    /// Appends the packet that ends the rows of a result.
    pub(crate) fn put_end_of_rows(&mut self, more_results: bool) {
        if self.can(capabilities::DEPRECATE_EOF) {
            self.put_ok_as(0xfe, 0, "", more_results);
        } else {
            self.put_eof(more_results);
        }
    }

    /// Appends the packet that ends column definitions, for a client who wants one.
    pub(crate) fn put_end_of_columns(&mut self, more_results: bool) {
        if !self.can(capabilities::DEPRECATE_EOF) {
            self.put_eof(more_results);
        }
    }

    /// Appends an EOF packet: five bytes, never more, or clients take it for a row.
    pub(crate) fn put_eof(&mut self, more_results: bool) {
        self.put(|out| {
            out.extend_from_slice(&[0xfe, 0, 0]);
            out.extend_from_slice(&status(more_results).to_le_bytes());
        });
    }

    /// Appends an ERR packet. Before the client has said what it can do, it is one without SQLSTATE.
    pub(crate) fn put_error(&mut self, error: &EngineError) {
        let with_state = self.can(capabilities::PROTOCOL_41);
        self.put(|out| {
            out.push(0xff);
            out.extend_from_slice(&error.code.to_le_bytes());
            if with_state {
                out.push(b'#');
                out.extend_from_slice(error.state.as_bytes());
            }
            out.extend_from_slice(error.message.as_bytes());
        });
    }
}

#[cfg(test)]
mod tests;
