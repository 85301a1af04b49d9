//! Several packets of one size in one buffer.

/// UDP's length field, less the headers of UDP and IPv6.
const BATCH_LEN_MAX: usize = 65_535 - 8 - 40;

/// Appends packets to `out` until `max_segments` are there, one is shorter than the first, or none fits any more.
///
/// `write(limit, out)` appends one packet of at most `limit` bytes, or nothing and says `false`, in which case it has
/// changed nothing else either: a packet that does not fit stays owed. The first is offered all of `mtu`, so what does
/// not fit now fits next time. Returns the size of each packet but the last, or `None` if there was none.
pub fn batch(
    max_segments: usize,
    mtu: usize,
    out: &mut Vec<u8>,
    mut write: impl FnMut(usize, &mut Vec<u8>) -> bool,
) -> Option<usize> {
    let mut append = |limit, out: &mut Vec<u8>| {
        let start = out.len();
        let has_written = write(limit, out);
        debug_assert_eq!(has_written, out.len() > start, "write says whether it wrote");
        debug_assert!(out.len() - start <= limit, "write keeps to its limit");
        out.len() - start
    };
    let segment_size = append(mtu, out);
    if segment_size == 0 {
        return None;
    }
    for _ in 1..max_segments.min(BATCH_LEN_MAX / segment_size) {
        if append(segment_size, out) < segment_size {
            break;
        }
    }
    Some(segment_size)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Packets of the given sizes, each written if it fits.
    fn run(max_segments: usize, mut sizes: Vec<usize>) -> (Option<usize>, usize, Vec<usize>) {
        let mut out = Vec::new();
        sizes.reverse();
        let segment_size =
            batch(max_segments, 1200, &mut out, |limit, out| match sizes.pop_if(|size| *size <= limit) {
                Some(size) => {
                    out.resize(out.len() + size, 0);
                    true
                }
                None => false,
            });
        sizes.reverse();
        (segment_size, out.len(), sizes)
    }

    #[test]
    fn nothing_owed_is_no_batch() {
        assert_eq!(run(10, vec![]), (None, 0, vec![]));
    }

    #[test]
    fn stops_after_a_shorter_packet() {
        assert_eq!(run(10, vec![1000, 1000, 400, 1000]), (Some(1000), 2400, vec![1000]));
    }

    #[test]
    fn a_larger_packet_stays_owed() {
        assert_eq!(run(10, vec![400, 400, 1000]), (Some(400), 800, vec![1000]));
    }

    #[test]
    fn holds_no_more_than_max_segments() {
        assert_eq!(run(2, vec![10; 5]), (Some(10), 20, vec![10; 3]));
        assert_eq!(run(0, vec![10; 5]), (Some(10), 10, vec![10; 4]));
    }

    #[test]
    fn is_never_longer_than_a_datagram_can_be() {
        let (_, len, _) = run(1000, vec![1200; 100]);
        assert!(len <= BATCH_LEN_MAX && len > BATCH_LEN_MAX - 1200);
    }
}
