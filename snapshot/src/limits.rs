//! The limits of this node and of the jobs on it, as the job records say.

use catalog::records::job::{JobLimits, JobRecord};
use env::ids::JobId;
use parking_lot::Mutex;
use repository::{Limiter, Rates};
use std::collections::BTreeMap;

/// One limit for the node, and one below it for each job.
#[derive(Debug)]
pub(crate) struct Limits {
    node: Limiter,
    jobs: Mutex<BTreeMap<JobId, Limiter>>,
}

impl Limits {
    pub(crate) fn new(node: Rates) -> Self {
        Self { node: Limiter::new(node), jobs: Mutex::default() }
    }

    pub(crate) fn node(&self) -> &Limiter {
        &self.node
    }

    /// The job's limiter. Whoever removes what a job leaves behind does not wait for what the job has borrowed.
    pub(crate) fn of(&self, job: &JobRecord) -> Limiter {
        if job.is_done() || job.ending.is_some() {
            return self.node.child(Rates::default());
        }
        let make = || self.node.child(rates(job.limits));
        self.jobs.lock().entry(job.id).or_insert_with(make).clone()
    }

    /// Sets the job's limiter to what its newest record says; only for the one who follows that record.
    pub(crate) fn follow(&self, job: &JobRecord) {
        let (limiter, rates) = (self.of(job), rates(job.limits));
        if limiter.rates() != rates {
            limiter.set(rates);
        }
    }

    pub(crate) fn forget(&self, job: JobId) {
        self.jobs.lock().remove(&job);
    }
}

fn rates(limits: JobLimits) -> Rates {
    Rates { bytes_per_second: limits.max_bytes_per_second, requests_per_second: limits.max_requests_per_second }
}
