//! Results on a terminal or in a pipe: table, vertical, CSV, JSON lines.

use comfy_table::{Cell, CellAlignment, ContentArrangement, Table, presets};
use std::io::{self, Write};

/// One column of a result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) name: String,
    /// Numbers are aligned to the right, and bare in JSON.
    pub(super) numeric: bool,
}

/// How results are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Format {
    /// A drawn table.
    Table,
    /// One line per column of each row.
    Vertical,
    /// RFC 4180, with a header line; NULL is an empty field, an empty text is `""`.
    Csv,
    /// One JSON object a row, one row a line.
    Json,
}

/// Writes one result. Rows of CSV and JSON go out as they come; a table has to know its widths first.
pub(super) struct Grid<'a> {
    out: &'a mut (dyn Write + Send),
    format: Format,
    columns: Vec<Column>,
    table: Table,
    rows: u64,
}

impl<'a> Grid<'a> {
    pub(super) fn new(out: &'a mut (dyn Write + Send), format: Format, columns: Vec<Column>) -> io::Result<Self> {
        let mut table = Table::new();
        table.load_style(presets::UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Disabled);
        table.set_header(columns.iter().map(|column| column.name.as_str()));
        if format == Format::Csv {
            let names: Vec<Option<&str>> = columns.iter().map(|column| Some(column.name.as_str())).collect();
            csv_line(out, &names)?;
        }
        Ok(Self { out, format, columns, table, rows: 0 })
    }

    pub(super) fn row(&mut self, cells: &[Option<String>]) -> io::Result<()> {
        self.rows += 1;
        let texts = cells.iter().map(Option::as_deref);
        match self.format {
            Format::Table => {
                let shown = texts.zip(&self.columns).map(|(cell, column)| {
                    let cell = Cell::new(cell.unwrap_or("NULL"));
                    if column.numeric { cell.set_alignment(CellAlignment::Right) } else { cell }
                });
                self.table.add_row(shown.collect::<Vec<_>>());
                Ok(())
            }
            Format::Vertical => {
                writeln!(self.out, "*************************** {}. row ***************************", self.rows)?;
                let width = self.columns.iter().map(|column| column.name.chars().count()).max().unwrap_or(0);
                for (cell, column) in texts.zip(&self.columns) {
                    writeln!(self.out, "{:>width$}: {}", column.name, cell.unwrap_or("NULL"))?;
                }
                Ok(())
            }
            Format::Csv => csv_line(self.out, &texts.collect::<Vec<_>>()),
            Format::Json => json_line(self.out, &self.columns, texts),
        }
    }

    /// Ends the result; the number of rows.
    pub(super) fn finish(self) -> io::Result<u64> {
        if self.format == Format::Table && self.rows > 0 {
            writeln!(self.out, "{}", self.table)?;
        }
        self.out.flush()?;
        Ok(self.rows)
    }
}

fn csv_line(out: &mut dyn Write, cells: &[Option<&str>]) -> io::Result<()> {
    for (index, cell) in cells.iter().enumerate() {
        if index > 0 {
            out.write_all(b",")?;
        }
        match cell {
            None => {}
            Some(text) if text.is_empty() || text.contains([',', '"', '\n', '\r']) => {
                write!(out, "\"{}\"", text.replace('"', "\"\""))?;
            }
            Some(text) => out.write_all(text.as_bytes())?,
        }
    }
    out.write_all(b"\n")
}

fn json_line<'c>(
    out: &mut dyn Write,
    columns: &[Column],
    cells: impl Iterator<Item = Option<&'c str>>,
) -> io::Result<()> {
    out.write_all(b"{")?;
    for (index, (cell, column)) in cells.zip(columns).enumerate() {
        if index > 0 {
            out.write_all(b",")?;
        }
        write!(out, "{}:", serde_json::Value::from(column.name.as_str()))?;
        match cell {
            None => out.write_all(b"null")?,
            // What is not a number in JSON's own grammar (NaN, infinity) stays a text.
            Some(text) if column.numeric && serde_json::from_str::<serde_json::Number>(text).is_ok() => {
                out.write_all(text.as_bytes())?;
            }
            Some(text) => write!(out, "{}", serde_json::Value::from(text))?,
        }
    }
    out.write_all(b"}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(format: Format) -> String {
        let columns =
            vec![Column { name: "id".to_owned(), numeric: true }, Column { name: "text".to_owned(), numeric: false }];
        let mut out = Vec::new();
        let mut grid = Grid::new(&mut out, format, columns).unwrap();
        grid.row(&[Some("7".to_owned()), Some("a \"b\", c".to_owned())]).unwrap();
        grid.row(&[None, Some(String::new())]).unwrap();
        grid.row(&[Some("NaN".to_owned()), None]).unwrap();
        assert_eq!(grid.finish().unwrap(), 3);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn csv_tells_null_from_an_empty_text() {
        assert_eq!(shown(Format::Csv), "id,text\n7,\"a \"\"b\"\", c\"\n,\"\"\nNaN,\n");
    }

    #[test]
    fn json_keeps_numbers_and_nulls() {
        let expected =
            "{\"id\":7,\"text\":\"a \\\"b\\\", c\"}\n{\"id\":null,\"text\":\"\"}\n{\"id\":\"NaN\",\"text\":null}\n";
        assert_eq!(shown(Format::Json), expected);
    }

    #[test]
    fn a_table_aligns_numbers_to_the_right() {
        let table = shown(Format::Table);
        assert!(table.contains("│    7 ┆ a \"b\", c │"), "{table}");
        assert!(table.contains("│ NULL ┆"), "{table}");
    }

    #[test]
    fn vertical_shows_one_column_a_line() {
        assert!(shown(Format::Vertical).contains("  id: 7\ntext: a \"b\", c\n"));
    }
}
