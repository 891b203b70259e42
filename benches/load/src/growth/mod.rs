//! Cost that grows as the work grows: with routes, sessions, connections and sizes. Knows nothing of how requests are
//! sent.
//!
//! Each kind of growth is a file that measures all its panels, round by round; a panel is one figure, with a line for
//! each who has it and a point for each size.

mod chart;
mod connections;
mod kind;
mod results;
mod routes;
mod run;
mod sessions;
mod sizes;
mod table;
mod turns;

pub use self::kind::Kind;
pub use self::results::Results;
pub use self::run::{Choice, run};
