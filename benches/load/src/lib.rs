//! What measures wxgate: the two ends of a measurement, which are lean so that the proxy between them is what is
//! measured, and the comparison that runs them. Uses nothing of the product.
//!
//! ```text
//! bin/compare   bin/load   bin/backend      the comparison │ the generator │ the server behind every proxy
//! compare                                   subjects, measurements, ratios, the table and the chart
//! load   backend                            one end each, a thread with an epoll loop
//! wire   poller   usage                     the little of HTTP that both read │ epoll │ CPU time and memory
//! ```

pub mod backend;
pub mod compare;
pub mod load;
pub mod poller;
pub mod usage;
pub mod wire;
