//! Bytes that a person writes as text: separators and marks of separated fields. Pure.

/// `\t`, `\n`, `\x01` and the like as the bytes that they stand for; what stands for nothing stays as it is.
pub(crate) fn unescape(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let (byte, behind) = match (first, after) {
            (b'\\', [b't', behind @ ..]) => (b'\t', behind),
            (b'\\', [b'n', behind @ ..]) => (b'\n', behind),
            (b'\\', [b'r', behind @ ..]) => (b'\r', behind),
            (b'\\', [b'0', behind @ ..]) => (0, behind),
            (b'\\', [b'\\', behind @ ..]) => (b'\\', behind),
            (b'\\', [b'x' | b'X', high, low, behind @ ..]) => match pair(*high, *low) {
                Some(byte) => (byte, behind),
                None => (b'\\', after),
            },
            _ => (*first, after),
        };
        bytes.push(byte);
        rest = behind;
    }
    bytes
}

/// The bytes of pairs of hexadecimal digits; none when there is anything else.
pub(crate) fn hex(digits: &str) -> Option<Vec<u8>> {
    let (pairs, []) = digits.as_bytes().as_chunks::<2>() else { return None };
    if pairs.is_empty() { None } else { pairs.iter().map(|[high, low]| pair(*high, *low)).collect() }
}

fn pair(high: u8, low: u8) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    Some(digit(high)? << 4 | digit(low)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_stand_for_bytes_and_all_else_for_itself() {
        assert_eq!(unescape("\\t"), b"\t");
        assert_eq!(unescape("\\x01\\X02|\\0"), b"\x01\x02|\0");
        assert_eq!(unescape("\\q\\x0"), b"\\q\\x0");
        assert_eq!(unescape("\\x+f\\"), b"\\x+f\\");
        assert_eq!(unescape("\\\\t \u{e4}"), "\\t \u{e4}".as_bytes());
    }

    #[test]
    fn hexadecimal_digits_come_in_pairs() {
        assert_eq!(hex("2c7C"), Some(b",|".to_vec()));
        for wrong in ["", "2", "2c7", "+1", "zz", "\u{e4}"] {
            assert_eq!(hex(wrong), None, "{wrong}");
        }
    }
}
