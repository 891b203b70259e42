//! The load generator: keep-alive connections on one thread, closed loop or open loop. Knows nothing of who answers.
//!
//! In a closed loop each connection asks again as soon as it is answered. In an open loop requests have their instants
//! whatever the answers do, and how long one took counts from its instant, also where it had to wait for a free
//! connection. Connections take turns: the one that was free longest asks next. With HTTP/2 these are streams, the first of
//! every connection before the second of any.

mod connection;
mod http1;
mod http2;
mod plan;
mod report;
mod requests;
mod run;
mod stream;
mod tls;

pub use self::plan::{Pace, Plan, Protocol};
pub use self::report::Report;
pub use self::requests::{Requests, Target};
pub use self::run::{hold, run};
pub use self::tls::{Offer, SERVER_NAME, Terms, trust};
