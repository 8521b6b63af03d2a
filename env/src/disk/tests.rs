use super::*;

fn both(check: impl Fn(&dyn Disk)) {
    check(&MemDisk::new());
    let dir = tempfile::tempdir().unwrap();
    check(&RealDisk::new(dir.path().join("new").join("root")));
}

#[test]
fn a_directory_moves_whole_and_over_nothing() {
    both(|disk| {
        disk.create_dir("new/in").unwrap();
        disk.create("new/in/f").unwrap().write_at(0, b"x").unwrap();
        disk.create_dir("newer").unwrap();
        disk.create("newer/f").unwrap();
        disk.create("file").unwrap();
        disk.create_dir("empty").unwrap();
        assert_eq!(disk.rename_dir("none", "there").unwrap_err().kind(), io::ErrorKind::NotFound);
        assert_eq!(disk.rename_dir("new", "newer").unwrap_err().kind(), io::ErrorKind::DirectoryNotEmpty);
        assert_eq!(disk.rename_dir("new", "file").unwrap_err().kind(), io::ErrorKind::NotADirectory);
        disk.rename_dir("new", "empty").unwrap();
        disk.sync_dir("").unwrap();
        assert_eq!(&disk.read("empty/in/f").unwrap()[..], b"x");
        assert_eq!(disk.list("new").unwrap_err().kind(), io::ErrorKind::NotFound);
        assert_eq!(disk.list("newer").unwrap().len(), 1);
    });
}

#[test]
fn a_power_cut_keeps_a_moved_directory_under_one_of_its_names() {
    let names = |disk: &MemDisk| -> Vec<bool> {
        ["old", "new"].map(|dir| disk.read(&format!("{dir}/f")).is_ok_and(|bytes| &bytes[..] == b"x")).to_vec()
    };
    let mut seen = std::collections::BTreeSet::new();
    for seed in 0..20 {
        for sync in [false, true] {
            let disk = MemDisk::new();
            disk.create_dir("old").unwrap();
            let file = disk.create("old/f").unwrap();
            file.write_at(0, b"x").unwrap();
            file.sync_data().unwrap();
            disk.sync_dir("old").unwrap();
            disk.rename_dir("old", "new").unwrap();
            if sync {
                disk.sync_dir("").unwrap();
            }
            let disk = disk.power_cut(seed);
            let found = names(&disk);
            assert!(found == [false, true] || (!sync && found == [true, false]), "seed {seed}: {found:?}");
            assert_eq!(disk.list("").unwrap().len(), 1, "seed {seed}");
            seen.insert(found);
        }
    }
    assert_eq!(seen.len(), 2);
}

#[test]
fn every_disk_keeps_the_contract() {
    both(|disk| {
        disk.create_dir("a/b").unwrap();
        let file = disk.create("a/b/f").unwrap();
        assert_eq!(disk.create("a/b/f").unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        file.allocate(100).unwrap();
        assert_eq!(file.len().unwrap(), 0);
        file.write_at(3, b"xyz").unwrap();
        file.start_writeback(0, 6);
        file.sync_data().unwrap();
        assert_eq!(&disk.read("a/b/f").unwrap()[..], b"\0\0\0xyz");
        assert_eq!(&disk.map("a/b/f").unwrap()[..], b"\0\0\0xyz");
        let mut out = [0; 2];
        file.read_at(4, &mut out).unwrap();
        assert_eq!(&out, b"yz");
        assert_eq!(file.read_at(5, &mut out).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        disk.link("a/b/f", "a/b/g").unwrap();
        assert_eq!(disk.link("a/b/f", "a/b/g").unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        disk.remove("a/b/f").unwrap();
        assert_eq!(disk.read("a/b/f").unwrap_err().kind(), io::ErrorKind::NotFound);
        disk.rename("a/b/g", "a/h").unwrap();
        disk.sync_dir("a").unwrap();
        let names: Vec<_> = disk.list("a").unwrap().into_iter().map(|e| (e.name, e.len_bytes, e.is_dir)).collect();
        assert_eq!(names, [("b".to_owned(), 0, true), ("h".to_owned(), 6, false)]);
        disk.remove_dir("a/b").unwrap();
        assert_eq!(disk.list("a/b").unwrap_err().kind(), io::ErrorKind::NotFound);
        assert_eq!(disk.open("nothing").unwrap_err().kind(), io::ErrorKind::NotFound);
        assert!(disk.free_bytes().unwrap() > 0);
    });
}

#[test]
fn a_path_cannot_leave_its_directory() {
    let dir = tempfile::tempdir().unwrap();
    let disk = RealDisk::new(dir.path());
    for path in ["../x", "/etc/passwd", "a/../../x"] {
        assert_eq!(disk.read(path).unwrap_err().kind(), io::ErrorKind::InvalidInput, "{path}");
    }
}

#[test]
fn publish_shows_the_old_bytes_or_the_new_at_every_crash_point() {
    for point in 0.. {
        let disk = MemDisk::new();
        publish(&disk, "", "state", b"old old old").unwrap();
        disk.cut_after(point, point);
        let done = publish(&disk, "", "state", b"new").is_ok();
        let after = disk.reboot().read("state").unwrap();
        if done {
            assert_eq!(&after[..], b"new");
            assert!(point >= 4, "create, write, sync, rename and sync of the directory are crash points");
            return;
        }
        assert!(&after[..] == b"old old old" || &after[..] == b"new", "crash point {point}: {after:?}");
    }
}

#[test]
fn publish_new_never_replaces() {
    both(|disk| {
        disk.create_dir("").unwrap();
        publish_new(disk, "", "commit", b"first").unwrap();
        assert_eq!(publish_new(disk, "", "commit", b"second").unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(&disk.read("commit").unwrap()[..], b"first");
        assert_eq!(disk.list("").unwrap().len(), 1, "no temporary file stays");
    });
}

#[test]
fn unsynced_bytes_and_names_can_be_lost() {
    let lost = (0..64).any(|seed| {
        let disk = MemDisk::new();
        disk.create("f").unwrap().write_at(0, &[7; 4096]).unwrap();
        disk.power_cut(seed).read("f").is_err()
    });
    let torn = (0..64).any(|seed| {
        let disk = MemDisk::new();
        let file = disk.create("f").unwrap();
        disk.sync_dir("").unwrap();
        file.write_at(0, &[7; 4096]).unwrap();
        disk.power_cut(seed).read("f").is_ok_and(|bytes| bytes.iter().any(|byte| *byte != 7))
    });
    assert!(lost && torn);
}

#[test]
fn handles_of_an_earlier_life_are_dead() {
    let disk = MemDisk::new();
    let file = disk.create("f").unwrap();
    let next = disk.power_cut(1);
    assert!(file.write_at(0, b"late").is_err() && disk.list("").is_err());
    assert!(next.list("").is_ok());
}

#[test]
fn a_full_disk_says_so() {
    let disk = MemDisk::new();
    disk.limit(Some(10));
    let file = disk.create("f").unwrap();
    file.write_at(0, &[1; 10]).unwrap();
    assert_eq!(file.write_at(5, &[1; 10]).unwrap_err().kind(), io::ErrorKind::StorageFull);
    assert_eq!(publish(&disk, "", "g", &[0; 5]).unwrap_err().kind(), io::ErrorKind::StorageFull);
    assert_eq!(disk.list("").unwrap().len(), 1, "what could not be written is removed");
}
