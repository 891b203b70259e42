//! What a test's Redis servers are told at their start.

use std::fmt::Write;

use super::certificates::Certificates;
use super::node::{Kind, Node};
use super::ports::Ports;
use super::{Redis, Shape, cluster, sentinel};

/// What the servers ask of their clients, and how much they hold. Nothing is asked unless said.
#[derive(Clone, Debug, Default)]
pub struct Setup {
    pub(super) tls: bool,
    pub(super) user: Option<String>,
    pub(super) password: Option<String>,
    max_memory: Option<String>,
}

impl Setup {
    /// TLS alone, on every port.
    pub fn tls(mut self) -> Self {
        self.tls = true;
        self
    }

    /// This password of the user `default`.
    pub fn password(mut self, password: &str) -> Self {
        self.password = Some(password.to_owned());
        self
    }

    /// This user with this password; `default` may nothing.
    pub fn user(mut self, name: &str, password: &str) -> Self {
        self.user = Some(name.to_owned());
        self.password(password)
    }

    /// No more memory than this (`"3mb"`); who wants more is told so, and nothing is evicted.
    pub fn max_memory(mut self, bytes: &str) -> Self {
        self.max_memory = Some(bytes.to_owned());
        self
    }

    /// One server.
    #[track_caller]
    pub fn single(self) -> Redis {
        let mut redis = self.prepare(Shape::Single);
        redis.add_server("");
        redis.await_answer(0);
        redis
    }

    /// A master, two replicas, three Sentinels.
    #[track_caller]
    pub fn sentinel(self) -> Redis {
        let mut redis = self.prepare(Shape::Sentinel);
        sentinel::build(&mut redis);
        redis
    }

    /// Three masters, three replicas.
    #[track_caller]
    pub fn cluster(self) -> Redis {
        let mut redis = self.prepare(Shape::Cluster);
        cluster::build(&mut redis);
        redis
    }

    fn prepare(self, shape: Shape) -> Redis {
        Redis {
            shape,
            nodes: Vec::new(),
            certificates: self.tls.then(Certificates::make),
            setup: self,
        }
    }

    /// The lines of a data server's config but for its place.
    fn server_lines(&self) -> String {
        let mut lines = "save \"\"\nappendonly yes\nrepl-diskless-sync-delay 0\n\
                         repl-ping-replica-period 1\nrepl-timeout 5\n"
            .to_owned();
        if let Some(bytes) = &self.max_memory {
            let _ = writeln!(
                lines,
                "maxmemory {bytes}\nmaxmemory-policy noeviction\nmaxmemory-clients 0"
            );
        }
        if let Some(password) = &self.password {
            let _ = match &self.user {
                Some(user) => writeln!(
                    lines,
                    "user default off\nuser {user} on >{password} ~* &* +@all\n\
                     masteruser {user}\nmasterauth {password}"
                ),
                None => writeln!(lines, "requirepass {password}\nmasterauth {password}"),
            };
        }
        lines
    }
}

impl Redis {
    /// Starts a data server with these lines beside those of the setup.
    #[track_caller]
    pub(super) fn add_server(&mut self, more: &str) {
        let lines = self.setup.server_lines() + more;
        self.add(Kind::Server, &lines);
    }

    #[track_caller]
    pub(super) fn add(&mut self, kind: Kind, lines: &str) {
        let certificates = self.certificates.as_ref();
        let config = |ports: Ports| {
            let bus = ports.bus();
            place_lines(ports, certificates) + &lines.replace("BUS", &bus.to_string())
        };
        let node = Node::start(kind, config);
        self.nodes.push(node);
    }
}

/// The lines that say where a node is.
fn place_lines(ports: Ports, certificates: Option<&Certificates>) -> String {
    let port = ports.port();
    let mut lines = "bind 127.0.0.1\n".to_owned();
    let _ = match certificates {
        Some(certificates) => {
            write!(lines, "port 0\ntls-port {port}\n{}", certificates.lines())
        }
        None => writeln!(lines, "port {port}"),
    };
    lines
}
