//! The rules of a config, told as one writes them.

use serde_json::{Map, Value, json};

use super::{HIDDEN, amount, span, texts};
use crate::config::plan::{
    Action, Apps, Forward, Guard, Login, OnFailure, OnLogin, PhoneRoute, Plan, Recipient,
    RefusalShape, RefusalShapes, RouteChanges, RoutePlan, SessionRoute, Verdict,
};
use crate::domain::app_choice::AppChoice;
use crate::domain::cors::Cors;
use crate::domain::field_name::FieldName;
use crate::domain::header_edits::HeaderEdits;
use crate::domain::prefix::PathPrefix;
use crate::domain::template::{Placeholder, Template};

/// A rule; its path, methods and hosts are what its label tells.
pub(super) fn route(plan: &RoutePlan, whole: &Plan) -> Value {
    let RoutePlan {
        label,
        pattern: _,
        action,
        changes,
        cors,
        max_body,
        refusals: shapes,
    } = plan;
    let RouteChanges {
        prefix,
        request,
        response,
    } = changes;
    let (strip, add) = prefix.as_ref().map_or((None, None), |change| {
        (change.strip.as_ref(), change.add.as_ref())
    });
    let mut told = json!({"route": label});
    let more = json!({
        "max_body": amount(*max_body),
        "strip_prefix": strip.map(PathPrefix::sent),
        "add_prefix": add.map(PathPrefix::sent),
        "request_headers": request.as_ref().map(|edits| of_edits(edits, true)),
        "response_headers": response.as_ref().map(|edits| of_edits(edits, false)),
        "cors": cors.as_ref().map(of_cors),
        "refusals": refusals(shapes),
    });
    extend(&mut told, of_action(action, whole));
    extend(&mut told, more);
    told
}

/// The answer shapes of some refusals.
pub(super) fn refusals(shapes: &RefusalShapes) -> Value {
    let told = shapes.iter().map(|(code, shape)| {
        let RefusalShape { status, body } = shape;
        let status = status.map(|status| status.as_u16());
        let shape = json!({"status": status, "body": body.as_ref().map(written)});
        (code.as_str().to_owned(), shape)
    });
    Value::Object(told.collect::<Map<_, _>>())
}

fn extend(told: &mut Value, more: Value) {
    if let (Value::Object(told), Value::Object(more)) = (told, more) {
        told.extend(more);
    }
}

fn of_action(action: &Action, plan: &Plan) -> Value {
    match action {
        Action::Login(login) => of_login(login, plan),
        Action::Check(route) => of_session("check", route, plan),
        Action::Rotate(route) => of_session("rotate", route, plan),
        Action::Logout(route) => of_session("logout", route, plan),
        Action::Phone(PhoneRoute { apps, recipient }) => {
            let mut told = json!({"action": "phone", "app": of_apps(apps, plan)});
            extend(
                &mut told,
                match recipient {
                    Recipient::Upstream { upstream, field } => {
                        json!({"upstream": name_of(*upstream, plan), "field": field.as_str()})
                    }
                    Recipient::Client(response) => json!({"response": written(response)}),
                },
            );
            told
        }
        Action::Verdict(Verdict { front, guard, apps }) => json!({
            "action": front.as_str(),
            "auth": of_guard(*guard),
            "app": of_apps(apps, plan),
        }),
        Action::Forward(forward) => of_forward(forward, plan),
    }
}

fn of_session(action: &str, route: &SessionRoute, plan: &Plan) -> Value {
    let SessionRoute { apps, response } = route;
    json!({
        "action": action,
        "app": of_apps(apps, plan),
        "response": response.as_ref().map(written),
    })
}

fn of_login(login: &Login, plan: &Plan) -> Value {
    let Login {
        apps,
        on_login,
        response,
    } = login;
    let places = match apps {
        AppChoice::Only(_) => Vec::new(),
        AppChoice::Among { places, .. } => texts(places),
    };
    json!({
        "action": "login",
        "app": apps.all().map(|app| app.name.as_str()).collect::<Vec<_>>(),
        "app_from": places,
        "on_login": on_login.as_deref().map(|call| of_call(call, plan)),
        "response": response.as_ref().map(written),
    })
}

fn of_call(call: &OnLogin, plan: &Plan) -> Value {
    let OnLogin {
        upstream,
        path,
        timeout,
        on_failure,
        claims,
    } = call;
    json!({
        "upstream": name_of(*upstream, plan),
        "path": path.path().sent(),
        "timeout": span(*timeout),
        "on_failure": match on_failure {
            OnFailure::Refuse => "refuse",
            OnFailure::Pass => "pass",
        },
        "claims": claims,
    })
}

fn of_forward(forward: &Forward, plan: &Plan) -> Value {
    let Forward {
        upstream,
        guard,
        apps,
        open_data,
        websocket,
    } = forward;
    json!({
        "upstream": name_of(*upstream, plan),
        "auth": of_guard(*guard),
        "app": of_apps(apps, plan),
        "open_data": open_data.as_ref().map(|_| "decrypt"),
        "open_data_field": open_data.as_ref().map(FieldName::as_str),
        "websocket": websocket,
    })
}

fn of_guard(guard: Guard) -> &'static str {
    match guard {
        Guard::Required => "required",
        Guard::Optional => "optional",
        Guard::None => "none",
    }
}

/// Their names; null for all.
fn of_apps(apps: &Apps, plan: &Plan) -> Value {
    match apps {
        Apps::Any => Value::Null,
        Apps::Only(places) => {
            let apps = places.iter().filter_map(|place| plan.apps.get(*place));
            apps.map(|one| one.app.name.as_str()).collect()
        }
    }
}

fn name_of(upstream: usize, plan: &Plan) -> Option<&str> {
    plan.upstreams.get(upstream).map(|one| one.name.as_str())
}

/// What a backend gets may be what it knows us by; what a client gets is no secret.
fn of_edits(edits: &HeaderEdits, is_hidden: bool) -> Value {
    let set = edits.put_in().iter().map(|(name, value)| {
        let value = String::from_utf8_lossy(value.as_bytes());
        let value = if is_hidden { HIDDEN } else { &*value };
        (name.to_string(), json!(value))
    });
    json!({"set": set.collect::<Map<_, _>>(), "remove": texts(edits.removed())})
}

fn of_cors(cors: &Cors) -> Value {
    let Cors {
        origins,
        methods,
        allow_headers,
        expose_headers,
        credentials,
        max_age,
    } = cors;
    let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    json!({
        "origins": origins.iter().map(|origin| text(origin.as_header())).collect::<Vec<_>>(),
        "methods": text(methods),
        "allow_headers": text(allow_headers),
        "expose_headers": text(expose_headers),
        "credentials": credentials,
        "max_age_seconds": text(max_age),
    })
}

/// A shape as it is written: each place is filled with its own name.
fn written(shape: &Template) -> Value {
    shape.fill(|place: Placeholder| Value::String(format!("{{{}}}", place.name())))
}
