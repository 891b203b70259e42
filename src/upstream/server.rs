//! The servers of an upstream and whose turn it is. Knows nothing of what is sent.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use tokio::time::Instant;

use super::pool::Pool;
use crate::config::plan::ServerAddress;

/// For how long a server that refuses connections is passed over.
const REST: Duration = Duration::from_secs(10);

/// One server, as one worker sees it.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) address: ServerAddress,
    pub(super) pool: Rc<Pool>,
    resting_until: Cell<Option<Instant>>,
}

impl Server {
    pub(super) fn new(address: ServerAddress, pool: Pool) -> Self {
        Self {
            address,
            pool: Rc::new(pool),
            resting_until: Cell::new(None),
        }
    }

    /// It refused a connection: the others come first for a while.
    pub(super) fn rest(&self) {
        self.resting_until.set(Some(Instant::now() + REST));
    }

    /// It took a connection.
    pub(super) fn is_back(&self) {
        self.resting_until.set(None);
    }

    fn is_resting(&self) -> bool {
        self.resting_until
            .get()
            .is_some_and(|until| Instant::now() < until)
    }
}

/// The servers of one upstream, which take turns.
#[derive(Debug)]
pub(super) struct Servers {
    servers: Vec<Server>,
    turn: Cell<usize>,
}

impl Servers {
    /// The first turn is anyone's, so that workers do not start with the same server.
    pub(super) fn new(servers: Vec<Server>) -> Self {
        let turn = Cell::new(fastrand::usize(..servers.len().max(1)));
        Self { servers, turn }
    }

    /// All servers in the order in which they are to be tried now: those that rest come last.
    pub(super) fn in_turn(&self) -> impl Iterator<Item = &Server> {
        let turn = self.turn.get();
        self.turn.set((turn + 1) % self.servers.len().max(1));
        let in_turn = self.servers.iter().cycle().skip(turn);
        let in_turn = in_turn.take(self.servers.len());
        // Told apart before the first try: one that fails meanwhile is not to be tried again as one that rests.
        let resting: Vec<_> = in_turn.clone().filter(|one| one.is_resting()).collect();
        let is_ready = {
            let resting = resting.clone();
            move |one: &&Server| !resting.iter().any(|rest| std::ptr::eq(*rest, *one))
        };
        in_turn.filter(is_ready).chain(resting)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::peer::Scheme;
    use crate::upstream::connection::tests::meter;

    fn servers() -> Servers {
        let server = |port: u16| {
            let address =
                ServerAddress::new(Scheme::Http, format!("127.0.0.1:{port}").parse().unwrap());
            Server::new(address, Pool::new(meter()))
        };
        Servers {
            servers: vec![server(1), server(2), server(3)],
            turn: Cell::new(0),
        }
    }

    fn ports(servers: &Servers) -> Vec<u16> {
        servers
            .in_turn()
            .map(|server| server.address.port())
            .collect()
    }

    #[tokio::test]
    async fn servers_take_turns() {
        let servers = servers();
        assert_eq!(ports(&servers), [1, 2, 3]);
        assert_eq!(ports(&servers), [2, 3, 1]);
        assert_eq!(ports(&servers), [3, 1, 2]);
        assert_eq!(ports(&servers), [1, 2, 3]);
    }

    #[tokio::test]
    async fn each_server_has_one_turn_though_it_refuses() {
        let servers = servers();
        let tried = servers.in_turn().inspect(|server| server.rest());
        let ports: Vec<_> = tried.map(|server| server.address.port()).collect();
        assert_eq!(ports, [1, 2, 3]);
    }

    #[tokio::test]
    async fn a_server_that_refuses_is_passed_over_for_a_while() {
        tokio::time::pause();
        let servers = servers();
        servers.servers[0].rest();
        assert_eq!(ports(&servers), [2, 3, 1]);
        tokio::time::advance(REST).await;
        servers.turn.set(0);
        assert_eq!(ports(&servers), [1, 2, 3]);
    }
}
