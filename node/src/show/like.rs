//! LIKE, as SHOW statements have it: capitals do not matter.

/// Whether `text` is like `pattern`, with `%` for any characters, `_` for one, and `\` in front of one that stands for itself.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    let pattern: Vec<Wanted> = wanted(pattern);
    let text: Vec<char> = text.to_lowercase().chars().collect();
    let (mut p, mut t) = (0, 0);
    // Where the last `%` was, and where in the text what follows it was tried last.
    let mut many = None;
    while let Some(c) = text.get(t) {
        match pattern.get(p) {
            Some(Wanted::Many) => {
                many = Some((p, t));
                p += 1;
            }
            Some(Wanted::One) => {
                p += 1;
                t += 1;
            }
            Some(Wanted::This(this)) if this == c => {
                p += 1;
                t += 1;
            }
            _ => match many {
                Some((at, tried)) => {
                    p = at + 1;
                    t = tried + 1;
                    many = Some((at, t));
                }
                None => return false,
            },
        }
    }
    pattern.get(p..).unwrap_or_default().iter().all(|rest| matches!(rest, Wanted::Many))
}

enum Wanted {
    Many,
    One,
    This(char),
}

fn wanted(pattern: &str) -> Vec<Wanted> {
    let lower = pattern.to_lowercase();
    let mut chars = lower.chars();
    let mut all = Vec::new();
    while let Some(c) = chars.next() {
        all.push(match c {
            '%' => Wanted::Many,
            '_' => Wanted::One,
            '\\' => Wanted::This(chars.next().unwrap_or('\\')),
            other => Wanted::This(other),
        });
    }
    all
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn patterns_match_as_in_mysql() {
        for (pattern, text, want) in [
            ("sql_mode", "sql_mode", true),
            ("SQL%", "sql_mode", true),
            ("%mode", "sql_mode", true),
            ("sql\\_mode", "sql_mode", true),
            ("sql\\_mode", "sqlxmode", false),
            ("s_l%m%", "sql_mode", true),
            ("", "", true),
            ("%", "", true),
            ("a", "", false),
            ("%a%b", "xaxb", true),
            ("%a%b", "xaxbc", false),
        ] {
            assert_eq!(matches(pattern, text), want, "{pattern} {text}");
        }
    }
}
