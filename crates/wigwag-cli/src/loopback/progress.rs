//! The run as a person watches it.

use super::peer::Shared;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

const REFRESH: Duration = Duration::from_millis(100);

/// Shows bars on standard error, if that is a terminal, until the run ends.
pub(super) fn show(shared: &Shared, duration: Duration) {
    let bars = MultiProgress::new();
    let spinner = bars.add(ProgressBar::new_spinner().with_message("connecting two peers over loopback"));
    let style =
        |template: &str| ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    let is_over = || {
        shared.has_failed.load(Ordering::Relaxed) || shared.is_finished.iter().all(|flag| flag.load(Ordering::Relaxed))
    };
    while !shared.is_open.iter().all(|flag| flag.load(Ordering::Relaxed)) {
        if is_over() {
            return spinner.finish_and_clear();
        }
        spinner.tick();
        thread::sleep(REFRESH / 10);
    }
    spinner.finish_and_clear();

    let total = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let time = bars.add(ProgressBar::new(total));
    time.set_style(style("  time   {bar:36.cyan/dim} {msg}"));
    let lines = ["A ← Z", "A → Z"].map(|name| {
        let bar = bars.add(ProgressBar::new_spinner().with_prefix(name));
        bar.set_style(style("  {prefix}  {msg}"));
        bar
    });
    let began = Instant::now();
    let mut before = (began, [0; 2]);
    while !is_over() {
        thread::sleep(REFRESH);
        let elapsed = began.elapsed();
        time.set_position(u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX).min(total));
        let state = if elapsed < duration { "sending" } else { "what is on its way arrives" };
        time.set_message(format!("{:.1} s, {state}", elapsed.as_secs_f64()));
        let now = Instant::now();
        let bytes = [0, 1].map(|end: usize| load(&shared.bytes_received, end));
        for (end, line) in lines.iter().enumerate() {
            let (was, is) =
                (before.1.get(end).copied().unwrap_or_default(), bytes.get(end).copied().unwrap_or_default());
            let seconds = now.saturating_duration_since(before.0).as_secs_f64().max(0.001);
            let rate = megabytes(is.saturating_sub(was)) / seconds;
            let packets = load(&shared.packets_received, end);
            line.set_message(format!(
                "{rate:7.1} MB/s  {:9.1} MB of data  {packets:6} packets of media",
                megabytes(is)
            ));
        }
        before = (now, bytes);
    }
    time.finish_and_clear();
    lines.iter().for_each(ProgressBar::finish_and_clear);
}

fn load(counters: &[std::sync::atomic::AtomicU64; 2], end: usize) -> u64 {
    counters.get(end).map_or(0, |counter| counter.load(Ordering::Relaxed))
}

#[expect(clippy::cast_precision_loss, reason = "for a person")]
pub(super) fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
