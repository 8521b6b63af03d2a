//! Ctrl-C and SIGTERM: the command stops, and what it keeps open in the repository is ended first.

use env::rt::CancellationToken;
use tokio::signal::unix::{SignalKind, signal};

/// A token that says stop when a signal asks for it.
pub(super) fn listen() -> CancellationToken {
    let stop = CancellationToken::new();
    let told = stop.clone();
    tokio::spawn(async move {
        let terminate = async {
            match signal(SignalKind::terminate()) {
                Ok(mut signal) => signal.recv().await,
                Err(_) => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = terminate => {}
        }
        told.cancel();
    });
    stop
}
