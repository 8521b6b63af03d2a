use proptest::prelude::*;
use sqlparser::dialect::MySqlDialect;
use sqlparser::tokenizer::{Token, Tokenizer};

use super::{one, refused};
use crate::sql::{Statement, Unclosed, parse, parse_piece, split};

fn texts(script: &str) -> Vec<&str> {
    split(script).map(|piece| piece.text).collect()
}

#[test]
fn semicolons_end_statements() {
    assert_eq!(texts("SELECT 1; SELECT 2"), ["SELECT 1", "SELECT 2"]);
    assert_eq!(texts(" ;; ; SELECT 1 ;; "), ["SELECT 1"]);
    assert_eq!(texts(""), Vec::<&str>::new());
    assert_eq!(texts(" -- nothing\n /* here */ # either\n;"), Vec::<&str>::new());
    assert_eq!(texts("SELECT ';', \";\", `;` /* ; */ -- ;\n # ;\n; USE d"), ["SELECT ';', \";\", `;`", "USE d"]);
    assert_eq!(texts(r"SELECT 'a\';b'; USE d"), [r"SELECT 'a\';b'", "USE d"]);
    assert_eq!(texts("SELECT 5--1; USE d"), ["SELECT 5--1", "USE d"]);
    assert_eq!(texts("SELECT 1 --"), ["SELECT 1"]);
}

#[test]
fn pieces_say_where_they_are() {
    let script = "\u{feff}/* é */ USE a;\n\n  SELECT 'é',\n 1;USE b";
    let pieces: Vec<_> = split(script).collect();
    let places: Vec<_> = pieces.iter().map(|piece| (piece.text, piece.line, piece.column, piece.ended)).collect();
    assert_eq!(places, [("USE a", 1, 10, true), ("SELECT 'é',\n 1", 3, 3, true), ("USE b", 4, 4, false)]);
    for piece in &pieces {
        assert_eq!(&script[piece.range.clone()], piece.text);
    }
}

#[test]
fn open_pieces_say_what_is_open() {
    let last = |script: &str| split(script).last().unwrap().unclosed;
    assert_eq!(last("SELECT 1"), None);
    assert_eq!(last("SELECT 1; SELECT 'a;b"), Some(Unclosed::SingleQuoted));
    assert_eq!(last("SELECT \"a"), Some(Unclosed::DoubleQuoted));
    assert_eq!(last("SELECT `a"), Some(Unclosed::BackQuoted));
    assert_eq!(last("/* a"), Some(Unclosed::Comment));
    assert_eq!(last("/*!40101 SET NAMES utf8;"), Some(Unclosed::Comment));
    assert_eq!(last("SELECT 'a\\"), Some(Unclosed::SingleQuoted));
}

#[test]
fn conditional_comments_are_text() {
    let plain = |script: &str| -> Vec<Statement> { parse(script).unwrap() };
    assert_eq!(plain("/*!40101 SET NAMES utf8mb4 */;"), plain("SET NAMES utf8mb4"));
    assert_eq!(plain("SET /*!40101 @a = */ 1".replace("@a =", "a =").as_str()), plain("SET a = 1"));
    assert_eq!(plain("/*! USE d */"), plain("USE d"));
    // A string may hold what would end the comment.
    assert_eq!(plain("/*!40101 SET @a = '*/' */"), plain("SET @a = '*/'"));
    // Versions beyond ours, as dumps of newer servers have them.
    assert_eq!(plain("/*!999999\\- enable the sandbox mode */ \n-- dump\nUSE d;"), plain("USE d"));
    assert_eq!(plain("USE d /*!100100 nonsense */"), plain("USE d"));
    // A semicolon inside ends the statement, and the comment is found wanting.
    assert_eq!(
        refused("/*!40101 USE d; USE e").to_string(),
        "a comment that begins with /* is not closed at line 1, column 1"
    );
}

#[test]
fn errors_are_placed_in_the_whole_script() {
    let error = refused("USE d;\n/* x */ USE\n  'e'");
    assert_eq!((error.line, error.column), (3, 3));
    let error = refused("SELECT 1;\n SELECT /* é */ 1 +");
    assert_eq!((error.line, error.column), (2, 20));
    let error = refused("SELECT 1;\n INSERT INTO t VALUES (1),\n  (2, ?!)");
    assert_eq!((error.line, error.column), (3, 8));
    let error = refused("USE d; SELECT 'a\nb");
    assert_eq!((error.line, error.column), (1, 15));
}

#[test]
fn good_pieces_of_a_bad_script_can_be_run() {
    let results: Vec<bool> = split("USE a; nonsense; USE b").map(|piece| parse_piece(&piece).is_ok()).collect();
    assert_eq!(results, [true, false, true]);
}

#[test]
fn words_are_taken_in_any_case_and_with_any_white_space() {
    assert_eq!(one("bAcKuP\tsnapshot\r\nd.l\u{a0}To\u{3000}r"), one("BACKUP SNAPSHOT d.l TO r"));
}

/// Text made of what matters to a scanner.
fn scraps() -> impl Strategy<Value = String> {
    let scrap = prop_oneof![
        Just("'"),
        Just("\""),
        Just("`"),
        Just("\\"),
        Just(";"),
        Just("--"),
        Just("-- "),
        Just("#"),
        Just("\n"),
        Just(" "),
        Just("/*"),
        Just("*/"),
        Just("/*!"),
        Just("40101"),
        Just("x"),
        Just("b"),
        Just("n"),
        Just("é"),
        Just("1"),
        Just("."),
        Just("e"),
        Just("("),
        Just(")"),
        Just(","),
        Just("@"),
        Just("0x"),
        Just("a"),
        Just("\u{a0}"),
        Just("*"),
        Just("/"),
    ];
    prop::collection::vec(scrap, 0..40).prop_map(|scraps| scraps.concat())
}

proptest! {
    /// What both sides of the front end read, they read alike: a text without comments has as many semicolons for
    /// `sqlparser` as it has pieces for us.
    #[test]
    fn scanner_and_tokenizer_agree(text in scraps()) {
        let text = text.replace(['#', '/', '-', '\u{a0}', '@'], " ");
        let tokens = Tokenizer::new(&MySqlDialect {}, &text).tokenize();
        let pieces: Vec<_> = split(&text).collect();
        let open = pieces.iter().any(|piece| piece.unclosed.is_some());
        if let Ok(tokens) = tokens {
            prop_assert!(!open);
            let mut expected = 0;
            let mut solid = false;
            for token in &tokens {
                match token {
                    Token::SemiColon => {
                        expected += usize::from(solid);
                        solid = false;
                    }
                    Token::Whitespace(_) => {}
                    _ => solid = true,
                }
            }
            expected += usize::from(solid);
            prop_assert_eq!(pieces.len(), expected);
        }
    }

    /// Pieces come in order, do not overlap, and are places in the text.
    #[test]
    fn pieces_are_in_order(text in scraps()) {
        let mut end = 0;
        for piece in split(&text) {
            prop_assert!(piece.range.start >= end);
            prop_assert_eq!(text.get(piece.range.clone()), Some(piece.text));
            end = piece.range.end;
            prop_assert_eq!(
                piece.plain().chars().count(),
                piece.text.chars().count(),
                "columns stay what they are"
            );
            let before = &text[..piece.range.start];
            prop_assert_eq!(piece.line, 1 + before.matches('\n').count() as u64);
        }
    }
}
