//! The words of the demo: what to paste, and what to see.

use std::net::SocketAddr;

/// The walk-through, with the addresses of this run.
pub(super) fn text(gateway: SocketAddr, simulator: &str, admin: SocketAddr) -> String {
    format!(
        r#"
wxgate demo: gateway http://{gateway}, WeChat simulator {simulator}, operator http://{admin}

Paste this into another terminal, line by line.

# 1. wx.login() gives the mini-program a code; here the simulator gives it.
CODE=$(curl -s -X POST '{simulator}/simulator/code?user=alice')

# 2. The mini-program logs in with the code and gets a session token, the skey.
SKEY=$(curl -s -w '\n' http://{gateway}/wx/login -d "code=$CODE" | tee /dev/stderr | sed 's/.*"skey":"\([^"]*\)".*/\1/')

# 3. It calls the backend with the skey. The backend sees alice's openid in X-OpenId.
curl -s 'http://{gateway}/orders?page=2' -H "X-Skey: $SKEY"

# 4. It pretends to be somebody else. The backend still sees alice, once.
curl -s http://{gateway}/orders -H "X-Skey: $SKEY" -H 'X-OpenId: boss' -H 'X_OpenId: boss'

# 5. Without a skey nothing passes, but to what is open, and there without an identity.
curl -s -w '\n' http://{gateway}/orders -H 'X-OpenId: boss'
curl -s http://{gateway}/open/news -H 'X-OpenId: boss'

# 6. How long the session lasts; then it logs out, and the same call is refused.
curl -s -w '\n' http://{gateway}/wx/check -H "X-Skey: $SKEY"
curl -s -w '\n' -X POST http://{gateway}/wx/logout -H "X-Skey: $SKEY"
curl -s -w '\n' http://{gateway}/orders -H "X-Skey: $SKEY"

# 7. What the operator sees.
curl -s http://{admin}/metrics | grep -E 'logins|refusals_total.*[1-9]$'

Ctrl-C ends the demo.

"#
    )
}
