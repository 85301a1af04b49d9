//! From what a script says to the bytes that are injected.

use crate::numbers::Numbers;
use crate::schema::{self, CAUSES, CHUNKS, Kind, PARAMETERS, Schema, Tail};
use crate::script::{Direction, Node, PacketSpec, Value};
use std::net::IpAddr;

type Encoded<T> = Result<T, String>;

/// What fills a length where the script says nothing more.
const FILLER: u8 = 0x55;
/// How long `len=...` is where nothing else tells.
const ANY_LEN: usize = 8;

pub(crate) fn packet(spec: &PacketSpec, ports: (u16, u16), numbers: &mut Numbers) -> Encoded<Vec<u8>> {
    let mut out = Vec::new();
    out.extend_from_slice(&ports.0.to_be_bytes());
    out.extend_from_slice(&ports.1.to_be_bytes());
    out.extend_from_slice(&[0; 8]);
    match &spec.bytes {
        Some(bytes) => out.extend_from_slice(bytes),
        None => {
            for node in &spec.chunks {
                out.extend(chunk(node, numbers)?);
                out.resize(out.len().next_multiple_of(4), 0);
            }
        }
    }
    let first = (out.get(12).copied(), out.get(13).copied().unwrap_or_default());
    let has_init = spec.bytes.is_none() && first.0 == Some(1);
    let is_reflected = matches!(first.0, Some(6 | 14)) && first.1 & 1 != 0;
    let explicit = spec.tag.map(|tag| tag as u32).or(has_init.then_some(0));
    let tag = numbers.tag_in(explicit, is_reflected);
    numbers.last_tag_in = tag;
    out[4..8].copy_from_slice(&tag.to_be_bytes());
    if !spec.has_zero_checksum {
        let checksum = crc32c::crc32c(&out) ^ u32::from(spec.has_bad_checksum);
        out[8..12].copy_from_slice(&checksum.to_le_bytes());
    }
    if let (true, Some(tag)) = (matches!(first.0, Some(1 | 2)), out.get(16..20)) {
        numbers.learn_remote_tag(u32::from_be_bytes([tag[0], tag[1], tag[2], tag[3]]));
    }
    Ok(out)
}

pub(crate) fn chunk(node: &Node, numbers: &Numbers) -> Encoded<Vec<u8>> {
    let schema = schema::find(CHUNKS, &node.name)?;
    let mut fields = Fields::of(node, schema, numbers, 4)?;
    fields.tail(numbers)?;
    let code = u8::try_from(fields.code).map_err(|_| "a chunk type has one byte")?;
    Ok(fields.framed([code, fields.flags]))
}

pub(crate) fn tlv(node: &Node, table: &'static [Schema], numbers: &Numbers) -> Encoded<Vec<u8>> {
    let schema = schema::find(table, &node.name)?;
    let mut fields = Fields::of(node, schema, numbers, 4)?;
    fields.tail(numbers)?;
    Ok(fields.framed(fields.code.to_be_bytes()))
}

/// The value of a chunk, parameter or cause, and what its header says.
struct Fields<'a> {
    name: &'a str,
    tail: Tail,
    rest: &'a [(Option<String>, Value)],
    code: u16,
    flags: u8,
    len: Option<usize>,
    header_len: usize,
    value: Vec<u8>,
    /// The padding of the last parameter, which does not count.
    padding: usize,
}

impl<'a> Fields<'a> {
    fn of(node: &'a Node, schema: &'static Schema, numbers: &Numbers, header_len: usize) -> Encoded<Self> {
        let mut fields = Self {
            name: schema.name,
            tail: schema.tail,
            rest: &node.fields,
            code: schema.code.unwrap_or_default(),
            flags: 0,
            len: None,
            header_len,
            value: Vec::new(),
            padding: 0,
        };
        // `NAME[...]`
        if node.fields.len() == 1 && node.fields[0] == (None, Value::Any) {
            fields.rest = &[];
            return Ok(fields);
        }
        for (key, kind) in schema.head {
            fields.head(key, *kind, numbers)?;
        }
        Ok(fields)
    }

    fn head(&mut self, key: &str, kind: Kind, numbers: &Numbers) -> Encoded<()> {
        if kind == Kind::Reserved {
            self.value.extend_from_slice(&[0, 0]);
            return Ok(());
        }
        let value = take_field(self.name, key, &mut self.rest)?;
        match kind {
            Kind::Flags(letters) => self.flags = flags(value, letters)?.unwrap_or_default(),
            Kind::Len => self.len = integer(value)?.map(|len| len as usize),
            Kind::Type => self.code = code(value)?.ok_or("a type to inject has a number")?,
            Kind::U16 | Kind::Reserved => {
                let number =
                    u16::try_from(integer(value)?.unwrap_or_default()).map_err(|_| format!("{key} is too large"))?;
                self.value.extend_from_slice(&number.to_be_bytes());
            }
            Kind::U32 | Kind::Tag => {
                self.value.extend_from_slice(&(integer(value)?.unwrap_or_default() as u32).to_be_bytes());
            }
            Kind::Tsn(space) => {
                let script = integer(value)?.unwrap_or_default() as u32;
                self.value.extend_from_slice(&numbers.live_tsn(script, space, Direction::In).to_be_bytes());
            }
        }
        Ok(())
    }

    fn filler_len(&self) -> usize {
        self.len.map_or(ANY_LEN, |len| len.saturating_sub(self.header_len + self.value.len()))
    }

    fn tail(&mut self, numbers: &Numbers) -> Encoded<()> {
        match self.tail {
            Tail::None => {}
            Tail::Payload => self.value.resize(self.value.len() + self.filler_len(), FILLER),
            Tail::Bytes(key) => self.bytes(key, numbers)?,
            Tail::Parameters => self.nodes(PARAMETERS, numbers)?,
            Tail::Causes => self.nodes(CAUSES, numbers)?,
            Tail::Sack => self.sack(&["gaps"], numbers)?,
            Tail::NrSack => self.sack(&["gaps", "nr_gaps"], numbers)?,
            Tail::Ids => {
                let list = list_field(self.name, "ids", &mut self.rest)?;
                self.value.extend(id_list(list, &[2, 2])?);
            }
            Tail::InterleavedIds => {
                let list = list_field(self.name, "ids", &mut self.rest)?;
                self.value.extend(id_list(list, &[2, 2, 4])?);
            }
            Tail::Streams if self.rest.is_empty() => {}
            Tail::Streams => self.numbers_of("sids", 2)?,
            Tail::ChunkTypes => self.numbers_of("types", 1)?,
            Tail::AddressTypes => self.numbers_of("types", 2)?,
            Tail::ParameterTypes => {
                let start = self.value.len();
                self.value.extend_from_slice(&[0; 4]);
                self.numbers_of("types", 2)?;
                let count = (self.value.len() - start - 4) as u32 / 2;
                self.value[start..start + 4].copy_from_slice(&count.to_be_bytes());
            }
            Tail::Address | Tail::HostName => {
                let value = take_field(self.name, "addr", &mut self.rest)?;
                self.value.extend(address(value)?);
            }
            Tail::Text => {
                let value = take_field(self.name, "info", &mut self.rest)?;
                self.value.extend(text(value)?);
            }
            Tail::ParameterList => {
                let list = list_field(self.name, "params", &mut self.rest)?;
                for value in list {
                    self.put_tlv(value, PARAMETERS, numbers)?;
                }
            }
            Tail::Parameter => {
                let value = take_field(self.name, "param", &mut self.rest)?;
                self.put_tlv(value, PARAMETERS, numbers)?;
            }
            Tail::Chunk => match take_field(self.name, "chk", &mut self.rest)? {
                Value::Node(node) => self.value.extend(chunk(node, numbers)?),
                other => return Err(format!("{other:?} is no chunk")),
            },
            Tail::NextTsns if self.rest.is_empty() => {}
            Tail::NextTsns => {
                for (key, space) in
                    [("sender_next_tsn", schema::Space::Sender), ("receiver_next_tsn", schema::Space::Receiver)]
                {
                    self.head(key, Kind::Tsn(space), numbers)?;
                }
            }
        }
        match self.rest {
            [] => Ok(()),
            [(key, _), ..] => Err(format!("{} has no field {key:?} here", self.name)),
        }
    }

    fn bytes(&mut self, key: &str, numbers: &Numbers) -> Encoded<()> {
        let value = if self.rest.is_empty() { &Value::Any } else { take_field(self.name, key, &mut self.rest)? };
        match (value, self.name, self.len) {
            (Value::Any, "COOKIE_ECHO", None) => self.value.extend_from_slice(&numbers.cookie),
            (Value::Any, "HEARTBEAT_INFORMATION", None) if !numbers.heartbeat.is_empty() => {
                self.value.extend_from_slice(&numbers.heartbeat);
            }
            (Value::Any, ..) => self.value.resize(self.value.len() + self.filler_len(), FILLER),
            (value, ..) => self.value.extend(byte_list(value)?),
        }
        Ok(())
    }

    fn nodes(&mut self, table: &'static [Schema], numbers: &Numbers) -> Encoded<()> {
        while let [(None, value), rest @ ..] = self.rest {
            self.put_tlv(value, table, numbers)?;
            self.rest = rest;
        }
        Ok(())
    }

    fn put_tlv(&mut self, value: &Value, table: &'static [Schema], numbers: &Numbers) -> Encoded<()> {
        let Value::Node(node) = value else { return Err(format!("{value:?} is no parameter and no cause")) };
        self.value.extend(tlv(node, table, numbers)?);
        let len = self.value.len();
        self.value.resize(len.next_multiple_of(4), 0);
        self.padding = self.value.len() - len;
        Ok(())
    }

    fn sack(&mut self, gap_keys: &[&str], numbers: &Numbers) -> Encoded<()> {
        let (mut counts, mut blocks) = (Vec::new(), Vec::new());
        for key in gap_keys {
            let gaps = id_list(list_field(self.name, key, &mut self.rest)?, &[2, 2])?;
            counts.push(gaps.len() / 4);
            blocks.extend(gaps);
        }
        let dups = list_field(self.name, "dups", &mut self.rest)?;
        counts.push(dups.len());
        for dup in dups {
            let script = integer(dup)?.unwrap_or_default() as u32;
            blocks.extend(numbers.live_tsn(script, schema::Space::Receiver, Direction::In).to_be_bytes());
        }
        if counts.len() > 2 {
            counts.push(0);
        }
        for count in counts {
            self.value.extend_from_slice(&(count as u16).to_be_bytes());
        }
        self.value.extend(blocks);
        Ok(())
    }

    fn numbers_of(&mut self, key: &str, width: usize) -> Encoded<()> {
        let list = list_field(self.name, key, &mut self.rest)?;
        self.value.extend(number_list(list, width)?);
        Ok(())
    }

    fn framed(&self, first: [u8; 2]) -> Vec<u8> {
        let len = self.len.unwrap_or(self.header_len + self.value.len() - self.padding) as u16;
        let mut out = vec![first[0], first[1]];
        out.extend_from_slice(&len.to_be_bytes());
        out.extend_from_slice(&self.value);
        // The outer list pads as it sees fit.
        out.truncate(out.len() - self.padding);
        out
    }
}

// ---- the values of a script as bytes

/// The value of the next field, which must have this key, or one of these.
pub(crate) fn take_field<'a>(name: &str, keys: &str, rest: &mut &'a [(Option<String>, Value)]) -> Encoded<&'a Value> {
    match rest {
        [(Some(key), value), others @ ..] if keys.split('|').any(|expected| expected == key) => {
            *rest = others;
            Ok(value)
        }
        [(key, _), ..] => Err(format!("{name} has {keys} where the script has {key:?}")),
        [] => Err(format!("{name} has {keys}, and the script does not")),
    }
}

pub(crate) fn list_field<'a>(name: &str, key: &str, rest: &mut &'a [(Option<String>, Value)]) -> Encoded<&'a [Value]> {
    match take_field(name, key, rest)? {
        Value::List(list) => Ok(list),
        Value::Any => Ok(&[]),
        other => Err(format!("{name}: {key} is no list but {other:?}")),
    }
}

pub(crate) fn integer(value: &Value) -> Encoded<Option<i64>> {
    match value {
        Value::Any => Ok(None),
        Value::Integer(integer) => Ok(Some(*integer)),
        Value::Words(words) if matches!(words[0].as_str(), "SCTP_OVER_DTLS" | "SCTP_EDMID_LOWER_LAYER_DTLS") => {
            Ok(Some(1))
        }
        Value::Words(words) if words[0] == "SCTP_EDMID_NONE" => Ok(Some(0)),
        other => Err(format!("{other:?} is no number")),
    }
}

pub(crate) fn flags(value: &Value, letters: &str) -> Encoded<Option<u8>> {
    let Value::Words(words) = value else {
        let number = integer(value)?;
        return number.map(|flags| u8::try_from(flags).map_err(|_| "flags have one byte".to_owned())).transpose();
    };
    let mut flags = 0;
    for letter in words.concat().chars() {
        let bit = letters.find(letter).ok_or_else(|| format!("the flag {letter} is not known"))?;
        flags |= 1 << bit;
    }
    Ok(Some(flags))
}

/// A type by its number or its name.
pub(crate) fn code(value: &Value) -> Encoded<Option<u16>> {
    match value {
        Value::Words(words) if words.len() == 1 => {
            let named = schema::find(CHUNKS, &words[0])?;
            named.code.map(Some).ok_or_else(|| format!("{} has no number", words[0]))
        }
        value => integer(value)?.map(|code| u16::try_from(code).map_err(|_| "no type".to_owned())).transpose(),
    }
}

pub(crate) fn byte_list(value: &Value) -> Encoded<Vec<u8>> {
    match value {
        Value::List(list) => number_list(list, 1),
        other => Err(format!("{other:?} are no bytes")),
    }
}

/// Numbers, or names of chunks and addresses, of `width` bytes each.
pub(crate) fn number_list(list: &[Value], width: usize) -> Encoded<Vec<u8>> {
    let mut bytes = Vec::new();
    for value in list {
        let number = match value {
            Value::Words(words) if words == &["IPv4"] => 5,
            Value::Words(words) if words == &["IPv6"] => 6,
            Value::Words(words) if words == &["HOSTNAME"] => 11,
            value => code(value)?.ok_or("`...` is no number")?,
        };
        match width {
            1 => bytes.push(u8::try_from(number).map_err(|_| "no byte")?),
            _ => bytes.extend_from_slice(&number.to_be_bytes()),
        }
    }
    Ok(bytes)
}

pub(crate) fn id_list(list: &[Value], widths: &[usize]) -> Encoded<Vec<u8>> {
    let mut bytes = Vec::new();
    for value in list {
        let Value::Tuple(numbers) = value else { return Err(format!("{value:?} are no numbers together")) };
        if numbers.len() != widths.len() {
            return Err(format!("{numbers:?} should be {}", widths.len()));
        }
        for (number, width) in numbers.iter().zip(widths) {
            bytes.extend_from_slice(&number.to_be_bytes()[8 - width..]);
        }
    }
    Ok(bytes)
}

pub(crate) fn address(value: &Value) -> Encoded<Vec<u8>> {
    match value {
        Value::Address(IpAddr::V4(address)) => Ok(address.octets().to_vec()),
        Value::Address(IpAddr::V6(address)) => Ok(address.octets().to_vec()),
        Value::Text(name) => Ok([name.as_bytes(), &[0]].concat()),
        other => Err(format!("{other:?} is no address")),
    }
}

pub(crate) fn text(value: &Value) -> Encoded<Vec<u8>> {
    match value {
        Value::Text(text) => Ok(text.as_bytes().to_vec()),
        Value::Any => Ok(Vec::new()),
        other => Err(format!("{other:?} is no text")),
    }
}
