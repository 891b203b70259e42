//! wxgate: a reverse-proxy authentication gateway for WeChat mini-programs.
//!
//! A client logs in with the code of `wx.login()` and gets a session token, the *skey*. Every later request carries the
//! skey; wxgate looks it up, removes whatever the client pretended to be, and forwards the request with one identity
//! that the backend can trust. This page is the map; [`gateway`] is where to begin to read.
//!
//! # The rooms
//!
//! Each directory or file below src is a room with one subject, and its first line says which. Imports point down only,
//! and two rooms of one layer do not know each other; tests/gateway/architecture.rs holds them to it.
//!
//! ```text
//! main                                      arguments, and how a process ends
//! demo   service   sessions_command         everything on loopback │ signals, systemd │ an operator's command
//! app                                       config → parts → run; alone in seeing every part
//! gateway   explain   renewal               the journey of a request, done │ told │ new certificates
//! endpoints   admin                         login, check, logout, phone, verdict │ the operator's pages, /api/decrypt
//! store   wechat   upstream   listener      sessions │ WeChat's API │ backends │ sockets
//! config   wire   metrics                   what is meant │ the words of HTTP │ what is counted
//! domain                                    identity, session, token, path, route, refusal, clock
//! ```
//!
//! Below [`admin`], answer.rs has the forms of what operators are told, entrance.rs says who may enter, sessions.rs lists
//! and ends sessions (what is asked of it is read by sessions/asked.rs), and views.rs has what is only shown: what was
//! counted (metrics/reading.rs), the config as it holds (config/effective), and the page; app/operators.rs hands them their parts.
//!
//! [`sessions_command`] asks a gateway that runs (api.rs) and shows what it says (table.rs). In the store, ledger.rs has the
//! words of what operators ask, and trouble.rs what keeps it from answering; memory/walk.rs looks at all sessions,
//! memory/succession.rs knows which skeys led somewhere, memory/devices.rs the sessions of a user, and memory/lifecycle.rs ends
//! and moves them.
//!
//! [`telemetry`] stands beside the users of the config: `line.rs` is the form of a log line, `queue.rs` its way
//! out, `access.rs` the short cut of the access lines. [`simulator`] is a WeChat for the demo and the tests, and uses
//! nothing of ours, so that it can contradict us.
//!
//! # The journey of an authenticated request
//!
//! 1. A worker's [`listener`] accepts the connection (socket.rs), drives it (connection.rs) within its times (pulse.rs),
//!    reads each request (http1/request.rs), and hands it to the [`gateway`], its [`listener::Handler`]. Where the client
//!    speaks HTTP/2, each stream is such a request (http2/stream.rs), said in the words of HTTP/1.1 (http2/request.rs),
//!    within bounds of its own (http2/limits.rs, frames.rs, pace.rs). Where only proxies come, they first say whose connection
//!    it is (announcement.rs, [`wire::proxy_protocol`]). The certificates that are shown stand in
//!    config/certificates.rs, and who comes in the clear where TLS is served is sent there (gateway/redirect.rs).
//! 2. Who is behind a trusted proxy is read by [`wire::forwarded`]. What two parsers could read differently is refused:
//!    how a head is written and where its body ends by http1/request.rs, the rest of the head by [`wire::head`], the path
//!    by [`domain::path`].
//! 3. [`domain::route`] finds the most specific route. What has none is refused, and so is the path of an `on_login`
//!    ([`domain::call_path`]). A browser that asks for a page whether it may is answered here (gateway/cors.rs), and
//!    gateway/limits.rs counts who comes too often ([`domain::rate_limit`]).
//! 4. gateway/admit.rs finds the token with [`wire::tokens`], the session in the [`store`], and asks the guard.
//! 5. Where the route says so, `gateway/open_data.rs` takes the field that backends must believe out of the body
//!    (wire/rewrite.rs) and puts in what [`wechat`] opens with the user's keys. What does not open makes
//!    `wechat/key_checks.rs` ask, on the control runtime, whether the key is stale. `gateway/phone.rs` does the same with
//!    the number for which [`endpoints::phone`] exchanges a code, under an access token (`wechat/access_token.rs`).
//! 6. gateway/forward.rs gives the path the beginning that the route says ([`domain::prefix`]), has the request sealed
//!    (upstream/seal.rs), and waits for a place among those that the backend may have (gateway/crowds.rs). [`upstream`]
//!    chooses a server (server.rs, watch.rs), takes a connection of this worker's own to it (send.rs, pool.rs), in clear or
//!    under TLS (stream.rs), and carries the exchange over it (exchange.rs): the request goes out (request.rs) while the
//!    reply comes in (reply.rs). Where scripts answer, both are in the words of FastCGI (upstream/fastcgi), and
//!    [`domain::script`] says which of them runs.
//! 7. The answer streams back (http1/answer.rs, outgoing.rs, or http2/stream.rs). Its headers pass as lines
//!    ([`wire::header_lines`]) unless the route changes them (gateway/cors.rs). With its last byte gateway/outcome.rs ends the visit, and gateway/visit.rs counts and writes the access line (telemetry/access.rs).
//!    What never became a request is refused in gateway/unread.rs; in HTTP/2 http2/heads.rs notices it.
//! 8. A request that wants to become a WebSocket goes the same way (gateway/websocket.rs), with a handshake that is held to its
//!    rules and its answer to it ([`wire::websocket`]). If the backend agrees, the listener hands over the connection (line.rs),
//!    [`upstream`] its own (tunnel.rs), and gateway/websocket/relay.rs carries the bytes between them, while watch.rs looks
//!    whether the session still stands, and leave.rs says what both sides are told at the end.
//!
//! # The journey of a login
//!
//! 1. As above up to the route, whose action is a login; [`endpoints::login`] reads the code, its proofs, and to
//!    which app it is ([`domain::app_choice`]) out of the request (request.rs).
//! 2. login/grants.rs holds that a code is exchanged once, however often it comes within `login_replay`.
//! 3. [`wechat`] calls code2Session on the control runtime, with retries (retry.rs) where they are safe, and reads the
//!    answer (reply.rs).
//! 4. wechat/proofs.rs verifies the signature and opens the encrypted data with the `session_key`.
//! 5. Where the route has an `on_login`, login/announce.rs tells the backend, through the worker that took the login
//!    (upstream/call.rs), and login/said.rs reads what it says of the user.
//! 6. The [`store`] opens a session under the digest of a new skey (memory.rs), beside the user's keys (users.rs), and gives it a name that leads nowhere ([`domain::session_id`]); state/ carries both over a restart, sealed by sealing.rs; where gateways share them, they are in Redis (store/redis), and near.rs is what need not be asked for; the skey goes to the client, in the shape of the
//!    route's `response`, or of its `dialect`, which config/dialect.rs says in these same words.
//!
//! A rotation ([`endpoints::rotate`]) moves the same session to a new skey.
//!
//! # What always holds
//!
//! - **Strip always, inject last.** Whatever could pass for an identity is removed on every path, open ones too; the
//!   identity headers are set after everything else.
//! - **No answer carries an identity**, but for [`endpoints::verdict`], which cannot be made without a
//!   [`domain::peer::FrontProxy`], the proof that the peer is a trusted proxy in front.
//! - **One constructor.** Only [`upstream::Sealer::seal`] makes an [`upstream::Sealed`], and nothing else is ever sent. What a
//!   backend says of a user becomes a header only as a [`domain::header_text::HeaderText`].
//! - **Default deny.** No route, no answer; a route without `auth` requires a session; a config with a problem does
//!   not start.
//! - **No lock across workers on the hot path.** A worker is one thread with its own sockets, connections and counters.
//!   What is slow and rare runs on the control runtime.
//! - **One clock.** Whatever expires asks [`domain::clock::Clock`], which tests turn.
//! - **Errors are translated once per border.** An errcode becomes a [`wechat::WeChatError`], that a
//!   [`wire::refusal::Refusal`], and that a status, in the one table of [`domain::refusal`].
//! - **Secrets mask themselves.** No openid, skey, code, key or secret is logged, at any level.

pub mod admin;
pub mod app;
pub mod config;
pub mod demo;
pub mod domain;
pub mod endpoints;
pub mod explain;
pub mod gateway;
pub mod listener;
pub mod metrics;
mod renewal;
pub mod service;
pub mod sessions_command;
pub mod simulator;
pub mod store;
pub mod telemetry;
pub mod upstream;
pub mod wechat;
pub mod wire;
