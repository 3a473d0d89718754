//! Tables, as text and for Markdown.

use comfy_table::{CellAlignment, presets};

/// Columns at the left of a table that are not numbers.
const NAMES: usize = 2;

/// Cells below a head.
pub(crate) struct Table {
    pub(crate) head: Vec<String>,
    pub(crate) rows: Vec<Vec<String>>,
}

impl Table {
    /// The table in columns: names to the left, numbers to the right.
    pub(crate) fn text(&self) -> String {
        let mut table = comfy_table::Table::new();
        table.load_style(presets::NOTHING);
        table.set_header(&self.head).add_rows(&self.rows);
        for (place, column) in table.column_iter_mut().enumerate() {
            column.set_padding((0, 2));
            if place >= NAMES {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        table.trim_fmt()
    }

    /// The same alignment.
    pub(crate) fn markdown(&self) -> String {
        let line = |cells: &Vec<String>| format!("| {} |", cells.join(" | "));
        let numbers = self.head.len() - NAMES;
        let rule = format!("|{}{}", "---|".repeat(NAMES), "---:|".repeat(numbers));
        let rows = self.rows.iter().map(line);
        [line(&self.head), rule]
            .into_iter()
            .chain(rows)
            .collect::<Vec<_>>()
            .join("\n")
    }
}
