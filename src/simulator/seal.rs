//! Signing and encrypting as WeChat does it for its clients. Knows neither users nor HTTP.

use aes::Aes128;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use cbc::cipher::{BlockModeEncrypt, KeyIvInit};
use hmac::{Hmac, KeyInit, Mac};
use sha1::{Digest, Sha1};
use sha2::Sha256;

/// Bytes in a block of AES.
const BLOCK: usize = 16;

/// Encrypted data as a client gets it from WeChat, both parts in base64.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// What the client calls `encryptedData`.
    pub encrypted_data: String,
    /// What the client calls `iv`.
    pub iv: String,
}

/// Pads and encrypts any bytes.
#[must_use]
pub fn seal_bytes(key: &[u8; BLOCK], plain: &[u8]) -> Sealed {
    let missing = BLOCK - plain.len() % BLOCK;
    let pad = u8::try_from(missing).unwrap_or_default();
    let padded = [plain, &vec![pad; missing]].concat();
    let (blocks, _) = padded.as_chunks();
    seal_blocks(key, blocks)
}

/// Encrypts whole blocks as they are, whether or not they end in a padding.
#[must_use]
pub fn seal_blocks(key: &[u8; BLOCK], blocks: &[[u8; BLOCK]]) -> Sealed {
    let iv = fastrand::u128(..).to_be_bytes();
    let mut blocks: Vec<_> = blocks.iter().map(|block| (*block).into()).collect();
    cbc::Encryptor::<Aes128>::new(&(*key).into(), &iv.into()).encrypt_blocks(&mut blocks);
    Sealed {
        encrypted_data: STANDARD.encode(blocks.concat()),
        iv: STANDARD.encode(iv),
    }
}

/// The signature of `raw_data` under a key's base64 text.
pub(super) fn sign(raw_data: &str, key_text: &str) -> String {
    let digest = Sha1::digest(format!("{raw_data}{key_text}"));
    format!("{:x}", Bytes::copy_from_slice(&digest))
}

/// The signature of nothing under a key's base64 text, as checksession asks for it.
pub(super) fn sign_nothing(key_text: &str) -> String {
    let hmac = Hmac::<Sha256>::new_from_slice(key_text.as_bytes());
    let digest = hmac.map(|hmac| hmac.finalize().into_bytes().to_vec());
    format!("{:x}", Bytes::from(digest.unwrap_or_default()))
}

/// A key as WeChat writes it.
pub(super) fn key_text(key: &[u8; BLOCK]) -> String {
    STANDARD.encode(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_official_signature_comes_out() {
        let raw_data = concat!(
            r#"{"nickName":"Band","gender":1,"language":"zh_CN","city":"Guangzhou","province":"Guangdong","#,
            r#""country":"CN","avatarUrl":"http://wx.qlogo.cn/mmopen/vi_32/1vZvI39NWFQ9XM4LtQpFrQJ1xlgZxx3w"#,
            r#"7bQxKARol6503Iuswjjn6nIGBiaycAjAtpujxyzYsrztuuICqIM5ibXQ/0"}"#
        );
        assert_eq!(
            sign(raw_data, "HyVFkGl5F5OQWJZZaNzBBg=="),
            "75e81ceda165f4ffa64f4068af58c64b8f54b88c"
        );
    }

    #[test]
    fn nothing_is_signed_as_openssl_signs_it() {
        assert_eq!(
            sign_nothing("HyVFkGl5F5OQWJZZaNzBBg=="),
            "252b75c92698025afe925b29cca5517fdf9ee67aae072cf3225ebf3a53783058"
        );
    }

    #[test]
    fn whole_blocks_get_a_block_of_padding() {
        for (plain, sealed) in [(0, 16), (1, 16), (15, 16), (16, 32), (17, 32)] {
            let data = seal_bytes(&[7; BLOCK], &vec![b'x'; plain]).encrypted_data;
            assert_eq!(STANDARD.decode(data).unwrap().len(), sealed, "{plain}");
        }
    }
}
