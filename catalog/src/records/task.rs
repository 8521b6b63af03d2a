//! Work of a job on one node.
