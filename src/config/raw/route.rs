//! What is written of a route: its keys and their types.

use super::{RawRefusal, Shape, Text, Texts};
use crate::config::source::{At, Place};
use crate::config::table::Table;

pub(in crate::config) struct RawRoute<'a> {
    pub(in crate::config) rule: RawRule,
    pub(in crate::config) deed: RawDeed<'a>,
    pub(in crate::config) changes: RawChanges,
    pub(in crate::config) cors: Option<RawCors>,
    pub(in crate::config) max_body: Option<Text>,
    pub(in crate::config) refusals: Vec<(Text, RawRefusal<'a>)>,
}

impl<'a> RawRoute<'a> {
    pub(super) fn fields(route: &mut Table<'a>) -> Self {
        Self {
            rule: RawRule::fields(route),
            deed: RawDeed::fields(route),
            changes: RawChanges::fields(route),
            cors: route.table("cors", RawCors::fields),
            max_body: route.size("max_body"),
            refusals: route.named("refusals", RawRefusal::fields),
        }
    }
}

/// What a route asks of a request.
pub(in crate::config) struct RawRule {
    pub(in crate::config) path: Option<Text>,
    pub(in crate::config) methods: Option<Texts>,
    pub(in crate::config) hosts: Option<Texts>,
}

impl RawRule {
    pub(super) fn fields(route: &mut Table<'_>) -> Self {
        Self {
            path: route.needed("path", Table::text),
            methods: route.some_texts("methods"),
            hosts: route.some_texts("hosts"),
        }
    }
}

/// What a route does with a request.
pub(in crate::config) struct RawDeed<'a> {
    /// The place of the route.
    pub(in crate::config) place: Place,
    pub(in crate::config) action: Option<Text>,
    pub(in crate::config) dialect: Option<Text>,
    pub(in crate::config) response: Option<Shape<'a>>,
    pub(in crate::config) upstream: Option<Text>,
    pub(in crate::config) auth: Option<Text>,
    pub(in crate::config) app: Option<Texts>,
    pub(in crate::config) on_login: Option<RawOnLogin>,
    pub(in crate::config) app_from: Option<Texts>,
    pub(in crate::config) open_data: Option<Text>,
    pub(in crate::config) open_data_field: Option<Text>,
    pub(in crate::config) websocket: Option<At<bool>>,
}

impl<'a> RawDeed<'a> {
    pub(super) fn fields(route: &mut Table<'a>) -> Self {
        Self {
            place: route.place(),
            action: route.text("action"),
            dialect: route.text("dialect"),
            response: route.any("response"),
            upstream: route.text("upstream"),
            auth: route.text("auth"),
            app: route.one_or_more("app"),
            on_login: route.table("on_login", RawOnLogin::fields),
            app_from: route.one_or_more("app_from"),
            open_data: route.text("open_data"),
            open_data_field: route.text("open_data_field"),
            websocket: route.flag_at("websocket"),
        }
    }
}

/// What a route changes of what passes through it.
pub(in crate::config) struct RawChanges {
    pub(in crate::config) strip_prefix: Option<Text>,
    pub(in crate::config) add_prefix: Option<Text>,
    pub(in crate::config) request_headers: Option<RawHeaders>,
    pub(in crate::config) response_headers: Option<RawHeaders>,
}

impl RawChanges {
    pub(super) fn fields(route: &mut Table<'_>) -> Self {
        Self {
            strip_prefix: route.text("strip_prefix"),
            add_prefix: route.text("add_prefix"),
            request_headers: route.table("request_headers", RawHeaders::fields),
            response_headers: route.table("response_headers", RawHeaders::fields),
        }
    }
}

pub(in crate::config) struct RawHeaders {
    pub(in crate::config) place: Place,
    pub(in crate::config) is_empty: bool,
    pub(in crate::config) set: Vec<(Text, Text)>,
    pub(in crate::config) remove: Option<Texts>,
}

impl RawHeaders {
    pub(super) fn fields(headers: &mut Table<'_>) -> Self {
        Self {
            place: headers.place(),
            is_empty: headers.len() == 0,
            set: headers.named_texts("set"),
            remove: headers.texts("remove"),
        }
    }
}

pub(in crate::config) struct RawOnLogin {
    pub(in crate::config) place: Place,
    pub(in crate::config) upstream: Option<Text>,
    pub(in crate::config) path: Option<Text>,
    pub(in crate::config) timeout: Option<Text>,
    pub(in crate::config) on_failure: Option<Text>,
}

impl RawOnLogin {
    pub(super) fn fields(on_login: &mut Table<'_>) -> Self {
        Self {
            place: on_login.place(),
            upstream: on_login.needed("upstream", Table::text),
            path: on_login.needed("path", Table::text),
            timeout: on_login.duration("timeout"),
            on_failure: on_login.text("on_failure"),
        }
    }
}

/// Which pages of other origins may read the answers of a route.
pub(in crate::config) struct RawCors {
    pub(in crate::config) origins: Option<Texts>,
    pub(in crate::config) methods: Option<Texts>,
    pub(in crate::config) allow_headers: Option<Texts>,
    pub(in crate::config) expose_headers: Option<Texts>,
    pub(in crate::config) credentials: Option<bool>,
    pub(in crate::config) max_age: Option<Text>,
}

impl RawCors {
    fn fields(cors: &mut Table<'_>) -> Self {
        Self {
            origins: cors.needed("origins", Table::some_texts),
            methods: cors.some_texts("methods"),
            allow_headers: cors.texts("allow_headers"),
            expose_headers: cors.texts("expose_headers"),
            credentials: cors.flag("credentials"),
            max_age: cors.duration("max_age"),
        }
    }
}
