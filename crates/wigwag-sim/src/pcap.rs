//! Captures that Wireshark opens.

use crate::trace::Record;
use std::io::{self, Write};
use wigwag_pcapng::Passage;
use wigwag_sansio::Protocol;

/// Datagrams only: streams have no packets here. What no IP packet can hold is left out.
pub(crate) fn write(records: &[Record], mut writer: impl Write) -> io::Result<()> {
    let mut out = Vec::new();
    wigwag_pcapng::begin(&mut out);
    for record in records.iter().filter(|record| record.protocol == Protocol::Udp) {
        // Virtual time begins in 1970.
        let passage = Passage { time: record.at, direction: None, from: record.from, to: record.to };
        wigwag_pcapng::datagram(&mut out, &passage, &record.payload);
        writer.write_all(&out)?;
        out.clear();
    }
    writer.write_all(&out)?;
    writer.flush()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Fate;
    use std::time::Duration;

    fn record(from: &str, to: &str, protocol: Protocol) -> Record {
        let (from, to) = (from.parse().unwrap(), to.parse().unwrap());
        let (at, payload) = (Duration::from_micros(1_500_001), b"hey".to_vec());
        Record { at, protocol, from, to, payload, fate: Fate::Passed, hosts: (0, Some(1)) }
    }

    fn written(records: &[Record]) -> Vec<u8> {
        let mut out = Vec::new();
        write(records, &mut out).unwrap();
        out
    }

    #[test]
    fn a_capture_holds_times_addresses_and_payloads_of_datagrams_alone() {
        let four = record("10.0.0.1:1000", "10.0.0.2:2000", Protocol::Udp);
        let six = record("[::1]:1", "[::2]:2", Protocol::Udp);
        let stream = record("10.0.0.1:1", "10.0.0.2:2", Protocol::Tcp);
        let nothing = written(&[]);
        assert_eq!(nothing[..4], [0x0A, 0x0D, 0x0D, 0x0A]);
        assert_eq!(written(std::slice::from_ref(&stream)), nothing);
        let both = written(&[four, stream, six]);
        let (begin, blocks) = both.split_at(nothing.len());
        assert_eq!(begin, nothing);
        let (four, six) = blocks.split_at(64);
        assert_eq!(four[12..20], 1_500_001_000u64.to_be_bytes());
        assert_eq!(four[40..48], [10, 0, 0, 1, 10, 0, 0, 2]);
        assert_eq!((four[28], &four[56..59], six[28]), (0x45, b"hey".as_slice(), 0x60));
    }
}
