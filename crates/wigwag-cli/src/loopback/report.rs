//! What was measured, for a machine and for a person.

use super::peer::Outcome;
use super::progress::megabytes;
use super::sum::Sum;
use crate::failure::Failure;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

/// One direction of the data: what left and what arrived.
struct Way<'a> {
    sent: &'a Sum,
    received: &'a Sum,
}

impl Way<'_> {
    fn is_equal(&self) -> bool {
        self.sent == self.received
    }

    fn to_json(&self) -> Value {
        json!({
            "bytes_sent": self.sent.bytes,
            "bytes_received": self.received.bytes,
            "sha256_sent": self.sent.sha256,
            "sha256_received": self.received.sha256,
            "equal": self.is_equal(),
        })
    }
}

pub(super) struct Report {
    a: Outcome,
    z: Outcome,
}

impl Report {
    pub(super) const fn new(a: Outcome, z: Outcome) -> Self {
        Self { a, z }
    }

    const fn ways(&self) -> [Way<'_>; 2] {
        [Way { sent: &self.a.sent, received: &self.z.received }, Way { sent: &self.z.sent, received: &self.a.received }]
    }

    fn bytes_sent(&self) -> u64 {
        self.a.sent.bytes + self.z.sent.bytes
    }

    fn bytes_received(&self) -> u64 {
        self.a.received.bytes + self.z.received.bytes
    }

    fn time(&self) -> Duration {
        self.a.time.max(self.z.time)
    }

    fn megabytes_per_second(&self) -> f64 {
        megabytes(self.bytes_received()) / self.time().as_secs_f64().max(0.001)
    }

    /// The processor time of both ends, ciphers, system calls and media included, without that of the sums.
    fn cpu_seconds_per_gigabyte(&self) -> Option<f64> {
        let sums = self.a.sums_cpu? + self.z.sums_cpu?;
        let cpu = self.a.cpu.max(self.z.cpu)?.saturating_sub(sums);
        Some(cpu.as_secs_f64() / (megabytes(self.bytes_received()) / 1000.0).max(1e-6))
    }

    const fn media(&self) -> (u64, u64) {
        (self.a.media_sent + self.z.media_sent, self.a.media_received + self.z.media_received)
    }

    fn media_loss_percent(&self) -> f64 {
        let (sent, received) = self.media();
        #[expect(clippy::cast_precision_loss, reason = "for a person")]
        let share = sent.saturating_sub(received) as f64 / sent.max(1) as f64;
        100.0 * share
    }

    /// Both ends together, by cause.
    fn drops(&self) -> BTreeMap<String, u64> {
        let mut drops = BTreeMap::new();
        for outcome in [&self.a, &self.z] {
            let driver = &outcome.driver;
            let of_driver = [
                ("driver.too_large", driver.dropped_too_large),
                ("driver.no_route", driver.dropped_no_route),
                ("driver.protocol", driver.dropped_protocol),
                ("driver.refused", driver.dropped_refused),
                ("driver.empty", driver.dropped_empty),
                ("media.queue_full", outcome.media_refused),
            ];
            for (cause, count) in outcome.drops.iter().map(|(cause, count)| (*cause, *count)).chain(of_driver) {
                *drops.entry(cause.to_owned()).or_default() += count;
            }
        }
        drops
    }

    /// On the wire, versions count downwards from 1.0, which is FEFF.
    fn dtls_version(&self) -> Option<String> {
        self.a.transport.dtls_version.map(|version| format!("1.{}", 0xFEFF_u16.saturating_sub(version.wire())))
    }

    fn pair(&self) -> Option<String> {
        self.a.transport.path.map(|path| format!("{} {}", path.local, path.remote))
    }

    /// Exactly one line.
    pub(super) fn to_json(&self) -> String {
        let [a_to_z, z_to_a] = self.ways();
        let (media_sent, media_received) = self.media();
        let transport = &self.a.transport;
        let round = |number: f64| (number * 1000.0).round() / 1000.0;
        json!({
            "connected": true,
            "setup_ms": round(self.a.setup.as_secs_f64() * 1000.0),
            "pair": self.pair(),
            "dtls": self.dtls_version(),
            "suite": transport.cipher_suite.map(|suite| suite.to_string()),
            "group": transport.group.map(|group| group.to_string()),
            "srtp": transport.srtp_profile.map(|profile| profile.to_string()),
            "seconds": round(self.time().as_secs_f64()),
            "data": {
                "bytes_sent": self.bytes_sent(),
                "bytes_received": self.bytes_received(),
                "mb_per_s": round(self.megabytes_per_second()),
                "cpu_s_per_gb": self.cpu_seconds_per_gigabyte().map(round),
                "equal": a_to_z.is_equal() && z_to_a.is_equal(),
                "a_to_z": a_to_z.to_json(),
                "z_to_a": z_to_a.to_json(),
            },
            "media": {
                "packets_sent": media_sent,
                "packets_received": media_received,
                "loss_percent": round(self.media_loss_percent()),
            },
            "drops": self.drops(),
        })
        .to_string()
    }

    pub(super) fn to_table(&self) -> String {
        let transport = &self.a.transport;
        let name = |value: Option<String>| value.unwrap_or_else(|| "?".to_owned());
        let (media_sent, media_received) = self.media();
        let mut rows = vec![
            ("path", name(self.pair()).replace(' ', " ↔ ")),
            ("set-up", format!("{:.1} ms", self.a.setup.as_secs_f64() * 1000.0)),
            (
                "security",
                format!(
                    "DTLS {}, {}, SRTP {}",
                    name(self.dtls_version()),
                    name(transport.cipher_suite.map(|suite| suite.to_string())),
                    name(transport.srtp_profile.map(|profile| profile.to_string())),
                ),
            ),
        ];
        for (label, way) in ["data A → Z", "data Z → A"].into_iter().zip(self.ways()) {
            let verdict = if way.is_equal() { "identical" } else { "DIFFERENT" };
            let sum = way.received.sha256.get(..12).unwrap_or_default();
            rows.push((label, format!("{:.1} MB, {verdict} (SHA-256 {sum}…)", megabytes(way.received.bytes))));
        }
        let seconds = self.time().as_secs_f64();
        rows.push(("throughput", format!("{:.1} MB/s, both directions, {seconds:.2} s", self.megabytes_per_second())));
        if let Some(cpu) = self.cpu_seconds_per_gigabyte() {
            rows.push(("processor", format!("{cpu:.2} s per GB, both ends, without the sums")));
        }
        let loss = self.media_loss_percent();
        rows.push(("media", format!("{media_received} of {media_sent} packets arrived, {loss:.2} % lost")));
        let drops: Vec<_> = self.drops().into_iter().filter(|(_, count)| *count > 0).collect();
        let drops: Vec<_> = drops.iter().map(|(cause, count)| format!("{cause} {count}")).collect();
        rows.push(("drops", if drops.is_empty() { "none".to_owned() } else { drops.join(", ") }));
        rows.into_iter().fold(String::new(), |mut table, (label, value)| {
            let _ = writeln!(table, "  {label:<11} {value}");
            table
        })
    }

    /// Data must arrive as they were sent.
    pub(super) fn verdict(&self) -> Result<(), Failure> {
        if self.ways().iter().all(Way::is_equal) {
            return Ok(());
        }
        Err(Failure::new(
            "the data that arrived are not those that were sent: this is a fault of wigwag, please report it",
        ))
    }
}
