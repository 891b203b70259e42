//! What a client sends to prove more of a user: signed and sealed data. Knows neither sessions nor where it came from.

use std::fmt;
use std::time::Duration;

use serde_json::{Map, Value};

use super::crypto::{OpenData, Undecryptable, decrypt, verify_signature};
use crate::domain::clock::Clock;
use crate::domain::identity::{App, WechatId};
use crate::domain::refusal::RefusalCode;
use crate::domain::session::{SessionKey, UserKeys};
use crate::wire::fields::Fields;
use crate::wire::refusal::Refusal;

/// How far WeChat's clock may be ahead of ours.
const AHEAD: Duration = Duration::from_mins(5);

/// The proofs of one request, as far as they came.
#[derive(Debug, Default)]
pub struct Proofs {
    signed: Option<Signed>,
    sealed: Option<Sealed>,
}

/// `rawData` and `signature`.
struct Signed {
    raw_data: String,
    signature: String,
}

/// `encryptedData` and `iv`.
struct Sealed {
    data: String,
    iv: String,
}

/// What proofs that hold tell of a user. It names a person, so it masks itself in logs.
#[derive(Debug, Default)]
pub struct Proven {
    /// What was sealed.
    pub opened: Option<OpenData>,
    signed: Option<Raw>,
}

/// A `rawData` that fits its `signature`.
struct Raw(String);

/// Proofs that do not hold; the text is for the log alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unproven {
    /// `signature` does not fit.
    #[error("{0}")]
    Signature(&'static str),
    /// One of `encryptedData` and `iv` came without the other.
    #[error("encryptedData and iv came one without the other")]
    Half,
    /// `encryptedData` does not open.
    #[error("encryptedData does not open for this user")]
    Closed,
}

impl From<Unproven> for Refusal {
    fn from(error: Unproven) -> Self {
        let code = match error {
            Unproven::Signature(_) => RefusalCode::SignatureInvalid,
            Unproven::Half | Unproven::Closed => RefusalCode::DataUndecryptable,
        };
        Self::because(code, &error)
    }
}

impl Proofs {
    /// Takes the proofs out of a request's fields; `rawData` alone proves nothing and is passed over.
    ///
    /// # Errors
    ///
    /// A signature came without `rawData`, or one of `encryptedData` and `iv` without the other.
    pub fn of(fields: &Fields<'_>) -> Result<Self, Unproven> {
        let raw_data = fields.get("rawData").or_else(|| fields.get("rawdata"));
        let signed = match (raw_data, fields.get("signature")) {
            (Some(raw_data), Some(signature)) => Some(Signed {
                raw_data: raw_data.to_owned(),
                signature: signature.to_owned(),
            }),
            (None, Some(_)) => {
                return Err(Unproven::Signature("a signature came without rawData"));
            }
            (_, None) => None,
        };
        let sealed = match (fields.get("encryptedData"), fields.get("iv")) {
            (Some(data), Some(iv)) => Some(Sealed {
                data: data.to_owned(),
                iv: iv.to_owned(),
            }),
            (None, None) => None,
            _ => return Err(Unproven::Half),
        };
        Ok(Self { signed, sealed })
    }

    /// Whether there is encrypted data among them.
    #[must_use]
    pub fn are_sealed(&self) -> bool {
        self.sealed.is_some()
    }
}

impl Proven {
    /// What WeChat says of the user: the members that were sealed, else those of the JSON object that was signed.
    #[must_use]
    pub fn user_info(&self) -> Option<Map<String, Value>> {
        let opened = self.opened.as_ref().map(|data| data.members().clone());
        opened.or_else(|| serde_json::from_str(&self.signed.as_ref()?.0).ok())
    }
}

/// Holds proofs against users.
#[derive(Clone, Debug)]
pub struct Prover {
    max_age: Option<Duration>,
    clock: Clock,
}

impl Prover {
    /// Takes encrypted data that is at most `max_age` old by `clock`, or of any age.
    #[must_use]
    pub fn new(max_age: Option<Duration>, clock: Clock) -> Self {
        Self { max_age, clock }
    }

    /// The clock by which data grows old.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Holds every proof against one user of `app`, and gives what they prove.
    ///
    /// # Errors
    ///
    /// The signature fits none of the keys. Or the data opens with none of them, is of another app or user, or too old:
    /// which of these it was is not told.
    pub fn hold(
        &self,
        proofs: &Proofs,
        app: &App,
        openid: &WechatId,
        keys: &UserKeys,
    ) -> Result<Proven, Unproven> {
        let signed = proofs.signed.as_ref().map(|signed| signed.verify(keys));
        let signed = signed.transpose()?;
        let sealed = proofs.sealed.as_ref();
        let data = sealed.map(|sealed| self.open(sealed, app, openid, keys));
        Ok(Proven {
            opened: data.transpose()?,
            signed,
        })
    }

    fn open(
        &self,
        sealed: &Sealed,
        app: &App,
        openid: &WechatId,
        keys: &UserKeys,
    ) -> Result<OpenData, Unproven> {
        let mut readable = in_turn(keys).filter_map(|key| sealed.open(key, app).ok());
        let data = readable.find(|data| self.is_in_time(data) && is_of(data, openid));
        data.ok_or(Unproven::Closed)
    }

    fn is_in_time(&self, data: &OpenData) -> bool {
        let Some(max_age) = self.max_age else {
            return true;
        };
        let now = self.clock.now();
        data.sealed_at()
            .is_some_and(|at| now <= at.after(max_age) && at <= now.after(AHEAD))
    }
}

impl Signed {
    fn verify(&self, keys: &UserKeys) -> Result<Raw, Unproven> {
        if !in_turn(keys).any(|key| self.fits(key)) {
            return Err(Unproven::Signature("the signature does not fit rawData"));
        }
        Ok(Raw(self.raw_data.clone()))
    }

    fn fits(&self, key: &SessionKey) -> bool {
        verify_signature(&self.raw_data, key, &self.signature)
    }
}

impl Sealed {
    fn open(&self, key: &SessionKey, app: &App) -> Result<OpenData, Undecryptable> {
        decrypt(&self.data, &self.iv, key, app.appid.as_str())
    }
}

/// The current key, then the one before: clients often fetch data before the login that replaces its key.
fn in_turn(keys: &UserKeys) -> impl Iterator<Item = &SessionKey> {
    [&keys.current].into_iter().chain(&keys.previous)
}

/// Whether data is of this user; some kinds, such as phone numbers, name nobody.
fn is_of(data: &OpenData, openid: &WechatId) -> bool {
    data.openid().is_none_or(|named| named == openid.as_str())
}

/// All of them hold what users wrote of themselves, so none shows in logs.
impl fmt::Debug for Signed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signed(***)")
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealed(***)")
    }
}

impl fmt::Debug for Raw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Raw(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::clock::Timestamp;
    use crate::simulator::{Sealed as SealedByWechat, seal_bytes};
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use bytes::Bytes;
    use serde_json::json;
    use sha1::{Digest, Sha1};
    use std::borrow::Cow;

    const KEY: [u8; 16] = [7; 16];
    const OLD_KEY: [u8; 16] = [8; 16];
    const LIMIT: Duration = Duration::from_mins(10);

    /// What these fields prove of a user with both keys.
    fn held(prover: &Prover, fields: Vec<(&str, String)>) -> Result<Proven, Unproven> {
        let app = App {
            name: "shop".to_owned(),
            appid: WechatId::parse("wx1").unwrap(),
            index: 0,
        };
        let owned = |(name, value)| (Cow::Borrowed(name), Cow::Owned(value));
        let proofs = Proofs::of(&fields.into_iter().map(owned).collect()).unwrap();
        let key = |bytes| SessionKey::new(&STANDARD.encode(bytes));
        let keys = UserKeys {
            current: key(KEY),
            previous: Some(key(OLD_KEY)),
        };
        let openid = WechatId::parse("oAlice").unwrap();
        prover.hold(&proofs, &app, &openid, &keys)
    }

    fn sealed(key: [u8; 16], plain: &Value) -> Vec<(&'static str, String)> {
        let plain = plain.to_string();
        let SealedByWechat { encrypted_data, iv } = seal_bytes(&key, plain.as_bytes());
        vec![("encryptedData", encrypted_data), ("iv", iv)]
    }

    fn signed(raw_data: &str) -> Vec<(&'static str, String)> {
        let text = format!("{raw_data}{}", STANDARD.encode(KEY));
        let digest = Bytes::copy_from_slice(&Sha1::digest(text));
        let signature = format!("{digest:x}");
        vec![("rawData", raw_data.to_owned()), ("signature", signature)]
    }

    /// Whether data with this watermark opens.
    fn opens(prover: &Prover, key: [u8; 16], watermark: &Value) -> bool {
        let plain = json!({"watermark": watermark, "openId": "oAlice"});
        match held(prover, sealed(key, &plain)) {
            Ok(held) => held.opened.is_some(),
            Err(error) => {
                assert_eq!(error, Unproven::Closed);
                false
            }
        }
    }

    fn marked(at: Timestamp) -> Value {
        json!({"appid": "wx1", "timestamp": at.as_millis() / 1000})
    }

    #[test]
    fn data_that_is_older_than_the_limit_does_not_open_with_either_key() {
        let clock = Clock::start();
        let prover = Prover::new(Some(LIMIT), clock.clone());
        let watermark = marked(clock.now());
        for key in [KEY, OLD_KEY] {
            assert!(opens(&prover, key, &watermark));
        }
        clock.turn(LIMIT / 2);
        assert!(opens(&prover, KEY, &watermark));
        clock.turn(LIMIT);
        for key in [KEY, OLD_KEY] {
            assert!(!opens(&prover, key, &watermark));
        }
        assert!(opens(&prover, KEY, &marked(clock.now())));
    }

    #[test]
    fn data_from_the_future_does_not_open_where_there_is_a_limit() {
        let clock = Clock::start();
        let prover = Prover::new(Some(LIMIT), clock.clone());
        let ahead = |minutes| marked(clock.now().after(Duration::from_mins(minutes)));
        assert!(opens(&prover, KEY, &ahead(4)));
        let (far, furthest) = (ahead(7), json!({"appid": "wx1", "timestamp": u64::MAX}));
        assert!(!opens(&prover, KEY, &far));
        assert!(!opens(&prover, KEY, &furthest));
        clock.turn(Duration::from_mins(3));
        assert!(opens(&prover, KEY, &far));
    }

    #[test]
    fn a_limit_needs_a_time_and_no_limit_needs_none() {
        let limited = Prover::new(Some(LIMIT), Clock::start());
        let unlimited = Prover::new(None, Clock::start());
        let odd = [json!(null), json!("1700000000"), json!(-1), json!(1.5)];
        let odd = odd.map(|timestamp| json!({"appid": "wx1", "timestamp": timestamp}));
        for watermark in odd.into_iter().chain([json!({"appid": "wx1"})]) {
            assert!(!opens(&limited, KEY, &watermark), "{watermark}");
            assert!(opens(&unlimited, KEY, &watermark), "{watermark}");
        }
        let ancient = json!({"appid": "wx1", "timestamp": 0});
        assert!(opens(&unlimited, KEY, &ancient));
    }

    #[test]
    fn what_is_sealed_tells_of_the_user_before_what_is_signed() {
        let prover = Prover::new(None, Clock::start());
        let told = |fields| {
            let told = held(&prover, fields).unwrap();
            assert!(!format!("{told:?}").contains("ali"), "{told:?}");
            told.user_info().map(Value::Object)
        };
        let plain = json!({"nickName": "alice", "watermark": {"appid": "wx1"}});
        let raw = r#"{"nickName":"alix"}"#;
        let both = [sealed(KEY, &plain), signed(raw)].concat();
        assert_eq!(told(both), Some(plain));
        assert_eq!(told(signed(raw)), Some(json!({"nickName": "alix"})));
        for no_object in ["[1]", "null", "\"alice\"", "{\"a\":", "{}{}"] {
            assert_eq!(told(signed(no_object)), None, "{no_object}");
        }
        assert_eq!(told(Vec::new()), None);
    }

    #[test]
    fn raw_data_without_a_signature_or_with_anothers_tells_nothing() {
        let prover = Prover::new(None, Clock::start());
        let alone = vec![("rawData", "{\"a\":1}".to_owned())];
        assert_eq!(held(&prover, alone).unwrap().user_info(), None);
        let mut other = signed("{}");
        other[0].1 = "{\"a\":1}".to_owned();
        let error = Unproven::Signature("the signature does not fit rawData");
        assert_eq!(held(&prover, other).unwrap_err(), error);
    }
}
