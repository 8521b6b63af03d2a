//! The body of a stream load: handed on piece by piece, within bounds, and never mistaken for complete.

use axum::body::BodyDataStream;
use bytes::Bytes;
use env::rt::sync::{mpsc, oneshot};
use env::rt::{Duration, time};
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use std::io;

/// Pieces that may wait for the loader; a piece is what came from the socket at once.
const PIECES_WAITING_MAX: usize = 8;

/// Bounds of a body.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BodyLimits {
    /// Longest body.
    pub(crate) bytes_max: u64,
    /// Longest time without a byte.
    pub(crate) idle_timeout: Duration,
}

enum Piece {
    Bytes(Bytes),
    /// The body is complete. Without it, the end of the pieces means that the client or the server went away.
    End,
    Failed(io::Error),
}

/// The end that reads from the client.
pub(crate) struct Pump {
    pieces: mpsc::Sender<Piece>,
    wanted: oneshot::Receiver<()>,
    limits: BodyLimits,
    begun: bool,
    /// Nothing more will come: the body is complete, or the client does not go on.
    ended: bool,
}

/// The two ends of a body's way: the pump, and the stream that the loader reads.
pub(crate) fn channel(limits: BodyLimits) -> (Pump, BoxStream<'static, io::Result<Bytes>>) {
    let (sender, receiver) = mpsc::channel(PIECES_WAITING_MAX);
    let (want, wanted) = oneshot::channel();
    let pump = Pump { pieces: sender, wanted, limits, begun: false, ended: false };
    let stream = stream::unfold((receiver, Some(want), false), |(mut receiver, want, ended)| async move {
        if ended {
            return None;
        }
        if let Some(want) = want {
            // When nobody is there to hear it, there will be no piece either.
            let _heard: Result<(), ()> = want.send(());
        }
        let (item, ended) = match receiver.recv().await {
            Some(Piece::Bytes(bytes)) => (Ok(bytes), false),
            Some(Piece::End) => return None,
            Some(Piece::Failed(error)) => (Err(error), true),
            None => (Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the body ended before it was complete")), true),
        };
        Some((item, (receiver, None, ended)))
    });
    (pump, stream.boxed())
}

impl Pump {
    /// Whether anything was read of the body. A client that waits for leave to send it has not got it before that.
    pub(crate) fn begun(&self) -> bool {
        self.begun
    }

    /// Hands the body on, from when the loader first asks for it until its end, or until the loader wants no more. May
    /// be dropped at any time: the loader then sees that the body is not complete.
    pub(crate) async fn run(&mut self, body: &mut BodyDataStream) {
        if (&mut self.wanted).await.is_err() {
            return;
        }
        self.begun = true;
        let mut total = 0_u64;
        let last = loop {
            let piece = match time::timeout(self.limits.idle_timeout, body.next()).await {
                Err(_elapsed) => {
                    self.ended = true;
                    break Piece::Failed(io::Error::new(io::ErrorKind::TimedOut, "the client sends nothing"));
                }
                Ok(None) => {
                    self.ended = true;
                    break Piece::End;
                }
                Ok(Some(Err(error))) => {
                    self.ended = true;
                    break Piece::Failed(io::Error::other(error));
                }
                Ok(Some(Ok(bytes))) => bytes,
            };
            total = total.saturating_add(u64::try_from(piece.len()).unwrap_or(u64::MAX));
            if total > self.limits.bytes_max {
                let message = format!("the body is longer than {} bytes", self.limits.bytes_max);
                break Piece::Failed(io::Error::new(io::ErrorKind::FileTooLarge, message));
            }
            if !piece.is_empty() && self.pieces.send(Piece::Bytes(piece)).await.is_err() {
                return;
            }
        };
        // When the loader has seen enough already, its answer says why.
        self.pieces.send(last).await.ok();
    }

    /// Reads on without use, so that a client that is still sending gets to read the answer. Not for ever: a client
    /// with much more to send loses the connection.
    pub(crate) async fn discard(&self, body: &mut BodyDataStream) {
        const DISCARDED_BYTES_MAX: usize = 64 << 20;
        if self.ended {
            return;
        }
        let discard = async {
            let mut discarded = 0;
            while let Some(Ok(bytes)) = body.next().await {
                discarded += bytes.len();
                if discarded > DISCARDED_BYTES_MAX {
                    break;
                }
            }
        };
        if time::timeout(Duration::from_secs(5), discard).await.is_err() {
            tracing::debug!("a client goes on sending the body of a load that has ended");
        }
    }
}
