//! Who is measured, and how each is told what to do. Knows nothing of processes.

use std::path::Path;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

const NGINX: &str = include_str!("../../../peers/nginx.conf");
const HAPROXY: &str = include_str!("../../../peers/haproxy.cfg");
const CADDY: &str = include_str!("../../../peers/Caddyfile");
/// The full product, as far as it does not depend on the run.
pub(crate) const WXGATE: &str = include_str!("../../../wxgate.toml");

/// What nginx needs for bodies of these cases to stay in memory.
const IN_MEMORY: &str = "client_body_buffer_size 128k; proxy_buffers 32 8k;";
const AUTH_REQUEST: &str = r#"auth_request /auth;
            auth_request_set $openid $upstream_http_x_openid;
            proxy_set_header X-OpenId $openid;
            proxy_set_header X-Skey "";"#;
const LUA_MODULES: &str = "load_module /usr/share/nginx/modules/ndk_http_module.so;
load_module /usr/share/nginx/modules/ngx_http_lua_module.so;";
const LUA_MODULE: &str = "/usr/share/nginx/modules/ngx_http_lua_module.so";
const LUA_SESSIONS: &str = r#"lua_shared_dict sessions 16m;
    init_by_lua_block {
        for line in io.lines("{{work}}/sessions.map") do
            local skey, openid = line:match("(%S+) (%S+)")
            ngx.shared.sessions:set(skey, openid)
        end
    }"#;
const LUA_FIND: &str = r#"access_by_lua_block {
                local skey = ngx.var.http_x_skey
                local openid = skey and ngx.shared.sessions:get(skey)
                if not openid then
                    return ngx.exit(401)
                end
                ngx.req.set_header("X-OpenId", openid)
                ngx.req.clear_header("X-Skey")
            }"#;

/// A proxy, and how it knows who is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Subject {
    /// nginx without any auth: the reference
    Nginx,
    /// The full product
    Wxgate,
    /// nginx without any auth, with buffers that keep bodies out of files
    NginxInMemory,
    /// nginx that asks a service about each request
    NginxAuthRequest,
    /// nginx with lua and a shared dict
    NginxLua,
    /// haproxy with a map
    Haproxy,
    /// Caddy that asks a service about each request
    CaddyForwardAuth,
}

/// The addresses and files that a config names.
#[derive(Debug)]
pub(crate) struct Names<'n> {
    pub(crate) work: &'n Path,
    pub(crate) port: u16,
    pub(crate) backend: &'n str,
    pub(crate) wechat: &'n str,
    pub(crate) auth: &'n str,
    pub(crate) is_tls: bool,
}

impl Subject {
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Nginx => "nginx, no auth",
            Self::Wxgate => "wxgate",
            Self::NginxInMemory => "nginx, no auth, bodies in memory",
            Self::NginxAuthRequest => "nginx, auth_request",
            Self::NginxLua => "nginx, lua shared dict",
            Self::Haproxy => "haproxy, map",
            Self::CaddyForwardAuth => "Caddy, forward_auth",
        }
    }

    /// The program, its arguments and the name of its config within its directory.
    pub(crate) fn command(self, wxgate: &Path) -> (String, &'static [&'static str], &'static str) {
        let debian = |name: &str| format!("/usr/sbin/{name}");
        match self {
            Self::Wxgate => (wxgate.display().to_string(), &["--config"], "gateway.toml"),
            Self::Haproxy => (debian("haproxy"), &["-db", "-f"], "haproxy.cfg"),
            Self::CaddyForwardAuth => {
                let arguments = &["run", "--adapter", "caddyfile", "--config"];
                ("/usr/bin/caddy".to_owned(), arguments, "Caddyfile")
            }
            Self::Nginx | Self::NginxInMemory | Self::NginxAuthRequest | Self::NginxLua => {
                (debian("nginx"), &["-c"], "nginx.conf")
            }
        }
    }

    /// Whether this machine has what it takes.
    #[must_use]
    pub fn is_installed(self, wxgate: &Path) -> bool {
        let has_modules = self != Self::NginxLua || Path::new(LUA_MODULE).exists();
        has_modules && Path::new(&self.command(wxgate).0).exists()
    }

    /// What a peer says its version to.
    pub(crate) fn version_command(self) -> Option<(&'static str, &'static [&'static str])> {
        match self {
            Self::Nginx => Some(("/usr/sbin/nginx", &["-v"])),
            Self::Haproxy => Some(("/usr/sbin/haproxy", &["-v"])),
            Self::CaddyForwardAuth => Some(("/usr/bin/caddy", &["version"])),
            Self::Wxgate | Self::NginxInMemory | Self::NginxAuthRequest | Self::NginxLua => None,
        }
    }

    /// Its config; `wxgate` is that of wxgate, with the addresses of [`WXGATE`].
    pub(crate) fn config(self, names: &Names<'_>, wxgate: &str) -> String {
        let nginx = |modules, http, location| {
            let text = NGINX
                .replace("{{modules}}", modules)
                .replace("{{http}}", http);
            let ssl = if names.is_tls { " ssl http2" } else { "" };
            text.replace("{{location}}", location)
                .replace("{{ssl}}", ssl)
        };
        let text = match self {
            Self::Nginx => nginx("", "", ""),
            Self::NginxInMemory => nginx("", IN_MEMORY, ""),
            Self::NginxAuthRequest => nginx("", "", AUTH_REQUEST),
            Self::NginxLua => nginx(LUA_MODULES, LUA_SESSIONS, LUA_FIND),
            Self::Haproxy => HAPROXY.to_owned(),
            Self::CaddyForwardAuth => CADDY.to_owned(),
            Self::Wxgate => wxgate_config(names, wxgate),
        };
        text.replace("{{work}}", &names.work.display().to_string())
            .replace("{{listen}}", &format!("127.0.0.1:{}", names.port))
            .replace("{{port}}", &names.port.to_string())
            .replace("{{backend}}", names.backend)
            .replace("{{wechat}}", names.wechat)
            .replace("{{auth}}", names.auth)
    }
}

fn wxgate_config(names: &Names<'_>, wxgate: &str) -> String {
    let work = names.work.display();
    let tls =
        format!("workers = 1\ntls = {{ cert = \"{work}/cert.pem\", key = \"{work}/key.pem\" }}");
    let text = wxgate
        .replace("127.0.0.1:1\"", "{{listen}}\"")
        .replace(
            "base_url = \"http://backend.invalid",
            "base_url = \"http://{{wechat}}",
        )
        .replace("backend.invalid", "{{backend}}");
    if names.is_tls {
        text.replace("workers = 1", &tls)
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_config_keeps_a_place_that_is_to_be_filled() {
        for subject in Subject::value_variants() {
            for is_tls in [false, true] {
                let names = Names {
                    work: Path::new("/tmp/run"),
                    port: 8080,
                    backend: "127.0.0.1:9000",
                    wechat: "127.0.0.1:9002",
                    auth: "127.0.0.1:9001",
                    is_tls,
                };
                let config = subject.config(&names, WXGATE);
                assert!(config.contains("8080"), "{config}");
                assert!(
                    !config.contains("{{") && !config.contains(".invalid"),
                    "{config}"
                );
            }
        }
    }
}
