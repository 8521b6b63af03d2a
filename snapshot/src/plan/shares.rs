//! How work is cut into tasks of bounded size, and where new tablets go.

use catalog::records::task::{PartitionShare, TaskKind, TaskProgress, TaskRecord, TaskState, TaskWork};
use env::ids::{JobId, NodeId, PartitionId};

/// How large a task may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TaskSizes {
    /// Tablets in one task, at least 1.
    pub tablets: usize,
}

impl Default for TaskSizes {
    fn default() -> Self {
        Self { tablets: 1_000 }
    }
}

/// What the tasks of one node have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TaskHead {
    /// Whose they are.
    pub job: JobId,
    /// What for.
    pub kind: TaskKind,
    /// Who does them.
    pub node: NodeId,
    /// The cut that they belong to.
    pub attempt: u32,
}

/// Appends one node's shares to `tasks`, as tasks of at most `sizes.tablets` tablets each; a large partition is spread
/// over several. They are numbered on from those that are there.
pub fn split(
    tasks: &mut Vec<TaskRecord>,
    head: TaskHead,
    shares: Vec<PartitionShare>,
    node_bytes: u64,
    sizes: TaskSizes,
) {
    let limit = sizes.tablets.max(1);
    let mut parts: Vec<Vec<PartitionShare>> = Vec::new();
    let mut room = 0;
    for share in shares {
        for tablets in share.tablets.chunks(limit) {
            let piece = PartitionShare { tablets: tablets.to_vec(), name: share.name.clone(), ..share };
            let len = piece.tablets.len();
            match parts.last_mut() {
                Some(part) if len <= room => {
                    part.push(piece);
                    room -= len;
                }
                Some(_) | None => {
                    parts.push(vec![piece]);
                    room = limit.saturating_sub(len);
                }
            }
        }
    }
    for shares in parts {
        let tablets = shares.iter().map(|share| share.tablets.len() as u64).sum();
        tasks.push(TaskRecord {
            job: head.job,
            kind: head.kind,
            node: head.node,
            seq: u32::try_from(tasks.len()).unwrap_or(u32::MAX),
            attempt: head.attempt,
            status: TaskState::Waiting,
            retries: 0,
            error: None,
            progress: TaskProgress { tablets, ..TaskProgress::default() },
            work: TaskWork::Tablets { shares, node_bytes, uploaded: Vec::new() },
        });
    }
}

/// The nodes of one bucket's replicas: different ones, in turn, so that buckets and partitions spread evenly. `nodes`
/// must have at least `replicas` members.
pub fn place(nodes: &[NodeId], partition: PartitionId, bucket: u32, replicas: u32) -> Vec<NodeId> {
    let start = usize::try_from(partition.0.wrapping_add(u64::from(bucket)) % (nodes.len().max(1) as u64)).unwrap_or(0);
    let replicas = usize::try_from(replicas).unwrap_or(usize::MAX).min(nodes.len());
    nodes.iter().cycle().skip(start).take(replicas).copied().collect()
}
