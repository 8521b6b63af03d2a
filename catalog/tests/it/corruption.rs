//! A damaged file gives errors or the right answers, never wrong answers and never a panic.

use crate::model::Model;
use crate::run;
use catalog::{At, EmbeddedOptions, EmbeddedStore, Error, ErrorKind, MetaStore, Revision, Write};
use env::disk::{Disk, MemDisk};
use std::sync::Arc;

const PATH: &str = "catalog.redb";

async fn open(disk: &MemDisk) -> Result<EmbeddedStore, Error> {
    let options = EmbeddedOptions { cache_bytes: 0, ..EmbeddedOptions::default() };
    EmbeddedStore::open_with(Arc::new(disk.clone()), PATH, options).await
}

/// A closed file with some history.
async fn filled(disk: &MemDisk) -> Model {
    let store = open(disk).await.unwrap();
    let mut model = Model::new(u64::MAX);
    for i in 0..40_u32 {
        let put = |key: String, len: usize| Write::Put { key, value: vec![i.to_le_bytes()[0]; len].into() };
        let mut writes = vec![put(format!("key/{}", i % 7), 300), put(format!("long/{i}"), 2_000)];
        if i % 5 == 4 {
            writes.push(Write::Delete { key: format!("long/{}", i - 3) });
        }
        assert_eq!(store.commit(vec![], writes.clone()).await.unwrap(), model.commit(&[], &writes).unwrap());
    }
    store.close().await.unwrap();
    model
}

/// Reads all there is; the first error.
async fn read_all(store: &EmbeddedStore) -> Result<(), Error> {
    let newest = store.revision().await?;
    for at in [At::Latest, At::Revision(Revision(20)), At::Revision(Revision(0))] {
        store.scan("", None, 1_000, at).await?;
    }
    let mut watch = store.watch("", Revision(0)).await?;
    while watch.next().await?.revision < newest {}
    Ok(())
}

fn assert_corrupt(failed: &Error, offset: usize) {
    let kind = failed.kind();
    let latched = matches!(failed, Error::Latched { .. });
    assert!(matches!(kind, ErrorKind::Corrupt | ErrorKind::Unsupported) || latched, "bit at {offset}: {failed:?}");
}

#[test]
fn a_flipped_bit_is_an_error_or_does_not_matter() {
    run(async {
        let disk = MemDisk::new();
        let model = filled(&disk).await;
        let whole = disk.read(PATH).unwrap();
        let mut dice = fastrand::Rng::with_seed(11);
        // All of the header, then a sample of the pages that hold something.
        let mut offsets: Vec<usize> = (0..320).collect();
        let used: Vec<usize> = (4096..whole.len()).filter(|offset| whole[*offset] != 0).collect();
        offsets.extend((0..800).map(|_| used[dice.usize(..used.len())]));
        let mut found = 0;
        for offset in offsets {
            let disk = MemDisk::new();
            let file = disk.create(PATH).unwrap();
            file.write_at(0, &whole).unwrap();
            disk.flip_bit(PATH, offset).unwrap();
            match open(&disk).await {
                Ok(store) => model.assert_same(&store).await,
                Err(failed) => {
                    assert_corrupt(&failed, offset);
                    found += 1;
                }
            }
        }
        assert!(found > 400, "most damage is seen when the file is opened: {found}");
    });
}

#[test]
fn a_bit_that_flips_while_the_file_is_open_is_an_error_or_does_not_matter() {
    run(async {
        let disk = MemDisk::new();
        let model = filled(&disk).await;
        let whole = disk.read(PATH).unwrap();
        let used: Vec<usize> = (4096..whole.len()).filter(|offset| whole[*offset] != 0).collect();
        let mut dice = fastrand::Rng::with_seed(12);
        let mut found = 0;
        for _ in 0..300 {
            let offset = used[dice.usize(..used.len())];
            let disk = MemDisk::new();
            disk.create(PATH).unwrap().write_at(0, &whole).unwrap();
            let store = open(&disk).await.unwrap();
            disk.flip_bit(PATH, offset).unwrap();
            match read_all(&store).await {
                // It may lie where only writers look, or in a key that no checksum of a value covers; then opening tells.
                Ok(()) => {}
                Err(failed) => {
                    assert_corrupt(&failed, offset);
                    found += 1;
                }
            }
            drop(store);
        }
        assert!(found > 100, "damage to values is seen when they are read: {found}");
        drop(model);
    });
}

#[test]
fn a_file_that_was_cut_or_is_something_else_is_refused() {
    run(async {
        let disk = MemDisk::new();
        filled(&disk).await;
        let whole = disk.read(PATH).unwrap();
        for len in [0, 1, 100, 4_095, 4_096, whole.len() / 2, whole.len() - 4_096, whole.len() - 1] {
            let disk = MemDisk::new();
            disk.create(PATH).unwrap().write_at(0, &whole[..len]).unwrap();
            let failed = open(&disk).await.err().unwrap_or_else(|| panic!("{len} bytes were taken for a catalog"));
            assert_eq!(failed.kind(), ErrorKind::Corrupt, "{len} bytes: {failed:?}");
        }
        for other in [&b"not a catalog"[..], &[0; 10_000], &[255; 10_000]] {
            let disk = MemDisk::new();
            disk.create(PATH).unwrap().write_at(0, other).unwrap();
            let failed = open(&disk).await.err().unwrap();
            assert_eq!(failed.kind(), ErrorKind::Corrupt, "{failed:?}");
            assert_eq!(&disk.read(PATH).unwrap()[..], other, "what is not ours is not touched");
        }
    });
}
