//! DNS messages as far as addresses of names of candidates are asked for and told (RFC 1035 §4, RFC 6762 §18).

mod read;
mod write;

pub(crate) use read::{Message, Question, Record};
pub(crate) use write::{Section, Writer};

use std::net::IpAddr;

/// RFC 6762 §17: the longest message, in bytes, whatever the link takes.
pub(crate) const LEN_MAX: usize = 9000;
pub(crate) const HEADER_LEN: usize = 12;

/// The class of the Internet.
const INTERNET: u16 = 1;
/// RFC 6762 §18.12, §18.13: in a question, that the answer is for us alone; in a record, that there are no others.
const TOP_BIT: u16 = 0x8000;

/// Types of records (RFC 1035 §3.2.2, RFC 3596 §2.1, RFC 4034 §4).
pub(crate) const A: u16 = 1;
pub(crate) const AAAA: u16 = 28;
pub(crate) const NSEC: u16 = 47;
/// Whoever asks for it asks for all.
pub(crate) const ANY: u16 = 255;

/// The type of the record that holds such an address.
pub(crate) const fn kind_of(address: IpAddr) -> u16 {
    match address {
        IpAddr::V4(_) => A,
        IpAddr::V6(_) => AAAA,
    }
}
