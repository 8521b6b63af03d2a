use super::*;
use proptest::prelude::*;

#[test]
fn lengths_have_the_four_forms_of_the_protocol() {
    let encoded = |value| {
        let mut out = Vec::new();
        put_lenenc(&mut out, value);
        out
    };
    assert_eq!(encoded(250), [250]);
    assert_eq!(encoded(251), [0xfc, 251, 0]);
    assert_eq!(encoded(0xffff), [0xfc, 0xff, 0xff]);
    assert_eq!(encoded(0x1_0000), [0xfd, 0, 0, 1]);
    assert_eq!(encoded(0xff_ffff), [0xfd, 0xff, 0xff, 0xff]);
    assert_eq!(encoded(0x100_0000), [0xfe, 0, 0, 0, 1, 0, 0, 0, 0]);
}

#[test]
fn a_length_beyond_the_packet_is_malformed() {
    assert_eq!(Fields(&[0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]).lenenc_bytes(), Err(Malformed));
    assert_eq!(Fields(&[5, 1, 2]).lenenc_bytes(), Err(Malformed));
    assert_eq!(Fields(&[0xfb]).lenenc(), Err(Malformed));
    assert_eq!(Fields(b"abc").until_nul(), Err(Malformed));
    assert_eq!(Fields(b"abc").until_nul_or_end(), b"abc");
}

proptest! {
    #[test]
    fn what_was_put_is_read_back(values in prop::collection::vec(any::<u64>(), 0..20), text in prop::collection::vec(any::<u8>(), 0..70_000)) {
        let mut out = Vec::new();
        for value in &values {
            put_lenenc(&mut out, *value);
        }
        put_lenenc_bytes(&mut out, &text);
        let mut fields = Fields(&out);
        for value in &values {
            prop_assert_eq!(fields.lenenc(), Ok(*value));
        }
        prop_assert_eq!(fields.lenenc_bytes(), Ok(&text[..]));
        prop_assert!(fields.is_empty());
    }
}
