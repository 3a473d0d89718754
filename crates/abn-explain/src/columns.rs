//! Tables for a terminal.

use comfy_table::{CellAlignment, Table, presets};

/// Rows below a header, in columns without lines between them: the first `left` to the left, the
/// rest, which are numbers, to the right.
pub fn columns(header: Vec<String>, rows: Vec<Vec<String>>, left: usize) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(header).add_rows(rows);
    for (place, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, 2));
        column.set_cell_alignment(match place < left {
            true => CellAlignment::Left,
            false => CellAlignment::Right,
        });
    }
    table.trim_fmt()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A name of two characters that are each as wide as two letters.
    #[test]
    fn columns_align_whatever_the_letters() {
        let row = |name: &str, number: &str| vec![name.to_owned(), number.to_owned()];
        let text = columns(row("", "n"), vec![row("東京", "10"), row("Rome", "9")], 1);
        assert_eq!(text, "       n\n東京  10\nRome   9");
    }
}
