//! The part of a batch that one task works on, with its zeros around it.

use std::ops::Range;

/// Some images or some rows of one image, as a kernel reads them: offset of the first value and
/// distances of neighbouring images, rows and columns, in values.
#[derive(Debug, Clone, Copy)]
pub(crate) struct View<'a> {
    pub(crate) values: &'a [f32],
    pub(crate) image: usize,
    pub(crate) row: usize,
    pub(crate) column: usize,
}

/// A frame of rows and columns over the images, in coordinates of the unpadded image: may reach
/// outside.
#[derive(Debug, Clone)]
pub(crate) struct Frame {
    pub(crate) images: Range<usize>,
    pub(crate) rows: Range<isize>,
    pub(crate) columns: Range<isize>,
    /// Of the images' channels, those that are read.
    pub(crate) channels: Range<usize>,
}

impl Frame {
    fn height(&self) -> usize {
        (self.rows.end - self.rows.start) as usize
    }

    fn width(&self) -> usize {
        (self.columns.end - self.columns.start) as usize
    }

    /// Values of the frame, with neighbouring columns `column` values apart.
    pub(crate) fn len(&self, column: usize) -> usize {
        self.images.len() * self.height() * self.width() * column
    }

    /// The frame of images `[batch, size, channels]` with columns `column` values apart: a view of
    /// the images themselves where the frame lies inside and so do the columns, else a copy in
    /// `scratch` with zeros outside.
    ///
    /// # Panics
    /// `scratch` is shorter than the frame.
    pub(crate) fn view<'a>(
        &self,
        values: &'a [f32],
        size: [usize; 2],
        channels: usize,
        column: usize,
        scratch: &'a mut [f32],
    ) -> View<'a> {
        let row = size[1] * channels;
        let image = size[0] * row;
        let inside =
            |range: &Range<isize>, end: usize| range.start >= 0 && range.end <= end as isize;
        let part = self.channels.clone();
        if column == channels && inside(&self.rows, size[0]) && inside(&self.columns, size[1]) {
            let first = self.rows.start as usize * row
                + self.columns.start as usize * channels
                + part.start;
            let values = &values[self.images.start * image + first..self.images.end * image];
            return View {
                values,
                image,
                row,
                column,
            };
        }
        let scratch = &mut scratch[..self.len(column)];
        let (height, width) = (self.height(), self.width() * column);
        let columns = self.columns.start.max(0)..self.columns.end.min(size[1] as isize).max(0);
        let before = (columns.start - self.columns.start) as usize * column;
        let count = (columns.end - columns.start).max(0) as usize;
        for (index, target) in scratch.chunks_exact_mut(width).enumerate() {
            let at = self.rows.start + (index % height) as isize;
            if at < 0 || at >= size[0] as isize || count == 0 {
                target.fill(0.0);
                continue;
            }
            let source = (self.images.start + index / height) * image + at as usize * row;
            let source = &values[source + columns.start as usize * channels..][..count * channels];
            let (zeros, rest) = target.split_at_mut(before);
            let (inner, behind) = rest.split_at_mut(count * column);
            zeros.fill(0.0);
            behind.fill(0.0);
            if part.len() == channels && column == channels {
                inner.copy_from_slice(source);
            } else {
                for (to, from) in inner
                    .chunks_exact_mut(column)
                    .zip(source.chunks_exact(channels))
                {
                    to[..part.len()].copy_from_slice(&from[part.clone()]);
                }
            }
        }
        View {
            values: scratch,
            image: height * width,
            row: width,
            column,
        }
    }
}
