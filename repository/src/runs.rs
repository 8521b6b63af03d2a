//! Which files are read together: those that lie close to each other in one object. Pure.
//!
//! A pack holds thousands of small files. Asked for one by one, each costs a request: on a store on the network that is
//! some 30 ms and its price, whatever the length.

use crate::manifest::FileEntry;

/// Bytes between two files that are read and thrown away rather than asked for around.
const GAP_BYTES_MAX: u64 = 64 << 10;
/// No run has more files.
const FILES_MAX: usize = 1024;

/// `files` in runs, each of one object and in the order of their offsets. A run of several files spans at most
/// `span_bytes_max` bytes from the first one's begin to the last one's end.
pub fn runs<T>(mut files: Vec<(T, FileEntry)>, span_bytes_max: u64) -> Vec<Vec<(T, FileEntry)>> {
    files.sort_by(|(_, a), (_, b)| (&a.object, a.offset).cmp(&(&b.object, b.offset)));
    let mut runs: Vec<Vec<(T, FileEntry)>> = Vec::new();
    let (mut begin, mut end) = (0, 0);
    for (of, file) in files {
        let file_end = file.offset.saturating_add(file.len_bytes);
        let fits = |run: &&mut Vec<(T, FileEntry)>| {
            run.len() < FILES_MAX
                && run.first().is_some_and(|(_, first)| first.object == file.object)
                && file.offset.saturating_sub(end) <= GAP_BYTES_MAX
                && file_end.saturating_sub(begin) <= span_bytes_max
        };
        if let Some(run) = runs.last_mut().filter(fits) {
            end = end.max(file_end);
            run.push((of, file));
        } else {
            (begin, end) = (file.offset, file_end);
            runs.push(vec![(of, file)]);
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checksum::CHUNK_BYTES;

    fn file(object: &str, offset: u64, len_bytes: u64) -> ((), FileEntry) {
        let (name, object) = (format!("{object}-{offset}"), object.to_owned());
        let (chunk_bytes, chunks) = (CHUNK_BYTES, Vec::new());
        ((), FileEntry { name, id: None, len_bytes, crc32: 0, object, offset, chunk_bytes, chunks })
    }

    fn offsets(files: Vec<((), FileEntry)>, span_bytes_max: u64) -> Vec<Vec<u64>> {
        let runs = runs(files, span_bytes_max);
        runs.into_iter().map(|run| run.into_iter().map(|((), file)| file.offset).collect()).collect()
    }

    #[test]
    fn neighbours_in_one_object_are_read_together() {
        let files = vec![file("b", 0, 5), file("a", 10, 5), file("a", 0, 10)];
        assert_eq!(offsets(files, 100), [vec![0, 10], vec![0]]);
    }

    #[test]
    fn a_run_is_bounded_in_its_span_its_gaps_and_its_number_of_files() {
        let files = || vec![file("a", 0, 10), file("a", 10, 10), file("a", 20, 10)];
        assert_eq!(offsets(files(), 30), [vec![0, 10, 20]]);
        assert_eq!(offsets(files(), 29), [vec![0, 10], vec![20]]);
        assert_eq!(offsets(files(), 1), [vec![0], vec![10], vec![20]], "a file alone may be longer");
        let apart = |gap| vec![file("a", 0, 10), file("a", 10 + gap, 10)];
        assert_eq!(offsets(apart(GAP_BYTES_MAX), u64::MAX).len(), 1);
        assert_eq!(offsets(apart(GAP_BYTES_MAX + 1), u64::MAX).len(), 2);
        let many = (0..=FILES_MAX as u64).map(|offset| file("a", offset, 1)).collect();
        assert_eq!(offsets(many, u64::MAX).len(), 2);
        let odd = vec![file("a", u64::MAX, u64::MAX), file("a", u64::MAX, 1), file("a", 0, 0)];
        assert_eq!(runs(odd, u64::MAX).into_iter().flatten().count(), 3, "what is out of place is not lost");
    }
}
