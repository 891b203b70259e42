//! A WeChat of its own for the demo and the tests. Uses nothing of the gateway, so that it can contradict it.

mod access_tokens;
mod accounts;
mod behaviour;
mod phone_codes;
mod seal;
mod server;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::Value;
use tokio::runtime::{Builder, Handle};
use tokio::sync::{Notify, oneshot, watch};

pub use self::behaviour::{Api, Behaviour};
pub use self::seal::{Sealed, seal_blocks, seal_bytes};

use self::accounts::Accounts;
use self::behaviour::Script;

/// How long a test waits for calls that should come at once.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// A running simulator of WeChat's API; it stops when it is dropped.
#[derive(Debug)]
pub struct Simulator {
    address: SocketAddr,
    stage: Arc<Stage>,
    runtime: Handle,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// What the simulator's thread and its owner share.
#[derive(Debug)]
struct Stage {
    accounts: Mutex<Accounts>,
    login: Desk,
    access_token: Desk,
    session_key: Desk,
    phone_number: Desk,
    gate: Notify,
    connections: AtomicUsize,
}

/// Where the calls of one API arrive.
#[derive(Debug)]
struct Desk {
    script: Mutex<Script>,
    calls: watch::Sender<usize>,
}

impl Simulator {
    /// Serves on `listener`, on a thread of its own.
    ///
    /// # Errors
    ///
    /// The system gives no thread, or the listener is none.
    pub fn start(listener: TcpListener) -> io::Result<Self> {
        let address = listener.local_addr()?;
        listener.set_nonblocking(true)?;
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let listener = {
            let _entered = runtime.enter();
            tokio::net::TcpListener::from_std(listener)?
        };
        let stage = Arc::new(Stage::new());
        let (stop, stopped) = oneshot::channel();
        let handle = runtime.handle().clone();
        let serving = server::serve(listener, Arc::clone(&stage));
        let thread = std::thread::Builder::new()
            .name("simulator".to_owned())
            .spawn(move || {
                runtime.block_on(async {
                    tokio::select! {
                        () = serving => {}
                        _ = stopped => {}
                    }
                });
            })?;
        Ok(Self {
            address,
            stage,
            runtime: handle,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// What stands in a config as `base_url`.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Makes a mini-program known; the others are answered with 40013.
    pub fn register_app(&self, appid: &str, secret: &str) {
        self.stage.accounts().register_app(appid, secret);
    }

    /// What `wx.login()` gives `user`: a code for one login within five minutes, to whichever mini-program takes it.
    #[must_use]
    pub fn issue_code(&self, user: &str) -> String {
        self.stage.accounts().issue_code(user)
    }

    /// The same, for one mini-program alone: a code of another is answered with 40029.
    #[must_use]
    pub fn issue_code_of(&self, appid: &str, user: &str) -> String {
        let mut accounts = self.stage.accounts();
        let code = accounts.issue_code(user);
        accounts.bind_code(&code, appid);
        code
    }

    /// Makes every code that was issued so far older by `span`.
    pub fn age_codes(&self, span: Duration) {
        self.stage.accounts().age_codes(span);
    }

    /// Whether each login from now on replaces the user's `session_key`; at first none does.
    pub fn renew_keys(&self, renew: bool) {
        self.stage.accounts().renew_keys(renew);
    }

    /// Gives `user` a unionid, or takes it away; at first nobody has one.
    pub fn set_unionid(&self, user: &str, unionid: Option<&str>) {
        self.stage.accounts().set_unionid(user, unionid);
    }

    /// The openid of `user` in one mini-program: 28 characters.
    #[must_use]
    pub fn openid_of(&self, appid: &str, user: &str) -> String {
        accounts::openid_of(appid, user)
    }

    /// The `session_key` of `user` in one mini-program, as the base64 text that a login gives.
    #[must_use]
    pub fn session_key_of(&self, appid: &str, user: &str) -> String {
        seal::key_text(&self.session_key_bytes(appid, user))
    }

    /// The same `session_key` as the bytes that [`seal_bytes`] and [`seal_blocks`] take.
    #[must_use]
    pub fn session_key_bytes(&self, appid: &str, user: &str) -> [u8; 16] {
        self.stage.accounts().session_key_of(appid, user)
    }

    /// What `wx.getUserInfo()` gives as `signature` of `raw_data`.
    #[must_use]
    pub fn signed(&self, appid: &str, user: &str, raw_data: &str) -> String {
        seal::sign(raw_data, &self.session_key_of(appid, user))
    }

    /// What `wx.getUserInfo()` gives as `encryptedData` and `iv`.
    ///
    /// An object gets the `openId`, the `unionId` if there is one, and the `watermark`, where it has none of its own;
    /// any other payload is sealed as it is.
    #[must_use]
    pub fn encrypted(&self, appid: &str, user: &str, payload: Value) -> Sealed {
        let accounts = self.stage.accounts();
        let plain = accounts.marked(appid, user, payload).to_string();
        seal_bytes(&accounts.session_key_of(appid, user), plain.as_bytes())
    }

    /// Replaces the `session_key` of `user`, as a login does that the gateway does not see.
    pub fn renew_key(&self, appid: &str, user: &str) {
        self.stage.accounts().renew_key(appid, user);
    }

    /// How all code2Session calls from now on are answered.
    pub fn behave(&self, behaviour: Behaviour) {
        self.behave_at(Api::Login, behaviour);
    }

    /// How the next `count` code2Session calls are answered, after those that were arranged before.
    pub fn behave_next(&self, count: usize, behaviour: Behaviour) {
        self.behave_next_at(Api::Login, count, behaviour);
    }

    /// How all calls of one API from now on are answered.
    pub fn behave_at(&self, api: Api, behaviour: Behaviour) {
        self.stage.desk(api).script().stand(behaviour);
    }

    /// How the next `count` calls of one API are answered, after those that were arranged before.
    pub fn behave_next_at(&self, api: Api, count: usize, behaviour: Behaviour) {
        self.stage.desk(api).script().insert(count, behaviour);
    }

    /// Lets go the answers that [`Behaviour::Held`] holds now.
    pub fn release(&self) {
        self.stage.gate.notify_waiters();
    }

    /// The code2Session calls so far, those without an answer included.
    #[must_use]
    pub fn calls(&self) -> usize {
        self.calls_at(Api::Login)
    }

    /// The calls of one API so far, those without an answer included.
    #[must_use]
    pub fn calls_at(&self, api: Api) -> usize {
        *self.stage.desk(api).calls.borrow()
    }

    /// The connections that were made so far.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.stage.connections.load(Ordering::Relaxed)
    }

    /// Waits until `count` code2Session calls have arrived; false if they have not within half a minute.
    pub async fn arrived(&self, count: usize) -> bool {
        self.arrived_at(Api::Login, count).await
    }

    /// Waits until `count` calls of one API have arrived; false if they have not within half a minute.
    pub async fn arrived_at(&self, api: Api, count: usize) -> bool {
        let mut calls = self.stage.desk(api).calls.subscribe();
        // The waiting is timed by this runtime: that of a test may have a clock that stands still.
        let waiting = self.runtime.spawn(async move {
            let enough = calls.wait_for(|calls| *calls >= count);
            matches!(tokio::time::timeout(LONGEST_WAIT, enough).await, Ok(Ok(_)))
        });
        waiting.await.unwrap_or(false)
    }

    /// The same as [`Simulator::arrived`], for a thread that runs no tasks.
    #[must_use]
    pub fn arrived_blocking(&self, count: usize) -> bool {
        self.runtime.block_on(self.arrived(count))
    }

    /// The same as [`Simulator::arrived_at`], for a thread that runs no tasks.
    #[must_use]
    pub fn arrived_blocking_at(&self, api: Api, count: usize) -> bool {
        self.runtime.block_on(self.arrived_at(api, count))
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic of that thread was printed when it happened; there is nothing to add.
            drop(thread.join());
        }
    }
}

impl Stage {
    fn new() -> Self {
        Self {
            accounts: Mutex::default(),
            login: Desk::new(),
            access_token: Desk::new(),
            session_key: Desk::new(),
            phone_number: Desk::new(),
            gate: Notify::new(),
            connections: AtomicUsize::new(0),
        }
    }

    fn accounts(&self) -> MutexGuard<'_, Accounts> {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn desk(&self, api: Api) -> &Desk {
        match api {
            Api::Login => &self.login,
            Api::AccessToken => &self.access_token,
            Api::SessionKey => &self.session_key,
            Api::PhoneNumber => &self.phone_number,
        }
    }
}

impl Desk {
    fn new() -> Self {
        Self {
            script: Mutex::default(),
            calls: watch::Sender::new(0),
        }
    }

    fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a call and finds out how to answer it.
    fn arrive(&self) -> Behaviour {
        let behaviour = self.script().next();
        self.calls.send_modify(|calls| *calls += 1);
        behaviour
    }
}

#[cfg(test)]
mod tests;
