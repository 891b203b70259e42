//! A master, its replicas, and Sentinels that watch over them.

use std::fmt::Write;

use super::Redis;
use super::node::Kind;
use super::setup::Setup;

/// What the Sentinels call the master.
pub const MASTER: &str = "wxgate";

/// How many data servers there are; the Sentinels come behind them.
pub(super) const SERVERS: usize = 3;
const SENTINELS: usize = 3;
const QUORUM: usize = 2;

/// What Sentinels look at every few seconds elsewhere they look at more often here.
const QUICK: [&str; 10] = [
    "SENTINEL",
    "DEBUG",
    "INFO-PERIOD",
    "200",
    "PING-PERIOD",
    "100",
    "PUBLISH-PERIOD",
    "200",
    "ASK-PERIOD",
    "100",
];

#[track_caller]
pub(super) fn build(redis: &mut Redis) {
    redis.add_server("");
    redis.await_answer(0);
    let master = redis.nodes[0].port();
    for _ in 1..SERVERS {
        redis.add_server(&format!("replicaof 127.0.0.1 {master}\n"));
    }
    let lines = lines(&redis.setup, master);
    for _ in 0..SENTINELS {
        redis.add(Kind::Sentinel, &lines);
    }
    for node in SERVERS..SERVERS + SENTINELS {
        redis.await_answer(node);
        redis.cli_at(node, &QUICK);
    }
    redis.await_whole();
}

fn lines(setup: &Setup, master: u16) -> String {
    let mut lines = format!(
        "sentinel monitor {MASTER} 127.0.0.1 {master} {QUORUM}\n\
         sentinel down-after-milliseconds {MASTER} 2000\n\
         sentinel failover-timeout {MASTER} 6000\n\
         sentinel parallel-syncs {MASTER} 2\n"
    );
    if let Some(password) = &setup.password {
        let _ = writeln!(lines, "sentinel auth-pass {MASTER} {password}");
    }
    if let Some(user) = &setup.user {
        let _ = writeln!(lines, "sentinel auth-user {MASTER} {user}");
    }
    lines
}

impl Redis {
    /// The master, if all Sentinels that run have the same and it agrees that it is one.
    pub(super) fn try_sentinels_master(&self) -> Option<usize> {
        let command = ["SENTINEL", "GET-MASTER-ADDR-BY-NAME", MASTER];
        let told: Option<Vec<_>> = self
            .sentinels()
            .map(|node| self.ask(node, &command).ok())
            .collect();
        let told = told?;
        let first = told.first()?;
        let master = self.node_at(first.lines().nth(1)?)?;
        let role = self.ask(master, &["ROLE"]).ok()?;
        let agree = told.iter().all(|other| other == first) && role.starts_with("master");
        agree.then_some(master)
    }

    #[track_caller]
    pub(super) fn sentinels_master(&self) -> usize {
        self.await_so("a master", |redis| redis.try_sentinels_master().is_some());
        self.try_sentinels_master().unwrap()
    }

    #[track_caller]
    pub(super) fn fail_over_by_sentinels(&self) -> usize {
        let old = self.sentinels_master();
        let asked = self.sentinels().next().unwrap();
        // Refused while they are still busy with the one before.
        self.await_so("leave to fail over", |redis| {
            let command = ["SENTINEL", "FAILOVER", MASTER];
            redis.ask(asked, &command).is_ok_and(|said| said == "OK")
        });
        self.await_so("another master", |redis| {
            redis.try_sentinels_master().is_some_and(|now| now != old)
        });
        self.sentinels_master()
    }

    #[track_caller]
    pub(super) fn await_whole_sentinel(&self) {
        let count = |kind| {
            self.nodes
                .iter()
                .filter(|n| n.runs() && n.kind() == kind)
                .count()
        };
        let replicas = count(Kind::Server) - 1;
        let others = count(Kind::Sentinel) - 1;
        self.await_so("replicas in step", |redis| {
            let master = redis.try_sentinels_master();
            let info = master.and_then(|node| redis.ask(node, &["INFO", "replication"]).ok());
            info.is_some_and(|info| info.matches("state=online").count() == replicas)
        });
        self.await_so("Sentinels that know everybody", |redis| {
            redis.sentinels().all(|node| {
                let command = ["SENTINEL", "MASTER", MASTER];
                let told = redis.ask(node, &command).unwrap_or_default();
                let at_least = |name, needed| {
                    let mut lines = told.lines().skip_while(|line| *line != name);
                    let count = lines.nth(1).and_then(|line| line.parse::<usize>().ok());
                    count.is_some_and(|count| count >= needed)
                };
                at_least("num-slaves", replicas) && at_least("num-other-sentinels", others)
            })
        });
    }

    fn sentinels(&self) -> impl Iterator<Item = usize> {
        let nodes = self.nodes.iter().enumerate();
        let sentinels = nodes.filter(|(_, node)| node.kind() == Kind::Sentinel && node.runs());
        sentinels.map(|(place, _)| place)
    }
}
