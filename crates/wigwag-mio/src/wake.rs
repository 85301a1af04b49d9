//! How other threads reach a driver.

use mio::Waker;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, SyncSender, TryRecvError, TrySendError};

/// How many commands may wait for the driver; a thread that runs ahead of it is told so.
const COMMANDS_MAX: usize = 1024;

type Command<T> = Box<dyn FnOnce(&mut T) + Send>;

/// Why a command did not reach the driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HandleError {
    /// The driver was dropped.
    #[error("the driver has ended")]
    Ended,
    /// Too many commands wait for the driver.
    #[error("the driver has more commands waiting than it may keep")]
    Full,
}

/// Reaches a driver from any thread: wakes it, and runs closures on what it drives.
pub struct Handle<T> {
    waker: Arc<Waker>,
    commands: SyncSender<Command<T>>,
}

impl<T> Clone for Handle<T> {
    fn clone(&self) -> Self {
        Self { waker: Arc::clone(&self.waker), commands: self.commands.clone() }
    }
}

impl<T> fmt::Debug for Handle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Handle")
    }
}

impl<T: 'static> Handle<T> {
    /// Ends the driver's present wait, so that its loop turns once.
    ///
    /// # Errors
    /// What the system says.
    pub fn wake(&self) -> io::Result<()> {
        self.waker.wake()
    }

    /// Runs `command` on the driver's thread, soon; does not wait for it.
    ///
    /// # Errors
    /// [`HandleError::Full`] if the driver is behind, [`HandleError::Ended`] if it was dropped.
    pub fn run(&self, command: impl FnOnce(&mut T) + Send + 'static) -> Result<(), HandleError> {
        self.commands.try_send(Box::new(command)).map_err(|error| match error {
            TrySendError::Full(_) => HandleError::Full,
            TrySendError::Disconnected(_) => HandleError::Ended,
        })?;
        self.waker.wake().map_err(|_| HandleError::Ended)
    }

    /// Runs `command` on the driver's thread and waits for what it returns. Never called on that thread: it would wait
    /// for itself.
    ///
    /// # Errors
    /// As of [`run`](Self::run).
    pub fn call<R: Send + 'static>(
        &self,
        command: impl FnOnce(&mut T) -> R + Send + 'static,
    ) -> Result<R, HandleError> {
        let (answer, answered) = mpsc::sync_channel(1);
        self.run(move |driven| {
            // Whoever asked may have gone.
            let _ = answer.send(command(driven));
        })?;
        answered.recv().map_err(|_| HandleError::Ended)
    }
}

/// The driver's end of its handles.
pub(crate) struct Commands<T> {
    waiting: Receiver<Command<T>>,
    handle: Handle<T>,
}

impl<T: 'static> Commands<T> {
    pub(crate) fn new(waker: Waker) -> Self {
        let (commands, waiting) = mpsc::sync_channel(COMMANDS_MAX);
        Self { waiting, handle: Handle { waker: Arc::new(waker), commands } }
    }

    pub(crate) fn handle(&self) -> Handle<T> {
        self.handle.clone()
    }

    /// Runs what waits, up to what may wait at a time. Whether anything did.
    pub(crate) fn run(&self, driven: &mut T) -> bool {
        for number in 0..COMMANDS_MAX {
            match self.waiting.try_recv() {
                Ok(command) => command(driven),
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => return number > 0,
            }
        }
        // The rest has its turn after the sockets; the wake-up that announced it is spent.
        let _ = self.handle.wake();
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mio::{Events, Poll, Token};
    use std::thread;
    use std::time::Duration;

    fn commands() -> (Poll, Commands<Vec<u32>>) {
        let poll = Poll::new().unwrap();
        let waker = Waker::new(poll.registry(), Token(0)).unwrap();
        (poll, Commands::new(waker))
    }

    fn wait(poll: &mut Poll) -> usize {
        let mut events = Events::with_capacity(4);
        poll.poll(&mut events, Some(Duration::from_secs(10))).unwrap();
        events.iter().count()
    }

    #[test]
    fn a_command_wakes_the_driver_and_runs_on_its_thread() {
        let (mut poll, commands) = commands();
        let handle = commands.handle();
        let caller = thread::spawn(move || {
            handle.call(|numbers| {
                numbers.push(7);
                (numbers.len(), thread::current().id())
            })
        });
        assert_eq!(wait(&mut poll), 1);
        let mut numbers = vec![1];
        assert!(commands.run(&mut numbers));
        assert_eq!(caller.join().unwrap(), Ok((2, thread::current().id())));
        assert_eq!(numbers, [1, 7]);
    }

    #[test]
    fn commands_run_in_order_and_a_flood_of_them_is_refused() {
        let (mut poll, commands) = commands();
        let handle = commands.handle();
        for number in 0..COMMANDS_MAX as u32 {
            handle.run(move |numbers| numbers.push(number)).unwrap();
        }
        assert_eq!(handle.run(|_| ()), Err(HandleError::Full));
        wait(&mut poll);
        let mut numbers = vec![];
        commands.run(&mut numbers);
        assert!(numbers.iter().copied().eq(0..COMMANDS_MAX as u32));
        // The rest was announced again, though there was none.
        assert_eq!(wait(&mut poll), 1);
        assert!(!commands.run(&mut numbers));
    }

    #[test]
    fn whoever_calls_a_driver_that_ended_is_told_so() {
        let (_poll, commands) = commands();
        let handle = commands.handle();
        let caller = thread::spawn(move || {
            let first = handle.call(|_| ());
            (first, handle.run(|_| ()))
        });
        drop(commands);
        assert_eq!(caller.join().unwrap(), (Err(HandleError::Ended), Err(HandleError::Ended)));
    }

    #[test]
    fn a_wake_up_alone_ends_the_wait() {
        let (mut poll, commands) = commands();
        let handle = commands.handle();
        thread::spawn(move || handle.wake().unwrap()).join().unwrap();
        assert_eq!(wait(&mut poll), 1);
    }
}
