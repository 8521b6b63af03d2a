//! Named places where a test can stop a process, to kill it there.
//!
//! A process that was told [`stop_at`] `"backup.uploading"` never gets past `at("backup.uploading")`: it writes the
//! name to the given notice and waits for ever. Without such an order, a point costs one atomic load.

use parking_lot::Mutex;
use std::sync::OnceLock;

type Notice = Box<dyn FnMut(&str) + Send>;

struct Order {
    point: String,
    notice: Mutex<Notice>,
}

static ORDER: OnceLock<Order> = OnceLock::new();

/// Orders this process to stop for good at `point`; `notice` is called with the name when it does. Only the first
/// order counts: a process is told once, when it starts.
pub fn stop_at(point: &str, notice: impl FnMut(&str) + Send + 'static) {
    ORDER.get_or_init(|| Order { point: point.to_owned(), notice: Mutex::new(Box::new(notice)) });
}

/// Passes, unless this process was ordered to stop at `point`.
pub async fn at(point: &str) {
    if let Some(order) = ORDER.get()
        && order.point == point
    {
        (order.notice.lock())(point);
        std::future::pending::<()>().await;
    }
}
