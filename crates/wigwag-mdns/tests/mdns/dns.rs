//! DNS messages, written and read in the simplest way, by somebody else than the crate.

use std::net::IpAddr;

/// A record: name, type, class, time to live, data.
pub(crate) type Record = (String, u16, u16, u32, Vec<u8>);

/// What a message says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) id: u16,
    pub(crate) flags: u16,
    pub(crate) questions: Vec<(String, u16, u16)>,
    /// Answers, authorities, additionals.
    pub(crate) records: [Vec<Record>; 3],
}

pub(crate) fn data(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    }
}

pub(crate) fn kind(address: IpAddr) -> u16 {
    if address.is_ipv4() { 1 } else { 28 }
}

fn write_name(name: &str, out: &mut Vec<u8>) {
    for label in name.split('.') {
        out.push(label.len() as u8);
        out.extend(label.bytes());
    }
    out.push(0);
}

/// Without compression.
pub(crate) fn write(message: &Message) -> Vec<u8> {
    let mut out = Vec::new();
    let [a, b, c] = &message.records;
    for field in
        [message.id, message.flags, message.questions.len() as u16, a.len() as u16, b.len() as u16, c.len() as u16]
    {
        out.extend(field.to_be_bytes());
    }
    for (name, kind, class) in &message.questions {
        write_name(name, &mut out);
        out.extend(kind.to_be_bytes());
        out.extend(class.to_be_bytes());
    }
    for (name, kind, class, ttl, data) in message.records.iter().flatten() {
        write_name(name, &mut out);
        out.extend(kind.to_be_bytes());
        out.extend(class.to_be_bytes());
        out.extend(ttl.to_be_bytes());
        out.extend((data.len() as u16).to_be_bytes());
        out.extend(data);
    }
    out
}

/// Follows pointers, and panics at whatever is not right.
pub(crate) fn read(bytes: &[u8]) -> Message {
    fn number(bytes: &[u8], at: &mut usize) -> u16 {
        *at += 2;
        u16::from_be_bytes([bytes[*at - 2], bytes[*at - 1]])
    }
    fn name(bytes: &[u8], at: &mut usize) -> String {
        let mut labels: Vec<String> = Vec::new();
        loop {
            let len = usize::from(bytes[*at]);
            *at += 1;
            match len {
                0 => return labels.join("."),
                192.. => {
                    let mut to = (len & 63) << 8 | usize::from(bytes[*at]);
                    *at += 1;
                    labels.push(name(bytes, &mut to));
                    return labels.join(".");
                }
                _ => {
                    labels.push(String::from_utf8(bytes[*at..*at + len].to_vec()).unwrap());
                    *at += len;
                }
            }
        }
    }
    let at = &mut 0;
    let mut message = Message { id: number(bytes, at), flags: number(bytes, at), ..Message::default() };
    let counts = [(); 4].map(|()| number(bytes, at));
    for _ in 0..counts[0] {
        message.questions.push((name(bytes, at), number(bytes, at), number(bytes, at)));
    }
    for section in 0..3 {
        for _ in 0..counts[section + 1] {
            let (name_of, kind, class) = (name(bytes, at), number(bytes, at), number(bytes, at));
            let ttl = u32::from(number(bytes, at)) << 16 | u32::from(number(bytes, at));
            let len = usize::from(number(bytes, at));
            let end = *at + len;
            // The name within, without compression.
            let data = if kind == 47 {
                let mut data = Vec::new();
                let next = name(bytes, at);
                write_name(&next, &mut data);
                data.extend(&bytes[*at..end]);
                data
            } else {
                bytes[*at..end].to_vec()
            };
            *at = end;
            message.records[section].push((name_of, kind, class, ttl, data));
        }
    }
    assert_eq!(*at, bytes.len(), "nothing stands behind");
    message
}

/// Asks for one kind of record of a name; `class` may have the bit of QU.
pub(crate) fn question(name: &str, kind: u16, class: u16) -> Vec<u8> {
    write(&Message { questions: vec![(name.into(), kind, class)], ..Message::default() })
}

pub(crate) fn record(name: &str, address: IpAddr) -> Record {
    (name.into(), kind(address), 0x8001, 120, data(address))
}

/// That a name has nothing but this address.
pub(crate) fn denial(name: &str, address: IpAddr, class: u16, ttl: u32) -> Record {
    let mut data = Vec::new();
    write_name(name, &mut data);
    data.extend(if address.is_ipv4() { &[0, 1, 0x40][..] } else { &[0, 4, 0, 0, 0, 8] });
    (name.into(), 47, class, ttl, data)
}

pub(crate) fn response(answers: Vec<Record>) -> Vec<u8> {
    write(&Message { flags: 0x8400, records: [answers, vec![], vec![]], ..Message::default() })
}

pub(crate) fn answer(name: &str, address: IpAddr) -> Vec<u8> {
    response(vec![record(name, address)])
}
