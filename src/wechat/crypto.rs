//! What a user's key proves and opens: signatures and encrypted data. Pure; knows no network and no clock.

use std::fmt;

use aes::Aes128;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use cbc::Decryptor;
use cbc::cipher::block_padding::NoPadding;
use cbc::cipher::{BlockModeDecrypt, KeyIvInit};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Map, Value};
use sha1::{Digest, Sha1};
use sha2::Sha256;
use subtle::{Choice, ConstantTimeEq};

use crate::domain::clock::Timestamp;
use crate::domain::session::SessionKey;

/// Bytes in a key and in an iv.
const BLOCK: usize = 16;

/// Data that a key opened. It names a person, so it masks itself in logs.
#[derive(Clone, PartialEq)]
pub struct OpenData(Map<String, Value>);

/// Data that does not open. Why is not told: the answer would help to guess the plaintext.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the encrypted data does not open with this key")]
pub struct Undecryptable;

/// Whether `signature` is the hex SHA-1 of `raw_data` and the key's base64 text.
#[must_use]
pub fn verify_signature(raw_data: &str, key: &SessionKey, signature: &str) -> bool {
    let digest = Sha1::new()
        .chain_update(raw_data)
        .chain_update(key.reveal())
        .finalize();
    let expected = format!("{:x}", Bytes::copy_from_slice(&digest));
    let given = signature.to_ascii_lowercase();
    expected.as_bytes().ct_eq(given.as_bytes()).into()
}

/// What proves to WeChat that one has the key: the hex HMAC-SHA256 of nothing under the key's base64 text.
#[must_use]
pub(super) fn sign_nothing(key: &SessionKey) -> String {
    // Any length of key will do for an HMAC, so the empty text is never what comes of one that does not.
    let hmac = Hmac::<Sha256>::new_from_slice(key.reveal().as_bytes());
    let digest = hmac.map(|hmac| hmac.finalize().into_bytes());
    digest.map_or_else(
        |_| String::new(),
        |digest| format!("{:x}", Bytes::copy_from_slice(&digest)),
    )
}

/// Opens `encryptedData` that was made for the app `appid`.
///
/// # Errors
///
/// The texts are no base64, the key is another, or the data was made for another app.
pub fn decrypt(
    encrypted_data: &str,
    iv: &str,
    key: &SessionKey,
    appid: &str,
) -> Result<OpenData, Undecryptable> {
    let key = read_block(key.reveal()).ok_or(Undecryptable)?;
    let iv = read_block(iv).ok_or(Undecryptable)?;
    let mut data = read_base64(encrypted_data).ok_or(Undecryptable)?;
    let plain = Decryptor::<Aes128>::new(&key.into(), &iv.into())
        .decrypt_padded::<NoPadding>(&mut data)
        .map_err(|_| Undecryptable)?;
    // Read whether the padding is right or not, so that the time does not tell.
    let (plain, is_padded) = unpad(plain);
    let read = serde_json::from_slice(plain).map(OpenData);
    let is_for_app = read.as_ref().is_ok_and(|data| data.is_for(appid));
    match read {
        Ok(data) if is_for_app & bool::from(is_padded) => Ok(data),
        Ok(_) | Err(_) => Err(Undecryptable),
    }
}

impl OpenData {
    /// All that was in it, the watermark included.
    #[must_use]
    pub fn members(&self) -> &Map<String, Value> {
        &self.0
    }

    /// The user to whom it belongs, if it says so.
    #[must_use]
    pub fn openid(&self) -> Option<&str> {
        self.text("openId")
    }

    /// The user across apps, if it says so.
    #[must_use]
    pub fn unionid(&self) -> Option<&str> {
        self.text("unionId")
    }

    /// When WeChat sealed it, if it says so.
    #[must_use]
    pub fn sealed_at(&self) -> Option<Timestamp> {
        let seconds = self.0.get("watermark")?.get("timestamp")?.as_u64()?;
        Some(Timestamp::from_millis(seconds.saturating_mul(1000)))
    }

    /// All that was in it, as one line of JSON.
    #[must_use]
    pub fn to_json(&self) -> String {
        Value::Object(self.0.clone()).to_string()
    }

    fn is_for(&self, appid: &str) -> bool {
        let watermark = self.0.get("watermark").and_then(Value::as_object);
        watermark.and_then(|watermark| watermark.get("appid")?.as_str()) == Some(appid)
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.as_str()
    }
}

impl fmt::Debug for OpenData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OpenData(***)")
    }
}

/// The text before a PKCS#7 padding, and whether that is right; the time depends on neither.
fn unpad(plain: &[u8]) -> (&[u8], Choice) {
    let last = plain.last().copied().unwrap_or_default();
    let length = usize::from(last);
    let tail = plain.iter().rev().take(BLOCK).zip(1..);
    let fits = tail.fold(Choice::from(1), |fits, (byte, place)| {
        fits & (byte.ct_eq(&last) | Choice::from(u8::from(place > length)))
    });
    let is_padded = fits & Choice::from(u8::from((1..=BLOCK).contains(&length)));
    let end = plain.len().saturating_sub(length.clamp(1, BLOCK));
    (plain.get(..end).unwrap_or_default(), is_padded)
}

fn read_block(text: &str) -> Option<[u8; BLOCK]> {
    read_base64(text)?.try_into().ok()
}

/// Strict base64, but for what happens to it on the way: each `+` turned into a space, and white space around it.
fn read_base64(text: &str) -> Option<Vec<u8>> {
    let read = |text: &str| STANDARD.decode(text.replace(' ', "+")).ok();
    // A space at either end is first taken for a `+`, since one text in 64 starts with one.
    read(text.trim_matches(['\t', '\r', '\n'])).or_else(|| read(text.trim()))
}

#[cfg(test)]
mod tests;
