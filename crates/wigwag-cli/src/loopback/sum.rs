//! SHA-256 of all bytes of one direction at one end, on a thread of its own: it must not slow down what is measured more
//! than it has to, and its processor time is known apart.

use super::cpu;
use bytes::Bytes;
use ring::digest::{Context, SHA256};
use std::fmt::Write;
use std::io;
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// How many messages may wait to be summed; whoever is further ahead waits.
const WAITING_MAX: usize = 64;

/// All bytes of a direction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sum {
    pub(super) bytes: u64,
    pub(super) sha256: String,
}

/// A sum in the making.
pub(super) struct Summing {
    pub(super) bytes: u64,
    messages: SyncSender<Bytes>,
    thread: JoinHandle<(String, Option<Duration>)>,
}

impl Summing {
    pub(super) fn start() -> io::Result<Self> {
        let (messages, waiting) = mpsc::sync_channel(WAITING_MAX);
        let thread = thread::Builder::new().name("sum".to_owned()).spawn(move || sum(&waiting))?;
        Ok(Self { bytes: 0, messages, thread })
    }

    pub(super) fn add(&mut self, message: Bytes) {
        self.bytes += message.len() as u64;
        // The thread ends when this end is dropped, never before.
        let _ = self.messages.send(message);
    }

    /// The sum, and the processor time that it took, where the system tells.
    pub(super) fn finish(self) -> Result<(Sum, Option<Duration>), String> {
        drop(self.messages);
        let (sha256, cpu) = self.thread.join().map_err(|_| "the sum of the data failed")?;
        Ok((Sum { bytes: self.bytes, sha256 }, cpu))
    }
}

fn sum(messages: &Receiver<Bytes>) -> (String, Option<Duration>) {
    let mut context = Context::new(&SHA256);
    messages.iter().for_each(|message| context.update(&message));
    let hex = context.finish().as_ref().iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    });
    (hex, cpu::time_of_this_thread())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// FIPS 180-4, "abc".
    #[test]
    fn the_sum_is_that_of_all_messages_together() {
        let mut summing = Summing::start().unwrap();
        for part in ["a", "", "bc"] {
            summing.add(part.into());
        }
        let sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad".to_owned();
        assert_eq!(summing.finish().unwrap().0, Sum { bytes: 3, sha256 });
    }
}
