//! A connection of ours with somebody else's program, through the relay, from the first datagram to the last.

use crate::case::{Case, Closer, exported, in_order};
use crate::ours::Ours;
use crate::process::{Process, free_port};
use crate::relay::{Counts, Relay};
use anyhow::{Context, Result, ensure};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use wigwag_dtls::{CloseReason, Role};

/// A third of the datagrams is lost at worst, others begin with a second and double it.
const LIMIT: Duration = Duration::from_secs(90);
/// A line that may have been lost is said again after this.
const AGAIN: Duration = Duration::from_millis(150);
/// How many lines each says to the other.
const LINES: u32 = 20;
/// How many calls run at once: they wait most of the time.
const THREADS: usize = 6;

/// Somebody else's program, as client and as server.
pub(crate) trait Program: Sync {
    /// A server on this port of 127.0.0.1.
    fn server(&self, case: &Case, port: u16) -> Command;
    /// What a server prints when it can be talked to.
    fn is_ready(&self, output: &str) -> bool;
    /// A client of this address.
    fn client(&self, case: &Case, address: SocketAddr) -> Command;
    /// Whether it sends back what it gets, instead of printing it and sending what it is told.
    fn echoes(&self, _case: &Case) -> bool {
        false
    }
    /// Whether what it prints of the keys agrees with ours: of the exporter, or another secret of the connection.
    fn agrees(&self, case: &Case, output: &str, ours: &Ours) -> Result<bool>;
    /// Whether it can end the connection as it should, by close_notify.
    fn says_goodbye(&self, case: &Case) -> bool;
    /// What has it end the connection.
    fn close(&self, process: &mut Process);
    /// Whether it has noticed that we have ended the connection.
    fn has_noticed(&self, case: &Case, output: &str) -> bool;
}

/// Each of these with either saying goodbye, where the program can.
pub(crate) fn with_closers(program: &impl Program, cases: impl IntoIterator<Item = Case>) -> Vec<Case> {
    let with_ours = cases.into_iter().map(|case| Case { closer: Closer::Ours, ..case });
    let with_theirs = |case: Case| program.says_goodbye(&case).then_some(Case { closer: Closer::Theirs, ..case });
    with_ours.flat_map(|case| [Some(case), with_theirs(case)]).flatten().collect()
}

/// Tries all of these, several at once; returns what the relays have carried, in both directions.
///
/// # Panics
/// If one of them fails, after all are over.
pub(crate) fn all(program: &impl Program, cases: &[Case]) -> [Counts; 2] {
    let next = AtomicUsize::new(0);
    let work = || {
        let mine = std::iter::from_fn(|| cases.get(next.fetch_add(1, Ordering::Relaxed)));
        mine.map(|case| run(program, case).map_err(|error| format!("{case:?}: {error:#}"))).collect::<Vec<_>>()
    };
    let results: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS.min(cases.len())).map(|_| scope.spawn(work)).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("no call panics")).collect()
    });
    let failures: Vec<_> = results.iter().filter_map(|result| result.as_ref().err().cloned()).collect();
    assert!(failures.is_empty(), "{} of {} failed:\n{}", failures.len(), cases.len(), failures.join("\n\n"));
    let mut total = [Counts::default(); 2];
    for counts in results.into_iter().flatten() {
        for (total, counts) in total.iter_mut().zip(counts) {
            total.passed += counts.passed;
            total.lost += counts.lost;
        }
    }
    total
}

/// The same at 10 % and 30 % loss, and sees to it that so much was lost.
pub(crate) fn all_through_loss(program: &impl Program, cases: &[Case], seeds: u64) {
    for loss in [10, 30] {
        // Each case loses others.
        let all = (0..seeds).flat_map(|_| cases).zip(0..).map(|(case, seed)| Case { loss, seed, ..*case });
        for counts in self::all(program, &all.collect::<Vec<_>>()) {
            let (lost, total) = (counts.lost, counts.lost + counts.passed);
            assert!(lost * 100 > total * loss / 2, "at {loss} %, {lost} of {total} were lost");
        }
    }
}

struct Call<'a, P> {
    program: &'a P,
    case: &'a Case,
    ours: Ours,
    process: Process,
    relay: Relay,
}

/// One call; returns what the relay has carried until goodbye was said.
fn run<P: Program>(program: &P, case: &Case) -> Result<[Counts; 2]> {
    let mut call = Call::start(program, case)?;
    call.connect()
        .and_then(|()| call.agree())
        .and_then(|()| call.talk())
        .and_then(|()| call.close())
        .map_err(|error| error.context(format!("its output:\n{}\n", call.process.output())))
}

impl<'a, P: Program> Call<'a, P> {
    fn start(program: &'a P, case: &'a Case) -> Result<Self> {
        match case.role {
            Role::Client => {
                let port = free_port();
                let process = Process::start(program.server(case, port))?;
                let deadline = Instant::now() + LIMIT;
                while !program.is_ready(&process.output()) {
                    ensure!(Instant::now() < deadline, "it is not ready: {}", process.output());
                    thread::sleep(Duration::from_millis(5));
                }
                let relay = Relay::start((Ipv4Addr::LOCALHOST, port).into(), case.loss, case.seed)?;
                let ours = Ours::new(case.config(), case.seed, Some(relay.address))?;
                Ok(Self { program, case, ours, process, relay })
            }
            Role::Server => {
                let ours = Ours::new(case.config(), case.seed, None)?;
                let relay = Relay::start(ours.address()?, case.loss, case.seed)?;
                let process = Process::start(program.client(case, relay.address))?;
                Ok(Self { program, case, ours, process, relay })
            }
        }
    }

    fn connect(&mut self) -> Result<()> {
        let process = &mut self.process;
        self.ours.until("connected", LIMIT, |ours| {
            (ours.is_connected || ours.closed.is_some() || process.is_over()).then_some(())
        })?;
        let (case, connection) = (self.case, &self.ours.connection);
        ensure!(self.ours.is_connected, "closed: {:?}", self.ours.closed);
        ensure!(connection.version() == Some(case.version), "{:?}", connection.version());
        ensure!(case.suite.is_none_or(|suite| connection.cipher_suite() == Some(suite)));
        ensure!(case.group.is_none_or(|group| connection.group() == Some(group)), "{:?}", connection.group());
        ensure!(connection.srtp_profile() == Some(case.profile), "{:?}", connection.srtp_profile());
        Ok(())
    }

    /// Both have the same keys, and ours for SRTP are of what is exported.
    fn agree(&mut self) -> Result<()> {
        let exported = exported(self.case, &self.ours.connection)?;
        let keys = self.ours.srtp.as_ref().context("no keys of SRTP")?;
        ensure!(in_order(self.case.role, keys) == exported, "the keys of SRTP are not what is exported");
        self.ours.until("the keys that it prints", LIMIT, |ours| {
            let is_over = self.process.is_over();
            self.program.agrees(self.case, &self.process.output(), ours).ok().or(is_over.then_some(false))
        })?;
        ensure!(self.program.agrees(self.case, &self.process.output(), &self.ours)?, "not the same keys");
        Ok(())
    }

    fn talk(&mut self) -> Result<()> {
        let echoes = self.program.echoes(self.case);
        for n in 0..LINES {
            let (line, answer) = (format!("from wigwag: {n}"), format!("to wigwag: {n}"));
            self.repeat(
                &line,
                |call| call.ours.send(format!("{line}\n").as_bytes()),
                |call| {
                    if echoes { call.ours.has_received(&line) } else { call.process.output().contains(&line) }
                },
            )?;
            if !echoes {
                self.repeat(&answer, |call| call.process.say(&answer), |call| call.ours.has_received(&answer))?;
            }
        }
        Ok(())
    }

    /// Says something until it has arrived: nobody but us repeats it.
    fn repeat(&mut self, what: &str, mut say: impl FnMut(&mut Self), is_there: impl Fn(&Self) -> bool) -> Result<()> {
        let (deadline, mut is_over) = (Instant::now() + LIMIT, false);
        while !is_there(self) {
            ensure!(!is_over && Instant::now() < deadline, "never arrived: {what}; {:?}", self.ours.closed);
            // What is on its way may arrive.
            is_over = self.ours.closed.is_some() || self.process.is_over();
            say(self);
            let again = Instant::now() + AGAIN;
            while !is_there(self) && Instant::now() < again {
                self.ours.turn()?;
            }
        }
        Ok(())
    }

    /// Goodbye is said once, so nothing is lost from here on.
    fn close(&mut self) -> Result<[Counts; 2]> {
        self.relay.lose(0);
        let counts = self.relay.counts();
        match self.case.closer {
            Closer::Ours => self.ours.connection.close(),
            // Together with the line before it, a command may be taken for a part of that.
            Closer::Theirs => {
                self.repeat(
                    "goodbye",
                    |call| call.program.close(&mut call.process),
                    |call| call.ours.closed.is_some(),
                )?;
            }
        }
        let reason = self.ours.until("closed", LIMIT, |ours| ours.closed)?;
        match self.case.closer {
            Closer::Ours => {
                ensure!(reason == CloseReason::Local, "{reason:?}");
                let noticed = |_: &mut Ours| self.program.has_noticed(self.case, &self.process.output()).then_some(());
                self.ours.until("it has noticed", LIMIT, noticed)?;
            }
            Closer::Theirs => ensure!(reason == CloseReason::CloseNotify, "{reason:?}"),
        }
        Ok(counts)
    }
}

/// What follows `before` on a line, in hexadecimal digits.
pub(crate) fn hex_after(output: &str, before: &str) -> Option<Vec<u8>> {
    // A line that is not whole may have half of it.
    let (_, rest) = output.split_once(before)?;
    let (digits, _) = rest.split_once('\n')?;
    let digits = digits.trim();
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok()).collect()
}
