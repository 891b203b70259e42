//! Masters that share the slots, and a replica of each.

use super::Redis;

const MASTERS: usize = 3;
const NODES: usize = 6;
const SLOTS: usize = 16_384;

/// `BUS` stands for the port of the node's own. The replicas stay whose they are, and take a place however long they were cut off.
const LINES: &str = "cluster-enabled yes\ncluster-port BUS\ncluster-node-timeout 1000\n\
                     cluster-replica-validity-factor 0\ncluster-allow-replica-migration no\n";

#[track_caller]
pub(super) fn build(redis: &mut Redis) {
    for _ in 0..NODES {
        redis.add_server(LINES);
    }
    for node in 0..NODES {
        redis.await_answer(node);
        redis.cli_at(
            node,
            &["CLUSTER", "SET-CONFIG-EPOCH", &(node + 1).to_string()],
        );
    }
    for node in 0..MASTERS {
        let (from, to) = (SLOTS * node / MASTERS, SLOTS * (node + 1) / MASTERS - 1);
        redis.cli_at(
            node,
            &[
                "CLUSTER",
                "ADDSLOTSRANGE",
                &from.to_string(),
                &to.to_string(),
            ],
        );
    }
    for other in &redis.nodes[1..] {
        let (port, bus) = (other.port().to_string(), other.bus_port().to_string());
        redis.cli_at(0, &["CLUSTER", "MEET", "127.0.0.1", &port, &bus]);
    }
    redis.await_so("a cluster of all", |redis| {
        let known = format!("cluster_known_nodes:{NODES}");
        (0..NODES).all(|node| redis.cluster_info(node).contains(&known))
    });
    for node in MASTERS..NODES {
        let id = redis.cli_at(node - MASTERS, &["CLUSTER", "MYID"]);
        redis.cli_at(node, &["CLUSTER", "REPLICATE", &id]);
    }
    redis.await_whole();
}

/// A line of `CLUSTER NODES`.
struct Member<'a> {
    id: &'a str,
    port: &'a str,
    flags: &'a str,
    master: &'a str,
    is_linked: bool,
    slots: Vec<&'a str>,
}

impl<'a> Member<'a> {
    /// `ID IP:PORT@BUS FLAGS MASTER PING PONG EPOCH LINK SLOT…`
    fn read(line: &'a str) -> Option<Self> {
        let mut words = line.split(' ');
        let (id, place, flags, master) =
            (words.next()?, words.next()?, words.next()?, words.next()?);
        let port = place.split(['@', ',']).next()?.rsplit(':').next()?;
        let is_linked = words.nth(3)? == "connected";
        Some(Self {
            id,
            port,
            flags,
            master,
            is_linked,
            slots: words.collect(),
        })
    }

    fn has(&self, flag: &str) -> bool {
        self.flags.split(',').any(|word| word == flag)
    }

    fn holds(&self, slot: usize) -> bool {
        self.slots.iter().any(|range| {
            let (from, to) = range.split_once('-').unwrap_or((range, range));
            let number = |text: &str| text.parse::<usize>().ok();
            number(from).is_some_and(|from| from <= slot) && number(to).is_some_and(|to| slot <= to)
        })
    }
}

impl Redis {
    /// The master of this key now.
    #[track_caller]
    pub fn owner_of(&self, key: &str) -> usize {
        let slot = self.must(self.live_node(), &["CLUSTER", "KEYSLOT", key]);
        self.owner_of_slot(slot.parse().unwrap())
    }

    #[track_caller]
    pub(super) fn owner_of_slot(&self, slot: usize) -> usize {
        self.await_so("a master", |redis| redis.try_owner_of_slot(slot).is_some());
        self.try_owner_of_slot(slot).unwrap()
    }

    /// The master of a slot, if all nodes that run have the same and serve.
    pub(super) fn try_owner_of_slot(&self, slot: usize) -> Option<usize> {
        let running = (0..NODES).filter(|node| self.nodes[*node].runs());
        let owners: Option<Vec<_>> = running.map(|node| self.owner_as_seen(node, slot)).collect();
        let owners = owners?;
        let first = *owners.first()?;
        owners.iter().all(|owner| *owner == first).then_some(first)
    }

    /// The master of a slot as this node has it, if it serves.
    fn owner_as_seen(&self, by: usize, slot: usize) -> Option<usize> {
        let told = self.ask(by, &["CLUSTER", "NODES"]).ok()?;
        let mut members = told.lines().filter_map(Member::read);
        let owner = members.find(|member| member.holds(slot) && !member.has("fail"))?;
        let serves = self.cluster_info(by).contains("cluster_state:ok");
        self.node_at(owner.port)
            .filter(|node| serves && self.nodes[*node].runs())
    }

    #[track_caller]
    pub(super) fn fail_over_in_cluster(&self) -> usize {
        let old = self.owner_of_slot(0);
        let replica = self.replica_of(old).expect("the master has no replica");
        self.cli_at(replica, &["CLUSTER", "FAILOVER"]);
        self.await_so("another master", |redis| {
            redis.try_owner_of_slot(0) == Some(replica)
        });
        replica
    }

    fn replica_of(&self, master: usize) -> Option<usize> {
        let told = self.members()?;
        let members: Vec<_> = told.lines().filter_map(Member::read).collect();
        let port = self.nodes[master].port().to_string();
        let id = members.iter().find(|member| member.port == port)?.id;
        let replica = members.iter().find(|member| member.master == id)?;
        self.node_at(replica.port)
    }

    #[track_caller]
    pub(super) fn await_whole_cluster(&self) {
        self.await_so("a whole cluster", |redis| {
            let mut running = (0..NODES).filter(|node| redis.nodes[*node].runs());
            running.all(|node| redis.is_whole_at(node))
        });
    }

    /// Whether a node sees all that run as connected, none of them failing, and is in step with its own master.
    fn is_whole_at(&self, node: usize) -> bool {
        let told = self.ask(node, &["CLUSTER", "NODES"]).unwrap_or_default();
        let members: Vec<_> = told.lines().filter_map(Member::read).collect();
        let runs = |member: &&Member| {
            let node = self.node_at(member.port);
            node.is_some_and(|node| self.nodes[node].runs())
        };
        let is_well = |member: &Member| {
            member.is_linked && !member.flags.contains("fail") && !member.has("handshake")
        };
        let masters = members.iter().filter(|member| member.has("master"));
        let with_slots = masters.filter(|member| !member.slots.is_empty()).count();
        let info = self.ask(node, &["INFO", "replication"]).unwrap_or_default();
        let in_step = info.contains("role:master") || info.contains("master_link_status:up");
        members.len() == NODES
            && members.iter().filter(runs).all(is_well)
            && with_slots
                == members
                    .iter()
                    .filter(|m| m.has("master") && runs(m))
                    .count()
            && in_step
            && self.cluster_info(node).contains("cluster_state:ok")
    }

    fn cluster_info(&self, node: usize) -> String {
        self.ask(node, &["CLUSTER", "INFO"]).unwrap_or_default()
    }

    fn members(&self) -> Option<String> {
        let mut running = (0..NODES).filter(|node| self.nodes[*node].runs());
        running.find_map(|node| self.ask(node, &["CLUSTER", "NODES"]).ok())
    }
}
