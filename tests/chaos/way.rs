//! A way over TCP that can be slow, be cut, healed and led elsewhere, as a network, or an address behind which
//! a service fails over. What is sent while it is cut arrives once it is healed, as TCP does it.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
    task::JoinSet,
    time::sleep,
};
use tokio_util::task::AbortOnDropHandle;

#[derive(Debug, Clone, PartialEq, Eq)]
struct State {
    target: SocketAddr,
    cut: bool,
    later: Duration,
}

/// The way; it ends when this is dropped.
pub struct Way {
    /// Where it begins.
    pub address: SocketAddr,
    state: watch::Sender<State>,
    _listening: AbortOnDropHandle<()>,
}

impl Way {
    /// A way to this server.
    pub async fn to(target: SocketAddr) -> std::io::Result<Self> {
        Self::slow(target, Duration::ZERO).await
    }

    /// The same, on which everything arrives so much later.
    pub async fn slow(target: SocketAddr, later: Duration) -> std::io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (state, _) = watch::channel(State { target, cut: false, later });
        let listening = tokio::spawn(listen(listener, state.clone()));
        Ok(Self { address, state, _listening: AbortOnDropHandle::new(listening) })
    }

    /// Nothing arrives any more, and nobody is told.
    pub fn cut(&self) {
        self.state.send_modify(|state| state.cut = true);
    }

    /// Everything arrives again.
    pub fn heal(&self) {
        self.state.send_modify(|state| state.cut = false);
    }

    /// Where it leads.
    pub fn target(&self) -> SocketAddr {
        self.state.borrow().target
    }

    /// Breaks every connection; whoever connects from now on comes to this server.
    pub fn lead_to(&self, target: SocketAddr) {
        self.state.send_modify(|state| state.target = target);
    }
}

async fn listen(listener: TcpListener, state: watch::Sender<State>) {
    let mut lines = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        while lines.try_join_next().is_some() {}
        lines.spawn(line(client, state.subscribe()));
    }
}

async fn line(client: TcpStream, mut state: watch::Receiver<State>) {
    let target = state.borrow_and_update().target;
    if state.wait_for(|state| !state.cut).await.is_err() {
        return;
    }
    let Ok(server) = TcpStream::connect(target).await else { return };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let ((from_client, to_client), (from_server, to_server)) =
        (client.into_split(), server.into_split());
    let mut elsewhere = state.clone();
    tokio::select! {
        () = pump(from_client, to_server, state.clone()) => {}
        () = pump(from_server, to_client, state) => {}
        _ = elsewhere.wait_for(|state| state.target != target) => {}
    }
}

async fn pump(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut state: watch::Receiver<State>) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        if state.wait_for(|state| !state.cut).await.is_err() {
            return;
        }
        let later = state.borrow().later;
        if !later.is_zero() {
            sleep(later).await;
        }
        let Some(piece) = buffer.get(..length) else { return };
        if to.write_all(piece).await.is_err() {
            return;
        }
    }
}
