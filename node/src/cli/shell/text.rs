//! Where one statement ends and the next begins, in text that is still being typed.

/// How a statement was ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Terminator {
    /// `;`, or the end of the input.
    Semicolon,
    /// `\G`: show the result one column a line.
    Vertical,
}

/// One whole statement of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Piece<'a> {
    pub(super) text: &'a str,
    pub(super) terminator: Terminator,
}

/// Cuts `text` at its terminators outside quotes and comments. The second result is what follows the last one: an
/// unfinished statement, or blank.
pub(super) fn cut(text: &str) -> (Vec<Piece<'_>>, &str) {
    let mut pieces = Vec::new();
    let mut start = 0;
    let mut state = State::Plain;
    let mut characters = text.char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        let following = characters.peek().map(|(_, next)| *next);
        let mut skip_following = false;
        state = match (state, character) {
            (State::Plain, '\'' | '"' | '`') => State::Quoted(character),
            (State::Plain, '#') => State::LineComment,
            (State::Plain, '-') if following == Some('-') => State::LineComment,
            (State::Plain, '/') if following == Some('*') => {
                skip_following = true;
                State::BlockComment
            }
            (State::Plain, ';') => {
                push(&mut pieces, text.get(start..at), Terminator::Semicolon);
                start = at + 1;
                State::Plain
            }
            (State::Plain, '\\') if following == Some('G') => {
                push(&mut pieces, text.get(start..at), Terminator::Vertical);
                start = at + 2;
                skip_following = true;
                State::Plain
            }
            // A backslash hides the next character, but not in back quotes.
            (State::Quoted(quote), '\\') if quote != '`' => {
                skip_following = true;
                State::Quoted(quote)
            }
            (State::Quoted(quote), _) if character == quote => State::Plain,
            (State::LineComment, '\n') => State::Plain,
            (State::BlockComment, '*') if following == Some('/') => {
                skip_following = true;
                State::Plain
            }
            (state, _) => state,
        };
        if skip_following {
            characters.next();
        }
    }
    (pieces, text.get(start..).unwrap_or_default())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Plain,
    Quoted(char),
    LineComment,
    BlockComment,
}

fn push<'a>(pieces: &mut Vec<Piece<'a>>, text: Option<&'a str>, terminator: Terminator) {
    let text = text.unwrap_or_default().trim();
    if !text.is_empty() {
        pieces.push(Piece { text, terminator });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> (Vec<&str>, &str) {
        let (pieces, rest) = cut(text);
        (pieces.into_iter().map(|piece| piece.text).collect(), rest)
    }

    #[test]
    fn a_terminator_in_quotes_or_comments_ends_nothing() {
        let text = "select ';', \"a;\\\";\", `x;` -- ;\n, 1 /* ; */ # ;\n; select 2";
        let (whole, rest) = texts(text);
        assert_eq!(whole.len(), 1);
        assert!(whole[0].starts_with("select ';'") && whole[0].ends_with("# ;"));
        assert_eq!(rest, " select 2");
    }

    #[test]
    fn empty_statements_are_passed_over() {
        assert_eq!(texts(";; select 1;;\n"), (vec!["select 1"], "\n"));
    }

    #[test]
    fn a_backslash_g_asks_for_a_vertical_result() {
        let (pieces, rest) = cut("show backup\\G");
        assert_eq!(pieces, [Piece { text: "show backup", terminator: Terminator::Vertical }]);
        assert_eq!(rest, "");
    }

    #[test]
    fn an_open_quote_is_unfinished() {
        assert_eq!(texts("select 'a;"), (vec![], "select 'a;"));
    }
}
