//! The chunks, parameters and causes that scripts name, with the order of their fields.

/// Whose TSN a number is, as the packet's sender sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Space {
    Sender,
    Receiver,
}

/// A field of fixed length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Of the header: single letters, lowest bit first.
    Flags(&'static str),
    /// Of the header.
    Len,
    /// Of the header, of what has no name of its own.
    Type,
    U16,
    U32,
    /// The initiate tag.
    Tag,
    Tsn(Space),
    /// Two bytes that no script tells.
    Reserved,
}

/// What follows the fields of fixed length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tail {
    None,
    /// Whatever fills the length.
    Payload,
    /// `val=[…]`
    Bytes(&'static str),
    Parameters,
    Causes,
    Sack,
    NrSack,
    /// `ids=[{1,2}, …]`
    Ids,
    /// `ids=[{1,0,2}, …]`
    InterleavedIds,
    /// `sids=[1, …]`, or nothing.
    Streams,
    /// `types=[…]` of one byte, two, or two behind their number.
    ChunkTypes,
    AddressTypes,
    ParameterTypes,
    /// `addr=…`
    Address,
    HostName,
    /// `params=[…]`
    ParameterList,
    /// `param=…`
    Parameter,
    /// `chk=…`
    Chunk,
    /// `info="…"`
    Text,
    /// `sender_next_tsn=…, receiver_next_tsn=…`, or nothing.
    NextTsns,
}

#[derive(Debug)]
pub(crate) struct Schema {
    pub(crate) name: &'static str,
    /// `None`: the script tells, by `type=` or `code=`.
    pub(crate) code: Option<u16>,
    pub(crate) head: &'static [(&'static str, Kind)],
    pub(crate) tail: Tail,
}

const fn schema(name: &'static str, code: u16, head: &'static [(&'static str, Kind)], tail: Tail) -> Schema {
    Schema { name, code: Some(code), head, tail }
}

const fn generic(name: &'static str, head: &'static [(&'static str, Kind)], tail: Tail) -> Schema {
    Schema { name, code: None, head, tail }
}

use Kind::{Flags, Len, Reserved, Tag, Tsn, Type, U16, U32};
use Space::{Receiver, Sender};

const FLAGS: (&str, Kind) = ("flgs", Flags(""));
const DATA_FLAGS: (&str, Kind) = ("flgs", Flags("EBUI"));
const REFLECTED: (&str, Kind) = ("flgs", Flags("T"));
const INIT: &[(&str, Kind)] = &[FLAGS, ("tag", Tag), ("a_rwnd", U32), ("os", U16), ("is", U16), ("tsn", Tsn(Sender))];

pub(crate) static CHUNKS: &[Schema] = &[
    generic("CHUNK", &[("type", Type), FLAGS, ("len", Len)], Tail::Bytes("val")),
    schema(
        "DATA",
        0,
        &[DATA_FLAGS, ("len", Len), ("tsn", Tsn(Sender)), ("sid", U16), ("ssn", U16), ("ppid", U32)],
        Tail::Payload,
    ),
    schema("INIT", 1, INIT, Tail::Parameters),
    schema("INIT_ACK", 2, INIT, Tail::Parameters),
    schema("SACK", 3, &[FLAGS, ("cum_tsn", Tsn(Receiver)), ("a_rwnd", U32)], Tail::Sack),
    schema("HEARTBEAT", 4, &[FLAGS], Tail::Parameters),
    schema("HEARTBEAT_ACK", 5, &[FLAGS], Tail::Parameters),
    schema("ABORT", 6, &[REFLECTED], Tail::Causes),
    schema("SHUTDOWN", 7, &[FLAGS, ("cum_tsn", Tsn(Receiver))], Tail::None),
    schema("SHUTDOWN_ACK", 8, &[FLAGS], Tail::None),
    schema("ERROR", 9, &[FLAGS], Tail::Causes),
    schema("COOKIE_ECHO", 10, &[FLAGS, ("len", Len)], Tail::Bytes("val")),
    schema("COOKIE_ACK", 11, &[FLAGS], Tail::None),
    schema("ECNE", 12, &[FLAGS, ("tsn", Tsn(Receiver))], Tail::None),
    schema("CWR", 13, &[FLAGS, ("tsn", Tsn(Sender))], Tail::None),
    schema("SHUTDOWN_COMPLETE", 14, &[REFLECTED], Tail::None),
    schema("AUTH", 15, &[FLAGS, ("len", Len)], Tail::Bytes("val")),
    schema("NR_SACK", 16, &[FLAGS, ("cum_tsn", Tsn(Receiver)), ("a_rwnd", U32)], Tail::NrSack),
    schema(
        "I_DATA",
        64,
        &[
            DATA_FLAGS,
            ("len", Len),
            ("tsn", Tsn(Sender)),
            ("sid", U16),
            ("", Reserved),
            ("mid", U32),
            ("ppid|fsn", U32),
        ],
        Tail::Payload,
    ),
    schema("ASCONF_ACK", 128, &[FLAGS, ("len", Len)], Tail::Bytes("val")),
    schema("RECONFIG", 130, &[FLAGS], Tail::Parameters),
    schema("PAD", 132, &[FLAGS, ("len", Len)], Tail::Bytes("val")),
    schema("FORWARD_TSN", 192, &[("cum_tsn", Tsn(Sender))], Tail::Ids),
    schema("ASCONF", 193, &[FLAGS, ("len", Len)], Tail::Bytes("val")),
    schema("I_FORWARD_TSN", 194, &[("cum_tsn", Tsn(Sender))], Tail::InterleavedIds),
];

pub(crate) static PARAMETERS: &[Schema] = &[
    generic("PARAMETER", &[("type", Type), ("len", Len)], Tail::Bytes("val")),
    generic("RECONFIG_REQUEST_GENERIC", &[("type", Type), ("len", Len), ("req_sn", Tsn(Sender))], Tail::Bytes("val")),
    schema("HEARTBEAT_INFORMATION", 1, &[("len", Len)], Tail::Bytes("val")),
    schema("IPV4_ADDRESS", 5, &[], Tail::Address),
    schema("IPV6_ADDRESS", 6, &[], Tail::Address),
    schema("STATE_COOKIE", 7, &[("len", Len)], Tail::Bytes("val")),
    schema("UNRECOGNIZED_PARAMETER", 8, &[], Tail::ParameterList),
    schema("COOKIE_PRESERVATIVE", 9, &[("incr", U32)], Tail::None),
    schema("HOSTNAME_ADDRESS", 11, &[], Tail::HostName),
    schema("SUPPORTED_ADDRESS_TYPES", 12, &[], Tail::AddressTypes),
    schema(
        "OUTGOING_SSN_RESET",
        13,
        &[("req_sn", Tsn(Sender)), ("resp_sn", Tsn(Receiver)), ("last_tsn", Tsn(Sender))],
        Tail::Streams,
    ),
    schema("INCOMING_SSN_RESET", 14, &[("req_sn", Tsn(Sender))], Tail::Streams),
    schema("SSN_TSN_RESET", 15, &[("req_sn", Tsn(Sender))], Tail::None),
    schema("RECONFIG_RESPONSE", 16, &[("resp_sn", Tsn(Receiver)), ("result", U32)], Tail::NextTsns),
    schema(
        "ADD_OUTGOING_STREAMS",
        17,
        &[("req_sn", Tsn(Sender)), ("number_of_new_streams", U16), ("", Reserved)],
        Tail::None,
    ),
    schema(
        "ADD_INCOMING_STREAMS",
        18,
        &[("req_sn", Tsn(Sender)), ("number_of_new_streams", U16), ("", Reserved)],
        Tail::None,
    ),
    schema("ECN_CAPABLE", 0x8000, &[], Tail::None),
    schema("ZERO_CHECKSUM_ACCEPTABLE", 0x8001, &[("edmid", U32)], Tail::None),
    schema("PAD", 0x8005, &[("len", Len)], Tail::Bytes("val")),
    schema("SUPPORTED_EXTENSIONS", 0x8008, &[], Tail::ChunkTypes),
    schema("FORWARD_TSN_SUPPORTED", 0xc000, &[], Tail::None),
    schema("ADAPTATION_INDICATION", 0xc006, &[("adaptation_code_point", U32)], Tail::None),
];

pub(crate) static CAUSES: &[Schema] = &[
    generic("CAUSE", &[("code", Type), ("len", Len)], Tail::Bytes("info")),
    schema("INVALID_STREAM_IDENTIFIER", 1, &[("sid", U16), ("", Reserved)], Tail::None),
    schema("MISSING_MANDATORY_PARAMETER", 2, &[], Tail::ParameterTypes),
    schema("STALE_COOKIE_ERROR", 3, &[("staleness", U32)], Tail::None),
    schema("OUT_OF_RESOURCE", 4, &[], Tail::None),
    schema("UNRESOLVABLE_ADDRESS", 5, &[], Tail::Parameter),
    schema("UNRECOGNIZED_CHUNK_TYPE", 6, &[], Tail::Chunk),
    schema("INVALID_MANDATORY_PARAMETER", 7, &[], Tail::None),
    schema("UNRECOGNIZED_PARAMETERS", 8, &[], Tail::ParameterList),
    schema("NO_USER_DATA", 9, &[("tsn", Tsn(Receiver))], Tail::None),
    schema("COOKIE_RECEIVED_WHILE_SHUTDOWN", 10, &[], Tail::None),
    schema("RESTART_WITH_NEW_ADDRESSES", 11, &[], Tail::ParameterList),
    schema("USER_INITIATED_ABORT", 12, &[], Tail::Text),
    schema("PROTOCOL_VIOLATION", 13, &[], Tail::Text),
];

pub(crate) fn find(table: &'static [Schema], name: &str) -> Result<&'static Schema, String> {
    table.iter().find(|schema| schema.name == name).ok_or_else(|| format!("{name} is not known"))
}

/// The name of a code, for people.
pub(crate) fn name(table: &'static [Schema], code: u16) -> String {
    let named = table.iter().find(|schema| schema.code == Some(code));
    named.map_or_else(|| format!("number {code}"), |schema| schema.name.to_owned())
}
