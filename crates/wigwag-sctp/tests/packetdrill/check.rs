//! Whether what the machine sent is what the script expects.

use crate::encode::{address, byte_list, code, flags, id_list, integer, list_field, number_list, take_field, text};
use crate::numbers::Numbers;
use crate::schema::{self, CAUSES, CHUNKS, Kind, PARAMETERS, Schema, Space, Tail};
use crate::script::{Direction, Node, PacketSpec, Value};

type Checked = Result<(), String>;

/// Type, flags and length, and what it is about.
#[derive(Clone, Copy)]
struct Raw<'a> {
    code: u16,
    flags: u8,
    len: usize,
    value: &'a [u8],
}

/// The chunks of a packet, without their padding.
pub(crate) fn chunks(packet: &[u8]) -> Vec<&[u8]> {
    split(packet.get(12..).unwrap_or_default())
}

/// Things with a length in their third and fourth bytes, one after another.
fn split(mut rest: &[u8]) -> Vec<&[u8]> {
    let mut all = Vec::new();
    while rest.len() >= 4 {
        let len = usize::from(u16::from_be_bytes([rest[2], rest[3]])).clamp(4, rest.len());
        all.push(&rest[..len]);
        rest = rest.get(len.next_multiple_of(4)..).unwrap_or_default();
    }
    all
}

pub(crate) fn packet(spec: &PacketSpec, bytes: &[u8], numbers: &mut Numbers) -> Checked {
    let actual = chunks(bytes);
    learn(spec, &actual, numbers)?;
    header(spec, bytes, &actual, numbers)?;
    if spec.chunks.len() != actual.len() {
        return Err(format!("{} chunks instead of {}", actual.len(), spec.chunks.len()));
    }
    for (node, bytes) in spec.chunks.iter().zip(actual) {
        chunk(node, bytes, Direction::Out, numbers)?;
    }
    Ok(())
}

/// Takes note of what later packets refer to.
fn learn(spec: &PacketSpec, actual: &[&[u8]], numbers: &mut Numbers) -> Checked {
    for (node, bytes) in spec.chunks.iter().zip(actual) {
        let field = |wanted: &str| {
            let found = node.fields.iter().find(|(key, _)| key.as_deref() == Some(wanted));
            found.and_then(|(_, value)| integer(value).ok().flatten()).map(|number| number as u32)
        };
        if matches!(bytes[0], 1 | 2) && bytes.len() >= 20 {
            let live = (u32_at(bytes, 4), u32_at(bytes, 16));
            numbers.learn((field("tag"), field("tsn")), live)?;
            let cookie = split(&bytes[20..]).into_iter().find(|parameter| parameter[..2] == [0, 7]);
            if let Some(cookie) = cookie {
                numbers.cookie = cookie[4..].to_vec();
            }
        }
        if bytes[0] == 4 {
            numbers.heartbeat = bytes.get(8..).unwrap_or_default().to_vec();
        }
    }
    Ok(())
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

fn header(spec: &PacketSpec, bytes: &[u8], actual: &[&[u8]], numbers: &Numbers) -> Checked {
    let tag = u32_at(bytes, 4);
    let first = actual.first().ok_or("a packet without chunks")?;
    let is_reflected = matches!(first[0], 6 | 14) && first[1] & 1 != 0;
    let is_right = match (spec.tag, first[0]) {
        (Some(expected), _) => tag == expected as u32,
        (None, 1) => tag == 0,
        (None, _) if is_reflected => tag == numbers.last_tag_in,
        (None, _) => numbers.is_remote_tag(tag),
    };
    if !is_right {
        return Err(format!("the verification tag is {tag:#x}"));
    }
    let mut zeroed = bytes.to_vec();
    zeroed[8..12].fill(0);
    let checksum = if spec.has_zero_checksum { [0; 4] } else { crc32c::crc32c(&zeroed).to_le_bytes() };
    if bytes[8..12] != checksum {
        return Err(format!("the checksum is {:?} instead of {checksum:?}", &bytes[8..12]));
    }
    Ok(())
}

fn chunk(node: &Node, bytes: &[u8], direction: Direction, numbers: &Numbers) -> Checked {
    let len = usize::from(u16::from_be_bytes([bytes[2], bytes[3]]));
    let raw = Raw { code: bytes[0].into(), flags: bytes[1], len, value: &bytes[4..] };
    fields(node, CHUNKS, raw, direction, numbers)
}

fn tlv(node: &Node, table: &'static [Schema], bytes: &[u8], numbers: &Numbers) -> Checked {
    let len = usize::from(u16::from_be_bytes([bytes[2], bytes[3]]));
    let code = u16::from_be_bytes([bytes[0], bytes[1]]);
    fields(node, table, Raw { code, flags: 0, len, value: &bytes[4..] }, Direction::Out, numbers)
}

fn fields(node: &Node, table: &'static [Schema], raw: Raw<'_>, direction: Direction, numbers: &Numbers) -> Checked {
    let schema = schema::find(table, &node.name)?;
    if schema.code.is_some_and(|code| code != raw.code) {
        return Err(format!("{} instead of {}", schema::name(table, raw.code), node.name));
    }
    if node.fields.len() == 1 && node.fields[0] == (None, Value::Any) {
        return Ok(());
    }
    let mut check = Check { name: schema.name, rest: &node.fields, raw, value: raw.value, direction, numbers };
    for (key, kind) in schema.head {
        check.head(key, *kind)?;
    }
    check.tail(schema.tail)?;
    match check.rest {
        [] => Ok(()),
        [(key, _), ..] => Err(format!("{} has no field {key:?} here", schema.name)),
    }
}

struct Check<'a> {
    name: &'static str,
    rest: &'a [(Option<String>, Value)],
    raw: Raw<'a>,
    /// What was not looked at.
    value: &'a [u8],
    /// Whose numbers these are: a chunk that is quoted was the script's.
    direction: Direction,
    numbers: &'a Numbers,
}

impl<'a> Check<'a> {
    fn take(&mut self, len: usize) -> Result<&'a [u8], String> {
        let (taken, rest) = self.value.split_at_checked(len).ok_or_else(|| format!("{} is too short", self.name))?;
        self.value = rest;
        Ok(taken)
    }

    fn same<T: Copy + PartialEq + std::fmt::Debug>(&self, key: &str, expected: Option<T>, actual: T) -> Checked {
        match expected {
            Some(expected) if expected != actual => {
                Err(format!("{}: {key} is {actual:?} instead of {expected:?}", self.name))
            }
            _ => Ok(()),
        }
    }

    fn head(&mut self, key: &str, kind: Kind) -> Checked {
        if kind == Kind::Reserved {
            return self.take(2).map(drop);
        }
        let value = take_field(self.name, key, &mut self.rest)?;
        match kind {
            Kind::Flags(letters) => self.same(key, flags(value, letters)?, self.raw.flags),
            Kind::Len => self.same(key, integer(value)?, self.raw.len as i64),
            Kind::Type => self.same(key, code(value)?, self.raw.code),
            Kind::U16 | Kind::Reserved => {
                let bytes = self.take(2)?;
                self.same(key, integer(value)?, i64::from(u16::from_be_bytes([bytes[0], bytes[1]])))
            }
            Kind::U32 => {
                let live = u32_at(self.take(4)?, 0);
                self.same(key, integer(value)?, live.into())
            }
            Kind::Tag => {
                let live = u32_at(self.take(4)?, 0);
                self.same(key, integer(value)?, self.numbers.script_tag(live).into())
            }
            Kind::Tsn(space) => {
                let live = u32_at(self.take(4)?, 0);
                let actual = self.numbers.script_tsn(live, space, self.direction);
                self.same(key, integer(value)?.map(|tsn| tsn as u32), actual)
            }
        }
    }

    fn tail(&mut self, tail: Tail) -> Checked {
        match tail {
            Tail::None => self.same("length", Some(0), self.value.len()),
            Tail::Payload => Ok(()),
            Tail::Bytes(key) => self.list(key, byte_list),
            Tail::Parameters => self.nodes(PARAMETERS),
            Tail::Causes => self.nodes(CAUSES),
            Tail::Sack => self.sack(&["gaps"]),
            Tail::NrSack => self.sack(&["gaps", "nr_gaps"]),
            Tail::Ids => self.list("ids", |value| id_list(as_list(value)?, &[2, 2])),
            Tail::InterleavedIds => self.list("ids", |value| id_list(as_list(value)?, &[2, 2, 4])),
            Tail::Streams if self.rest.is_empty() => self.same("streams", Some(0), self.value.len()),
            Tail::Streams => self.list("sids", |value| number_list(as_list(value)?, 2)),
            Tail::ChunkTypes => self.list("types", |value| number_list(as_list(value)?, 1)),
            Tail::AddressTypes => self.list("types", |value| number_list(as_list(value)?, 2)),
            Tail::ParameterTypes => {
                let count = u32_at(self.take(4)?, 0) as usize;
                self.same("count", Some(count), self.value.len() / 2)?;
                self.list("types", |value| number_list(as_list(value)?, 2))
            }
            Tail::Address | Tail::HostName => self.list("addr", address),
            Tail::Text => self.list("info", text),
            Tail::ParameterList => match take_field(self.name, "params", &mut self.rest)? {
                Value::Any => Ok(()),
                value => self.tlvs(as_list(value)?, PARAMETERS),
            },
            Tail::Parameter => match take_field(self.name, "param", &mut self.rest)? {
                Value::Any => Ok(()),
                value => self.tlvs(std::slice::from_ref(value), PARAMETERS),
            },
            Tail::Chunk => match take_field(self.name, "chk", &mut self.rest)? {
                Value::Any => Ok(()),
                Value::Node(node) if self.value.len() >= 4 => chunk(node, self.value, Direction::In, self.numbers),
                other => Err(format!("{other:?} is no chunk")),
            },
            Tail::NextTsns if self.rest.is_empty() => self.same("length", Some(0), self.value.len()),
            Tail::NextTsns => {
                self.head("sender_next_tsn", Kind::Tsn(Space::Sender))?;
                self.head("receiver_next_tsn", Kind::Tsn(Space::Receiver))
            }
        }
    }

    /// What the field says, as bytes, is what is left.
    fn list(&mut self, key: &str, encode: impl Fn(&Value) -> Result<Vec<u8>, String>) -> Checked {
        match take_field(self.name, key, &mut self.rest)? {
            Value::Any => Ok(()),
            value => self.same(key, Some(encode(value)?.as_slice()), self.value),
        }
    }

    fn nodes(&mut self, table: &'static [Schema]) -> Checked {
        let mut expected = Vec::new();
        for (key, value) in std::mem::take(&mut self.rest) {
            if key.is_some() {
                return Err(format!("{} has no field {key:?}", self.name));
            }
            expected.push(value.clone());
        }
        self.tlvs(&expected, table)
    }

    /// Nodes one after another; `...` at their end stands for any more.
    fn tlvs(&self, expected: &[Value], table: &'static [Schema]) -> Checked {
        let actual = split(self.value);
        let (expected, may_be_more) = match expected {
            [first @ .., Value::Any] => (first, true),
            all => (all, false),
        };
        if actual.len() < expected.len() || actual.len() > expected.len() && !may_be_more {
            let names: Vec<_> =
                actual.iter().map(|bytes| schema::name(table, u16::from_be_bytes([bytes[0], bytes[1]]))).collect();
            return Err(format!("{} has {names:?} instead of {}", self.name, expected.len()));
        }
        for (value, bytes) in expected.iter().zip(actual) {
            let Value::Node(node) = value else { return Err(format!("{value:?} is no parameter and no cause")) };
            tlv(node, table, bytes, self.numbers)?;
        }
        Ok(())
    }

    fn sack(&mut self, gap_keys: &[&str]) -> Checked {
        let mut counts = Vec::new();
        for _ in 0..=gap_keys.len() {
            let bytes = self.take(2)?;
            counts.push(usize::from(u16::from_be_bytes([bytes[0], bytes[1]])));
        }
        if gap_keys.len() > 1 {
            self.take(2)?;
        }
        for (key, count) in gap_keys.iter().zip(&counts) {
            let blocks = self.take(4 * count)?;
            match take_field(self.name, key, &mut self.rest)? {
                Value::Any => {}
                value => self.same(key, Some(id_list(as_list(value)?, &[2, 2])?.as_slice()), blocks)?,
            }
        }
        let is_any = matches!(self.rest, [(Some(key), Value::Any), ..] if key == "dups");
        let mut dups = list_field(self.name, "dups", &mut self.rest)?.iter();
        let count = *counts.last().unwrap_or(&0);
        self.same("dups", (!is_any).then_some(dups.len()), count)?;
        for _ in 0..count {
            let live = u32_at(self.take(4)?, 0);
            let expected = dups.next().map(integer).transpose()?.flatten();
            let actual = self.numbers.script_tsn(live, Space::Receiver, self.direction);
            self.same("dups", expected.map(|tsn| tsn as u32), actual)?;
        }
        Ok(())
    }
}

fn as_list(value: &Value) -> Result<&[Value], String> {
    match value {
        Value::List(list) => Ok(list),
        other => Err(format!("{other:?} is no list")),
    }
}

/// A packet in words.
pub(crate) fn describe(packet: &[u8]) -> String {
    let names = chunks(packet).into_iter().map(|chunk| {
        let causes = matches!(chunk[0], 6 | 9).then(|| split(&chunk[4..])).unwrap_or_default();
        let causes: Vec<_> =
            causes.iter().map(|cause| schema::name(CAUSES, u16::from_be_bytes([cause[0], cause[1]]))).collect();
        format!(
            "{}(flags {}, length {}){}",
            schema::name(CHUNKS, chunk[0].into()),
            chunk[1],
            chunk.len(),
            causes.join(" ")
        )
    });
    names.collect::<Vec<_>>().join(", ")
}
