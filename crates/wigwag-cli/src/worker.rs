//! Servers: a page or another resource over HTTP, and a thread on which all connections live.

use crate::console::{self, say};
use crate::failure::Failure;
use crate::http::{self, Listener};
use crate::recording::{self, Recording};
use crate::sockets::Sockets;
use std::io;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::thread;
use std::time::{Duration, Instant};
use wigwag::{Endpoint, EndpointConfig};
use wigwag_mio::{Driver, Handle};

/// What others have said and the thread has not heard yet; who is ahead waits.
const ORDERS_MAX: usize = 1024;
/// How long the peers may take to hear that it is over …
const GOODBYE_TIME_MAX: Duration = Duration::from_millis(300);
/// … and the thread to end.
const FAREWELL_TIME_MAX: Duration = Duration::from_millis(500);

/// What each server takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Server {
    #[command(flatten)]
    http: http::Listen,
    #[command(flatten)]
    sockets: Sockets,
    #[command(flatten)]
    recording: recording::Files,
}

impl Server {
    /// Works until somebody ends the program. `serve` is told where, and how the work is reached.
    pub(crate) fn run<W: Work>(
        &self,
        endpoint: EndpointConfig,
        work: impl FnOnce(Line) -> W,
        serve: impl FnOnce(Listener, Commands<W::Command>) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let listener = self.listener()?;
        let recording = self.recording.open()?;
        let stopped = stop_signal()?;
        let line = Line { driver: self.sockets.bind(endpoint)?, recording };
        let (commands, worker) = Worker::start(work(line))?;
        serve(listener, commands.clone())?;
        worker.run_until_stopped(&stopped, || commands.stop())?;
        say("Goodbye.");
        Ok(())
    }

    pub(crate) fn listener(&self) -> Result<Listener, Failure> {
        Listener::bind(&self.http)
    }
}

/// What connections live by.
pub(crate) struct Line {
    pub(crate) driver: Driver,
    pub(crate) recording: Recording,
}

/// What is done with connections, on their thread.
pub(crate) trait Work: Send + 'static {
    /// What other threads may want.
    type Command: Send + 'static;

    fn line(&mut self) -> &mut Line;

    fn obey(&mut self, command: Self::Command);

    /// Sees to what has happened, and says how long may be waited for what happens next.
    fn proceed(&mut self) -> Option<Duration>;
}

enum Order<Command> {
    Obey(Command),
    Stop,
}

/// Reaches the work from other threads.
pub(crate) struct Commands<Command> {
    orders: SyncSender<Order<Command>>,
    handle: Handle<Endpoint>,
}

impl<Command> Clone for Commands<Command> {
    fn clone(&self) -> Self {
        Self { orders: self.orders.clone(), handle: self.handle.clone() }
    }
}

impl<Command> Commands<Command> {
    /// False if the work has ended.
    pub(crate) fn send(&self, command: Command) -> bool {
        self.order(Order::Obey(command))
    }

    fn stop(&self) {
        self.order(Order::Stop);
    }

    fn order(&self, order: Order<Command>) -> bool {
        self.orders.send(order).is_ok() && self.handle.wake().is_ok()
    }
}

fn carry_on<W: Work>(work: &mut W, waiting: &Receiver<Order<W::Command>>) -> io::Result<()> {
    loop {
        while let Ok(order) = waiting.try_recv() {
            match order {
                Order::Obey(command) => work.obey(command),
                Order::Stop => return say_goodbye(work),
            }
        }
        turn(work, None)?;
    }
}

/// `max_wait` or less.
fn turn(work: &mut impl Work, max_wait: Option<Duration>) -> io::Result<()> {
    let wait = work.proceed().into_iter().chain(max_wait).min();
    let Line { driver, recording } = work.line();
    driver.run_once(wait)?;
    recording.take(driver.endpoint_mut());
    Ok(())
}

fn say_goodbye(work: &mut impl Work) -> io::Result<()> {
    let endpoint = work.line().driver.endpoint_mut();
    for id in endpoint.ids().collect::<Vec<_>>() {
        if let Some(connection) = endpoint.connection_mut(id) {
            connection.close();
        }
    }
    let deadline = Instant::now() + GOODBYE_TIME_MAX;
    while !work.line().driver.endpoint().is_empty() && Instant::now() < deadline {
        turn(work, Some(Duration::from_millis(10)))?;
    }
    Ok(())
}

/// The thread.
struct Worker {
    ended: Receiver<Result<(), String>>,
}

impl Worker {
    /// Has all connections live on a thread.
    fn start<W: Work>(mut work: W) -> Result<(Commands<W::Command>, Self), Failure> {
        let (orders, waiting) = mpsc::sync_channel(ORDERS_MAX);
        let commands = Commands { orders, handle: work.line().driver.handle() };
        let worker = Self::spawn(move || {
            let result = carry_on(&mut work, &waiting).map_err(|error| error.to_string());
            result.and(std::mem::take(&mut work.line().recording).finish().map_err(|failure| failure.to_string()))
        })?;
        Ok((commands, worker))
    }

    fn spawn(work: impl FnOnce() -> Result<(), String> + Send + 'static) -> Result<Self, Failure> {
        let (tell_end, ended) = mpsc::sync_channel(1);
        let run = move || {
            let _ = tell_end.send(work());
        };
        thread::Builder::new()
            .name("calls".to_owned())
            .spawn(run)
            .map_err(|error| Failure::new(format!("cannot start a thread: {error}")))?;
        Ok(Self { ended })
    }

    /// Whichever comes first: somebody ends the program, or the work could not go on. `stop` asks it to end.
    fn run_until_stopped(self, stopped: &Receiver<()>, stop: impl FnOnce()) -> Result<(), Failure> {
        let result = self.wait(stopped);
        stop();
        result.and(self.join())
    }

    fn wait(&self, stopped: &Receiver<()>) -> Result<(), Failure> {
        loop {
            match stopped.recv_timeout(Duration::from_millis(250)) {
                Err(RecvTimeoutError::Timeout) => {}
                Ok(()) | Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
            if let Some(reason) = self.failure() {
                return Err(Failure::new(format!("the calls ended: {reason}")));
            }
        }
    }

    /// Why the work has ended, if it did without being asked to.
    fn failure(&self) -> Option<String> {
        match self.ended.try_recv() {
            Ok(Err(reason)) => Some(reason),
            Err(mpsc::TryRecvError::Disconnected) => Some("their thread is gone".to_owned()),
            Ok(Ok(())) | Err(mpsc::TryRecvError::Empty) => None,
        }
    }

    /// Waits until all connections have ended, but not for ever.
    fn join(self) -> Result<(), Failure> {
        match self.ended.recv_timeout(FAREWELL_TIME_MAX) {
            Ok(Err(reason)) => return Err(Failure::new(reason)),
            Err(RecvTimeoutError::Timeout) => tracing::debug!("some peers were not told goodbye"),
            Ok(Ok(())) | Err(RecvTimeoutError::Disconnected) => {}
        }
        Ok(())
    }
}

/// Tells that the program is asked to end.
fn stop_signal() -> Result<Receiver<()>, Failure> {
    let (tell, told) = mpsc::sync_channel(1);
    console::on_stop(move || {
        let _ = tell.try_send(());
    })?;
    Ok(told)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_that_cannot_go_on_ends_the_program_with_its_reason() {
        let worker = Worker::spawn(|| Err("no sockets".to_owned())).unwrap();
        let (_tell, told) = mpsc::sync_channel(1);
        let result = worker.run_until_stopped(&told, || {});
        assert_eq!(result.unwrap_err().to_string(), "the calls ended: no sockets");
    }
}
