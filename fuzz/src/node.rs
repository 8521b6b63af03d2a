//! Targets on the node's public side.

use node::sql::{self, Cell, InsertSource, Statement};

/// SQL text: cut into statements and parsed. A statement that is shown again as text is the same when it is parsed.
pub(crate) fn sql(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut end = 0;
    for piece in sql::split(text) {
        assert!(piece.range.start >= end && text.get(piece.range.clone()) == Some(piece.text), "{piece:?}");
        end = piece.range.end;
        match sql::parse_piece(&piece) {
            Ok(statement) => check(&statement),
            Err(error) => assert!(error.line >= 1 && error.column >= 1, "{error}"),
        }
    }
}

fn check(statement: &Statement) {
    let shown = match statement {
        Statement::CreateTable(table) => table.to_string(),
        Statement::CreateRepository(repository) => repository.to_string(),
        Statement::Backup(backup) => backup.to_string(),
        Statement::Restore(restore) => restore.to_string(),
        Statement::Insert(insert) => return check_rows(&insert.source),
        _ => return,
    };
    let again = sql::parse(&shown);
    assert!(
        again.as_ref().is_ok_and(|again| again.as_slice() == std::slice::from_ref(statement)),
        "{shown}\n{again:?}"
    );
}

fn check_rows(source: &InsertSource) {
    let InsertSource::Values(rows) = source else { return };
    for row in rows.rows() {
        let mut width = 0;
        for cell in row {
            width += 1;
            if let Cell::Expression(text) = cell {
                assert!(sql::parse_expression(text).is_ok(), "{text}");
            }
        }
        assert_eq!(width, rows.width());
    }
}
