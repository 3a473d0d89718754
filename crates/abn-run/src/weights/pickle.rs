//! What a pickle would become, found without making it.
//!
//! A pickle is a program for a small stack machine. Nothing of it is ever run here, but its reader
//! copies what it fetches from the memo, so that a few bytes can unfold to any size, and it joins
//! keys to names at every level. This walks through the opcodes with a price in place of each
//! object, in time and memory proportional to the pickle, and refuses what would cost too much,
//! nests too deep or asks for a class that plain weights do not need.

use std::collections::HashMap;

use super::cause::{Cause, Result, require};

/// What an object without text takes at most: its place on the stack and in a container that grows
/// by doubling.
const OBJECT: u64 = 256;
/// What a byte of text takes at most: the reader quotes what it did not expect, escaped, in a
/// string that doubles.
const BYTE: u64 = 12;
/// What the pickles of one file may cost, in bytes; a ResNet-56 with its optimizer costs 7 MiB.
const LARGEST: u64 = 128 << 20;
/// Deepest nesting of containers; the reader and its objects recurse.
const DEEPEST: u32 = 100;
/// Digits of an index, when it becomes a part of a name.
const INDEX: u64 = 20;

/// What the pickles of one file may still cost.
#[derive(Debug)]
pub(super) struct Allowance(u64);

impl Allowance {
    pub(super) fn of_a_file() -> Self {
        Self(LARGEST)
    }

    fn spend(&mut self, price: u64) -> Result<()> {
        match self.0.checked_sub(price) {
            Some(left) => self.0 = left,
            None => {
                return Err(Cause::new(format!(
                    "its pickle would unfold to more than {} MiB of names and numbers, which no \
                 checkpoint needs",
                    LARGEST >> 20
                )));
            }
        }
        Ok(())
    }
}

/// A pickle that may be read.
#[derive(Debug)]
pub(super) struct Checked<'a> {
    /// Bytes up to and with its end.
    pub(super) length: usize,
    /// The value, if it is a number.
    pub(super) number: Option<i64>,
    /// The class that it names, if it names one.
    pub(super) class: Option<&'a [u8]>,
}

/// Checks the pickle at the start of `bytes`.
///
/// # Errors
/// It is damaged, too large when unfolded, or names an unexpected class.
pub(super) fn check<'a>(bytes: &'a [u8], allowance: &mut Allowance) -> Result<Checked<'a>> {
    let walk = Walk {
        bytes,
        at: 0,
        allowance,
        stack: Vec::new(),
        marks: Vec::new(),
        memo: HashMap::new(),
        classes: Vec::new(),
    };
    walk.run()
}

/// Stands for an object.
#[derive(Debug, Clone, Copy, Default)]
struct Item<'a> {
    /// What it takes with all that it holds, once for each copy.
    price: u64,
    /// Tensors in it, which all get a name.
    tensors: u64,
    depth: u32,
    text: Option<&'a [u8]>,
    number: Option<i64>,
    /// The memo's slot that follows it when it is built.
    memo: Option<u32>,
}

struct Walk<'a, 'b> {
    bytes: &'a [u8],
    at: usize,
    allowance: &'b mut Allowance,
    stack: Vec<Item<'a>>,
    /// Heights of the stack at the open marks.
    marks: Vec<usize>,
    memo: HashMap<u32, Item<'a>>,
    classes: Vec<&'a [u8]>,
}

impl<'a> Walk<'a, '_> {
    fn run(mut self) -> Result<Checked<'a>> {
        loop {
            let opcode = self.take(1)?[0];
            if opcode == b'.' {
                let number = self.pop()?.number;
                let class = if let [class] = self.classes[..] {
                    Some(class)
                } else {
                    None
                };
                return Ok(Checked {
                    length: self.at,
                    number,
                    class,
                });
            }
            self.step(opcode)?;
        }
    }

    /// The opcodes of all protocols, in the order of `pickletools`, by what they do to the stack.
    fn step(&mut self, opcode: u8) -> Result<()> {
        match opcode {
            0x80 => self.take(1).map(|_| ()),
            0x95 => self.take(8).map(|_| ()),
            b'N' | 0x88 | 0x89 | b')' | b']' | b'}' | 0x8f => self.push(Item::default()),
            b'K' => self.push_number(1),
            b'M' => self.push_number(2),
            b'J' => self.push_number(4),
            b'G' => {
                self.take(8)?;
                self.push(Item::default())
            }
            b'I' | b'L' | b'F' => {
                self.line()?;
                self.push(Item::default())
            }
            b'V' => {
                let text = self.line()?;
                self.push_text(text)
            }
            b'U' | b'C' | 0x8a | 0x8c => self.push_prefixed(1),
            b'T' | b'X' | b'B' | 0x8b => self.push_prefixed(4),
            0x8d | 0x8e | 0x96 => self.push_prefixed(8),
            b'c' => {
                let (module, name) = (self.line()?, self.line()?);
                self.push_class(module, name)
            }
            0x93 => {
                let (name, module) = (self.pop()?.text, self.pop()?.text);
                match (module, name) {
                    (Some(module), Some(name)) => self.push_class(module, name),
                    _ => Err(self.damage("a class without a name")),
                }
            }
            b'P' | b'Q' => self.storage(opcode),
            b'(' => {
                self.allowance.spend(OBJECT / 8)?;
                self.marks.push(self.stack.len());
                Ok(())
            }
            b'0' if self.marks.last() == Some(&self.stack.len()) => {
                self.marks.pop();
                Ok(())
            }
            b'0' => self.pop().map(|_| ()),
            b'1' => self.pop_to_mark().map(|_| ()),
            b'2' => {
                let top = *self.top()?;
                self.copy(top)
            }
            b'g' | b'h' | b'j' | b'p' | b'q' | b'r' | 0x94 => self.remember(opcode),
            0x85..=0x87 => {
                let from = self.below(usize::from(opcode - 0x84))?;
                let items = self.stack.split_off(from);
                self.push_group(&items)
            }
            b't' | b'l' | 0x91 => {
                let items = self.pop_to_mark()?;
                self.push_group(&items)
            }
            b'd' => {
                let items = self.pop_to_mark()?;
                self.push(Item::default())?;
                self.fill(&items, 2)
            }
            b'a' | b's' => {
                let count = if opcode == b'a' { 1 } else { 2 };
                let items = self.stack.split_off(self.below(count)?);
                self.fill(&items, count)
            }
            b'e' | 0x90 => {
                let items = self.pop_to_mark()?;
                self.fill(&items, usize::MAX)
            }
            b'u' => {
                let items = self.pop_to_mark()?;
                self.fill(&items, 2)
            }
            b'R' | 0x81 | b'b' => self.call(2, opcode == b'b'),
            0x92 => self.call(3, false),
            _ => Err(self.damage(&format!("{opcode:#04x} is no opcode"))),
        }
    }

    fn damage(&self, what: &str) -> Cause {
        Cause::new(format!(
            "its pickle is damaged at byte {}, {what}; copy or download the file again",
            self.at
        ))
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        let end = self.at.checked_add(count);
        let Some(taken) = end.and_then(|end| self.bytes.get(self.at..end)) else {
            return Err(self.damage("it is cut off"));
        };
        self.at += count;
        Ok(taken)
    }

    /// A line without its end.
    fn line(&mut self) -> Result<&'a [u8]> {
        let rest = &self.bytes[self.at..];
        let Some(length) = rest.iter().position(|byte| *byte == b'\n') else {
            return Err(self.damage("it is cut off"));
        };
        self.at += length + 1;
        let line = &rest[..length];
        Ok(line.strip_suffix(b"\r").unwrap_or(line))
    }

    fn unsigned(&mut self, width: usize) -> Result<u64> {
        let bytes = self.take(width)?;
        Ok(bytes
            .iter()
            .rev()
            .fold(0, |value, byte| value << 8 | u64::from(*byte)))
    }

    /// Pushes an object of its own, whose price is what it holds.
    fn push(&mut self, item: Item<'a>) -> Result<()> {
        require(item.depth <= DEEPEST, || {
            format!("its pickle nests deeper than {DEEPEST} levels, which no checkpoint does")
        })?;
        self.allowance.spend(OBJECT)?;
        self.stack.push(Item {
            price: item.price.saturating_add(OBJECT),
            ..item
        });
        Ok(())
    }

    fn push_number(&mut self, width: usize) -> Result<()> {
        let value = self.unsigned(width)?;
        let signed = if width == 4 {
            i64::from(value as u32 as i32)
        } else {
            value as i64
        };
        self.push(Item {
            number: Some(signed),
            ..Item::default()
        })
    }

    fn push_text(&mut self, text: &'a [u8]) -> Result<()> {
        let price = BYTE * text.len() as u64;
        self.allowance.spend(price)?;
        self.push(Item {
            price,
            text: Some(text),
            ..Item::default()
        })
    }

    fn push_prefixed(&mut self, width: usize) -> Result<()> {
        let length = self.unsigned(width)?;
        let text = self.take(usize::try_from(length).unwrap_or(usize::MAX))?;
        self.push_text(text)
    }

    fn push_class(&mut self, module: &'a [u8], name: &'a [u8]) -> Result<()> {
        let (module_name, class_name) = (identifier(module), identifier(name));
        let (Some(module_name), Some(class_name)) = (module_name, class_name) else {
            return Err(self.damage("no name of a class"));
        };
        require(is_expected(module_name, class_name), || {
            format!(
                "it holds `{module_name}.{class_name}`, which plain weights do not need; nothing of it \
             was run. Where the network was trained, save its weights alone: \
             torch.save(model.state_dict(), ...)"
            )
        })?;
        self.classes.push(name);
        let price = BYTE * (module.len() + name.len()) as u64;
        self.allowance.spend(price)?;
        self.push(Item {
            price,
            ..Item::default()
        })
    }

    /// A storage or, in the old tar, a tensor.
    fn storage(&mut self, opcode: u8) -> Result<()> {
        let price = match opcode {
            b'P' => BYTE * self.line()?.len() as u64,
            _ => self.pop()?.price,
        };
        self.allowance.spend(price)?;
        self.push(Item {
            price: price + 2 * OBJECT,
            tensors: 1,
            ..Item::default()
        })
    }

    fn top(&mut self) -> Result<&mut Item<'a>> {
        let height = self.below(1)?;
        Ok(&mut self.stack[height])
    }

    fn pop(&mut self) -> Result<Item<'a>> {
        let item = *self.top()?;
        self.stack.pop();
        Ok(item)
    }

    /// Height of the stack without that many objects, which lie above the innermost mark.
    fn below(&self, count: usize) -> Result<usize> {
        let floor = self.marks.last().copied().unwrap_or(0);
        match self.stack.len().checked_sub(count) {
            Some(height) if height >= floor => Ok(height),
            _ => Err(self.damage("too few objects on the stack")),
        }
    }

    fn pop_to_mark(&mut self) -> Result<Vec<Item<'a>>> {
        match self.marks.pop() {
            Some(mark) if mark <= self.stack.len() => Ok(self.stack.split_off(mark)),
            _ => Err(self.damage("no mark on the stack")),
        }
    }

    /// A copy with all that is in it.
    fn copy(&mut self, item: Item<'a>) -> Result<()> {
        self.allowance.spend(item.price)?;
        self.stack.push(item);
        Ok(())
    }

    fn remember(&mut self, opcode: u8) -> Result<()> {
        let slot = match opcode {
            b'g' | b'p' => {
                let line = self.line()?;
                let digits = std::str::from_utf8(line)
                    .ok()
                    .and_then(|line| line.parse().ok());
                let Some(slot) = digits else {
                    return Err(self.damage("no number of a memo"));
                };
                slot
            }
            b'h' | b'q' => self.unsigned(1)? as u32,
            b'j' | b'r' => self.unsigned(4)? as u32,
            _ => self.memo.len() as u32,
        };
        if matches!(opcode, b'g' | b'h' | b'j') {
            match self.memo.get(&slot) {
                Some(item) => self.copy(*item),
                None => Err(self.damage(&format!("nothing in memo {slot}"))),
            }
        } else {
            self.keep(slot)
        }
    }

    fn keep(&mut self, slot: u32) -> Result<()> {
        let top = self.top()?;
        top.memo = Some(slot);
        let item = *top;
        self.allowance.spend(item.price + OBJECT)?;
        self.memo.insert(slot, item);
        Ok(())
    }

    /// What the objects of a container take, with the part of its tensors' names that it adds.
    fn group(&mut self, items: &[Item<'a>]) -> Result<Item<'a>> {
        let sum = |of: fn(&Item<'a>) -> u64| items.iter().map(of).fold(0, u64::saturating_add);
        let tensors = sum(|item| item.tensors);
        let longest = items
            .iter()
            .filter_map(|item| item.text)
            .map(<[u8]>::len)
            .max()
            .unwrap_or(0);
        let names = tensors.saturating_mul(longest as u64 + INDEX);
        self.allowance.spend(names)?;
        let depth = items.iter().map(|item| item.depth).max().unwrap_or(0) + 1;
        Ok(Item {
            price: sum(|item| item.price).saturating_add(names),
            tensors,
            depth,
            ..Item::default()
        })
    }

    fn push_group(&mut self, items: &[Item<'a>]) -> Result<()> {
        let group = self.group(items)?;
        self.push(group)
    }

    /// Puts objects into the container on top: of a dictionary, two belong together.
    fn fill(&mut self, items: &[Item<'a>], together: usize) -> Result<()> {
        for part in items.chunks(together) {
            let part = self.group(part)?;
            let top = self.top()?;
            top.price = top.price.saturating_add(part.price);
            top.tensors = top.tensors.saturating_add(part.tensors);
            top.depth = top.depth.max(part.depth);
            require(top.depth <= DEEPEST, || {
                format!("its pickle nests deeper than {DEEPEST} levels, which no checkpoint does")
            })?;
        }
        Ok(())
    }

    /// Whatever a call returns holds no more than its arguments; what is built follows into the
    /// memo.
    fn call(&mut self, arguments: usize, builds: bool) -> Result<()> {
        let items = self.stack.split_off(self.below(arguments)?);
        let mut result = self.group(&items)?;
        result.depth -= 1;
        self.push(result)?;
        match items[0].memo {
            Some(slot) if builds => {
                self.keep(slot)?;
                self.top()?.memo = None;
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

/// What Python can import: anything else is damage, and not worth repeating.
fn identifier(name: &[u8]) -> Option<&str> {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.');
    let is_name = !name.is_empty() && name.len() <= 200 && name.iter().all(plain);
    if is_name {
        std::str::from_utf8(name).ok()
    } else {
        None
    }
}

/// What weights, their optimizer and a few notes beside them are made of.
fn is_expected(module: &str, name: &str) -> bool {
    const MODULES: [&str; 12] = [
        "_codecs",
        "argparse",
        "collections",
        "datetime",
        "numpy",
        "pathlib",
        "torch",
        "torch._tensor",
        "torch.cuda",
        "torch.nn.parameter",
        "torch.serialization",
        "torch.storage",
    ];
    const TYPES: [&str; 13] = [
        "bool",
        "bytearray",
        "bytes",
        "complex",
        "dict",
        "float",
        "frozenset",
        "int",
        "list",
        "object",
        "set",
        "slice",
        "tuple",
    ];
    match module {
        "builtins" | "__builtin__" => TYPES.contains(&name),
        "copyreg" | "copy_reg" => name == "_reconstructor",
        "torch._utils" => {
            name.starts_with("_rebuild_tensor") || name.starts_with("_rebuild_parameter")
        }
        _ => MODULES.contains(&module) || module.starts_with("numpy."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walk(bytes: &[u8]) -> Result<Checked<'_>> {
        check(bytes, &mut Allowance::of_a_file())
    }

    #[track_caller]
    fn refused(bytes: &[u8], cause: &str) {
        let error = walk(bytes).unwrap_err().to_string();
        assert!(error.contains(cause), "{error}");
    }

    /// The bytes, repeated, between a start and an end.
    fn around(start: &[u8], repeated: &[u8], times: usize, end: &[u8]) -> Vec<u8> {
        [start, &repeated.repeat(times), end].concat()
    }

    fn text(length: usize) -> Vec<u8> {
        [
            b"X".as_slice(),
            &(length as u32).to_le_bytes(),
            &vec![b'a'; length],
        ]
        .concat()
    }

    #[test]
    fn plain_values_of_every_protocol() {
        // pickle.dumps({"n": -3, "f": 2.5, "t": True, "big": 2**40}, protocol=0)
        walk(b"(dp0\nVn\np1\nI-3\nsVf\np2\nF2.5\nsVt\np3\nI01\nsVbig\np4\nL1099511627776L\ns.")
            .unwrap();
        // pickle.dumps({"a": 1, "b": [1.5, True, None], "c": b"xy", "d": {"e": "f"}}, protocol=4)
        let bytes =
            b"\x80\x04\x95\x36\0\0\0\0\0\0\0}\x94(\x8c\x01a\x94K\x01\x8c\x01b\x94]\x94(G\x3f\xf8\0\0\0\0\0\0\
            \x88Ne\x8c\x01c\x94C\x02xy\x94\x8c\x01d\x94}\x94\x8c\x01e\x94\x8c\x01f\x94su.and more";
        assert_eq!(walk(bytes).unwrap().length, bytes.len() - "and more".len());
        assert_eq!(
            walk(b"\x80\x02J\xfe\xff\xff\xff.").unwrap().number,
            Some(-2)
        );
        assert_eq!(
            walk(b"\x80\x02ctorch\nFloatStorage\n.").unwrap().class,
            Some(&b"FloatStorage"[..])
        );
        assert_eq!(
            walk(b"\x80\x02ctorch\nFloatStorage\nctorch\nByteStorage\n0.")
                .unwrap()
                .class,
            None
        );
    }

    #[test]
    fn damage_is_told_from_truncation() {
        for bytes in [
            &b""[..],
            b"\x80",
            b"X\xff\xff\xff\xffab",
            b"Vendless",
            b"\x8d\xff\xff\xff\xff\xff\xff\xff\xff",
        ] {
            refused(bytes, "cut off");
        }
        for bytes in [
            &b"."[..],
            b"(.",
            b"t.",
            b"(\x85.",
            b"h\x07.",
            b"gx\n.",
            b"\xff.",
            b"NN\x93.",
            b"(0t.",
            b"N(Nb.",
        ] {
            refused(bytes, "damaged");
        }
    }

    #[test]
    fn unexpected_classes_are_named() {
        refused(b"cposix\nsystem\nX\x02\0\0\0ls\x85R.", "`posix.system`");
        refused(
            b"\x80\x04\x8c\x08builtins\x8c\x04eval\x93.",
            "`builtins.eval`",
        );
        refused(b"cos;\nsystem\n.", "no name of a class");
        refused(b"cos\r\nsystem\r\n.", "`os.system`");
        refused(
            b"ctorch._utils\n_rebuild_qtensor\n.",
            "`torch._utils._rebuild_qtensor`",
        );
        refused(b"c__main__\nNet\n)\x81.", "state_dict()");
        walk(b"cnumpy.core.multiarray\nscalar\n)R.").unwrap();
    }

    #[test]
    fn what_unfolds_is_refused() {
        let unfold = "unfold";
        // Doubling by the memo and by `DUP`.
        refused(&around(b"\x89q\0", b"h\0h\0\x86q\0", 40, b"."), unfold);
        refused(&around(b"K\x01", b"2\x86", 40, b"."), unfold);
        // Long texts, keys and classes that are fetched again and again, also when they are thrown
        // away.
        let dict = [&b"}"[..], &text(1 << 20), b"Nsq\0"].concat();
        refused(&around(&dict, b"h\0", 300, b"."), unfold);
        refused(&around(&dict, b"h\x000", 300, b"."), unfold);
        let class = [&b"ctorch\n"[..], &[b'a'; 200], b"\nq\0"].concat();
        refused(&around(&class, b"h\0", 1 << 18, b"."), unfold);
        // An object that grows in the memo when it is built.
        let built = [&b"}q\0}"[..], &text(1 << 20), b"Nsb"].concat();
        refused(&around(&built, b"h\0", 300, b"."), unfold);
        // One object a byte.
        refused(&around(b"", b"N", 1 << 20, b"."), unfold);
        refused(&around(b"", b"(", 8 << 20, b"."), unfold);
        // Many tensors far down a long path: names.
        let tensors = around(b"}(", b"K\x01h\x01", 3000, b"u");
        let path = [&b"(tQq\x010"[..], &text(1 << 16), &tensors].concat();
        refused(&[&b"}"[..], &path, b"s."].concat(), unfold);
        // Many small pickles of one file.
        let mut allowance = Allowance::of_a_file();
        let pickle = around(b"\x89q\0", b"h\0h\0\x86q\0", 12, b".");
        assert!((0..1000).any(|_| check(&pickle, &mut allowance).is_err()));
    }

    #[test]
    fn depth_is_bounded() {
        walk(&around(b"]", b"\x85", 99, b".")).unwrap();
        refused(&around(b"]", b"\x85", 101, b"."), "nests deeper");
        refused(&around(&b"]".repeat(200), b"a", 199, b"."), "nests deeper");
    }
}
