//! How much processor time was used.

use std::time::Duration;

/// Ticks a second of Linux's `/proc`: `USER_HZ`, 100 on every architecture that Rust knows.
const TICKS_PER_SECOND: f64 = 100.0;

/// User and system time of all threads so far; `None` where the system does not tell.
pub(super) fn time() -> Option<Duration> {
    parse(&std::fs::read_to_string("/proc/self/stat").ok()?)
}

/// That of the calling thread alone.
pub(super) fn time_of_this_thread() -> Option<Duration> {
    parse(&std::fs::read_to_string("/proc/thread-self/stat").ok()?)
}

/// proc_pid_stat(5): the name, which may hold anything, ends with the last parenthesis; utime and stime are the 14th
/// and 15th field.
fn parse(stat: &str) -> Option<Duration> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<u32>().ok();
    Some(Duration::from_secs_f64((f64::from(ticks()?) + f64::from(ticks()?)) / TICKS_PER_SECOND))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_may_hold_anything() {
        let stat = "12 (a) b (c) S 1 12 12 0 -1 4194304 99 0 0 0 250 50 3 4 20 0 1 0 5 6 7";
        assert_eq!(parse(stat), Some(Duration::from_secs(3)));
        assert_eq!(parse(""), None);
        assert_eq!(parse("1 (x) S 2"), None);
    }
}
