//! Serves HTTP on the connections that were let in, in the version that each speaks. tonic's own server would
//! do for gRPC, but for this: it takes away the limit of streams that are reset by us, it does not let the queue
//! of a stream be bounded, a connection that is too old is cut without a word, and none can become a WebSocket
//! (tonic 0.14.9).

use std::{io, pin::pin, time::Duration};

use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
    service::TowerToHyperService,
};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep, sleep_until},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::doorway::{Guest, Tongue};
use crate::web::Front;

/// Streams that a connection may have open: clients begin up to a hundred before they know how many. The
/// library keeps room for the next power of two of them and of those that it resets.
const STREAMS_MAX: u32 = 100;
/// Streams of a connection that we may reset because the client begins more than it may, or sends on what
/// is over. Each of them waits in a queue until the client reads of it.
const RESETS_MAX: usize = 24;
/// Streams that a client may take back before we have seen them.
const TAKEN_BACK_MAX: usize = 32;
/// The largest header block of a call.
const HEADERS_BYTES_MAX: u32 = 8 * 1024;
/// The largest head of a request of HTTP/1.1, which is read in one buffer.
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// Bytes of an answer that wait in the queue of its stream.
const QUEUED_BYTES_MAX: usize = 64 * 1024;
/// Bytes of bodies that a client may send before we have taken any, on a stream and in all.
const STREAM_WINDOW: u32 = 64 * 1024;
const CONNECTION_WINDOW: u32 = 128 * 1024;
const PROXY_STREAM_WINDOW: u32 = 256 * 1024;
const PROXY_CONNECTION_WINDOW: u32 = 1024 * 1024;
/// How often a client is asked for a sign of life, and how long it may take for it.
const KEEP_ALIVE: Duration = Duration::from_secs(20);
const KEEP_ALIVE_WITHIN: Duration = Duration::from_secs(10);
/// How long the place of a stranger stays taken who was cut.
const COMES_AGAIN_AFTER: Duration = Duration::from_secs(1);
/// How old a connection becomes: then its client is told to make another one, and what is under way goes on
/// for so long.
const AGE_MAX: Duration = Duration::from_mins(10);
const AGE_GRACE: Duration = Duration::from_secs(30);

/// HTTP/1.1: one call at a time, and whoever waits with the next one for too long begins anew.
fn plain(head_within: Duration) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(head_within)
        .max_buf_size(HEAD_BYTES_MAX);
    builder
}

/// invariants.md, 4.5: stock settings fall to one connection.
fn builder(proxy: bool) -> auto::Builder<TokioExecutor> {
    let (stream, connection) = if proxy {
        (PROXY_STREAM_WINDOW, PROXY_CONNECTION_WINDOW)
    } else {
        (STREAM_WINDOW, CONNECTION_WINDOW)
    };
    let mut builder = auto::Builder::new(TokioExecutor::new()).http2_only();
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .max_local_error_reset_streams(RESETS_MAX)
        .max_pending_accept_reset_streams(TAKEN_BACK_MAX)
        .max_header_list_size(HEADERS_BYTES_MAX)
        .max_send_buf_size(QUEUED_BYTES_MAX)
        .initial_stream_window_size(stream)
        .initial_connection_window_size(connection)
        .keep_alive_interval(KEEP_ALIVE)
        .keep_alive_timeout(KEEP_ALIVE_WITHIN);
    builder
}

/// Serves until it is told to stop; then every client is told, and what is under way is answered.
pub async fn serve(
    front: Front,
    mut guests: mpsc::Receiver<io::Result<Guest>>,
    stop: CancellationToken,
) {
    let open = TaskTracker::new();
    loop {
        let next = tokio::select! {
            () = stop.cancelled() => break,
            next = guests.recv() => next,
        };
        match next {
            Some(Ok(guest)) => {
                open.spawn(receive(guest, front.clone(), stop.clone()));
            }
            Some(Err(error)) => tracing::debug!(%error, "a connection was lost before it began"),
            None => break,
        }
    }
    open.close();
    open.wait().await;
}

/// Serves a connection, and keeps the place of a stranger for a moment who was cut: he would come again at
/// once, otherwise. Nothing else of the connection is kept.
async fn receive(guest: Guest, front: Front, stop: CancellationToken) {
    let (peer, place) = (guest.peer(), guest.place());
    answer(guest, &front, stop.clone()).await;
    if peer.was_cut() {
        tokio::select! {
            () = stop.cancelled() => {}
            () = sleep(COMES_AGAIN_AFTER) => {}
        }
    }
    drop(place);
}

/// Answers the calls of a connection until it ends, becomes a line, is too old, or the server stops.
async fn answer(guest: Guest, front: &Front, stop: CancellationToken) {
    let service = TowerToHyperService::new(front.of(guest.peer()));
    /// The two versions are two types with the same methods.
    macro_rules! until_the_end {
        ($connection:expr) => {{
            let mut connection = pin!($connection);
            let old = Instant::now() + AGE_MAX;
            let told = tokio::select! {
                ended = &mut connection => return note(ended),
                () = stop.cancelled() => None,
                () = sleep_until(old) => Some(old + AGE_GRACE),
            };
            connection.as_mut().graceful_shutdown();
            tokio::select! {
                ended = connection => note(ended),
                // One that was told because the server stops is cut by whoever runs the server.
                () = sleep_until(told.unwrap_or(old + AGE_GRACE)) => {
                    tracing::debug!("a connection that was too old was cut");
                }
            }
        }};
    }
    match guest.tongue() {
        Tongue::Http2 => {
            let builder = builder(guest.is_trusted());
            until_the_end!(builder.serve_connection(TokioIo::new(guest), service));
        }
        Tongue::Http1 => {
            let builder = plain(front.head_within());
            until_the_end!(builder.serve_connection_with_upgrades(TokioIo::new(guest), service));
        }
    }
}

fn note<E: std::fmt::Debug>(ended: Result<(), E>) {
    if let Err(error) = ended {
        tracing::debug!(?error, "a connection ended badly");
    }
}
