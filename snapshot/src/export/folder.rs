//! Names of databases, tables and partitions as names of folders. Pure.

/// Longest name that is written out, in bytes; file systems take 255.
const NAME_BYTES_MAX: usize = 180;

/// The folder of a thing with this name and number. Letters, digits, `-`, `.` and `_` stay, and so do characters outside
/// ASCII; all else, and a leading `.` or `_`, which tools take for hidden files, is written as `%` and two hexadecimal
/// digits. Names that differ give folders that differ; a long one ends in `~` and the number.
pub(super) fn name(name: &str, id: u64) -> String {
    let mut folder = String::with_capacity(name.len());
    for (at, letter) in name.char_indices() {
        let stays = letter.is_ascii_alphanumeric()
            || letter == '-'
            || (matches!(letter, '.' | '_') && at > 0)
            || (!letter.is_ascii() && !letter.is_control() && !letter.is_whitespace());
        let mut text = [0; 4];
        let text = letter.encode_utf8(&mut text);
        if stays {
            folder.push_str(text);
        } else {
            folder.extend(text.bytes().map(|byte| format!("%{byte:02X}")));
        }
        if folder.len() > NAME_BYTES_MAX {
            return format!("{folder}~{id}");
        }
    }
    folder
}
