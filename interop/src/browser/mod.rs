//! Browsers as counterparties, each driven over its own debugging protocol.

mod chromium;
mod firefox;
mod process;
mod socket;

use anyhow::{Result, bail};
use serde_json::Value;
use std::process::Command;
use std::time::{Duration, Instant};

/// How a browser is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Options {
    /// Whether host candidates are `.local` names, as for a page that was granted nothing.
    pub(crate) hides_addresses: bool,
    /// Whether the DTLS client lists its post-quantum group without a share of it. Firefox alone can be told so.
    pub(crate) withholds_share: bool,
    /// Whether descriptors of dependencies and allocations of layers may be negotiated. Chromium alone can be told so.
    pub(crate) tells_layers: bool,
    /// Whether pages may ask for encrypted RTP headers (RFC 9335). Chromium alone has them, and only when it is told.
    pub(crate) encrypts_headers: bool,
    /// Whether arrivals may be reported as RFC 8888 has it. Chromium alone can be told so.
    pub(crate) reports_by_stream: bool,
}

impl Options {
    pub(crate) const USUAL: Self = Self {
        hides_addresses: false,
        withholds_share: false,
        tells_layers: false,
        encrypts_headers: false,
        reports_by_stream: false,
    };
    pub(crate) const HIDES_ADDRESSES: Self = Self { hides_addresses: true, ..Self::USUAL };
    pub(crate) const WITHHOLDS_SHARE: Self = Self { withholds_share: true, ..Self::USUAL };
    pub(crate) const TELLS_LAYERS: Self = Self { tells_layers: true, ..Self::USUAL };
    pub(crate) const ENCRYPTS_HEADERS: Self = Self { encrypts_headers: true, ..Self::USUAL };
    pub(crate) const REPORTS_BY_STREAM: Self = Self { reports_by_stream: true, ..Self::USUAL };
    /// Each needs a browser of its own.
    pub(crate) const ALL: [Self; 6] = [
        Self::USUAL,
        Self::WITHHOLDS_SHARE,
        Self::TELLS_LAYERS,
        Self::ENCRYPTS_HEADERS,
        Self::REPORTS_BY_STREAM,
        Self::HIDES_ADDRESSES,
    ];
}

/// A page in a browser.
pub(crate) trait Browser {
    fn name(&self) -> &'static str;
    fn navigate(&mut self, url: &str) -> Result<()>;
    /// Evaluates what is or promises a string.
    fn evaluate_text(&mut self, expression: &str, patience: Duration) -> Result<String>;
    /// A picture of the page, as PNG.
    fn screenshot(&mut self) -> Result<Vec<u8>>;
    /// Sends a signal, as STOP and CONT, to all its processes.
    fn signal(&mut self, name: &str);
}

impl dyn Browser + '_ {
    /// Evaluates any expression, awaits it, and returns it through JSON.
    pub(crate) fn evaluate(&mut self, expression: &str) -> Result<Value> {
        self.evaluate_for(expression, Duration::from_secs(60))
    }

    pub(crate) fn evaluate_for(&mut self, expression: &str, patience: Duration) -> Result<Value> {
        let wrapped = format!("(async () => JSON.stringify((await ({expression})) ?? null))()");
        Ok(serde_json::from_str(&self.evaluate_text(&wrapped, patience)?)?)
    }
}

/// Those that can be driven.
pub(crate) const NAMES: [&str; 2] = ["chromium", "firefox"];

/// The browser with this name, as an argument of the command line.
pub(crate) fn named(name: &str) -> Result<&'static str, String> {
    NAMES.into_iter().find(|known| *known == name).ok_or_else(|| format!("there are {}", NAMES.join(", ")))
}

/// What the browser says its version is; none if it is not installed.
pub(crate) fn version(name: &str) -> Option<String> {
    let program = if name == "chromium" { chromium::PROGRAM } else { firefox::PROGRAM };
    let output = Command::new(program).arg("--version").output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let is_version = |word: &&str| word.starts_with(|first: char| first.is_ascii_digit());
    Some(text.split_whitespace().find(is_version).unwrap_or("?").to_owned())
}

pub(crate) fn start(name: &str, options: &Options) -> Result<Box<dyn Browser>> {
    match name {
        "chromium" => Ok(Box::new(chromium::Chromium::start(options)?)),
        "firefox" => Ok(Box::new(firefox::Firefox::start(options)?)),
        _ => bail!("no browser is called {name}: chromium or firefox"),
    }
}

/// Asks again and again until there is an answer.
pub(crate) fn wait_for<T>(patience: Duration, mut ask: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let deadline = Instant::now() + patience;
    loop {
        if let Some(answer) = ask()? {
            return Ok(answer);
        }
        if Instant::now() > deadline {
            bail!("not within {} s", patience.as_secs());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// What both protocols send pictures in.
fn base64(text: &str) -> Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut held) = (0u32, 0);
    for byte in text.bytes().filter(|byte| *byte != b'=') {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => bail!("not base64"),
        };
        bits = bits << 6 | u32::from(value);
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held & 0xff) as u8);
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    #[test]
    fn base64_is_read_as_rfc_4648_has_it() {
        for (text, bytes) in [("", ""), ("Zg==", "f"), ("Zm8=", "fo"), ("Zm9v", "foo"), ("Zm9vYmFy", "foobar")] {
            assert_eq!(super::base64(text).unwrap(), bytes.as_bytes());
        }
    }
}
