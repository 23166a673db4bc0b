//! Payment requests as text: `bloom:ADDRESS?amount=1.5&label=…&message=…&not_before=…`, after BIP-21.
//!
//! The scheme is `bloom` on every network: the address says which one. A parameter that is unknown is passed over,
//! unless its name begins with `req-`: then whoever does not know it must not pay.

use std::fmt::{self, Write};

use bloom_consensus::address::{self, AddressError};
use bloom_consensus::{Amount, AmountError, Height, OutputKey};

const SCHEME: &str = "bloom";
/// No longer text is a request.
pub const MAX_URI_BYTES: usize = 4_096;
/// No longer label or message is taken, in bytes.
pub const MAX_TEXT_BYTES: usize = 512;

/// A request to pay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaymentUri {
    address: String,
    key: OutputKey,
    amount: Option<Amount>,
    label: Option<String>,
    message: Option<String>,
    not_before: Option<Height>,
}

/// Text that is no payment request, or one that must not be paid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UriError {
    /// Something else altogether.
    #[error("not a payment request: expected text that begins with {SCHEME}:")]
    Scheme,
    /// Longer than any.
    #[error("payment request: got {got} bytes, expected at most {MAX_URI_BYTES}")]
    TooLong {
        /// Bytes.
        got: usize,
    },
    /// Its address.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// Its amount.
    #[error(transparent)]
    Amount(#[from] AmountError),
    /// A request for nothing.
    #[error("payment request: the amount is 0")]
    Nothing,
    /// Its first height.
    #[error("payment request: got not_before={got:?}, expected a height")]
    NotBefore {
        /// As given.
        got: String,
    },
    /// The same parameter twice.
    #[error("payment request: {name} is said twice")]
    Twice {
        /// Its name.
        name: &'static str,
    },
    /// A parameter that the payer must know, and does not.
    #[error("payment request: it needs {name}, which this bloom does not know; do not pay it by hand either")]
    Required {
        /// Its name.
        name: String,
    },
    /// A % that is not followed by two hexadecimal digits, or bytes that are no text.
    #[error("payment request: {name} is not percent-encoded text")]
    Encoding {
        /// The parameter.
        name: &'static str,
    },
    /// A label or message that is too long, or would do something to a terminal.
    #[error("payment request: {name} must be at most {MAX_TEXT_BYTES} bytes of plain text on one line")]
    Text {
        /// The parameter.
        name: &'static str,
    },
}

impl PaymentUri {
    /// A request to pay to an address of the network with this prefix.
    ///
    /// # Errors
    /// [`AddressError`].
    pub fn new(prefix: &str, address: &str) -> Result<Self, UriError> {
        let key = address::decode(prefix, address)?;
        let address = address.to_ascii_lowercase();
        Ok(Self { address, key, amount: None, label: None, message: None, not_before: None })
    }

    /// Reads a request to pay on the network with this prefix.
    ///
    /// # Errors
    /// [`UriError`], for each fault its own.
    pub fn parse(prefix: &str, text: &str) -> Result<Self, UriError> {
        if text.len() > MAX_URI_BYTES {
            return Err(UriError::TooLong { got: text.len() });
        }
        let (_, rest) =
            text.split_once(':').filter(|(scheme, _)| scheme.eq_ignore_ascii_case(SCHEME)).ok_or(UriError::Scheme)?;
        let (address, query) = rest.split_once('?').unwrap_or((rest, ""));
        let mut uri = Self::new(prefix, address)?;
        for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            uri = uri.with(name, value)?;
        }
        Ok(uri)
    }

    /// Whether a text is meant to be a request rather than an address.
    #[must_use]
    pub fn looks_like(text: &str) -> bool {
        text.split_once(':').is_some_and(|(scheme, _)| scheme.eq_ignore_ascii_case(SCHEME))
    }

    /// With an amount.
    ///
    /// # Errors
    /// [`UriError::Nothing`], [`UriError::Twice`].
    pub fn amount_of(mut self, amount: Amount) -> Result<Self, UriError> {
        if amount == Amount::ZERO {
            return Err(UriError::Nothing);
        }
        once(&mut self.amount, amount, "amount")?;
        Ok(self)
    }

    /// With a name for whoever asks.
    ///
    /// # Errors
    /// [`UriError::Text`], [`UriError::Twice`].
    pub fn labelled(mut self, label: String) -> Result<Self, UriError> {
        once(&mut self.label, plain("label", label)?, "label")?;
        Ok(self)
    }

    /// With what it is for.
    ///
    /// # Errors
    /// [`UriError::Text`], [`UriError::Twice`].
    pub fn saying(mut self, message: String) -> Result<Self, UriError> {
        once(&mut self.message, plain("message", message)?, "message")?;
        Ok(self)
    }

    /// With the first height at which the payment may be in a block.
    ///
    /// # Errors
    /// [`UriError::Twice`].
    pub fn not_before_height(mut self, height: Height) -> Result<Self, UriError> {
        once(&mut self.not_before, height, "not_before")?;
        Ok(self)
    }

    /// Whom to pay, as text.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Whom to pay.
    #[must_use]
    pub fn key(&self) -> OutputKey {
        self.key
    }

    /// How much, if it is said.
    #[must_use]
    pub fn amount(&self) -> Option<Amount> {
        self.amount
    }

    /// Who asks for it.
    #[must_use]
    pub fn label(&self) -> Option<&str> {
        self.label.as_deref()
    }

    /// What for.
    #[must_use]
    pub fn message(&self) -> Option<&str> {
        self.message.as_deref()
    }

    /// The first height at which the payment may be in a block.
    #[must_use]
    pub fn not_before(&self) -> Option<Height> {
        self.not_before
    }

    fn with(self, name: &str, value: &str) -> Result<Self, UriError> {
        match name {
            "amount" => self.amount_of(value.parse()?),
            "label" => self.labelled(decode("label", value)?),
            "message" => self.saying(decode("message", value)?),
            "not_before" => {
                let digits = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
                let height = value.parse().ok().filter(|_| digits).map(Height);
                self.not_before_height(height.ok_or_else(|| UriError::NotBefore { got: value.to_owned() })?)
            }
            _ if name.starts_with("req-") => Err(UriError::Required { name: name.escape_debug().to_string() }),
            _ => Ok(self),
        }
    }
}

impl fmt::Display for PaymentUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}:{}", self.address)?;
        let parameters = [
            ("amount", self.amount.map(|amount| amount.to_string())),
            ("label", self.label.as_deref().map(encode)),
            ("message", self.message.as_deref().map(encode)),
            ("not_before", self.not_before.map(|height| height.to_string())),
        ];
        let mut separator = '?';
        for (name, value) in parameters {
            if let Some(value) = value {
                write!(f, "{separator}{name}={value}")?;
                separator = '&';
            }
        }
        Ok(())
    }
}

fn once<T>(place: &mut Option<T>, value: T, name: &'static str) -> Result<(), UriError> {
    match place.replace(value) {
        Some(_) => Err(UriError::Twice { name }),
        None => Ok(()),
    }
}

/// Text that a terminal shows as it is: no control characters, and none that turn the direction of what follows.
fn plain(name: &'static str, text: String) -> Result<String, UriError> {
    let turns = |c: char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if text.len() > MAX_TEXT_BYTES || text.chars().any(|c| c.is_control() || turns(c)) {
        return Err(UriError::Text { name });
    }
    Ok(text)
}

fn encode(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            write!(encoded, "%{byte:02X}").expect("a string takes all that is written to it");
        }
    }
    encoded
}

/// Strictly: a `+` is a plus, and a `%` that begins nothing is an error.
fn decode(name: &'static str, text: &str) -> Result<String, UriError> {
    let bad = || UriError::Encoding { name };
    let mut bytes = Vec::new();
    let mut parts = text.split('%');
    bytes.extend(parts.next().unwrap_or_default().bytes());
    for part in parts {
        let (digits, rest) = part.split_at_checked(2).ok_or_else(bad)?;
        bytes.extend(hex::decode(digits).map_err(|_| bad())?);
        bytes.extend(rest.bytes());
    }
    String::from_utf8(bytes).map_err(|_| bad())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ADDRESS_OF_GENERATOR: [u8; 32] = [
        0x79, 0xbe, 0x66, 0x7e, 0xf9, 0xdc, 0xbb, 0xac, 0x55, 0xa0, 0x62, 0x95, 0xce, 0x87, 0x0b, 0x07, 0x02, 0x9b,
        0xfc, 0xdb, 0x2d, 0xce, 0x28, 0xd9, 0x59, 0xf2, 0x81, 0x5b, 0x16, 0xf8, 0x17, 0x98,
    ];

    fn address() -> String {
        address::encode("dbloom", &OutputKey(ADDRESS_OF_GENERATOR)).unwrap()
    }

    fn parse(query: &str) -> Result<PaymentUri, UriError> {
        PaymentUri::parse("dbloom", &format!("bloom:{}{query}", address()))
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(
            amount in proptest::option::of(1..u64::MAX), label in proptest::option::of("[^\\p{C}\\p{Z}]{0,60}"),
            message in proptest::option::of("[ -~]{0,200}"), height: Option<u64>,
        ) {
            let mut uri = PaymentUri::new("dbloom", &address()).unwrap();
            if let Some(units) = amount { uri = uri.amount_of(Amount::from_units(units)).unwrap(); }
            if let Some(label) = label { uri = uri.labelled(label).unwrap(); }
            if let Some(message) = message { uri = uri.saying(message).unwrap(); }
            if let Some(height) = height { uri = uri.not_before_height(Height(height)).unwrap(); }
            let text = uri.to_string();
            prop_assert!(text.is_ascii() && !text.contains(' ') && PaymentUri::looks_like(&text));
            prop_assert_eq!(PaymentUri::parse("dbloom", &text), Ok(uri));
        }

        #[test]
        fn garbage_never_panics(text in "\\PC{0,80}") {
            let _ = parse(&format!("?label={text}"));
            let _ = PaymentUri::parse("dbloom", &text);
        }
    }

    #[test]
    fn requests_are_read() {
        let uri = parse("?amount=1.5&label=Caf%C3%A9&unknown=1&message=two%20words+&not_before=70&").unwrap();
        assert_eq!((uri.address(), uri.key()), (&*address(), OutputKey(ADDRESS_OF_GENERATOR)));
        assert_eq!(uri.amount(), Some("1.5".parse().unwrap()));
        assert_eq!((uri.label(), uri.message()), (Some("Café"), Some("two words+")));
        assert_eq!(uri.not_before(), Some(Height(70)));
        assert_eq!(
            uri.to_string(),
            format!("bloom:{}?amount=1.5&label=Caf%C3%A9&message=two%20words%2B&not_before=70", address())
        );
        let plain = PaymentUri::parse("dbloom", &format!("BLOOM:{}", address().to_uppercase())).unwrap();
        assert_eq!(plain.to_string(), format!("bloom:{}", address()));
    }

    #[test]
    fn what_must_not_be_paid_is_refused_for_its_own_reason() {
        let twice = |name| Err(UriError::Twice { name });
        assert_eq!(parse("?amount=1&amount=1"), twice("amount"));
        assert_eq!(parse("?label=a&label=b"), twice("label"));
        assert_eq!(parse("?message=a&message=a"), twice("message"));
        assert_eq!(parse("?not_before=1&not_before=2"), twice("not_before"));
        assert_eq!(parse("?req-lock=1"), Err(UriError::Required { name: "req-lock".to_owned() }));
        assert_eq!(parse("?amount=0"), Err(UriError::Nothing));
        for amount in ["", "-1", "1e3", "0.123456789", "1,5", "%31"] {
            assert!(matches!(parse(&format!("?amount={amount}")), Err(UriError::Amount(_))), "{amount}");
        }
        for height in ["", "-1", "+1", "1.5", "18446744073709551616"] {
            assert_eq!(parse(&format!("?not_before={height}")), Err(UriError::NotBefore { got: height.to_owned() }));
        }
        for text in ["%", "%2", "%zz", "a%f", "%ff", "%+1", "%é"] {
            assert_eq!(parse(&format!("?label={text}")), Err(UriError::Encoding { name: "label" }), "{text}");
        }
        for text in ["%1b%5b2J", "%0a", "%00", "%E2%80%AE", "%7F", &"x".repeat(MAX_TEXT_BYTES + 1)] {
            assert_eq!(parse(&format!("?message={text}")), Err(UriError::Text { name: "message" }), "{text}");
        }
        let long = "&x".repeat(2_100);
        assert!(matches!(parse(&format!("?{long}")), Err(UriError::TooLong { .. })));
        let other = PaymentUri::parse("bloom", &format!("bloom:{}", address()));
        assert!(matches!(other, Err(UriError::Address(AddressError::Network { .. }))));
        for text in ["", "bitcoin:x", &address(), "bloom"] {
            assert_eq!(PaymentUri::parse("dbloom", text), Err(UriError::Scheme), "{text}");
        }
        assert!(matches!(PaymentUri::parse("dbloom", "bloom:"), Err(UriError::Address(_))));
    }
}
