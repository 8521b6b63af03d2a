use super::*;
use crate::error::ErrorKind;
use crate::names::Generation;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Thing {
    format: u32,
    text: String,
}

fn owner() -> Owner {
    Owner { generation: Generation(3), token: "0123456789abcdef0123456789abcdef".into() }
}

#[test]
fn every_flipped_bit_and_every_cut_of_a_sealed_document_is_seen() {
    let (bytes, hash) = seal(&Thing { format: 1, text: "hello".into() }).unwrap();
    assert_eq!(unseal::<Thing>("x", &bytes).unwrap(), (Thing { format: 1, text: "hello".into() }, hash));
    for byte in 0..bytes.len() {
        for bit in 0..8 {
            let mut damaged = bytes.to_vec();
            damaged[byte] ^= 1 << bit;
            assert_eq!(unseal::<Thing>("x", &damaged).unwrap_err().kind(), ErrorKind::Corrupt, "{byte}.{bit}");
        }
        assert_eq!(unseal::<Thing>("x", &bytes[..byte]).unwrap_err().kind(), ErrorKind::Corrupt, "{byte}");
    }
}

#[test]
fn a_newer_format_is_not_damage() {
    let (bytes, _) = seal(&Thing { format: 2, text: "future".into() }).unwrap();
    let failed = unseal::<Thing>("commits/1.json", &bytes).unwrap_err();
    assert_eq!(failed.kind(), ErrorKind::Unsupported);
    assert_eq!(
        failed.to_string(),
        "object \"commits/1.json\" has format 2, this program reads formats up to 1; use a newer program"
    );
}

#[test]
fn a_page_of_lines_comes_back() {
    let mut lines = Lines::new(PageKind::Tablets);
    assert!(lines.is_empty());
    for text in ["a", "b"] {
        lines.push(&Thing { format: 9, text: text.into() }).unwrap();
    }
    let bytes = lines.take();
    assert!(lines.is_empty() && lines.len_bytes() == 0);
    let page = PageRef::of(&owner(), PageKind::Tablets, &bytes).unwrap();
    page.check(PageKind::Tablets).unwrap();
    let back: Vec<(u64, Thing)> = decode_lines(&page, PageKind::Tablets, &bytes).unwrap();
    assert_eq!(back.iter().map(|(_, thing)| thing.text.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    for (offset, thing) in &back {
        assert!(bytes[usize::try_from(*offset).unwrap()..].starts_with(&serde_json::to_vec(thing).unwrap()));
    }
    assert_eq!(
        decode_lines::<Thing>(&page, PageKind::Tablets, &bytes.slice(1..)).unwrap_err().kind(),
        ErrorKind::Corrupt
    );
    assert_eq!(page.check(PageKind::Table).unwrap_err().kind(), ErrorKind::Corrupt);
}

#[test]
fn a_reference_that_promises_too_much_is_refused_before_reading() {
    let bytes = encode(PageKind::Table, &1).unwrap();
    let page = PageRef::of(&owner(), PageKind::Table, &bytes).unwrap();
    let huge = PageRef { len_bytes: u64::MAX, ..page.clone() };
    assert_eq!(huge.check(PageKind::Table).unwrap_err().kind(), ErrorKind::Corrupt);
    let elsewhere = PageRef { name: "data/../x".into(), ..page.clone() };
    assert_eq!(elsewhere.check(PageKind::Table).unwrap_err().kind(), ErrorKind::Corrupt);
    let future = PageRef { format: 7, ..page };
    assert_eq!(future.check(PageKind::Table).unwrap_err().kind(), ErrorKind::Unsupported);
}
