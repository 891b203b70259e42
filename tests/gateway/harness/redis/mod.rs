//! Real Redis servers of one test: one alone, a master behind Sentinels, or a cluster. Knows nothing of wxgate, so that
//! the tests of the store can include it too.

mod certificates;
mod cluster;
mod node;
mod ports;
mod proxy;
mod sentinel;
mod setup;

pub use proxy::{Mode, Proxy};
pub use sentinel::MASTER;
pub use setup::Setup;

use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use certificates::Certificates;
use node::Node;

/// Between two looks at something that is waited for.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// How many looks are taken before a test fails that would hang.
const LOOKS: usize = 1500;

/// Servers that belong together. All are killed, and their files go, when this is dropped; and killed too when the test's
/// process is.
pub struct Redis {
    shape: Shape,
    /// The data servers first, in the order of the shape; then the Sentinels.
    nodes: Vec<Node>,
    setup: Setup,
    certificates: Option<Certificates>,
}

/// How the servers belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Single,
    /// Nodes 0 to 2 are the servers, 0 the first master; 3 to 5 are the Sentinels.
    Sentinel,
    /// Nodes 0 to 2 are the first masters, 3 to 5 their replicas in the same order.
    Cluster,
}

impl Redis {
    /// One server: node 0.
    #[track_caller]
    pub fn single() -> Self {
        Setup::default().single()
    }

    /// A master (node 0), two replicas (1, 2) and three Sentinels (3 to 5) that call it [`MASTER`].
    #[track_caller]
    pub fn sentinel() -> Self {
        Setup::default().sentinel()
    }

    /// Three masters (nodes 0 to 2) and a replica of each (3 to 5).
    #[track_caller]
    pub fn cluster() -> Self {
        Setup::default().cluster()
    }

    /// Where a client begins: the server, the Sentinels, or all nodes of the cluster; without user and password.
    pub fn urls(&self) -> Vec<String> {
        let nodes = match self.shape {
            Shape::Single | Shape::Cluster => &self.nodes[..],
            Shape::Sentinel => &self.nodes[sentinel::SERVERS..],
        };
        let scheme = if self.setup.tls { "rediss" } else { "redis" };
        let url = |node: &Node| format!("{scheme}://127.0.0.1:{}", node.port());
        nodes.iter().map(url).collect()
    }

    /// The address of a node, as `127.0.0.1:PORT`.
    pub fn address(&self, node: usize) -> String {
        format!("127.0.0.1:{}", self.nodes[node].port())
    }

    /// The file of the authority that signed the servers' certificates; only where they speak TLS.
    pub fn authority(&self) -> PathBuf {
        self.certificates.as_ref().unwrap().authority()
    }

    /// Runs `redis-cli` where writes go and gives its answer; a cluster sends on to the node of the key.
    #[track_caller]
    pub fn cli(&self, command: &[&str]) -> String {
        match self.shape {
            Shape::Cluster => {
                let at = self.live_node();
                self.must(at, &[&["-c"], command].concat())
            }
            Shape::Single | Shape::Sentinel => self.must(self.master(), command),
        }
    }

    /// Runs `redis-cli` at this node and gives its answer.
    #[track_caller]
    pub fn cli_at(&self, node: usize, command: &[&str]) -> String {
        self.must(node, command)
    }

    /// The node that is the master now; of a cluster, the master of the first slots.
    #[track_caller]
    pub fn master(&self) -> usize {
        match self.shape {
            Shape::Single => 0,
            Shape::Sentinel => self.sentinels_master(),
            Shape::Cluster => self.owner_of_slot(0),
        }
    }

    /// Ends a node as `kill -9` does; its files stay.
    pub fn kill(&mut self, node: usize) {
        self.nodes[node].kill();
    }

    /// Stops a node where it is, as SIGSTOP does: its connections stand and say nothing.
    pub fn stop(&self, node: usize) {
        self.nodes[node].signal("STOP");
    }

    /// Lets a node that was stopped go on.
    pub fn cont(&self, node: usize) {
        self.nodes[node].signal("CONT");
    }

    /// Starts a node that was killed, on the same port and from the same files, and waits until it answers.
    #[track_caller]
    pub fn restart(&mut self, node: usize) {
        self.nodes[node].restart();
        self.await_answer(node);
    }

    /// Has the master's place taken by a replica, in order, and waits until that is done. Gives the new master.
    #[track_caller]
    pub fn fail_over(&self) -> usize {
        match self.shape {
            Shape::Single => panic!("one server has nobody to take its place"),
            Shape::Sentinel => self.fail_over_by_sentinels(),
            Shape::Cluster => self.fail_over_in_cluster(),
        }
    }

    /// Kills the master, waits until a replica has taken its place, and gives both: who was, and who is.
    #[track_caller]
    pub fn lose_master(&mut self) -> (usize, usize) {
        let old = self.master();
        self.kill(old);
        self.await_so("another master", |redis| {
            redis.try_master().is_some_and(|master| master != old)
        });
        (old, self.master())
    }

    /// Waits until all nodes that run are whole together again: replicas in step, everybody known.
    #[track_caller]
    pub fn await_whole(&self) {
        match self.shape {
            Shape::Single => self.await_answer(0),
            Shape::Sentinel => self.await_whole_sentinel(),
            Shape::Cluster => self.await_whole_cluster(),
        }
        // One that is only being loaded counts as there as well.
        self.await_in_step();
    }

    /// Waits until the replicas that run have all that their masters had when this began.
    #[track_caller]
    pub fn await_in_step(&self) {
        let offset = |line: &str, key: &str| -> Option<u64> {
            let (_, rest) = line.split_once(key)?;
            let digits = rest.split(|c: char| !c.is_ascii_digit()).next()?;
            digits.parse().ok()
        };
        for node in 0..self.nodes.len() {
            let info = || self.ask(node, &["INFO", "replication"]).unwrap_or_default();
            let had = offset(&info(), "master_repl_offset:").unwrap_or_default();
            self.await_so("replicas in step", |_| {
                let info = info();
                let mut replicas = info.lines().filter(|line| line.contains("state=online"));
                replicas.all(|line| offset(line, "offset=").is_some_and(|has| has >= had))
            });
        }
    }

    fn try_master(&self) -> Option<usize> {
        match self.shape {
            Shape::Single => Some(0),
            Shape::Sentinel => self.try_sentinels_master(),
            Shape::Cluster => self.try_owner_of_slot(0),
        }
    }

    /// The node with this port.
    fn node_at(&self, port: &str) -> Option<usize> {
        let is_it = |node: &Node| node.port().to_string() == port;
        self.nodes.iter().position(is_it)
    }

    #[track_caller]
    fn live_node(&self) -> usize {
        let node = self.nodes.iter().position(Node::runs);
        node.expect("no node runs")
    }

    #[track_caller]
    fn must(&self, node: usize, command: &[&str]) -> String {
        let answer = self.ask(node, command);
        answer.unwrap_or_else(|error| panic!("node {node}: {command:?}: {error}"))
    }

    /// What `redis-cli` prints, less the end of line; what it complains of is an error.
    fn ask(&self, node: usize, command: &[&str]) -> Result<String, String> {
        self.nodes[node].ask(&self.setup, self.certificates.as_ref(), command)
    }

    #[track_caller]
    fn await_answer(&self, node: usize) {
        self.await_so("an answer", |redis| {
            redis
                .ask(node, &["PING"])
                .is_ok_and(|answer| answer == "PONG")
        });
    }

    #[track_caller]
    fn await_so(&self, what: &str, is_so: impl Fn(&Self) -> bool) {
        for _ in 0..LOOKS {
            if is_so(self) {
                return;
            }
            thread::sleep(LOOK_EVERY);
        }
        let logs = self.nodes.iter().map(Node::log_end).collect::<String>();
        panic!("there is never {what}:\n{logs}");
    }
}
