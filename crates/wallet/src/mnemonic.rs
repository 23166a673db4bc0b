//! The words of a wallet (BIP-39, English), and the seed that they and a passphrase make.
//!
//! Neither has `Debug` or `Display`: what is secret is asked for by name.

use std::borrow::Cow;

use bip39::{Error, Language, Mnemonic};
use zeroize::{Zeroize, Zeroizing};

use crate::random::{self, NoRandomness};

/// No text of 24 words is longer, spaces between them included.
const MAX_TEXT_BYTES: usize = 1_024;

/// How many words a wallet has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WordCount {
    /// 128 bits.
    Twelve,
    /// 256 bits.
    TwentyFour,
}

impl WordCount {
    const fn entropy_bytes(self) -> usize {
        match self {
            Self::Twelve => 16,
            Self::TwentyFour => 32,
        }
    }
}

/// The words of a wallet. Zeroed when dropped.
#[derive(Clone)]
pub struct Words(Mnemonic);

/// Text that is not the words of a wallet. None of its words is repeated here: an error may end up in a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WordsError {
    /// Neither 12 nor 24.
    #[error("got {got} words, expected 12 or 24")]
    Count {
        /// Words given.
        got: usize,
    },
    /// Longer than any words are.
    #[error("got more than {MAX_TEXT_BYTES} bytes, expected 12 or 24 words")]
    TooLong,
    /// A word that is not on the list.
    #[error("word {position} is none of the 2048 English words of BIP-39: check its spelling")]
    Unknown {
        /// Its position, from 1.
        position: usize,
    },
    /// Words that do not belong together.
    #[error("every word is on the list, but together they are no wallet's: check their order, and for a wrong word")]
    Checksum,
    /// Entropy that is neither 16 nor 32 bytes.
    #[error("got {got} bytes of entropy, expected 16 or 32")]
    Entropy {
        /// Bytes given.
        got: usize,
    },
}

impl Words {
    /// New words.
    ///
    /// # Errors
    /// [`NoRandomness`].
    pub fn generate(count: WordCount) -> Result<Self, NoRandomness> {
        let mut entropy = Zeroizing::new([0; 32]);
        let entropy = &mut entropy[..count.entropy_bytes()];
        random::fill(entropy)?;
        Ok(Self::from_entropy(entropy).expect("16 or 32 bytes"))
    }

    /// Words as a person types them: any spacing, small letters or capitals.
    ///
    /// # Errors
    /// [`WordsError`], which names positions and never words.
    pub fn parse(text: &str) -> Result<Self, WordsError> {
        if text.len() > MAX_TEXT_BYTES {
            return Err(WordsError::TooLong);
        }
        let got = text.split_whitespace().count();
        if ![12, 24].contains(&got) {
            return Err(WordsError::Count { got });
        }
        let text = Zeroizing::new(text.to_ascii_lowercase());
        Mnemonic::parse_in_normalized(Language::English, &text).map(Self).map_err(|error| match error {
            Error::UnknownWord(index) => WordsError::Unknown { position: index + 1 },
            Error::BadWordCount(_) | Error::BadEntropyBitCount(_) => WordsError::Count { got },
            Error::InvalidChecksum | Error::AmbiguousLanguages(_) => WordsError::Checksum,
        })
    }

    /// The words that stand for these 16 or 32 bytes.
    ///
    /// # Errors
    /// [`WordsError::Entropy`] for any other length.
    pub fn from_entropy(entropy: &[u8]) -> Result<Self, WordsError> {
        let got = entropy.len();
        if ![16, 32].contains(&got) {
            return Err(WordsError::Entropy { got });
        }
        Mnemonic::from_entropy_in(Language::English, entropy).map(Self).map_err(|_| WordsError::Entropy { got })
    }

    /// The bytes that the words stand for.
    #[must_use]
    pub fn entropy(&self) -> Zeroizing<Vec<u8>> {
        let (mut bytes, length) = self.0.to_entropy_array();
        let entropy = Zeroizing::new(bytes[..length].to_vec());
        bytes.zeroize();
        entropy
    }

    /// The words, one by one.
    pub fn words(&self) -> impl Iterator<Item = &'static str> {
        self.0.words()
    }

    /// How many they are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.word_count()
    }

    /// The words with a space between each.
    #[must_use]
    pub fn phrase(&self) -> Zeroizing<String> {
        let length = self.words().map(|word| word.len() + 1).sum();
        let mut phrase = Zeroizing::new(String::with_capacity(length)); // never moved, so that no copy stays
        for word in self.words() {
            if !phrase.is_empty() {
                phrase.push(' ');
            }
            phrase.push_str(word);
        }
        phrase
    }

    /// BIP-39's seed: 64 bytes from the words and a passphrase, which may be empty.
    pub(crate) fn seed_bytes(&self, passphrase: &str) -> Zeroizing<[u8; 64]> {
        let mut normal = Cow::Borrowed(passphrase);
        Mnemonic::normalize_utf8_cow(&mut normal);
        let seed = Zeroizing::new(self.0.to_seed_normalized(&normal));
        if let Cow::Owned(mut copy) = normal {
            copy.zeroize();
        }
        seed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ABANDON: &str =
        "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about";

    fn error(text: &str) -> WordsError {
        Words::parse(text).err().expect("these are no words")
    }

    #[test]
    fn words_are_read_as_people_type_them() {
        for text in [ABANDON.to_owned(), ABANDON.to_uppercase(), format!("\n {}\r\n", ABANDON.replace(' ', "  \t"))] {
            let words = Words::parse(&text).unwrap();
            assert_eq!(*words.phrase(), ABANDON);
            assert_eq!(*words.entropy(), [0; 16]);
            assert_eq!(words.count(), 12);
        }
    }

    #[test]
    fn bad_words_are_refused_by_position_and_never_told() {
        assert_eq!(error(""), WordsError::Count { got: 0 });
        assert_eq!(error(&ABANDON.replace(" about", "")), WordsError::Count { got: 11 });
        let fifteen = "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon \
                       abandon abandon address";
        assert_eq!(error(fifteen), WordsError::Count { got: 15 });
        assert_eq!(error(&ABANDON.replace("about", "abandon")), WordsError::Checksum);
        assert_eq!(error(&"abandon ".repeat(1_000)), WordsError::TooLong);
        let unknown = error(&ABANDON.replacen("abandon abandon", "abandon secretword", 1));
        assert_eq!(unknown, WordsError::Unknown { position: 2 });
        assert!(!format!("{unknown} {unknown:?}").contains("secretword"));
        assert_eq!(Words::from_entropy(&[0; 20]).err(), Some(WordsError::Entropy { got: 20 }));
    }

    #[test]
    fn a_word_swapped_or_mistyped_is_noticed() {
        let legal = "legal winner thank year wave sausage worth useful legal winner thank yellow";
        assert!(Words::parse(legal).is_ok());
        assert_eq!(error(&legal.replacen("winner thank", "thank winner", 1)), WordsError::Checksum);
        assert_eq!(error(&legal.replace("yellow", "yelow")), WordsError::Unknown { position: 12 });
    }

    #[test]
    fn new_words_are_new_and_read_back() {
        for (count, words) in [(WordCount::Twelve, 12), (WordCount::TwentyFour, 24)] {
            let (one, other) = (Words::generate(count).unwrap(), Words::generate(count).unwrap());
            assert_eq!(one.count(), words);
            assert_ne!(*one.phrase(), *other.phrase());
            assert_eq!(*Words::parse(&one.phrase()).unwrap().phrase(), *one.phrase());
            assert_eq!(*Words::from_entropy(&one.entropy()).unwrap().phrase(), *one.phrase());
        }
    }
}
