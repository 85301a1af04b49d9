//! `--keylog` and `--pcap`: what connections show of themselves, in files.

use crate::failure::Failure;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use wigwag::{Config, Endpoint, Tapped, pcapng};

/// What waits between two turns of a loop, in bytes: a turn sends 64 batches of 64 datagrams at most, each shown twice.
const BUFFER: usize = 64 << 20;

/// Where to record; both files hold secrets.
#[derive(Debug, clap::Args)]
pub(crate) struct Files {
    /// Append the keys of DTLS to a file, in the format of SSLKEYLOGFILE: whoever has them can read the calls
    #[arg(long, value_name = "FILE")]
    keylog: Option<PathBuf>,
    /// Record datagrams, what is in them without encryption, and the keys, for Wireshark (pcapng)
    #[arg(long, value_name = "FILE")]
    pcap: Option<PathBuf>,
}

impl Files {
    /// Opens the files, before anything else is begun.
    pub(crate) fn open(&self) -> Result<Recording, Failure> {
        let mut append = OpenOptions::new();
        append.append(true).create(true);
        let key_log = self.keylog.as_deref().map(|path| Output::open(path, "--keylog", &mut append)).transpose()?;
        let mut replace = OpenOptions::new();
        replace.write(true).create(true).truncate(true);
        let mut capture = self.pcap.as_deref().map(|path| Output::open(path, "--pcap", &mut replace)).transpose()?;
        if let Some(capture) = &mut capture {
            let mut begin = Vec::new();
            pcapng::begin(&mut begin);
            capture.file.write_all(&begin).map_err(|error| capture.failure(&error))?;
        }
        Ok(Recording { key_log, capture, out: Vec::new() })
    }
}

/// The files, and what is on its way to them.
#[derive(Default)]
pub(crate) struct Recording {
    key_log: Option<Output>,
    capture: Option<Output>,
    out: Vec<u8>,
}

impl Recording {
    /// Asks a connection for what is to be recorded.
    pub(crate) const fn ask(&self, config: &mut Config) {
        config.tap.key_log = self.key_log.is_some() || self.capture.is_some();
        config.tap.packets = self.capture.is_some();
        config.tap.buffer = BUFFER;
    }

    /// Writes what the connections have shown since.
    pub(crate) fn take(&mut self, endpoint: &mut Endpoint) {
        let mut lines = String::new();
        while let Some((_, tapped)) = endpoint.poll_tap() {
            if let Tapped::KeyLog(line) = &tapped {
                lines += line.as_str();
                lines.push('\n');
            }
            tapped.append_pcapng(&mut self.out);
        }
        if let Some(key_log) = self.key_log.as_mut().filter(|_| !lines.is_empty()) {
            key_log.write(lines.as_bytes());
        }
        if let Some(capture) = self.capture.as_mut().filter(|_| !self.out.is_empty()) {
            capture.write(&self.out);
        }
        self.out.clear();
    }

    /// Whether all was written.
    pub(crate) fn finish(self) -> Result<(), Failure> {
        [self.key_log, self.capture].into_iter().flatten().try_for_each(|output| match output.failed {
            Some(failure) => Err(failure),
            None => Ok(()),
        })
    }
}

struct Output {
    path: PathBuf,
    option: &'static str,
    file: File,
    failed: Option<Failure>,
}

impl Output {
    fn open(path: &Path, option: &'static str, how: &mut OpenOptions) -> Result<Self, Failure> {
        // Nobody but the owner reads secrets.
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(how, 0o600);
        let file = how.open(path).map_err(|error| Failure::write(path, option, &error))?;
        Ok(Self { path: path.to_owned(), option, file, failed: None })
    }

    /// What cannot be written is told at once and at the end; the calls go on.
    fn write(&mut self, bytes: &[u8]) {
        if self.failed.is_some() {
            return;
        }
        if let Err(error) = self.file.write_all(bytes) {
            tracing::error!(path = %self.path.display(), %error, "the recording ends");
            self.failed = Some(self.failure(&error));
        }
    }

    fn failure(&self, error: &io::Error) -> Failure {
        Failure::write(&self.path, self.option, error)
    }
}
