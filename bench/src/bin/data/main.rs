//! Data channels beside those of other stacks: SCTP alone in memory, and the whole stack over sockets.
//!
//! A program of its own, because it runs itself once more where instructions are counted.

mod loopback;
mod sctp;

/// The cryptography that ours was built with.
const BACKEND: &str = if cfg!(feature = "aws-lc-rs") { "aws-lc-rs" } else { "RustCrypto" };

/// The lengths of messages in bytes, and what they are called.
const MESSAGES: [(usize, &str); 3] = [(1 << 10, "1 KB"), (16 << 10, "16 KB"), (64 << 10, "64 KB")];

/// What was measured.
struct Row {
    work: String,
    unit: &'static str,
    better: &'static str,
    ours: f64,
    peer: f64,
    peer_name: &'static str,
}

/// Measures SCTP alone and the whole stack, or what is named: `sctp`, `loopback`. `--run STACK LENGTH BYTES` carries so much
/// once over SCTP alone, and `--loop STACK LENGTH` is one turn of the whole stack: for profilers.
fn main() {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    if let [option, stack, length, bytes] = arguments.as_slice()
        && option == "--run"
    {
        return sctp::run(stack, length.parse().expect("a length"), bytes.parse().expect("a number of bytes"));
    }
    if let [option, stack, length] = arguments.as_slice()
        && option == "--loop"
    {
        return loopback::run(stack, length.parse().expect("a length"));
    }
    let (options, parts): (Vec<_>, Vec<_>) = arguments.into_iter().partition(|argument| argument.starts_with('-'));
    let is_wanted = |part: &str| parts.is_empty() || parts.iter().any(|named| named == "data" || named == part);
    let mut rows = Vec::new();
    // It encrypts nothing.
    if is_wanted("sctp") && !cfg!(feature = "aws-lc-rs") {
        rows.extend(sctp::rows());
    }
    if is_wanted("loopback") {
        rows.extend(loopback::rows());
    }
    if options.iter().any(|option| option == "--json") {
        println!("{}", serde_json::json!({ "rows": rows.iter().map(Row::json).collect::<Vec<_>>() }));
    }
}

impl Row {
    fn print(self) -> Self {
        let Self { work, unit, ours, peer, peer_name, .. } = &self;
        println!("{work:60} {ours:9.2} {unit:12} {peer_name:24} {peer:9.2}   ratio {:.2}", ours / peer);
        self
    }

    fn json(&self) -> serde_json::Value {
        let Self { work, unit, better, ours, peer, peer_name } = self;
        serde_json::json!({
            "work": work, "unit": unit, "better": better, "ours": ours, "peer": peer, "peer_name": peer_name,
        })
    }
}
