//! The servers of an upstream and whose turn it is. Knows nothing of what is sent.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use tokio::time::Instant;

use super::pool::{Meter, Pool};
use crate::config::plan::{Balance, ServerAddress};

/// One server, as one worker sees it.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) address: ServerAddress,
    pub(super) pool: Rc<Pool>,
    /// Its place among those of its upstream.
    pub(super) place: usize,
    /// Where others see how it is.
    meter: Meter,
    /// What tells it from the others, where users are shared out.
    seed: u64,
    resting_until: Cell<Option<Instant>>,
    /// How many requests in a row had no answer.
    fails: Cell<u32>,
    /// Whether it says itself that it is not well.
    is_ill: Cell<bool>,
}

impl Server {
    pub(super) fn new(address: ServerAddress, meter: Meter, place: usize) -> Self {
        Self {
            place,
            seed: hash(&address.to_string()),
            address,
            pool: Rc::new(Pool::new(meter.clone())),
            meter,
            resting_until: Cell::new(None),
            fails: Cell::new(0),
            is_ill: Cell::new(false),
        }
    }

    /// It refused a connection: the others come first for a while.
    pub(super) fn rest(&self, span: Duration) {
        let until = Some(Instant::now() + span);
        self.resting_until.set(until);
        let Meter { metrics, upstream } = &self.meter;
        metrics.server_rests(*upstream, self.place, until);
    }

    /// It took a connection.
    pub(super) fn is_back(&self) {
        if self.resting_until.take().is_some() {
            let Meter { metrics, upstream } = &self.meter;
            metrics.server_rests(*upstream, self.place, None);
        }
    }

    /// It answered a request.
    pub(super) fn answered(&self) {
        if self.fails.get() > 0 {
            self.set_fails(0);
        }
    }

    /// It left a request without an answer. Tells whether that was the last of `most` in a row.
    pub(super) fn failed(&self, most: u32) -> bool {
        let fails = self.fails.get().saturating_add(1);
        let is_last = fails >= most;
        self.set_fails(if is_last { 0 } else { fails });
        is_last
    }

    /// It says whether it is well. Tells whether that is news.
    pub(super) fn is_well(&self, is_well: bool) -> bool {
        let is_news = self.is_ill.replace(!is_well) == is_well;
        if is_news {
            let Meter { metrics, upstream } = &self.meter;
            metrics.server_is_well(*upstream, self.place, is_well);
        }
        is_news
    }

    fn set_fails(&self, fails: u32) {
        self.fails.set(fails);
        let Meter { metrics, upstream } = &self.meter;
        metrics.server_fails(*upstream, self.place, fails);
    }

    fn is_resting(&self) -> bool {
        let until = self.resting_until.get();
        self.is_ill.get() || until.is_some_and(|until| Instant::now() < until)
    }

    /// How many requests are under way to it: each of them holds on to its pool.
    fn under_way(&self) -> usize {
        Rc::strong_count(&self.pool)
    }

    /// How much it wants a user: of several servers, one wants them most, and as long as it is there no other gets them.
    fn wants(&self, user: u64) -> u64 {
        mixed(user ^ self.seed)
    }
}

/// The servers of one upstream.
#[derive(Debug)]
pub(super) struct Servers {
    all: Vec<Server>,
    balance: Balance,
    turn: Cell<usize>,
}

/// A user, where it matters which: the same number in every process.
#[must_use]
pub(super) fn user_of(openid: &str) -> u64 {
    hash(openid)
}

impl Servers {
    /// The first turn is anyone's, so that workers do not start with the same server.
    pub(super) fn new(servers: Vec<Server>, balance: Balance) -> Self {
        let turn = Cell::new(fastrand::usize(..servers.len().max(1)));
        Self {
            all: servers,
            balance,
            turn,
        }
    }

    /// All of them.
    pub(super) fn all(&self) -> &[Server] {
        &self.all
    }

    /// The one whose turn it is, by its place: for a request that one of them has failed, the one behind that.
    fn first(&self, user: Option<u64>, failed: Option<usize>) -> usize {
        if let Some(failed) = failed {
            return failed + 1;
        }
        let turn = self.turn.get();
        let next = || self.turn.set((turn + 1) % self.all.len().max(1));
        let ready = || {
            let places = self.all.iter().enumerate();
            places.filter(|(_, server)| !server.is_resting())
        };
        match (self.balance, user) {
            (Balance::RoundRobin, _) | (Balance::OpenId, None) => {
                next();
                turn
            }
            (Balance::LeastConnections, _) => {
                next();
                let behind = |place| (place + self.all.len() - turn) % self.all.len();
                let least =
                    ready().min_by_key(|(place, server)| (server.under_way(), behind(*place)));
                least.map_or(turn, |(place, _)| place)
            }
            (Balance::OpenId, Some(user)) => {
                let most = ready().max_by_key(|(_, server)| server.wants(user));
                most.map_or(turn, |(place, _)| place)
            }
        }
    }

    /// All servers in the order in which they are to be tried now: those that rest come last.
    pub(super) fn in_turn(
        &self,
        user: Option<u64>,
        failed: Option<usize>,
    ) -> impl Iterator<Item = &Server> {
        let in_turn = self.all.iter().cycle().skip(self.first(user, failed));
        let in_turn = in_turn.take(self.all.len());
        // Told apart before the first try: one that fails meanwhile is not to be tried again as one that rests.
        let resting: Vec<_> = in_turn.clone().filter(|one| one.is_resting()).collect();
        let is_ready = {
            let resting = resting.clone();
            move |one: &&Server| !resting.iter().any(|rest| std::ptr::eq(*rest, *one))
        };
        in_turn.filter(is_ready).chain(resting)
    }
}

fn hash(text: &str) -> u64 {
    // FNV-1a, since it must be the same everywhere and ever after; nobody chooses an openid to be sent to a server.
    let fold = |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3);
    text.bytes().fold(0xCBF2_9CE4_8422_2325, fold)
}

/// A number of which every bit depends on every bit of `number`, as `SplitMix64` has it.
fn mixed(number: u64) -> u64 {
    let number = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    number ^ (number >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::plan::Spot;
    use crate::domain::peer::Scheme;
    use crate::upstream::connection::tests::meter;

    const REST: Duration = Duration::from_secs(10);

    fn servers() -> Servers {
        balanced(Balance::RoundRobin)
    }

    fn balanced(balance: Balance) -> Servers {
        let server = |port: u16| {
            let address =
                ServerAddress::new(Scheme::Http, format!("127.0.0.1:{port}").parse().unwrap());
            Server::new(address, meter(), usize::from(port) - 1)
        };
        Servers {
            all: vec![server(1), server(2), server(3)],
            balance,
            turn: Cell::new(0),
        }
    }

    fn ports(servers: &Servers) -> Vec<u16> {
        servers.in_turn(None, None).map(port).collect()
    }

    fn port(server: &Server) -> u16 {
        match server.address.spot() {
            Spot::Tcp { port, .. } => port,
            Spot::Unix(_) => panic!("none of them is there"),
        }
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
        let tried = servers
            .in_turn(None, None)
            .inspect(|server| server.rest(REST));
        let ports: Vec<_> = tried.map(port).collect();
        assert_eq!(ports, [1, 2, 3]);
    }

    #[tokio::test]
    async fn a_server_that_refuses_is_passed_over_for_a_while() {
        tokio::time::pause();
        let servers = servers();
        servers.all[0].rest(REST);
        assert_eq!(ports(&servers), [2, 3, 1]);
        tokio::time::advance(REST).await;
        servers.turn.set(0);
        assert_eq!(ports(&servers), [1, 2, 3]);
    }

    #[tokio::test]
    async fn the_server_with_the_fewest_requests_under_way_comes_first() {
        let servers = balanced(Balance::LeastConnections);
        let busy = |place: usize| Rc::clone(&servers.all[place].pool);
        assert_eq!(ports(&servers), [1, 2, 3]);
        assert_eq!(ports(&servers), [2, 3, 1]);
        let two = [busy(2), busy(2), busy(0)];
        servers.turn.set(0);
        assert_eq!(ports(&servers)[0], 2);
        assert_eq!(ports(&servers)[0], 2);
        let three = [busy(1), busy(1), busy(1)];
        assert_eq!(ports(&servers)[0], 1);
        servers.all[0].rest(REST);
        assert_eq!(ports(&servers), [3, 2, 1]);
        drop((two, three));
    }

    #[tokio::test]
    async fn a_user_stays_with_a_server_and_leaves_it_only_while_it_rests() {
        let servers = balanced(Balance::OpenId);
        let first = |user: u32| {
            let user = Some(user_of(&format!("oUser{user}")));
            port(servers.in_turn(user, None).next().unwrap())
        };
        let before: Vec<_> = (0..3000).map(first).collect();
        for port in 1..=3 {
            let share = before.iter().filter(|one| **one == port).count();
            assert!(
                (900..1100).contains(&share),
                "{share} of 3000 are with {port}"
            );
        }
        assert_eq!((0..3000).map(first).collect::<Vec<_>>(), before);
        servers.all[1].rest(REST);
        let meanwhile: Vec<_> = (0..3000).map(first).collect();
        let moved = before.iter().zip(&meanwhile);
        assert!(moved.clone().all(|(was, is)| *was == 2 || was == is));
        let to_first = moved.filter(|(was, is)| **was == 2 && **is == 1).count();
        assert!(
            (400..600).contains(&to_first),
            "{to_first} went to the first"
        );
        servers.all[1].is_back();
        assert_eq!((0..3000).map(first).collect::<Vec<_>>(), before);
    }

    #[tokio::test]
    async fn the_one_that_failed_a_request_is_the_last_to_be_asked_again() {
        let servers = servers();
        for (failed, order) in [(0, [2, 3, 1]), (1, [3, 1, 2]), (2, [1, 2, 3])] {
            let again = servers.in_turn(Some(7), Some(failed));
            let ports: Vec<_> = again.map(port).collect();
            assert_eq!(ports, order);
        }
    }

    #[tokio::test]
    async fn nobody_in_particular_takes_turns_even_where_users_do_not() {
        let servers = balanced(Balance::OpenId);
        assert_eq!(ports(&servers), [1, 2, 3]);
        assert_eq!(ports(&servers), [2, 3, 1]);
    }

    #[tokio::test]
    async fn a_server_that_is_ill_comes_last_until_it_is_well() {
        let servers = servers();
        assert!(!servers.all[0].is_well(true));
        assert!(servers.all[0].is_well(false) && !servers.all[0].is_well(false));
        assert_eq!(ports(&servers), [2, 3, 1]);
        assert!(servers.all[0].is_well(true));
        servers.turn.set(0);
        assert_eq!(ports(&servers), [1, 2, 3]);
    }

    #[tokio::test]
    async fn so_many_requests_in_a_row_without_an_answer_are_too_many() {
        let server = &servers().all[0];
        assert!(!server.failed(3) && !server.failed(3));
        server.answered();
        assert!(!server.failed(3) && !server.failed(3) && server.failed(3));
        assert!(!server.failed(3), "it is counted anew");
        assert!(server.failed(1));
    }
}
