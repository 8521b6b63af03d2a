//! CRC-32 of chunks and of the files that they make up; digests of names. Pure.

/// The unit that is checksummed, 1 MiB.
pub const CHUNK_BYTES: u32 = 1 << 20;

/// The CRC-32 of a whole from those of its chunks, without reading a byte again.
pub(crate) fn combine(len_bytes: u64, chunk_bytes: u64, chunks: &[u32]) -> u32 {
    let mut whole = crc32fast::Hasher::new();
    let mut left = len_bytes;
    for crc in chunks {
        let len = left.min(chunk_bytes);
        whole.combine(&crc32fast::Hasher::new_with_initial_len(*crc, len));
        left -= len;
    }
    whole.finalize()
}

/// The CRC-32 of each chunk of `bytes`.
pub(crate) fn chunks(bytes: &[u8], chunk_bytes: usize) -> impl Iterator<Item = u32> + '_ {
    bytes.chunks(chunk_bytes.max(1)).map(crc32fast::hash)
}

/// Sixteen bytes that stand for a name: no two names of a repository share them by accident.
pub(crate) fn digest(parts: &[&[u8]]) -> u128 {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    let mut bytes = [0; 16];
    hasher.finalize_xof().fill(&mut bytes);
    u128::from_le_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunk_checksums_combine_to_the_files() {
        let bytes: Vec<u8> = (0..100_000u32).flat_map(u32::to_le_bytes).collect();
        for len in [0, 1, 999, 1000, 1001, bytes.len()] {
            let crcs: Vec<u32> = chunks(&bytes[..len], 1000).collect();
            assert_eq!(combine(len as u64, 1000, &crcs), crc32fast::hash(&bytes[..len]), "{len}");
        }
    }
}
