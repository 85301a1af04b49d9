//! One connection, many threads: the driver has a thread of its own, and everybody else reaches it through a handle. Three
//! workers send over one data channel at once; whoever called hears them all.
//!
//! ```sh
//! cargo run -p wigwag-mio --example threads
//! ```

#![expect(clippy::print_stdout, reason = "a program has an output")]

use bytes::Bytes;
use std::error::Error;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;
use wigwag::{
    ChannelId, Config, ConnectionId, DataChannelInit, Endpoint, EndpointConfig, EndpointEvent, Event, SendError,
};
use wigwag_mio::{Driver, DriverConfig, Handle, wall_clock};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// What a driver's thread tells.
type Events = Receiver<(ConnectionId, Event)>;

const WORKERS: usize = 3;
const MESSAGES: usize = 100;
/// What a worker waits for when the buffer is full. (`Event::Writable` would tell the driver's thread, which could tell it.)
const PAUSE: Duration = Duration::from_millis(5);

fn main() -> Result<()> {
    let (caller, caller_events) = start("caller")?;
    let (callee, callee_events) = start("callee")?;

    // What a handle runs, runs on the driver's thread, and its loop sees at once what there is to do: it sleeps as long as
    // nothing is. Between machines, your signalling carries the descriptions.
    let (calling, offer) = caller.call(|endpoint| -> Result<_> {
        let id = endpoint.create(Config::new(wall_clock()))?;
        let connection = endpoint.connection_mut(id).ok_or("just created")?;
        connection.create_data_channel("work", DataChannelInit::default())?;
        let offer = connection.create_offer()?;
        connection.set_local_description(offer)?;
        Ok((id, connection.local_description().ok_or("just set")?))
    })??;
    let answer = callee.call(|endpoint| -> Result<_> {
        let id = endpoint.create(Config::new(wall_clock()))?;
        let connection = endpoint.connection_mut(id).ok_or("just created")?;
        connection.set_remote_description(offer)?;
        let answer = connection.create_answer()?;
        connection.set_local_description(answer)?;
        Ok(connection.local_description().ok_or("just set")?)
    })??;
    caller.call(move |endpoint| -> Result<_> {
        Ok(endpoint.connection_mut(calling).ok_or("it is gone")?.set_remote_description(answer)?)
    })??;

    let (id, opened) = wait_for_channel(&callee_events)?;
    let workers: Vec<_> = (0..WORKERS)
        .map(|number| {
            let callee = callee.clone();
            thread::spawn(move || work(number, &callee, id, opened))
        })
        .collect();
    let heard = caller_events.iter().filter(|(_, event)| matches!(event, Event::Message { .. }));
    println!("{} messages of {WORKERS} workers came over one channel", heard.take(WORKERS * MESSAGES).count());
    workers.into_iter().try_for_each(|worker| worker.join().map_err(|_| "a worker panicked")?)?;

    caller.run(move |endpoint| {
        if let Some(connection) = endpoint.connection_mut(calling) {
            connection.close();
        }
    })?;
    let is_end = |(_, event): &(ConnectionId, Event)| matches!(event, Event::Closed(_));
    let Some((_, Event::Closed(reason))) = callee_events.iter().find(is_end) else { return Err("no goodbye".into()) };
    println!("the other end says: {reason}");
    Ok(())
}

/// A driver on a thread of its own, which ends with the program: how to reach it, and what it tells.
fn start(name: &str) -> Result<(Handle<Endpoint>, Events)> {
    let mut driver = Driver::bind(&DriverConfig::new(["127.0.0.1:0".parse()?]), EndpointConfig::default())?;
    let handle = driver.handle();
    let (tell, events) = channel();
    thread::Builder::new().name(name.to_owned()).spawn(move || {
        while driver.run_once(None).is_ok() {
            while let Some(event) = driver.poll_event() {
                if let EndpointEvent::Connection(id, event) = event {
                    // Nobody may listen any more.
                    let _ = tell.send((id, event));
                }
            }
        }
    })?;
    Ok((handle, events))
}

fn wait_for_channel(events: &Events) -> Result<(ConnectionId, ChannelId)> {
    let opened = events.iter().find_map(|(id, event)| match event {
        Event::ChannelOpened(channel) => Some((id, channel)),
        _ => None,
    });
    Ok(opened.ok_or("the driver has ended")?)
}

fn work(number: usize, driver: &Handle<Endpoint>, id: ConnectionId, channel: ChannelId) -> Result<()> {
    for n in 0..MESSAGES {
        let mut message = Bytes::from(format!("worker {number}, message {n}"));
        loop {
            let send = move |endpoint: &mut Endpoint| {
                let connection = endpoint.connection_mut(id).ok_or("the connection is gone")?;
                Ok::<_, &str>(connection.send(channel, message, false))
            };
            match driver.call(send)?? {
                Ok(()) => break,
                Err(SendError::Full(refused)) => message = refused,
                Err(error) => return Err(error.into()),
            }
            thread::sleep(PAUSE);
        }
    }
    Ok(())
}
