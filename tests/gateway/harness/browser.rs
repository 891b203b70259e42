//! A browser without a window, driven as its developer tools drive it, which hears of all that a page asks for.

use std::cell::RefCell;
use std::net::TcpStream;
use std::os::unix::fs::MetadataExt;
use std::process::Command;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tungstenite::{Message, WebSocket};

use super::process::Process;
use super::scratch::Scratch;

/// Between two looks at a page that is waited for.
const LOOK_EVERY: Duration = Duration::from_millis(30);
/// How many looks are taken before a test fails that would hang.
const LOOKS: usize = 1000;

/// Runs in every page before its own scripts: what its policy forbids is kept to be told.
const WATCH: &str = "window.forbidden = []; document.addEventListener('securitypolicyviolation', \
                     (event) => window.forbidden.push(event.violatedDirective + ' ' + event.blockedURI));";

/// A browser with one page. It ends when this is dropped.
pub struct Browser {
    tools: RefCell<Tools>,
    /// Both end with the browser.
    _process: Process,
    _profile: Scratch,
}

/// The connection to the developer tools.
struct Tools {
    socket: WebSocket<TcpStream>,
    /// That of the page, once there is one.
    session: Option<String>,
    asked: u64,
    /// All that the page was reported to do.
    events: Vec<Value>,
}

impl Browser {
    /// Starts Chromium with an empty page of this size.
    #[track_caller]
    pub fn start(width: u32, height: u32) -> Self {
        let profile = Scratch::new();
        let mut command = Command::new("chromium");
        command.args([
            "--headless=new",
            "--remote-debugging-port=0",
            "--no-first-run",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--no-proxy-server",
            "--hide-scrollbars",
            "--force-device-scale-factor=1",
        ]);
        // Only there it is of no use.
        if std::fs::metadata("/proc/self").unwrap().uid() == 0 {
            command.arg("--no-sandbox");
        }
        command.arg(format!("--user-data-dir={}", profile.path().display()));
        command.env("HOME", profile.path()).arg("about:blank");
        let process = Process::start(command, "apt-get install chromium");
        let begin = "DevTools listening on ";
        let line = process.error_line("address of the tools", |line| line.starts_with(begin));
        let address = line.trim().strip_prefix(begin).unwrap().to_owned();
        let browser = Self {
            tools: RefCell::new(Tools::connect(&address)),
            _process: process,
            _profile: profile,
        };
        browser.begin(width, height);
        browser
    }

    fn begin(&self, width: u32, height: u32) {
        let target = self.call("Target.createTarget", &json!({"url": "about:blank"}));
        let attach = json!({"targetId": target["targetId"], "flatten": true});
        let attached = self.call("Target.attachToTarget", &attach);
        let session = attached["sessionId"].as_str().unwrap().to_owned();
        self.tools.borrow_mut().session = Some(session);
        for domain in ["Page", "Runtime", "Network", "Log"] {
            self.call(&format!("{domain}.enable"), &json!({}));
        }
        let watch = json!({"source": WATCH});
        self.call("Page.addScriptToEvaluateOnNewDocument", &watch);
        self.resize(width, height);
    }

    /// Gives the page this size; a narrow one is a phone's.
    pub fn resize(&self, width: u32, height: u32) {
        let size = json!({
            "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600,
        });
        self.call("Emulation.setDeviceMetricsOverride", &size);
    }

    /// Has pages shown in dark colours, or in light ones.
    pub fn darken(&self, is_dark: bool) {
        let value = if is_dark { "dark" } else { "light" };
        let features = json!({"features": [{"name": "prefers-color-scheme", "value": value}]});
        self.call("Emulation.setEmulatedMedia", &features);
    }

    /// Goes to `url` and waits until its scripts have run.
    #[track_caller]
    pub fn open(&self, url: &str) {
        let gone = self.call("Page.navigate", &json!({"url": url}));
        assert!(gone["errorText"].is_null(), "{gone}");
        self.until("document.readyState === 'complete'");
    }

    /// What an expression comes to in the page.
    #[track_caller]
    pub fn eval(&self, expression: &str) -> Value {
        let asked = json!({
            "expression": expression, "returnByValue": true, "awaitPromise": true,
        });
        let answer = self.call("Runtime.evaluate", &asked);
        let wrong = &answer["exceptionDetails"];
        assert!(wrong.is_null(), "{expression}: {wrong}");
        answer["result"]["value"].clone()
    }

    /// Waits until an expression is true.
    #[track_caller]
    pub fn until(&self, expression: &str) {
        for _ in 0..LOOKS {
            if self.eval(expression) == json!(true) {
                return;
            }
            std::thread::sleep(LOOK_EVERY);
        }
        let text = self.eval("document.body.innerText");
        panic!("it never comes to {expression}:\n{text}");
    }

    /// The text of an element, as it is seen.
    #[track_caller]
    pub fn text(&self, selector: &str) -> String {
        let text = self.eval(&format!(
            "document.querySelector({}).innerText",
            json!(selector)
        ));
        text.as_str().unwrap().to_owned()
    }

    /// Clicks in the middle of an element, as a mouse does.
    #[track_caller]
    pub fn click(&self, selector: &str) {
        let place = self.eval(&format!(
            "(() => {{ const it = document.querySelector({}); it.scrollIntoView({{block: 'center'}}); \
             const box = it.getBoundingClientRect(); return [box.x + box.width / 2, box.y + box.height / 2]; }})()",
            json!(selector)
        ));
        for kind in ["mousePressed", "mouseReleased"] {
            let event = json!({
                "type": kind, "x": place[0], "y": place[1], "button": "left", "clickCount": 1,
            });
            self.call("Input.dispatchMouseEvent", &event);
        }
    }

    /// Puts a text in place of what is in a field.
    #[track_caller]
    pub fn fill(&self, selector: &str, text: &str) {
        self.eval(&format!(
            "(() => {{ const it = document.querySelector({}); it.focus(); it.value = ''; }})()",
            json!(selector)
        ));
        self.call("Input.insertText", &json!({"text": text}));
    }

    /// Presses a key that has a name, such as `Enter`.
    pub fn press(&self, key: &str, code: u32) {
        for kind in ["keyDown", "keyUp"] {
            let mut event = json!({
                "type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code,
            });
            if key == "Enter" && kind == "keyDown" {
                event["text"] = json!("\r");
            }
            self.call("Input.dispatchKeyEvent", &event);
        }
    }

    /// The addresses of all that was asked for so far.
    pub fn requests(&self) -> Vec<String> {
        let urls = self.events("Network.requestWillBeSent", |event| {
            event["request"]["url"].as_str().map(str::to_owned)
        });
        urls.into_iter()
            .filter(|url| !url.starts_with("data:"))
            .collect()
    }

    /// What the browser complained of so far: what a policy forbade, and errors of scripts.
    pub fn complaints(&self) -> Vec<String> {
        let errors = self.events("Runtime.exceptionThrown", |event| Some(event.to_string()));
        let entries = self.events("Log.entryAdded", |event| {
            // That an answer has a status such as 401 is told by the network.
            let is_told = event["entry"]["source"] != "network";
            is_told.then(|| event["entry"].to_string())
        });
        let forbidden = self.eval("JSON.stringify(window.forbidden)");
        let forbidden = forbidden.as_str().filter(|list| *list != "[]");
        [
            errors,
            entries,
            forbidden.map(str::to_owned).into_iter().collect(),
        ]
        .concat()
    }

    /// The page as a PNG.
    pub fn picture(&self) -> Vec<u8> {
        let picture = self.call("Page.captureScreenshot", &json!({"format": "png"}));
        STANDARD.decode(picture["data"].as_str().unwrap()).unwrap()
    }

    fn events(&self, method: &str, told: impl Fn(&Value) -> Option<String>) -> Vec<String> {
        let tools = self.tools.borrow();
        let events = tools
            .events
            .iter()
            .filter(|event| event["method"] == method);
        events.filter_map(|event| told(&event["params"])).collect()
    }

    #[track_caller]
    fn call(&self, method: &str, params: &Value) -> Value {
        self.tools.borrow_mut().call(method, params)
    }
}

impl Tools {
    fn connect(address: &str) -> Self {
        let place = address.strip_prefix("ws://").unwrap();
        let stream = TcpStream::connect(place.split('/').next().unwrap()).unwrap();
        stream.set_read_timeout(Some(super::LONGEST)).unwrap();
        let (socket, _) = tungstenite::client(address, stream).unwrap();
        Self {
            socket,
            session: None,
            asked: 0,
            events: Vec::new(),
        }
    }

    #[track_caller]
    fn call(&mut self, method: &str, params: &Value) -> Value {
        self.asked += 1;
        let mut asked = json!({"id": self.asked, "method": method, "params": params});
        if let Some(session) = &self.session {
            asked["sessionId"] = json!(session);
        }
        self.socket.send(Message::text(asked.to_string())).unwrap();
        loop {
            let Message::Text(text) = self.socket.read().unwrap() else {
                continue;
            };
            let mut told: Value = serde_json::from_str(&text).unwrap();
            if told["id"] != self.asked {
                self.events.push(told);
                continue;
            }
            assert!(told["error"].is_null(), "{method}: {}", told["error"]);
            return told["result"].take();
        }
    }
}
