//! A relay in front of a server's Unix socket: a TCP port of its own that counts the bytes which the server sends.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

/// Lives as long as the test process.
pub struct Relay {
    pub address: SocketAddr,
    served: Arc<AtomicU64>,
}

impl Relay {
    /// Starts to relay to the socket.
    pub fn to(socket: &Path) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("bound");
        let served = Arc::new(AtomicU64::new(0));
        let (socket, counter) = (socket.to_owned(), served.clone());
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                connect(client, &socket, &counter);
            }
        });
        Self { address, served }
    }

    /// Bytes that the server has sent so far, over all connections.
    pub fn served(&self) -> u64 {
        self.served.load(Ordering::SeqCst)
    }
}

fn connect(client: TcpStream, socket: &PathBuf, served: &Arc<AtomicU64>) {
    let Ok(server) = UnixStream::connect(socket) else {
        return;
    };
    let (Ok(client_in), Ok(server_out)) = (client.try_clone(), server.try_clone()) else {
        return;
    };
    let served = served.clone();
    thread::spawn(move || {
        pass(client_in, &server_out, &AtomicU64::new(0));
        // The client is gone: so is what the server does for it.
        let _ = server_out.shutdown(Shutdown::Both);
    });
    thread::spawn(move || {
        pass(server, &client, &served);
        let _ = client.shutdown(Shutdown::Both);
    });
}

/// Copies until either end is gone.
fn pass(mut from: impl Read, mut to: impl Write, count: &AtomicU64) {
    let mut buffer = [0; 16 << 10];
    while let Ok(got) = from.read(&mut buffer) {
        count.fetch_add(got as u64, Ordering::SeqCst);
        if got == 0 || to.write_all(&buffer[..got]).is_err() {
            return;
        }
    }
}
