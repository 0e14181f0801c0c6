//! Signatures: DSSE envelopes with Ed25519. Keys are PEM files as `openssl genpkey -algorithm ed25519` writes them.

use std::fmt;

use data_encoding::BASE64;
use ed25519_dalek::pkcs8::{DecodePrivateKey, DecodePublicKey, EncodePublicKey};
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};

use super::sha256;

/// What the payload of an envelope is.
pub const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

/// An envelope: a payload and signatures over it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Envelope {
    /// What the payload is.
    pub payload_type: String,
    /// The payload, in base64.
    pub payload: String,
    /// The signatures.
    pub signatures: Vec<SignatureEntry>,
}

/// One signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignatureEntry {
    /// The SHA-256 of the public key in its DER form.
    pub keyid: String,
    /// The signature, in base64.
    pub sig: String,
}

/// Why something cannot be signed, or a signature is not accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignError {
    /// A text that is no private key.
    NoPrivateKey(String),
    /// A text that is no public key.
    NoPublicKey(String),
    /// An envelope that cannot be read.
    NoEnvelope(String),
    /// No signature in it is by the key.
    OtherKey {
        /// The key that was asked for.
        wanted: String,
        /// Those that signed.
        found: Vec<String>,
    },
    /// The signature is not over these bytes.
    Wrong,
}

impl fmt::Display for SignError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SignError::NoPrivateKey(error) => write!(
                f,
                "no Ed25519 private key in PEM ({error}); `openssl genpkey -algorithm ed25519 -out key.pem` makes one"
            ),
            SignError::NoPublicKey(error) => write!(
                f,
                "no Ed25519 public key in PEM ({error}); `openssl pkey -in key.pem -pubout` writes it"
            ),
            SignError::NoEnvelope(error) => write!(f, "no DSSE envelope: {error}"),
            SignError::OtherKey { wanted, found } => {
                write!(f, "it is signed by {}, not by {wanted}", found.join(", "))
            }
            SignError::Wrong => f.write_str("the signature is not over this statement"),
        }
    }
}

impl std::error::Error for SignError {}

/// What is signed: DSSE's pre-authentication encoding, so that a signature for one type is none for another.
fn encoded(payload: &[u8]) -> Vec<u8> {
    let mut out = format!("DSSEv1 {} {PAYLOAD_TYPE} {} ", PAYLOAD_TYPE.len(), payload.len()).into_bytes();
    out.extend_from_slice(payload);
    out
}

fn id(key: &VerifyingKey) -> String {
    key.to_public_key_der().map(|der| sha256(der.as_bytes())).unwrap_or_default()
}

/// Signs a payload.
///
/// # Errors
/// [`SignError::NoPrivateKey`].
pub fn sign(payload: &[u8], private_key: &str) -> Result<Envelope, SignError> {
    let key = SigningKey::from_pkcs8_pem(private_key)
        .map_err(|error| SignError::NoPrivateKey(error.to_string()))?;
    let signature = key.sign(&encoded(payload));
    Ok(Envelope {
        payload_type: PAYLOAD_TYPE.into(),
        payload: BASE64.encode(payload),
        signatures: vec![SignatureEntry {
            keyid: id(&key.verifying_key()),
            sig: BASE64.encode(&signature.to_bytes()),
        }],
    })
}

impl Envelope {
    /// Reads an envelope.
    ///
    /// # Errors
    /// [`SignError::NoEnvelope`].
    pub fn parse(text: &str) -> Result<Envelope, SignError> {
        let envelope: Envelope =
            serde_json::from_str(text).map_err(|error| SignError::NoEnvelope(error.to_string()))?;
        if envelope.payload_type != PAYLOAD_TYPE {
            return Err(SignError::NoEnvelope(format!("its payload is `{}`", envelope.payload_type)));
        }
        Ok(envelope)
    }

    /// The bytes that are signed.
    ///
    /// # Errors
    /// [`SignError::NoEnvelope`].
    pub fn payload(&self) -> Result<Vec<u8>, SignError> {
        BASE64.decode(self.payload.as_bytes()).map_err(|error| SignError::NoEnvelope(error.to_string()))
    }

    /// The keys that signed.
    pub fn keys(&self) -> Vec<String> {
        self.signatures.iter().map(|signature| signature.keyid.clone()).collect()
    }

    /// Whether the owner of a key has signed it.
    ///
    /// # Errors
    /// [`SignError`].
    pub fn check(&self, public_key: &str) -> Result<(), SignError> {
        let key = VerifyingKey::from_public_key_pem(public_key)
            .map_err(|error| SignError::NoPublicKey(error.to_string()))?;
        let wanted = id(&key);
        let Some(entry) = self.signatures.iter().find(|it| it.keyid == wanted) else {
            return Err(SignError::OtherKey { wanted, found: self.keys() });
        };
        let bytes = BASE64.decode(entry.sig.as_bytes()).map_err(|_| SignError::Wrong)?;
        let signature = Signature::from_slice(&bytes).map_err(|_| SignError::Wrong)?;
        key.verify_strict(&encoded(&self.payload()?), &signature).map_err(|_| SignError::Wrong)
    }
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::pkcs8::EncodePrivateKey;
    use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;

    use super::*;

    /// A private and a public key.
    fn pair(seed: u8) -> (String, String) {
        let key = SigningKey::from_bytes(&[seed; 32]);
        let private = key.to_pkcs8_pem(LineEnding::LF).expect("a key").to_string();
        (private, key.verifying_key().to_public_key_pem(LineEnding::LF).expect("a key"))
    }

    #[test]
    fn a_signature_is_for_one_key_and_these_bytes_only() {
        let ((private, public), (_, other)) = (pair(1), pair(2));
        let envelope = sign(b"{\"a\":1}", &private).expect("a key");
        assert_eq!(envelope.payload().expect("base64"), b"{\"a\":1}");
        assert_eq!(envelope.check(&public), Ok(()));
        assert!(matches!(envelope.check(&other), Err(SignError::OtherKey { .. })));
        let edited = Envelope { payload: BASE64.encode(b"{\"a\":2}"), ..envelope.clone() };
        assert_eq!(edited.check(&public), Err(SignError::Wrong));
        let mut bytes = BASE64.decode(envelope.signatures[0].sig.as_bytes()).expect("base64");
        bytes[5] ^= 1;
        let mut flipped = envelope;
        flipped.signatures[0].sig = BASE64.encode(&bytes);
        assert_eq!(flipped.check(&public), Err(SignError::Wrong));
    }

    #[test]
    fn what_is_signed_begins_with_its_type() {
        // The example of the DSSE specification's form, with our type.
        assert_eq!(encoded(b"hello world"), b"DSSEv1 28 application/vnd.in-toto+json 11 hello world");
    }

    #[test]
    fn a_file_that_is_no_key_is_refused_with_the_way_to_make_one() {
        let error = sign(b"", "not a key").expect_err("no key");
        assert!(error.to_string().contains("openssl genpkey"), "{error}");
    }
}
