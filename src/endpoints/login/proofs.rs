//! What may come with a code to prove more of the user: signed and sealed data. Knows nothing of sessions.

use crate::domain::identity::{App, WechatId};
use crate::domain::refusal::RefusalCode;
use crate::wechat::{Exchange, decrypt, verify_signature};
use crate::wire::fields::Fields;
use crate::wire::refusal::Refusal;

/// The proofs of one login, as far as they came.
#[derive(Debug, Default)]
pub(super) struct Proofs {
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

/// What proofs show beside that they hold.
#[derive(Debug, Default)]
pub(super) struct Proven {
    /// The unionid, which code2Session does not always tell.
    pub(super) unionid: Option<WechatId>,
}

impl Proofs {
    /// Takes the proofs out of a login's fields; `rawData` alone proves nothing and is passed over.
    pub(super) fn of(fields: &Fields<'_>) -> Result<Self, Refusal> {
        let raw_data = fields.get("rawData").or_else(|| fields.get("rawdata"));
        let signed = match (raw_data, fields.get("signature")) {
            (Some(raw_data), Some(signature)) => Some(Signed {
                raw_data: raw_data.to_owned(),
                signature: signature.to_owned(),
            }),
            (None, Some(_)) => return Err(unsigned("a signature came without rawData")),
            (_, None) => None,
        };
        let sealed = match (fields.get("encryptedData"), fields.get("iv")) {
            (Some(data), Some(iv)) => Some(Sealed {
                data: data.to_owned(),
                iv: iv.to_owned(),
            }),
            (None, None) => None,
            _ => {
                return Err(sealed_otherwise(
                    "encryptedData and iv came one without the other",
                ));
            }
        };
        Ok(Self { signed, sealed })
    }

    /// Holds every proof against the user that the code stands for.
    ///
    /// # Errors
    ///
    /// `signature_invalid` or `data_undecryptable`.
    pub(super) fn hold(&self, exchange: &Exchange, app: &App) -> Result<Proven, Refusal> {
        if let Some(Signed {
            raw_data,
            signature,
        }) = &self.signed
            && !verify_signature(raw_data, &exchange.session_key, signature)
        {
            return Err(unsigned("the signature does not fit rawData"));
        }
        let Some(Sealed { data, iv }) = &self.sealed else {
            return Ok(Proven::default());
        };
        let open_data = decrypt(data, iv, &exchange.session_key, app.appid.as_str());
        let open_data =
            open_data.map_err(|_| sealed_otherwise("encryptedData cannot be decrypted"))?;
        match open_data.openid() {
            Some(openid) if openid != exchange.openid.as_str() => {
                Err(sealed_otherwise("encryptedData is of another user"))
            }
            _ => Ok(Proven {
                unionid: open_data.unionid().and_then(WechatId::parse),
            }),
        }
    }
}

fn unsigned(reason: &'static str) -> Refusal {
    Refusal::new(RefusalCode::SignatureInvalid, reason)
}

fn sealed_otherwise(reason: &'static str) -> Refusal {
    Refusal::new(RefusalCode::DataUndecryptable, reason)
}

/// Both kinds hold what users wrote of themselves, so neither shows in logs.
impl std::fmt::Debug for Signed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Signed(***)")
    }
}

impl std::fmt::Debug for Sealed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sealed(***)")
    }
}
