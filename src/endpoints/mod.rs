//! What the gateway answers itself: login, check, logout. Knows no routes and no backends.

pub mod check;
pub mod login;
pub mod logout;

use http::Method;

use crate::wire::refusal::Refusal;

/// The methods that every endpoint takes.
const METHODS: [Method; 2] = [Method::GET, Method::POST];

/// Holds a request to the methods that endpoints take.
///
/// # Errors
///
/// `method_not_allowed`.
pub fn check_method(method: &Method) -> Result<(), Refusal> {
    if METHODS.contains(method) {
        return Ok(());
    }
    Err(Refusal::method_not_allowed(METHODS.to_vec()))
}
