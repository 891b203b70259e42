//! What measures wxgate: the two ends of a measurement, which are lean so that the proxy between them is what is
//! measured, and the runs that need them. Uses nothing of the product: what measures it from inside lies in
//! benches/inside.
//!
//! ```text
//! bin/compare   bin/growth   bin/logins     one for each script beside this crate
//! compare   growth   logins                 wxgate and its peers │ cost as the work grows │ logins; tables and charts
//! stage                                     subjects as processes, what is measured of them
//! bin/load   bin/backend                    the generator │ the server behind every proxy
//! load   backend                            one end each, a thread with an epoll loop
//! wire   poller   usage                     the little of HTTP that both read │ epoll │ CPU time and memory
//! ```

pub mod backend;
pub mod compare;
pub mod growth;
pub mod load;
pub mod logins;
pub mod poller;
pub mod stage;
pub mod usage;
pub mod wire;
