//! Looks through Thrift's compact encoding for numbers and lengths, before anything believes them.

/// Structs and lists within each other; those of a page's header and of a footer have five or six.
const MOST_LEVELS: usize = 16;

/// What is found: a number, or the length of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Item {
    Number(i64),
    List(usize),
}

/// Calls `visit` for each number and list of the struct at the start of the bytes, with the
/// numbers of the fields that lead to it, and gives the length of the struct. Lists add nothing to
/// the path. `None` if the bytes are no struct, or end before it does.
pub(super) fn walk(bytes: &[u8], visit: &mut dyn FnMut(&[i16], Item)) -> Option<usize> {
    let mut walk = Walk {
        bytes,
        at: 0,
        visit,
    };
    walk.fields(&mut Vec::new(), MOST_LEVELS)?;
    Some(walk.at)
}

struct Walk<'a> {
    bytes: &'a [u8],
    at: usize,
    visit: &'a mut dyn FnMut(&[i16], Item),
}

impl Walk<'_> {
    fn byte(&mut self) -> Option<u8> {
        let byte = *self.bytes.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    fn pass(&mut self, count: usize) -> Option<()> {
        let end = self.at.checked_add(count)?;
        (end <= self.bytes.len()).then(|| self.at = end)
    }

    fn varint(&mut self) -> Option<u64> {
        let mut number = 0;
        for place in 0..10 {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << (7 * place);
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }

    fn number(&mut self) -> Option<i64> {
        let number = self.varint()?;
        Some((number >> 1) as i64 ^ -((number & 1) as i64))
    }

    fn fields(&mut self, path: &mut Vec<i16>, levels: usize) -> Option<()> {
        let mut last = 0_i16;
        loop {
            let byte = self.byte()?;
            let (step, kind) = (byte >> 4, byte & 0x0f);
            if kind == 0 {
                return Some(());
            }
            last = match step {
                0 => i16::try_from(self.number()?).ok()?,
                step => last.checked_add(step.into())?,
            };
            path.push(last);
            // A truth value is in the kind itself.
            if kind > 2 {
                self.value(kind, path, levels)?;
            }
            path.pop();
        }
    }

    fn value(&mut self, kind: u8, path: &mut Vec<i16>, levels: usize) -> Option<()> {
        let levels = levels.checked_sub(1)?;
        match kind {
            1..=3 => self.byte().map(drop),
            4..=6 => {
                let number = self.number()?;
                (self.visit)(path, Item::Number(number));
                Some(())
            }
            7 => self.pass(8),
            8 => {
                let length = usize::try_from(self.varint()?).ok()?;
                self.pass(length)
            }
            9 | 10 => {
                let byte = self.byte()?;
                let length = match byte >> 4 {
                    15 => usize::try_from(self.varint()?).ok()?,
                    short => short.into(),
                };
                (self.visit)(path, Item::List(length));
                (0..length).try_for_each(|_| self.value(byte & 0x0f, path, levels))
            }
            12 => self.fields(path, levels),
            // Maps occur nowhere in Parquet.
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Items = Vec<(Vec<i16>, Item)>;

    fn items(bytes: &[u8]) -> Option<(usize, Items)> {
        let mut items = vec![];
        let length = walk(bytes, &mut |path, item| items.push((path.to_vec(), item)))?;
        Some((length, items))
    }

    #[test]
    fn numbers_and_lists_are_found_by_their_fields() {
        // 1: i32 -1; 2: struct { 3: i64 150, 4: true }; 20: list of 2 i32; text in 21; end.
        let bytes = [
            0x15, 1, 0x1c, 0x36, 0xac, 0x02, 0x11, 0, 0x09, 40, 0x25, 2, 4, 0x18, 2, b'a', b'b', 0,
            9,
        ];
        let (length, items) = items(&bytes).unwrap();
        assert_eq!(length, bytes.len() - 1);
        assert_eq!(
            items,
            [
                (vec![1], Item::Number(-1)),
                (vec![2, 3], Item::Number(150)),
                (vec![20], Item::List(2)),
                (vec![20], Item::Number(1)),
                (vec![20], Item::Number(2)),
            ]
        );
    }

    #[test]
    fn what_is_no_struct_is_found_out() {
        assert_eq!(items(&[]), None);
        assert_eq!(items(&[0x15]), None, "a number is missing");
        assert_eq!(items(&[0x15, 0x80]), None, "a number is cut off");
        assert_eq!(items(&[0x18, 5, 1, 0]), None, "a text is cut off");
        assert_eq!(items(&[0x1b, 0, 0]), None, "a map");
        assert_eq!(items(&[0x1c; 1000]), None, "structs without end");
        assert_eq!(
            items(&[
                0x15, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff
            ]),
            None
        );
        let list = [0x19, 0xf5, 0xff, 0xff, 0xff, 0xff, 0x7f, 0, 0];
        assert_eq!(items(&list), None, "a list that is longer than the bytes");
    }
}
