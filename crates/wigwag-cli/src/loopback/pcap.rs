//! The UDP packets of a run, in a file that Wireshark and tcpdump read (draft-ietf-opsawg-pcap).

use crate::failure::Failure;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Instant;
use wigwag_mio::{Direction, Driver, Observed, wall_clock};
use wigwag_sansio::WallClock;

/// Microseconds, in the writer's byte order: big endian here.
const MAGIC: u32 = 0xA1B2_C3D4;
/// LINKTYPE_RAW: packets begin with their IPv4 or IPv6 header.
const LINK_TYPE: u32 = 101;
const UDP: u8 = 17;

/// Writes what a driver sends and receives.
pub(super) struct Recording {
    path: PathBuf,
    file: Arc<Mutex<io::Result<Writer<BufWriter<File>>>>>,
}

impl Recording {
    /// Everything that `driver` sends and receives from now on.
    pub(super) fn start(path: &Path, driver: &mut Driver) -> Result<Self, Failure> {
        let writer = File::create(path).and_then(|file| Writer::new(BufWriter::new(file), wall_clock()));
        let writer = writer.map_err(|error| Failure::write(path, "--pcap", &error))?;
        let file = Arc::new(Mutex::new(Ok(writer)));
        let shared = Arc::clone(&file);
        driver.observe(move |seen| {
            let Ok(mut file) = shared.lock() else { return };
            if let Ok(writer) = &mut *file
                && let Err(error) = writer.observe(&seen)
            {
                // Told at the end; the run itself goes on.
                *file = Err(error);
            }
        });
        Ok(Self { path: path.to_owned(), file })
    }

    /// Writes what is buffered.
    pub(super) fn finish(self) -> Result<(), Failure> {
        let Ok(mut file) = self.file.lock() else { return Ok(()) };
        let result = match &mut *file {
            Ok(writer) => writer.0.flush(),
            Err(error) => Err(io::Error::new(error.kind(), error.to_string())),
        };
        result.map_err(|error| Failure::write(&self.path, "--pcap", &error))
    }
}

struct Writer<W>(W, WallClock);

impl<W: Write> Writer<W> {
    fn new(mut file: W, clock: WallClock) -> io::Result<Self> {
        file.write_all(&MAGIC.to_be_bytes())?;
        for version in [2_u16, 4] {
            file.write_all(&version.to_be_bytes())?;
        }
        for field in [0, 0, 65_535 + 40, LINK_TYPE] {
            file.write_all(&field.to_be_bytes())?;
        }
        Ok(Self(file, clock))
    }

    fn observe(&mut self, seen: &Observed<'_>) -> io::Result<()> {
        match seen.direction {
            Direction::Sent => self.write(seen.at, seen.local, seen.remote, seen.payload),
            Direction::Received => self.write(seen.at, seen.remote, seen.local, seen.payload),
        }
    }

    fn write(&mut self, at: Instant, from: SocketAddr, to: SocketAddr, payload: &[u8]) -> io::Result<()> {
        let headers = headers(from, to, payload);
        let time = self.1.unix_time(at);
        let seconds = u32::try_from(time.as_secs()).unwrap_or(u32::MAX);
        let len = u32::try_from(headers.len() + payload.len()).unwrap_or(u32::MAX);
        for field in [seconds, time.subsec_micros(), len, len] {
            self.0.write_all(&field.to_be_bytes())?;
        }
        self.0.write_all(&headers)?;
        self.0.write_all(payload)
    }
}

/// The headers of IP and UDP, as they were on the wire but for what the kernel chose (identification, hop limit).
fn headers(from: SocketAddr, to: SocketAddr, payload: &[u8]) -> Vec<u8> {
    let len = u16::try_from(8 + payload.len()).unwrap_or(u16::MAX).to_be_bytes();
    let mut udp = [from.port().to_be_bytes(), to.port().to_be_bytes(), len, [0, 0]].concat();
    let (mut ip, addresses) = match (from, to) {
        (SocketAddr::V4(from), SocketAddr::V4(to)) => {
            let addresses = [from.ip().octets(), to.ip().octets()].concat();
            let total = u16::try_from(28 + payload.len()).unwrap_or(u16::MAX).to_be_bytes();
            // RFC 791: version 4, five words, don't fragment, 64 hops.
            let mut ip = [&[0x45, 0], total.as_slice(), &[0, 0, 0x40, 0, 64, UDP, 0, 0], &addresses].concat();
            let sum = checksum([ip.as_slice()]).to_be_bytes();
            ip.splice(10..12, sum);
            (ip, addresses)
        }
        (from, to) => {
            let octets = |address: SocketAddr| match address {
                SocketAddr::V4(address) => address.ip().to_ipv6_mapped().octets(),
                SocketAddr::V6(address) => address.ip().octets(),
            };
            let addresses = [octets(from), octets(to)].concat();
            // RFC 8200: version 6, no traffic class, no flow, 64 hops.
            ([&[0x60, 0, 0, 0], len.as_slice(), &[UDP, 64], &addresses].concat(), addresses)
        }
    };
    // RFC 768 and RFC 8200 §8.1: over the addresses, the protocol, the length, the header and the payload.
    let sum = checksum([addresses.as_slice(), &[0, UDP], &len, &udp, payload]);
    // RFC 768: "If the computed checksum is zero, it is transmitted as all ones".
    udp.splice(6..8, (if sum == 0 { u16::MAX } else { sum }).to_be_bytes());
    ip.append(&mut udp);
    ip
}

/// RFC 1071, over parts of which all but the last have an even length.
fn checksum<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> u16 {
    let words = parts.into_iter().flat_map(|part| part.chunks(2));
    let sum: u64 = words
        .map(|word| match word {
            [high, low] => u64::from(u16::from_be_bytes([*high, *low])),
            [high] => u64::from(*high) << 8,
            _ => 0,
        })
        .sum();
    let folded = (0..4).fold(sum, |sum, _| (sum & 0xffff) + (sum >> 16));
    !u16::try_from(folded).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    /// RFC 1071 §3, whose sum is ddf2 before the complement.
    #[test]
    fn the_checksum_is_that_of_the_rfc() {
        let bytes = [0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7];
        assert_eq!(checksum([bytes.as_slice()]), !0xddf2);
        assert_eq!(checksum([[0x12].as_slice()]), !0x1200);
    }

    /// Whoever checks a packet sums all of it, the checksum included, and gets zero.
    #[test]
    fn receivers_would_accept_the_headers() {
        for (from, to) in [("192.0.2.1:1000", "192.0.2.2:2000"), ("[2001:db8::1]:1000", "[2001:db8::2]:2000")] {
            let (from, to): (SocketAddr, SocketAddr) = (from.parse().unwrap(), to.parse().unwrap());
            for payload in [b"".as_slice(), b"odd", b"even"] {
                let packet = headers(from, to, payload);
                let (ip, udp) = packet.split_at(packet.len() - 8);
                let (addresses, total) = if from.is_ipv4() {
                    assert_eq!(checksum([ip]), 0);
                    (&ip[12..], u16::from_be_bytes([ip[2], ip[3]]) - 20)
                } else {
                    (&ip[8..], u16::from_be_bytes([ip[4], ip[5]]))
                };
                assert_eq!(usize::from(total), 8 + payload.len());
                assert_eq!(checksum([addresses, &[0, 17], &total.to_be_bytes(), udp, payload]), 0);
            }
        }
    }

    #[test]
    fn a_record_tells_when_whence_and_whither() {
        let origin = Instant::now();
        let clock = WallClock::new(origin, Duration::from_secs(1000));
        let mut file = Vec::new();
        let mut writer = Writer::new(&mut file, clock).unwrap();
        let (from, to) = ("127.0.0.2:2".parse().unwrap(), "127.0.0.1:1".parse().unwrap());
        writer.write(origin + Duration::from_micros(1_500_000), from, to, b"abc").unwrap();
        assert_eq!(file.len(), 24 + 16 + 28 + 3);
        let word = |at: usize| u32::from_be_bytes(file[at..at + 4].try_into().unwrap());
        assert_eq!([24, 28, 32, 36].map(word), [1001, 500_000, 31, 31]);
        assert_eq!(file[..8], [0xa1, 0xb2, 0xc3, 0xd4, 0, 2, 0, 4]);
        assert_eq!(file[52..64], [127, 0, 0, 2, 127, 0, 0, 1, 0, 2, 0, 1]);
        assert_eq!(file[68..], *b"abc");
    }
}
