//! The operator's page in a real browser, before a real gateway with real traffic.

use std::path::Path;

use serde_json::json;

use crate::admin_views::GUARDED;
use crate::harness::{Ask, BASE, Browser, SECRET, World};

/// A route whose label would be markup, if it were taken for that.
const HOSTILE: &str =
    "[[routes]]\npath = \"/<img src=x onerror=alert(1)>/*\"\nupstream = \"php\"\nauth = \"none\"\n";

struct Desk {
    browser: Browser,
    world: World,
}

impl Desk {
    fn of(config: &str) -> Self {
        Self {
            browser: Browser::start(1280, 900),
            world: World::of(config),
        }
    }

    fn new() -> Self {
        let config = BASE.replace("[admin]\nlisten = \"127.0.0.1:0\"", GUARDED);
        Self::of(&config)
    }

    fn origin(&self) -> String {
        format!("http://{}", self.world.gateway().admin_address().unwrap())
    }

    fn open(&self) -> &Browser {
        self.browser.open(&format!("{}/", self.origin()));
        &self.browser
    }

    /// Comes in with a token, by keyboard.
    fn enter(&self, token: &str) -> &Browser {
        self.browser.fill("#token", token);
        self.browser.press("Enter", 13);
        &self.browser
    }

    fn inside(&self) -> &Browser {
        self.open();
        self.enter(SECRET)
            .until("!document.querySelector('#inside').hidden");
        &self.browser
    }

    /// Looks for the sessions of a user of the shop.
    fn find(&self, openid: &str) {
        let browser = &self.browser;
        browser.eval("document.querySelector('#app').value = 'shop'");
        browser.fill("#openid", openid);
        browser.press("Enter", 13);
        browser.until("!document.querySelector('#found').hidden");
    }

    /// Whatever happened, the page asked nobody else for anything, and nothing was forbidden to it.
    fn hold_that_it_kept_to_itself(&self) {
        assert_eq!(self.browser.complaints(), Vec::<String>::new());
        let (origin, requests) = (self.origin(), self.browser.requests());
        assert!(requests.len() >= 3, "{requests:?}");
        for url in requests.iter().filter(|url| *url != "about:blank") {
            assert!(url.starts_with(&format!("{origin}/")), "{url}");
            assert!(!url.contains(SECRET), "{url}");
        }
    }
}

#[test]
fn a_wrong_token_is_told_in_words_and_the_right_one_lets_in() {
    let desk = Desk::new();
    let browser = desk.open();
    assert_eq!(browser.eval("document.activeElement.id"), "token");
    desk.enter("wrong")
        .until("document.querySelector('#entrance-said').innerText.includes('not the right one')");
    assert_eq!(
        browser.eval("document.querySelector('#inside').hidden"),
        true
    );
    desk.enter("törön")
        .until("document.querySelector('#token').value.includes('ö')");
    for _ in 0..10 {
        desk.world.admin("/api/overview");
    }
    desk.enter(SECRET)
        .until("!document.querySelector('#inside').hidden");
    assert_eq!(
        browser.eval("sessionStorage.length + localStorage.length"),
        0
    );
    assert_eq!(
        browser.eval("document.cookie + location.search + location.hash"),
        ""
    );
    assert_eq!(browser.eval("document.querySelector('#token').value"), "");
    browser.open(&format!("{}/", desk.origin()));
    assert_eq!(
        browser.eval("document.querySelector('#entrance').hidden"),
        false
    );
    desk.hold_that_it_kept_to_itself();
}

#[test]
fn whoever_guesses_too_often_is_told_to_wait() {
    let desk = Desk::new();
    desk.open();
    desk.browser.eval(
        "(async () => { for (let i = 0; i < 30; i++) await fetch('/api/overview', {headers: {Authorization: 'Bearer x'}}); })()",
    );
    desk.enter(SECRET).until(
        "document.querySelector('#entrance-said').innerText.startsWith('Too many wrong tokens')",
    );
    desk.hold_that_it_kept_to_itself();
}

#[test]
fn a_token_that_is_to_be_kept_outlasts_a_reload_and_not_a_leave() {
    let desk = Desk::new();
    desk.open().click("#keep");
    desk.enter(SECRET)
        .until("!document.querySelector('#inside').hidden");
    desk.open()
        .until("!document.querySelector('#inside').hidden");
    desk.browser.click("#leave");
    assert_eq!(desk.browser.eval("sessionStorage.length"), 0);
    desk.open();
    assert_eq!(
        desk.browser
            .eval("document.querySelector('#inside').hidden"),
        true
    );
    desk.hold_that_it_kept_to_itself();
}

#[test]
fn the_figures_move_with_the_traffic() {
    let desk = Desk::new();
    let skey = desk.world.skey_of("alice");
    let browser = desk.inside();
    browser.until("document.querySelector('#figure-sessions').innerText === '1'");
    for _ in 0..20 {
        assert_eq!(desk.world.get_as(&skey, "/orders").status, 200);
        desk.world.get("/orders").refused(401, "session_missing");
    }
    desk.world.skey_of("bob");
    browser.until("document.querySelector('#figure-sessions').innerText === '2'");
    let row = "[...document.querySelectorAll('#routes tr')].find((row) => row.cells[0].innerText === '/*')";
    browser.until(&format!(
        "{row}.cells[4].innerText === '20' && {row}.cells[6].innerText === '20'"
    ));
    browser.until("document.querySelectorAll('#traffic-chart polyline')[0].getAttribute('points').includes(' ')");
    assert!(browser.text("#refusals").contains("session_missing"));
    assert!(browser.text("#logins").contains("ok"));
    let backend = desk.world.backend.address().to_string();
    let upstreams = browser.text("#upstreams");
    assert!(
        upstreams.contains(&backend) && upstreams.contains("healthy"),
        "{upstreams}"
    );
    browser.click("#config-part summary");
    browser.until("document.querySelector('#config').innerText.includes('\"lifetime\": \"7d\"')");
    assert!(!browser.text("#config").contains(SECRET));
    desk.hold_that_it_kept_to_itself();
}

#[test]
fn an_operator_finds_a_user_and_ends_a_session_which_then_is_over() {
    let desk = Desk::new();
    let (first, second) = (desk.world.skey_of("alice"), desk.world.skey_of("alice"));
    let other = desk.world.skey_of("bob");
    let browser = desk.inside();
    browser.until("document.querySelector('#app').options.length === 2");
    desk.find(&desk.world.openid_of("alice"));
    browser.until("document.querySelectorAll('#sessions tr').length === 2");
    browser.click("#sessions tr:first-child button");
    browser.until("document.querySelector('#ask').open");
    browser.click("#ask-no");
    browser.until("!document.querySelector('#ask').open");
    assert_eq!(
        browser.eval("document.querySelectorAll('#sessions tr').length"),
        2
    );
    browser.click("#sessions tr:first-child button");
    browser.until("document.querySelector('#ask').open");
    browser.click("#ask-yes");
    browser.until("document.querySelectorAll('#sessions tr').length === 1");
    let statuses = [&first, &second].map(|skey| desk.world.get_as(skey, "/orders").status);
    assert!(
        statuses.contains(&200) && statuses.contains(&401),
        "{statuses:?}"
    );
    browser.click("#end-all");
    browser.until("document.querySelector('#ask').open");
    browser.press("Escape", 27);
    browser.until("!document.querySelector('#ask').open");
    assert_eq!(
        browser.eval("document.querySelectorAll('#sessions tr').length"),
        1
    );
    browser.click("#end-all");
    browser.until("document.querySelector('#ask').open");
    browser.click("#ask-yes");
    browser.until("document.querySelectorAll('#sessions tr').length === 0");
    let said = browser.text("#sessions-said");
    assert_eq!(said, "1 session has ended.");
    for skey in [&first, &second] {
        desk.world
            .get_as(skey, "/orders")
            .refused(401, "session_invalid");
    }
    assert_eq!(desk.world.get_as(&other, "/orders").status, 200);
    desk.hold_that_it_kept_to_itself();
}

#[test]
fn sessions_are_paged_through() {
    let desk = Desk::new();
    for n in 0..25 {
        desk.world.skey_of(&format!("user{n}"));
    }
    let browser = desk.inside();
    browser.until("document.querySelector('#app').options.length === 2");
    browser.click("#find button");
    let rows = "document.querySelectorAll('#sessions tr').length";
    browser.until(&format!("{rows} === 20"));
    browser.click("#next");
    browser.until(&format!("{rows} === 5"));
    assert_eq!(
        browser.eval("document.querySelector('#next').disabled"),
        true
    );
    browser.click("#previous");
    browser.until(&format!("{rows} === 20"));
    assert_eq!(
        browser.eval("document.querySelector('#end-all').hidden"),
        true
    );
    desk.hold_that_it_kept_to_itself();
}

#[test]
fn what_looks_like_markup_stays_text() {
    let config = BASE.replace("[admin]\nlisten = \"127.0.0.1:0\"", GUARDED);
    let desk = Desk::of(&format!("{config}\n{HOSTILE}"));
    let path = "/%3Cimg%20src=x%20onerror=alert(1)%3E/x";
    assert_eq!(desk.world.get(path).status, 200);
    let browser = desk.inside();
    browser.until(
        "document.querySelector('#routes').innerText.includes('<img src=x onerror=alert(1)>')",
    );
    browser.fill("#openid", "<img src=x onerror=alert(1)>");
    browser.press("Enter", 13);
    browser.until("document.querySelector('#sessions-said').innerText.startsWith('`openid` is')");
    assert_eq!(browser.eval("document.querySelectorAll('img').length"), 0);
    desk.hold_that_it_kept_to_itself();
}

#[test]
fn a_gateway_that_is_gone_is_told_in_words() {
    let mut desk = Desk::new();
    desk.inside();
    desk.hold_that_it_kept_to_itself();
    desk.world.stop();
    desk.browser
        .until("document.querySelector('#said').innerText.includes('does not answer')");
}

#[test]
fn the_page_fits_a_phone_and_names_all_that_is_worked() {
    let desk = Desk::new();
    desk.browser.resize(360, 740);
    desk.world.get("/orders");
    let browser = desk.inside();
    browser.until("document.querySelectorAll('#refusals tr').length === 1");
    assert_eq!(browser.eval("document.documentElement.scrollWidth"), 360);
    let unnamed = "[...document.querySelectorAll('button, input, select, summary, [role=region], svg')].filter((it) => \
                   !(it.innerText || it.labels?.length || it.getAttribute('aria-label') || it.getAttribute('aria-labelledby')) \
                   && it.checkVisibility()).map((it) => it.outerHTML)";
    assert_eq!(browser.eval(unnamed), json!([]));
    assert_eq!(browser.eval("document.documentElement.lang"), "en");
    for is_dark in [false, true] {
        browser.darken(is_dark);
        let pale = browser.eval(CONTRAST);
        assert_eq!(pale, json!([]), "dark: {is_dark}");
    }
}

/// The texts whose colours are nearer to each other than 4.5 to 1, as WCAG counts it.
const CONTRAST: &str = "(() => {
    const light = (css) => {
        const [r, g, b] = css.match(/[\\d.]+/g).map(Number).map((c) => c / 255)
            .map((c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const ground = (it) => {
        for (; it; it = it.parentElement) {
            const color = getComputedStyle(it).backgroundColor;
            if (!/, 0\\)$/.test(color)) return color;
        }
        return 'rgb(255, 255, 255)';
    };
    const pale = [];
    for (const it of document.querySelectorAll('#inside *')) {
        if (!it.checkVisibility() || it.disabled || ![...it.childNodes].some((n) => n.nodeType === 3 && n.data.trim())) continue;
        const [a, b] = [light(getComputedStyle(it).color), light(ground(it))].sort((x, y) => y - x);
        const ratio = (a + 0.05) / (b + 0.05);
        if (ratio < 4.5) pale.push(it.innerText + ' ' + ratio);
    }
    return pale;
})()";

/// Draws docs/admin.png: `cargo test --test gateway picture_of_the_page -- --ignored`.
#[test]
#[ignore = "it draws the picture of the README"]
fn picture_of_the_page() {
    let (_gone, gone) = crate::harness::refusing();
    let config = BASE
        .replace("[admin]\nlisten = \"127.0.0.1:0\"", GUARDED)
        .replace(
            "servers = [\"BACKEND\"]",
            &format!("servers = [\"BACKEND\", \"http://{gone}\"]"),
        );
    let desk = Desk::of(&config);
    let browser = desk.inside();
    let skeys: Vec<_> = (0..12)
        .map(|n| desk.world.skey_of(&format!("user{n}")))
        .collect();
    // As long as the lines of the picture are.
    for round in 0..58_usize {
        let many = [24, 31, 38, 46, 52, 47, 55, 49, 36, 28][round % 10] + round / 2;
        for n in 0..many {
            let skey = &skeys[n % skeys.len()];
            let path = [
                "/orders",
                "/orders/7",
                "/open/news",
                "/maybe/cart",
                "/wx/check",
            ][n % 5];
            desk.world.ask(&Ask::get(path).skey(skey));
        }
        if round % 4 == 0 {
            desk.world.get("/orders");
            desk.world.get_as("not-a-skey", "/orders");
        }
        if round % 9 == 0 {
            desk.world.login_with("no-such-code");
            desk.world.skey_of(&format!("late{round}"));
            desk.world.get("/a/..;/b");
        }
        std::thread::sleep(std::time::Duration::from_millis(900));
    }
    desk.find(&desk.world.openid_of("user3"));
    browser.eval("scrollTo(0, 0)");
    browser.resize(1280, 1120);
    let picture = browser.picture();
    assert!(picture.len() < 200 * 1024, "{}", picture.len());
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/admin.png");
    std::fs::write(place, picture).unwrap();
}
