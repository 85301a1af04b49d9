//! The runner's end of the wire: a stream of operations, each a byte and what belongs to it.

use std::io::{Read, Result, Write};
use std::net::{Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

/// What the runner tells us.
#[derive(Debug)]
pub(crate) enum Operation {
    Datagram(Vec<u8>),
    /// So much time has passed.
    Timeout(Duration),
    Mtu(usize),
    /// When our next timeout has to be, from now on; none if there must be none.
    ExpectTimeout(Option<Duration>),
    InitialTimeout(Duration),
    /// The runner is done with us.
    End,
}

pub(crate) struct Runner(TcpStream);

impl Runner {
    pub(crate) fn connect(is_ipv6: bool, port: u16, shim_id: u64) -> Result<Self> {
        let address: SocketAddr =
            if is_ipv6 { (Ipv6Addr::LOCALHOST, port).into() } else { (Ipv4Addr::LOCALHOST, port).into() };
        let mut stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.write_all(&shim_id.to_le_bytes())?;
        Ok(Self(stream))
    }

    pub(crate) fn receive(&mut self) -> Result<Operation> {
        let mut opcode = [0];
        if self.0.read(&mut opcode)? == 0 {
            return Ok(Operation::End);
        }
        Ok(match opcode[0] {
            b'P' => {
                let mut datagram = vec![0; u32::from_be_bytes(self.array()?) as usize];
                self.0.read_exact(&mut datagram)?;
                Operation::Datagram(datagram)
            }
            b'T' => Operation::Timeout(Duration::from_nanos(u64::from_be_bytes(self.array()?))),
            b'M' => Operation::Mtu(u32::from_be_bytes(self.array()?) as usize),
            b'E' => {
                let nanoseconds = Some(u64::from_be_bytes(self.array()?)).filter(|number| *number != u64::MAX);
                Operation::ExpectTimeout(nanoseconds.map(Duration::from_nanos))
            }
            b'U' => Operation::InitialTimeout(Duration::from_millis(u32::from_be_bytes(self.array()?).into())),
            other => return Err(std::io::Error::other(format!("the runner says {other}, which nobody knows"))),
        })
    }

    pub(crate) fn send(&mut self, datagram: &[u8]) -> Result<()> {
        let len = u32::try_from(datagram.len()).map_err(std::io::Error::other)?;
        self.0.write_all(&[&b"P"[..], &len.to_be_bytes(), datagram].concat())
    }

    /// What has come so far was dealt with; what is sent from here on comes after the time that has passed.
    pub(crate) fn acknowledge_timeout(&mut self) -> Result<()> {
        self.0.write_all(b"t")
    }

    /// Ends our side, and waits for the runner to end its own: closing with something unread would take from it what we
    /// have said last.
    pub(crate) fn finish(&mut self) {
        let _ = self.0.shutdown(Shutdown::Write);
        let _ = self.0.read_to_end(&mut Vec::new());
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut bytes = [0; N];
        self.0.read_exact(&mut bytes)?;
        Ok(bytes)
    }
}
